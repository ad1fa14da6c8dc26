"""A network as data: nodes in the order in which they run."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Layer, Parameter, Variables
from convista.layers.inference import Node, infer
from convista.layers.input import InputLayer
from convista.layers.reshaping import Reshape
from convista.layers.symbolic import SymbolicTensor, nodes_of
from convista.layers.warping import Warping, warped
from convista.models.inputs import Entrance
from convista.models.policy import operands
from convista.models.program import blocks, rectified, warps
from convista.shapes import ReceptiveField, count

Tree = dict[str, Variables]


@dataclass(frozen=True)
class Graph:
    """A network: what runs, on what, and what comes out.

    Args:
        nodes: Every use of a layer, each after those it needs.
        inputs: Places of the inputs.
        outputs: Places of the outputs.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        names = [node.name for node in self.nodes]
        if len(set(names)) < len(names):
            self._check_shared()

    def _check_shared(self) -> None:
        shapes = self.shapes()
        first: dict[str, Any] = {}
        for node in self.nodes:
            shape = node.input_shape(shapes)
            other = first.setdefault(node.name, shape)
            if other != shape and _sizes(node.layer, other) != _sizes(node.layer, shape):
                raise ShapeError(
                    "a layer that is used twice has one set of weights, which fits inputs of one shape",
                    where=node.where,
                    received=f"inputs of shape {other} and {shape}",
                    fix="Make a second layer",
                )

    @classmethod
    def between(cls, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]) -> Graph:
        """Return the graph that computes ``outputs`` from ``inputs``.

        Raises:
            ArgumentError: An output depends on an input that is not named, or the tensors are not symbolic.
        """
        for tensor in (*inputs, *outputs):
            if not isinstance(tensor, SymbolicTensor):
                raise ArgumentError(
                    "inputs and outputs are what Input and layers return",
                    where="Model",
                    received=type(tensor).__name__,
                    fix="Begin with x = Input((28, 28, 1)) and call layers on it",
                )
        nodes, place = nodes_of([*inputs, *outputs])
        repeated = next((tensor for number, tensor in enumerate(inputs) if tensor in inputs[:number]), None)
        if repeated is not None:
            name = nodes[place[id(repeated)]].name
            raise ArgumentError("each input is named once", where="Model", received=f"Input {name!r} twice in inputs")
        given = {place[id(tensor)] for tensor in inputs}
        for number, node in enumerate(nodes):
            if not node.inputs and number not in given:
                raise ArgumentError(
                    "every input that the outputs depend on is named in inputs",
                    where="Model",
                    received=f"outputs that depend on Input {node.name!r}",
                    fix=f"Add {node.name!r} to inputs",
                )
        if any(nodes[number].inputs for number in given):
            raise ArgumentError("inputs are what Input returns", where="Model", received="the output of a layer")
        return cls(
            tuple(nodes),
            tuple(place[id(tensor)] for tensor in inputs),
            tuple(place[id(tensor)] for tensor in outputs),
        )

    @property
    def layers(self) -> dict[str, Layer]:
        """Each layer once, by name, in the order of its first use; inputs are left out."""
        return {node.name: node.layer for node in self.nodes if not isinstance(node.layer, InputLayer)}

    @property
    def frozen(self) -> frozenset[str]:
        """The names of the layers that training leaves as they are."""
        return frozenset(name for name, layer in self.layers.items() if not layer.trainable)

    def shapes(self) -> list[Shape]:
        """Return the output shape of every node, without the batch axis."""
        return list(self._shapes)

    # A graph does not change, and `predict` asks three times: half of its time for one picture.
    @functools.cached_property
    def _shapes(self) -> tuple[Shape, ...]:
        return tuple(infer(self.nodes))

    @functools.cached_property
    def input_shapes(self) -> tuple[Shape, ...]:
        """The shape of each input, without the batch axis."""
        return tuple(self._shapes[place] for place in self.inputs)

    @functools.cached_property
    def input_names(self) -> tuple[str, ...]:
        """The name of each input."""
        return tuple(self.nodes[place].name for place in self.inputs)

    @functools.cached_property
    def entrance(self) -> Entrance:
        """What the network's own layers do with its inputs."""
        return Entrance.of(self.nodes)

    @functools.cached_property
    def largest_output(self) -> int:
        """The most numbers that a layer puts out for one example; shapes with open sizes are left out."""
        return max((count(shape) for shape in self._shapes if None not in shape), default=0)

    def init(self, key: jax.Array) -> tuple[Tree, Tree]:
        """Return ``(params, state)``: for each layer that has any, its arrays by name."""
        shapes = self.shapes()
        params: Tree = {}
        state: Tree = {}
        for number, name in enumerate(self.layers):
            node = next(node for node in self.nodes if node.name == name)
            learned, kept = node.layer.init(jax.random.fold_in(key, number), node.input_shape(shapes))
            params |= {name: learned} if learned else {}
            state |= {name: kept} if kept else {}
        return params, state

    def parameters(self) -> dict[str, tuple[dict[str, Parameter], dict[str, Parameter]]]:
        """Return what each layer learns and what it keeps, before any array exists."""
        shapes = self.shapes()
        result: dict[str, tuple[dict[str, Parameter], dict[str, Parameter]]] = {}
        for node in self.nodes:
            if node.name not in result and node.inputs:
                shape = node.input_shape(shapes)
                result[node.name] = (node.layer.parameters(shape), node.layer.statistics(shape))
        return result

    def apply(
        self,
        params: Mapping[str, Variables],
        state: Mapping[str, Variables],
        x: Any,
        *,
        training: bool = False,
        key: jax.Array | None = None,
        mask: jax.Array | None = None,
        policy: str = "float32",
    ) -> tuple[Any, Tree]:
        """Return ``(outputs, state)`` for a batch; a pure function.

        Args:
            params: From ``init``, or learned.
            state: From ``init``, or kept.
            x: One array ``(N, …)``, or a tuple with one for each input.
            training: Whether dropout drops and batch statistics are used.
            key: Random key for dropout; each layer mixes in its own place.
            mask: ``(N,)``, 0 for rows that only fill up the batch.
            policy: In which precision layers compute; outputs are float32.

        Returns:
            One array, or a tuple with one for each output; and the new state.
        """
        batch = x if isinstance(x, tuple | list) else (x,)
        values: list[Any] = []
        new_state = dict(state)
        seen = (*self.outputs, *self.inputs)  # an input may be any place: then the network begins there
        found = blocks(self.nodes, seen, training=training)
        inside = {place for block in found.values() for place in block.places[:-1]}
        rows = warps(self.nodes, seen) if training else {}
        relus = rectified(self.nodes, seen) if training else {}
        passed = {place for last, row in rows.items() for place in row if place != last} | set(relus.values())
        for place, node in enumerate(self.nodes):
            if place in self.inputs:
                values.append(batch[self.inputs.index(place)])
                continue
            if place in inside:
                values.append(None)  # nobody but its block needs it
                continue
            if place in found:
                block = found[place]
                name, whole = block.names[0], place in self.outputs
                own, (source,) = operands(policy, block.convolution, params[name], [values[block.source]], last=whole)
                values.append(block.apply({**params, name: own}, new_state, source))
                continue
            taken: Any = [values[spot] for spot in node.inputs]
            own_key = None if key is None else jax.random.fold_in(key, place)
            if place in passed or place in rows:
                values.append(taken[0] if place in passed else self._warped(rows[place], taken[0], key))
                continue
            extra: dict[str, Any] = {"mask": mask} if node.layer.uses_mask else {}
            extra |= {"relu": True} if place in relus else {}
            own, taken = operands(policy, node.layer, params.get(node.name, {}), taken, last=place in self.outputs)
            value, kept = node.layer.apply(
                own,
                new_state.get(node.name, {}),
                taken if node.layer.merges else taken[0],
                training=training,
                key=own_key,
                **extra,
            )
            values.append(value)
            if kept:
                new_state[node.name] = kept
        results = tuple(values[spot] for spot in self.outputs)
        return (results[0] if len(results) == 1 else results), new_state

    def _warped(self, places: list[int], x: jax.Array, key: jax.Array | None) -> jax.Array:
        keys = [None if key is None else jax.random.fold_in(key, place) for place in places]
        layers = [self.nodes[place].layer for place in places]
        return warped([layer for layer in layers if isinstance(layer, Warping)], keys, x)

    def receptive_fields(self) -> list[ReceptiveField | None]:
        """Return for each node how much of the input one of its cells sees; ``None`` is all of it."""
        fields: list[ReceptiveField | None] = []
        shapes = self.shapes()
        for node, shape in zip(self.nodes, shapes, strict=True):
            if not node.inputs:
                fields.append(ReceptiveField.start(len(shape) - 1) if len(shape) > 1 else None)
                continue
            seen = [fields[spot] for spot in node.inputs]
            spatial = len(shapes[node.inputs[0]]) > 1
            if None in seen or (node.layer.sees_everything and not spatial) or _mixes_positions(node, shapes):
                fields.append(None)
                continue
            field = seen[0]
            for other in seen[1:]:
                field = field.union(other) if field and other else None
            fields.append(node.layer.receptive_field(field) if field else None)
        return fields

    def multiply_accumulates(self) -> list[int | None]:
        """Return the multiply–accumulates of each node for one example; ``None`` where a size varies."""
        shapes = self.shapes()
        return [
            None
            if any(None in shapes[spot] for spot in node.inputs)
            else node.layer.multiply_accumulates(node.input_shape(shapes))
            for node in self.nodes
        ]

    def parameter_counts(self) -> dict[str, tuple[int, int]]:
        """Return for each layer how many numbers it learns and how many it only keeps."""
        return {
            name: (
                sum(count(parameter.shape) for parameter in learned.values()),
                sum(count(parameter.shape) for parameter in kept.values()),
            )
            for name, (learned, kept) in self.parameters().items()
        }


def _sizes(layer: Layer, input_shape: Any) -> list[dict[str, Shape]]:
    groups = (layer.parameters(input_shape), layer.statistics(input_shape))
    return [{name: parameter.shape for name, parameter in group.items()} for group in groups]


def _mixes_positions(node: Node, shapes: Sequence[Shape]) -> bool:
    """Whether a node brings all positions together: Flatten, Reshape, global pooling."""
    before = shapes[node.inputs[0]]
    after = node.layer.output_shape(node.input_shape(shapes))
    if len(before) < 2 or node.layer.merges or node.layer.window is not None:
        return False
    if isinstance(node.layer, Reshape) and after != before:
        return True
    return len(after) != len(before) or (node.layer.sees_everything and hasattr(node.layer, "keepdims"))
