"""Batch normalisation while training, and its gradient: each reads a picture twice and writes it once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import ad

from convista.kernels import native, primitive
from convista.kernels.geometry import NormalizationGeometry


def takes(x: jax.Array, *others: jax.Array) -> bool:
    """Whether the native kernels can do this; ``others`` are scale, offset and mask."""
    return (
        all(array.dtype == np.float32 for array in (x, *others))
        and x.ndim >= 2
        and all(isinstance(size, int) and size > 0 for size in x.shape)
    )


def normalization(
    x: jax.Array, scale: jax.Array, offset: jax.Array, mask: jax.Array, geometry: NormalizationGeometry
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return ``x`` (batch, …, channels) normalised by its own mean and variance, and these two, without a gradient.

    Args:
        x: Values.
        scale: ``(channels,)``.
        offset: ``(channels,)``.
        mask: ``(batch,)``, how much the rows count.
        geometry: What else is done.
    """
    y, mean, variance = NORMALIZE.bind(*primitive.varying_alike(x, scale, offset, mask), geometry=geometry)
    return y, lax.stop_gradient(mean), lax.stop_gradient(variance)


def _forward(x, scale, offset, mask, *, geometry):
    results = [jax.ShapeDtypeStruct(shape, np.float32) for shape in (x.shape, scale.shape, scale.shape)]
    return native.call("normalization_forward", results, x, scale, offset, mask, **_attributes(geometry))


def _gradient(dy, x, scale, offset, mean, variance, mask, *, geometry):
    results = [jax.ShapeDtypeStruct(shape, np.float32) for shape in (x.shape, scale.shape, scale.shape)]
    operands = (dy, x, scale, offset, mean, variance, mask)
    return native.call("normalization_gradient", results, *operands, **_attributes(geometry))


def _attributes(geometry):
    return {"epsilon": np.float32(geometry.epsilon), "relu": geometry.relu}


# The same in single operations, for other platforms, forward mode and second derivatives. Mean and variance are
# computed anew wherever x is given, so that a derivative knows that they depend on it.


def _composed(x, scale, offset, mask, *, geometry):
    others = tuple(range(x.ndim - 1))
    counted = mask.reshape((-1,) + (1,) * (x.ndim - 1))
    number = jnp.sum(mask) * (x.size // (x.shape[0] * x.shape[-1]))
    mean = jnp.sum(x * counted, others) / number
    variance = jnp.sum(lax.square(x - mean) * counted, others) / number
    y = (x - mean) * (lax.rsqrt(variance + jnp.float32(geometry.epsilon)) * scale) + offset
    return [jax.nn.relu(y) if geometry.relu else y, mean, variance]


def _composed_tangent(dx, dscale, doffset, x, scale, offset, mean, variance, mask, *, geometry):
    def values(x, scale, offset):
        return _composed(x, scale, offset, mask, geometry=geometry)[0]

    return jax.jvp(values, (x, scale, offset), (dx, dscale, doffset))[1]


def _composed_gradient(dy, x, scale, offset, mean, variance, mask, *, geometry):
    def values(x, scale, offset):
        return _composed(x, scale, offset, mask, geometry=geometry)[0]

    return list(jax.vjp(values, x, scale, offset)[1](dy))


def _avals(x, scale, *others, geometry):
    x = x.update(weak_type=False)
    return [x, x.update(shape=scale.shape), x.update(shape=scale.shape)]


def _tangent_aval(dx, dscale, doffset, x, *others, geometry):
    return x.update(weak_type=False)


def _gradient_avals(dy, *operands, geometry):
    return _avals(*operands, geometry=geometry)


NORMALIZE = primitive.primitive("normalization", _forward, _avals, results=3)
# Tangents of x, scale and offset; x, scale, offset, mean, variance, mask: linear in the first three.
TANGENT = primitive.primitive("normalization_tangent", _composed_tangent, _tangent_aval)
GRADIENT = primitive.primitive("normalization_gradient", _gradient, _gradient_avals, results=3)
primitive.through_xla(NORMALIZE, _composed)
primitive.through_xla(TANGENT, _composed_tangent)
primitive.through_xla(GRADIENT, _composed_gradient)


def _derivative(primals, tangents, *, geometry):
    y, mean, variance = NORMALIZE.bind(*primals, geometry=geometry)
    *moved, by_mask = tangents
    nothing = [ad.Zero(jax.typeof(result).to_tangent_aval()) for result in (y, mean, variance)]
    if type(by_mask) is not ad.Zero:
        return _through_parts(_composed, primals, tangents, geometry)
    if all(type(tangent) is ad.Zero for tangent in moved):
        return [y, mean, variance], nothing
    x, scale, offset, mask = primals
    given = [ad.instantiate_zeros(tangent) for tangent in moved]
    tangent = TANGENT.bind(*primitive.varying_alike(*given, x, scale, offset, mean, variance, mask), geometry=geometry)
    return [y, mean, variance], [tangent, *nothing[1:]]


def _tangent_derivative(primals, tangents, *, geometry):
    if all(type(tangent) is ad.Zero for tangent in tangents[3:]):
        y = TANGENT.bind(*primals, geometry=geometry)
        given = [ad.instantiate_zeros(tangent) for tangent in tangents[:3]]
        return y, TANGENT.bind(*primitive.varying_alike(*given, *primals[3:]), geometry=geometry)
    return _through_parts(_composed_tangent, primals, tangents, geometry)


def _gradient_derivative(primals, tangents, *, geometry):
    return _through_parts(_composed_gradient, primals, tangents, geometry)


def _through_parts(function, primals, tangents, geometry):
    given = [ad.instantiate_zeros(tangent) for tangent in tangents]
    return jax.jvp(lambda *operands: function(*operands, geometry=geometry), tuple(primals), tuple(given))


def _transposed(cotangent, *operands, geometry):
    asked = [ad.is_undefined_primal(operand) for operand in operands[:3]]
    if type(cotangent) is ad.Zero:
        results = [ad.Zero(operand.aval) if ask else None for operand, ask in zip(operands, asked, strict=False)]
    else:
        results = GRADIENT.bind(cotangent, *operands[3:], geometry=geometry)
    return [result if ask else None for result, ask in zip(results, asked, strict=True)] + [None] * 6


ad.primitive_jvps[NORMALIZE] = _derivative
ad.primitive_jvps[TANGENT] = _tangent_derivative
ad.primitive_transposes[TANGENT] = _transposed
ad.primitive_jvps[GRADIENT] = _gradient_derivative
# Every mapped example has a mean of its own.
primitive.map_batches(NORMALIZE, (False,) * 4)
primitive.map_batches(TANGENT, (False,) * 9)
primitive.map_batches(GRADIENT, (False,) * 7)
