"""What is wrong with the values inside a network: dead channels, flat ends, signals that explode or vanish."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.patient import Patient
from convista.insight.doctor.signals import Body, Signal, relative_gradients, signals
from convista.insight.doctor.surgery import normalized, swapped, with_layers
from convista.insight.judgement import class_probabilities
from convista.layers import Activation, BatchNormalization, Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from convista.layers.base import Layer
from convista.layers.inference import Node
from convista.models.graph import Graph
from convista.training.losses import EPSILON

_TINY = 1e-30
_TRIED = 200
_TRANSPOSED = (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)


def dead_channels(patient: Patient) -> Iterator[Finding]:
    """Find channels of relu layers that are 0 on all examples."""
    graph = patient.graph
    for place, (node, signal) in enumerate(zip(graph.nodes, patient.signals, strict=True)):
        if node.layer.activation_name != "relu" or not node.inputs:
            continue
        dead = np.flatnonzero(signal.highest == 0)
        share = len(dead) / len(signal.highest)
        if share <= patient.limits.dead_share:
            continue
        noun = "channels" if len(graph.shapes()[place]) > 1 else "units"
        count = f"{len(dead)} of {len(signal.highest)} {noun}"
        yield Finding(
            "dead channels",
            "error" if share == 1 else "warning",
            node.name,
            Evidence(
                f"{count} of {node.where} are 0 on all {len(patient.x):,} examples.",
                {"dead": dead.tolist(), "channels": len(signal.highest), "examples": len(patient.x)},
            ),
            "They compute and say nothing, and as their gradient is 0 they never learn again."
            + (" Nothing passes this layer." if share == 1 else ""),
            _revived(patient, node.name, dead, count),
        )


def _revived(patient: Patient, name: str, dead: np.ndarray, count: str) -> Fix:
    """Draw the weights of dead channels anew in a copy and see how many answer."""
    advice = "Draw the weights of these channels anew and train on with a smaller learning rate"
    model, graph = patient.model, patient.graph
    if "kernel" not in model.params.get(name, {}):
        return Fix(f"{advice}, or use LeakyReLU.")
    layer, fresh = graph.layers[name], graph.init(jax.random.key(patient.seed))[0][name]
    own = {key: np.array(value) for key, value in model.params[name].items()}
    for key, value in own.items():
        _by_channel(layer, value)[..., dead] = _by_channel(layer, np.asarray(fresh[key]))[..., dead]
    params = {**model.params, name: {key: jnp.asarray(value) for key, value in own.items()}}
    after = _of(signals(dataclasses.replace(patient.body, params=params), patient.x), name)
    alive = int((after.highest[dead] > 0).sum())
    return Fix(f"{advice}.", f"of {count}, {alive} answer with new weights." if alive else "")


def _by_channel(layer: Layer, array: np.ndarray) -> np.ndarray:
    """Return a view of a kernel or bias whose last axis is the channels that the layer makes."""
    if array.ndim == 1:
        return array
    if hasattr(layer, "depth_multiplier"):  # (*window, channels, multiplier): the output is both, multiplier fastest
        return array.reshape(*array.shape[:-2], -1)
    return array.swapaxes(-1, -2) if isinstance(layer, _TRANSPOSED) else array


def saturation(patient: Patient) -> Iterator[Finding]:
    """Find hidden sigmoid and tanh layers in their flat ends."""
    graph = patient.graph
    for place, (node, signal) in enumerate(zip(graph.nodes, patient.signals, strict=True)):
        kind = node.layer.activation_name
        if kind not in ("sigmoid", "tanh") or place in graph.outputs or signal.flat <= patient.limits.saturated_share:
            continue
        yield Finding(
            "saturated activations",
            "warning",
            node.name,
            Evidence(
                f"{signal.flat:.0%} of the values of {node.where} lie in the flat ends of {kind}, where its slope is "
                f"below a twentieth of the largest.",
                {"share": signal.flat, "activation": kind, "examples": len(patient.x)},
            ),
            "Hardly any gradient passes: the layers before it stop to learn.",
            _unsaturated(patient, node, kind),
        )


def _unsaturated(patient: Patient, node: Node, kind: str) -> Fix:
    """Draw weights anew, with inputs as they are, and see whether the layer leaves the flat ends."""
    advice = f"Begin with new weights and scaled inputs, or use relu in place of {kind}"
    x = (patient.x - patient.x.mean()) / max(float(patient.x.std()), _TINY)
    after = _of(signals(patient.body.anew(patient.seed), x), node.name)
    if after.flat > patient.limits.saturated_share:
        return Fix(f"{advice}.")
    return Fix(f"{advice}.", f"with new weights and inputs of mean 0 and deviation 1, {after.flat:.0%} lie there.")


def mute_examples(patient: Patient) -> Iterator[Finding]:
    """Find examples whose softmax is so sure of another class that their loss has no gradient."""
    patient.targets()
    labels = patient.labels
    last = patient.graph.nodes[patient.graph.outputs[0]]
    if last.layer.activation_name != "softmax" or getattr(patient.model.loss, "from_logits", True):
        raise NotChecked("the network does not end with a softmax whose logarithm the loss takes")
    if getattr(patient.model.loss, "label_smoothing", 0):
        return  # then the loss looks at all probabilities, and some of them have a slope
    own = patient.probabilities[np.arange(len(labels)), labels]
    # Where the loss cuts probabilities off its slope is exactly 0.
    mute = np.flatnonzero((own < EPSILON) & (patient.probabilities.argmax(axis=1) != labels))
    if len(mute) / len(labels) <= patient.limits.mute_share:
        return
    yield Finding(
        "saturated softmax",
        "warning",
        last.name,
        Evidence(
            f"{len(mute)} of {len(labels):,} examples are wrong, with a probability of their class below 1e-7, where "
            "the loss is cut off and its gradient is exactly 0.",
            {"mute": patient.sample.places[mute].tolist(), "examples": len(labels)},
        ),
        "The network is surely wrong on them and never learns from it.",
        Fix(
            "Leave the last activation out and use a loss with from_logits=True; scale the inputs and lower the "
            "learning rate.",
            _with_logits(patient, mute),
        ),
    )


def _with_logits(patient: Patient, mute: np.ndarray) -> str:
    """Compute the gradient of the same examples from the logits: probability minus truth, never 0 where it is wrong."""
    chosen = patient.probabilities[mute]
    truth = np.eye(chosen.shape[1])[patient.labels[mute]]
    reached = int((np.abs(chosen - truth).max(axis=1) > 0).sum())
    return f"taken from the logits, the gradient of {reached} of these {len(mute)} examples is not 0."


def activation_sizes(patient: Patient) -> Iterator[Finding]:
    """Find values that grow or shrink beyond bounds on their way, or are no numbers at all."""
    graph, limits = patient.graph, patient.limits
    found = patient.signals
    broken = next((signal for signal in found if not signal.finite), None)
    if broken is not None:
        yield Finding(
            "values that are not finite",
            "error",
            broken.name,
            Evidence(f"{broken.name!r} gives NaN or infinity.", {"layer": broken.name}),
            "All that follows is NaN; nothing can be learned or predicted.",
            Fix("Look at the weights of this layer; train again with a learning rate ten times smaller."),
        )
        return
    # The input counts as at least 1: what it lacks in scale is a finding of its own.
    start = max(found[graph.inputs[0]].size, 1.0)
    sizes = {
        signal.name: signal.size
        for place, signal in enumerate(found)
        if place not in graph.inputs and place not in graph.outputs and not _is_front(graph, place)
    }
    sizes |= {found[place].name: found[place].size for place in graph.outputs if _is_linear(graph.nodes[place])}
    large = next((name for name, size in sizes.items() if size > start * limits.activation_growth), None)
    small = next(
        (name for name, size in sizes.items() if 0 < size < _floor(found, graph) / limits.activation_growth), None
    )
    if large is not None:
        yield _size_finding(patient, large, sizes[large], start, "exploding activations")
    elif small is not None:
        yield _size_finding(patient, small, sizes[small], _floor(found, graph), "vanishing activations")


def _floor(found: list[Signal], graph: Graph) -> float:
    return min(found[graph.inputs[0]].size, 1.0)


def _is_front(graph: Graph, place: int) -> bool:
    """Whether only layers without weights lie between the input and this node, such as Rescaling."""
    counts = graph.parameter_counts()
    waiting = [place]
    while waiting:
        spot = waiting.pop()
        if sum(counts.get(graph.nodes[spot].name, (0, 0))):
            return False
        waiting.extend(graph.nodes[spot].inputs)
    return True


def _is_linear(node: Node) -> bool:
    return node.layer.activation_name == "linear"


def _size_finding(patient: Patient, name: str, size: float, start: float, kind: str) -> Finding:
    grows = kind.startswith("exploding")
    times = size / start if grows else start / size
    trail = {signal.name: round(signal.size, 6) for signal in patient.signals}
    return Finding(
        kind,
        "warning",
        name,
        Evidence(
            f"The values of {name!r} have a root mean square of {size:.3g}, {times:.3g} times "
            f"{'larger' if grows else 'smaller'} than at the input ({start:.3g}).",
            {"sizes": trail, "layer": name, "ratio": times},
        ),
        "Softmax and sigmoid saturate, and steps of any length are wrong for some layer."
        if grows
        else "What tells examples apart drowns; the last layers see almost the same for all of them.",
        _healthy(patient, kind),
    )


def _healthy(patient: Patient, kind: str) -> Fix:
    """Try new weights, then other activations and normalisation, and measure again."""
    growth = patient.limits.activation_growth
    for text, graph in _cures(patient.graph):
        body = patient.body.anew(patient.seed, graph)
        found = signals(body, patient.x[:_TRIED], training=True)
        inner = [signal.size for place, signal in enumerate(found) if place not in (*graph.inputs, *graph.outputs)]
        ceiling, floor = max(found[graph.inputs[0]].size, 1.0) * growth, _floor(found, graph) / growth
        if np.isfinite(inner).all() and max(inner) <= ceiling and min(inner) >= floor:
            return Fix(text, f"the sizes of all layers stayed between {min(inner):.2g} and {max(inner):.2g}.")
    return Fix("Scale the inputs, use BatchNormalization behind every convolution, and begin with new weights.")


def _of(found: list[Signal], name: str) -> Signal:
    return next(signal for signal in found if signal.name == name)


def _cures(graph: Graph) -> Iterator[tuple[str, Graph]]:
    yield "Begin again with new weights.", graph
    changed = {
        node.name: {"activation": "relu", "kernel_initializer": "he_normal"}
        for place, node in enumerate(graph.nodes)
        if node.layer.activation_name in ("sigmoid", "tanh")
        and hasattr(node.layer, "kernel_initializer")
        and place not in graph.outputs
    }
    if changed:
        yield (
            'Use activation="relu" and kernel_initializer="he_normal" in the hidden layers.',
            with_layers(graph, changed),
        )
    initialized = {
        node.name: {"kernel_initializer": "he_normal"}
        for place, node in enumerate(graph.nodes)
        if hasattr(node.layer, "kernel_initializer") and place not in graph.outputs
    }
    yield 'Use kernel_initializer="he_normal" in the hidden layers.', with_layers(graph, initialized)
    yield "Put BatchNormalization behind every hidden layer with weights.", normalized(graph)


def gradient_sizes(patient: Patient) -> Iterator[Finding]:
    """Find layers whose gradient is far smaller or larger, for their weights, than that of the others."""
    y = patient.targets()
    steps = relative_gradients(patient.body, patient.model.loss, patient.x, y)
    if len(steps) < 2:
        raise NotChecked("needs at least two layers that learn")
    weakest, strongest = min(steps, key=lambda name: steps[name]), max(steps, key=lambda name: steps[name])
    ratio = steps[strongest] / max(steps[weakest], _TINY)
    if ratio <= patient.limits.gradient_ratio:
        return
    order = list(steps)
    vanishing = order.index(weakest) < order.index(strongest)
    yield Finding(
        "vanishing gradients" if vanishing else "exploding gradients",
        "warning",
        weakest if vanishing else strongest,
        Evidence(
            f"For its size, the kernel of {weakest!r} has a gradient {ratio:.2g} times smaller than that of "
            f"{strongest!r} ({steps[weakest]:.2g} against {steps[strongest]:.2g}, for the mean loss of up to "
            "200 examples).",
            {"relative_gradients": steps, "ratio": ratio},
        ),
        f"With one learning rate for all, {weakest!r} stays as it was drawn while {strongest!r} learns."
        if vanishing
        else f"A learning rate that suits {weakest!r} throws {strongest!r} about.",
        _even(patient, y),
    )


def _even(patient: Patient, y: np.ndarray) -> Fix:
    """Try new weights, other activations, normalisation; take the first after which the gradients are even."""
    for text, graph in _cures(patient.graph):
        steps = relative_gradients(patient.body.anew(patient.seed, graph), patient.model.loss, patient.x, y)
        ratio = max(steps.values()) / max(min(steps.values()), _TINY)
        if ratio <= patient.limits.gradient_ratio:
            return Fix(text, f"the largest and the smallest relative gradient were {ratio:.2g} times apart.")
    return Fix("Use relu and BatchNormalization, or paths around layers as in a ResNet.")


def moving_statistics(patient: Patient) -> Iterator[Finding]:
    """Give a copy's batch normalisation the statistics of the sample and see whether it is right more often."""
    graph, labels = patient.graph, patient.labels
    names = [name for name, layer in graph.layers.items() if isinstance(layer, BatchNormalization) and layer.trainable]
    if not names:
        raise NotChecked("the network has no batch normalisation that learns")
    said = patient.probabilities[: len(labels)]
    state = _settled(patient, names)
    settled = Body(graph, patient.model.params, state, patient.body.policy)
    answered = class_probabilities(patient.model, _answers(settled, patient.x))
    before, after = (float((found.argmax(axis=1) == labels).mean()) for found in (said, answered))
    if after - before <= patient.limits.statistics_gain:
        return
    momentum = max(_momentum(graph, name) for name in names)
    yield Finding(
        "moving statistics lag behind",
        "warning",
        names[0],
        Evidence(
            f"The moving means and variances of {len(names)} batch normalisations are not those of the data: with them "
            f"{before:.1%} of {len(labels):,} examples are right, with the statistics of the data itself {after:.1%}.",
            {"layers": names, "accuracy": before, "settled_accuracy": after, "momentum": momentum},
        ),
        "In use the network is worse than in training, and validation looks like overfitting that is none.",
        Fix(
            f"Train for more steps, or with a smaller momentum than {momentum:g}: after n steps momentum**n of the "
            "first guess is left.",
            f"with statistics of this data {after:.1%} instead of {before:.1%} are right.",
        ),
    )


