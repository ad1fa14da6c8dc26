"""How a graph runs: the same network, rewritten where that is faster and changes no value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import jax
import jax.numpy as jnp

from convista.kernels import selection
from convista.layers.activation import Activation, ReLU
from convista.layers.base import Layer, Variables
from convista.layers.convolution import Conv1D, Conv2D, Conv3D
from convista.layers.inference import Node
from convista.layers.normalization import BatchNormalization
from convista.layers.pooling import MaxPooling1D, MaxPooling2D, MaxPooling3D
from convista.layers.warping import Warping, joinable
from convista.ops import activation as activations
from convista.ops.block import block
from convista.ops.convolution import ConvolutionGeometry
from convista.ops.pooling import PoolingGeometry

# Kernels with as many numbers for each of one example's output are not multiplied by a normalisation's factors in each
# call. ResNet-18 on 32×32 takes 17 ms with all its normalisations behind, 52 with all of them in the kernels, for one
# picture; 45 and 79 ms for four, 181 and 237 for 16, and the same for 64 (medians of turns, 2 cores, AVX-512).
_LARGE_KERNEL = 16

Convolution = Conv1D | Conv2D | Conv3D
MaxPooling = MaxPooling1D | MaxPooling2D | MaxPooling3D


@dataclass(frozen=True)
class Block:
    """Nodes that run as one operation: convolution → batch normalisation, not while training → relu → max pooling.

    Args:
        places: Their places in the graph, in order.
        source: The place of what the convolution takes.
        names: Names of the convolution and of the normalisation, whose numbers are theirs.
        convolution: The convolution.
        normalization: What follows it, if anything does.
        relu: Whether negative values become 0.
        pooling: The pooling, if there is one.
    """

    places: tuple[int, ...]
    source: int
    names: tuple[str, str | None]
    convolution: Convolution
    normalization: BatchNormalization | None
    relu: bool
    pooling: MaxPooling | None

    def apply(self, params: Mapping[str, Variables], state: Mapping[str, Variables], x: jax.Array) -> jax.Array:
        """Return what the last node gives for what the first one takes."""
        window = self.convolution.window
        geometry = ConvolutionGeometry(
            window.strides, window.pads(x.shape[1:-1]), window.dilation, self.convolution.groups
        )
        if self._keeps_kernel(params[self.names[0]]["kernel"], x, geometry):
            return self._apply_kept(params, state, x, geometry)
        kernel, bias = self._weights(params, state)
        pooling = None
        if self.pooling is not None:
            cells = self.pooling.window
            sizes = geometry.outputs(x.shape[1:-1], kernel.shape[:-2])
            pooling = PoolingGeometry(cells.size, cells.strides, cells.pads(sizes))
        return block(x, kernel, bias, geometry, pooling, relu=self.relu)

    def _keeps_kernel(self, kernel, x, geometry):
        # The same for every size of a batch, so that answers do not depend on it.
        outputs = math.prod(geometry.outputs(x.shape[1:-1], kernel.shape[:-2])) * kernel.shape[-1]
        return self.normalization is not None and x.dtype == jnp.float32 and kernel.size > _LARGE_KERNEL * outputs

    def _apply_kept(self, params, state, x, geometry):
        name, following = self.names
        kernel = params[name]["kernel"]
        bias = params[name].get("bias", jnp.zeros(kernel.shape[-1:], kernel.dtype))
        y = block(x, kernel, bias, geometry, None, relu=False)
        if self.normalization is not None and following is not None:
            learned, kept = params.get(following, {}), state[following]
            y, _ = self.normalization.apply(learned, kept, y, training=False, key=None, relu=self.relu)
        return y if self.pooling is None else self.pooling.apply({}, {}, y, training=False, key=None)[0]

    def _weights(self, params, state):
        """Return kernel and bias; a normalisation that no longer moves is a part of them."""
        name, following = self.names
        kernel = params[name]["kernel"]
        bias = params[name].get("bias", jnp.zeros(kernel.shape[-1:], kernel.dtype))
        if self.normalization is None or following is None:
            return kernel, bias
        learned, kept = params.get(following, {}), state[following]
        epsilon = jnp.asarray(self.normalization.epsilon, kernel.dtype)
        factor = jax.lax.rsqrt(kept["moving_variance"] + epsilon) * learned.get("gamma", jnp.ones_like(bias))
        return kernel * factor, (bias - kept["moving_mean"]) * factor + learned.get("beta", jnp.zeros_like(bias))


def blocks(nodes: Sequence[Node], outputs: Sequence[int], *, training: bool) -> dict[int, Block]:
    """Return the parts of a network that run as blocks.

    A step of the lecture convnet at batch 128 takes 15.5 ms of processor time with blocks, where it took 29 with bias
    and relu after the pooling as operations of XLA (paired, both cores together, AVX-512).

    None without the native kernels: XLA would draw the convolution into the pooling and compute it again for each cell
    of the window, 35 ms a step of the lecture convnet at batch 128.

    Args:
        nodes: The network's nodes.
        outputs: Places that are asked for or given, and so keep their own values.
        training: Whether batch normalisation uses the batch's statistics, and so stays a step of its own.

    Returns:
        Each block by the place of its last node.
    """
    if not selection.describe().native:
        return {}
    uses = Counter(place for node in nodes for place in node.inputs) + Counter(outputs)
    following = {place: number for number, node in enumerate(nodes) for place in node.inputs if uses[place] == 1}
    found = {}
    for place, node in enumerate(nodes):
        layer = node.layer
        if isinstance(layer, Convolution) and _is_plain(layer):
            whole = _block(nodes, following, place, layer, training)
            if len(whole.places) > 1 or whole.relu or layer.use_bias:
                found[whole.places[-1]] = whole
    return found


def _is_plain(layer: Convolution) -> bool:
    # A class of the user's own that is built on one of these may do something else.
    return type(layer) in (Conv1D, Conv2D, Conv3D) and activations.name_of(layer.activation) in ("linear", "relu")


def _block(
    nodes: Sequence[Node], following: Mapping[int, int], place: int, first: Convolution, training: bool
) -> Block:
    places = [place]

    def after() -> Node | None:
        return nodes[following[places[-1]]] if places[-1] in following else None

    relu = activations.name_of(first.activation) == "relu"
    normalization, pooling, name = None, None, None
    node = after()
    if node and _normalizes_channels(node.layer, first.rank) and not (relu or training):
        normalization, name = node.layer, node.name
        places.append(following[places[-1]])
        node = after()
    if node and _keeps_order(node.layer) and not relu:
        relu = node.layer.activation_name == "relu"
        places.append(following[places[-1]])
        node = after()
    if node and isinstance(node.layer, MaxPooling) and type(node.layer) in (MaxPooling1D, MaxPooling2D, MaxPooling3D):
        pooling = node.layer
        places.append(following[places[-1]])
    return Block(tuple(places), nodes[place].inputs[0], (nodes[place].name, name), first, normalization, relu, pooling)


def _normalizes_channels(layer: Layer, rank: int) -> TypeGuard[BatchNormalization]:
    return type(layer) is BatchNormalization and layer.axis in (-1, rank + 1)


def _keeps_order(layer: Layer) -> bool:
    if type(layer) is ReLU:
        return layer.max_value is None and layer.negative_slope == layer.threshold == 0.0
    return type(layer) is Activation and layer.activation_name in ("linear", "relu")


def rectified(nodes: Sequence[Node], outputs: Sequence[int]) -> dict[int, int]:
    """Return the relus that a batch normalisation does in its own pass over the values, while training.

    Args:
        nodes: The network's nodes.
        outputs: Places that are asked for or given, and so keep their own values.

    Returns:
        The place of each such relu by that of its normalisation.
    """
    if not selection.describe().native:
        return {}
    uses = Counter(place for node in nodes for place in node.inputs) + Counter(outputs)
    return {
        node.inputs[0]: place
        for place, node in enumerate(nodes)
        if _keeps_order(node.layer)
        and node.layer.activation_name == "relu"
        and type(nodes[node.inputs[0]].layer) is BatchNormalization
        and uses[node.inputs[0]] == 1
    }


def warps(nodes: Sequence[Node], outputs: Sequence[int]) -> dict[int, list[int]]:
    """Return rows of warpings that training does as one, with one interpolation: turned, then moved, then scaled.

    Pictures stay sharper than after several interpolations, and the work is done once.

    Args:
        nodes: The network's nodes.
        outputs: Places that are asked for or given, and so keep their own values.

    Returns:
        The places of each row of two or more, by the place of its last.
    """
    uses = Counter(place for node in nodes for place in node.inputs) + Counter(outputs)
    rows: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        if not isinstance(node.layer, Warping) or not node.inputs:
            continue
        before = rows.get(node.inputs[0], [])
        joined = [*before, place]
        if before and uses[node.inputs[0]] == 1 and joinable([nodes[spot].layer for spot in joined]):
            del rows[node.inputs[0]]
            rows[place] = joined
        else:
            rows[place] = [place]
    return {place: row for place, row in rows.items() if len(row) > 1}
