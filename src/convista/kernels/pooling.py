"""Max, average and sum pooling through the native kernels, with gradients of any order."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from convista.kernels import native, primitive
from convista.kernels.geometry import PoolingGeometry

_LARGEST_WINDOW = 1 << 30


def takes(x: jax.Array, geometry: PoolingGeometry) -> bool:
    """Whether the native kernels can do this pooling; the rest is XLA's."""
    return (
        x.dtype in (np.float32, jnp.bfloat16)
        and x.ndim in (3, 4, 5)
        and all(isinstance(size, int) for size in x.shape)
        and all(size > 0 for size in x.shape)
        and all(before >= 0 and after >= 0 for before, after in geometry.pads)
        and math.prod(geometry.size) <= _LARGEST_WINDOW
    )


def max_pooling(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    """Return the largest cell of each window of ``x`` (batch, …, channels)."""
    return MAX.bind(x, geometry=geometry)


def average_pooling(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    """Return the mean of each window of ``x`` (batch, …, channels), over its cells inside the picture."""
    return AVERAGE.bind(x, geometry=geometry)


def sum_pooling(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    """Return the sum of each window of ``x`` (batch, …, channels)."""
    return SUM.bind(x, geometry=geometry)


def spread_sum(x: jax.Array, geometry: PoolingGeometry, shape: tuple[int, ...]) -> jax.Array:
    """Return what the gradient of a sum pooling is: each cell of ``x`` added to every cell of its window."""
    return SUM_GRADIENT.bind(x, geometry=geometry, shape=shape)


def index_dtype(geometry: PoolingGeometry) -> np.dtype:
    """Return the integer type in which the winners of windows are numbered."""
    return np.dtype(np.uint8 if math.prod(geometry.size) <= 256 else np.int32)


def _attributes(geometry: PoolingGeometry) -> dict:
    before, after = zip(*geometry.pads, strict=True)
    named = {"window": geometry.size, "strides": geometry.strides, "before": before, "after": after}
    return {name: np.array(values, np.int64) for name, values in named.items()}


def _call(handler, results, *arrays, **attributes):
    """Call the handler for the dtype of the first array; results are given by their shapes and dtypes."""
    described = [jax.ShapeDtypeStruct(*result) for result in results]
    return native.call(native.pictures(handler, arrays[0].dtype), described, *arrays, **attributes)


def _output_shape(x, geometry):
    return (x.shape[0], *geometry.outputs(x.shape[1:-1]), x.shape[-1])


def _output(x, *, geometry):
    return x.update(shape=_output_shape(x, geometry), weak_type=False)


def _max(x, *, geometry):
    return _call("max_pooling_forward", [(_output_shape(x, geometry), x.dtype)], x, **_attributes(geometry))[0]


def _max_and_winner(x, *, geometry):
    shape = _output_shape(x, geometry)
    results = [(shape, x.dtype), (shape, index_dtype(geometry))]
    return _call("max_pooling_forward", results, x, **_attributes(geometry))


def _spread(gradient, winner, *, geometry, shape):
    return _call("max_pooling_gradient", [(shape, gradient.dtype)], gradient, winner, **_attributes(geometry))[0]


def _pick(x, winner, *, geometry):
    """Read each window's winner, zero where it lies in the padding."""
    batch, *sizes, channels = x.shape
    cells = jnp.unravel_index(winner.astype(np.int32), geometry.size)
    place, inside = jnp.zeros(winner.shape, np.int32), jnp.ones(winner.shape, bool)
    for axis, (cell, size, stride, (before, _)) in enumerate(
        zip(cells, sizes, geometry.strides, geometry.pads, strict=True)
    ):
        first = jax.lax.broadcasted_iota(np.int32, winner.shape, axis + 1) * np.int32(stride) - np.int32(before)
        position = first + cell
        inside &= (position >= 0) & (position < size)
        place = place * np.int32(size) + jnp.clip(position, 0, size - 1)
    flat = jnp.take_along_axis(x.reshape(batch, -1, channels), place.reshape(batch, -1, channels), axis=1)
    return jnp.where(inside, flat.reshape(winner.shape), jnp.zeros((), x.dtype))


def _summed(x, *, geometry, mean):
    results = [(_output_shape(x, geometry), x.dtype)]
    return _call("sum_pooling_forward", results, x, **_attributes(geometry), mean=mean)[0]


def _summed_gradient(gradient, *, geometry, shape, mean):
    return _call("sum_pooling_gradient", [(shape, gradient.dtype)], gradient, **_attributes(geometry), mean=mean)[0]


_average = functools.partial(_summed, mean=True)
_average_gradient = functools.partial(_summed_gradient, mean=True)
_sum = functools.partial(_summed, mean=False)
_sum_gradient = functools.partial(_summed_gradient, mean=False)


def _shaped(first, *others, geometry, shape):
    return first.update(shape=shape, weak_type=False)


def _max_and_winner_avals(x, *, geometry):
    y = _output(x, geometry=geometry)
    return [y, y.update(dtype=index_dtype(geometry))]


MAX = primitive.primitive("max_pooling", _max, _output)
MAX_AND_WINNER = primitive.primitive("max_pooling_and_winner", _max_and_winner, _max_and_winner_avals, results=2)
SPREAD = primitive.primitive("max_pooling_gradient", _spread, _shaped)
# Only forward mode and second derivatives come here, so XLA's gather does on every platform.
PICK = primitive.primitive("max_pooling_pick", _pick, lambda x, winner, *, geometry: _output(x, geometry=geometry))
AVERAGE = primitive.primitive("average_pooling", _average, _output)
AVERAGE_GRADIENT = primitive.primitive("average_pooling_gradient", _average_gradient, _shaped)
SUM = primitive.primitive("sum_pooling", _sum, _output)
SUM_GRADIENT = primitive.primitive("sum_pooling_gradient", _sum_gradient, _shaped)


def _max_derivative(primals, tangents, *, geometry):
    (x,), (tangent,) = primals, tangents
    if type(tangent) is ad.Zero:
        y = MAX.bind(x, geometry=geometry)
        return y, ad.Zero(jax.typeof(y).to_tangent_aval())
    y, winner = MAX_AND_WINNER.bind(x, geometry=geometry)
    return y, PICK.bind(tangent, winner, geometry=geometry)


def _max_and_winner_derivative(primals, tangents, *, geometry):
    (x,), (tangent,) = primals, tangents
    y, winner = MAX_AND_WINNER.bind(x, geometry=geometry)
    zeros = [ad.Zero(jax.typeof(result).to_tangent_aval()) for result in (y, winner)]
    if type(tangent) is ad.Zero:
        return [y, winner], zeros
    return [y, winner], [PICK.bind(tangent, winner, geometry=geometry), zeros[1]]


ad.primitive_jvps[MAX] = _max_derivative
ad.primitive_jvps[MAX_AND_WINNER] = _max_and_winner_derivative
primitive.linear_in_first(
    PICK, lambda y, x, winner, *, geometry: SPREAD.bind(y, winner, geometry=geometry, shape=x.shape)
)
primitive.linear_in_first(SPREAD, lambda x, y, winner, *, geometry, shape: PICK.bind(x, winner, geometry=geometry))
primitive.linear_in_first(AVERAGE, lambda y, x, *, geometry: AVERAGE_GRADIENT.bind(y, geometry=geometry, shape=x.shape))
primitive.linear_in_first(AVERAGE_GRADIENT, lambda x, y, *, geometry, shape: AVERAGE.bind(x, geometry=geometry))
primitive.linear_in_first(SUM, lambda y, x, *, geometry: SUM_GRADIENT.bind(y, geometry=geometry, shape=x.shape))
primitive.linear_in_first(SUM_GRADIENT, lambda x, y, *, geometry, shape: SUM.bind(x, geometry=geometry))
for _operation in (MAX, MAX_AND_WINNER, AVERAGE, AVERAGE_GRADIENT, SUM, SUM_GRADIENT):
    primitive.map_batches(_operation, (True,))
for _operation in (SPREAD, PICK):
    primitive.map_batches(_operation, (True, True))
primitive.through_xla(PICK, _pick)
