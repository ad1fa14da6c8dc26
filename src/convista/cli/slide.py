"""`convista slide`: a kernel that slides over a map, as a GIF or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from convista.cli.program import Session, Verb

_MOST_NUMBERS = 16


class Cells(click.ParamType[Any]):
    """A size with a comma between, or rows of numbers with slashes between."""

    name = "H,W or ROWS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        text = str(value).replace("−", "-")
        if "/" in text:
            return self._rows(text, param, ctx)
        words = text.replace("x", ",").replace("×", ",").split(",")
        if len(words) != 2 or not all(word.strip().isdecimal() and 0 < int(word) <= _MOST_NUMBERS for word in words):
            self.fail(
                f"{value!r} is neither a size of at most {_MOST_NUMBERS},{_MOST_NUMBERS} nor rows of numbers. "
                'Write 5,5 or "-1 0 1 / -1 0 1 / -1 0 1".',
                param,
                ctx,
            )
        return int(words[0]), int(words[1])

    def _rows(
        self, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[float, ...], ...]:
        try:
            rows = tuple(tuple(map(float, line.replace(",", " ").split())) for line in text.strip(" /").split("/"))
        except ValueError:
            rows = ()
        if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
            self.fail(f'{text!r} is not rows of as many numbers each. Write "-1 0 1 / -1 0 1".', param, ctx)
        return rows


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista slide\n  convista slide --padding same --out padded.gif\n"
    "  convista slide --input 7,7 --kernel 3,3 --dilation 2 --out dilated.html\n"
    '  convista slide --input "1 2 3 4 5 /" --kernel "1 -1 /" --out line.gif',
)
@click.option("--input", "cells", type=Cells(), help="Size of the map, or its rows. Default: the 5×5 of lecture 001.")
@click.option("--kernel", type=Cells(), help="Size of the kernel, or its rows. Default: the lecture's −1 0 1.")
@click.option("--stride", type=click.IntRange(1), default=1, show_default=True, help="Step of the kernel.")
@click.option("--padding", type=click.Choice(["valid", "same"]), default="valid", show_default=True)
@click.option("--dilation", type=click.IntRange(1), default=1, show_default=True, help="Distance between its cells.")
@click.option("--bias", type=float, default=0.0, show_default=True, help="Added to each sum.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of numbers for which a size is given."
)
@click.option("--out", type=click.Path(), help="A .gif, .html or .png file. Default: slide.gif, if there is none yet.")
@click.pass_obj
def slide(
    session: Session,
    cells: tuple | None,
    kernel: tuple | None,
    stride: int,
    padding: str,
    dilation: int,
    bias: float,
    seed: int,
    out: str | None,
) -> None:
    """Slide a kernel over a map, print every place, and write it as an animation.

    Without options it is the 5×5 example of lecture 001. A size alone, such as 5,5, is filled with small whole numbers.
    """
    from convista.cli.option_names import options_named
    from convista.cli.out_file import check_out, check_suffix
    from convista.errors import ArgumentError
    from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL
    from convista.insight.walks.sliding import slide as slid

    target = Path("slide.gif" if out is None else out)
    if out is None and target.exists():
        raise ArgumentError(
            "nothing is overwritten unless it is named",
            where="--out",
            received=f"{target}, which exists",
            fix=f"Add --out {target} to replace it",
        )
    check_suffix(target, ("gif", "html", "png"), "a slide")
    check_out(target)
    with options_named(padding="--padding", strides="--stride", kernel="--kernel", dilation="--dilation"):
        done = slid(
            _filled(cells, LECTURE_INPUT, (0, 10), seed),
            _filled(kernel, LECTURE_KERNEL, (-1, 2), seed + 1),
            stride,
            padding,
            dilation,
            bias,
        )
    done.save(target)
    session.show(f"{done}\n{target}", {"saved": str(target), **done.to_dict()})


def _filled(given: tuple | None, example: tuple, limits: tuple[int, int], seed: int) -> object:
    """The rows that were given, or whole numbers from a range, or the lecture's."""
    import numpy as np

    if given is None:
        return example
    if not isinstance(given[0], int):
        return given
    return np.random.default_rng(seed).integers(*limits, given)
