"""Convolution (cross-correlation) along any number of spatial axes, channels last, with its gradients."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from convista.kernels import convolution as native
from convista.kernels import selection
from convista.kernels.geometry import ConvolutionGeometry as ConvolutionGeometry
from convista.kernels.primitive import through_xla
from convista.ops.linear import add_bias
from convista.ops.taps import add_taps, taps


def convolution(
    x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry, bias: jax.Array | None = None
) -> jax.Array:
    """Slide a kernel over the spatial axes and sum the products.

    ``y[n, p, o] = Σ_k Σ_c x[n, p·stride + k·dilation − pad, c] · kernel[k, c, o] + bias[o]``

    Args:
        x: Input, ``(batch, *spatial, channels)``.
        kernel: Weights, ``(*window, channels // groups, filters)``; with ``x`` in bfloat16 they may be float32, are
            then rounded to bfloat16, and their gradient is float32.
        geometry: Strides, padding, dilation and groups.
        bias: One number a filter, ``(filters,)``, or none.

    Returns:
        ``(batch, *output, filters)``, in the dtype of ``x``.

    Example:
        >>> x, kernel = jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2))
        >>> convolution(x, kernel, ConvolutionGeometry((2, 2), ((0, 0), (0, 0)), (1, 1))).shape
        (1, 2, 2, 2)

    Source: Y. LeCun et al., «Gradient-based learning applied to document recognition», 1998; lecture 000.
    """
    kernel = _exact(x, kernel)
    if native.takes(x, kernel, geometry) and selection.describe().native:
        y = native.forward(x, kernel, geometry)
    elif bias is not None and bias.dtype == x.dtype and _is_one_channel(kernel, geometry):
        return _one_channel_with_bias(x, kernel.astype(x.dtype), bias, geometry)
    else:
        y = _through_xla(x, kernel, geometry)
    return y if bias is None else add_bias(y, bias)


def _exact(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Return a bfloat16 kernel in float32: no bit is lost, and its gradient is added in float32."""
    return kernel.astype(jnp.float32) if x.dtype == kernel.dtype == jnp.bfloat16 else kernel


