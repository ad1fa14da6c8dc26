"""`convista filter`: a picture through a classic kernel."""

from __future__ import annotations

from pathlib import Path

import click

from convista.cli.program import Session, Verb

KERNELS = (
    *("identity", "sobel_x", "sobel_y", "prewitt_x", "prewitt_y", "scharr_x", "scharr_y"),
    *("laplace", "laplace_diagonal", "sharpen", "emboss", "sobel", "prewitt", "scharr", "box_blur", "gaussian_blur"),
)
"""Their names, for a help that need not import NumPy first."""


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista filter photo.jpg --kernel sobel\n"
    "  convista filter photo.jpg --kernel gaussian_blur --sigma 2 --out soft.png",
)
@click.argument("picture")
@click.option(
    "--kernel", type=click.Choice(KERNELS), required=True, metavar="NAME", help=f"One of {', '.join(KERNELS)}."
)
@click.option("--size", type=click.IntRange(1), help="Odd side of the blurs in pixels. Default: 3, or by sigma.")
@click.option("--sigma", type=click.FloatRange(0, min_open=True), help="Width of gaussian_blur in pixels.")
@click.option(
    "--border",
    type=click.Choice(["nearest", "reflect", "zeros", "none"]),
    default="nearest",
    show_default=True,
    help="What lies around the picture; none lets it shrink.",
)
@click.option("--out", type=click.Path(), help="Default: PICTURE-KERNEL.png in this folder, if there is none yet.")
@click.pass_obj
def filter(
    session: Session, picture: str, kernel: str, size: int | None, sigma: float | None, border: str, out: str | None
) -> None:
    """Filter PICTURE with a classic kernel, write what comes out as a picture, and say what its numbers mean.

    sobel, prewitt and scharr join both directions to the length of the slope; with _x and _y they are one direction.
    """
    from convista.cli.out_file import check_out
    from convista.insight.filtering import filter_picture

    target = Path(f"{Path(picture).stem}-{kernel}.png" if out is None else out)
    _check_target(target, picture, named=out is not None)
    check_out(target)
    padding = {"zeros": "same", "none": "valid"}.get(border, border)
    result = filter_picture(picture, kernel, size, sigma, padding)
    result.save(target)
    session.show(f"{target}\n{result.meaning}", {"picture": picture, "saved": str(target), **result.document()})


def _check_target(target: Path, picture: str, *, named: bool) -> None:
    from convista.errors import ArgumentError

    if target.exists() and (not named or (Path(picture).exists() and target.samefile(picture))):
        raise ArgumentError(
            "the picture itself is not overwritten" if named else "nothing is overwritten unless it is named",
            where="--out",
            received=f"{target}, which exists",
            fix="Name another file with --out" if named else f"Add --out {target} to replace it",
        )
