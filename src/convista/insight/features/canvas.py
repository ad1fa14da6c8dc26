"""A figure that is drawn in inches from its upper left corner: many small pictures, words and scales on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convista.insight.drawing import GREY, new_figure
from convista.insight.features.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FRAME = "#BFBFBF"


class Canvas:
    """One sheet; a hundred small pictures on it take 0.2 s, where an axes for each would take 2.

    Args:
        width: In inches.
        height: In inches.
    """

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.figure = new_figure(width, height, layout=None)
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._axes.set_autoscale_on(False)

    def picture(
        self,
        place: tuple[float, float],
        size: tuple[float, float],
        pixels: np.ndarray,
        colour: str = _FRAME,
        line: float = 0.6,
    ) -> None:
        """Draw pixels.

        Args:
            place: Inches from the left and from the top.
            size: Width and height in inches.
            pixels: uint8 or float in 0…1, ``(rows, columns, 3)``.
            colour: Of the frame.
            line: Width of the frame in points.
        """
        (x, y), (width, height) = place, size
        # Not by the axes' own imshow: it would change the aspect of the sheet.
        self._axes.imshow(pixels, extent=(x, x + width, y + height, y), interpolation="antialiased", aspect="auto")
        self.frame(place, size, colour, line)

    def frame(
        self, place: tuple[float, float], size: tuple[float, float], colour: str = _FRAME, line: float = 0.6
    ) -> None:
        """Draw the outline of a rectangle."""
        from matplotlib.patches import Rectangle

        self._axes.add_patch(Rectangle(place, *size, fill=False, edgecolor=colour, linewidth=line, clip_on=False))

    def text(self, x: float, y: float, words: str, **how: Any) -> None:
        """Write words whose upper left corner is at a place, unless ``ha`` and ``va`` say otherwise."""
        self._axes.text(x, y, words, **{"ha": "left", "va": "top", "fontsize": 9.0, **how})

    def heading(self, words: str, note: str = "") -> None:
        """Write the title of the sheet, and below it what has to be known to read it."""
        self.text(0.2, 0.14, words, fontsize=12, fontweight="bold")
        if note:
            self.text(0.2, 0.40, note, fontsize=9.0, color=GREY)

    def scale(self, place: tuple[float, float], height: float, scale: Scale, label: str = "") -> None:
        """Draw an upright bar of a scale's colours with its numbers at the right."""
        x, y = place
        ramp = np.linspace(scale.high, scale.low, 256)[:, None]
        self.picture(place, (0.12, height), scale.coloured(ramp))
        middle = [(0.5, 0.0)] if scale.around_zero else []
        for share, number in [(0.0, scale.high), *middle, (1.0, scale.low)]:
            self.text(x + 0.17, y + share * height, f"{number:.3g}".replace("-", "−"), va="center", fontsize=8.0)
        if label:
            self.text(x, y + height + 0.08, label, fontsize=8.0, color=GREY)

    def axes(self, place: tuple[float, float], size: tuple[float, float]) -> Axes:
        """Return axes for a curve at a place."""
        (x, y), (width, height) = place, size
        bottom = (self.height - y - height) / self.height
        return self.figure.add_axes((x / self.width, bottom, width / self.width, height / self.height))


def as_shown(picture: np.ndarray) -> np.ndarray:
    """Return a picture as float RGB in 0…1, whatever its range: whole numbers are 0…255.

    Floats within 0…1 are what they are, those up to 255 are divided by it, and any others are stretched between their
    least and their greatest.

    Args:
        picture: ``(H, W)`` or ``(H, W, C)``; of other numbers of channels than 1, 3 and 4 the mean is shown.
    """
    values = np.asarray(picture, np.float64)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[-1] not in (1, 3, 4):
        values = values.mean(axis=-1, keepdims=True)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    whole = np.asarray(picture).dtype.kind in "iu"
    if low >= 0 and high <= 255 and (whole or high > 1):
        values = values / 255
    elif low < 0 or high > 255:
        values = (values - low) / max(high - low, 1e-12)
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values[..., :3]


def as_plane(values: np.ndarray) -> np.ndarray:
    """Return numbers at positions as a plane to draw: a sequence as one row, a volume by its middle slice.

    Args:
        values: ``(L,)``, ``(H, W)`` or ``(D, H, W)``.
    """
    if values.ndim == 1:
        return values[None]
    return values if values.ndim == 2 else values[len(values) // 2]
