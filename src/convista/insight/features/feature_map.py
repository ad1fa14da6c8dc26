"""Feature maps: what every layer makes of one picture, channel by channel, and which channels stay silent."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista import arguments
from convista.errors import ArgumentError, suggest
from convista.insight.drawing import VERMILLION, encoded, save, style
from convista.insight.features.canvas import Canvas, as_plane, as_shown
from convista.insight.features.examples import portions
from convista.insight.features.scales import Scale
from convista.insight.inspection import ending_at, inspected, place_of, program, spatial_layers, values
from convista.insight.tables import table
from convista.shapes import times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.models.model import Model

_WIDTH, _MARGIN, _BAR = 8.4, 0.2, 0.85
_COLUMNS = 8
_MOST_CHANNELS = 64
_MOST_CHANNELS_OF_MANY_LAYERS = 8
_MOST_LAYERS = 12
_NAMED = 8
_GAP, _STRIP_LABEL = 0.06, 0.7


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """What one layer makes of a picture.

    Args:
        layer: The layer's name.
        kind: Its class.
        values: float32 ``(H, W, C)``; ``(L, C)`` for sequences, ``(D, H, W, C)`` for volumes.
        dead: The channels that are 0 at every position of every example of the data; ``None`` where no data was given.
    """

    layer: str
    kind: str
    values: np.ndarray
    dead: tuple[int, ...] | None = None

    @property
    def channels(self) -> int:
        """How many there are."""
        return self.values.shape[-1]

    @property
    def minimum(self) -> np.ndarray:
        """The least value of each channel, ``(C,)``."""
        return self._flat.min(axis=0)

    @property
    def maximum(self) -> np.ndarray:
        """The greatest value of each channel, ``(C,)``."""
        return self._flat.max(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """The mean of each channel, ``(C,)``."""
        return self._flat.mean(axis=0, dtype=np.float64)

    @property
    def zeros(self) -> np.ndarray:
        """Which share of each channel's positions is exactly 0, ``(C,)``."""
        return (self._flat == 0).mean(axis=0)

    @property
    def silent(self) -> tuple[int, ...]:
        """The channels that are 0 at every position for this picture; for others they may speak."""
        return tuple(int(channel) for channel in np.flatnonzero((self._flat == 0).all(axis=0)))

    @property
    def _flat(self) -> np.ndarray:
        return self.values.reshape(-1, self.channels)

    def claims(self, examples: int | None = None) -> list[str]:
        """Return which channels say nothing, and for what that is claimed; empty where all speak.

        Args:
            examples: With how many examples ``dead`` was found.
        """
        said = []
        if self.silent:
            said.append(f"{len(self.silent)} of {self.channels} silent for this picture: {_numbers(self.silent)}")
        if self.dead:
            said.append(f"{len(self.dead)} dead for all {examples:,} examples: {_numbers(self.dead)}")
        elif self.dead is not None and self.silent:
            said.append(f"none dead for all {examples:,} examples")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, without the maps themselves."""
        rows, names = (
            zip(self.minimum, self.maximum, self.mean, self.zeros, strict=True),
            ("minimum", "maximum", "mean", "zeros"),
        )
        return {
            "layer": self.layer,
            "kind": self.kind,
            "shape": list(self.values.shape),
            "silent_for_this_picture": list(self.silent),
            "dead_for_the_data": None if self.dead is None else list(self.dead),
            "channels": [
                {"channel": channel, **dict(zip(names, map(float, numbers), strict=True))}
                for channel, numbers in enumerate(rows)
            ],
        }


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The maps of one picture: prints as a table, shows in a notebook, saves as a contact sheet.

    Args:
        model: The model's name.
        picture: As it came.
        layers: One for each layer, in the order in which they run.
        examples: With how many examples of the data dead channels were looked for; ``None`` without data.
    """

    model: str
    picture: np.ndarray
    layers: tuple[LayerMaps, ...]
    examples: int | None = None

    def __getitem__(self, layer: str) -> LayerMaps:
        for maps in self.layers:
            if maps.layer == layer:
                return maps
        raise ArgumentError(
            "maps are found by the layer's name",
            where="feature_maps",
            received=f"{layer!r}",
            fix=suggest(str(layer), [maps.layer for maps in self.layers]),
        )

    def __iter__(self):
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __str__(self) -> str:
        if len(self.layers) == 1:
            return self._channels(self.layers[0])
        rows = [
            [
                maps.layer,
                maps.kind,
                times(maps.values.shape),
                *(f"{number:.4g}" for number in _range(maps)),
                f"{maps.zeros.mean():.0%}",
            ]
            for maps in self.layers
        ]
        body = table(["layer", "kind", "maps", "least", "most", "mean", "zeros"], rows, left=2)
        claims = [f"{maps.layer}: {claim}." for maps in self.layers for claim in maps.claims(self.examples)]
        return "\n\n".join([f"Feature maps of {self.model!r}", body, *(["\n".join(claims)] if claims else [])])

    def _channels(self, maps: LayerMaps) -> str:
        rows = [
            [str(channel), *(f"{number:.4g}" for number in numbers), f"{share:.0%}", _verdict(maps, channel)]
            for channel, (*numbers, share) in enumerate(
                zip(maps.minimum, maps.maximum, maps.mean, maps.zeros, strict=True)
            )
        ]
        title = f"{maps.kind} {maps.layer!r} of {self.model!r}: {maps.channels} maps of {times(maps.values.shape[:-1])}"
        body = table(["channel", "least", "most", "mean", "zeros", ""], rows)
        claims = [f"{claim[:1].upper()}{claim[1:]}." for claim in maps.claims(self.examples)]
        return "\n\n".join([title, body, *(["\n".join(claims)] if claims else [])])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON: the numbers of every channel, without the maps themselves."""
        layers = [maps.to_dict() for maps in self.layers]
        return {"model": self.model, "examples_of_data": self.examples, "layers": layers}

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self._encoded()).decode()
        return (
            f'<img alt="feature maps" src="data:image/png;base64,{picture}">'
            f"<details><summary>numbers</summary><pre>{html.escape(str(self))}</pre></details>"
        )

    def _encoded(self) -> bytes:
        with style():
            return encoded(self._drawn("own", None))

    def figure(self, scale: str = "own", channels: Sequence[int] | None = None) -> Figure:
        """Draw the maps on a contact sheet.

        Args:
            scale: ``"own"`` gives each map its own scale, so that faint maps are seen too; ``"shared"`` gives all maps
                of a layer the same one, so that they can be compared.
            channels: Which channels; ``None`` draws the first: 64 of a single layer, 8 of each of several.

        Raises:
            ArgumentError: Another scale, or channels that do not exist.
        """
        with style():
            return self._drawn(scale, channels)

    def save(self, path: str | os.PathLike[str], scale: str = "own", channels: Sequence[int] | None = None) -> Path:
        """Write the contact sheet as a PNG file; see :meth:`figure`."""
        with style():
            return save(self._drawn(scale, channels), path)

    def _drawn(self, scale: str, channels: Sequence[int] | None) -> Figure:
        arguments.one_of(scale, ("own", "shared"), "scale", where="feature_maps")
        drawn = _spread(self.layers, _MOST_LAYERS)
        most = _MOST_CHANNELS if len(self.layers) == 1 else _MOST_CHANNELS_OF_MANY_LAYERS
        panels = [_Panel(maps, _chosen(maps, channels, most), scale, self.examples) for maps in drawn]
        bounded = "" if len(drawn) == len(self.layers) else f", {len(drawn)} of {len(self.layers)} layers"
        width, height = _size(self.picture)
        top = 0.72 + height + 0.22
        canvas = Canvas(_WIDTH, top + sum(panel.height for panel in panels))
        canvas.heading(f"Feature maps of {_short(self.model)}{bounded}", _SCALES[scale])
        flat = self.picture.ndim == 2
        left = _MARGIN + (_STRIP_LABEL if flat else 0.0)
        canvas.picture((left, 0.72), (width, height), as_pixels(self.picture))
        said = "input" if flat else f"the input, {times(self.picture.shape)}"
        canvas.text(_MARGIN if flat else left + width + 0.12, 0.72, said, fontsize=8.0 if flat else 9.0)
        for panel in panels:
            panel.draw(canvas, top)
            top += panel.height
        return canvas.figure


_SCALES = {
    "own": "Each map has its own scale, from 0 (dark) to its greatest value; in layers with negative values 0 is grey.",
    "shared": "All maps of a layer share the scale beside them.",
}


@dataclass(frozen=True)
class _Panel:
    """The maps of one layer on the sheet."""

    maps: LayerMaps
    channels: tuple[int, ...]
    scale: str
    examples: int | None

    @property
    def _in_rows(self) -> bool:
        """Whether each map is a strip with its number at the left: those of sequences."""
        return self.maps.values.ndim == 2

    @property
    def _planes(self) -> list[np.ndarray]:
        return [as_plane(self.maps.values[..., channel]) for channel in self.channels]

    @property
    def _tile(self) -> tuple[float, float]:
        """Width and height of one map in inches."""
        room = _WIDTH - 2 * _MARGIN - (_BAR if self.scale == "shared" else 0.0)
        if self._in_rows:
            return room - _STRIP_LABEL, 0.16
        across = room / _COLUMNS - _GAP
        height, width = self._planes[0].shape
        return across, across * float(np.clip(height / width, 0.25, 3.0))

    @property
    def _row(self) -> float:
        return 0.2 if self._in_rows else self._tile[1] + 0.24

    @property
    def _rows(self) -> int:
        return len(self.channels) if self._in_rows else -(-len(self.channels) // _COLUMNS)

    @property
    def _claims(self) -> list[str]:
        return self.maps.claims(self.examples)

    @property
    def height(self) -> float:
        """In inches, with the title."""
        return 0.24 + 0.17 * len(self._claims) + self._row * self._rows + 0.2

    def draw(self, canvas: Canvas, top: float) -> None:
        """Draw the maps with their numbers."""
        canvas.text(_MARGIN, top, self._title(), fontsize=10, fontweight="bold")
        for number, claim in enumerate(self._claims):
            canvas.text(_MARGIN, top + 0.2 + 0.17 * number, claim, fontsize=8.5, color=VERMILLION)
        first = top + 0.24 + 0.17 * len(self._claims)
        shared = Scale.of(self.maps.values)
        for number, (channel, plane) in enumerate(zip(self.channels, self._planes, strict=True)):
            own = Scale.of(plane, shared.around_zero)
            colours = (shared if self.scale == "shared" else own).coloured(plane)
            self._draw_map(canvas, first, number, channel, colours)
        if self.scale == "shared":
            tall = self._row * self._rows - (0.1 if self._in_rows else 0.24)
            canvas.scale(
                (_WIDTH - _MARGIN - _BAR + 0.2, first + (0.0 if self._in_rows else 0.2)), min(tall, 1.6), shared
            )

    def _title(self) -> str:
        maps, (least, most, _) = self.maps, _range(self.maps)
        count = "" if len(self.channels) == maps.channels else f", {len(self.channels)} of {maps.channels} channels"
        middle = ", middle slices" if maps.values.ndim == 4 else ""
        numbers = f"values {least:.3g} to {most:.3g}".replace("-", "−")
        return f"{maps.kind} {_short(maps.layer)}: {times(maps.values.shape)}{count}{middle}, {numbers}"

    def _draw_map(self, canvas: Canvas, top: float, number: int, channel: int, colours: np.ndarray) -> None:
        width, height = self._tile
        silent = channel in self.maps.silent
        said = f"{channel} {_verdict(self.maps, channel).split(' ')[0]}"
        colour = VERMILLION if silent else "black"
        row, column = (number, 0) if self._in_rows else divmod(number, _COLUMNS)
        x, y = _MARGIN + column * (width + _GAP), top + row * self._row
        if self._in_rows:
            canvas.text(x, y + height / 2, said, fontsize=8.0, va="center", color=colour)
            x += _STRIP_LABEL
        else:
            canvas.text(x, y + 0.17, said, fontsize=8.0, va="bottom", color=colour)
            y += 0.19
        canvas.picture((x, y), (width, height), colours, *((VERMILLION, 1.2) if silent else ()))


def _verdict(maps: LayerMaps, channel: int) -> str:
    if maps.dead and channel in maps.dead:
        return "dead for all examples"
    return "silent for this picture" if channel in maps.silent else ""


def feature_maps(
    model: Model, picture: Any, layer: str | None = None, data: Any = None, batch_size: int = 64
) -> FeatureMaps:
    """Return the feature maps of one picture.

    Args:
        model: The model.
        picture: A file, or an array with or without batch and channel axis, as for ``predict``.
        layer: The name of a layer whose output has positions and channels; ``None`` takes all of them.
        data: Examples, as for ``fit`` but without labels, to tell channels that are silent for this picture from
            those that are for all of them; ``None`` claims nothing beyond this picture.
        batch_size: Examples of ``data`` at a time.

    Returns:
        The maps with the range, mean and share of zeros of each channel, and the dead channels by number.

    Raises:
        ArgumentError: There is no such layer, or it has no positions.
        ShapeError: The picture does not fit the model.
        DataError: The file cannot be read.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Input((8, 8, 1)), Conv2D(4, 3, activation="relu", name="edges")], seed=0)
        >>> feature_maps(model, np.ones((8, 8, 1), np.float32))["edges"].values.shape
        (6, 6, 4)

    Source: M. Zeiler, R. Fergus, «Visualizing and understanding convolutional networks», 2014; lecture 000.
    """
    names = spatial_layers(model)
    _check_spatial(names, model)
    seen = inspected(model, picture, "feature_maps")
    if layer is not None:
        place_of(model, layer, "feature_maps", among=names)
    wanted = names if layer is None else [layer]
    places = tuple(place_of(model, name, "feature_maps") for name in dict.fromkeys(wanted))
    nodes = model.graph.nodes
    found = values(model, seen.x, places)
    dead, examples = ([None] * len(places), None) if data is None else _dead(model, data, places, batch_size)
    layers = tuple(
        LayerMaps(nodes[place].name, type(nodes[place].layer).__name__, value[0], never)
        for place, value, never in zip(places, found, dead, strict=True)
    )
    return FeatureMaps(model.name, seen.picture, layers, examples)


def _dead(model: Model, data: Any, places: tuple[int, ...], batch_size: int) -> tuple[list[Any], int]:
    """Return for each place the channels that are 0 for every example, and how many examples there were."""
    import jax.numpy as jnp

    graph, policy = ending_at(model.graph, places, model.policy), model.policy

    def speaks(params: Any, state: Any, x: Any) -> Any:
        found = graph.apply(params, state, x, policy=policy)[0]
        found = found if isinstance(found, tuple) else (found,)
        return [jnp.any(value != 0, axis=tuple(range(value.ndim - 1))) for value in found]

    run = program(model, ("speaks", places), speaks)
    heard: list[np.ndarray] = []
    count = 0
    for portion in portions(model, data, batch_size, "feature_maps"):
        now = [np.asarray(channels) for channels in run(model.params, model.state, portion.x)]
        heard = [before | channels for before, channels in zip(heard, now, strict=True)] if heard else now
        count += len(portion.examples)
    return [tuple(int(channel) for channel in np.flatnonzero(~channels)) for channels in heard], count


def _check_spatial(names: Sequence[str], model: Model) -> None:
    if not names:
        raise ArgumentError(
            "feature maps have positions and channels",
            where="feature_maps",
            received=f"{model.name!r}, a model whose layers have none",
            fix="Ask a network with convolutions, or look at the values with Model(inputs, tensor).predict(x)",
        )


def _chosen(maps: LayerMaps, channels: Sequence[int] | None, most: int) -> tuple[int, ...]:
    if channels is None:
        return tuple(range(min(maps.channels, most)))
    wrong = [channel for channel in channels if not 0 <= channel < maps.channels]
    if wrong or not len(channels):
        raise ArgumentError(
            f"{maps.layer!r} has the channels 0 to {maps.channels - 1}",
            where="feature_maps",
            received=f"channels={list(channels)}",
            fix=f"For example channels=range({min(8, maps.channels)})",
        )
    return tuple(channels)


def _spread(layers: tuple[LayerMaps, ...], most: int) -> tuple[LayerMaps, ...]:
    """Return at most so many layers, evenly over the depth, the first and the last among them."""
    if len(layers) <= most:
        return layers
    return tuple(layers[round(number * (len(layers) - 1) / (most - 1))] for number in range(most))


def as_pixels(example: np.ndarray) -> np.ndarray:
    """Return any input as RGB pixels: a sequence with one row a channel, a volume by its middle slice."""
    if example.ndim == 4:
        return as_shown(example[len(example) // 2])
    if example.ndim == 3:
        return as_shown(example)
    plane = example.T if example.ndim == 2 else example[None]
    return Scale.of(np.asarray(plane)).coloured(np.asarray(plane))


def _size(example: np.ndarray) -> tuple[float, float]:
    """Return width and height in inches of an input on the sheet."""
    if example.ndim == 2:
        return _WIDTH - 2 * _MARGIN - _STRIP_LABEL, float(np.clip(0.12 * example.shape[1], 0.16, 1.2))
    height, width = as_pixels(example).shape[:2]
    side = 1.15 / max(height, width)
    return max(width * side, 0.2), max(height * side, 0.2)


def _range(maps: LayerMaps) -> tuple[float, float, float]:
    return float(maps.values.min()), float(maps.values.max()), float(maps.values.mean(dtype=np.float64))


def _numbers(channels: Sequence[int]) -> str:
    shown = ", ".join(str(channel) for channel in channels[:_NAMED])
    return shown if len(channels) <= _NAMED else f"{shown} and {len(channels) - _NAMED} more"


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:39]}…")
