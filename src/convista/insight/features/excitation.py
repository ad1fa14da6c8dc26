"""What excites a channel most: the pictures of a user's data, and in each the exact patch that the channel saw."""

from __future__ import annotations

import base64
import html
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, suggest
from convista.insight.drawing import GREY, VERMILLION, encoded, save, style
from convista.insight.features.canvas import Canvas, as_shown
from convista.insight.features.examples import portions
from convista.insight.features.patches import Patch, patch_of, shapes_for
from convista.insight.features.scales import Scale
from convista.insight.inspection import check_one_input, convolutions, ending_at, place_of, program
from convista.insight.tables import table
from convista.layers.activation import ELU, GELU, Activation, LeakyReLU, PReLU, ReLU, SiLU
from convista.layers.normalization import BatchNormalization
from convista.shapes import times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.models.graph import Graph
    from convista.models.model import Model

_WIDTH, _MARGIN = 8.4, 0.2
_CHANNELS_OF_A_DEPTH = 6
_CHANNELS_OF_ONE_LAYER = 8
_MOST_DRAWN = 9
_MOST_KEPT = 100
_MOST_ROWS = 12
_FOLLOWING = (BatchNormalization, Activation, ReLU, LeakyReLU, PReLU, ELU, GELU, SiLU)
_BEYOND = np.array([0.72, 0.86, 0.96])  # what lies in the padding: no grey, which pixels may be


@dataclass(frozen=True, eq=False)
class Excitation:
    """One picture that excites a channel.

    Args:
        example: Its number in the data, in the order in which it was read.
        activation: The channel's greatest value in this picture.
        cell: The position of that value in the map; ``()`` for a unit of a dense layer.
        patch: What that cell sees of the picture.
    """

    example: int
    activation: float
    cell: tuple[int, ...]
    patch: Patch

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        inside = [list(span) for span in self.patch.inside]
        return {"example": self.example, "activation": self.activation, "cell": list(self.cell), "patch": inside}


@dataclass(frozen=True, eq=False)
class ChannelExcitations:
    """What excites one channel most.

    Args:
        channel: Its number.
        found: The strongest, one for each picture, the strongest first; fewer where fewer pictures excite it at all.
        share: Which share of the examples excites it: those whose greatest value is above 0.
    """

    channel: int
    found: tuple[Excitation, ...]
    share: float

    @property
    def strongest(self) -> float:
        """The greatest value in all the data; 0 where nothing excites the channel."""
        return self.found[0].activation if self.found else 0.0


@dataclass(frozen=True, eq=False)
class LayerExcitations:
    """What excites the channels of one layer.

    Args:
        layer: The layer's name.
        kind: Its class.
        field: Sizes of what one of its cells sees, padding included; those of the whole input for dense layers.
        channels: One for each channel that was asked for.
    """

    layer: str
    kind: str
    field: tuple[int, ...]
    channels: tuple[ChannelExcitations, ...]

    def __getitem__(self, channel: int) -> ChannelExcitations:
        for one in self.channels:
            if one.channel == channel:
                return one
        raise ArgumentError(
            f"the channels of {self.layer!r} that were asked for are found by their numbers",
            where="excitations",
            received=f"{channel!r}",
            fix=f"For example [{self.channels[0].channel}]",
        )

    @property
    def liveliest(self) -> tuple[ChannelExcitations, ...]:
        """The channels, those with the strongest answers first."""
        return tuple(sorted(self.channels, key=lambda one: -one.strongest))


