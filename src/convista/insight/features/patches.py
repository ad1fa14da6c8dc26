"""Which patch of the input one cell of a layer sees: followed back through the network, border by border."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convista.arguments import Shape
from convista.layers.base import Layer
from convista.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from convista.layers.inference import Node, infer
from convista.layers.input import InputLayer
from convista.layers.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from convista.layers.reshaping import Permute
from convista.layers.transposed_convolution import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from convista.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from convista.models.graph import Graph
from convista.ops.resampling import REACH
from convista.shapes import ReceptiveField

Span = tuple[int, int]
_TRANSPOSED = (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
_PADDING = (ZeroPadding1D, ZeroPadding2D, ZeroPadding3D)
_CROPPING = (Cropping1D, Cropping2D, Cropping3D)
_UPSAMPLING = (UpSampling1D, UpSampling2D, UpSampling3D)


@dataclass(frozen=True)
class Patch:
    """Cells of the input, along each spatial axis.

    Args:
        start: The first cell of the whole field; below 0 where it begins in the padding.
        stop: The cell after its last; beyond the input where it ends in the padding.
        inside: ``(first, after the last)`` of the cells of the input that are really seen; ``(0, 0)`` along every axis
            where the whole field lies in padding.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    inside: tuple[Span, ...]

    @property
    def slices(self) -> tuple[slice, ...]:
        """What is seen, to index an input without its batch axis."""
        return tuple(slice(*span) for span in self.inside)

    @property
    def size(self) -> tuple[int, ...]:
        """Cells of the whole field along each axis, padding included."""
        return tuple(stop - start for start, stop in zip(self.start, self.stop, strict=True))

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Return what is seen of a picture ``(…, channels)``."""
        return picture[self.slices]


def shapes_for(graph: Graph, input_shape: Shape) -> list[Shape]:
    """Return the output shape of every node for an input of this shape, also where the network takes several sizes."""
    nodes = [
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, shape=tuple(input_shape)))
        if isinstance(node.layer, InputLayer)
        else node
        for node in graph.nodes
    ]
    return infer(nodes)


def patch_of(graph: Graph, place: int, cell: Sequence[int], input_shape: Shape) -> Patch:
    """Return the patch of the input that one cell of a node depends on.

    Each window leads back by ``first = cell · stride − padding before``, ``last = first + span − 1``; branches that are
    merged see what both see together. Layers that bring all positions together see all.

    Args:
        graph: A network with one input.
        place: The node.
        cell: Its position, one number for each spatial axis; ``()`` for a unit of a dense layer.
        input_shape: The shape of one input.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Input((9, 9, 1)), Conv2D(1, 3, strides=2, padding="same"), Conv2D(1, 3)])
        >>> patch = patch_of(model.graph, 2, (0, 2), (9, 9, 1))
        >>> patch.start, patch.stop, patch.inside
        ((-1, 3), (6, 10), ((0, 6), (3, 9)))

    Source: A. Araujo, W. Norris, J. Sim, «Computing receptive fields of convolutional neural networks», 2019.
    """
    shapes = shapes_for(graph, input_shape)
    whole, seen = (_followed(graph.nodes, shapes, place, cell, clipped) for clipped in (False, True))
    start, stop = tuple(first for first, _ in whole), tuple(last + 1 for _, last in whole)
    return Patch(start, stop, tuple((first, last + 1) for first, last in seen))


def _followed(
    nodes: Sequence[Node], shapes: Sequence[Shape], place: int, cell: Sequence[int], clipped: bool
) -> list[Span]:
    """Return first and last cell of the input; ``clipped`` leaves out what lies in the padding of any layer between.

    Of a cell that then sees no input at all, the spans are empty: they end before they begin.
    """
    wanted: dict[int, list[Span]] = {place: [(int(position), int(position)) for position in cell]}
    for spot in range(place, -1, -1):
        node, spans = nodes[spot], wanted.pop(spot, None)
        if spans is None:
            continue
        if not node.inputs:
            return spans
        for source in node.inputs:
            before = _before(node.layer, spans, _sizes(shapes[spot]), _sizes(shapes[source]))
            if clipped:
                before = [_within(span, size) for span, size in zip(before, _sizes(shapes[source]), strict=True)]
                if any(first > last for first, last in before):
                    continue  # padding alone: nothing to follow further, or to join with what other branches see
            known = wanted.get(source)
            wanted[source] = before if known is None else [_joined(*pair) for pair in zip(known, before, strict=True)]
    entrance = next(spot for spot, node in enumerate(nodes) if not node.inputs)
    return [(0, -1) for _ in _sizes(shapes[entrance])]


def _sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(size or 0 for size in shape[:-1])


def _within(span: Span, size: int) -> Span:
    return max(span[0], 0), min(span[1], size - 1)


def _joined(one: Span, two: Span) -> Span:
    return min(one[0], two[0]), max(one[1], two[1])


def _before(layer: Layer, spans: list[Span], after: tuple[int, ...], sizes: tuple[int, ...]) -> list[Span]:
    """Return which cells of a layer's input these cells of its output need."""
    everything = [(0, size - 1) for size in sizes]
    if len(after) != len(sizes) or not spans:
        return everything
    if layer.window is not None:
        return _through_window(layer, spans, sizes)
    if isinstance(layer, _TRANSPOSED):
        return _through_transposed(layer, spans)
    if isinstance(layer, _PADDING):
        return [(a - pad, b - pad) for (a, b), (pad, _) in zip(spans, layer.pads, strict=True)]
    if isinstance(layer, _CROPPING):
        return [(a + cut, b + cut) for (a, b), (cut, _) in zip(spans, layer.cuts, strict=True)]
    if isinstance(layer, _UPSAMPLING):
        return _through_upsampling(layer, spans)
    if isinstance(layer, Permute) and layer.dims[-1] == len(layer.dims):
        found = list(everything)
        for axis, source in enumerate(layer.dims[:-1]):
            found[source - 1] = spans[axis]
        return found
    start = ReceptiveField.start(len(sizes))
    if layer.merges or layer.receptive_field(start) == start:
        # A branch of one cell is laid over all cells: a gate, as in squeeze and excitation.
        return [
            span if size == other else whole
            for span, size, other, whole in zip(spans, sizes, after, everything, strict=True)
        ]
    return everything


