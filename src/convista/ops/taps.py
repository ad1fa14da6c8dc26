"""The shifted views of an array that a sliding window touches, one for each cell of the window."""

from __future__ import annotations

import itertools

import jax
from jax import lax


def taps(
    x: jax.Array, window: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]
) -> list[jax.Array]:
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
        result.append(
            lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *strides, 1))
        )
    return result
