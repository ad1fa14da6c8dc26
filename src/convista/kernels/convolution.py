"""Convolution and its two gradients through the native kernels: three operations, each the derivative of the others.

Pictures are float32 or bfloat16, kernels and their gradients always float32: with bfloat16 pictures the kernel is
rounded inside, and sums are float32 until a picture is written.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from convista.kernels import native, primitive
from convista.kernels.geometry import ConvolutionGeometry


def takes(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> bool:
    """Whether the native kernels can do this convolution; the rest is XLA's."""
    return (
        x.dtype in (np.float32, jnp.bfloat16)
        and kernel.dtype == np.float32
        and x.ndim in (3, 4, 5)
        and all(before >= 0 and after >= 0 for before, after in geometry.pads)
        and all(isinstance(size, int) for size in (*x.shape, *kernel.shape))
    )


def forward(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry) -> jax.Array:
    """Return the convolution of ``x`` (batch, …, channels) with ``kernel`` (…, channels // groups, filters)."""
    return FORWARD.bind(*primitive.varying_alike(x, kernel), geometry=geometry)


def transposed(x: jax.Array, kernel: jax.Array, geometry: ConvolutionGeometry, shape: tuple[int, ...]) -> jax.Array:
    """Return ``x`` laid out by ``kernel`` in an array of ``shape``: what the gradient by the input is."""
    return INPUT_GRADIENT.bind(*primitive.varying_alike(x, kernel), geometry=geometry, shape=shape)


def attributes(geometry: ConvolutionGeometry) -> dict:
    """Return the geometry as a native handler takes it."""
    before, after = zip(*geometry.pads, strict=True)
    named = {"strides": geometry.strides, "before": before, "after": after, "dilation": geometry.dilation}
    return {name: np.array(values, np.int64) for name, values in named.items()} | {"groups": np.int64(geometry.groups)}


def _call(handler, result, *arrays, **attributes):
    """Call the handler for the dtype of the first array, a picture."""
    return native.call(native.pictures(handler, arrays[0].dtype), jax.ShapeDtypeStruct(*result), *arrays, **attributes)


def _forward_shape(x, kernel, geometry):
    return (x.shape[0], *geometry.outputs(x.shape[1:-1], kernel.shape[:-2]), kernel.shape[-1])


def _forward(x, kernel, *, geometry):
    shape = _forward_shape(x, kernel, geometry)
    return _call("convolution_forward", (shape, x.dtype), x, kernel, **attributes(geometry), relu=False)


def _input_gradient(gradient, kernel, *, geometry, shape):
    return _call("convolution_input_gradient", (shape, gradient.dtype), gradient, kernel, **attributes(geometry))


def _kernel_gradient(x, gradient, *, geometry, shape):
    return _call("convolution_kernel_gradient", (shape, np.float32), x, gradient, **attributes(geometry))


FORWARD = primitive.primitive(
    "convolution",
    _forward,
    lambda x, kernel, *, geometry: x.update(shape=_forward_shape(x, kernel, geometry), weak_type=False),
)
INPUT_GRADIENT = primitive.primitive(
    "convolution_input_gradient",
    _input_gradient,
    lambda gradient, kernel, *, geometry, shape: gradient.update(shape=shape, weak_type=False),
)
KERNEL_GRADIENT = primitive.primitive(
    "convolution_kernel_gradient",
    _kernel_gradient,
    lambda x, gradient, *, geometry, shape: x.update(shape=shape, dtype=np.dtype(np.float32), weak_type=False),
)

# y = x ∗ w, dx = y ∗ᵀ w, dw = x ⋆ y: with two of the three given, the third is linear in each of them.
ad.defbilinear(
    FORWARD,
    lambda y, x, w, *, geometry: INPUT_GRADIENT.bind(y, w, geometry=geometry, shape=x.aval.shape),
    lambda y, x, w, *, geometry: KERNEL_GRADIENT.bind(x, y, geometry=geometry, shape=w.aval.shape),
)
ad.defbilinear(
    INPUT_GRADIENT,
    lambda x, y, w, *, geometry, shape: FORWARD.bind(x, w, geometry=geometry),
    lambda x, y, w, *, geometry, shape: KERNEL_GRADIENT.bind(x, y, geometry=geometry, shape=w.aval.shape),
)
ad.defbilinear(
    KERNEL_GRADIENT,
    lambda w, x, y, *, geometry, shape: INPUT_GRADIENT.bind(y, w, geometry=geometry, shape=x.aval.shape),
    lambda w, x, y, *, geometry, shape: FORWARD.bind(x, w, geometry=geometry),
)
primitive.map_batches(FORWARD, (True, False))
primitive.map_batches(INPUT_GRADIENT, (True, False))
primitive.map_batches(KERNEL_GRADIENT, (False, False))
