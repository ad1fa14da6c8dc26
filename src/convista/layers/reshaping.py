"""Layers that move numbers without changing them: Flatten, Reshape, ZeroPadding2D."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from convista import arguments
from convista.arguments import Absent, Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Layer, register
from convista.layers.convolution import check_data_format
from convista.shapes import count, times


@register
@dataclass(frozen=True)
class Flatten(Layer):
    """Write all values of an example in one row: ``(height, width, channels)`` becomes ``(height·width·channels,)``.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Example:
        >>> Flatten().output_shape((28, 28, 3))
        (2352,)

    Source: lecture 002.
    """

    absent_arguments: ClassVar[Mapping[str, Absent]] = {
        **Layer.absent_arguments,
        "data_format": Absent((None, "channels_last"), fix="Move the axis once: x.transpose(0, 2, 3, 1)"),
    }

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return one size, the product of all."""
        if None in input_shape:
            return (None,)
        return (count(input_shape),)

    def apply(self, params, state, x, *, training, key):
        """Return the rows."""
        return x.reshape(x.shape[0], -1), state


@register
@dataclass(frozen=True)
class Reshape(Layer):
    """Read the values of an example, in row-major order, into another shape.

    Args:
        target_shape: The new shape without the batch axis; one size may be −1: what is left.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: ``target_shape`` is not a shape.

    Example:
        >>> Reshape((14, 14, 12)).output_shape((28, 28, 3)), Reshape((3, -1)).output_shape((28, 28, 3))
        ((14, 14, 12), (3, 784))

    Source: lecture 002.
    """

    target_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.sizes

    @property
    def sizes(self) -> tuple[int, ...]:
        """The new sizes as whole numbers, −1 where one is left to be worked out."""
        given = self.target_shape
        rank = len(given) if isinstance(given, tuple | list) else 1
        try:
            sizes = arguments.integers(given, rank, "target_shape", minimum=-1)
        except ArgumentError:
            sizes = (0,)
        if 0 in sizes or sizes.count(-1) > 1:
            raise ArgumentError(
                "target_shape is a tuple of whole numbers of at least 1, at most one of them −1",
                where=self.where,
                received=f"target_shape={given!r}",
                fix="For example target_shape=(14, 14, -1)",
            )
        return sizes

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``target_shape`` with −1 worked out."""
        if None in input_shape:
            return tuple(None if size == -1 else size for size in self.sizes)
        known = math.prod(size for size in self.sizes if size != -1)
        total = count(input_shape)
        if total % known or (-1 not in self.sizes and known != total):
            wanted = times(tuple(None if size == -1 else size for size in self.sizes))
            rest = f"a multiple of {known}" if -1 in self.sizes else f"{wanted} = {known}"
            raise ShapeError(
                f"the new shape {wanted} takes {rest} values, and {times(input_shape)} = {total} come in",
                received=f"input_shape={tuple(input_shape)}, target_shape={self.sizes}",
            )
        return tuple(total // known if size == -1 else size for size in self.sizes)

    def apply(self, params, state, x, *, training, key):
        """Return the values in the new shape."""
        return x.reshape(x.shape[0], *self.sizes), state


@register
@dataclass(frozen=True)
class ZeroPadding2D(Layer):
    """Add rows and columns of zeros around each picture.

    Args:
        padding: ``1`` on all sides, ``(rows, columns)`` on both sides, or ``((top, bottom), (left, right))``.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: ``padding`` has another form.

    Example:
        >>> ZeroPadding2D(((1, 0), 2)).output_shape((5, 5, 1))
        (6, 9, 1)

    Source: lecture 000, «padding».
    """

    padding: int | tuple = 1
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(self.data_format, self.where)
        _ = self.pads

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """The zeros ``(before, after)`` along height and width."""
        sides = (self.padding, self.padding) if hasattr(self.padding, "__index__") else self.padding
        if not isinstance(sides, tuple | list) or len(sides) != 2:
            raise ArgumentError(
                "padding is a number, two numbers or two pairs",
                where=self.where,
                received=f"padding={self.padding!r}",
                fix="For example padding=((1, 0), (2, 2))",
            )
        pairs = [arguments.integers(side, 2, "padding", where=self.where, minimum=0) for side in sides]
        return tuple((pair[0], pair[1]) for pair in pairs)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes with the zeros added."""
        self._check_rank(input_shape, 3, "(height, width, channels)")
        sizes = [
            None if size is None else size + sum(pair) for size, pair in zip(input_shape[:-1], self.pads, strict=True)
        ]
        return (*sizes, input_shape[-1])

    def apply(self, params, state, x, *, training, key):
        """Return the padded pictures."""
        return jnp.pad(x, ((0, 0), *self.pads, (0, 0))), state
