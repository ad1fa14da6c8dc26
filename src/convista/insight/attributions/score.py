"""The number that an attribution explains: what a network says for one class, before the last activation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.errors import ShapeError
from convista.insight.class_names import class_names, class_number
from convista.insight.inspection import ending_at, program, values
from convista.layers.activation import Activation, ReLU, Softmax
from convista.layers.base import Layer
from convista.layers.regularization import Dropout
from convista.layers.reshaping import Flatten, Reshape
from convista.models.graph import Graph
from convista.ops import activation as activations
from convista.training.losses import BinaryCrossentropy

if TYPE_CHECKING:
    from convista.models.model import Model

Rows = Callable[[int, int], np.ndarray]
"""Inputs ``first`` to ``last`` of many, made when they are needed: ``(last − first, …)``."""

SQUASHING = ("softmax", "log_softmax", "sigmoid")
"""The last activations that make probabilities of logits."""

_MOST_ROWS = 64
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class Score:
    """One number that a network gives, as a function of its input: ``direction · outputs(x)``.

    Args:
        model: Whose programs are kept.
        graph: The network up to the score, its last activation left out.
        target: The number of the class.
        label: Its name.
        explained: What the number is, such as ``"logit before softmax"``.
        probability: How probable the network finds the class; ``None`` if its answers are no probabilities.
        direction: ``(outputs,)``: 1 at the class, −1 for the first of two classes with one output.
        params: What the network has learned.
        state: What it keeps.
    """

    model: Model
    graph: Graph
    target: int
    label: str
    explained: str
    probability: float | None
    direction: np.ndarray
    params: Any
    state: Any

    def values(self, rows: Rows, count: int) -> np.ndarray:
        """Return the score of many inputs, float64 ``(count,)``; only so many are held at a time as memory allows."""
        run = program(self.model, "score", _scores(self.graph, self.model.policy))
        parts = [
            np.asarray(run(self.params, self.state, batch, self.direction), np.float64)[:kept]
            for batch, kept in self._batches(rows, count, 1)
        ]
        return np.concatenate(parts)

    def of(self, x: np.ndarray) -> float:
        """Return the score of one input ``(1, …)``."""
        return float(self.values(lambda first, last: x, 1)[0])

    def gradients(self, rows: Rows, count: int, weights: np.ndarray, *, guided: bool = False) -> np.ndarray:
        """Return ``Σ weights · ∂score/∂x`` over many inputs, float32 ``(…)``.

        Args:
            rows: The inputs.
            count: How many.
            weights: ``(count,)``.
            guided: Whether relus also hold back what is negative in the gradient.
        """
        graph = guided_graph(self.graph) if guided else self.graph
        run = program(self.model, ("gradient of the score", guided), _gradients(graph, self.model.policy))
        total: Any = 0.0
        done = 0
        for batch, kept in self._batches(rows, count, 2):
            found = np.asarray(run(self.params, self.state, batch, self.direction), np.float64)[:kept]
            total = total + np.tensordot(weights[done : done + kept], found, 1)
            done += kept
        return np.asarray(total, np.float32)

    def inside(self, x: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what a node gives for one input, and the gradient of the score with respect to it, both ``(…)``."""
        run = program(self.model, ("gradient inside", place), _inner_gradient(self.graph, place, self.model.policy))
        value, gradient = run(self.params, self.state, x, self.direction)
        return np.asarray(value, np.float32)[0], np.asarray(gradient, np.float32)[0]

    def _batches(self, rows: Rows, count: int, copies: int):
        """Yield batches of one size, the last filled up with its last row, and how many of its rows count."""
        limit = _rows_at_once(self.graph, rows(0, 1).shape[1:], copies)
        size = -(-count // -(-count // limit))
        for first in range(0, count, size):
            batch = rows(first, min(first + size, count))
            missing = size - len(batch)
            yield np.concatenate([batch, np.repeat(batch[-1:], missing, 0)]) if missing else batch, len(batch)


def score_of(model: Model, x: np.ndarray, target: int | str | None, where: str) -> Score:
    """Return the score of a class.

    The logit is found where the last step is ``softmax``, ``log_softmax`` or ``sigmoid``: an activation of the last
    layer with weights, or a layer of its own; layers that only pass values on, such as ``Flatten`` or ``Dropout``, may
    follow. Any other last step is explained as it is, and ``explained`` says so.

    With one output, class 1 is the output itself, and for classes class 0 is its negative.

    Args:
        model: The model, with one output ``(N, outputs)``.
        x: One prepared input ``(1, …)``.
        target: The number or the name of a class; ``None`` is the class that the model predicts.
        where: The verb, for messages.

    Raises:
        ShapeError: The model's answer is not one number for each class.
        ArgumentError: There is no such class.
    """
    shape = model.output_shape[1:]
    if len(shape) != 1 or shape[0] is None:
        raise ShapeError(
            "the answer that is explained is one number for each class",
            where=where,
            received=f"a model with outputs of shape {model.output_shape}",
            fix="Explain a model that ends in a global pooling or a Dense layer",
        )
    graph, ending = without_last_activation(model.graph)
    outputs = values(model, x, model.graph.outputs)[0]
    rows = probabilities_of(model, outputs)
    probabilities = None if rows is None else rows[0]
    answers = outputs[0] if probabilities is None else probabilities
    classes = class_names(model, len(answers))
    number = int(answers.argmax()) if target is None else class_number(target, classes, "target", where)
    direction = np.zeros(shape[0], np.float32)
    if shape[0] < len(answers):
        direction[0] = 1 if number else -1
    else:
        direction[number] = 1
    return Score(
        model,
        graph,
        number,
        classes[number],
        _explained(ending, known=probabilities is not None),
        None if probabilities is None else float(probabilities[number]),
        direction,
        model.params,
        model.state,
    )


def probabilities_of(model: Model, answers: np.ndarray) -> np.ndarray | None:
    """Return the probability of each class, of both classes for one output, as far as the model tells.

    What the answers are is read from the last activation, the loss and the classes, never from their values.

    Args:
        model: The model.
        answers: ``(N, outputs)``, what it gave.

    Returns:
        float64 ``(N, classes)``; ``None`` if the answers are not known to be probabilities or logits.
    """
    _, ending = without_last_activation(model.graph)
    already, answers = ending in SQUASHING, answers.astype(np.float64)
    squashing = ending if already else _taken_for(model, answers.shape[1], ending)
    if squashing is None:
        return None
    if squashing == "log_softmax":
        return np.exp(answers)
    found = answers if already else squashed(answers, squashing)
    return np.concatenate([1 - found, found], axis=1) if squashing == "sigmoid" and found.shape[1] == 1 else found


def squashed(logits: np.ndarray, squashing: str) -> np.ndarray:
    """Return the softmax of each row, or the sigmoid of each number.

    Example:
        >>> squashed(np.zeros((1, 2)), "softmax").tolist()
        [[0.5, 0.5]]
    """
    if squashing == "sigmoid":
        return 0.5 * (1 + np.tanh(0.5 * logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def without_last_activation(graph: Graph) -> tuple[Graph, str | None]:
    """Return a network without its last softmax or sigmoid, and the name of its last activation.

    Args:
        graph: The network.

    Returns:
        The graph, unchanged if it ends in something else, and the name: ``"linear"`` for none, ``None`` for a function
        of the user's own. A softmax over other axes than the channels chooses no class: it stays, and its name says so.

    Example:
        >>> from convista import Sequential
        >>> from convista.layers import Dense
        >>> without_last_activation(Sequential([Dense(3, activation="softmax", input_shape=(4,))]).graph)[1]
        'softmax'
    """
    place = graph.outputs[0]
    while _passes_on(graph.nodes[place].layer) and graph.nodes[place].inputs:
        place = graph.nodes[place].inputs[0]
    layer: Any = graph.nodes[place].layer
    name: str | None = layer.activation_name
    if isinstance(layer, Softmax) and layer.axis not in (-1, len(graph.shapes()[place])):
        return graph, f"softmax over axis {layer.axis}"
    if name not in SQUASHING:
        return graph, name
    if isinstance(layer, Softmax):
        plain: Layer = Activation("linear")
    else:
        plain = dataclasses.replace(layer, activation="linear")
    return _with_layers(graph, {place: plain}), name


def guided_graph(graph: Graph) -> Graph:
    """Return a network whose relus let only positive gradients back; what it computes is the same.

    Relus are ``activation="relu"`` or ``"relu6"`` of any layer, and ``ReLU`` without a slope. Other activations keep
    their own gradients.

    Source: J. Springenberg et al., «Striving for simplicity: the all convolutional net», 2014.
    """
    changed: dict[int, Layer] = {}
    for place, node in enumerate(graph.nodes):
        layer: Any = node.layer
        if isinstance(layer, ReLU) and layer.negative_slope == 0.0:
            changed[place] = Activation(_guided(_function(layer)))
        elif hasattr(layer, "activation") and layer.activation_name in ("relu", "relu6"):
            changed[place] = dataclasses.replace(layer, activation=_guided(activations.get(layer.activation)))
    return _with_layers(graph, changed)


def sized(graph: Graph, shape: tuple[int, ...]) -> Graph:
    """Return a network whose input has this shape, without sizes that vary."""
    place = graph.inputs[0]
    layer: Any = graph.nodes[place].layer
    return _with_layers(graph, {place: dataclasses.replace(layer, shape=shape)})


def _with_layers(graph: Graph, layers: dict[int, Layer]) -> Graph:
    nodes = tuple(
        dataclasses.replace(node, layer=layers.get(place, node.layer)) for place, node in enumerate(graph.nodes)
    )
    return dataclasses.replace(graph, nodes=nodes)


def _passes_on(layer: Layer) -> bool:
    if isinstance(layer, Activation):
        return layer.activation_name == "linear"
    return isinstance(layer, Flatten | Reshape | Dropout)


def _function(layer: ReLU) -> activations.Activation:
    return lambda x: layer.apply({}, {}, x, training=False, key=None)[0]


def _guided(function: activations.Activation) -> activations.Activation:
    """Return the same function, whose gradient is its own for what is positive in the gradient that arrives."""

    @jax.custom_vjp
    def guided(x: jax.Array) -> jax.Array:
        return function(x)

    def backward(x: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
        (result,) = jax.vjp(function, x)[1](jnp.maximum(gradient, jnp.zeros_like(gradient)))
        return (result,)

    guided.defvjp(lambda x: (function(x), x), backward)
    return guided


def _scores(graph: Graph, policy: str) -> Callable[..., Any]:
    def run(params: Any, state: Any, batch: Any, direction: Any) -> Any:
        return graph.apply(params, state, batch, policy=policy)[0] @ direction

    return run


def _gradients(graph: Graph, policy: str) -> Callable[..., Any]:
    scores = _scores(graph, policy)

    def run(params: Any, state: Any, batch: Any, direction: Any) -> Any:
        # Rows do not see each other outside of training, so the gradient of the sum is each row's own.
        return jax.grad(lambda x: jnp.sum(scores(params, state, x, direction)))(batch)

    return run


def _inner_gradient(graph: Graph, place: int, policy: str) -> Callable[..., Any]:
    before = ending_at(graph, (place,), policy)
    after = dataclasses.replace(graph, inputs=(*graph.inputs, place))

    def run(params: Any, state: Any, x: Any, direction: Any) -> Any:
        value = before.apply(params, state, x, policy=policy)[0]
        rest = jax.grad(lambda cell: jnp.sum(after.apply(params, state, (x, cell), policy=policy)[0] @ direction))
        return value, rest(value)

    return run


def _rows_at_once(graph: Graph, shape: tuple[int, ...], copies: int) -> int:
    cells = sum(math.prod(size or 0 for size in each) for each in sized(graph, shape).shapes())
    return max(1, min(_MOST_ROWS, _MOST_BYTES // (4 * copies * max(cells, 1))))


def _taken_for(model: Model, outputs: int, ending: str | None) -> str | None:
    """Return what makes probabilities of plain numbers, if the loss or the classes tell that they are logits."""
    loss = model.loss if model.compiled else None
    if ending != "linear" or not (model.classes or getattr(loss, "from_logits", False)):
        return None
    return "sigmoid" if outputs == 1 or isinstance(loss, BinaryCrossentropy) else "softmax"


def _explained(ending: str | None, *, known: bool) -> str:
    if ending in SQUASHING:
        return f"logit before {ending}"
    if ending == "linear":
        return "logit" if known else "output"
    return "output after a function of your own" if ending is None else f"output after {ending}"
