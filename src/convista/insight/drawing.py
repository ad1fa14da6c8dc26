"""How Convista's figures look: one style, one size of text, colours that every kind of eye tells apart."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convista.atomic import write_whole
from convista.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 120
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#595959"  # Okabe and Ito's colours: apart for every kind of eye
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the picture is the same on every machine
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "text.parse_math": False,  # a class may be called "$"
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib's own defaults plus ours, whatever the user's matplotlibrc says."""
    import matplotlib

    untouched = {"backend", "backend_fallback", "interactive", "toolbar", "webagg.port"}
    default: dict[Any, Any] = {
        name: value for name, value in matplotlib.rcParamsDefault.items() if name not in untouched
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a class name in a script that the font lacks is drawn as □
        with matplotlib.rc_context({**default, **_STYLE}):
            yield


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure.

    Args:
        width: In inches.
        height: In inches.
        layout: ``"constrained"`` lets matplotlib place the axes; ``None`` leaves it to the caller.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout, facecolor="white")


def encoded(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, the same bytes each time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    content = io.BytesIO()
    FigureCanvasAgg(figure).print_png(content, metadata={"Software": None})
    return content.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as a PNG file and return its path.

    Raises:
        ArgumentError: The name ends otherwise, or the folder does not exist.
    """
    return write_picture(encoded(figure), path)


def write_picture(content: bytes, path: str | os.PathLike[str]) -> Path:
    """Write the bytes of a PNG file and return its path.

    Raises:
        ArgumentError: The name ends otherwise, or the folder does not exist.
    """
    check_picture(path)
    return write_whole(path, content)


def check_picture(path: str | os.PathLike[str]) -> None:
    """Check that the file of a figure that is to be written is called so, and that its folder exists.

    Raises:
        ArgumentError: Its name ends otherwise, or there is no such folder.

    Example:
        >>> check_picture("why.pdf")
        Traceback (most recent call last):
        convista.errors.ArgumentError: path: a figure is written as a PNG file. Received 'why.pdf'. Write 'why.png'.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        named = str(target.with_suffix(".png")) if target.name else "figure.png"
        raise ArgumentError(
            "a figure is written as a PNG file",
            where="path",
            received=f"{os.fspath(path)!r}",
            fix=f"Write {named!r}",
        )
    check_folder(path)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Check that the folder of a file that is to be written exists.

    Raises:
        ArgumentError: It does not.
    """
    if not Path(path).parent.is_dir():
        raise ArgumentError(
            "a picture is saved into a folder that exists",
            where="path",
            received=f"{os.fspath(path)!r}",
            fix=f"Make the folder first: pathlib.Path({str(Path(path).parent)!r}).mkdir(parents=True)",
        )
