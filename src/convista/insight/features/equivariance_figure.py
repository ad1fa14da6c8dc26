"""The figure of an invariance: a curve for each change, the picture above it, and how well the maps follow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from convista.insight.drawing import BLUE, GREY, VERMILLION
from convista.insight.features.canvas import Canvas, as_plane, as_shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from convista.insight.features.equivariance import Change, Invariance, Moved

_MOST_LAYERS = 5
_LINES = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), ("#009E73", ":", "^"), (GREY, "-.", "D"))
_WIDTH = 8.4


def drawn(found: Invariance) -> Figure:
    """Return the figure of what became of a picture; the style is the caller's."""
    rows = -(-len(found.changes) // 2)
    canvas = Canvas(_WIDTH, 0.75 + 3.05 * rows + (2.75 * -(-len(found.models) // 2)))
    canvas.heading(
        f"What becomes of {found.class_name!r} when the picture moves",
        "Above each curve the picture at its ends, in the middle and between.",
    )
    for number, change in enumerate(found.changes):
        row, column = divmod(number, 2)
        _draw_change(found, canvas, change, (0.75 + 4.15 * column, 0.85 + 3.05 * row), first=number == 0)
    for number, model in enumerate(found.models):
        row, column = divmod(number, 2)
        x, y = 0.75 + 4.15 * column, 0.75 + 3.05 * rows + 0.35 + 2.75 * row
        if model.layers:
            _draw_following(canvas.axes((x, y), (3.2, 1.7)), model)
        else:
            words = f"{_short(model.name)} has no maps:\nno layer of it keeps positions"
            canvas.text(x + 1.6, y + 0.85, words, fontsize=9.0, ha="center", va="center", color=GREY)
    return canvas.figure


def _draw_change(found: Invariance, canvas: Canvas, change: Change, place: tuple[float, float], *, first: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    x, y = place
    axes = canvas.axes((x, y + 0.68), (3.2, 1.6))
    for model, (colour, dashes, marker) in zip(found.models, _LINES, strict=False):
        curve = model.curve(change.name)
        axes.plot(
            curve.amounts, curve.followed, dashes, color=colour, marker=marker, markersize=3.5, linewidth=1.5,
            label=_short(model.name),
        )  # fmt: skip
    axes.set_ylim(-0.04, 1.04)
    axes.axvline(change.neutral, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"{change.name}, {change.unit}", fontsize=9.0)
    axes.set_ylabel(f"probability of {_short(found.class_name)}", fontsize=9.0)
    axes.tick_params(labelsize=8.0)
    if change.unit == "pixels":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if first:
        axes.legend(fontsize=8.0, loc="best")
    left, right = axes.get_xlim()
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        index = round(share * (len(change.amounts) - 1))
        middle = x + 3.2 * (float(change.amounts[index]) - left) / (right - left)
        pixels = _pixels(change.pictures[index])
        side = 0.55 / max(pixels.shape[:2])
        size = (max(pixels.shape[1] * side, 0.05), max(pixels.shape[0] * side, 0.05))
        canvas.picture((middle - size[0] / 2, y + 0.58 - size[1]), size, pixels)


def _draw_following(axes: Axes, model: Moved) -> None:
    from matplotlib.ticker import MaxNLocator

    change = model.layers[0].change
    layers = [one for one in model.layers if one.change == change]
    if len(layers) > _MOST_LAYERS:
        layers = [layers[round(k * (len(layers) - 1) / (_MOST_LAYERS - 1))] for k in range(_MOST_LAYERS)]
    shades = np.linspace(0.0, 0.75, len(layers))
    for shade, one, marker in zip(shades, layers, "osD^v", strict=False):
        label = f"{_short(one.layer)}, stride {one.stride}"
        axes.plot(one.amounts, one.correlation, "-", color=str(shade), marker=marker, markersize=3.5, label=label)
    known = [value for one in layers for value in one.correlation if not math.isnan(value)]
    least = min(known, default=0.0)
    axes.set_ylim(0.48 if least > 0.55 else min(-0.04, least - 0.04), 1.04)
    axes.set_title(f"maps of {_short(model.name)}, moved back", fontsize=9.0)
    axes.set_xlabel(f"{change}, pixels", fontsize=9.0)
    axes.set_ylabel("correlation", fontsize=9.0)
    axes.tick_params(labelsize=8.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=7.5, loc="lower center")


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def _pixels(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 3:
        return as_shown(picture)
    return as_shown(np.stack([as_plane(picture[..., channel]) for channel in range(picture.shape[-1])], axis=-1))
