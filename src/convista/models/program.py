"""How a graph runs: the same network, rewritten where that is faster and changes no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from convista.kernels import selection
from convista.layers.activation import Activation, ReLU
from convista.layers.base import Layer, Variables
from convista.layers.convolution import Conv2D
from convista.layers.inference import Node
from convista.layers.normalization import BatchNormalization
from convista.layers.pooling import MaxPooling2D
from convista.ops import activation as activations
from convista.ops.block import block
from convista.ops.convolution import ConvolutionGeometry
from convista.ops.pooling import PoolingGeometry


@dataclass(frozen=True)
class Block:
    """Nodes that run as one operation: convolution → batch normalisation, not while training → relu → max pooling.

    Args:
        places: Their places in the graph, in order.
        convolution: The convolution.
        normalization: What follows it, if anything does.
        relu: Whether negative values become 0.
        pooling: The pooling, if there is one.
    """

    places: tuple[int, ...]
    convolution: Node
    normalization: Node | None
    relu: bool
    pooling: Node | None

    @property
    def layer(self) -> Conv2D:
        """The convolution's layer."""
        assert isinstance(self.convolution.layer, Conv2D)
        return self.convolution.layer

    def apply(self, params: Mapping[str, Variables], state: Mapping[str, Variables], x: jax.Array) -> jax.Array:
        """Return what the last node gives for what the first one takes."""
        kernel, bias = self._weights(params, state)
        window = self.layer.window
        geometry = ConvolutionGeometry(window.strides, window.pads(x.shape[1:-1]), window.dilation, self.layer.groups)
        pooling = None
        if self.pooling is not None and self.pooling.layer.window is not None:
            cells = self.pooling.layer.window
            sizes = geometry.outputs(x.shape[1:-1], kernel.shape[:-2])
            pooling = PoolingGeometry(cells.size, cells.strides, cells.pads(sizes))
        return block(x, kernel, bias, geometry, pooling, relu=self.relu)

    def _weights(self, params, state):
        """Return kernel and bias; a normalisation that no longer moves is a part of them."""
        own = params[self.convolution.name]
        kernel = own["kernel"]
        bias = own.get("bias", jnp.zeros(kernel.shape[-1:], kernel.dtype))
        if self.normalization is None or not isinstance(self.normalization.layer, BatchNormalization):
            return kernel, bias
        learned, kept = params.get(self.normalization.name, {}), state[self.normalization.name]
        epsilon = jnp.asarray(self.normalization.layer.epsilon, kernel.dtype)
        factor = jax.lax.rsqrt(kept["moving_variance"] + epsilon) * learned.get("gamma", jnp.ones_like(bias))
        return kernel * factor, (bias - kept["moving_mean"]) * factor + learned.get("beta", jnp.zeros_like(bias))


def blocks(nodes: Sequence[Node], outputs: Sequence[int], *, training: bool) -> dict[int, Block]:
    """Return the parts of a network that run as blocks.

    None without the native kernels: XLA would draw the convolution into the pooling and compute it again for each cell of
    the window, 35 ms a step of the lecture convnet at batch 128 where the plain order takes 24.

    Args:
        nodes: The network's nodes.
        outputs: Places that are asked for and so keep their own values.
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
        # A layer of the user's own that is built on Conv2D may do something else.
        if type(node.layer) is Conv2D and activations.name_of(node.layer.activation) in ("linear", "relu"):
            whole = _block(nodes, following, place, training)
            if len(whole.places) > 1 or whole.relu or node.layer.use_bias:
                found[whole.places[-1]] = whole
    return found


def _block(nodes: Sequence[Node], following: Mapping[int, int], place: int, training: bool) -> Block:
    places = [place]

    def next_layer() -> Layer | None:
        after = following.get(places[-1])
        return None if after is None else nodes[after].layer

    def take() -> Node:
        places.append(following[places[-1]])
        return nodes[places[-1]]

    relu = activations.name_of(getattr(nodes[place].layer, "activation", None)) == "relu"
    normalization = take() if not (relu or training) and _normalizes_channels(next_layer()) else None
    if not relu and _keeps_order(next_layer()):
        relu = take().layer.activation_name == "relu"
    pooling = take() if type(next_layer()) is MaxPooling2D else None
    return Block(tuple(places), nodes[place], normalization, relu, pooling)


def _normalizes_channels(layer: Layer | None) -> bool:
    return type(layer) is BatchNormalization and layer.axis in (-1, 3)


def _keeps_order(layer: Layer | None) -> bool:
    if type(layer) is ReLU:
        return layer.max_value is None and layer.negative_slope == layer.threshold == 0.0
    return type(layer) is Activation and layer.activation_name in ("linear", "relu")
