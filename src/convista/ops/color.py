"""Brightness, contrast, saturation and hue of pictures, each picture by an amount of its own."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def contrast(x: jax.Array, factor: jax.Array) -> jax.Array:
    """Stretch the values of each channel about their mean: ``(x − mean) · factor + mean``.

    Args:
        x: ``(N, H, W, C)``, floating point.
        factor: ``(N,)``; 1 changes nothing, 0 leaves the mean alone.

    Example:
        >>> contrast(jnp.array([1.0, 3.0]).reshape(1, 1, 2, 1), jnp.array([2.0])).ravel().tolist()
        [0.0, 4.0]
    """
    mean = jnp.mean(x, axis=(1, 2), keepdims=True)
    return (x - mean) * _each(factor, x) + mean


def saturation(x: jax.Array, factor: jax.Array) -> jax.Array:
    """Multiply the saturation of each colour, ``(max − min) / max`` of red, green and blue, and keep it within 0…1.

    Hue and the largest of the three stay: ``y = max − (max − x) · new / old``.

    Args:
        x: ``(N, H, W, 3)``, floating point, at least 0.
        factor: ``(N,)``; 1 changes nothing, 0 makes greys.

    Example:
        >>> saturation(jnp.array([4.0, 2.0, 0.0]).reshape(1, 1, 1, 3), jnp.array([0.5])).ravel().tolist()
        [4.0, 3.0, 2.0]
    """
    largest, span = _largest_and_span(x)
    one = jnp.ones((), x.dtype)
    # The new saturation is at most 1, so the factor is at most max / span.
    limit = jnp.where(span > 0, largest / jnp.where(span > 0, span, one), one)
    return largest - (largest - x) * jnp.minimum(_each(factor, x), limit)


def turned_hue(x: jax.Array, turn: jax.Array) -> jax.Array:
    """Turn the hue of each colour; its value (the largest of red, green and blue) and its saturation stay.

    Args:
        x: ``(N, H, W, 3)``, floating point, at least 0.
        turn: ``(N,)``, in full turns: 1/3 makes red green.

    Example:
        >>> turned_hue(jnp.array([1.0, 0.0, 0.0]).reshape(1, 1, 1, 3), jnp.array([1 / 3])).ravel().round(5).tolist()
        [0.0, 1.0, 0.0]
    """
    largest, span = _largest_and_span(x)
    sixth = _sixths(x, span) + 6 * _each(turn, x)
    # The distance of each channel from its own hue, in sixths of a turn, says how much of the span it lacks.
    centre = jnp.asarray([5.0, 3.0, 1.0], x.dtype)
    place = jnp.mod(sixth + centre, jnp.asarray(6.0, x.dtype))
    lacking = jnp.clip(jnp.minimum(place, 4 - place), 0, 1)
    return largest - span * lacking


def _channels(x):
    return [x[..., channel : channel + 1] for channel in range(3)]


def _largest_and_span(x):
    # Two by two: the gradient of jnp.max asks which cell equals the maximum, and where XLA computes x twice and rounds
    # it differently, none does; the quotient is then 0 / 0. Seen behind a contrast at optimization level 0.
    red, green, blue = _channels(x)
    largest = jnp.maximum(jnp.maximum(red, green), blue)
    return largest, largest - jnp.minimum(jnp.minimum(red, green), blue)


def _sixths(x, span):
    """Return the hue of each pixel in sixths of a turn, ``(N, H, W, 1)``; 0 for greys."""
    red, green, blue = _channels(x)
    safe = jnp.where(span > 0, span, jnp.ones((), x.dtype))
    hue = jnp.where(green >= blue, (blue - red) / safe + 2, (red - green) / safe + 4)
    hue = jnp.where((red >= green) & (red >= blue), (green - blue) / safe, hue)
    return jnp.where(span > 0, hue, jnp.zeros((), x.dtype))


def grey(x: jax.Array) -> jax.Array:
    """Return the grey of each colour, ``0.2989 R + 0.5870 G + 0.1140 B``, in all three channels.

    Args:
        x: ``(N, H, W, 3)``, floating point.

    Source: ITU-R BT.601.
    """
    weights = jnp.asarray([0.2989, 0.5870, 0.1140], x.dtype)
    return jnp.broadcast_to(jnp.sum(x * weights, axis=-1, keepdims=True), x.shape)


def _each(numbers, x):
    return numbers.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))
