"""`convista excite`: the pictures and patches that excite a network's channels most."""

from __future__ import annotations

import click

from convista.cli.program import Session, Verb


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista excite runs/first mnist\n"
    "  convista excite runs/first mnist --layer conv2d_1 --channel 8 --out eight.png",
)
@click.argument("model")
@click.argument("data")
@click.option("--layer", metavar="NAME", help="One layer, as convista summary names it. Default: every convolution.")
@click.option("--channel", type=click.IntRange(0), multiple=True, help="One channel; may be given several times.")
@click.option("--count", "n", type=click.IntRange(1, 100), default=9, show_default=True, help="Pictures a channel.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Pictures at a time.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--out", type=click.Path(), help="Default: excite.png in this folder, if there is none yet.")
@click.pass_obj
def excite(
    session: Session,
    model: str,
    data: str,
    layer: str | None,
    channel: tuple[int, ...],
    n: int,
    batch_size: int,
    offline: bool,
    out: str | None,
) -> None:
    """Find the training pictures of DATA, and in them the patches, that excite the channels of MODEL most.

    MODEL is a run folder or a .convista file. Without --layer a row is drawn for each depth.
    """
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.cli.picture_file import picture_file
    from convista.insight import excitations
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    target = picture_file(out, "excite.png", data)
    network = load_model(RunFolder.open(model).model)
    chosen = choose_data(data, offline=offline, pictures=as_taken_by(network, data, Pictures(batch_size=batch_size)))
    found = excitations(network, chosen, layer, channel or None, n, batch_size)
    found.save(target)
    session.show(f"{found}\n\n{target}", {"data": data, "saved": str(target), **found.to_dict()})
