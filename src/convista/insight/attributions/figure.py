"""An attribution, drawn: the input, the map with its scale, and one laid over the other."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.insight.attributions.methods import METHODS
from convista.insight.drawing import BLUE, GREY, VERMILLION, new_figure, style
from convista.insight.features.canvas import as_shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.insight.attributions.attribution import Attribution
    from convista.insight.attributions.sanity import SanityCheck

# Blue to yellow with a grey in the middle: its lightness rises evenly, so the order of values also survives grey print
# and every kind of eye. The red–blue scales that are usual for signed maps print both ends alike.
SCALE = "cividis"
_MOST_LINES = 3
_MOST_COLUMNS = 6
_LONGEST = 118


def figure_of(found: Attribution) -> Figure:
    """Return the figure of an attribution.

    Pictures and maps stand side by side, sequences one above the other; of volumes there are three cuts through the
    strongest place.
    """
    with style():
        draw = {1: _sequence, 2: _picture, 3: _volume}[found.map.ndim]
        return draw(found)


def _limits(found: Attribution) -> tuple[float, float]:
    largest = float(np.abs(found.map).max()) or 1.0
    return (-largest if found.signed else 0.0), largest


def _heading(found: Attribution) -> str:
    """The question in one line, the answer and what the colours are in the others."""
    label = found.label if len(found.label) <= 24 else f"{found.label[:23]}…"
    least, most = f"{found.map.min():.3g}".replace("-", "−"), f"{found.map.max():.3g}".replace("-", "−")
    meaning = f"{METHODS[found.method].meaning}, {least} … {most}"
    lines = [f"Why {label!r}?  {found.sureness}", f"{found.method}: {meaning}", found.advice]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, _LONGEST))


def _shown(picture: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a picture as RGB in 0…1, and what it is called: one whose values are no pixels is stretched."""
    stretched = float(picture.min()) < 0 or float(picture.max()) > 255
    return as_shown(picture), "picture, its range stretched" if stretched else "picture"


def _lightness(picture: np.ndarray) -> np.ndarray:
    return picture.mean(axis=-1)


def _plain(axes: Any, title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#BFBFBF")
    axes.set_title(title, fontsize=10)


def _overlay(axes: Any, picture: np.ndarray, values: np.ndarray, limits: tuple[float, float]) -> Any:
    """Draw the map in colours, as opaque as it is strong, over the picture in pale grey."""
    axes.imshow(0.35 + 0.6 * picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    strength = np.clip(np.abs(values) / limits[1], 0, 1)
    return axes.imshow(
        values, cmap=SCALE, vmin=limits[0], vmax=limits[1], alpha=0.85 * strength**0.5, interpolation="nearest"
    )


def _picture(found: Attribution) -> Figure:
    shown, name = _shown(found.picture)
    height, width = found.map.shape
    tall = float(np.clip(2.7 * height / width, 1.2, 5.0))
    figure = new_figure(9.0, tall + 1.1)
    left, middle, right = figure.subplots(1, 3)
    left.imshow(shown, interpolation="nearest")
    limits = _limits(found)
    empty = bool(found.alternatives)
    # Without values a map has no colours, and no scale would belong to them.
    scale = "Greys" if empty else SCALE
    image = middle.imshow(found.map, cmap=scale, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    _overlay(right, _lightness(shown), found.map, limits)
    for axes, title in ((left, name), (middle, "map: empty" if empty else "map"), (right, "map over the picture")):
        _plain(axes, title)
    if not empty:
        _scale_beside(figure, image, right, found)
    figure.suptitle(_heading(found), x=0.01, ha="left", fontsize=10)
    return figure


def _scale_beside(figure: Figure, image: Any, axes: Any, found: Attribution) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.9, aspect=14)
    bar.ax.tick_params(labelsize=8)
    bar.set_label("− against, + for" if found.signed else "how much it counts", fontsize=8)


def _sequence(found: Attribution) -> Figure:
    figure = new_figure(9.0, 4.2)
    above, below = figure.subplots(2, 1, sharex=True)
    rows = found.picture if found.picture.ndim == 2 else found.picture[:, None]
    places = np.arange(len(rows))
    if rows.shape[1] <= _MOST_LINES:
        for number, (colour, line) in enumerate(zip((BLUE, VERMILLION, GREY), ("-", "--", ":"), strict=True)):
            if number < rows.shape[1]:
                above.plot(places, rows[:, number], line, color=colour, label=f"channel {number}", linewidth=1.2)
        if rows.shape[1] > 1:
            above.legend(fontsize=8)
        above.set_ylabel("value")
    else:
        above.imshow(rows.T, cmap="gray_r", aspect="auto", interpolation="nearest")
        above.set_ylabel("channel")
        above.grid(False)
    above.set_title("input", fontsize=10)
    below.fill_between(places, np.maximum(found.map, 0), step="mid", color=BLUE, label="for")
    if found.signed:
        below.fill_between(
            places,
            np.minimum(found.map, 0),
            step="mid",
            facecolor=VERMILLION,
            hatch="////",
            edgecolor="white",
            label="against",
        )
        below.legend(fontsize=8)
    below.set_title("map", fontsize=10)
    below.set_xlabel("position")
    below.set_ylabel("how much it counts", fontsize=9)
    below.set_xlim(-0.5, len(rows) - 0.5)
    figure.suptitle(_heading(found), x=0.01, ha="left", fontsize=10)
    return figure


def _volume(found: Attribution) -> Figure:
    shown = _lightness(_shown(found.picture)[0])
    limits = _limits(found)
    figure = new_figure(9.0, 6.2)
    axes = figure.subplots(2, 3)
    for column, (axis, name) in enumerate(zip(range(3), ("slice", "row", "column"), strict=True)):
        place = found.strongest[axis]
        picture, values = np.take(shown, place, axis), np.take(found.map, place, axis)
        axes[0, column].imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        _overlay(axes[1, column], picture, values, limits)
        _plain(axes[0, column], f"{name} {place}")
        _plain(axes[1, column], f"{name} {place}, map over it")
    if not found.alternatives:
        _scale_beside(figure, axes[1, -1].images[-1], axes[1, :], found)
    figure.suptitle(f"{_heading(found)}\nthree cuts through the strongest place", x=0.01, ha="left", fontsize=10)
    return figure


def sanity_figure(check: SanityCheck) -> Figure:
    """Return the maps of a sanity check in rows, each with its own range, and the correlation above it."""
    steps = [("as learned", check.map, None), *zip(check.layers, check.maps, check.correlations, strict=True)]
    columns = min(len(steps), _MOST_COLUMNS)
    rows = -(-len(steps) // columns)
    with style():
        figure = new_figure(max(1.55 * columns + 0.2, 4.4), 2.0 * rows + 0.7)
        for number, (name, values, correlation) in enumerate(steps):
            axes = figure.add_subplot(rows, columns, number + 1)
            largest = float(np.abs(values).max()) or 1.0
            least = -largest if check.signed else 0.0
            axes.imshow(values, cmap=SCALE, vmin=least, vmax=largest, interpolation="nearest")
            short = name if len(name) <= 18 else f"{name[:17]}…"
            _plain(axes, short if correlation is None else f"{short}\nρ = {correlation:+.2f}".replace("-", "−"))
            axes.title.set_fontsize(8.5)
        order = {"cascading": "one layer after the other, from the last", "independent": "one layer at a time"}
        drawn = order.get(check.randomize, "all layers at once")
        figure.suptitle(f"{check.method}, {check.label!r}: weights drawn anew, {drawn}", x=0.01, ha="left", fontsize=10)
        return figure
