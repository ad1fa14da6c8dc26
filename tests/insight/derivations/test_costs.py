"""Parameters, products and memory, line by line; products held against a count of what is multiplied."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from convista import layers
from convista.insight.derivations.costs import Storage, memory_lines, multiplication_lines, parameter_lines
from convista.insight.derivations.sizes import Use


def use(layer, *shapes):
    return Use(layer, shapes, layer.output_shape(list(shapes) if layer.merges else shapes[0]))


PARAMETERS = {
    "parameters = 3·3·3·8 + 8 = 224: window · channels · filters + bias": (layers.Conv2D(8, 3), (28, 28, 3)),
    "parameters = 3·3·2·8 = 144: window · channels of a group · filters": (
        layers.Conv2D(8, 3, groups=2, use_bias=False),
        (9, 9, 4),
    ),
    "parameters = 5·4·16 + 16 = 336: window · channels · filters + bias": (layers.Conv1D(16, 5), (60, 4)),
    "parameters = 2·2·4·8 + 4 = 132: window · filters · channels + bias": (layers.Conv2DTranspose(4, 2), (7, 7, 8)),
    "parameters = 3·3·16·2 + 32 = 320: window · channels · kernels for each + bias": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        (8, 8, 16),
    ),
    "parameters = 3·3·32·1 + 1·1·32·64 + 64 = 2 400: "
    "window · channels · kernels for each, then 1 cell · mixed channels · filters + bias": (
        layers.SeparableConv2D(64, 3),
        (28, 28, 32),
    ),
    "parameters = 61 952·10 + 10 = 619 530: inputs · units + bias": (layers.Dense(10), (61952,)),
    "parameters = 16 + 16 + 16 + 16 = 64: gamma + beta, learned; moving mean + moving variance, kept": (
        layers.BatchNormalization(),
        (8, 8, 16),
    ),
    "parameters = 8 + 8 = 16: moving mean + moving variance, kept, not learned": (
        layers.BatchNormalization(scale=False, center=False),
        (8,),
    ),
    "parameters = 1·1·4 = 4: alpha": (layers.PReLU(shared_axes=(1, 2)), (6, 5, 4)),
}


@pytest.mark.parametrize("text", PARAMETERS)
def test_parameters(text):
    layer, shape = PARAMETERS[text]
    assert [str(line) for line in parameter_lines(use(layer, shape), shared=False)] == [text]
    assert parameter_lines(use(layer, shape), shared=True) == ()


PRODUCTS = {
    "28·28·3·3·3·8 = 169 344: output cells · window · channels · filters": (
        layers.Conv2D(8, 3, padding="same"),
        (28, 28, 3),
    ),
    "7·7·3·3·(4 // 2)·8 = 7 056: output cells · window · channels of a group · filters": (
        layers.Conv2D(8, 3, groups=2),
        (9, 9, 4),
    ),
    "3·3·3·2·2·2·2·4 = 1 728: output cells · window · channels · filters": (layers.Conv3D(4, 2), (4, 4, 4, 2)),
    "7·7·8·2·2·4 = 6 272: input cells · channels · window · filters": (layers.Conv2DTranspose(4, 2), (7, 7, 8)),
    "6·6·3·3·16·2 = 10 368: output cells · window · channels · kernels for each": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        (8, 8, 16),
    ),
    "26·26·32·(3·3 + 64) = 1 579 136: output cells · mixed channels · (window + filters)": (
        layers.SeparableConv2D(64, 3),
        (28, 28, 32),
    ),
    "6·5·4·3 = 360: cells · inputs · units": (layers.Dense(3), (6, 5, 4)),
    "1 152·10 = 11 520: inputs · units": (layers.Dense(10), (1152,)),
    "6·5·1·(6 + 6) = 360: output cells · channels · weights that are not 0": (layers.Filter2D("sobel"), (6, 5, 1)),
}


@pytest.mark.parametrize("text", PRODUCTS)
def test_products(text):
    layer, shape = PRODUCTS[text]
    assert [str(line) for line in multiplication_lines(use(layer, shape))] == [f"multiply–accumulates = {text}"]
    if len(shape) > 1:
        assert multiplication_lines(use(layer, (None, *shape[1:]))) == ()


ADDED_UP = [
    text
    for text, (layer, _) in PRODUCTS.items()
    if getattr(layer, "padding", "valid") == "valid" and not isinstance(layer, layers.SeparableConv2D)
]


@pytest.mark.parametrize("text", ADDED_UP)
def test_products_are_as_many_as_weights_of_one_add_up(text):
    """With inputs and weights of 1 and nothing padded, the outputs add up to the number of products."""
    layer, shape = PRODUCTS[text]
    params = {
        name: jnp.zeros(item.shape) if name == "bias" else jnp.ones(item.shape)
        for name, item in layer.parameters(shape).items()
    }
    y, _ = layer.apply(params, {}, jnp.ones((1, *shape)), training=False, key=None)
    (line,) = multiplication_lines(use(layer, shape))
    assert line.value == int(np.asarray(y, np.float64).sum())


def test_layers_without_products_have_no_line():
    for layer in (layers.ReLU(), layers.MaxPooling2D(2), layers.BatchNormalization()):
        assert multiplication_lines(use(layer, (8, 8, 4))) == ()
    assert multiplication_lines(use(layers.Add(), (8, 8, 4), (8, 8, 4))) == ()


def memory(layer, shape, storage):
    return [str(line) for line in memory_lines(use(layer, shape), storage)]


def test_memory():
    learns = Storage(batch_size=16, value_bytes=4, kept=True, differentiated=True, learned=80)
    assert memory(layers.Conv2D(8, 3), (9, 9, 1), learns) == [
        "values = 7·7·8 = 392: 4.84 times the 81 that came in",
        "memory = 392·4 = 1 568 bytes: 1.53 KB",
        "memory_training = 2·392·4·16 + 80·4 = 50 496 bytes: "
        "49.31 KB, outputs, their gradients and the weights' gradient for a batch of 16",
    ]
    half = Storage(batch_size=1, value_bytes=2, kept=True, differentiated=False, learned=0)
    assert memory(layers.MaxPooling2D(2), (8, 8, 4), half) == [
        "values = 4·4·4 = 64: 25.0 % of the 256 that came in",
        "memory = 64·2 = 128 bytes",
        "memory_training = 64·2·1 = 128 bytes: outputs for a batch of 1",
    ]
    nothing = Storage(batch_size=1, value_bytes=4, kept=False, differentiated=False, learned=0)
    assert memory(layers.ReLU(), (8,), nothing) == ["memory = 8·4 = 32 bytes"]
    assert memory(layers.ReLU(), (None, 8), nothing) == []
