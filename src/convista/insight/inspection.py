"""What passes through a network for one input: the values of every layer, and its second half as a function."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import ArgumentError, ShapeError, suggest
from convista.kernels.compiler import compile_function
from convista.layers.activation import Activation
from convista.layers.inference import Node
from convista.models.graph import Graph
from convista.shapes import times

if TYPE_CHECKING:
    from convista.data import Preprocessing
    from convista.models.model import Model

_MOST_NAMES = 12  # of layers, in a message


@dataclass(frozen=True)
class Inspected:
    """One input as the network sees it.

    Args:
        picture: As it came, without the batch axis: what a figure shows.
        x: float32 ``(1, …)``, preprocessed: what the first layer takes.
    """

    picture: np.ndarray
    x: np.ndarray


def inspected(model: Model, picture: Any, where: str) -> Inspected:
    """Return one input, whatever the user has: a file, an array with or without batch and channel axis.

    Args:
        model: The model; its own preprocessing is applied as ``predict`` applies it.
        picture: A path; an array ``(H, W, C)``, ``(1, H, W, C)``, ``(H, W)`` for one channel; or the input of a model
            for sequences or volumes.
        where: The verb, for messages.

    Raises:
        ShapeError: It does not fit the model, or it is more than one.
        ArgumentError: The model has several inputs.
        DataError: The file cannot be read, or its values cannot be meant.
    """
    check_one_input(model, where)
    if isinstance(picture, str | os.PathLike):
        array = np.asarray(model._feeding.pictures([Path(picture)]))
    else:
        array = _with_batch(_numbers(picture, where), model.input_shape, where)
    model._feeding.check_inputs(array, "picture")
    return Inspected(array[0], np.asarray(model._prepared(array)))


def _numbers(picture: Any, where: str) -> np.ndarray:
    try:
        array = np.asarray(picture)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype != object:
        return array
    raise ShapeError(
        "one example is a picture file or an array of numbers",
        where=where,
        received=f"{picture!r:.60}",
        fix='For example "photo.png", or x[0] of an array of pictures',
    )


def reading(model: Model) -> tuple[tuple[int, int, int], Preprocessing]:
    """Return what a model brings picture files to: height, width and channels, and how.

    Raises:
        ShapeError: It takes no pictures of one size.
        DataError: It does not say how the values of files are scaled.
    """
    return model._feeding.reading()


def _with_batch(array: np.ndarray, wanted: Sequence[int | None], where: str) -> np.ndarray:
    shape = tuple(wanted[1:])
    if array.ndim == len(shape) - 1 and shape[-1] == 1:
        array = array[..., None]
    if array.ndim == len(shape):
        array = array[None]
    if array.ndim == len(shape) + 1 and len(array) != 1:
        raise ShapeError(
            "one example is looked at, not a batch",
            where=where,
            received=f"{len(array)} examples",
            fix="Give one of them: x[0]",
        )
    if len(shape) == 3 and shape[-1] == 1 and array.ndim == 4 and array.shape[-1] in (3, 4):
        raise ShapeError(
            "the model takes pictures with one channel, in grey",
            where=where,
            received=f"a picture of {times(array.shape[1:])}",
            fix=f"Make it grey: x{'[..., :3]' if array.shape[-1] == 4 else ''}.mean(-1, keepdims=True)",
        )
    return array


def check_one_input(model: Model, where: str) -> None:
    """Check that a model has one input and one output.

    Raises:
        ArgumentError: It has several.
    """
    graph = model.graph
    inputs, outputs = len(graph.inputs), len(graph.outputs)
    if inputs != 1 or outputs != 1:
        raise ArgumentError(
            "the model has one input and one output",
            where=where,
            received=f"{inputs} input{'s' * (inputs != 1)} and {outputs} output{'s' * (outputs != 1)}",
            fix="Make a Model between the input and the output that you ask about",
        )


def place_of(model: Model, layer: str, where: str, *, among: Sequence[str] | None = None) -> int:
    """Return the place in the graph where a layer is used last.

    Args:
        model: The model.
        layer: The layer's name.
        where: The verb, for messages.
        among: The names that may be asked for; all layers if not given.

    Raises:
        ArgumentError: There is no such layer, or it is none of those; the message names what exists.
    """
    names = [node.name for node in model.graph.nodes]
    allowed = [name for name in names if among is None or name in among]
    if not isinstance(layer, str) or layer not in allowed:
        known = isinstance(layer, str) and layer in names
        raise ArgumentError(
            _refusal(model, names.index(layer), allowed) if known else "a layer is named as in model.summary()",
            where=where,
            received=f"layer={layer!r}",
            fix=_alternatives(str(layer), list(dict.fromkeys(allowed)), mistyped=not known),
        )
    return len(names) - 1 - names[::-1].index(layer)


def _alternatives(layer: str, allowed: list[str], *, mistyped: bool) -> str:
    """Return what can be asked for, in the network's order, behind the closest name to a mistyped one."""
    if not allowed:
        return "This model has no layer that can be"
    close = suggest(layer, allowed) if mistyped else ""
    named = f"{close} " if close.startswith("Did you mean") else ""
    left = len(allowed) - _MOST_NAMES
    more = f" … and {left} more" if left > 0 else ""
    return f"{named}Known: {', '.join(allowed[:_MOST_NAMES])}{more}"


