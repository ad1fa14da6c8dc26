"""Layers that move numbers without changing them: Flatten, Reshape, Permute."""

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
from convista.shapes import ReceptiveField, count, times


@register
@dataclass(frozen=True)
class Flatten(Layer):
    """Write all values of an example in one row: ``(height, width, channels)`` becomes ``(height·width·channels,)``.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

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
        trainable: See :class:`Layer`.

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
class Permute(Layer):
    """Put the axes of an example into another order.

    Args:
        dims: For each axis of the result, which axis of the input it is, counted from 1: the batch axis stays first.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``dims`` does not name each of the axes 1, 2, … once.

    Example:
        >>> Permute((2, 3, 1)).output_shape((3, 28, 56))
        (28, 56, 3)
    """

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._order

    @property
    def _order(self) -> tuple[int, ...]:
        given = self.dims if isinstance(self.dims, tuple | list) else (0,)
        order = arguments.integers(given, len(given), "dims", where=self.where, minimum=0)
        if not order or sorted(order) != list(range(1, len(order) + 1)):
            raise ArgumentError(
                "dims names each axis of an example once, counted from 1",
                where=self.where,
                received=f"dims={self.dims!r}",
                fix="Channels first become channels last with dims=(2, 3, 1)",
            )
        return order

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes in their new order."""
        if len(input_shape) != len(self._order):
            raise ShapeError(
                "dims names as many axes as an example has",
                received=f"dims={tuple(self._order)}, input_shape={tuple(input_shape)}",
                fix=f"For example dims={tuple(range(len(input_shape), 0, -1))}",
            )
        return tuple(input_shape[axis - 1] for axis in self._order)

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return the field with its axes in the new order; all cells where channels become positions."""
        order = self._order
        if order[-1] != len(order):
            return None
        return before.permuted(tuple(axis - 1 for axis in order[:-1]))

    def apply(self, params, state, x, *, training, key):
        """Return the transposed arrays."""
        return jnp.transpose(x, (0, *self._order)), state
