"""Padding as pairs of numbers: what is added lies where the pairs say, and never counts in a pooling."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from convista import Sequential, layers
from convista.errors import ArgumentError
from oracles import loops
from oracles.compare import SUMS, agree, numbers

PADS = ((1, 2), (0, 1))


@pytest.mark.parametrize(
    ("make", "pads", "shape"),
    [
        (lambda padding: layers.Conv2D(3, (3, 2), 2, padding), PADS, (6, 5, 2)),
        (lambda padding: layers.Conv1D(3, 4, 3, padding), ((3, 1),), (7, 2)),
        (lambda padding: layers.Conv3D(2, 2, 1, padding), (*PADS, (1, 0)), (3, 4, 2, 1)),
        (lambda padding: layers.DepthwiseConv2D(3, 1, padding), PADS, (6, 5, 2)),
    ],
)
def test_pairs_are_zeros_around_the_input(make, pads, shape):
    padded, plain, x = make(pads), make("valid"), numbers(2, *shape)
    params, _ = plain.init(jax.random.key(1), shape)
    wide = np.pad(x, ((0, 0), *pads, (0, 0)))
    y, _ = padded.apply(params, {}, x, training=False, key=None)
    expected, _ = plain.apply(params, {}, wide, training=False, key=None)
    assert y.shape[1:] == padded.output_shape(shape)
    agree(y, expected, SUMS)


def test_what_hangs_over_never_counts_in_a_pooling():
    x = numbers(2, 6, 5, 3) - 3
    for kind, oracle in ((layers.MaxPooling2D, loops.max_pooling), (layers.AveragePooling2D, loops.average_pooling)):
        layer = kind((3, 2), 2, PADS)
        y, _ = layer.apply({}, {}, x, training=False, key=None)
        agree(y, oracle(x, (3, 2), (2, 2), PADS, np.zeros(y.shape))[0], SUMS)
        same, _ = kind((3, 2), 2, "same").apply({}, {}, x, training=False, key=None)
        assert np.shape(same) != y.shape


def test_a_block_keeps_the_pairs():
    model = Sequential([
        layers.Conv2D(4, 3, 2, ((0, 1), (1, 0)), activation="relu", input_shape=(8, 8, 1)),
        layers.MaxPooling2D(2, 2, ((1, 0), (0, 1))),
    ])  # fmt: skip
    x = numbers(2, 8, 8, 1)
    y = x
    for layer in model.layers:
        y, _ = layer.apply(model.params.get(layer.name, {}), {}, y, training=False, key=None)
    agree(model(x), y, SUMS)
    with pytest.raises(AssertionError):
        agree(model(np.flip(x, 1)), y, SUMS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: layers.MaxPooling2D(2, padding=((2, 0), (0, 0))),
            "MaxPooling2D: padding is smaller than pool_size, so that each window has a cell of the input. Received "
            "padding=((2, 0), (0, 0)), pool_size=2.",
        ),
        (
            lambda: layers.Conv2DTranspose(1, 2, padding=((1, 1), (1, 1))),
            "Conv2DTranspose: padding is 'valid' or 'same'. Received padding=((1, 1), (1, 1)).",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == message
