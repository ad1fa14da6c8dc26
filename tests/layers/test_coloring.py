"""Augmentation of values: Keras's numbers where its draws can be fixed, and the statistics of the draws."""

from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.layers import (
    Cutout,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomErasing,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from oracles.compare import EXACT, LAYERS, QUICK, agree
from oracles.keras_oracle import keras

KEY = jax.random.key(3)
X = np.random.default_rng(0).random((4, 9, 7, 3)).astype(np.float32)
MANY = np.repeat(X[:1], 2000, axis=0)
UNIT = (0.0, 1.0)


def plain(layer, x, key):
    return layer.apply({}, {}, x, training=True, key=key)[0]


run = jax.jit(plain, static_argnums=0, compiler_options=QUICK)


def trained(layer, x=X, key=KEY):
    return np.asarray(run(layer, jnp.asarray(x), key))


def kerass(name, *args, **options):
    layer = getattr(keras.layers, name)(*args, seed=0, **options)
    with jax.numpy_dtype_promotion("standard"):
        return np.asarray(layer(X, training=True))


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        (RandomBrightness, (0.3, 0.3)),
        (RandomBrightness, (-0.2, -0.2)),
        (RandomSaturation, (0.3, 0.3)),
        (RandomSaturation, (0.8, 0.8)),
    ],
)
def test_the_pictures_are_those_of_keras(kind, factor):
    agree(trained(kind(factor, value_range=UNIT)), kerass(kind.__name__, factor, value_range=UNIT), LAYERS)


def test_the_oracle_rejects_another_brightness():
    with pytest.raises(AssertionError, match="apart"):
        agree(
            trained(RandomBrightness((0.3, 0.3), UNIT)),
            kerass("RandomBrightness", (0.301, 0.301), value_range=UNIT),
            LAYERS,
        )


def test_a_hue_is_turned_to_one_side_or_the_other_as_in_keras():
    found, expected = trained(RandomHue((0.4, 0.4), UNIT)), kerass("RandomHue", (0.4, 0.4), value_range=UNIT)
    sides = [np.asarray(run(RandomHue((0.4, 0.4), UNIT), X, jax.random.key(seed))) for seed in range(12)]
    for picture, theirs in zip(found, expected, strict=True):
        assert any(np.allclose(theirs, side[n], atol=1e-5) for side in sides for n in range(4))
        assert any(np.allclose(picture, side[n], atol=1e-5) for side in sides for n in range(4))
    assert len({tuple(side[0].ravel().round(3)) for side in sides}) == 2


def test_contrast_is_drawn_from_one_less_to_one_more():
    y = trained(RandomContrast((0.3, 0.6), value_range=(-10, 10)), MANY)
    spread = y.std(axis=(1, 2)) / MANY.std(axis=(1, 2))
    np.testing.assert_allclose(spread, np.broadcast_to(spread[:, :1], spread.shape), rtol=1e-4)
    np.testing.assert_allclose([spread.min(), spread.max(), spread.mean()], [0.7, 1.6, 1.15], atol=0.02)
    np.testing.assert_allclose(y.mean(axis=(1, 2)), MANY.mean(axis=(1, 2)), atol=1e-4)
    single = trained(RandomContrast(0.5, value_range=(-10, 10)), MANY).std(axis=(1, 2)) / MANY.std(axis=(1, 2))
    np.testing.assert_allclose([single.min(), single.max()], [0.5, 1.5], atol=0.02)


def test_brightness_is_added_evenly_and_values_stay_in_their_range():
    y = trained(RandomBrightness(0.2, value_range=(0, 255)), np.full((2000, 2, 2, 1), 250.0, np.float32))
    assert y.max() == 255.0
    added = trained(RandomBrightness(0.2, value_range=(0, 255)), np.full((2000, 2, 2, 1), 100.0, np.float32)) - 100
    assert (added == added[:, :1, :1]).all()
    np.testing.assert_allclose([added.min(), added.max(), added.mean()], [-51, 51, 0], atol=2)


def test_grey_is_made_with_its_probability():
    y = trained(RandomGrayscale(0.3), MANY)
    grey = (y == y[..., :1]).all(axis=(1, 2, 3))
    np.testing.assert_allclose(grey.mean(), 0.3, atol=0.04)
    agree(y[~grey], MANY[~grey], EXACT)
    wanted = np.broadcast_to((X[0] @ np.array([0.2989, 0.587, 0.114], np.float32))[..., None], X[0].shape)
    np.testing.assert_allclose(y[grey][0], wanted, atol=1e-6)


def test_jitter_is_its_parts_in_order():
    layer = RandomColorJitter(UNIT, (0.1, 0.1), None, (0.6, 0.6), None)
    by_hand = trained(RandomSaturation((0.6, 0.6), UNIT), trained(RandomBrightness((0.1, 0.1), UNIT)))
    agree(trained(layer), by_hand, LAYERS)
    assert RandomColorJitter((0, 255)).output_shape((4, 4, 1)) == (4, 4, 1)


def test_a_rectangle_of_the_right_size_is_erased():
    black = np.ones((2000, 40, 30, 1), np.float32)
    y = trained(RandomErasing((1.0, 1.0), scale=(0.04, 0.25), fill_value=0.0, value_range=UNIT), black)
    erased = y[..., 0] == 0
    heights, widths = erased.any(axis=2).sum(axis=1), erased.any(axis=1).sum(axis=1)
    assert (erased.sum(axis=(1, 2)) == heights * widths).all()
    assert (heights.min(), heights.max()) == (8, 20)
    assert (widths.min(), widths.max()) == (6, 15)
    # √u for u even between a and b: mean of the side.
    mean = (0.25**1.5 - 0.04**1.5) / 1.5 / 0.21
    np.testing.assert_allclose([heights.mean() / 40, widths.mean() / 30], [mean, mean], rtol=0.02)


