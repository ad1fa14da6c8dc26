"""Which layers of a network learn: chosen by name, by pattern, or as backbone and head."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fnmatch import fnmatchcase

from convista.errors import ArgumentError, suggest
from convista.layers import (
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from convista.models.graph import Graph

_JOINTS = (
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
PARTS = ("backbone", "head")


def joint(graph: Graph) -> int | None:
    """Return the place of the node that ends the backbone: the last Flatten or global pooling between two kernels.

    ``None`` where there is none, as in a network of dense layers alone or one without classifier.
    """
    kernels = {name for name, (learned, _) in graph.parameters().items() if "kernel" in learned}
    for place in reversed(range(len(graph.nodes))):
        if isinstance(graph.nodes[place].layer, _JOINTS):
            before = any(node.name in kernels for node in graph.nodes[:place])
            after = any(node.name in kernels for node in graph.nodes[place + 1 :])
            if before and after:
                return place
    return None


def head(graph: Graph) -> set[str]:
    """Return the names of the layers that make answers from features.

    They are those after the last Flatten or global pooling; without one, the last layer that has weights if it is
    Dense; a network without classifier has no head.

    Example:
        >>> from convista import architectures
        >>> sorted(head(architectures.lenet5().graph))
        ['fc1', 'fc2', 'predictions']
    """
    place = joint(graph)
    if place is not None:
        return {node.name for node in graph.nodes[place + 1 :]}
    weighted = [name for name, both in graph.parameter_counts().items() if any(both)]
    return {name for name in weighted[-1:] if isinstance(graph.layers[name], Dense)}


def chosen(graph: Graph, layers: Sequence[str], *, where: str) -> set[str]:
    """Return the names that names, patterns and parts stand for; nothing stands for all.

    Raises:
        ArgumentError: One of them fits no layer.

    Example:
        >>> from convista import architectures
        >>> sorted(chosen(architectures.lenet5().graph, ["conv*"], where="lenet5"))
        ['conv1', 'conv2']
    """
    known = graph.layers
    names: set[str] = set()
    for text in layers:
        if text in known:
            found = {text}
        elif text in PARTS:
            last = head(graph)
            found = last if text == "head" else set(known) - last
        else:
            found = {name for name in known if isinstance(text, str) and fnmatchcase(name, text)}
        if not found:
            raise ArgumentError(
                "layers are chosen by name, by a pattern such as 'conv1_*', or as 'backbone' or 'head'",
                where=where,
                received=f"{text!r}, which fits no layer",
                fix=suggest(str(text), [*known, *PARTS]),
            )
        names |= found
    return names if layers else set(known)


def with_trainable(graph: Graph, names: set[str], trainable: bool) -> Graph:
    """Return the graph with these layers learning or not; the graph itself where nothing changes."""
    layers = {name: layer for name, layer in graph.layers.items() if name in names and layer.trainable != trainable}
    if not layers:
        return graph
    changed = {name: dataclasses.replace(layer, trainable=trainable) for name, layer in layers.items()}
    nodes = tuple(dataclasses.replace(node, layer=changed.get(node.name, node.layer)) for node in graph.nodes)
    return dataclasses.replace(graph, nodes=nodes)