@dataclass(frozen=True, eq=False)
class Excitations:
    """What excites the channels of one or several layers most: data first, then a sheet of patches.

    Args:
        model: The model's name.
        layers: In the order in which they run.
        pictures: The pictures that are named, by their number in the data.
        examples: How many examples there were.
    """

    model: str
    layers: tuple[LayerExcitations, ...]
    pictures: dict[int, np.ndarray]
    examples: int

    def __getitem__(self, layer: str) -> LayerExcitations:
        for one in self.layers:
            if one.layer == layer:
                return one
        raise ArgumentError(
            "excitations are found by the layer's name",
            where="excitations",
            received=f"{layer!r}",
            fix=suggest(str(layer), [one.layer for one in self.layers]),
        )

    def patch(self, found: Excitation) -> np.ndarray:
        """Return the pixels that an excited cell saw."""
        return found.patch.cut(self.pictures[found.example])

    def __str__(self) -> str:
        parts = [f"What excites {self.model!r} most, of {self.examples:,} examples"]
        for layer in self.layers:
            rows = [
                [str(one.channel), f"{one.strongest:.4g}", f"{one.share:.0%}", _places(one)] for one in layer.channels
            ]
            title = f"{layer.kind} {layer.layer!r}, a cell sees {times(layer.field)}:"
            parts.append(f"{title}\n{table(['channel', 'strongest', 'excited by', 'example at cell'], rows)}")
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, without pixels."""
        layers = [
            {
                "layer": layer.layer,
                "kind": layer.kind,
                "field": list(layer.field),
                "channels": [
                    {"channel": one.channel, "share": one.share, "found": [item.to_dict() for item in one.found]}
                    for one in layer.channels
                ],
            }
            for layer in self.layers
        ]
        return {"model": self.model, "examples": self.examples, "layers": layers}

    def _repr_html_(self) -> str:
        with style():
            picture = base64.b64encode(encoded(self._drawn())).decode()
        return (
            f'<img alt="excitations" src="data:image/png;base64,{picture}">'
            f"<details><summary>numbers</summary><pre>{html.escape(str(self))}</pre></details>"
        )

    def figure(self) -> Figure:
        """Draw the patches: a row for each depth with its liveliest channels; of a single layer, a row each channel."""
        with style():
            return self._drawn()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure as a PNG file."""
        with style():
            return save(self._drawn(), path)

    def _drawn(self) -> Figure:
        return _drawn_layer(self, self.layers[0]) if len(self.layers) == 1 else _drawn_depths(self)


def excitations(
    model: Model,
    data: Any,
    layer: str | None = None,
    channel: int | Sequence[int] | None = None,
    n: int = 9,
    batch_size: int = 64,
) -> Excitations:
    """Return the examples of ``data`` that excite each channel most, with the exact patches that it saw.

    Of each example a channel's greatest value counts, so that ``n`` patches come from ``n`` pictures. The data is read
    once, a batch at a time; no more is kept than the pictures that are among the strongest so far.

    Args:
        model: The model.
        data: Inputs ``(N, …)``, a ``Split``, a ``Dataset`` (its training half), a folder's pictures, or an iterable of
            batches; labels are not looked at.
        layer: Its name, any layer; ``None`` takes every convolution, with the normalisation and the activation that
            follow it directly: one row for each depth.
        channel: One number or several; ``None`` takes all of them.
        n: How many examples of each channel.
        batch_size: Examples at a time.

    Raises:
        ArgumentError: There is no such layer or channel.
        ShapeError: The data does not fit the model.
        DataError: The data cannot be meant.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Input((6, 6, 1)), Conv2D(1, 2, kernel_initializer="ones", name="sum")])
        >>> pictures = np.zeros((3, 6, 6, 1), np.float32)
        >>> pictures[1, 2:4, 3:5] = 1
        >>> best = excitations(model, pictures, "sum", n=1)["sum"][0].found[0]
        >>> best.example, best.activation, best.cell, best.patch.inside
        (1, 4.0, (2, 3), ((2, 4), (3, 5)))

    Source: M. Zeiler, R. Fergus, «Visualizing and understanding convolutional networks», 2014; R. Girshick and others,
    «Rich feature hierarchies for accurate object detection and semantic segmentation», 2014, section 3.1.
    """
    check_one_input(model, "excitations")
    count = arguments.integer(n, "n", where="excitations")
    if count > _MOST_KEPT:
        raise ArgumentError(f"n is at most {_MOST_KEPT}", where="excitations", received=f"n={n}")
    places = _places_of_depths(model) if layer is None else (_place(model, layer),)
    chosen = [_channels(model, place, channel) for place in places]
    strongest = [_Strongest(channels, count) for channels in chosen]
    pictures: dict[int, np.ndarray] = {}
    run = program(model, ("strongest answers", places), _of_all_cells(model, places, _strongest))
    examples, first_shape = 0, tuple(model.input_shape[1:])
    for portion in portions(model, data, batch_size, "excitations"):
        first_shape = first_shape if examples else portion.examples.shape[1:]
        examples += len(portion.examples)
        for kept, peaks in zip(strongest, run(model.params, model.state, portion.x), strict=True):
            kept.take(np.asarray(peaks)[: len(portion.examples)], portion.first)
        named = {number for kept in strongest for number in kept.named}
        pictures = {number: picture for number, picture in pictures.items() if number in named}
        for number in sorted(number for number in named if number >= portion.first):
            pictures[number] = np.array(portion.examples[number - portion.first])
    cells = _cells(model, places, pictures, batch_size)
    shapes: dict[int, Shape] = {number: picture.shape for number, picture in pictures.items()}
    layers = tuple(
        _layer(model, place, kept, _Seen(model.graph, place, shapes, found), first_shape, examples)
        for place, kept, found in zip(places, strongest, cells, strict=True)
    )
    return Excitations(model.name, layers, pictures, examples)


