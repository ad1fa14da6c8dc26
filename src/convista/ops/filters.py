"""Classic kernels by name: the filters that people designed before networks learned their own."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from convista import arguments
from convista.errors import ArgumentError, suggest

_LARGEST = 63

_TABLES: dict[str, list[list[float]]] = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "sobel_x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel_y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "prewitt_x": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "prewitt_y": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "scharr_x": [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
    "scharr_y": [[-3, -10, -3], [0, 0, 0], [3, 10, 3]],
    "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "laplace_diagonal": [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
}
MAGNITUDES = {name: (f"{name}_x", f"{name}_y") for name in ("sobel", "prewitt", "scharr")}
"""Filters of two kernels: the length of the slope, ``√(x² + y²)``."""

_BLURS = ("box_blur", "gaussian_blur")
NAMES = (*_TABLES, *MAGNITUDES, *_BLURS)
"""Every name that ``kernels`` knows."""


def kernels(
    name: str, size: int | None = None, sigma: float | None = None, *, where: str = "kernels"
) -> tuple[np.ndarray, ...]:
    """Return the kernel of a classic filter, or its two where the result is the length of a slope.

    They are laid on as they are (cross-correlation), so ``sobel_x`` is positive where the picture gets brighter to the
    right, ``sobel_y`` where it gets brighter downwards.

    Args:
        name: One of ``NAMES``.
        size: Odd side of ``box_blur`` and ``gaussian_blur`` in pixels, up to 63; the others are 3×3. ``None`` is 3, or
            ``2·⌈3·sigma⌉ + 1`` where sigma is given.
        sigma: Standard deviation of ``gaussian_blur`` in pixels; ``None`` is ``0.3·((size − 1)/2 − 1) + 0.8``.
        where: Who asks, for the error.

    Returns:
        One or two float64 arrays ``(size, size)``.

    Raises:
        ArgumentError: The name is not known, or a size or sigma has no meaning for it.

    Example:
        >>> kernels("laplace")[0].astype(int).tolist()
        [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
        >>> len(kernels("sobel")), float(kernels("gaussian_blur", 5)[0].sum().round(12))
        (2, 1.0)

    Source: R. Gonzalez, R. Woods, «Digital Image Processing», 2018, chapters 3 and 10; lectures 000 and 003.
    """
    if not isinstance(name, str) or name not in NAMES:
        fix = suggest(name, NAMES) if isinstance(name, str) else suggest("", NAMES)
        raise ArgumentError("kernel is the name of a classic filter", where=where, received=f"{name!r:.100}", fix=fix)
    if sigma is not None and (name != "gaussian_blur" or not arguments.number(sigma, "sigma", where=where) > 0):
        raise ArgumentError(
            "sigma is a number above 0, of gaussian_blur alone",
            where=where,
            received=f"kernel={name!r}, sigma={sigma!r}",
            fix="Leave sigma out, or write kernel='gaussian_blur', sigma=1.0",
        )
    side = _side(name, size, sigma, where)
    if name in MAGNITUDES:
        return tuple(_square(part) for part in MAGNITUDES[name])
    made: dict[str, Callable[[], np.ndarray]] = {
        "box_blur": lambda: np.full((side, side), 1 / side**2),
        "gaussian_blur": lambda: _gaussian(side, 0.3 * ((side - 1) / 2 - 1) + 0.8 if sigma is None else float(sigma)),
    }
    return (made[name]() if name in made else _square(name),)


def _side(name: str, size: int | None, sigma: float | None, where: str) -> int:
    if size is None:
        side = 3 if sigma is None else 2 * math.ceil(min(3 * sigma, _LARGEST)) + 1
    else:
        side = arguments.integer(size, "size", where=where)
    if side % 2 == 0 or side > _LARGEST or (name not in _BLURS and side != 3):
        rule = f"size is odd and at most {_LARGEST}" if name in _BLURS else f"{name} is 3×3"
        fix = f"size={min(side + 1, _LARGEST)}" if name in _BLURS else f"Leave size out, or use {' or '.join(_BLURS)}"
        received = f"size={size!r}" if size is not None else f"sigma={sigma!r}, which asks for size={side}"
        raise ArgumentError(rule, where=where, received=received, fix=fix)
    return side


def _square(name: str) -> np.ndarray:
    return np.array(_TABLES[name], np.float64)


def _gaussian(side: int, sigma: float) -> np.ndarray:
    places = np.arange(side) - side // 2
    line = np.exp(-0.5 * (places / sigma) ** 2)
    line /= line.sum()
    return np.outer(line, line)
