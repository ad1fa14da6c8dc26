"""Products with a weight matrix and the addition of a bias."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from convista.kernels import convolution as native
from convista.kernels import selection
from convista.kernels.geometry import ConvolutionGeometry

_ONE_TAP = ConvolutionGeometry((1,), ((0, 0),), (1,))

# With fewer rows packing the weights costs more than the product: one row, 3136 to 128, takes 0.18 ms, XLA's 0.04.
_FEWEST_ROWS = 32


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Return ``y[..., o] = Σ_i x[..., i] · kernel[i, o]``.

    With ``x`` in bfloat16 a float32 kernel is rounded to bfloat16; sums, and the kernel's gradient, are float32.

    Example:
        >>> dense(jnp.ones((2, 3)), jnp.ones((3, 4))).shape
        (2, 4)
    """
    rows = x.reshape(-1, x.shape[-1])
    return _product_of_rows(rows, kernel).reshape(*x.shape[:-1], kernel.shape[-1])


# As a convolution of one tap the product has the same bits for any number of threads, which XLA:CPU's has not, and is
# faster where weights are many: forward and gradients of 128 rows, 1152 to 10 in 0.18 against 0.31 ms, 1600 to 64 in
# 0.67 against 1.41, 4096 to 1024 in 24 against 53 (two threads).
def _product_of_rows(rows: jax.Array, kernel: jax.Array) -> jax.Array:
    pixels, tap = rows[:, None], kernel[None]
    if (
        native.takes(pixels, tap, _ONE_TAP)
        and 0 not in kernel.shape
        and rows.shape[0] >= _FEWEST_ROWS
        and selection.describe().native
    ):
        return native.forward(pixels, tap, _ONE_TAP)[:, 0]
    return rows @ kernel if rows.dtype == kernel.dtype else _rounded_dense(rows, kernel)


@jax.custom_vjp
def _rounded_dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _product(x, kernel.astype(x.dtype)).astype(x.dtype)


def _product(a, b):
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


def _rounded_dense_forward(x, kernel):
    return _rounded_dense(x, kernel), (x, kernel)


def _rounded_dense_backward(residuals, gradient):
    x, kernel = residuals
    return _product(gradient, kernel.astype(x.dtype).T).astype(x.dtype), _product(x.T, gradient)


_rounded_dense.defvjp(_rounded_dense_forward, _rounded_dense_backward)


@jax.custom_jvp
def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    """Add one number a channel: ``y[..., c] = x[..., c] + bias[c]``, in the dtype of ``x``.

    A float32 bias of a bfloat16 ``x`` is added, and its gradient is summed, in float32.

    Example:
        >>> add_bias(jnp.zeros((2, 3)), jnp.arange(3.0)).sum(0).tolist()
        [0.0, 2.0, 4.0]
    """
    return (x.astype(bias.dtype) + bias).astype(x.dtype)


# The bias is spread by a product with ones, so that its gradient is one too: XLA:CPU turns the plain sum into windowed
# reductions, 8.5 ms against 1.5 for the first convolution of the lecture convnet at batch 128.
# Lost: adding sixteen parts before the product is faster alone (1.0 ms) and slower in the training step, where it is
# fused with the gradient before it (24.2 against 19.2 ms a step).
@add_bias.defjvp
def _add_bias_derivative(primals, tangents):
    x, bias = primals
    by_x, by_bias = tangents
    ones = jnp.ones((x.size // max(1, bias.size), 1), bias.dtype)
    spread = (ones @ by_bias[None]).reshape(x.shape)
    return add_bias(x, bias), by_x + spread.astype(x.dtype)
