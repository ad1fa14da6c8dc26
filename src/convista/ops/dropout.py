"""Random zeros that keep the mean."""

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
