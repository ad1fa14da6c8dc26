"""Max, average and sum pooling along any number of spatial axes, channels last, with their gradients."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from convista.kernels import pooling as native
from convista.kernels import selection
from convista.kernels.geometry import PoolingGeometry as PoolingGeometry
from convista.kernels.primitive import through_xla
from convista.ops.taps import add_taps, taps

# Above this many cells a window is not unrolled: the program would grow with the window, as in a global pooling.
_MAXIMUM_UNROLLED_CELLS = 32


def max_pooling(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    """Keep the largest value of each window; cells outside the picture never win.

    ``y[n, p, c] = max_k x[n, p·stride + k − pad, c]``; the gradient goes to the first largest cell.

    Args:
        x: ``(batch, *spatial, channels)``, floating point.
        geometry: The window.

    Returns:
        ``(batch, *positions, channels)``.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> max_pooling(x, PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))).ravel().tolist()
        [5.0, 7.0, 13.0, 15.0]

    Source: lecture 000, «max-pooling».
    """
    if native.takes(x, geometry) and selection.describe().native:
        return native.max_pooling(x, geometry)
    return _max_through_xla(x, geometry)


def _max_through_xla(x, geometry):
    if math.prod(geometry.size) > _MAXIMUM_UNROLLED_CELLS:
        lowest = np.array(-np.inf, x.dtype)  # JAX differentiates the window only where this is a constant, also in jit
        return lax.reduce_window(
            x, lowest, lax.max, (1, *geometry.size, 1), (1, *geometry.strides, 1), ((0, 0), *geometry.pads, (0, 0))
        )
    return _unrolled_max(x, geometry)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _unrolled_max(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    return functools.reduce(jnp.maximum, _cells(x, geometry))


def _unrolled_max_forward(x, geometry):
    y = _unrolled_max(x, geometry)
    return y, (x, y)


# XLA:CPU's own gradient (select-and-scatter) takes 77 ms for the first pooling of the lecture convnet at batch 128;
# comparing with the winner takes 5.
def _unrolled_max_backward(geometry, residuals, gradient):
    x, y = residuals
    winner = _first_equal(_cells(x, geometry), y)
    if geometry.size == geometry.strides and not geometry.padded:
        return (_spread_to_blocks(winner, gradient, x.shape, geometry.size),)
    return (_scatter_to_cells(winner, gradient, x.shape, geometry),)


_unrolled_max.defvjp(_unrolled_max_forward, _unrolled_max_backward)


def _cells(x, geometry):
    if geometry.padded:
        x = jnp.pad(x, ((0, 0), *geometry.pads, (0, 0)), constant_values=-jnp.inf)
    return taps(x, geometry.size, geometry.strides, (1,) * len(geometry.size))


def _first_equal(cells, y, dtype=jnp.int8):
    index = jnp.full(y.shape, len(cells) - 1, dtype)
    for number, cell in reversed(list(enumerate(cells[:-1]))):
        index = jnp.where(cell == y, jnp.array(number, dtype), index)
    return index


def _spread_to_blocks(winner, gradient, shape, size):
    """Write each gradient to its winner where windows tile the picture: one pass, no additions."""
    rank = len(size)
    blocks = [winner.shape[0]]
    for axis, extent in enumerate(size):
        blocks += [winner.shape[axis + 1], extent]
    blocks.append(winner.shape[-1])
    inner = tuple(2 + 2 * axis for axis in range(rank))
    number = np.arange(math.prod(size), dtype=np.int8).reshape(size)
    place = np.expand_dims(number, tuple(axis for axis in range(2 * rank + 2) if axis not in inner))
    spread = jnp.where(jnp.expand_dims(winner, inner) == place, jnp.expand_dims(gradient, inner), 0)
    covered = (shape[0], *(n * extent for n, extent in zip(winner.shape[1:-1], size, strict=True)), shape[-1])
    rest = [(0, whole - part) for whole, part in zip(shape, covered, strict=True)]
    return jnp.pad(jnp.broadcast_to(spread, blocks).reshape(covered), rest)


def _scatter_to_cells(winner, gradient, shape, geometry):
    """Add each gradient to its winner where windows overlap or hang over the edge."""
    zero = jnp.zeros((), gradient.dtype)
    cells = math.prod(geometry.size)
    pieces = [jnp.where(winner == jnp.array(number, winner.dtype), gradient, zero) for number in range(cells)]
    before = tuple(first for first, _ in geometry.pads)
    return add_taps(pieces, shape, geometry.size, geometry.strides, (1,) * len(geometry.size), before)


def average_pooling(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    """Return the mean of each window, counting only cells inside the picture.

    ``y[n, p, c] = Σ_k x[n, p·stride + k − pad, c] / (cells of the window inside the picture)``

    Args:
        x: ``(batch, *spatial, channels)``, floating point.
        geometry: The window.

    Returns:
        ``(batch, *positions, channels)``.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> average_pooling(x, PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))).ravel().tolist()
        [2.5, 4.5, 10.5, 12.5]
    """
    if native.takes(x, geometry) and selection.describe().native:
        return native.average_pooling(x, geometry)
    return _average_through_xla(x, geometry)


def sum_pooling(x: jax.Array, geometry: PoolingGeometry) -> jax.Array:
    """Return the sum of each window; cells outside the picture add nothing.

    ``y[n, p, c] = Σ_k x[n, p·stride + k − pad, c]``

    Args:
        x: ``(batch, *spatial, channels)``, floating point.
        geometry: The window.

    Returns:
        ``(batch, *positions, channels)``.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> sum_pooling(x, PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))).ravel().tolist()
        [10.0, 18.0, 42.0, 50.0]
    """
    if native.takes(x, geometry) and selection.describe().native:
        return native.sum_pooling(x, geometry)
    return _sum_through_xla(x, geometry)


def _sum_through_xla(x, geometry):
    if math.prod(geometry.size) > _MAXIMUM_UNROLLED_CELLS:
        zero = np.zeros((), x.dtype)
        window, strides, pads = (1, *geometry.size, 1), (1, *geometry.strides, 1), ((0, 0), *geometry.pads, (0, 0))
        return lax.reduce_window(x, zero, lax.add, window, strides, pads)
    padded = jnp.pad(x, ((0, 0), *geometry.pads, (0, 0)))
    return functools.reduce(jnp.add, taps(padded, geometry.size, geometry.strides, (1,) * len(geometry.size)))


def _average_through_xla(x, geometry):
    return _sum_through_xla(x, geometry) / _cells_inside(x.shape[1:-1], geometry).astype(x.dtype)


def _cells_inside(sizes, geometry):
    """Return how many cells of each window lie inside the picture, ``(*positions, 1)``."""
    counts = np.ones((1,) * len(sizes), np.int64)
    for axis, size in enumerate(sizes):
        before, after = geometry.pads[axis]
        inside = np.pad(np.ones(size, np.int64), (before, after))
        positions = np.lib.stride_tricks.sliding_window_view(inside, geometry.size[axis])[:: geometry.strides[axis]]
        counts = counts * positions.sum(1).reshape([-1 if other == axis else 1 for other in range(len(sizes))])
    return counts[..., None]


def _average_gradient(gradient, *, geometry, shape):
    x = jax.ShapeDtypeStruct(shape, gradient.dtype)
    return jax.linear_transpose(lambda x: _average_through_xla(x, geometry), x)(gradient)[0]


def _sum_gradient(gradient, *, geometry, shape):
    x = jax.ShapeDtypeStruct(shape, gradient.dtype)
    return jax.linear_transpose(lambda x: _sum_through_xla(x, geometry), x)(gradient)[0]


def _max_and_winner(x, *, geometry):
    cells = _cells(x, geometry)
    y = functools.reduce(jnp.maximum, cells)
    return [y, _first_equal(cells, y, native.index_dtype(geometry))]


def _spread(gradient, winner, *, geometry, shape):
    return _scatter_to_cells(winner, gradient, shape, geometry)


# A program that was traced on a CPU may still be lowered for other machines.
through_xla(native.MAX, _max_through_xla)
through_xla(native.MAX_AND_WINNER, _max_and_winner)
through_xla(native.SPREAD, _spread)
through_xla(native.AVERAGE, _average_through_xla)
through_xla(native.AVERAGE_GRADIENT, _average_gradient)
through_xla(native.SUM, _sum_through_xla)
through_xla(native.SUM_GRADIENT, _sum_gradient)


def global_max(x: jax.Array, *, keepdims: bool = False) -> jax.Array:
    """Return the largest value of each channel over all positions, ``(batch, channels)``."""
    return jnp.max(x, axis=tuple(range(1, x.ndim - 1)), keepdims=keepdims)


def global_average(x: jax.Array, *, keepdims: bool = False) -> jax.Array:
    """Return the mean of each channel over all positions, ``(batch, channels)``."""
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)), keepdims=keepdims)
