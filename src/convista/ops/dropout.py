"""Random zeros and random noise that keep the mean."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def dropout(x: jax.Array, rate: float, key: jax.Array, noise_shape: tuple[int, ...] | None = None) -> jax.Array:
    """Set each value to 0 with probability ``rate`` and divide the others by ``1 − rate``.

    Args:
        x: Any shape, floating point.
        rate: Probability of a zero, at least 0 and below 1.
        key: JAX random key.
        noise_shape: Shape of the mask, broadcast against ``x``; ``None`` draws one number for each value.

    Example:
        >>> y = dropout(jnp.ones(1000), 0.5, jax.random.key(0))
        >>> sorted(set(y.tolist()))
        [0.0, 2.0]

    Source: N. Srivastava et al., «Dropout: a simple way to prevent neural networks from overfitting», 2014;
    lecture 003.
    """
    keep = jax.random.bernoulli(key, 1.0 - rate, x.shape if noise_shape is None else noise_shape)
    return jnp.where(keep, x / jnp.asarray(1.0 - rate, x.dtype), jnp.zeros((), x.dtype))


def gaussian_noise(x: jax.Array, stddev: float, key: jax.Array) -> jax.Array:
    """Add to each value a number drawn from the normal distribution with mean 0.

    Args:
        x: Any shape, floating point.
        stddev: Standard deviation of the noise.
        key: JAX random key.

    Example:
        >>> gaussian_noise(jnp.zeros(3), 0.0, jax.random.key(0)).tolist()
        [0.0, 0.0, 0.0]
    """
    return x + jnp.asarray(stddev, x.dtype) * jax.random.normal(key, x.shape, x.dtype)
