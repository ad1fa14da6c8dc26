from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.layers import BatchNormalization, Conv2D, Dense, initializers
from oracles.compare import SUMS, agree, run_together
from oracles.keras_oracle import keras

KEY = jax.random.key(3)
KERNEL = (5, 4, 30, 50)
SHAPES = [(4000, 10), KERNEL, (20_000,)]
RANDOM = sorted(set(initializers.FUNCTIONS) - {"zeros", "ones", "orthogonal"})


@functools.cache
def results():
    jobs = {}
    for name in RANDOM:
        for shape in SHAPES:
            jobs[name, shape, "ours"] = functools.partial(initializers.get(name), KEY, shape), ()
            jobs[name, shape, "keras"] = functools.partial(keras.initializers.get(name), shape), ()
    with jax.numpy_dtype_promotion("standard"):
        return run_together(jobs)


def moments(*job) -> tuple[float, float, float]:
    values = np.asarray(results()[job], np.float64)
    return values.mean(), values.std(), np.abs(values).max()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", RANDOM)
def test_the_distribution_is_that_of_keras(name, shape):
    ours, theirs = moments(name, shape, "ours"), moments(name, shape, "keras")
    number = np.prod(shape)
    assert abs(ours[0]) < 5 * ours[1] / np.sqrt(number)
    assert ours[1] == pytest.approx(theirs[1], rel=5 / np.sqrt(number))
    if "uniform" in name or name != "random_normal":  # these have an end
        assert ours[2] == pytest.approx(theirs[2], rel=0.02)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("glorot_uniform", np.sqrt(6 / (600 + 1000))),
        ("he_uniform", np.sqrt(6 / 600)),
        ("lecun_uniform", np.sqrt(3 / 600)),
        ("random_uniform", 0.05),
        ("truncated_normal", 0.1),
        ("he_normal", 2 * np.sqrt(2 / 600) / 0.87962566103423978),
    ],
)
def test_limits_by_formula_with_the_fans_of_a_convolution(name, limit):
    largest = moments(name, KERNEL, "ours")[2]
    assert 0.98 * limit < largest <= limit * (1 + 1e-6)
    assert not 0.98 * limit * np.sqrt(1000 / 600) < largest  # as it would be with the two fans exchanged


def test_orthogonal_columns_are_orthogonal_and_of_length_1():
    kernel = initializers.get("orthogonal")(KEY, (3, 3, 4, 8)).reshape(-1, 8)
    agree(kernel.T @ kernel, np.eye(8), SUMS)


@functools.cache
def kernels():
    keys = (KEY, KEY, jax.random.key(4))
    draw = lambda name: [initializers.get(name.upper())(key, (3, 3, 2, 4)) for key in keys]  # noqa: E731
    return run_together({name: (functools.partial(draw, name), ()) for name in initializers.FUNCTIONS})


@pytest.mark.parametrize("name", initializers.FUNCTIONS)
def test_every_name_begins_a_kernel_in_float32_from_its_key_alone(name):
    assert name in dir(keras.initializers) or keras.initializers.get(name)
    first, again, other = kernels()[name]
    assert first.dtype == jnp.float32
    np.testing.assert_array_equal(first, again)
    assert (name in ("zeros", "ones")) == bool((first == other).all())


def test_vectors_can_begin_at_random_too():
    jobs: dict = {}
    for name in RANDOM:
        jobs[name, "bias"] = lambda name=name: Conv2D(6, 3, bias_initializer=name).init(KEY, (5, 5, 2))[0], ()
        jobs[name, "gamma"] = lambda name=name: BatchNormalization(gamma_initializer=name).init(KEY, (7,))[0], ()
    for (_, kind), params in run_together(jobs).items():
        assert params[kind].shape == ((6,) if kind == "bias" else (7,))
        assert np.unique(params[kind]).size == params[kind].size


def test_kernel_and_bias_of_one_layer_and_two_layers_are_drawn_apart():
    params, _ = Dense(5, bias_initializer="random_normal", kernel_initializer="random_normal").init(KEY, (1,))
    assert (params["kernel"][0] != params["bias"]).all()


def test_a_function_of_ones_own():
    params, _ = Dense(2, kernel_initializer=lambda key, shape: jnp.full(shape, 7.0)).init(KEY, (3,))
    assert params["kernel"].tolist() == [[7.0, 7.0]] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Conv2D(8, 3, name="a", kernel_initializer="he_normla"),
            "Conv2D 'a': kernel_initializer is the name of a known initialiser or a function of (key, shape). "
            "Received kernel_initializer='he_normla'. Did you mean 'he_normal'?",
        ),
        (
            lambda: Dense(8, bias_initializer=0),
            "Dense: bias_initializer is the name of a known initialiser or a function of (key, shape). "
            "Received bias_initializer=0.",
        ),
        (
            lambda: Dense(8, bias_initializer="orthogonal").init(KEY, (3,)),
            "orthogonal rows need at least two axes. Received a vector of shape (8,). "
            'Begin vectors with "zeros" or "ones".',
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message
