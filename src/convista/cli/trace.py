"""`convista trace`: every number behind one cell of a layer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from convista.cli.program import Session, Verb


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
    from convista.insight.runs import RunFolder
    from convista.insight.walks.tracing import trace as walk
    from convista.models import load_model

    _check_target(out, picture)
    network = load_model(RunFolder.open(model).model)
    found = walk(network, read_input(picture, network), layer, **cell)
    document: dict[str, Any] = {"model": model, "picture": picture, **found.to_dict()}
    if out is not None:
        document["saved"] = str(found.save(out))
    session.show(found.to_markdown() if markdown else str(found), document)


def _check_target(out: str | None, picture: str) -> None:
    from convista.cli.out_file import check_out
    from convista.errors import ArgumentError

    if out is None:
        return
    if Path(out).suffix.lower() != ".png":
        raise ArgumentError("the walk is drawn as a .png file", where="--out", received=out, fix="Name it walk.png")
    if Path(out).exists() and Path(picture).exists() and os.path.samefile(out, picture):
        raise ArgumentError(
            "the picture itself is not overwritten",
            where="--out",
            received=f"{out}, which exists",
            fix="Name another file with --out",
        )
    check_out(out)
