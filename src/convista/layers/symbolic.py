"""Tensors without numbers: what layers are called on to build a functional model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.base import Layer, automatic_names
from convista.layers.inference import Node, infer

_order = itertools.count()


@dataclass(frozen=True, eq=False)
class SymbolicTensor:
    """The output of a layer before any number exists.

    Args:
        sizes: Shape of one example.
        layer: The layer that makes it.
        parents: The tensors that the layer was called on.
    """

    sizes: Shape
    layer: Layer
    parents: tuple[SymbolicTensor, ...]
    order: int = field(default_factory=lambda: next(_order), repr=False)

    @property
    def shape(self) -> Shape:
        """The shape with the batch axis first, as Keras shows it: ``(None, 28, 28, 1)``."""
        return (None, *self.sizes)


def call(layer: Layer, inputs: Any) -> SymbolicTensor:
    """Return the symbolic output of ``layer`` on symbolic inputs.

    Raises:
        ArgumentError: The inputs are not symbolic.
        ShapeError: The layer cannot take their shapes.
    """
    layer = layer.original
    parents = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    for parent in parents:
        if not isinstance(parent, SymbolicTensor):
            raise ArgumentError(
                "a layer holds configuration, not weights; it is called on the output of Input or of another layer",
                where=layer.where,
                received=f"{type(parent).__name__}",
                fix="Put the layer into a model and call model.predict(x), or layer.apply(params, state, x, …)",
            )
    if len(parents) > 1 and not layer.merges:
        raise ArgumentError("this layer takes one input", where=layer.where, received=f"{len(parents)} inputs")
    nodes, _ = nodes_of(parents)
    index = {id(tensor): place for place, tensor in enumerate(ancestors(parents))}
    layers = unique([node.layer for node in nodes] + [layer])
    name = dict(zip(map(id, layers), automatic_names(layers), strict=True))[id(layer)]
    shapes = infer([*nodes, Node(name, layer, tuple(index[id(parent)] for parent in parents))])
    return SymbolicTensor(shapes[-1], layer, parents)


def ancestors(tensors: Iterable[SymbolicTensor]) -> list[SymbolicTensor]:
    """Return the tensors and all that they depend on, in the order in which they were made."""
    found: dict[int, SymbolicTensor] = {}
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in found:
            found[id(tensor)] = tensor
            waiting.extend(tensor.parents)
    return sorted(found.values(), key=lambda tensor: tensor.order)


def nodes_of(tensors: Iterable[SymbolicTensor]) -> tuple[list[Node], dict[int, int]]:
    """Return the nodes that compute the tensors, and the place of each tensor among them by ``id``."""
    tensors = ancestors(tensors)
    layers = unique([tensor.layer for tensor in tensors])
    names = dict(zip(map(id, layers), automatic_names(layers), strict=True))
    place = {id(tensor): number for number, tensor in enumerate(tensors)}
    nodes = [
        Node(names[id(tensor.layer)], tensor.layer, tuple(place[id(parent)] for parent in tensor.parents))
        for tensor in tensors
    ]
    return nodes, place


def unique(layers: Iterable[Layer]) -> list[Layer]:
    """Return each layer object once: a layer called twice shares its weights."""
    return list({id(layer): layer for layer in layers}.values())
