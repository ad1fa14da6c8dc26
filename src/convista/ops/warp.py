"""Pictures moved, turned, sheared and scaled: one affine map a picture, read with one interpolation."""

from __future__ import annotations

import jax
import jax.numpy as jnp

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
INTERPOLATIONS = ("nearest", "bilinear")


def affine_warp(
    x: jax.Array,
    maps: jax.Array,
    *,
    size: tuple[int, int] | None = None,
    fill_mode: str = "reflect",
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
) -> jax.Array:
    """Read each picture at the places that an affine map names.

    ``y[n, r, c] = x[n, (a·r + b·c + t), (d·r + e·c + s)]`` with ``maps[n] = ((a, b, t), (d, e, s))`` and places in
    pixels: (0, 0) is the middle of the first pixel. Beyond the border a row ``a b c d`` goes on as

    ===========  =====================================  ==================
    fill_mode    row                                    mode of SciPy
    ===========  =====================================  ==================
    constant     ``k k k k | a b c d | k k k k``        ``grid-constant``
    nearest      ``a a a a | a b c d | d d d d``        ``nearest``
    reflect      ``d c b a | a b c d | d c b a``        ``reflect``
    wrap         ``a b c d | a b c d | a b c d``        ``grid-wrap``
    ===========  =====================================  ==================

    SciPy's own ``constant`` and ``wrap`` do something else within a pixel of the border; these four are Keras's.

    Args:
        x: Pictures ``(N, H, W, C)``; whole numbers become float32.
        maps: ``(N, 2, 3)``, from places of the result to places of the picture.
        size: Height and width of the result; ``None`` keeps those of the pictures.
        fill_mode: What lies beyond the border, one of ``FILL_MODES``.
        interpolation: ``"bilinear"``, or ``"nearest"`` for the pixel whose middle is closest.
        fill_value: ``k`` above.

    Returns:
        ``(N, *size, C)`` of the dtype of ``x``.

    Example:
        >>> shift = jnp.array([[[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]]])  # one pixel to the right
        >>> affine_warp(jnp.arange(4.0).reshape(1, 1, 4, 1), shift, fill_mode="wrap").ravel().tolist()
        [3.0, 0.0, 1.0, 2.0]
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.float32)
    rows, columns = _places(maps.astype(jnp.float32), x.shape[1:3] if size is None else size)
    if interpolation == "nearest":
        # Half a pixel up rounds upwards, as the bilinear weights do; jnp.round would go to the even one.
        rows, columns = jnp.floor(rows + 0.5), jnp.floor(columns + 0.5)
    by_row, by_column = _around(rows, x.shape[1], fill_mode), _around(columns, x.shape[2], fill_mode)
    if interpolation == "nearest":
        by_row, by_column = by_row[:1], by_column[:1]
    total = _read(x, by_row, by_column)
    if fill_mode == "constant" and fill_value:
        inside = sum(weight for _, weight in by_row) * sum(weight for _, weight in by_column)
        total += (1 - inside[..., None]) * jnp.float32(fill_value)
    return total.astype(x.dtype)


def _places(maps, size):
    rows = jnp.arange(size[0], dtype=jnp.float32)[:, None]
    columns = jnp.arange(size[1], dtype=jnp.float32)
    m = maps[:, :, :, None, None]
    return tuple(m[:, axis, 0] * rows + m[:, axis, 1] * columns + m[:, axis, 2] for axis in (0, 1))


def _around(place, length, fill_mode):
    """Return the two pixels around each place along one axis, with their weights; pixels outside weigh nothing."""
    if fill_mode == "nearest":
        place = jnp.clip(place, 0, length - 1)
    elif fill_mode == "constant":
        place = jnp.clip(place, -1, length)
    else:
        # The remainder is taken of floats, once: whole numbers are divided ten times as slowly.
        period = length if fill_mode == "wrap" else 2 * length
        place = place - period * jnp.floor(place * jnp.float32(1 / period))
    first = jnp.floor(place)
    fraction = place - first
    pixel = first.astype(jnp.int32)
    return [
        _inside(pixel, 1 - fraction, length, fill_mode),
        _inside(pixel + 1, fraction, length, fill_mode),
    ]


def _inside(pixel, weight, length, fill_mode):
    if fill_mode == "constant":
        weight = jnp.where((pixel >= 0) & (pixel < length), weight, jnp.float32(0))
    elif fill_mode == "wrap":
        pixel = jnp.where(pixel >= length, pixel - length, pixel)
    elif fill_mode == "reflect":
        pixel = jnp.where(pixel >= 2 * length, pixel - 2 * length, pixel)
        pixel = jnp.minimum(pixel, 2 * length - 1 - pixel)
    return jnp.clip(pixel, 0, length - 1), weight


def _read(x, by_row, by_column):
    count, height, width, channels = x.shape
    flat = x.reshape(count * height * width, channels)
    first = jnp.arange(count, dtype=jnp.int32)[:, None, None] * height
    total = jnp.float32(0)
    for row, by in by_row:
        for column, weight in by_column:
            pixels = flat.at[(first + row) * width + column].get(mode="promise_in_bounds").astype(jnp.float32)
            total = total + pixels * (by * weight)[..., None]
    return total


def followed_by(first: jax.Array, second: jax.Array) -> jax.Array:
    """Return the maps of two warps in a row as one: ``second`` warps what ``first`` has warped.

    Args:
        first: ``(N, 2, 3)``.
        second: ``(N, 2, 3)``.

    Example:
        >>> right = jnp.array([[[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]]])
        >>> followed_by(right, right)[0, 1].tolist()
        [0.0, 1.0, -2.0]
    """
    # Written out: a matrix product of 2×3 numbers would go through XLA's general one, and in bfloat16 on some machines.
    linear = [[sum(first[:, i, k] * second[:, k, j] for k in (0, 1)) for j in (0, 1, 2)] for i in (0, 1)]
    return jnp.stack([jnp.stack([*row[:2], row[2] + first[:, i, 2]], axis=-1) for i, row in enumerate(linear)], axis=1)


def about_middle(linear: tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]], size: tuple[int, int]):
    """Return maps ``(N, 2, 3)`` that leave the middle of a picture of ``size`` where it is.

    Args:
        linear: ``((a, b), (d, e))``, numbers ``(N,)``.
        size: Height and width in pixels.
    """
    middle = tuple((length - 1) / 2 for length in size)
    rows = [
        jnp.stack([a, b, middle[axis] - middle[0] * a - middle[1] * b], axis=-1) for axis, (a, b) in enumerate(linear)
    ]
    return jnp.stack(rows, axis=1)
