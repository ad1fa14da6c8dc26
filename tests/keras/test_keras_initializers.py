"""Keras's initialiser classes stand for the names that layers know."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.keras import initializers, layers
from convista.layers.initializers import FUNCTIONS

KINDS = [name for name in initializers.__all__ if name[0].isupper()]


@pytest.mark.parametrize("kind", KINDS)
def test_each_stands_for_a_name_of_keras(kind: str) -> None:
    name = getattr(initializers, kind)()
    assert name in FUNCTIONS
    assert type(keras.initializers.get(name)) is getattr(keras.initializers, kind)
    assert getattr(initializers, name) is getattr(initializers, kind)


def test_defaults_may_be_spelt_out() -> None:
    assert initializers.RandomNormal(0.0, stddev=0.05, seed=None) == "random_normal"
    assert initializers.RandomUniform(minval=-0.05, maxval=0.05) == "random_uniform"


def test_a_layer_takes_one() -> None:
    layer = layers.Dense(3, kernel_initializer=initializers.Ones(), bias_initializer=initializers.Zeros())
    params, _ = layer.init(jax.random.key(0), (2,))
    np.testing.assert_array_equal(params["kernel"], np.ones((2, 3)))
    np.testing.assert_array_equal(params["bias"], np.zeros(3))
    assert layers.Dense(3, kernel_initializer=initializers.HeNormal()).to_config()["kernel_initializer"] == "he_normal"


FIX = "Give the layer a function (key, shape) -> array instead, made with jax.random."


@pytest.mark.parametrize(
    ("kind", "given", "options", "message"),
    [
        (
            "RandomNormal",
            (),
            {"stddev": 0.1},
            f"RandomNormal: Convista has RandomNormal with mean=0.0, stddev=0.05. Received stddev=0.1. {FIX}",
        ),
        ("Orthogonal", (2.0,), {}, f"Orthogonal: Convista has Orthogonal with gain=1.0. Received gain=2.0. {FIX}"),
        ("Zeros", (), {"value": 1}, f"Zeros: Convista has Zeros with no arguments. Received value=1. {FIX}"),
        ("Zeros", (1,), {}, f"Zeros: Convista has Zeros with no arguments. Received 1 argument. {FIX}"),
        (
            "HeNormal",
            (),
            {"seed": 1},
            "HeNormal: all weights of a model are drawn from the model's one seed. Received seed=1. "
            "Leave seed out and call convista.keras.utils.set_random_seed(0), or give the model seed=0.",
        ),
    ],
)
def test_other_arguments_are_refused(kind, given, options, message) -> None:
    with pytest.raises(ArgumentError) as error:
        getattr(initializers, kind)(*given, **options)
    assert str(error.value) == message
