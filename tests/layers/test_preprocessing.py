"""Preprocessing layers: adapting to data, and what stays with a saved model."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from convista import Sequential, load_model
from convista.errors import ArgumentError, DataError
from convista.layers import Dense, Flatten, Input, Normalization, Rescaling, Resizing
from oracles.compare import EXACT, LAYERS, agree, numbers
from oracles.keras_oracle import keras


@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2), (1, 3)])
@pytest.mark.parametrize("kind", ["array", "batches"])
def test_adapted_numbers_are_those_of_keras(axis, kind):
    x = 3.0 * numbers(50, 4, 5, 3) + np.arange(3, dtype=np.float32)
    ours, theirs = Normalization(axis), keras.layers.Normalization(axis)
    theirs.adapt(x)
    ours.adapt(x if kind == "array" else (x[first : first + 7] for first in range(0, 50, 7)))
    agree(np.float32(ours.mean), np.asarray(theirs.adapt_mean), LAYERS)
    agree(np.float32(ours.variance), np.asarray(theirs.adapt_variance), LAYERS)
    fresh = numbers(2, 4, 5, 3, seed=5)
    y, _ = ours.apply({}, {}, jnp.asarray(fresh), training=False, key=None)
    agree(y, np.asarray(theirs(fresh)), LAYERS)
    assert ours.output_shape((4, 5, 3)) == (4, 5, 3)


def test_adapting_is_exact_where_float32_sums_are_not():
    x = np.full((4000, 2), 10_000.0, np.float32)
    x[::2] += 0.125
    layer = Normalization()
    layer.adapt(x)
    assert layer.mean == (10_000.0625, 10_000.0625)
    assert layer.variance == (0.0625**2, 0.0625**2)


def test_bytes_pairs_and_more_rows_than_one_part():
    x = np.random.default_rng(0).integers(0, 256, (2500, 3), np.uint8)
    one, two = Normalization(), Normalization()
    one.adapt(x)
    two.adapt([(x[:10], x[:10, 0]), (x[10:], x[10:, 0])])
    agree(np.float32(one.mean), x.astype(np.float64).mean(0), LAYERS)
    agree(np.float32(two.variance), x.astype(np.float64).var(0), LAYERS)
    y, _ = one.apply({}, {}, jnp.asarray(x), training=False, key=None)
    assert y.dtype == jnp.float32
    assert abs(float(y.mean())) < 1e-4
    assert abs(float(y.std()) - 1) < 1e-4


def test_what_was_adapted_is_saved_and_the_layer_is_its_numbers(tmp_path):
    x = numbers(40, 6, 6, 2) * np.float32([1, 5]) + np.float32([0, 3])
    layer = Normalization()
    layer.adapt(x)
    assert layer == Normalization(mean=layer.mean, variance=layer.variance)
    assert dataclasses.replace(layer, invert=True).mean == layer.mean
    model = Sequential([Input((6, 6, 2)), layer, Flatten(), Dense(3)])
    model.save(tmp_path / "m.convista")
    again = load_model(tmp_path / "m.convista")
    agree(again.predict(x), model.predict(x), EXACT)
    assert again.layers[0].mean == layer.mean


def test_a_channel_that_never_varies_becomes_zero():
    layer = Normalization()
    layer.adapt(np.full((9, 1), 7.0))
    y, _ = layer.apply({}, {}, jnp.full((2, 1), 7.0), training=False, key=None)
    assert y.ravel().tolist() == [0, 0]


def test_invert_is_the_way_back():
    x = jnp.asarray(numbers(4, 3))
    numbers_ = {"mean": (1.0, 2.0, 3.0), "variance": (4.0, 0.25, 1.0)}
    there, _ = Normalization(**numbers_).apply({}, {}, x, training=False, key=None)
    back, _ = Normalization(**numbers_, invert=True).apply({}, {}, there, training=False, key=None)
    agree(back, np.asarray(x), LAYERS)


def test_an_array_is_held_as_plain_numbers():
    layer = Normalization(mean=np.float32([1, 2]), variance=np.array([1, 4]))
    assert (layer.mean, layer.variance) == ((1.0, 2.0), (1.0, 4.0))
    assert layer == Normalization(mean=(1.0, 2.0), variance=[1, 4])


def test_resizing_takes_bytes_and_any_size():
    layer = Resizing(3, 4)
    assert layer.output_shape((None, None, 3)) == (3, 4, 3)
    y, _ = layer.apply({}, {}, jnp.full((2, 9, 7, 3), 200, jnp.uint8), training=False, key=None)
    agree(y, np.full((2, 3, 4, 3), 200.0), LAYERS)
    chain = Sequential([Input((20, 30, 3)), Resizing(8, 8), Rescaling(1 / 255)])
    assert [row.receptive_field for row in chain.summary(print_to=None).rows] == [(1, 1), (1, 1)]


def adapted() -> Normalization:
    layer = Normalization()
    layer.adapt(np.ones((3, 2)))
    return layer


MESSAGES = [
    (
        lambda: Sequential([Input((28, 28, 1)), Normalization()]),
        "Normalization: mean and variance are known before the layer is used. Received mean=None, variance=None. "
        "Call adapt(x_train) on the layer before the model is built, or give mean and variance.",
    ),
    (
        lambda: adapted().adapt(np.ones((3, 2))),
        "Normalization: a layer is adapted once: a model that has it may be compiled with its numbers. "
        "Received adapt on a layer that has its mean and variance. Make a new Normalization and a new model.",
    ),
    (
        lambda: Normalization().adapt("x"),
        "Normalization: adapt takes an array of numbers, one row an example, or an iterable of such arrays. Received "
        "'x'. For example adapt(x_train).",
    ),
    (
        lambda: Normalization().adapt(np.full((3, 2), np.nan)),
        "Normalization: adapt takes finite numbers. Received NaN or infinite values. Look for them: "
        "numpy.argwhere(~numpy.isfinite(x)).",
    ),
    (lambda: Normalization().adapt([]), "Normalization: adapt takes at least one example. Received no data."),
    (
        lambda: Normalization(mean=1.0),
        "Normalization: mean and variance come together. Received mean=1.0, variance=None. "
        "Give both, or neither and call adapt(x_train).",
    ),
    (
        lambda: Normalization(mean=(1.0, 2.0), variance=1.0),
        "Normalization: mean and variance have one shape. Received mean of shape (2,), variance of shape ().",
    ),
    (
        lambda: Normalization(mean=1.0, variance=-1.0),
        "Normalization: variance is made of finite numbers of at least 0. Received variance=-1.0.",
    ),
    (
        lambda: Normalization(mean="a", variance=1.0),
        "Normalization: mean is made of finite numbers. Received mean='a'.",
    ),
    (
        lambda: Resizing(8, 8, "cubic"),
        "Resizing: interpolation is 'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5'. "
        "Received interpolation='cubic'. Did you mean 'bicubic'?",
    ),
    (
        lambda: Resizing(8, 8, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        "Resizing: pictures are cropped or padded to the aspect ratio, not both. "
        "Received crop_to_aspect_ratio=True, pad_to_aspect_ratio=True. Leave one of them out.",
    ),
]


@pytest.mark.parametrize(("call", "message"), MESSAGES)
def test_messages(call, message):
    with pytest.raises((ArgumentError, DataError)) as caught:
        call()
    assert str(caught.value) == message
