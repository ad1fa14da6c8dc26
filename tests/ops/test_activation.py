from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.ops import activation
from oracles.compare import SUMS, agree, agree_all, gradients_of, run_together
from oracles.keras_oracle import keras

# Kinks (−3, 0, 3, 6), both tails and what lies between, in rows of four for softmax.
POINTS = np.float32(
    [[-90, -20, -6, -3.5], [-3, -1, -0.25, -1e-4], [0, 1e-4, 0.25, 1], [2.5, 3, 3.5, 5], [6, 6.5, 20, 80]]
)


@functools.cache
def results():
    jobs = {}
    with jax.numpy_dtype_promotion("standard"):
        for name in activation.FUNCTIONS:
            points = np.clip(POINTS, -10, 10) if name == "exponential" else POINTS
            jobs[name, "ours"] = gradients_of(activation.get(name)), (points,)
            jobs[name, "keras"] = gradients_of(keras.activations.get(name)), (points,)
        return run_together(jobs)


@pytest.mark.parametrize("name", activation.FUNCTIONS)
def test_values_and_slopes_are_those_of_keras(name):
    agree_all(results()[name, "ours"], results()[name, "keras"], SUMS)


def test_the_comparison_rejects_an_approximation():
    with pytest.raises(AssertionError, match="apart"):
        agree(jax.nn.gelu(jnp.asarray(POINTS[1:4]), approximate=True), activation.gelu(jnp.asarray(POINTS[1:4])), SUMS)


@pytest.mark.parametrize("name", activation.FUNCTIONS)
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_the_dtype_is_kept(name, dtype):
    assert jax.eval_shape(activation.get(name), jnp.zeros((2, 3), dtype)).dtype == dtype


def test_names_in_capitals_none_and_functions():
    assert activation.get("ReLU") is activation.relu
    assert activation.get(None) is activation.linear
    assert activation.get(jnp.sin) is jnp.sin
    assert [activation.name_of(item) for item in (None, "ReLU", activation.gelu, jnp.sin)] == [
        "linear",
        "relu",
        "gelu",
        None,
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "rely",
            "Conv2D 'a': activation is the name of a known function or a function. Received activation='rely'. "
            "Did you mean 'relu'?",
        ),
        (3, "Conv2D 'a': activation is the name of a known function or a function. Received activation=3."),
    ],
)
def test_unknown_activations(wrong, message):
    with pytest.raises(ArgumentError) as caught:
        activation.get(wrong, where="Conv2D 'a'")
    assert str(caught.value) == message