def _momentum(graph: Graph, name: str) -> float:
    layer = graph.layers[name]
    return layer.momentum if isinstance(layer, BatchNormalization) else 0.0


def _settled(patient: Patient, names: list[str]) -> dict[str, Any]:
    """Return the moving statistics that the sample alone makes, without what is only done in training."""
    graph = with_layers(patient.graph, {name: {"momentum": 0.0} for name in names})
    for node in graph.nodes:
        if node.layer.only_in_training:
            graph = swapped(graph, node.name, Activation("linear"))
    body = Body(graph, patient.model.params, patient.model.state, patient.body.policy)

    def run(params: Any, state: Any, x: Any) -> Any:
        return graph.apply(params, state, x, training=True, policy=body.policy)[1]

    changed: dict[str, Any] = body.compiled("settled", run)(body.params, body.state, patient.x[:_TRIED])
    return changed


def _answers(body: Body, x: np.ndarray) -> np.ndarray:
    def run(params: Any, state: Any, part: Any) -> Any:
        return body.graph.apply(params, state, part, policy=body.policy)[0]

    answer = body.compiled("answers", run)
    size = min(_TRIED, len(x))
    # The last part overlaps with the one before, so that one program serves all.
    firsts = [*range(0, len(x) - size, size), len(x) - size]
    found = np.zeros((len(x), *np.shape(answer(body.params, body.state, x[:size]))[1:]), np.float32)
    for first in firsts:
        found[first : first + size] = answer(body.params, body.state, x[first : first + size])
    return found
