"""Pruning: whole filters are removed, and the network becomes really smaller and faster; single weights beside it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from convista import arguments
from convista.errors import ArgumentError, ShapeError, suggest
from convista.layers.base import Layer
from convista.layers.inference import Node
from convista.models.graph import Graph
from convista.ops import activation as activations
from convista.training.pruning import ConstantSparsity, PolynomialSparsity, Pruned, sparsity_of

if TYPE_CHECKING:
    from convista.models.model import Model

__all__ = ["ConstantSparsity", "PolynomialSparsity", "Pruned", "prune_filters", "sparsity_of"]

# By name, as files name them: layers that treat every channel alike and on its own, so that one less changes no other.
_CHANNELWISE = {
    *("Activation", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Dropout", "GaussianNoise", "Rescaling", "Filter2D"),
    *(f"{kind}{rank}D" for kind in ("MaxPooling", "AveragePooling", "SumPooling") for rank in (1, 2, 3)),
    *(f"{kind}{rank}D" for kind in ("SpatialDropout", "UpSampling") for rank in (1, 2, 3)),
    *(f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping") for rank in (1, 2, 3)),
    *(f"Global{kind}Pooling{rank}D" for kind in ("Max", "Average", "Sum") for rank in (1, 2, 3)),
}
_PLAIN = {"Conv1D", "Conv2D", "Conv3D"}
_SEPARABLE = {"SeparableConv1D", "SeparableConv2D"}
_TRANSPOSED = {"Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"}
_DEPTHWISE = {"DepthwiseConv1D", "DepthwiseConv2D"}
_CONVOLUTIONS = _PLAIN | _SEPARABLE | _TRANSPOSED
# Layers with numbers of their own for each channel, and nothing else.
_PER_CHANNEL = {
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "GroupNormalization": ("gamma", "beta"),
    "LayerScale": ("gamma",),
    "PReLU": ("alpha",),
}
_ALIKE = {"Add", "Multiply", "Maximum", "Minimum", "Average", "Subtract"}


def prune_filters(model: Model, fraction: float, keep: Sequence[str] = ()) -> Model:
    """Return a smaller network without the weakest filters of each convolution.

    A filter's strength is the sum of its absolute weights, ``Σ|w|``, of a separable convolution those of its pointwise
    kernel. With it go its bias, its place in batch normalisation and in ``PReLU``, its kernels in a depthwise
    convolution and what that makes of it, and the inputs that the layers after it took from it: channels of their
    kernels, and after ``Flatten`` one row of ``Dense`` for each position. Where branches are added, filter ``i`` of all
    of them goes together, by the sum of their strengths; where they are concatenated, each branch loses its own. What
    cannot be cut stays whole: the filters of the output and of grouped convolutions, and those before a layer that
    mixes channels, such as layer normalisation over the channels: its mean and variance would be others.

    Args:
        model: A network with weights; it stays as it is.
        fraction: Share of the filters of each convolution that is removed, at least 0 and below 1; one always stays.
        keep: Names of convolutions that keep all their filters.

    Returns:
        A new model of the same class, with the names, classes and preprocessing of the old one; if that was compiled,
        compiled alike with a fresh optimizer. It saves and loads like any other.

    Raises:
        ArgumentError: ``fraction`` or ``keep`` cannot be, a layer is used twice, or nothing can be removed.

    Example:
        >>> from convista.architectures import lecture_convnet
        >>> small = prune_filters(lecture_convnet(), 0.5)
        >>> [layer.filters for layer in small.layers if hasattr(layer, "filters")], small.count_params()
        ([16, 32, 64], 29066)

    Source: H. Li et al., «Pruning filters for efficient ConvNets», 2017; lecture 003, «прореживание».
    """
    share = arguments.fraction(fraction, "fraction", where="prune_filters", below_one=True)
    graph = model.graph
    _check(model, keep)
    channels = _trace(graph, set(keep))
    channels.choose(graph, model.params, share)
    if share and not channels.removed:
        raise ArgumentError(
            "there are filters that can be removed",
            where="prune_filters",
            received=f"{model.name!r}, in which every convolution makes the output, is kept, or stands before a layer "
            "that may mix channels",
            fix="Prune single weights instead: compile(convista.pruning.Pruned('adam', 0.8), …)",
        )
    return _rebuilt(model, channels)


def _check(model: Model, keep: Sequence[str]) -> None:
    convolutions = [node.name for node in model.graph.nodes if _is_convolution(node.layer)]
    if isinstance(keep, str) or not all(name in convolutions for name in keep):
        wrong = keep if isinstance(keep, str) else next(name for name in keep if name not in convolutions)
        raise ArgumentError(
            "keep is a list of names of convolutions",
            where="prune_filters",
            received=f"{wrong!r}",
            fix=f"keep=[{wrong!r}]" if wrong in convolutions else suggest(str(wrong), convolutions),
        )
    names = [node.name for node in model.graph.nodes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArgumentError(
            "each layer is used once, so that cutting it changes one place",
            where="prune_filters",
            received=f"{twice!r}, which is used {names.count(twice)} times",
            fix="Prune single weights instead: compile(convista.pruning.Pruned('adam', 0.8), …)",
        )


def _is_convolution(layer: Layer) -> bool:
    return type(layer).__name__ in _CONVOLUTIONS


@dataclass
class _Channels:
    """Which number runs where: each filter has a label, and the labels of every node's last axis are written down.

    Args:
        labels: For each node, the label of each entry of its last axis.
        filters: The labels that each convolution makes, by the convolution's name.
        fixed: Labels that stay.
        tied: Labels that go together, as a forest: a label and the one it follows.
        removed: Labels that go.
    """

    labels: list[np.ndarray] = field(default_factory=list)
    filters: dict[str, np.ndarray] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)
    tied: dict[int, int] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    counter: Iterator[int] = field(default_factory=itertools.count)

    def new(self, count: int) -> np.ndarray:
        """Return labels that nothing else has."""
        return np.array(list(itertools.islice(self.counter, count)), np.int64)

    def fix(self, labels: Iterable[Any]) -> None:
        """Say that these stay."""
        self.fixed.update(int(label) for label in labels)

    def root(self, label: int) -> int:
        """Return the label that stands for all that go together with this one."""
        while label in self.tied:
            label = self.tied[label]
        return label

    def tie(self, one: int, other: int) -> None:
        """Say that two go together."""
        first, second = self.root(one), self.root(other)
        if first != second:
            self.tied[max(first, second)] = min(first, second)

    def choose(self, graph: Graph, params: Any, share: float) -> None:
        """Mark the weakest filters, convolution by convolution, or group by group where they are tied."""
        strength: dict[int, float] = {}
        for name, labels in self.filters.items():
            for label, value in zip(labels, _strengths(graph.layers[name], params[name]), strict=True):
                root = self.root(int(label))
                strength[root] = strength.get(root, 0.0) + float(value)
        fixed = {self.root(label) for label in self.fixed}
        makers = [{self.root(int(label)) for label in labels} for labels in self.filters.values()]
        for roots in self._groups():
            loose = sorted((root for root in roots if root not in fixed), key=lambda root: (strength[root], root))
            count = int(share * len(roots) + 0.5)
            for root in loose:
                if count and all(len(own) > 1 for own in makers if root in own):
                    self.removed.add(root)
                    count -= 1
                    for own in makers:
                        own.discard(root)

    def _groups(self) -> list[list[int]]:
        """Return the filters that are compared with each other: of one convolution, or of all that are tied to it."""
        groups: list[set[int]] = []
        for labels in self.filters.values():
            own = {self.root(int(label)) for label in labels}
            touching = [group for group in groups if group & own]
            groups = [group for group in groups if not group & own]
            groups.append(own.union(*touching))
        return [sorted(group) for group in groups]

    def left(self, labels: np.ndarray) -> np.ndarray:
        """Return the places of those that stay."""
        return np.array([place for place, label in enumerate(labels) if self.root(int(label)) not in self.removed])


def _trace(graph: Graph, keep: set[str]) -> _Channels:
    """Follow the channels through the network."""
    channels, shapes = _Channels(), graph.shapes()
    for place, node in enumerate(graph.nodes):
        taken = [channels.labels[spot] for spot in node.inputs]
        size = shapes[place][-1] if shapes[place] else None
        found = _labels(channels, node, taken, graph, shapes, keep)
        if found is None or (size is not None and len(found) != size):
            # A layer that is not known here may do anything with its channels: what it takes stays, what it makes too.
            for labels in taken:
                channels.fix(labels)
            found = channels.new(size or 0)
            channels.fix(found)
        channels.labels.append(found)
    for place in graph.outputs:
        channels.fix(channels.labels[place])
    return channels


def _labels(
    channels: _Channels, node: Node, taken: list[np.ndarray], graph: Graph, shapes: Sequence[Any], keep: set[str]
) -> np.ndarray | None:
    layer, kind = node.layer, type(node.layer).__name__
    # What a function of the user's own does is not known, and a softmax mixes the channels.
    mixes = activations.name_of(getattr(layer, "activation", None)) in (None, "softmax", "log_softmax")
    shape = shapes[node.inputs[0]] if node.inputs else ()
    if _is_convolution(layer) and getattr(layer, "groups", 1) == 1:
        made = channels.new(int(getattr(layer, "filters", 0)))
        channels.filters[node.name] = made
        if node.name in keep or mixes:
            channels.fix(made)
        return made
    if kind == "Dense":
        made = channels.new(int(getattr(layer, "units", 0)))
        channels.fix(made)
        return made
    if kind in _CHANNELWISE and not mixes:
        return taken[0]
    if kind in _DEPTHWISE and not mixes:
        return np.repeat(taken[0], _multiplier(layer))
    if _normalizes_each_channel(layer, shape) or kind in ("PReLU", "LayerScale"):
        return taken[0]
    if kind == "Flatten" and None not in shape:
        return np.tile(taken[0], int(np.prod(shape[:-1], dtype=np.int64)))
    if kind in _ALIKE and len({len(labels) for labels in taken}) == 1:
        for others in taken[1:]:
            for one, other in zip(taken[0], others, strict=True):
                channels.tie(int(one), int(other))
        return taken[0]
    if kind == "Concatenate" and getattr(layer, "axis", -1) in (-1, len(shape)):
        return np.concatenate(taken)
    return None


def _normalizes_each_channel(layer: Layer, shape: Sequence[int | None]) -> bool:
    """Whether a layer normalises, and what it makes of a channel does not depend on the other channels."""
    kind, axis = type(layer).__name__, getattr(layer, "axis", -1)
    if kind == "LayerNormalization":
        return all(
            one % (len(shape) + 1) != len(shape) for one in (axis if isinstance(axis, tuple | list) else (axis,))
        )
    groups = getattr(layer, "groups", -1)
    alone = kind == "BatchNormalization" or (kind == "GroupNormalization" and groups in (-1, shape[-1]))
    return alone and axis in (-1, len(shape))


def _multiplier(layer: Layer) -> int:
    return int(getattr(layer, "depth_multiplier", 1))


def _strengths(layer: Layer, params: Mapping[str, Any]) -> np.ndarray:
    """Return the sum of the absolute weights of each filter."""
    kind = type(layer).__name__
    kernel = np.abs(np.asarray(params["pointwise_kernel" if kind in _SEPARABLE else "kernel"], np.float64))
    filters = kernel.ndim - (2 if kind in _TRANSPOSED else 1)
    return kernel.sum(axis=tuple(axis for axis in range(kernel.ndim) if axis != filters))


def _rebuilt(model: Model, channels: _Channels) -> Model:
    nodes, params, state = [], dict(model.params), dict(model.state)
    for place, node in enumerate(model.graph.nodes):
        taken = [channels.labels[spot] for spot in node.inputs]
        cuts = _cuts(channels, node, taken, channels.labels[place])
        for tree in (params, state):
            if cuts and node.name in tree:
                tree[node.name] = {name: _cut(array, cuts.get(name, {})) for name, array in tree[node.name].items()}
        nodes.append(dataclasses.replace(node, layer=_smaller(channels, node, taken)))
    made = _of_nodes(model, nodes)
    try:
        made.graph.shapes()
    except ShapeError as error:
        raise ArgumentError(
            "the layers still fit each other without those filters",
            where="prune_filters",
            received=f"{model.name!r}: {error}",
            fix="Name the convolution before that layer in keep",
        ) from error
    made._take_weights(params, state)
    return made


def _smaller(channels: _Channels, node: Node, taken: Sequence[np.ndarray]) -> Layer:
    """Return the layer with the numbers of filters or groups that are left."""
    changes: dict[str, Any] = {}
    if node.name in channels.filters:
        changes = {"filters": len(channels.left(channels.filters[node.name]))}
    elif type(node.layer).__name__ == "GroupNormalization" and getattr(node.layer, "groups", -1) == len(taken[0]):
        changes = {"groups": len(channels.left(taken[0]))}
    return dataclasses.replace(node.layer, **changes) if changes else node.layer


def _cuts(
    channels: _Channels, node: Node, taken: Sequence[np.ndarray], made: np.ndarray
) -> dict[str, dict[int, np.ndarray]]:
    """Return for the arrays of a layer which places of which axis stay."""
    kind = type(node.layer).__name__
    if not taken:
        return {}
    inside, left = channels.left(taken[0]), channels.left(made)
    if len(inside) == len(taken[0]) and len(left) == len(made):
        return {}
    if kind in _DEPTHWISE:
        return {"kernel": {-2: inside}, "bias": {-1: left}}
    if kind in _PER_CHANNEL:
        return {name: {-1: inside} for name in _PER_CHANNEL[kind]}
    if kind == "Dense":
        return {"kernel": {-2: inside}}
    if node.name not in channels.filters:
        return {}
    if kind in _TRANSPOSED:
        return {"kernel": {-1: inside, -2: left}, "bias": {-1: left}}
    if kind in _SEPARABLE:
        between = channels.left(np.repeat(taken[0], _multiplier(node.layer)))
        pointwise = {-2: between, -1: left}
        return {"depthwise_kernel": {-2: inside}, "pointwise_kernel": pointwise, "bias": {-1: left}}
    return {"kernel": {-2: inside, -1: left}, "bias": {-1: left}}


def _cut(array: Any, cuts: Mapping[int, np.ndarray]) -> Any:
    found = np.asarray(array)
    for axis, places in cuts.items():
        # One number may serve all channels: the alpha of a PReLU that shares the channel axis.
        if found.shape[axis] > 1:
            found = np.take(found, places, axis=axis)
    return jnp.asarray(found)


def _of_nodes(model: Model, nodes: Sequence[Node]) -> Model:
    from convista.models.model import Model
    from convista.models.sequential import Sequential

    made: Model
    if isinstance(model, Sequential):
        # Names are written down: without its original a layer is new, and would be numbered anew.
        chain = [node.layer if not node.inputs else dataclasses.replace(node.layer, name=node.name) for node in nodes]
        sequential = Sequential(name=model.name, seed=model.seed)
        sequential._take_chain(chain)
        made = sequential
    else:
        made = Model.__new__(Model)
        made._begin(Graph(tuple(nodes), model.graph.inputs, model.graph.outputs), model.name, model.seed)
    made.classes, made.preprocessing = model.classes, model.preprocessing
    made._compilation = model._compilation
    return made
