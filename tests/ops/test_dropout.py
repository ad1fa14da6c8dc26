from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.ops.dropout import dropout
from oracles.compare import SUMS, agree, numbers

KEY = jax.random.key(5)
CELLS = 40_000


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_the_share_of_zeros_is_the_rate_and_the_mean_is_kept(rate):
    y = np.asarray(dropout(jnp.ones(CELLS), rate, KEY))
    agree(np.unique(y), np.array([0, 1 / (1 - rate)]), SUMS)
    five_sigma = 5 * np.sqrt(rate * (1 - rate) / CELLS)
    assert abs((y == 0).mean() - rate) < five_sigma
    assert abs(y.mean() - 1) < five_sigma / (1 - rate)
    assert not abs((y == 0).mean() - (rate + 0.03)) < five_sigma


def test_one_key_one_mask_another_key_another_mask():
    x = jnp.asarray(numbers(100))
    np.testing.assert_array_equal(dropout(x, 0.5, KEY), dropout(x, 0.5, KEY))
    assert (dropout(x, 0.5, KEY) != dropout(x, 0.5, jax.random.key(6))).any()


def test_the_gradient_passes_where_the_value_did():
    x = jnp.asarray(numbers(200))
    y, pull = jax.vjp(lambda x: dropout(x, 0.25, KEY), x)
    (gradient,) = pull(jnp.ones(200))
    agree(gradient, np.where(np.asarray(y) == 0, 0, 1 / 0.75), SUMS)


def test_noise_shape_drops_together():
    y = np.asarray(dropout(jnp.ones((4, 3, 3, 50)), 0.5, KEY, (4, 1, 1, 50)))
    assert (y == y[:, :1, :1]).all()
    assert 0 < (y[:, 0, 0] == 0).mean() < 1


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_the_dtype_is_kept(dtype):
    assert jax.eval_shape(lambda x: dropout(x, 0.5, KEY), jnp.ones(3, dtype)).dtype == dtype
