from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from oracles.compare import EXACT, LAYERS, STEPS, SUMS, agree, agree_all, numbers, value_and_gradients

EVERY = pytest.mark.parametrize("tolerance", [EXACT, SUMS, LAYERS, STEPS], ids=["exact", "sums", "layers", "steps"])


@EVERY
def test_a_tolerance_takes_itself_and_rejects_one_number_just_beyond_it(tolerance):
    expected = numbers(4, 5)
    agree(expected, expected, tolerance)
    wrong = expected.astype(np.float64)
    wrong[2, 3] += tolerance.bound(expected) * 1.01 + 1e-6
    with pytest.raises(AssertionError, match=r"result\[2, 3\] = .* 1 of 20 differ"):
        agree(wrong, expected, tolerance, dtype=np.float64)


@EVERY
def test_a_tolerance_is_far_below_one_weight_in_a_thousand(tolerance):
    expected = numbers(4, 5)
    with pytest.raises(AssertionError, match="apart"):
        agree(expected * np.float32(1.001), expected, tolerance)


def test_shape_is_compared_before_broadcasting_can_hide_it():
    with pytest.raises(AssertionError, match=r"result: shape \(1, 3\), expected \(2, 3\)"):
        agree(np.zeros((1, 3), np.float32), np.zeros((2, 3)), SUMS)


def test_dtype_is_compared():
    with pytest.raises(AssertionError, match="result: dtype float16, expected float32"):
        agree(np.zeros(3, np.float16), np.zeros(3), SUMS)


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_agrees_only_with_itself(strange):
    agree(np.float32([1, strange]), np.array([1, strange]), SUMS)
    with pytest.raises(AssertionError, match="where the oracle is finite"):
        agree(np.float32([1, strange]), np.array([1, 2]), SUMS)
    with pytest.raises(AssertionError):
        agree(np.float32([1, 2]), np.array([1, strange]), SUMS)


def test_trees_have_the_same_entries():
    with pytest.raises(AssertionError, match=r"entries \['bias', 'kernel'\], expected \['kernel'\]"):
        agree_all({"kernel": np.zeros(1, np.float32), "bias": np.zeros(1, np.float32)}, {"kernel": np.zeros(1)}, SUMS)
    with pytest.raises(AssertionError, match="1 entries, expected 2"):
        agree_all([np.zeros(1, np.float32)], [np.zeros(1), np.zeros(1)], SUMS)


def test_a_gradient_of_another_function_is_seen():
    _, (right,) = value_and_gradients(jnp.sin, [numbers(3)])
    _, (wrong,) = value_and_gradients(jnp.tanh, [numbers(3)])
    agree(right, np.cos(numbers(3)) * np.random.default_rng(7).normal(size=3), SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(wrong, right, LAYERS)
