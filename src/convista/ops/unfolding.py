"""Unfold, dot, fold: a convolution taken apart into patches, one matrix product, and putting together."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ShapeError
from convista.ops.taps import add_taps, taps
from convista.shapes import Window, times


def unfold(
    x: jax.Array,
    window: int | tuple[int, ...],
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    dilation: int | tuple[int, ...] = 1,
) -> jax.Array:
    """Write out, for every place of a window, the patch that it sees («im2col»).

    ``unfold(x)[n, p, k·channels + c] = x[n, p·strides + k·dilation − pad, c]``, with ``k`` the window's cells in
    row-major order, so that a convolution is one matrix product: ``unfold(x, …) @ kernel.reshape(-1, filters)``.

    PyTorch's ``F.unfold`` has the same numbers in another order: the channels first, ``c·cells + k``, then the places.

    Args:
        x: ``(batch, *spatial, channels)``.
        window: Window size along each spatial axis, one number or one an axis.
        strides: Step of the window.
        padding: ``"valid"``, or ``"same"`` with zeros around.
        dilation: Distance between neighbouring cells of the window.

    Returns:
        ``(batch, *positions, cells·channels)``: ``cells`` times the memory of ``x`` for steps of 1.

    Raises:
        ArgumentError: A number is out of its range.
        ShapeError: The window does not fit.

    Example:
        >>> picture = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> unfold(picture, 2)[0, 0].tolist()
        [[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0, 5.0]]

    Source: lecture 004, «Свёртка», steps 1–4; K. Chellapilla et al., «High performance convolutional neural networks
    for document processing», 2006.
    """
    place = _window(x.ndim - 2, window, strides, padding, dilation)
    sizes = x.shape[1:-1]
    place.output_sizes(sizes)
    padded = jnp.pad(x, ((0, 0), *place.pads(sizes), (0, 0)))
    pieces = taps(padded, place.size, place.strides, place.dilation)
    stacked = jnp.stack(pieces, axis=-2)
    return stacked.reshape(*stacked.shape[:-2], -1)


def fold(
    patches: jax.Array,
    sizes: tuple[int, ...],
    window: int | tuple[int, ...],
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    dilation: int | tuple[int, ...] = 1,
) -> jax.Array:
    """Add every patch back to where ``unfold`` took it from: the transpose of ``unfold``.

    Where patches overlap their values add up: ``fold(unfold(x))`` is ``x`` times the number of patches that see each
    cell. The gradient of a convolution by its input, and a transposed convolution, are a matrix product and a fold.

    Args:
        patches: ``(batch, *positions, cells·channels)``, as ``unfold`` returns them.
        sizes: Spatial sizes of the result.
        window: As for ``unfold``.
        strides: As for ``unfold``.
        padding: As for ``unfold``; what falls into the zeros around is lost.
        dilation: As for ``unfold``.

    Returns:
        ``(batch, *sizes, channels)``.

    Raises:
        ArgumentError: A number is out of its range.
        ShapeError: Patches of such a picture have another shape.

    Example:
        >>> fold(unfold(jnp.ones((1, 3, 3, 1)), 2), (3, 3), 2)[0, ..., 0].tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    sizes = arguments.integers(sizes, patches.ndim - 2, "sizes", where="fold")
    place = _window(len(sizes), window, strides, padding, dilation)
    positions, cells = place.output_sizes(sizes), math.prod(place.size)
    if patches.shape[1:-1] != positions or patches.shape[-1] % cells:
        raise ShapeError(
            f"patches of a {times(sizes)} picture under a {times(place.size)} window have the shape "
            f"(batch, {_listed(positions)}, {cells}·channels)",
            where="fold",
            received=f"{patches.shape}",
            fix="Give fold the window, strides, padding and dilation that unfold had",
        )
    pieces = jnp.moveaxis(patches.reshape(*patches.shape[:-1], cells, -1), -2, 0)
    before = tuple(first for first, _ in place.pads(sizes))
    shape = (patches.shape[0], *sizes, patches.shape[-1] // cells)
    return add_taps(list(pieces), shape, place.size, place.strides, place.dilation, before)


def flip(kernel: jax.Array) -> jax.Array:
    """Turn a kernel round along its spatial axes.

    What networks call convolution is cross-correlation: the kernel is laid on as it is, ``Σ x[i + k]·w[k]``. The
    convolution of mathematics, ``Σ x[i − k]·w[k]``, is cross-correlation with the flipped kernel. A network does not
    care, because it learns the kernel either way round; formulas from signal processing do.

    Args:
        kernel: ``(*window, channels, filters)``.

    Returns:
        The same shape, every spatial axis reversed.

    Example:
        >>> flip(jnp.array([[1, 2], [3, 4]]).reshape(2, 2, 1, 1))[..., 0, 0].tolist()
        [[4, 3], [2, 1]]

    Source: lecture 003, «Свертки»; I. Goodfellow et al., «Deep Learning», 2016, equation 9.6.
    """
    return jnp.flip(kernel, tuple(range(kernel.ndim - 2)))


def _window(
    rank: int,
    size: int | tuple[int, ...],
    strides: int | tuple[int, ...],
    padding: str,
    dilation: int | tuple[int, ...],
) -> Window:
    return Window(
        arguments.integers(size, rank, "window", where="unfold"),
        arguments.integers(strides, rank, "strides", where="unfold"),
        arguments.integers(dilation, rank, "dilation", where="unfold"),
        arguments.one_of(padding, ("valid", "same"), "padding", where="unfold"),
        "window",
    )


def _listed(sizes: Shape) -> str:
    return ", ".join(str(size) for size in sizes)
