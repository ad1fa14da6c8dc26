"""The kernels that a layer has learned, as numbers and as pictures."""

from __future__ import annotations

import base64
import html
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista import arguments
from convista.errors import ArgumentError
from convista.insight.drawing import GREY, encoded, save, style
from convista.insight.features.canvas import Canvas, as_plane
from convista.insight.features.scales import Scale
from convista.insight.inspection import place_of
from convista.insight.tables import table
from convista.shapes import times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.models.model import Model

_WIDTH, _MARGIN, _BAR = 8.4, 0.2, 0.9
_MOST_FILTERS, _MOST_ROWS, _MOST_INPUTS = 96, 16, 16
_RGB = 3
_KERNELS = ("kernel", "depthwise_kernel")


@dataclass(frozen=True, eq=False)
class Filters:
    """The kernels of one layer: prints as a table, shows in a notebook, saves as a picture.

    Args:
        layer: The layer's name.
        kind: Its class.
        values: float32 ``(height, width, input channels, filters)``; ``(length, …)`` for sequences, ``(depth, height,
            width, …)`` for volumes. A depthwise layer has one input channel for each of its filters.
        sees_pixels: Whether its input channels are those of the picture, unchanged or rescaled.
    """

    layer: str
    kind: str
    values: np.ndarray
    sees_pixels: bool

    @property
    def count(self) -> int:
        """How many filters there are."""
        return self.values.shape[-1]

    @property
    def in_colour(self) -> bool:
        """Whether each filter is drawn as one picture in red, green and blue."""
        return self.sees_pixels and self.values.shape[-2] == _RGB

    def __str__(self) -> str:
        rows = [
            [str(number), *(f"{value:.4g}" for value in (one.min(), one.max(), one.mean(), np.linalg.norm(one)))]
            for number, one in enumerate(np.moveaxis(self.values, -1, 0))
        ]
        title = f"{self.kind} {self.layer!r}: {self.count} filters of {times(self.values.shape[:-1])}"
        return f"{title}\n\n{table(['filter', 'least', 'most', 'mean', 'norm'], rows)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, with every weight."""
        return {
            "layer": self.layer,
            "kind": self.kind,
            "shape": list(self.values.shape),
            "values": self.values.tolist(),
        }

    def _repr_html_(self) -> str:
        with style():
            picture = base64.b64encode(encoded(self._drawn("each"))).decode()
        return (
            f'<img alt="filters" src="data:image/png;base64,{picture}">'
            f"<details><summary>numbers</summary><pre>{html.escape(str(self))}</pre></details>"
        )

    def figure(self, inputs: str = "each") -> Figure:
        """Draw the filters.

        All are drawn with one scale that is as far above 0 as below: three channels of a picture as red, green and blue
        around mid-grey, one channel from blue (negative) over grey (0) to orange (positive). Those of a deeper layer
        are a table with a row for each filter and a column for each input channel.

        Args:
            inputs: For deeper layers: ``"each"`` input channel, at most 16 of them, or their ``"mean"``.

        Raises:
            ArgumentError: Another word.
        """
        with style():
            return self._drawn(inputs)

    def save(self, path: str | os.PathLike[str], inputs: str = "each") -> Path:
        """Write the picture as a PNG file; see :meth:`figure`."""
        with style():
            return save(self._drawn(inputs), path)

    def _drawn(self, inputs: str) -> Figure:
        arguments.one_of(inputs, ("each", "mean"), "inputs", where="filters")
        if self.in_colour or self.values.shape[-2] == 1 or inputs == "mean":
            return self._in_a_grid(inputs)
        return self._in_a_table()

    def _in_a_grid(self, inputs: str) -> Figure:
        values = self.values[..., :_MOST_FILTERS]
        if not self.in_colour and self.values.shape[-2] > 1:
            values = values.mean(axis=-2, keepdims=True)
        shown = values.shape[-1]
        scale = Scale.of(values, around_zero=True)
        columns = 8 if shown <= 32 else 12
        tile = (_WIDTH - 2 * _MARGIN - _BAR) / columns - 0.08
        planes = [_plane(values[..., number]) for number in range(shown)]
        height = tile * float(np.clip(planes[0].shape[0] / planes[0].shape[1], 0.3, 3.0))
        canvas = Canvas(_WIDTH, 0.75 + (height + 0.24) * -(-shown // columns) + 0.1)
        canvas.heading(self._title(shown), self._note(inputs, scale))
        for number, plane in enumerate(planes):
            row, column = divmod(number, columns)
            x, y = _MARGIN + column * (tile + 0.08), 0.72 + row * (height + 0.24)
            canvas.text(x, y + 0.15, str(number), fontsize=8.0, va="bottom")
            canvas.picture((x, y + 0.17), (tile, height), self._pixels(plane, scale))
        if not self.in_colour:
            canvas.scale((_WIDTH - _MARGIN - _BAR + 0.2, 0.92), max(min(canvas.height - 1.2, 1.6), 0.5), scale)
        return canvas.figure

    def _pixels(self, plane: np.ndarray, scale: Scale) -> np.ndarray:
        if self.in_colour:
            return np.clip(0.5 + plane / (2 * max(scale.high, 1e-12)), 0, 1)
        return scale.coloured(plane[..., 0])

    def _in_a_table(self) -> Figure:
        rows, columns = min(self.count, _MOST_ROWS), min(self.values.shape[-2], _MOST_INPUTS)
        values = self.values[..., :columns, :rows]
        scale = Scale.of(values, around_zero=True)
        first = _plane(values[..., 0])
        tile = min((_WIDTH - 2 * _MARGIN - _BAR - 0.5) / columns - 0.05, 1.0)
        height = tile * float(np.clip(first.shape[0] / first.shape[1], 0.3, 3.0))
        canvas = Canvas(_WIDTH, 1.22 + (height + 0.05) * rows)
        canvas.heading(self._title(rows), self._note("each", scale))
        left, top = _MARGIN + 0.55, 1.05
        inputs = self.values.shape[-2]
        said = "input channel" if columns == inputs else f"input channel, the first {columns} of {inputs}"
        canvas.text(left, 0.66, said, fontsize=8.0, color=GREY)
        canvas.text(_MARGIN, 0.9, "filter", fontsize=8.0, color=GREY, va="center")
        for column in range(columns):
            x = left + column * (tile + 0.05)
            canvas.text(x + tile / 2, 0.9, str(column), fontsize=8.0, ha="center", va="center")
        for row in range(rows):
            plane, y = _plane(values[..., row]), top + row * (height + 0.05)
            canvas.text(left - 0.12, y + height / 2, str(row), fontsize=8.0, ha="right", va="center")
            for column in range(columns):
                place = (left + column * (tile + 0.05), y)
                canvas.picture(place, (tile, height), scale.coloured(plane[..., column]))
        canvas.scale((_WIDTH - _MARGIN - _BAR + 0.2, top), max(min(canvas.height - 1.4, 1.6), 0.4), scale)
        return canvas.figure

    def _title(self, shown: int) -> str:
        bounded = "" if shown == self.count else f", the first {shown}"
        slices = ", middle slices" if self.values.ndim == 5 else ""
        name = self.layer if len(self.layer) <= 30 else f"{self.layer[:29]}…"
        size = times(self.values.shape[:-1])
        return f"{self.kind} {name!r}: {self.count} filters of {size}{bounded}{slices}"

    def _note(self, inputs: str, scale: Scale) -> str:
        end = f"±{scale.high:.3g}"
        if self.in_colour:
            return f"Red, green and blue around mid-grey (0), one scale for all filters: {end}."
        mean = "Mean over the input channels. " if inputs == "mean" and self.values.shape[-2] > 1 else ""
        return f"{mean}One scale for all filters: grey is 0, blue negative, orange positive, {end}."


def filters(model: Model, layer: str | None = None) -> Filters:
    """Return the kernels that a layer has learned.

    Args:
        model: The model.
        layer: The name of a convolution, also depthwise, separable or transposed; ``None`` takes the first one.

    Returns:
        The kernels, to read and to draw.

    Raises:
        ArgumentError: There is no such layer, or it has no sliding kernel.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Input((8, 8, 3)), Conv2D(4, 5, name="first")], seed=0)
        >>> filters(model).values.shape, filters(model).in_colour
        ((5, 5, 3, 4), True)

    Source: A. Krizhevsky, I. Sutskever, G. Hinton, «ImageNet classification with deep convolutional neural networks»,
    2012, figure 3; lecture 000.
    """
    names = [node.name for node in model.graph.nodes if node.inputs and hasattr(node.layer, "kernel_size")]
    if not names:
        raise ArgumentError(
            "filters are the kernels of a convolution",
            where="filters",
            received=f"{model.name!r}, a model without any",
            fix="model.params has the weights of every layer by name",
        )
    name = names[0] if layer is None else layer
    place = place_of(model, name, "filters", among=names)
    node = model.graph.nodes[place]
    own = model.params[name]
    kernel = np.asarray(next(own[key] for key in _KERNELS if key in own), np.float32)
    if hasattr(node.layer, "transposed_window"):
        kernel = np.swapaxes(kernel, -1, -2)  # its kernel is stored the other way round
    elif hasattr(node.layer, "depth_multiplier"):
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    return Filters(name, type(node.layer).__name__, kernel, _sees_pixels(model, place))


def _sees_pixels(model: Model, place: int) -> bool:
    """Whether nothing but layers without a kernel, which keep the channels apart, lies before a layer."""
    nodes, shapes = model.graph.nodes, model.graph.shapes()
    source = nodes[place].inputs[0]
    while nodes[source].inputs:
        node = nodes[source]
        if node.layer.merges or hasattr(node.layer, "kernel_size") or shapes[source][-1] != shapes[node.inputs[0]][-1]:
            return False
        source = node.inputs[0]
    return True


def _plane(kernel: np.ndarray) -> np.ndarray:
    """Return one filter ``(…, channels)`` as rows and columns of channels; a volume by its middle slice."""
    return np.stack([as_plane(kernel[..., channel]) for channel in range(kernel.shape[-1])], axis=-1)
