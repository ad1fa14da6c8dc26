"""`convista summary`: the table of a network, before anything is trained."""

from __future__ import annotations

import click

from convista.cli.chosen_model import LISTED
from convista.cli.program import Session, Verb


class Sizes(click.ParamType[tuple[int, ...]]):
    """Height, width and channels with commas between."""

    name = "H,W,C"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        words = str(value).replace("x", ",").replace("×", ",").split(",")
        if not all(word.strip().isdecimal() and 0 < int(word) < 10**9 for word in words):
            self.fail(f"{value!r} is not a shape. Write height, width and channels, for example 28,28,1.", param, ctx)
        return tuple(int(word) for word in words)


@click.command(
    cls=Verb,
    epilog=f"{LISTED}\n\n"
    "\b\nExamples:\n  convista summary lecture-convnet --input 28,28,1 --detail\n  convista summary runs/first",
)
@click.argument("model")
@click.option(
    "--input", "input_shape", type=Sizes(), help="Size of a picture, for example 28,28,1. A saved model knows its own."
)
@click.option(
    "--classes", type=click.IntRange(1), default=10, show_default=True, help="How many a new model shall tell apart."
)
@click.option("--detail", is_flag=True, help="Kernels, multiply-accumulates, memory and receptive fields too.")
@click.pass_obj
def summary(session: Session, model: str, input_shape: tuple[int, ...] | None, classes: int, detail: bool) -> None:
    """Print layers, output shapes and parameters of MODEL.

    MODEL is an architecture, FILE.py:NAME (the file is executed), a run folder or a .convista file.
    """
    from convista.cli.chosen_model import choose_model

    network = choose_model(model, input_shape, classes, seed=0)
    described = network.summary(detail=detail, print_to=None)
    session.show(str(described), described.to_dict())
