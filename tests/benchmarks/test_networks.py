"""Parameters and operations are those of known networks, and of what Convista builds from the same nodes."""

from __future__ import annotations

import itertools

import jax
import networks
import pytest
from engines import keras_layers
from networks import NETWORKS

import convista


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("lecture", 104_202), ("resnet18", 11_173_962), ("separable", 0)],
)
def test_parameters(name, parameters):
    network = NETWORKS[name]
    model = convista.Model(*keras_layers.build(convista.layers, network))
    count = sum(leaf.size for leaf in jax.tree.leaves(model.params))
    assert network.parameters() == count
    assert parameters in (0, count)
    assert model.output_shape == (None, network.classes)


def test_the_lectures_convnet_has_18_million_operations_for_a_picture_and_step():
    # 26²·9·32 + 11²·9·32·64 + 3²·9·64·128 + 1152·10 products, three times without the first's gradient by the picture
    products = [26 * 26 * 9 * 32, 11 * 11 * 9 * 32 * 64, 3 * 3 * 9 * 64 * 128, 1152 * 10]
    assert NETWORKS["lecture"].operations(training=False) == 2 * sum(products)
    assert NETWORKS["lecture"].operations(training=True) == 2 * (3 * sum(products) - products[0])


@pytest.mark.parametrize(("size", "kernel", "stride"), list(itertools.product((5, 8), (1, 3, 5), (1, 2))))
def test_products_with_padding_are_not_counted(size, kernel, stride):
    network = networks.Network((networks.Convolution(4, kernel, stride, same=True),), (size, size, 3))
    out = -(-size // stride)
    before = max((out - 1) * stride + kernel - size, 0) // 2
    inside = 0
    for row, column, down, right in itertools.product(range(out), range(out), range(kernel), range(kernel)):
        y, x = row * stride + down - before, column * stride + right - before
        inside += 0 <= y < size and 0 <= x < size
    assert network.operations(training=False) == 2 * inside * 3 * 4


def test_depthwise_counts_one_filter_for_each_channel():
    network = networks.Network((networks.Convolution(None, 3),), (5, 5, 7))
    assert network.parameters() == 7 * 10
    assert network.operations(training=False) == 2 * 9 * 9 * 7
