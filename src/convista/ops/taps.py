"""The shifted views of an array that a sliding window touches, one for each cell of the window."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax


def taps(x: jax.Array, window: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]) -> list[jax.Array]:
    """Return, for each cell of the window in row-major order, what it sees at every window position.

    Args:
        x: ``(batch, *spatial, channels)``, already padded.
        window: Window size along each spatial axis.
        strides: Step of the window along each axis.
        dilation: Distance between neighbouring cells of the window.

    Returns:
        ``prod(window)`` arrays of shape ``(batch, *positions, channels)``.

    Example:
        >>> import jax.numpy as jnp
        >>> [tap.ravel().tolist() for tap in taps(jnp.arange(4).reshape(1, 4, 1), (2,), (1,), (1,))]
        [[0, 1, 2], [1, 2, 3]]
    """
    sizes = x.shape[1:-1]
    spans = [(size - 1) * step + 1 for size, step in zip(window, dilation, strict=True)]
    counts = [(size - span) // stride + 1 for size, span, stride in zip(sizes, spans, strides, strict=True)]
    result = []
    for cell in itertools.product(*map(range, window)):
        start = [index * step for index, step in zip(cell, dilation, strict=True)]
        stop = [first + (n - 1) * stride + 1 for first, n, stride in zip(start, counts, strides, strict=True)]
        result.append(lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *strides, 1)))
    return result


def add_taps(
    pieces: Sequence[jax.Array],
    shape: tuple[int, ...],
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    before: tuple[int, ...],
) -> jax.Array:
    """Add each piece back to where :func:`taps` took it from: the transpose of ``taps`` after padding.

    Args:
        pieces: ``prod(window)`` arrays of shape ``(batch, *positions, channels)``, one for each cell of the window.
        shape: Shape of the result, ``(batch, *spatial, channels)``.
        window: Window size along each spatial axis.
        strides: Step of the window along each axis.
        dilation: Distance between neighbouring cells of the window.
        before: Cells of padding before each axis; what falls into padding is lost.

    Returns:
        An array of ``shape``.

    Example:
        >>> ones = jnp.ones((1, 3, 1))
        >>> add_taps([ones, ones], (1, 4, 1), (2,), (1,), (1,), (0,)).ravel().tolist()
        [1.0, 2.0, 2.0, 1.0]
    """
    zero = jnp.zeros((), pieces[0].dtype)
    placed = []
    for cell, piece in zip(itertools.product(*map(range, window)), pieces, strict=True):
        padding = [(0, 0, 0)]
        for axis, index in enumerate(cell):
            first = index * dilation[axis] - before[axis]
            reach = (piece.shape[axis + 1] - 1) * strides[axis] + 1
            padding.append((first, shape[axis + 1] - reach - first, strides[axis] - 1))
        placed.append(lax.pad(piece, zero, [*padding, (0, 0, 0)]))
    return functools.reduce(jnp.add, placed)
