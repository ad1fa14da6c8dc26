"""A kernel that slides over a map, one cell of the result after another: as numbers, as a GIF, as a page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convista import arguments
from convista.errors import ArgumentError, ShapeError
from convista.insight.drawing import check_folder
from convista.insight.walks.formulas import added, factor, shown
from convista.insight.walks.patches import gathered
from convista.shapes import Window, times

MOST_FRAMES = 144
"""More frames are a film that nobody watches to its end."""
MOST_CELLS = 16
"""So many cells, padding included, fit side by side with numbers in them."""

LECTURE_INPUT = ((3, 0, 0, 1, 1), (4, 2, 2, 1, 1), (1, 2, 5, 1, 0), (1, 4, 5, 5, 0), (3, 4, 0, 0, 0))
"""The 5×5 picture of lecture 001."""
LECTURE_KERNEL = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
"""Its 3×3 kernel."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One place of the kernel.

    Args:
        cell: Row and column of the result's cell.
        places: int64 ``(rows, columns, 2)``, the input cell under each cell of the kernel; in the padding it is
            negative or too large.
        inside: bool ``(rows, columns)``, False where a zero of the padding lies.
        patch: float64 ``(rows, columns)``, what the kernel lies on.
        products: float64 ``(rows, columns)``, patch times kernel.
        formula: The products and their sum in a line.
        value: The sum of the products and the bias.
    """

    cell: tuple[int, int]
    places: np.ndarray
    inside: np.ndarray
    patch: np.ndarray
    products: np.ndarray
    formula: str
    value: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "cell": list(self.cell),
            "places": self.places.reshape(-1, 2).tolist(),
            "inside": self.inside.tolist(),
            "patch": self.patch.tolist(),
            "products": self.products.tolist(),
            "formula": self.formula,
            "value": self.value,
        }


@dataclass(frozen=True, eq=False)
class Slide:
    """A kernel on its way over a map.

    Args:
        input: float64 ``(rows, columns)``; a sequence is one row.
        kernel: float64 ``(rows, columns)``.
        bias: Added to each sum.
        window: The kernel's geometry: strides, dilation, padding.
        frames: A frame for each cell of the result, row by row.

    Example:
        >>> from convista.insight import slide
        >>> print(slide([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 0], [0, -1]]))
        3×3 input, 2×2 kernel, stride 1, padding valid: 2×2
        output_h = (3 + 2·0 − 2) // 1 + 1 = 2
        output_w = (3 + 2·0 − 2) // 1 + 1 = 2
        (0, 0)  1·1 + 2·0 + 4·0 + 5·(−1) = −4
        (0, 1)  2·1 + 3·0 + 5·0 + 6·(−1) = −4
        (1, 0)  4·1 + 5·0 + 7·0 + 8·(−1) = −4
        (1, 1)  5·1 + 6·0 + 8·0 + 9·(−1) = −4

    Source: lectures 000 and 001; V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016.
    """

    input: np.ndarray
    kernel: np.ndarray
    bias: float
    window: Window
    frames: tuple[Frame, ...]

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns of the result."""
        rows, columns = self.frames[-1].cell
        return rows + 1, columns + 1

    @property
    def output(self) -> np.ndarray:
        """float64 ``(rows, columns)``: the result."""
        return np.array([frame.value for frame in self.frames]).reshape(self.sizes)

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """Zeros added before and after each axis."""
        return self.window.pads(self.input.shape)

    @property
    def title(self) -> str:
        """Sizes and settings in a line."""
        steps = times(self.window.strides) if len(set(self.window.strides)) > 1 else str(self.window.strides[0])
        spread = times(self.window.dilation) if len(set(self.window.dilation)) > 1 else str(self.window.dilation[0])
        dilation = "" if set(self.window.dilation) == {1} else f", dilation {spread}"
        padding = self.window.padding if isinstance(self.window.padding, str) else f"{self.window.padding}"
        sizes = f"{times(self.input.shape)} input, {times(self.kernel.shape)} kernel"
        return f"{sizes}, stride {steps}, padding {padding}{dilation}: {times(self.sizes)}"

    @property
    def formulas(self) -> tuple[str, ...]:
        """The worked lines of both sizes; of a sequence, its length."""
        rows, columns = self.input.shape
        if rows == self.kernel.shape[0] == self.sizes[0] == 1:
            return (self.window.formula(1, columns, "output"),)
        return self.window.formula(0, rows, "output_h"), self.window.formula(1, columns, "output_w")

    def __str__(self) -> str:
        return "\n".join([self.title, *self.formulas, *(f"{frame.cell}  {frame.formula}" for frame in self.frames)])

    def __repr__(self) -> str:
        return f"<Slide of {self.title}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "title": self.title,
            "input": self.input.tolist(),
            "kernel": self.kernel.tolist(),
            "bias": self.bias,
            "strides": list(self.window.strides),
            "dilation": list(self.window.dilation),
            "pads": [list(pair) for pair in self.pads],
            "formulas": list(self.formulas),
            "output": self.output.tolist(),
            "frames": [frame.to_dict() for frame in self.frames],
        }

    def _repr_html_(self) -> str:
        from convista.insight.walks.slide_page import inside_frame

        return inside_frame(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the slide as a moving picture or as a page; the file is whole or not there.

        Args:
            path: ``….gif`` repeats for ever, a frame each 0.9 seconds; ``….html`` is one file with buttons that needs
                no network; ``….png`` is the last frame, with the whole result.

        Returns:
            The path.

        Raises:
            ArgumentError: Another ending, or the folder does not exist.
        """
        from convista.atomic import write_whole

        check_folder(path)
        ending = Path(path).suffix.lower()
        if ending == ".html":
            from convista.insight.walks.slide_page import page

            return write_whole(path, page(self))
        if ending in (".gif", ".png"):
            from convista.insight.walks.slide_pictures import gif, png

            return write_whole(path, gif(self) if ending == ".gif" else png(self, len(self.frames) - 1))
        raise ArgumentError(
            "a slide is saved as .gif, .html or .png",
            where="save",
            received=f"{os.fspath(path)!r}",
            fix=f"Write {Path(path).with_suffix('.gif').name!r}" if Path(path).name else "For example 'slide.gif'",
        )


def slide(
    input: Any,
    kernel: Any,
    strides: int | tuple[int, int] = 1,
    padding: str | Sequence[Sequence[int]] = "valid",
    dilation: int | tuple[int, int] = 1,
    bias: float = 0.0,
) -> Slide:
    """Slide a kernel over a map and keep every place: patch, products, formula, value.

    ``output[i, j] = Σ input[i·s + k·d − pad, j·s + l·d − pad] · kernel[k, l] + bias``

    Args:
        input: ``(rows, columns)`` numbers, or ``(length,)`` for a sequence; at most 16 along a side with padding.
        kernel: As many axes, at least one cell.
        strides: Step of the kernel, one number or one an axis.
        padding: ``"valid"``, ``"same"``, or one pair ``(before, after)`` an axis: that many zeros.
        dilation: Distance between neighbouring cells of the kernel.
        bias: Added to each sum.

    Returns:
        The slide: ``frames`` has the numbers, ``save("slide.gif")`` and ``save("slide.html")`` the animation.

    Raises:
        ArgumentError: A number is out of its range, or there are more than 144 places or 16 cells along a side: frames
            are never left out by themselves.
        ShapeError: The kernel does not fit.

    Example:
        >>> done = slide(LECTURE_INPUT, LECTURE_KERNEL)
        >>> done.output.astype(int).tolist()  # lecture 001 prints 10 as the last: its minus got lost
        [[-1, -1, -5], [6, -1, -11], [5, -4, -10]]
        >>> done.frames[8].formula
        '5·(−1) + 1·0 + 0·1 + 5·(−1) + 5·0 + 0·1 + 0·(−1) + 0·0 + 0·1 = −10'
        >>> len(slide(LECTURE_INPUT, LECTURE_KERNEL, padding="same").frames)
        25

    Source: lectures 000 and 001; V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016.
    """
    cells, weights = _matrix(input, "input"), _matrix(kernel, "kernel")
    if np.ndim(input) != np.ndim(kernel):
        raise ShapeError(
            "input and kernel have as many axes",
            where="slide",
            received=f"input of shape {np.shape(input)}, kernel of shape {np.shape(kernel)}",
            fix="Write a row as [[1, 2, 3]]",
        )
    number = arguments.number(bias, "bias", where="slide")
    window = _window(weights.shape, strides, padding, dilation, rank=np.ndim(input))
    _check_sides(cells.shape, window)
    return Slide(cells, weights, number, window, tuple(_frames(cells, weights, number, window)))


def _matrix(given: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim not in (1, 2) or not array.size or not np.isfinite(array).all():
        raise ShapeError(
            f"{name} is rows of finite numbers",
            where="slide",
            received=f"{name} of shape {array.shape}" if array.ndim else f"{name}={given!r:.60}",
            fix=f"Take one channel of a picture: {name}[..., 0]" if array.ndim > 2 else "For example [[1, 2], [3, 4]]",
        )
    return np.atleast_2d(array)


def _window(size: tuple[int, ...], strides: Any, padding: Any, dilation: Any, *, rank: int) -> Window:
    steps = arguments.integers(strides, rank, "strides", where="slide")
    spread = arguments.integers(dilation, rank, "dilation", where="slide")
    around = arguments.padding(padding, rank, where="slide")
    if rank == 1:  # a sequence is one row
        steps, spread = (1, *steps), (1, *spread)
        around = around if isinstance(around, str) else ((0, 0), *around)
    return Window(size, steps, spread, around)


def _check_sides(sizes: tuple[int, ...], window: Window) -> None:
    try:
        found = window.output_sizes(sizes)
    except ShapeError as error:
        fix = 'Use padding="same", or a smaller kernel or dilation'
        raise ShapeError(error.rule, where="slide", received=window.formula(0, sizes[0]), fix=fix) from None
    padded = [size + before + after for size, (before, after) in zip(sizes, window.pads(sizes), strict=True)]
    frames = int(np.prod([size or 0 for size in found]))
    if max(*padded, *window.size) > MOST_CELLS:
        raise ArgumentError(
            f"a slide is at most {MOST_CELLS} cells high and wide, padding included",
            where="slide",
            received=times(tuple(padded)),
            fix="Cut a piece out: input[:8, :8]",
        )
    if frames > MOST_FRAMES:
        raise ArgumentError(
            f"a slide has at most {MOST_FRAMES} frames, one for each cell of the result",
            where="slide",
            received=f"{times(found)} = {frames}",
            fix="Cut a piece out, input[:8, :8], or use a larger stride",
        )


def _frames(cells: np.ndarray, kernel: np.ndarray, bias: float, window: Window) -> Iterator[Frame]:
    for row, column in np.ndindex(*(size or 0 for size in window.output_sizes(cells.shape))):
        places, inside = gathered(window, cells.shape, (row, column))
        kept = np.where(inside[..., None], places, 0)
        patch = np.where(inside, cells[kept[..., 0], kept[..., 1]], 0.0)
        products = patch * kernel
        value = float(products.sum()) + bias
        pairs = zip(patch.ravel(), kernel.ravel(), strict=True)
        terms = " + ".join(f"{factor(one)}·{factor(weight)}" for one, weight in pairs)
        tail = f" {added([0.0, bias])[2:]}" if bias else ""
        yield Frame((row, column), places, inside, patch, products, f"{terms}{tail} = {shown(value)}", value)
