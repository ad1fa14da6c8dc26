"""What augmenting layers share: spans of draws, and that they do nothing outside training."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from convista import Sequential
from convista.errors import ArgumentError, ShapeError
from convista.layers import Augmentation, Dense, Flatten, Input, RandomFlip, RandomRotation
from convista.layers.augmentation import pair, span


@pytest.mark.parametrize(
    ("value", "around", "found"),
    [
        (0.2, None, (-0.2, 0.2)),
        (-0.2, None, (-0.2, 0.2)),
        ((0.3, 0.1), None, (0.1, 0.3)),
        (0.4, 0.0, (0.0, 0.4)),
        ([0, 1], None, (0.0, 1.0)),
    ],
)
def test_a_span_is_one_number_or_two(value, around, found):
    assert span(value, "factor", where="a layer", limits=(-1, 1), around=around) == found


@pytest.mark.parametrize("value", [None, "0.2", (0.1,) * 3, (), 1.5, (0, 2), True, float("nan"), {0.1}])
def test_what_is_no_span_teaches(value):
    with pytest.raises(ArgumentError, match="factor is one number or two, between -1 and 1"):
        span(value, "factor", where="a layer", limits=(-1, 1))


def test_a_pair_has_two_different_numbers():
    assert pair([255, 0], "value_range", where="a layer") == (0.0, 255.0)
    for wrong in ((1, 1), (0, float("inf")), (0,), None):
        with pytest.raises(ArgumentError):
            pair(wrong, "value_range", where="a layer")


def test_an_augmentation_of_your_own_is_one_class():
    class Inverted(Augmentation):
        def augment(self, x, key):
            return -x

    layer = Inverted()
    x = jnp.ones((1, 2, 2, 1))
    assert layer.apply({}, {}, x, training=False, key=None)[0] is x
    with pytest.raises(ArgumentError, match="augmentation draws random numbers while training"):
        layer.apply({}, {}, x, training=True, key=None)
    assert layer.output_shape((2, 2, 1)) == (2, 2, 1)
    with pytest.raises(ShapeError, match="one input is height × width × channels"):
        layer.output_shape((4,))


def test_predictions_do_not_know_of_augmentation():
    rest = [Flatten(), Dense(2)]
    plain = Sequential([Input((6, 6, 1)), *rest], seed=1)
    augmented = Sequential([Input((6, 6, 1)), RandomFlip(), RandomRotation(0.2), Flatten(), Dense(2)], seed=1)
    augmented.set_weights(plain.get_weights())
    x = np.random.default_rng(0).random((5, 6, 6, 1)).astype(np.float32)
    np.testing.assert_array_equal(augmented.predict(x), plain.predict(x))
    assert np.any(np.asarray(augmented(x, training=True)) != plain.predict(x))