def _through_xla(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> jax.Array:
    kernel = kernel.astype(x.dtype)
    if geometry.groups > 1:
        return _xla_convolution(x, kernel, geometry)
    if _is_one_channel(kernel, geometry):
        return _one_channel(x, kernel, geometry)
    return _many_channels(x, kernel, geometry)


# One input channel has no depth to sum over: a product per tap is one pass that XLA vectorises over the filters.
# First layer of the lecture convnet, batch 128: forward 1.1 ms against 4.5 as a convolution.
_MAXIMUM_UNROLLED_TAPS = 49


def _is_one_channel(kernel: jax.Array, geometry: ConvolutionGeometry) -> bool:
    taps = kernel.size // kernel.shape[-1]
    return geometry.groups == 1 and kernel.shape[-2] == 1 and taps <= _MAXIMUM_UNROLLED_TAPS


def _xla_convolution(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.pads,
        rhs_dilation=geometry.dilation,
        feature_group_count=geometry.groups,
        dimension_numbers=_channels_last(x.ndim),
    )


def _channels_last(rank: int) -> lax.ConvDimensionNumbers:
    image = (0, rank - 1, *range(1, rank - 1))
    return lax.ConvDimensionNumbers(image, (rank - 1, rank - 2, *range(rank - 2)), image)


# JAX derives the gradients as convolutions with swapped axes, which XLA:CPU canonicalises only outside loops; inside
# the training loop they run 11–24× slower. Written out in channels-last order, they are fast in both places.
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _many_channels(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> jax.Array:
    return _xla_convolution(x, kernel, geometry)


def _many_channels_forward(x, kernel, geometry):
    return _xla_convolution(x, kernel, geometry), (x, kernel)


def _many_channels_backward(geometry, residuals, gradient):
    x, kernel = residuals
    return _input_gradient(gradient, kernel, x.shape, geometry), _kernel_gradient(x, gradient, kernel.shape, geometry)


_many_channels.defvjp(_many_channels_forward, _many_channels_backward)


# Where a convolution makes few positions of many (strides, small pictures), the gradient by input as a convolution
# multiplies mostly zeros. The third layer of the lecture convnet, 5×5 to 3×3: 54 against 61 ms a step at batch 128.
# Lost: also for the second layer, 13×13 to 11×11, where it is faster alone (3.7 against 4.5 ms) and slower in the step
# (28.5 against 24.7 ms).
_SPARSE_RATIO = 2.0


def _input_gradient(gradient, kernel, input_shape, geometry):
    if math.prod(input_shape[1:-1]) >= _SPARSE_RATIO * math.prod(gradient.shape[1:-1]):
        return _scattered_input_gradient(gradient, kernel, input_shape, geometry)
    return _convolved_input_gradient(gradient, kernel, input_shape, geometry)


def _scattered_input_gradient(gradient, kernel, input_shape, geometry):
    """Multiply every position by the whole kernel once, and add the products where they came from."""
    *window, channels, filters = kernel.shape
    weights = jnp.moveaxis(kernel, -1, 0).reshape(filters, -1)
    products = (gradient.reshape(-1, filters) @ weights).reshape(*gradient.shape[:-1], -1, channels)
    pieces = [products[..., tap, :] for tap in range(math.prod(window))]
    before = tuple(first for first, _ in geometry.pads)
    return add_taps(pieces, input_shape, tuple(window), geometry.strides, geometry.dilation, before)


def _convolved_input_gradient(gradient, kernel, input_shape, geometry):
    spatial = range(kernel.ndim - 2)
    swapped = jnp.swapaxes(jnp.flip(kernel, tuple(spatial)), -1, -2)
    pads = []
    for axis in spatial:
        span = (kernel.shape[axis] - 1) * geometry.dilation[axis] + 1
        reach = (gradient.shape[axis + 1] - 1) * geometry.strides[axis] + 1
        before = span - 1 - geometry.pads[axis][0]
        pads.append((before, input_shape[axis + 1] + span - 1 - reach - before))
    return lax.conv_general_dilated(
        gradient,
        swapped,
        (1,) * len(pads),
        pads,
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=_channels_last(gradient.ndim),
    )


# Lost: the same as products of matrices, tap by tap, row by row or with all taps side by side: 56 to 66 against 43 ms
# of processor time a step for the second layer of the lecture convnet.
def _kernel_gradient(x, gradient, kernel_shape, geometry):
    rank = x.ndim
    channels_as_batch = jnp.transpose(x, (rank - 1, *range(1, rank - 1), 0))
    gradient_as_kernel = jnp.transpose(gradient, (*range(1, rank - 1), 0, rank - 1))
    pads = []
    for axis in range(rank - 2):
        reach = (gradient.shape[axis + 1] - 1) * geometry.strides[axis] + 1
        before = geometry.pads[axis][0]
        span = (kernel_shape[axis] - 1) * geometry.dilation[axis]
        pads.append((before, span + reach - x.shape[axis + 1] - before))
    result = lax.conv_general_dilated(
        channels_as_batch,
        gradient_as_kernel,
        geometry.dilation,
        pads,
        rhs_dilation=geometry.strides,
        dimension_numbers=_channels_last(rank),
    )
    return jnp.transpose(result, (*range(1, rank - 1), 0, rank - 1))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _one_channel(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> jax.Array:
    weights = kernel.reshape(-1, 1, kernel.shape[-1])
    pieces = _input_taps(x, kernel.shape[:-2], geometry)
    return functools.reduce(jnp.add, (piece @ weight for piece, weight in zip(pieces, weights, strict=True)))


def _one_channel_forward(x, kernel, geometry):
    return _one_channel(x, kernel, geometry), (x, kernel)


def _one_channel_backward(geometry, residuals, gradient):
    x, kernel = residuals
    filters = kernel.shape[-1]
    pieces = jnp.stack(_input_taps(x, kernel.shape[:-2], geometry)).reshape(-1, gradient.size // filters)
    kernel_gradient = (pieces @ gradient.reshape(-1, filters)).reshape(kernel.shape)
    return _input_gradient(gradient, kernel, x.shape, geometry), kernel_gradient


_one_channel.defvjp(_one_channel_forward, _one_channel_backward)


# The bias sees a picture of ones: as one more tap its gradient comes out of the product that the kernel's needs anyway.
@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _one_channel_with_bias(x, kernel, bias, geometry):
    return _one_channel(x, kernel, geometry) + bias


def _one_channel_with_bias_forward(x, kernel, bias, geometry):
    return _one_channel_with_bias(x, kernel, bias, geometry), (x, kernel)


def _one_channel_with_bias_backward(geometry, residuals, gradient):
    x, kernel = residuals
    filters = kernel.shape[-1]
    pieces = _input_taps(x, kernel.shape[:-2], geometry)
    pieces = jnp.stack([*pieces, jnp.ones_like(pieces[0])]).reshape(-1, gradient.size // filters)
    products = pieces @ gradient.reshape(-1, filters)
    return _input_gradient(gradient, kernel, x.shape, geometry), products[:-1].reshape(kernel.shape), products[-1]


_one_channel_with_bias.defvjp(_one_channel_with_bias_forward, _one_channel_with_bias_backward)


def _input_taps(x, window, geometry):
    padded = jnp.pad(x, ((0, 0), *geometry.pads, (0, 0)))
    return taps(padded, window, geometry.strides, geometry.dilation)


def _any_input_gradient(gradient, kernel, *, geometry, shape):
    if geometry.groups == 1:
        return _input_gradient(gradient, kernel, shape, geometry)
    x = jax.ShapeDtypeStruct(shape, gradient.dtype)
    return jax.linear_transpose(lambda x: _xla_convolution(x, kernel, geometry), x)(gradient)[0]


def _any_kernel_gradient(x, gradient, *, geometry, shape):
    if geometry.groups == 1:
        return _kernel_gradient(x, gradient, shape, geometry)
    kernel = jax.ShapeDtypeStruct(shape, x.dtype)
    return jax.linear_transpose(lambda kernel: _xla_convolution(x, kernel, geometry), kernel)(gradient)[0]


# A program that was traced on a CPU may still be lowered for other machines.
through_xla(native.FORWARD, _through_xla)
through_xla(native.INPUT_GRADIENT, _any_input_gradient)
through_xla(native.KERNEL_GRADIENT, _any_kernel_gradient)


def depthwise_convolution(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> jax.Array:
    """Convolve each channel with kernels of its own: a convolution in as many groups as there are channels.

    ``y[n, p, c·m + q] = Σ_k x[n, p·stride + k·dilation − pad, c] · kernel[k, c, q]``

    Args:
        x: Input, ``(batch, *spatial, channels)``.
        kernel: Weights, ``(*window, channels, m)``.
        geometry: Strides, padding, dilation; ``groups`` is the number of channels.

    Returns:
        ``(batch, *output, channels · m)``, in the dtype of ``x``.

    Example:
        >>> x, kernel = jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 3, 2))
        >>> depthwise_convolution(x, kernel, ConvolutionGeometry((1, 1), ((0, 0), (0, 0)), (1, 1), 3)).shape
        (1, 3, 3, 6)
    """
    *window, channels, multiplier = kernel.shape
    return convolution(x, kernel.reshape(*window, 1, channels * multiplier), geometry)


def transposed_convolution(
    x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry, sizes: tuple[int, ...]
) -> jax.Array:
    """Lay the whole kernel, times each cell of the input, into a larger picture and add where these overlap.

    ``y[n, p·stride + k·dilation − pad, o] = Σ_p Σ_k Σ_c x[n, p, c] · kernel[k, o, c]``: the gradient of a convolution
    by its input, which is where the name comes from.

    Args:
        x: Input, ``(batch, *spatial, channels)``.
        kernel: Weights, ``(*window, filters, channels)``.
        geometry: Of the convolution that leads from the result back to sizes of ``x``; one group.
        sizes: Spatial sizes of the result.

    Returns:
        ``(batch, *sizes, filters)``, in the dtype of ``x``.

    Example:
        >>> x, kernel = jnp.arange(1.0, 4.0).reshape(1, 3, 1), jnp.array([1.0, 10.0]).reshape(2, 1, 1)
        >>> transposed_convolution(x, kernel, ConvolutionGeometry((2,), ((0, 0),), (1,)), (6,)).ravel().tolist()
        [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]

    Source: V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016; lecture 002.
    """
    shape = (x.shape[0], *sizes, kernel.shape[-2])
    kernel = _exact(x, kernel)
    if native.takes(x, kernel, geometry) and selection.describe().native:
        return native.transposed(x, kernel, geometry, shape)
    return _transposed_through_xla(x, kernel.astype(x.dtype), geometry, shape)


# With gradients of its own for the same reason as the convolution: they are a convolution and a kernel's gradient.
@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _transposed_through_xla(x, kernel, geometry, shape):
    return _input_gradient(x, kernel, shape, geometry)


def _transposed_forward(x, kernel, geometry, shape):
    return _input_gradient(x, kernel, shape, geometry), (x, kernel)


def _transposed_backward(geometry, shape, residuals, gradient):
    x, kernel = residuals
    return _many_channels(gradient, kernel, geometry), _kernel_gradient(gradient, x, kernel.shape, geometry)


_transposed_through_xla.defvjp(_transposed_forward, _transposed_backward)
