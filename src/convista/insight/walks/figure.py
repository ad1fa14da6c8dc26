"""The walk of a cell as a picture: the input with the patch framed, patch, kernel, products and the sums."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.insight.drawing import BLUE, GREY, VERMILLION, check_picture, new_figure, save, style
from convista.insight.walks.formulas import shown
from convista.insight.walks.patches import Patch
from convista.insight.walks.tables import MOST_CHANNELS, WIDEST, flat, outside_note, result_lines
from convista.shapes import times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from convista.insight.walks.tracing import Trace

# All in inches.
_SIDE, _GAP, _TOP, _LINE = 2.1, 0.42, 0.75, 0.24
_ROW = _SIDE + 0.75
_WIDE = 4 * _SIDE + 3 * _GAP + 0.9
_LONGEST_LINE = 104
_MOST_BARS = 12


def draw(trace: Trace, path: str | os.PathLike[str]) -> Path:
    """Draw a walk.

    Args:
        trace: The walk.
        path: The PNG file to write.

    Returns:
        The path.

    Raises:
        ArgumentError: The name does not end in .png, or the folder does not exist.
    """
    check_picture(path)
    with style():
        return save(figure_of(trace), path)


def figure_of(trace: Trace) -> Figure:
    """Return the figure of a walk; the caller chooses the style."""
    patch = trace.patches[0] if trace.patches else None  # of a separable convolution, the one that lies on the input
    columns = [] if patch is None else patch.strongest(MOST_CHANNELS)
    rows = max(1, len(columns)) if patch is None or patch.window else 1
    beside = patch is None or patch.kernel is None  # nothing but the input, and perhaps the patch: room at the right
    taken = 1 if patch is None else 2
    lines = _lines(trace, _LONGEST_LINE * (4 - taken) // 4 if beside else _LONGEST_LINE)
    height = _TOP + rows * _ROW + (0.1 if beside else len(lines) * _LINE + 0.25)
    figure = new_figure(_WIDE, height, layout=None)
    figure.text(0.3 / _WIDE, 1 - 0.18 / height, trace.title, va="top", fontsize=13, fontweight="bold")
    figure.text(0.3 / _WIDE, 1 - 0.5 / height, textwrap.shorten(trace.rule, 120), va="top", fontsize=10, color=GREY)
    if patch is None:
        _draw_input(_axes(figure, 0, 0), trace, None, trace.cell[-1])
    elif not patch.window:
        _draw_bars(figure, patch)
    else:
        for row, column in enumerate(columns):
            _draw_row(figure, trace, patch, row, column)
    left = 0.45 + taken * (_SIDE + _GAP) if beside else 0.3
    top = height - _TOP - _ROW + 0.45 + _SIDE if beside else 0.2 + _LINE * len(lines)
    for number, line in enumerate(lines):
        figure.text(left / _WIDE, (top - _LINE * number) / height, line, va="top", fontsize=10)
    return figure


def _lines(trace: Trace, longest: int) -> list[str]:
    lines = [part for line in result_lines(trace) for part in textwrap.wrap(line, longest)]
    around = _is_map(trace) and any(map(any, trace.pads[-2:]))
    outside = around or any(not patch.inside.all() for patch in trace.patches)
    return [*lines, f"hatched: {outside_note(trace)}"] if outside else lines


def _axes(figure: Figure, row: int, column: int, wide: float = _SIDE) -> Axes:
    width, height = figure.get_size_inches()
    left = 0.45 + column * (_SIDE + _GAP)
    bottom = height - _TOP - (row + 1) * _ROW + 0.45
    return figure.add_axes((left / width, bottom / height, wide / width, _SIDE / height))


def _draw_row(figure: Figure, trace: Trace, patch: Patch, row: int, column: int) -> None:
    channel = int(patch.channels[column])
    depth = _depth(patch, column)
    _draw_input(_axes(figure, row, 0), trace, patch, channel, depth)
    part = f", slice {depth}" if len(patch.window) == 3 else ""
    several = len(patch.channels) > 1 and patch.kernel is not None
    inside = flat(patch.inside[..., None], 0, depth)
    values = flat(patch.values, column, depth)
    axes = _axes(figure, row, 1)
    limits = _limits(_shown_input(trace, patch, channel, depth)) if _is_map(trace) else None
    _draw_numbers(axes, f"patch, channel {channel}{part}", values, ~inside, signed=False, limits=limits)
    if trace.winner is not None:
        hit = (patch.places == trace.winner[:-1]).all(-1) & patch.inside
        for spot in np.argwhere(flat(hit[..., None], 0, depth)):
            _frame(axes, spot[1] - 0.5, spot[0] - 0.5, 1, 1)
    if patch.kernel is None:
        return
    _draw_numbers(_axes(figure, row, 2), "× kernel", flat(patch.kernel, column, depth), None, signed=True)
    total = shown(float(patch.sums[column]))
    title = f"= products, sum {total}" if several or not part else f"= products, all {total}"
    _draw_numbers(_axes(figure, row, 3), title, flat(patch.products, column, depth), ~inside, signed=True)


def _depth(patch: Patch, column: int) -> int:
    """The slice of a volume's window that counts most."""
    if len(patch.window) < 3:
        return 0
    return int(np.abs(patch.products[..., column]).sum((1, 2)).argmax())


