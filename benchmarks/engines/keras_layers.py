"""The networks from layers with Keras's names: Keras's own, or Convista's."""

from __future__ import annotations

from typing import Any

import networks


def build(layers: Any, network: networks.Network) -> tuple[Any, Any]:
    """Return symbolic input and output, the softmax included.

    Args:
        layers: ``keras.layers`` or ``convista.layers``.
        network: What to build.
    """
    inputs = layers.Input(network.shape)
    return inputs, layers.Softmax()(_through(layers, network.nodes, inputs, network.shape))


def _through(layers: Any, nodes: tuple[networks.Node, ...], x: Any, shape: networks.Shape) -> Any:
    for node in nodes:
        if isinstance(node, networks.Residual):
            body = _through(layers, node.body, x, shape)
            x = layers.Add()([body, _through(layers, node.shortcut, x, shape)])
        else:
            x = _layer(layers, node, shape)(x)
        shape = networks.after((node,), shape)
    return x


def _layer(layers: Any, node: networks.Node, shape: networks.Shape) -> Any:
    match node:
        case networks.Convolution(filters, kernel, stride, same, bias):
            settings = {"strides": stride, "padding": "same" if same else "valid", "use_bias": bias}
            if filters is not None:
                return layers.Conv2D(filters, kernel, **settings)
            if hasattr(layers, "DepthwiseConv2D"):
                return layers.DepthwiseConv2D(kernel, **settings)
            return layers.Conv2D(shape[-1], kernel, groups=shape[-1], **settings)
        case networks.Normalization():
            return layers.BatchNormalization()
        case networks.Relu():
            return layers.ReLU()
        case networks.MaxPooling(size):
            return layers.MaxPooling2D(size)
        case networks.GlobalAverage():
            return layers.GlobalAveragePooling2D()
        case networks.Flatten():
            return layers.Flatten()
        case networks.Dense(units):
            return layers.Dense(units)