def _of_all_cells(model: Model, places: tuple[int, ...], summary: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of a batch: ``summary`` of the values ``(N, cells, C)`` of each place."""
    graph, policy = ending_at(model.graph, places, model.policy), model.policy

    def run(params: Any, state: Any, x: Any) -> Any:
        found = graph.apply(params, state, x, policy=policy)[0]
        found = found if isinstance(found, tuple) else (found,)
        return [summary(value.reshape(value.shape[0], -1, value.shape[-1])) for value in found]

    return run


def _strongest(values: Any) -> Any:
    return values.max(axis=1)


def _where_strongest(values: Any) -> Any:
    import jax.numpy as jnp

    return jnp.argmax(values, axis=1)


def _cells(
    model: Model, places: tuple[int, ...], pictures: dict[int, np.ndarray], batch_size: int
) -> list[dict[int, np.ndarray]]:
    """Return for each place and each picture that was kept the number of each channel's strongest cell.

    Asked afterwards: XLA finds a maximum ten times as fast as the place of one.
    """
    found: list[dict[int, np.ndarray]] = [{} for _ in places]
    if not pictures:
        return found
    # Pictures of one size after the other: networks that take all sizes are given several.
    numbers = sorted(pictures, key=lambda number: (pictures[number].shape, number))
    run = program(model, ("strongest cells", places), _of_all_cells(model, places, _where_strongest))
    kept = (np.stack([pictures[number] for number in part]) for part in _parts(numbers, pictures, batch_size))
    for portion in portions(model, kept, batch_size, "excitations"):
        for cells, where in zip(found, run(model.params, model.state, portion.x), strict=True):
            rows = np.asarray(where)
            cells.update((numbers[portion.first + row], rows[row]) for row in range(len(portion.examples)))
    return found


def _parts(numbers: list[int], pictures: dict[int, np.ndarray], size: int) -> Iterator[list[int]]:
    for _, group in itertools.groupby(numbers, lambda number: pictures[number].shape):
        alike = list(group)
        for first in range(0, len(alike), size):
            yield alike[first : first + size]


class _Strongest:
    """The strongest answers of each channel so far."""

    def __init__(self, channels: tuple[int, ...], count: int):
        self.channels, self.count = channels, count
        self.values = np.zeros((0, len(channels)), np.float32)
        self.numbers = np.zeros((0, len(channels)), np.int64)
        self.excited = np.zeros(len(channels), np.int64)

    def take(self, peaks: np.ndarray, first: int) -> None:
        """Compare with the next examples."""
        peaks = peaks[:, self.channels]
        self.excited += (peaks > 0).sum(axis=0)
        numbers = np.broadcast_to(np.arange(first, first + len(peaks))[:, None], peaks.shape)
        values = np.concatenate([self.values, peaks])
        order = np.argsort(-values, axis=0, kind="stable")[: self.count]  # of equals the earlier one
        self.values = np.take_along_axis(values, order, axis=0)
        self.numbers = np.take_along_axis(np.concatenate([self.numbers, numbers]), order, axis=0)

    @property
    def named(self) -> set[int]:
        """The examples that are among the strongest and above 0: what is not, excites nothing; nor does NaN."""
        return set(self.numbers[self.values > 0].tolist())


@dataclass(frozen=True, eq=False)
class _Seen:
    """The cells of one place, and what they see."""

    graph: Graph
    place: int
    shapes: dict[int, Shape]
    cells: dict[int, np.ndarray]
    sizes: dict[Shape, tuple[int, ...]] = field(default_factory=dict)
    patches: dict[tuple[int, Shape], Patch] = field(default_factory=dict)

    def position(self, cell: int, shape: Shape) -> tuple[int, ...]:
        """Return the place of a cell in the map of an input of a shape, from its number."""
        if shape not in self.sizes:
            self.sizes[shape] = tuple(size or 0 for size in shapes_for(self.graph, shape)[self.place][:-1])
        sizes = self.sizes[shape]
        return tuple(int(position) for position in np.unravel_index(cell, sizes)) if sizes else ()

    def patch(self, cell: int, shape: Shape) -> Patch:
        """Return what a cell sees of an input of a shape."""
        if (cell, shape) not in self.patches:
            self.patches[cell, shape] = patch_of(self.graph, self.place, self.position(cell, shape), shape)
        return self.patches[cell, shape]

    def excitation(self, example: int, value: float, channel: int) -> Excitation:
        """Return one answer with the cell that gave it."""
        cell, shape = int(self.cells[example][channel]), self.shapes[example]
        return Excitation(example, value, self.position(cell, shape), self.patch(cell, shape))


def _layer(
    model: Model, place: int, kept: _Strongest, seen: _Seen, shape: Shape, examples: int
) -> LayerExcitations:  # fmt: skip
    channels = []
    for column, channel in enumerate(kept.channels):
        rows = zip(kept.numbers[:, column].tolist(), kept.values[:, column].tolist(), strict=True)
        found = tuple(seen.excitation(number, value, channel) for number, value in rows if value > 0)
        channels.append(ChannelExcitations(channel, found, float(kept.excited[column] / examples)))
    node = model.graph.nodes[place]
    return LayerExcitations(node.name, type(node.layer).__name__, seen.patch(0, shape).size, tuple(channels))


def _places_of_depths(model: Model) -> tuple[int, ...]:
    """Return for each convolution the place where its answer is whole: after the normalisation and activation."""
    nodes = model.graph.nodes
    names = convolutions(model)
    if not names:
        raise ArgumentError(
            "without a layer, the convolutions are asked",
            where="excitations",
            received=f"{model.name!r}, a model without any",
            fix=f"Name a layer: layer={nodes[-1].name!r}",
        )
    users: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        for source in node.inputs:
            users.setdefault(source, []).append(place)
    found = []
    for place in (place for place, node in enumerate(nodes) if node.name in names):
        last = place
        while len(users.get(last, [])) == 1 and isinstance(nodes[users[last][0]].layer, _FOLLOWING):
            last = users[last][0]
        found.append(last)
    return tuple(dict.fromkeys(found))


def _place(model: Model, layer: str) -> int:
    among = [node.name for node in model.graph.nodes if node.inputs]
    return place_of(model, layer, "excitations", among=among)


def _channels(model: Model, place: int, channel: int | Sequence[int] | None) -> tuple[int, ...]:
    count = model.graph.shapes()[place][-1] or 0
    if channel is None:
        return tuple(range(count))
    wanted = tuple(channel) if isinstance(channel, Sequence | np.ndarray | range) else (channel,)
    if not wanted or not all(isinstance(one, int | np.integer) and 0 <= one < count for one in wanted):
        raise ArgumentError(
            f"{model.graph.nodes[place].name!r} has the channels 0 to {count - 1}",
            where="excitations",
            received=f"channel={channel!r}",
            fix="Leave channel out for all of them",
        )
    return tuple(int(one) for one in wanted)


def _places(one: ChannelExcitations) -> str:
    if not one.found:
        return "nothing excites it"
    shown = [
        f"{item.example} at {times(item.cell).replace('×', ',')}" if item.cell else f"{item.example}"
        for item in one.found[:3]
    ]
    return ";  ".join(shown)


def _framed(found: Excitations, one: Excitation) -> np.ndarray:
    """Return a patch as RGB in the size of its whole field: what lies in the padding is pale blue.

    Along an axis where the field is larger than the picture, only the picture is shown.
    """
    picture = found.pictures[one.example]
    seen = found.patch(one)
    if picture.ndim != 3:
        return _plain(seen) if seen.size else np.broadcast_to(_BEYOND, (1, 1, 3))
    pixels, patch = as_shown(picture), one.patch
    larger = [seen.size > 0 and size >= length for size, length in zip(patch.size, picture.shape, strict=False)]
    starts = [a if large else start for (a, _), start, large in zip(patch.inside, patch.start, larger, strict=True)]
    sizes = [b - a if large else size for (a, b), size, large in zip(patch.inside, patch.size, larger, strict=True)]
    canvas = np.broadcast_to(_BEYOND, (*sizes, 3)).copy()
    target = tuple(slice(a - start, b - start) for (a, b), start in zip(patch.inside, starts, strict=True))
    if seen.size:
        canvas[target] = pixels[patch.slices]
    return canvas


def _plain(patch: np.ndarray) -> np.ndarray:
    """Return a patch of a sequence as a strip for each channel, of a volume as its middle slice."""
    if patch.ndim == 4:
        return as_shown(patch[len(patch) // 2])
    plane = np.asarray(patch.T if patch.ndim == 2 else patch[None])
    return Scale.of(plane).coloured(plane)


def _drawn_depths(found: Excitations) -> Figure:
    """A row for each depth: the liveliest channels, each with its strongest patches in a square of three by three."""
    layers = found.layers
    if len(layers) > _MOST_ROWS:
        layers = tuple(layers[round(k * (len(layers) - 1) / (_MOST_ROWS - 1))] for k in range(_MOST_ROWS))
    block = (_WIDTH - 2 * _MARGIN) / _CHANNELS_OF_A_DEPTH - 0.14
    tile = block / 3 - 0.03
    most = max((len(one.found) for layer in layers for one in layer.channels), default=0)
    row = 0.30 + 0.2 + (tile + 0.03) * min(max(-(-most // 3), 1), 3) + 0.16
    canvas = Canvas(_WIDTH, 0.82 + row * len(layers))
    bounded = "" if len(layers) == len(found.layers) else f" ({len(layers)} of {len(found.layers)} drawn)"
    canvas.heading(
        f"What each depth of {found.model!r} responds to{bounded}",
        f"The channels with the strongest answers, and what excites each most among {found.examples:,} examples. "
        "Pale blue is padding.",
    )
    for number, layer in enumerate(layers):
        top = 0.78 + row * number
        shown = layer.liveliest[:_CHANNELS_OF_A_DEPTH]
        size = times(layer.field)
        title = f"{layer.kind} {layer.layer!r}: a cell sees {size}; {len(shown)} of {len(layer.channels)} channels"
        canvas.text(_MARGIN, top, title, fontsize=10, fontweight="bold")
        for column, one in enumerate(shown):
            x = _MARGIN + column * (block + 0.14)
            words = f"{one.channel}: {one.strongest:.3g}" if one.found else f"{one.channel}: silent"
            canvas.text(x, top + 0.36, words, fontsize=8.0, va="center", color="black" if one.found else VERMILLION)
            for place, item in enumerate(one.found[:9]):
                down, right = divmod(place, 3)
                corner = (x + right * (tile + 0.03), top + 0.46 + down * (tile + 0.03))
                canvas.picture(corner, *_fitted((tile, tile), _framed(found, item)))
    return canvas.figure


def _drawn_layer(found: Excitations, layer: LayerExcitations) -> Figure:
    """A row for each channel: its strongest patches, above each the picture with the patch outlined."""
    shown = layer.liveliest[:_CHANNELS_OF_ONE_LAYER]
    count = min(_MOST_DRAWN, max((len(one.found) for one in shown), default=1) or 1)
    tile = (_WIDTH - 2 * _MARGIN - 0.95) / _MOST_DRAWN - 0.06
    row = 2 * tile + 0.32
    canvas = Canvas(_WIDTH, 0.86 + row * len(shown))
    bounded = "" if len(shown) == len(layer.channels) else f", {len(shown)} of {len(layer.channels)} channels"
    canvas.heading(
        f"What excites {layer.kind} {layer.layer!r} most{bounded}",
        f"The strongest of {found.examples:,} examples with the patch outlined, and below it the patch; "
        f"a cell sees {times(layer.field)}.",
    )
    for number, one in enumerate(shown):
        top = 0.84 + row * number
        colour = "black" if one.found else VERMILLION
        canvas.text(_MARGIN, top + 0.02, f"channel {one.channel}", fontsize=9.0, fontweight="bold", color=colour)
        note = f"excited by\n{one.share:.0%} of all" if one.found else "nothing\nexcites it"
        canvas.text(_MARGIN, top + 0.2, note, fontsize=8.0, color=GREY, linespacing=1.3)
        for column, item in enumerate(one.found[:count]):
            corner = (_MARGIN + 0.95 + column * (tile + 0.06), top)
            _draw_excited(canvas, found, item, corner, tile)
    return canvas.figure


def _draw_excited(
    canvas: Canvas, found: Excitations, item: Excitation, corner: tuple[float, float], tile: float
) -> None:  # fmt: skip
    picture = found.pictures[item.example]
    pixels = as_shown(picture) if picture.ndim == 3 else _plain(picture)
    size, _ = _fitted((tile, tile), pixels)
    canvas.picture(corner, size, pixels)
    if picture.ndim in (2, 3):
        spans = item.patch.inside if picture.ndim == 3 else ((0, picture.shape[1]), item.patch.inside[0])
        (top, bottom), (left, right) = spans
        across, down = size[0] / pixels.shape[1], size[1] / pixels.shape[0]
        place = (corner[0] + left * across, corner[1] + top * down)
        canvas.frame(place, ((right - left) * across, (bottom - top) * down), VERMILLION, 1.4)
    below = (corner[0], corner[1] + tile + 0.05)
    canvas.picture(below, *_fitted((tile, tile), _framed(found, item)))
    canvas.text(corner[0], below[1] + tile + 0.03, f"{item.activation:.3g}", fontsize=7.5, color=GREY)


def _fitted(room: tuple[float, float], pixels: np.ndarray) -> tuple[tuple[float, float], np.ndarray]:
    """Return the largest size in inches that keeps the proportions within a room, and the pixels."""
    height, width = pixels.shape[:2]
    side = min(room[0] / width, room[1] / height)
    return (max(width * side, 0.05), max(height * side, 0.05)), pixels
