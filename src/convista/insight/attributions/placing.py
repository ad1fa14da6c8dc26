"""Where the cells of a layer lie in the network's input, and a coarse map laid over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convista.errors import ArgumentError
from convista.layers.base import Layer
from convista.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from convista.layers.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from convista.layers.reshaping import Permute
from convista.models.graph import Graph

Centres = tuple[tuple[float, float], ...]
"""For each axis the input cell in the middle of what the first cell sees, and the step to the next."""


def centres(graph: Graph, place: int) -> Centres:
    """Return which part of the input the cells of a node look at: the middles of their receptive fields.

    A window moves the middle by ``(span − 1)/2 − padding`` cells of its input. A layer that changes sizes without a
    window spreads its cells evenly over those before it, and so does a path on which positions are lost and made anew.
    Of branches that meet, the first counts.

    Args:
        graph: The network, its sizes known.
        place: A node with as many axes as the input.

    Raises:
        ArgumentError: A ``Permute`` on the way turns the axes.

    Example:
        >>> from convista.architectures.lecture import lecture_convnet
        >>> graph = lecture_convnet().graph
        >>> centres(graph, 5)  # the third convolution: 3×3 cells, 4 pixels apart
        ((8.5, 4.0), (8.5, 4.0))
    """
    shapes = graph.shapes()
    path = [place]
    while graph.nodes[path[-1]].inputs:
        path.append(graph.nodes[path[-1]].inputs[0])
    permuted = next((graph.nodes[spot] for spot in path if isinstance(graph.nodes[spot].layer, Permute)), None)
    if permuted is not None:
        raise ArgumentError(
            "the axes of a layer that is looked into are those of the input",
            where=permuted.where,
            received="axes in another order",
            fix=f"Name a layer before {permuted.name!r}",
        )
    rank = len(shapes[place])
    if any(len(shapes[spot]) != rank for spot in path):
        return spread(shapes[path[-1]][:-1], shapes[place][:-1])
    found: Centres = ((0.0, 1.0),) * (rank - 1)
    for before, spot in zip(path[:0:-1], path[-2::-1], strict=True):
        moves = _moves(graph.nodes[spot].layer, shapes[before][:-1], shapes[spot][:-1])
        found = tuple(
            (first + step * offset, step * stride) for (first, step), (offset, stride) in zip(found, moves, strict=True)
        )
    return found


def _moves(layer: Layer, before: Any, after: Any) -> Centres:
    """Return for each axis where a layer's first cell looks among those before it, and its stride."""
    if layer.window is not None:
        window = layer.window
        pads = window.pads(tuple(before))
        parts = zip(window.span, window.strides, pads, strict=True)
        return tuple(((span - 1) / 2 - low, float(stride)) for span, stride, (low, _) in parts)
    if isinstance(layer, ZeroPadding1D | ZeroPadding2D | ZeroPadding3D):
        return tuple((-float(low), 1.0) for low, _ in layer.pads)
    if isinstance(layer, Cropping1D | Cropping2D | Cropping3D):
        return tuple((float(low), 1.0) for low, _ in layer.cuts)
    return spread(before, after)


def spread(before: Sequence[int | None], after: Sequence[int | None]) -> Centres:
    """Return the middles of cells that divide an axis evenly.

    Example:
        >>> spread((28,), (7,))
        ((1.5, 4.0),)
    """
    ratios = [(old or 1) / (new or 1) for old, new in zip(before, after, strict=True)]
    return tuple(((ratio - 1) / 2, ratio) for ratio in ratios)


def laid_over(cells: np.ndarray, middles: Centres, sizes: Sequence[int]) -> np.ndarray:
    """Return a coarse map as fine as the input: linear between the middles of cells, constant beyond the outer ones.

    Args:
        cells: ``(*cells, …)``; axes behind the positions are carried along.
        middles: From :func:`centres`.
        sizes: The input's positions.

    Returns:
        float32 ``(*sizes, …)``.

    Example:
        >>> laid_over(np.array([0.0, 4.0]), ((0.5, 2.0),), (4,)).tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    result = cells.astype(np.float64)
    for axis, ((first, step), size) in enumerate(zip(middles, sizes, strict=True)):
        count = result.shape[axis]
        places = np.clip((np.arange(size) - first) / step, 0, count - 1)
        left = np.minimum(places.astype(np.int64), max(count - 2, 0))
        right = np.minimum(left + 1, count - 1)
        share = (places - left).reshape(-1, *(1,) * (result.ndim - axis - 1))
        result = np.take(result, left, axis) * (1 - share) + np.take(result, right, axis) * share
    return result.astype(np.float32)
