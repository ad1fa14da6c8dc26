from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.training import schedules
from oracles.keras_oracle import keras

CASES = [
    ("ExponentialDecay", (0.1, 7, 0.5), {}),
    ("ExponentialDecay", (0.1, 7, 0.5, True), {}),
    ("CosineDecay", (0.1, 20), {}),
    ("CosineDecay", (0.1, 20, 0.2), {}),
    ("CosineDecay", (0.001, 20, 0.1), {"warmup_target": 0.1, "warmup_steps": 5}),
    ("PiecewiseConstantDecay", ([3, 10], [1.0, 0.5, 0.1]), {}),
    ("PiecewiseConstantDecay", ([4], [1.0, 0.5]), {}),
    ("PolynomialDecay", (0.1, 9), {}),
    ("PolynomialDecay", (0.1, 9, 0.01, 2.0), {}),
    ("PolynomialDecay", (0.1, 9, 0.01, 0.5, True), {}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CASES, ids=str)
def test_every_step_is_that_of_keras(name, arguments, options):
    ours = jax.jit(getattr(schedules, name)(*arguments, **options))
    theirs = jax.jit(getattr(keras.optimizers.schedules, name)(*arguments, **options).__call__)
    steps = range(30)
    values = [ours(jnp.int32(step)) for step in steps]
    assert all(value.shape == () and value.dtype == jnp.float32 for value in values)
    expected = [float(theirs(jnp.int32(step))) for step in steps]
    np.testing.assert_allclose(np.array(values), expected, rtol=2e-6, atol=1e-8)
    with pytest.raises(AssertionError):  # one step off
        np.testing.assert_allclose(np.array(values)[1:], expected[:-1], rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "arguments", "options"), CASES, ids=str)
def test_configurations_come_back(name, arguments, options):
    schedule = getattr(schedules, name)(*arguments, **options)
    assert schedules.Schedule.from_config(schedule.to_config()) == schedule
    assert hash(schedule) == hash(getattr(schedules, name)(*arguments, **options))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: schedules.ExponentialDecay(0.1, 0, 0.5),
            "ExponentialDecay: decay_steps is a positive number. Received decay_steps=0. "
            "Count optimizer steps: epochs × steps per epoch.",
        ),
        (
            lambda: schedules.PolynomialDecay("0.1", 10),
            "PolynomialDecay: initial_learning_rate is a finite number. Received initial_learning_rate='0.1'.",
        ),
        (
            lambda: schedules.CosineDecay(0.1, 10, warmup_target=0.5),
            "CosineDecay: a warm-up needs a target rate and a positive number of steps. Received warmup_target=0.5, "
            "warmup_steps=0. Give both, for example warmup_target=0.001, warmup_steps=100, or neither.",
        ),
        (
            lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]),
            "PiecewiseConstantDecay: there is one value more than there are boundaries. Received boundaries=[1, 2], "
            "values=[0.1, 0.2]. For 2 boundaries give 3 values.",
        ),
        (
            lambda: schedules.PiecewiseConstantDecay([5, 2], [0.1, 0.2, 0.3]),
            "PiecewiseConstantDecay: the boundaries rise. Received boundaries=[5, 2], values=[0.1, 0.2, 0.3]. "
            "Use boundaries=[2, 5] and a value for each piece.",
        ),
        (
            lambda: schedules.Schedule.from_config({"class_name": "ExponentialDecay", "config": {}}),
            "ExponentialDecay: initial_learning_rate is needed. Received only an empty config. "
            "Give initial_learning_rate.",
        ),
    ],
)
def test_mistakes_are_explained(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message
