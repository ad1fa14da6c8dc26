"""`convista maps`: what every layer of a network makes of a picture."""

from __future__ import annotations

import click

from convista.cli.program import Session, Verb


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista maps runs/first photo.jpg\n"
    "  convista maps runs/first photo.jpg --layer conv2d --scale shared --out edges.png\n"
    "  convista maps runs/first photo.jpg --data mnist",
)
@click.argument("model")
@click.argument("picture")
@click.option("--layer", metavar="NAME", help="One layer, as convista summary names it. Default: all with positions.")
@click.option(
    "--scale",
    type=click.Choice(["own", "shared"]),
    default="own",
    show_default=True,
    help="A scale for each map, or one for all maps of a layer.",
)
@click.option("--data", help="Also tell which channels are dead for all training pictures of this data.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--out", type=click.Path(), help="Default: maps.png in this folder, if there is none yet.")
@click.pass_obj
def maps(
    session: Session,
    model: str,
    picture: str,
    layer: str | None,
    scale: str,
    data: str | None,
    offline: bool,
    out: str | None,
) -> None:
    """Draw the feature maps of PICTURE in the network of MODEL, and print their range and the channels that are silent.

    MODEL is a run folder or a .convista file. PICTURE is a file of any size, which is
    prepared as the model asks, or a .npy file with one input, as the model takes it.
    """
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.cli.input_file import read_input
    from convista.cli.picture_file import picture_file
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    target = picture_file(out, "maps.png", picture, data)
    network = load_model(RunFolder.open(model).model)
    examples = None
    if data is not None:
        examples = choose_data(data, offline=offline, pictures=as_taken_by(network, data, Pictures()))
    found = network.feature_maps(read_input(picture, network), layer, data=examples)
    found.save(target, scale=scale)
    session.show(f"{found}\n\n{target}", {"picture": picture, "saved": str(target), **found.to_dict()})
