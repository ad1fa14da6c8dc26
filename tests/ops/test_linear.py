from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.ops.linear import add_bias, dense
from oracles.compare import SUMS, agree, agree_all, gradients_of, numbers, output_gradient, run_together


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (2, 3, 5, 4)])
def test_dense_multiplies_along_the_last_axis(shape):
    x, kernel = numbers(*shape), numbers(4, 3, seed=1)
    y, (to_x, to_kernel) = run_together({"dense": (gradients_of(dense), (x, kernel))})["dense"]
    sent = output_gradient(y.shape).astype(np.float64)
    agree(y, np.einsum("...i,io->...o", x.astype(np.float64), kernel), SUMS)
    agree(to_x, np.einsum("...o,io->...i", sent, kernel), SUMS)
    agree(to_kernel, np.einsum("ni,no->io", x.reshape(-1, 4), sent.reshape(-1, 3)), SUMS)


@pytest.mark.parametrize("shape", [(5, 4), (1, 4), (2, 3, 4), (2, 9, 7, 4), (2, 3, 1, 2, 4)])
def test_bias_is_added_to_every_position_and_its_gradient_is_their_sum(shape):
    x, bias = numbers(*shape), numbers(4, seed=1)
    y, (to_x, to_bias) = run_together({"bias": (gradients_of(add_bias), (x, bias))})["bias"]
    sent = output_gradient(y.shape)
    agree(y, x.astype(np.float64) + bias, SUMS)
    agree(to_x, sent, SUMS)
    agree(to_bias, sent.astype(np.float64).reshape(-1, 4).sum(0), SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(to_bias, sent.astype(np.float64).reshape(-1, 4).sum(0)[::-1], SUMS)


def test_bias_under_vmap_and_twice_differentiated_is_that_of_plain_addition():
    x, bias = numbers(3, 2, 4), numbers(3, 4, seed=1)
    plain = lambda x, bias: x + bias  # noqa: E731

    def slope(function):
        first = jax.grad(lambda bias, x: jnp.sum(jnp.sin(function(x, bias))))
        return jax.grad(lambda bias, x: jnp.sum(first(bias, x) ** 2))

    found = run_together(
        {
            "ours": (jax.vmap(gradients_of(add_bias)), (x, bias)),
            "plain": (jax.vmap(gradients_of(plain)), (x, bias)),
            "ours twice": (slope(add_bias), (bias[0], x[0])),
            "plain twice": (slope(plain), (bias[0], x[0])),
        }
    )
    agree_all(found["ours"], found["plain"], SUMS)
    agree(found["ours twice"], found["plain twice"], SUMS)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_the_dtype_is_kept(dtype):
    x, bias = jnp.zeros((2, 4), dtype), jnp.zeros(4, dtype)
    assert {leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(gradients_of(add_bias), x, bias))} == {
        jnp.dtype(dtype)
    }
    assert jax.eval_shape(dense, x, jnp.zeros((4, 3), dtype)).dtype == dtype


def test_a_float32_kernel_is_rounded_for_bfloat16_and_its_gradient_is_not():
    x, kernel = jnp.asarray(numbers(2, 40, 64), jnp.bfloat16), jnp.asarray(numbers(64, 3, seed=1))
    y, backward = jax.vjp(dense, x, kernel)
    to_x, to_kernel = backward(y)
    assert (y.dtype, to_x.dtype, to_kernel.dtype) == (jnp.bfloat16, jnp.bfloat16, jnp.float32)
    rows, sent = (np.asarray(array, np.float64).reshape(80, -1) for array in (x, y))
    weights = np.asarray(kernel.astype(jnp.bfloat16), np.float64)
    np.testing.assert_allclose(np.asarray(y, np.float64).reshape(80, -1), rows @ weights, rtol=2**-8, atol=1e-5)
    np.testing.assert_allclose(np.asarray(to_x, np.float64).reshape(80, -1), sent @ weights.T, rtol=2**-8, atol=1e-5)
    np.testing.assert_allclose(to_kernel, rows.T @ sent, rtol=1e-4, atol=1e-4)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(to_kernel.astype(jnp.bfloat16), rows.T @ sent, rtol=1e-4, atol=1e-4)


def test_a_float32_bias_of_bfloat16_is_added_and_summed_in_float32():
    x, bias = jnp.asarray(numbers(500, 4), jnp.bfloat16), jnp.asarray(numbers(4, seed=1))
    y, backward = jax.vjp(add_bias, x, bias)
    to_x, to_bias = backward(y)
    assert (y.dtype, to_x.dtype, to_bias.dtype) == (jnp.bfloat16, jnp.bfloat16, jnp.float32)
    np.testing.assert_array_equal(y, (x.astype(jnp.float32) + bias).astype(jnp.bfloat16))
    exact = np.asarray(y, np.float64).sum(0)
    np.testing.assert_allclose(to_bias, exact, rtol=1e-5, atol=1e-4)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(to_bias * 1.01, exact, rtol=1e-5, atol=1e-4)
