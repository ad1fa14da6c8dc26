"""Changes to a copy of a network, to see whether they help; the user's network stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers import BatchNormalization, Dropout, MaxPooling1D, MaxPooling2D, MaxPooling3D
from convista.layers.base import Layer
from convista.layers.inference import Node
from convista.models.graph import Graph
from convista.shapes import ReceptiveField

POOLINGS = {1: MaxPooling1D, 2: MaxPooling2D, 3: MaxPooling3D}


def with_layers(graph: Graph, changes: Mapping[str, Mapping[str, Any]]) -> Graph:
    """Return a graph with other arguments in some layers, wherever these are used."""
    nodes = [
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, **changes[node.name]))
        if node.name in changes
        else node
        for node in graph.nodes
    ]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def swapped(graph: Graph, name: str, layer: Layer) -> Graph:
    """Return a graph with another layer in one's place."""
    nodes = [dataclasses.replace(node, layer=layer) if node.name == name else node for node in graph.nodes]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def with_inserted(graph: Graph, places: Sequence[int], make: Callable[[], Layer]) -> Graph:
    """Return a graph with a new layer behind each of these nodes; whoever listened to the node listens to it."""
    nodes: list[Node] = []
    moved: dict[int, int] = {}
    for place, node in enumerate(graph.nodes):
        nodes.append(dataclasses.replace(node, inputs=tuple(moved[spot] for spot in node.inputs)))
        moved[place] = len(nodes) - 1
        if place in places:
            nodes.append(Node(f"{node.name}_then_{place}", make(), (len(nodes) - 1,)))
            moved[place] = len(nodes) - 1
    outputs = tuple(moved[place] for place in graph.outputs)
    inputs = tuple(number for number, node in enumerate(nodes) if not node.inputs)
    return Graph(tuple(nodes), inputs, outputs)


def shapes_or_none(graph: Graph) -> list[Shape] | None:
    """Return the shapes of every node, or ``None`` if the sizes do not follow each other."""
    try:
        return graph.shapes()
    except ShapeError:
        return None


def is_convolution(node: Node) -> bool:
    """Whether a node slides a learned kernel and does not enlarge."""
    return hasattr(node.layer, "filters") and node.layer.window is not None


def block_ends(graph: Graph, before: int) -> list[int]:
    """Return the last place of each convolution's block before a node: behind its normalisation and activation."""
    ends = []
    for place, node in enumerate(graph.nodes[:before]):
        if is_convolution(node):
            ends.append(_block_end(graph, place))
    return ends


def _block_end(graph: Graph, place: int) -> int:
    while True:
        followers = [spot for spot, node in enumerate(graph.nodes) if place in node.inputs]
        if len(followers) != 1 or not _belongs(graph.nodes[followers[0]].layer):
            return place
        place = followers[0]


def _belongs(layer: Layer) -> bool:
    """Whether a layer belongs to the block of the convolution before it: it changes values and no sizes."""
    if isinstance(layer, BatchNormalization | Dropout):
        return True
    plain = layer.window is None and not layer.merges and not hasattr(layer, "units")
    return plain and layer.activation_name not in (None, "linear")


def pooled(graph: Graph, before: int) -> tuple[Graph, list[str]] | None:
    """Return the graph with 2×2 max-pooling behind the blocks of its convolutions, all but the last before a node.

    Blocks that are pooled already are left alone.

    Returns:
        The new graph and behind which layers it pools; ``None`` where no pooling can be added.
    """
    shapes = graph.shapes()
    ends = [place for place in block_ends(graph, before)[:-1] if not _is_reduced(graph, place)]
    rank = len(shapes[ends[0]]) - 1 if ends else 0
    while ends and rank in POOLINGS:
        changed = with_inserted(graph, ends, lambda: POOLINGS[rank](2))
        if shapes_or_none(changed) is not None:
            return changed, [graph.nodes[place].name for place in ends]
        ends = ends[:-1]  # the picture ran out
    return None


def normalized(graph: Graph) -> Graph:
    """Return the graph with batch normalisation behind every hidden layer with a kernel."""
    places = [
        place
        for place, node in enumerate(graph.nodes)
        if hasattr(node.layer, "kernel_initializer") and place not in graph.outputs
    ]
    return with_inserted(graph, places, BatchNormalization)


def _is_reduced(graph: Graph, place: int) -> bool:
    """Whether sizes are reduced behind a node already."""
    followers = [node for node in graph.nodes if place in node.inputs]
    windows = [node.layer.window for node in followers if node.layer.window is not None]
    return any(max(window.strides) > 1 for window in windows)


def last_spatial(graph: Graph) -> tuple[int, ReceptiveField] | None:
    """Return the last node whose cells see a part of the input only, behind at least one convolution, and its field."""
    fields = graph.receptive_fields()
    seen = False
    found = None
    for place, (node, field) in enumerate(zip(graph.nodes, fields, strict=True)):
        seen = seen or is_convolution(node)
        if seen and field is not None:
            found = (place, field)
    return found
