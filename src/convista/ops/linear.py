"""Products with a weight matrix and the addition of a bias."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Return ``y[..., o] = Σ_i x[..., i] · kernel[i, o]``.

    Example:
        >>> dense(jnp.ones((2, 3)), jnp.ones((3, 4))).shape
        (2, 4)
    """
    return x @ kernel


@jax.custom_vjp
def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    """Add one number a channel: ``y[..., c] = x[..., c] + bias[c]``.

    Example:
        >>> add_bias(jnp.zeros((2, 3)), jnp.arange(3.0)).sum(0).tolist()
        [0.0, 2.0, 4.0]
    """
    return x + bias


def _add_bias_forward(x, bias):
    return x + bias, None


# As a product with ones: XLA:CPU turns the plain sum into windowed reductions, 8.5 ms against 1.5 for the first
# convolution of the lecture convnet at batch 128.
# Lost: adding sixteen parts before the product is faster alone (1.0 ms) and slower in the training step, where it is
# fused with the gradient before it (24.2 against 19.2 ms a step).
def _add_bias_backward(_, gradient):
    rows = gradient.reshape(-1, gradient.shape[-1])
    return gradient, (jnp.ones((1, rows.shape[0]), gradient.dtype) @ rows)[0]


add_bias.defvjp(_add_bias_forward, _add_bias_backward)