def _limits(values: np.ndarray, *, signed: bool = False) -> tuple[float, float]:
    limit = float(np.abs(values).max()) or 1.0
    return (-limit if signed or values.min() < 0 else 0.0), limit


def _draw_numbers(
    axes: Axes,
    title: str,
    values: np.ndarray,
    outside: np.ndarray | None,
    *,
    signed: bool,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw numbers in their cells, in the colours of ``limits``, or of the values themselves."""
    from matplotlib.patches import Rectangle

    low, limit = _limits(values, signed=signed) if limits is None else limits
    image = axes.imshow(values, cmap=_colours(low < 0), vmin=low, vmax=limit, interpolation="nearest")
    rows, columns = values.shape
    if max(rows, columns) <= WIDEST:
        texts = [[shown(_short(value)) for value in line] for line in values]
        longest = max(len(text) for line in texts for text in line)
        size = min(9.5, 1.45 * 72 * _SIDE / max(rows, columns) / longest)  # a digit is about 0.64 of the size wide
        for row, column in np.ndindex(rows, columns):
            if outside is None or not outside[row, column]:
                colour = "white" if _is_dark(image.cmap(image.norm(values[row, column]))) else "black"
                text = texts[row][column]
                axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    for row, column in np.argwhere(outside) if outside is not None else ():
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="#EEEEEE", edgecolor="#8C8C8C", hatch="////", linewidth=0))
    axes.set_title(title, fontsize=10, loc="left")
    _bare(axes)
    for line in range(1, max(rows, columns)):
        if line < columns:
            axes.axvline(line - 0.5, color="white", linewidth=0.8)
        if line < rows:
            axes.axhline(line - 0.5, color="white", linewidth=0.8)


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _is_dark(colour: Any) -> bool:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.5


def _colours(signed: bool) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    if not signed:
        return "gray"
    return LinearSegmentedColormap.from_list("signed", [VERMILLION, "white", BLUE])


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#BFBFBF")


def _frame(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    # White under the colour: seen on black and on white, and in grey print.
    for colour, line in (("white", 4.5), (VERMILLION, 2.2)):
        axes.add_patch(
            Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=line, clip_on=False)
        )


def _draw_input(axes: Axes, trace: Trace, patch: Patch | None, channel: int, depth: int = 0) -> None:
    x = trace.taken[0]
    title = f"{trace.sources[0]}, {times(x.shape)}"
    axes.set_title(title if len(title) <= 26 else f"{title[:25]}…", fontsize=10, loc="left")
    rank = x.ndim - 1
    if rank not in (1, 2, 3):
        _draw_values(axes, x.ravel(), trace.winner)
        return
    channel = min(channel, x.shape[-1] - 1)
    places = patch.places[patch.inside] if patch is not None else np.empty((0, rank), np.int64)
    spots = [trace.winner[:-1]] if trace.winner is not None and patch is None else []
    if patch is None and trace.winner is None and x.shape == trace.shape:
        spots = [trace.cell[:-1]]
    if rank == 1:
        _draw_sequence(axes, x[:, channel], np.concatenate([places.ravel(), np.ravel(spots)]))
        return
    if rank == 3 and patch is not None:
        axes.set_title(f"{times(x.shape)}, depth {_slice_at(trace, patch, depth)}", fontsize=10, loc="left")
    picture = _shown_input(trace, patch, channel, depth)
    low = float(picture.min())
    least, most = _limits(picture)
    axes.imshow(picture, cmap=_colours(least < 0), vmin=least, vmax=most, interpolation="nearest")
    _bare(axes)
    axes.set_xlabel(
        f"channel {channel}, from {shown(_short(low))} to {shown(_short(float(picture.max())))}", fontsize=9
    )
    if patch is not None:
        _frame_patch(axes, patch, depth, picture.shape, trace.pads[-2:])
    for spot in spots:
        _frame(axes, spot[-1] - 0.5, spot[-2] - 0.5, 1, 1)


def _is_map(trace: Trace) -> bool:
    return trace.taken[0].ndim in (3, 4)


def _slice_at(trace: Trace, patch: Patch | None, depth: int) -> int:
    return 0 if patch is None else int(np.clip(patch.places[depth, 0, 0, 0], 0, trace.taken[0].shape[0] - 1))


def _shown_input(trace: Trace, patch: Patch | None, channel: int, depth: int) -> np.ndarray:
    """Return the channel of the input that is drawn; of a volume, the slice in which the patch lies."""
    x = trace.taken[0]
    picture = x[..., min(channel, x.shape[-1] - 1)]
    return picture if x.ndim == 3 else picture[_slice_at(trace, patch, depth)]


def _frame_patch(
    axes: Axes, patch: Patch, depth: int, sizes: tuple[int, ...], pads: tuple[tuple[int, int], ...]
) -> None:
    """Frame the patch, with the margin that padding lays around the map, and each cell where there are gaps."""
    from matplotlib.patches import Rectangle

    places = (patch.places[depth] if patch.places.ndim == 4 else patch.places)[..., -2:]
    flat_places = places.reshape(-1, 2)
    first, last = flat_places.min(0), flat_places.max(0)
    before, after = np.transpose(pads) if pads else (0, 0)
    low, high = np.minimum(first, -np.asarray(before)), np.maximum(last, np.array(sizes) - 1 + after)
    if (low < 0).any() or (high >= sizes).any():
        corner, width, height = (low[1] - 0.5, low[0] - 0.5), high[1] - low[1] + 1, high[0] - low[0] + 1
        margin = Rectangle(corner, width, height, facecolor="#EEEEEE", edgecolor="#8C8C8C", hatch="////", linewidth=0)
        axes.add_patch(margin).set_zorder(-1)
        axes.set_xlim(low[1] - 0.5, high[1] + 0.5)
        axes.set_ylim(high[0] + 0.5, low[0] - 0.5)
    steps = len(np.unique(flat_places[:, 0])) * len(np.unique(flat_places[:, 1]))
    if steps < np.prod(last - first + 1):  # dilation leaves gaps
        for place in flat_places:
            axes.add_patch(
                Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, facecolor=VERMILLION, alpha=0.45, linewidth=0)
            )
    _frame(axes, first[1] - 0.5, first[0] - 0.5, last[1] - first[1] + 1, last[0] - first[0] + 1)


def _draw_sequence(axes: Axes, values: np.ndarray, spots: np.ndarray) -> None:
    axes.plot(values, color=GREY, linewidth=1.2)
    axes.plot(spots, values[spots.astype(int)], "o", color=VERMILLION, markersize=5)
    axes.set_xlabel("position", fontsize=9)
    axes.tick_params(labelsize=8)


def _draw_values(axes: Axes, values: np.ndarray, winner: tuple[int, ...] | None) -> None:
    axes.bar(np.arange(len(values)), values, color=GREY, width=1.0)
    if winner is not None:
        axes.bar(winner[-1], values[winner[-1]], color=VERMILLION)
    axes.set_xlabel("channel", fontsize=9)
    axes.tick_params(labelsize=8)


def _draw_bars(figure: Figure, patch: Patch) -> None:
    """The largest contributions of a Dense layer, as bars around 0."""
    indices = patch.largest(_MOST_BARS)
    values = [float(patch.products[index]) for index in indices]
    labels = [f"{', '.join(map(str, patch.place(index)[0 if patch.flattened else -1 :]))}" for index in indices]
    rest = patch.products.size - len(indices)
    if rest:
        values.append(patch.total - sum(values))
        labels.append(f"{rest:,} others")
    axes = _axes(figure, 0, 1, wide=3 * _SIDE + 2 * _GAP)
    colours = [BLUE if value >= 0 else VERMILLION for value in values]
    axes.barh(range(len(values)), values, color=colours)
    axes.set_yticks(range(len(values)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_title("the largest contributions, input · weight", fontsize=10, loc="left")
    axes.tick_params(axis="x", labelsize=8)
    noun = f"cell of the {times(patch.flattened)} map" if patch.flattened else "input"
    axes.set_ylabel(noun, fontsize=9)