def test_erasing_happens_with_a_probability_drawn_up_to_the_factor():
    black = np.ones((4000, 8, 8, 1), np.float32)
    for factor, share in ((1.0, 0.5), ((0.8, 1.0), 0.9), ((0.0, 0.0), 0.0)):
        y = trained(RandomErasing(factor, scale=(0.2, 0.3), fill_value=0.0, value_range=UNIT), black)
        np.testing.assert_allclose((y == 0).any(axis=(1, 2, 3)).mean(), share, atol=0.03)


def test_erasing_fills_with_noise_or_with_one_value_a_channel():
    noise = trained(RandomErasing((1.0, 1.0), scale=(0.5, 0.9)), X)
    assert noise.max() > 1
    assert (noise.min(), noise.max() <= 255) == (0, True)
    y = trained(RandomErasing((1.0, 1.0), scale=(0.9, 0.9), fill_value=(0.1, 0.2, 0.3), value_range=UNIT))
    np.testing.assert_allclose(y[:, 4, 3], np.tile([[0.1, 0.2, 0.3]], (4, 1)), rtol=1e-6)


def test_cutout_covers_its_window_and_may_hang_over_the_border():
    y = trained(Cutout((4, 2)), np.ones((3000, 9, 7, 1), np.float32))
    covered = (y[..., 0] == 0).sum(axis=(1, 2))
    assert covered.max() == 8
    assert covered.min() == 2 * 1  # a corner of the window
    # Each middle is drawn as often as any other.
    inside = [sum(0 <= m - 2 + k < 9 for k in range(4)) for m in range(9)]
    across = [sum(0 <= m - 1 + k < 7 for k in range(2)) for m in range(7)]
    np.testing.assert_allclose(covered.mean(), np.mean(inside) * np.mean(across), rtol=0.03)


@pytest.mark.parametrize(
    "layer",
    [
        RandomBrightness(0.2, UNIT),
        RandomContrast(0.5, UNIT),
        RandomSaturation((0.1, 0.9), UNIT),
        RandomHue(0.5, UNIT),
        RandomGrayscale(0.5),
        RandomColorJitter(UNIT, 0.2, 0.2, (0.2, 0.8), 0.3),
        RandomErasing((1.0, 1.0)),
        Cutout(3),
    ],
)
def test_a_key_says_all_and_outside_training_pictures_are_left_alone(layer):
    agree(trained(layer), trained(layer), EXACT)
    assert np.any(trained(layer) != trained(layer, key=jax.random.key(4)))
    same = np.repeat(X[:1], 32, axis=0)
    assert len(np.unique(trained(layer, same).reshape(32, -1), axis=0)) > 1
    x = jnp.asarray(X)
    assert layer.apply({}, {}, x, training=False, key=None)[0] is x
    squares = jax.grad(lambda x: jnp.sum(plain(layer, x, KEY) ** 2))
    assert np.isfinite(jax.jit(squares, compiler_options=QUICK)(x)).all()


@pytest.mark.parametrize(
    "kind",
    [RandomBrightness, RandomContrast, RandomSaturation, RandomHue, RandomGrayscale, RandomColorJitter, RandomErasing],
)
def test_arguments_and_defaults_are_those_of_keras(kind):
    theirs = inspect.signature(getattr(keras.layers, kind.__name__).__init__).parameters
    ours = inspect.signature(kind).parameters
    for name, parameter in theirs.items():
        if name not in ("self", "kwargs", "name"):
            assert ours[name].default == parameter.default, name
    positional = [name for name in theirs if name not in ("self", "kwargs", "name", "data_format", "seed")]
    assert [name for name in ours if name in positional] == positional


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RandomBrightness(2.0),
            "RandomBrightness: factor is one number or two, between -1 and 1. Received factor=2.0. For example "
            "factor=0.2 or factor=(-0.2, 0.2).",
        ),
        (
            lambda: RandomContrast(0.2, value_range=1),
            "RandomContrast: value_range is the smallest and the largest value. Received value_range=1. For pixels "
            "0…255 write value_range=(0, 255), for values 0…1 value_range=(0, 1).",
        ),
        (lambda: RandomGrayscale(2), "RandomGrayscale: factor is a fraction between 0 and 1. Received factor=2."),
        (
            lambda: RandomErasing(fill_value="red"),
            "RandomErasing: fill_value is a finite number. Received fill_value='red'.",
        ),
        (
            lambda: Cutout(0),
            "Cutout: size is one whole number or 2 of them, each at least 1. Received size=0. For example size=2 or "
            "size=(2, 2).",
        ),
    ],
)
def test_mistakes_teach(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_colours_are_asked_of_colour_pictures_only():
    for layer in (RandomHue(0.1), RandomSaturation(0.5), RandomGrayscale(), RandomColorJitter(hue_factor=0.1)):
        with pytest.raises(ShapeError, match="hue and saturation are of colours: red, green and blue"):
            layer.output_shape((8, 8, 1))
    with pytest.raises(ShapeError, match="fill_value is one number, or one for each channel"):
        RandomErasing(fill_value=(0.0, 1.0)).output_shape((8, 8, 3))
