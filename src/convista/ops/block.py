"""Convolution, bias, activation and max pooling as one operation: what they write in between stays in the cache."""

from __future__ import annotations

import jax

from convista.kernels import block as native
from convista.kernels import selection
from convista.kernels.geometry import BlockGeometry
from convista.ops.activation import relu as rectified
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.ops.linear import add_bias
from convista.ops.pooling import PoolingGeometry, max_pooling


def block(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    geometry: ConvolutionGeometry,
    pooling: PoolingGeometry | None = None,
    *,
    relu: bool = False,
) -> jax.Array:
    """Return ``relu(max over each window of convolution(x, kernel) + bias)``.

    Bias and relu keep order, also when they round, so they wait until after the maximum. With pooling and more than
    eight filters the values are those of convolution, bias, relu and pooling to the bit, otherwise to rounding. The
    gradient goes to the largest value before rounding, where the plain order takes the first of those that rounding
    made equal.

    Args:
        x: Input, ``(batch, *spatial, channels)``.
        kernel: Weights, ``(*window, channels // groups, filters)``.
        bias: ``(filters,)``.
        geometry: Strides, padding, dilation and groups of the convolution.
        pooling: The windows of the pooling; ``None`` pools nothing.
        relu: Whether negative results become 0.

    Returns:
        ``(batch, *positions, filters)``, in the dtype of ``x``.

    Example:
        >>> import jax.numpy as jnp
        >>> x, kernel, bias = jnp.ones((1, 6, 6, 1)), jnp.ones((3, 3, 1, 2)), jnp.array([1.0, -10.0])
        >>> plain = ConvolutionGeometry((1, 1), ((0, 0), (0, 0)), (1, 1))
        >>> halves = PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))
        >>> block(x, kernel, bias, plain, halves, relu=True)[0, 0, 0].tolist()
        [10.0, 0.0]

    Source: lecture 000, «convolution layer» and «max-pooling».
    """
    if not selection.describe().native:
        y = add_bias(convolution(x, kernel, geometry), bias)
        y = rectified(y) if relu else y
        return y if pooling is None else max_pooling(y, pooling)
    if pooling is None or (pooling.size == pooling.strides and not pooling.padded):
        size = (1,) * (x.ndim - 2) if pooling is None else pooling.size
        whole = BlockGeometry(geometry, size, relu)
        if native.takes(x, kernel, bias, whole):
            return native.block(x, kernel, bias, whole)
    y = convolution(x, kernel, geometry)
    # Windows that overlap or hang over the edge: the pooled values are still fewer.
    y = add_bias(y if pooling is None else max_pooling(y, pooling), bias)
    return rectified(y) if relu else y
