"""Random layers: what is dropped together, how much, and that a seed repeats it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.layers import GaussianNoise, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D

SHAPES = {SpatialDropout1D: (9,), SpatialDropout2D: (4, 5), SpatialDropout3D: (2, 3, 4)}
KEY = jax.random.key(3)


def trained(layer, x, key=KEY):
    return np.asarray(layer.apply({}, {}, x, training=True, key=key)[0])


@pytest.mark.parametrize("kind", SHAPES)
def test_whole_channels_fall_and_the_others_keep_the_mean(kind):
    x = jnp.ones((60, *SHAPES[kind], 50))
    y = trained(kind(0.25), x)
    positions = tuple(range(1, y.ndim - 1))
    np.testing.assert_array_equal(y.min(positions), y.max(positions))
    kept = y.max(positions)
    assert set(np.unique(kept)) == {0, np.float32(1 / 0.75)}
    assert abs((kept == 0).mean() - 0.25) < 0.03  # 3000 draws: four standard deviations
    assert len(np.unique((kept == 0).sum(1))) > 1  # examples are dropped apart


def test_noise_has_its_deviation_and_no_mean():
    noise = trained(GaussianNoise(0.5), jnp.zeros((200, 100)))
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.5) < 0.02


@pytest.mark.parametrize("make", [lambda seed: SpatialDropout2D(0.5, seed=seed), lambda s: GaussianNoise(0.5, seed=s)])
def test_a_key_repeats_and_a_seed_sets_apart(make):
    x = jnp.ones((2, 4, 5, 8))
    np.testing.assert_array_equal(trained(make(1), x), trained(make(1), x))
    assert (trained(make(1), x) != trained(make(2), x)).any()
    assert (trained(make(1), x) != trained(make(1), x, jax.random.key(4))).any()
    np.testing.assert_array_equal(make(1).apply({}, {}, x, training=False, key=None)[0], x)
