"""`convista shift`: what becomes of a network's answer when a picture is shifted, turned and scaled."""

from __future__ import annotations

import click

from convista.cli.program import Session, Verb


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista shift runs/first photo.jpg\n"
    "  convista shift runs/convolutional photo.jpg --against runs/dense --pixels 6 --out moved.png",
)
@click.argument("model")
@click.argument("picture")
@click.option("--against", multiple=True, metavar="MODEL", help="Another network to draw beside it; up to three.")
@click.option("--pixels", type=click.IntRange(1), help="Shift to each side. Default: a quarter of the side, at most 8.")
@click.option("--class", "class_", metavar="NAME", help="The class to follow. Default: what the first network says.")
@click.option("--ground", type=float, help="What comes in at the sides. Default: the median of the picture's border.")
@click.option("--out", type=click.Path(), help="Default: shift.png in this folder, if there is none yet.")
@click.pass_obj
def shift(
    session: Session,
    model: str,
    picture: str,
    against: tuple[str, ...],
    pixels: int | None,
    class_: str | None,
    ground: float | None,
    out: str | None,
) -> None:
    """Follow the answer and the maps of MODEL as PICTURE is shifted pixel by pixel, turned and scaled.

    MODEL is a run folder or a .convista file. PICTURE is a file of any size, which is prepared as the model asks, or a
    .npy file with one input, as the model takes it.
    """
    from convista.cli.class_name import class_named
    from convista.cli.input_file import read_input
    from convista.cli.option_names import options_named
    from convista.cli.picture_file import picture_file
    from convista.insight import invariance
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    target = picture_file(out, "shift.png", picture)
    networks = [load_model(RunFolder.open(one).model) for one in (model, *against)]
    followed = class_named(class_, networks[0].classes)
    with options_named(shift="--pixels", class_="--class"):
        found = invariance(networks, read_input(picture, networks[0]), shift=pixels, ground=ground, class_=followed)
    found.save(target)
    session.show(f"{found}\n\n{target}", {"picture": picture, "saved": str(target), **found.to_dict()})
