"""LayerScale: one learned factor a channel."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.layers import LayerScale
from oracles.compare import EXACT, agree, numbers


def test_it_multiplies_each_channel():
    layer = LayerScale(0.25)
    params, state = layer.init(jax.random.key(0), (3, 3, 2))
    agree(params["gamma"], np.array([0.25, 0.25]), EXACT)
    x, gamma = numbers(2, 3, 3, 2), np.array([0.5, -2.0], np.float32)
    y, _ = layer.apply({"gamma": gamma}, state, x, training=False, key=None)
    agree(y, x * gamma, EXACT)


def test_messages():
    with pytest.raises(ArgumentError) as error:
        LayerScale("small")
    assert str(error.value) == "LayerScale: init_values is a finite number. Received init_values='small'."
    with pytest.raises(ShapeError) as shape:
        LayerScale().parameters((3, None))
    assert str(shape.value) == "the number of channels is known. Received input_shape=(3, None)."
