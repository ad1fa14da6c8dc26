from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from convista.ops.normalization import moments, normalize
from oracles.compare import LAYERS, SUMS, agree, agree_all, gradients_of, numbers, run_together

AXES = pytest.mark.parametrize(("shape", "axis"), [((6, 3), 1), ((6, 4, 5, 3), -1), ((6, 4, 5, 3), 1), ((6, 4, 3), 2)])


def both(x, axis, mask=None):
    return jnp.stack(moments(x, axis, mask))


@AXES
def test_moments_are_those_of_numpy(shape, axis):
    x = numbers(*shape) + 5
    others = tuple(place for place in range(len(shape)) if place != axis % len(shape))
    mean, variance = moments(jnp.asarray(x), axis)
    agree(mean, x.astype(np.float64).mean(others), SUMS)
    agree(variance, x.astype(np.float64).var(others), SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(variance, x.astype(np.float64).var(others, ddof=1), SUMS)


@AXES
@pytest.mark.parametrize("real", [1, 4, 6])
def test_masked_moments_are_those_of_the_real_rows_with_their_gradients(shape, axis, real):
    x = numbers(*shape) + 5
    x[real:] = 1e3
    mask = (np.arange(6) < real).astype(np.float32)
    found = run_together(
        {
            "masked": (gradients_of(functools.partial(both, axis=axis, mask=jnp.asarray(mask))), (x,)),
            "alone": (gradients_of(functools.partial(both, axis=axis)), (x[:real],)),
        }
    )
    (masked, (gradient,)), (alone, (expected,)) = found["masked"], found["alone"]
    agree(masked, alone, LAYERS)
    agree(gradient[:real], expected, LAYERS)
    assert not np.asarray(gradient[real:]).any()


def test_a_large_mean_does_not_eat_the_variance():
    x = numbers(64, 3) + 1e3
    agree(moments(jnp.asarray(x), 1)[1], x.astype(np.float64).var(0), LAYERS)


@AXES
def test_normalize_is_the_formula(shape, axis):
    x = numbers(*shape)
    channels = shape[axis]
    mean, scale, offset = (numbers(channels, seed=seed) for seed in (1, 2, 3))
    variance = np.abs(numbers(channels, seed=4)) + np.float32(0.1)
    arrays = (x, mean, variance, scale, offset)
    y = normalize(jnp.asarray(x), axis, *map(jnp.asarray, arrays[1:]), 1e-3)
    shape = [-1 if place == axis % x.ndim else 1 for place in range(x.ndim)]
    wide = [array.astype(np.float64).reshape(shape) for array in arrays[1:]]
    expected = (x - wide[0]) / np.sqrt(wide[1] + 1e-3) * wide[2] + wide[3]
    agree(y, expected, SUMS)


def test_a_batch_normalised_by_its_own_moments_has_mean_0_and_variance_1():
    x = jnp.asarray(numbers(50, 4) * 3 + 7)
    ones, zeros = jnp.ones(4), jnp.zeros(4)
    found = moments(normalize(x, -1, *moments(x, -1), ones, zeros, 1e-9), -1)
    agree_all(found, (zeros, ones), LAYERS)
