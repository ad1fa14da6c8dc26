from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.kernels import selection
from convista.ops.normalization import batch_normalization, moments, normalize
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


@AXES
@pytest.mark.parametrize("kernels", ["native", "xla"])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("real", [None, 4])
def test_a_batch_is_normalised_as_by_its_parts(shape, axis, real, relu, kernels, monkeypatch):
    if kernels == "native" and not selection.describe().native:
        pytest.skip("no native kernels")
    if kernels == "xla":
        monkeypatch.setattr(selection, "describe", lambda: selection.Selection("xla", "a test"))
    operands = (numbers(*shape) * 2 + 5, *(numbers(shape[axis], seed=seed) for seed in (1, 2)))
    mask = None if real is None else jnp.asarray(np.arange(6) < real, jnp.float32)

    def whole(x, scale, offset):
        return batch_normalization(x, axis, scale, offset, 1e-3, mask, relu=relu)[0]

    def parts(x, scale, offset):
        y = normalize(x, axis, *moments(x, axis, mask), scale, offset, 1e-3)
        return jax.nn.relu(y) if relu else y

    found = run_together({"whole": (gradients_of(whole), operands), "parts": (gradients_of(parts), operands)})
    (y, gradients), (right, expected) = found["whole"], found["parts"]
    agree(y, right, LAYERS)
    agree_all(gradients, expected, LAYERS)
    statistics = batch_normalization(*map(jnp.asarray, operands[:1]), axis, *operands[1:], 1e-3, mask)[1:]
    agree_all(statistics, moments(jnp.asarray(operands[0]), axis, mask), SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(y * 1.01, right, LAYERS)


def test_statistics_carry_no_gradient():
    x, ones = jnp.asarray(numbers(6, 4, 3)), jnp.ones(3)
    gradient = jax.grad(lambda x: sum(map(jnp.sum, batch_normalization(x, -1, ones, ones, 1e-3)[1:])))(x)
    assert not gradient.any()
