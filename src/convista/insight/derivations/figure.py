"""Where a network's numbers are: its layers side by side, their outputs, parameters and products."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from convista.insight.derivations.arithmetic import spelled
from convista.insight.drawing import BLUE, GREY, VERMILLION, new_figure, style
from convista.shapes import count, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.insight.derivations.explanation import Explanation, LayerDerivation

_MOST_ROWS = 40
_LONGEST_NAME = 24
_PANELS = (
    ("numbers that come out", GREY),
    ("parameters", BLUE),
    ("multiply–accumulates", VERMILLION),
)


def draw(explanation: Explanation) -> Figure:
    """Return a figure with a row for each layer: how many numbers come out, its parameters, its products.

    Of more than 40 layers those are drawn that have the largest part in one of the three. A size that varies is left
    out.

    Args:
        explanation: What to draw.
    """
    rows = _chosen(explanation.layers)
    with style():
        figure = new_figure(10.0, 1.5 + 0.27 * max(len(rows), 3))
        axes = figure.subplots(1, 3, sharey=True)
        for panel, (axis, (title, color)) in enumerate(zip(axes, _PANELS, strict=True)):
            values = [_numbers(layer)[panel] for layer in rows]
            axis.barh(range(len(rows)), values, color=color, height=0.62)
            for place, value in enumerate(values):
                axis.annotate(
                    spelled(value) if value else "–", (value, place), (3, 0), textcoords="offset points", va="center"
                )
            whole = sum(_numbers(layer)[panel] for layer in explanation.layers)
            axis.set_title(f"{title}\n{spelled(whole)} in all", loc="left")
            # Room for the number behind the longest bar.
            axis.set_xlim(0, max([*values, 1]) * 1.5)
            axis.set_xticks([])
            axis.grid(False)
            axis.spines["bottom"].set_visible(False)
        axes[0].set_yticks(range(len(rows)), [_label(layer) for layer in rows])
        axes[0].set_ylim(len(rows) - 0.4, -0.6)
        left_out = len(explanation.layers) - len(rows)
        beside = f" ({left_out} smaller layers are left out)" if left_out else ""
        figure.suptitle(f"{explanation.title}, for one example{beside}")
    return figure


def _numbers(layer: LayerDerivation) -> tuple[int, int, int]:
    values = {line.name: int(line.value) for line in layer.lines if line.topic != "receptive_field"}
    come_out = 0 if None in layer.output_shape else count(layer.output_shape)
    return come_out, values.get("parameters", 0), values.get("multiply–accumulates", 0)


def _chosen(layers: tuple[LayerDerivation, ...]) -> list[LayerDerivation]:
    if len(layers) <= _MOST_ROWS:
        return list(layers)
    rows = [_numbers(layer) for layer in layers]
    whole = [max(sum(column), 1) for column in zip(*rows, strict=True)]
    parts = [max(map(operator.truediv, row, whole)) for row in rows]
    largest = sorted(range(len(layers)), key=lambda place: -parts[place])[:_MOST_ROWS]
    return [layers[place] for place in sorted(largest)]


def _label(layer: LayerDerivation) -> str:
    name = layer.name if len(layer.name) <= _LONGEST_NAME else f"{layer.name[: _LONGEST_NAME - 1]}…"
    return f"{name}  {times(layer.output_shape)}"