def _through_window(layer: Layer, spans: list[Span], sizes: tuple[int, ...]) -> list[Span]:
    window = layer.window
    if window is None:
        return spans
    geometry = zip(spans, window.strides, window.pads(sizes), window.span, strict=True)
    return [(a * stride - pad, b * stride - pad + span - 1) for (a, b), stride, (pad, _), span in geometry]


def _through_transposed(
    layer: Conv1DTranspose | Conv2DTranspose | Conv3DTranspose, spans: list[Span]
) -> list[Span]:  # fmt: skip
    window = layer.transposed_window
    geometry = zip(spans, window.strides, window.pads(), window.span, strict=True)
    return [(-(-(a + cut - span + 1) // stride), (b + cut) // stride) for (a, b), stride, (cut, _), span in geometry]


def _through_upsampling(layer: UpSampling1D | UpSampling2D | UpSampling3D, spans: list[Span]) -> list[Span]:
    interpolation = str(getattr(layer, "interpolation", "nearest")).lower()
    reach = REACH[interpolation] / 2

    def around(position: int, times: int) -> Span:
        if interpolation == "nearest":
            return position // times, position // times
        middle = (position + 0.5) / times - 0.5
        return math.floor(middle - reach) + 1, math.ceil(middle + reach) - 1

    return [
        (around(a, times)[0], around(b, times)[1]) for (a, b), times in zip(spans, layer.times, strict=True)
    ]  # fmt: skip
