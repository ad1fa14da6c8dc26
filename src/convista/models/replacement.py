"""A network with another end or another beginning: a new head, or an input that is standardised first."""

from __future__ import annotations

import dataclasses

from convista import arguments
from convista.errors import ArgumentError
from convista.layers import (
    Dense,
    Dropout,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    Layer,
    Normalization,
)
from convista.layers.inference import Node
from convista.layers.preprocessing import StoredNormalization
from convista.models.freezing import head, joint
from convista.models.graph import Graph
from convista.models.model import Model

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of red, green and blue, 0…1, that torchvision's published weights were learned with."""

_POOLINGS = {2: GlobalAveragePooling1D, 3: GlobalAveragePooling2D, 4: GlobalAveragePooling3D}


def with_new_head(
    model: Model, classes: int, *, activation: str | None = "softmax", dropout: float = 0.0, seed: int | None = None
) -> Model:
    """Return a model with the weights of another up to its features, and a new Dense layer for other classes.

    The features are what the last ``Flatten`` or global pooling makes; a network without classifier
    (``include_top=False``) gives its outputs, feature maps as their means. The given model stays as it is.

    Args:
        model: What the features come from.
        classes: How many classes to tell apart.
        activation: Of the new layer; ``None`` leaves logits.
        dropout: Share of the features dropped in training.
        seed: Of the new weights; ``None`` is the model's own.

    Returns:
        The new model, not compiled, with the preprocessing and the provenance of the first.

    Raises:
        ArgumentError: The model has several outputs, or nothing before its last layer with weights.

    Example:
        >>> from convista import architectures
        >>> model = with_new_head(architectures.resnet18((32, 32, 3), 10, small_pictures=True), 3)
        >>> model.output_shape, model.layers[-1].name
        ((None, 3), 'head')

    Source: lecture 004.
    """
    arguments.integer(classes, "classes", where="with_new_head")
    graph = model.graph
    if len(graph.outputs) != 1:
        raise ArgumentError(
            "a head is put on one output", where="with_new_head", received=f"a model with {len(graph.outputs)} outputs"
        )
    nodes = _ancestors(graph, _features(graph))
    shape = graph.shapes()[_features(graph)]
    fresh: list[Layer] = [_POOLINGS[len(shape)](name="head_pooling")] if len(shape) > 1 else []
    if dropout:
        fresh.append(Dropout(dropout, name="head_dropout"))
    fresh.append(Dense(classes, activation=activation, name="head"))
    taken = {node.name for node in nodes}
    for layer in fresh:
        name = _free(str(layer.name), taken)
        nodes.append(Node(name, dataclasses.replace(layer, name=name), (len(nodes) - 1,)))
    inputs = tuple(place for place, node in enumerate(nodes) if not node.inputs)
    result = Model.__new__(Model)
    result._begin(Graph(tuple(nodes), inputs, (len(nodes) - 1,)), model.name, model.seed if seed is None else seed)
    params, state = (dict(tree) for tree in (result.params, result.state))
    for name in {node.name for node in nodes}:
        params |= {name: model.params[name]} if name in model.params else {}
        state |= {name: model.state[name]} if name in model.state else {}
    result._take_weights(params, state)
    result.preprocessing, result.provenance = model.preprocessing, model.provenance
    return result


def with_standardized_input(
    model: Model, mean: tuple[float, ...] = IMAGENET[0], deviation: tuple[float, ...] = IMAGENET[1]
) -> Model:
    """Return a model that first brings each channel to ``(x − mean) / deviation``, with the weights of another.

    Published weights of torchvision were learned on pictures of 0…1 that were standardised so; without it their
    features are others. As a layer it is saved with the model and cannot be forgotten in use.

    Args:
        model: A model with one input, which stays as it is.
        mean: One number a channel, on the scale of 0…1.
        deviation: Likewise, above 0.

    Returns:
        The new model, not compiled, with the weights, classes, preprocessing and provenance of the first.

    Raises:
        ArgumentError: It has several inputs or other channels, or standardises its input already.

    Example:
        >>> from convista import architectures
        >>> model = with_standardized_input(architectures.lenet5((32, 32, 3), 10))
        >>> model.layers[0].name, model.count_params() == architectures.lenet5((32, 32, 3), 10).count_params()
        ('standardization', True)

    Source: torchvision's documentation, «Models and pre-trained weights»; lecture 004.
    """
    graph = model.graph
    _check_standardizable(graph, mean, deviation)
    place = graph.inputs[0]
    name = _free("standardization", {node.name for node in graph.nodes})
    layer = Normalization(mean=tuple(mean), variance=tuple(one * one for one in deviation), name=name)
    moved = [
        dataclasses.replace(node, inputs=tuple(spot + (spot >= place) for spot in node.inputs)) for node in graph.nodes
    ]
    nodes = (*moved[: place + 1], Node(name, layer, (place,)), *moved[place + 1 :])
    result = Model.__new__(Model)
    outputs = tuple(spot + (spot >= place) for spot in graph.outputs)
    result._begin(Graph(nodes, graph.inputs, outputs), model.name, model.seed)
    result._take_weights(model.params, model.state)
    result.classes, result.preprocessing, result.provenance = model.classes, model.preprocessing, model.provenance
    return result


def _check_standardizable(graph: Graph, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
    channels = len(mean)
    shapes = [graph.shapes()[place] for place in graph.inputs]
    if len(shapes) != 1 or shapes[0][-1] != channels or len(deviation) != channels or not all(d > 0 for d in deviation):
        raise ArgumentError(
            f"each of {channels} channels has a mean and a deviation above 0",
            where="with_standardized_input",
            received=f"inputs of {', '.join(map(str, shapes))}, {len(deviation)} deviations",
            fix="Give mean and deviation with one number for each channel of the one input",
        )
    own = next((node.name for node in graph.nodes if isinstance(node.layer, Normalization | StoredNormalization)), None)
    if own is not None:
        raise ArgumentError(
            "an input is standardised once",
            where="with_standardized_input",
            received=f"a model whose {own!r} does so",
            fix="Use the model as it is",
        )


def _free(name: str, taken: set[str]) -> str:
    return next(
        text for text in (name, *(f"{name}_{number}" for number in range(1, len(taken) + 2))) if text not in taken
    )


def _features(graph: Graph) -> int:
    """Return the place of the node whose output are the features."""
    place = joint(graph)
    if place is None:
        place = graph.outputs[0]
        if len(graph.shapes()[place]) == 1:
            last = head(graph)
            dense = [node for node in graph.nodes if node.name in last and isinstance(node.layer, Dense)]
            place = dense[0].inputs[0] if dense else place
    counts = graph.parameter_counts()
    if not any(sum(counts.get(node.name, (0, 0))) for node in _ancestors(graph, place)):
        raise ArgumentError(
            "a backbone has weights",
            where="with_new_head",
            received="a model without weights before its last layer",
            fix="Build a new model instead",
        )
    return place


def _ancestors(graph: Graph, place: int) -> list[Node]:
    """Return what a node depends on and the node itself, as a graph of its own."""
    needed, waiting = set(), [place]
    while waiting:
        spot = waiting.pop()
        if spot not in needed:
            needed.add(spot)
            waiting.extend(graph.nodes[spot].inputs)
    order = {spot: number for number, spot in enumerate(sorted(needed))}
    return [
        dataclasses.replace(graph.nodes[spot], inputs=tuple(order[before] for before in graph.nodes[spot].inputs))
        for spot in order
    ]