def _refusal(model: Model, place: int, allowed: Sequence[str]) -> str:
    """Return that a layer cannot be asked for, and what it lacks that the others have."""
    nodes, shapes = model.graph.nodes, model.graph.shapes()
    node, shape = nodes[place], shapes[place]
    others = [other for other in range(len(nodes)) if nodes[other].name in allowed]
    reason = ""
    if not node.inputs:
        reason = ": an input computes nothing"
    elif others and len(shape) == 1 and all(len(shapes[other]) > 1 for other in others):
        reason = ": its output has no positions, only channels"
    elif others and len(shape) > 1 and set(shape[:-1]) == {1}:
        reason = ": its output has a single position"
    elif not hasattr(node.layer, "kernel_size") and all(hasattr(nodes[other].layer, "kernel_size") for other in others):
        reason = ": it slides no kernel"
    return f"{type(node.layer).__name__} {node.name!r} cannot be asked for this{reason}"


def spatial_layers(model: Model) -> list[str]:
    """Return the names of the layers whose output has positions and channels, in order, without inputs."""
    shapes = model.graph.shapes()
    return [node.name for node, shape in zip(model.graph.nodes, shapes, strict=True) if node.inputs and len(shape) > 1]


def convolutions(model: Model) -> list[str]:
    """Return the names of the layers that slide a learned kernel, in order."""
    return [node.name for node in model.graph.nodes if _has_kernel(node)]


def _has_kernel(node: Node) -> bool:
    return bool(node.inputs) and hasattr(node.layer, "kernel_size") and hasattr(node.layer, "filters")


def values(model: Model, x: Any, places: Sequence[int]) -> list[np.ndarray]:
    """Return what the nodes at these places give for a prepared batch, as the network itself computes it.

    Args:
        model: The model.
        x: float32 ``(N, …)``, from :func:`inspected`.
        places: Places in ``model.graph.nodes``.
    """
    graph, policy = ending_at(model.graph, tuple(places), model.policy), model.policy

    def run(params: Any, state: Any, batch: Any) -> Any:
        return graph.apply(params, state, batch, policy=policy)[0]

    found = program(model, ("values", tuple(places)), run)(model.params, model.state, x)
    return [np.asarray(value, np.float32) for value in (found if isinstance(found, tuple) else (found,))]


def ending_at(graph: Graph, places: tuple[int, ...], policy: str) -> Graph:
    """Return a network with these nodes as outputs, each in the precision that it has inside the network.

    Outputs are computed in float32: in mixed precision a copy is asked for instead, and the node itself stays as it is.

    Args:
        graph: The network.
        places: Places in ``graph.nodes``.
        policy: In which precision it computes.
    """
    if policy == "float32":
        return dataclasses.replace(graph, outputs=places)
    nodes, ends = list(graph.nodes), []
    for place in places:
        if place in (*graph.outputs, *graph.inputs):
            ends.append(place)
            continue
        ends.append(len(nodes))
        nodes.append(Node(f"copy of {place}, {len(nodes)}", Activation("linear"), (place,)))
    return dataclasses.replace(graph, nodes=tuple(nodes), outputs=tuple(ends))


def tail(model: Model, place: int) -> Callable[[Any, Any, Any, Any], Any]:
    """Return the rest of the network after a node as a pure function ``(params, state, x, value) -> outputs``.

    Args:
        model: The model.
        place: The node whose output is replaced by ``value``.
    """
    whole = model.graph
    graph = dataclasses.replace(whole, inputs=(*whole.inputs, place))

    def rest(params: Any, state: Any, x: Any, value: Any) -> Any:
        return graph.apply(params, state, (x, value), policy=model.policy)[0]

    return rest


_MOST_PROGRAMS = 64


def program(model: Model, name: Hashable, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function``, compiled once for a model as it is now: the second question is answered at once.

    Programs are kept by the model itself, so that they go with it even where they close over it.

    Args:
        model: Whose graph and policy ``function`` closes over.
        name: What tells this function from the model's others.
        function: A pure function of arrays.
    """
    kept, key = model._inspections, (name, model.policy)
    # The graph itself is kept beside its program: an id alone may come back with another graph.
    graph, compiled = kept.pop(key, (None, None))
    if graph is not model.graph:
        compiled = compile_function(function)
    kept[key] = (model.graph, compiled)
    if len(kept) > _MOST_PROGRAMS:
        kept.pop(next(iter(kept)))  # the one that was not asked for longest
    return compiled
