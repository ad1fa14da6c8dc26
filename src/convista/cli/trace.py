"""`convista trace`: every number behind one cell of a layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import Session, Verb

if TYPE_CHECKING:
    from convista.errors import ArgumentError


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista trace runs/first photo.jpg --layer conv2d --row 3 --col 5 --channel 0\n"
    "  convista trace runs/first photo.jpg --layer dense --channel 7 --out walk.png",
)
@click.argument("model")
@click.argument("picture")
@click.option("--layer", required=True, metavar="NAME", help="As convista summary calls it.")
@click.option("--row", type=int, help="Row of the cell in the layer's output, from 0.")
@click.option("--col", type=int, help="Column of the cell.")
@click.option("--channel", type=int, help="Channel of the cell; of a dense layer, the unit.")
@click.option("--position", type=int, help="Position of the cell, in sequences.")
@click.option("--depth", type=int, help="Depth of the cell, in volumes.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option("--out", type=click.Path(), metavar="FILE.png", help="Draw the walk too; an existing file is replaced.")
@click.pass_obj
def trace(
    session: Session, model: str, picture: str, layer: str, markdown: bool, out: str | None, **cell: int | None
) -> None:
    """Walk through the arithmetic behind one cell of a layer of MODEL for PICTURE.

    Patch, kernel, products, sums, bias and activation, and that the network computed the same. MODEL is a run folder or
    a .convista file. PICTURE is a picture file, or a .npy file with one input.
    """
    from convista.cli.input_file import read_input
    from convista.cli.picture_file import picture_file
    from convista.errors import ArgumentError
    from convista.insight.runs import RunFolder
    from convista.insight.walks.tracing import trace as walk
    from convista.models import load_model

    target = None if out is None else picture_file(out, "walk.png", picture)
    network = load_model(RunFolder.open(model).model)
    try:
        found = walk(network, read_input(picture, network), layer, **cell)
    except ArgumentError as error:
        raise _in_options(error) from None
    document: dict[str, Any] = {"model": model, "picture": picture, **found.to_dict()}
    if target is not None:
        document["saved"] = str(found.save(target))
    session.show(found.to_markdown() if markdown else str(found), document)


def _in_options(error: ArgumentError) -> ArgumentError:
    """Return an error whose example of a cell can be typed: ``--row 0`` where Python writes ``row=0``."""
    from convista.errors import ArgumentError

    fix = re.sub(r"\b(depth|row|col|position|channel)=(\d+),?", r"--\1 \2", error.fix or "") or None
    return ArgumentError(error.rule, where=error.where, received=error.received, fix=fix)
