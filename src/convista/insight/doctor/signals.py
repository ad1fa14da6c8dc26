"""The values of every layer and the gradients of every kernel, as a few numbers each, over many examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.insight.inspection import ending_at, program
from convista.kernels.compiler import compile_function
from convista.layers.inference import Node
from convista.models.graph import Graph

if TYPE_CHECKING:
    from convista.models.model import Model

_AT_A_TIME = 50
_MOST_FOR_GRADIENTS = 200
# Where the slope of sigmoid and tanh is below a twentieth of its largest value: a layer there passes on nothing.
FLAT_SIGMOID, FLAT_TANH = 0.0125, 0.975
_TINY = 1e-12


@dataclass(frozen=True)
class Signal:
    """What one layer gave for all examples.

    Args:
        name: The layer.
        size: Root of the mean square of its values.
        highest: The largest absolute value of each channel, (C,).
        flat: Share of the values in the flat ends of its sigmoid or tanh; 0 for other layers.
        finite: Whether all values are finite.
    """

    name: str
    size: float
    highest: np.ndarray
    flat: float
    finite: bool


@dataclass(frozen=True, eq=False)
class Body:
    """A network with weights: the user's, or a changed copy.

    Args:
        graph: The network.
        params: What it learned.
        state: What it keeps.
        policy: In which precision it computes.
        model: Whose network it is, if it is unchanged: then its programs are compiled once.
    """

    graph: Graph
    params: Any
    state: Any
    policy: str
    model: Model | None = None

    @classmethod
    def of(cls, model: Model) -> Body:
        """Return the model's own."""
        return cls(model.graph, model.params, model.state, model.policy, model)

    def anew(self, seed: int, graph: Graph | None = None) -> Body:
        """Return a copy with new weights, of another graph if one is given."""
        graph = self.graph if graph is None else graph
        params, state = graph.init(jax.random.key(seed))
        return dataclasses.replace(
            self, graph=graph, params=params, state=state, model=self.model if graph is self.graph else None
        )

    def compiled(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of this graph, compiled; for the user's own network only once."""
        return compile_function(function) if self.model is None else program(self.model, ("doctor", name), function)


def signals(body: Body, x: np.ndarray, *, training: bool = False) -> list[Signal]:
    """Measure the values of every node, in order, inputs first.

    Args:
        body: The network.
        x: float32 (N, …), prepared.
        training: Whether batch normalisation uses the batch, as before anything was learned.
    """
    graph, policy = body.graph, body.policy
    everything = ending_at(graph, tuple(range(len(graph.nodes))), policy)

    def measure(params: Any, state: Any, part: Any) -> Any:
        key = jax.random.key(0) if training else None
        found = everything.apply(params, state, part, training=training, key=key, policy=policy)[0]
        return [_numbers(node, value) for node, value in zip(graph.nodes, found, strict=True)]

    run = body.compiled(f"signals {training}", measure)
    parts = [
        [
            {name: rows[seen:] for name, rows in node.items()}
            for node in jax.device_get(run(body.params, body.state, part))
        ]
        for part, seen in _parts(x, len(x))
    ]
    return [_joined(node.name, [part[place] for part in parts]) for place, node in enumerate(graph.nodes)]


def _parts(x: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the first examples in parts of one size, so that one program serves all, and how many were seen before.

    The last part overlaps with the one before.
    """
    count = min(len(x), most)
    size = min(_AT_A_TIME, count)
    for first in range(0, count, size):
        begin = min(first, count - size)
        yield x[begin : begin + size], first - begin


def _numbers(node: Node, value: jax.Array) -> dict[str, jax.Array]:
    """Return the numbers of each example by itself."""
    value = value.astype(jnp.float32)
    inside = tuple(range(1, value.ndim))
    flat = jnp.zeros_like(value, bool)
    if node.layer.activation_name == "sigmoid":
        flat = (value < FLAT_SIGMOID) | (value > 1 - FLAT_SIGMOID)
    elif node.layer.activation_name == "tanh":
        flat = jnp.abs(value) > FLAT_TANH
    return {
        "square": jnp.mean(value * value, axis=inside),
        "highest": jnp.max(jnp.abs(value), axis=inside[:-1]),
        "flat": jnp.mean(flat, axis=inside, dtype=jnp.float32),
        "finite": jnp.all(jnp.isfinite(value), axis=inside),
    }


def _joined(name: str, rows: list[dict[str, Any]]) -> Signal:
    square, highest, flat, finite = (
        np.concatenate([row[number] for row in rows]) for number in ("square", "highest", "flat", "finite")
    )
    return Signal(
        name,
        float(np.sqrt(np.mean(square, dtype=np.float64))),
        highest.max(axis=0),
        float(np.mean(flat)),
        bool(finite.all()),
    )


def relative_gradients(body: Body, loss: Callable[..., Any], x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return ``|∂loss/∂kernel| / |kernel|`` of each layer that learns, for the mean loss of up to 200 examples.

    Args:
        body: The network.
        loss: Per-example loss ``(y_true, y_pred) -> (N,)``.
        x: float32 (N, …), prepared.
        y: The targets.
    """
    graph, policy = body.graph, body.policy

    def total(params: Any, state: Any, part: Any, target: Any, weights: Any) -> Any:
        predicted, _ = graph.apply(params, state, part, training=True, key=jax.random.key(0), policy=policy)
        return jnp.sum(loss(target, predicted) * weights)

    slope = body.compiled(f"gradients {loss!r}", jax.grad(total))
    most = min(len(x), _MOST_FOR_GRADIENTS)
    found = []
    for (part, seen), (target, _) in zip(_parts(x, most), _parts(y, most), strict=True):
        weights = (np.arange(len(part)) >= seen).astype(np.float32) / most
        found.append(slope(body.params, body.state, part, target, weights))
    result = {}
    for name in graph.layers:
        if name in graph.frozen or "kernel" not in body.params.get(name, {}):
            continue
        mean = np.sum([np.asarray(one[name]["kernel"], np.float64) for one in found], axis=0)
        length = float(np.linalg.norm(np.asarray(body.params[name]["kernel"], np.float64)))
        result[name] = float(np.linalg.norm(mean)) / max(length, _TINY)
    return result
