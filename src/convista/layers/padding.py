"""Zeros around sequences, pictures and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.base import Layer, register
from convista.layers.sliding_kernel import AXES, check_data_format

_FORMS = {
    1: "a number or a pair of numbers",
    2: "a number, two numbers or two pairs",
    3: "a number, three numbers or three pairs",
}
_EXAMPLES = {1: "(1, 0)", 2: "((1, 0), (2, 2))", 3: "((1, 0), (2, 2), (0, 1))"}


def sides(value: Any, rank: int, name: str, where: str) -> tuple[tuple[int, int], ...]:
    """Return ``(before, after)`` for each axis from a number, one number an axis, or one pair an axis.

    With one axis, a pair is the two sides of that axis.

    Raises:
        ArgumentError: ``value`` has another form.
    """
    given = (value,) * rank if hasattr(value, "__index__") else value
    if rank == 1 and given is value:
        given = (value,)
    if not isinstance(given, tuple | list) or len(given) != rank:
        raise ArgumentError(
            f"{name} is {_FORMS[rank]}",
            where=where,
            received=f"{name}={value!r}",
            fix=f"For example {name}={_EXAMPLES[rank]}",
        )
    pairs = [arguments.integers(side, 2, name, where=where, minimum=0) for side in given]
    return tuple((pair[0], pair[1]) for pair in pairs)


@dataclass(frozen=True)
class _ZeroPadding(Layer):
    padding: int | tuple = 1
    data_format: str | None = None

    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(self.data_format, self.where, self.rank)
        _ = self.pads

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """The zeros ``(before, after)`` along each axis."""
        return sides(self.padding, self.rank, "padding", self.where)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes with the zeros added."""
        self._check_rank(input_shape, self.rank + 1, AXES[self.rank])
        sizes = [
            None if size is None else size + sum(pair) for size, pair in zip(input_shape[:-1], self.pads, strict=True)
        ]
        return (*sizes, input_shape[-1])

    def apply(self, params, state, x, *, training, key):
        """Return the padded arrays."""
        return jnp.pad(x, ((0, 0), *self.pads, (0, 0))), state


@register
@dataclass(frozen=True)
class ZeroPadding1D(_ZeroPadding):
    """Add zeros before and after each sequence.

    Args:
        padding: ``1`` at both ends, or ``(before, after)``.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``padding`` has another form.

    Example:
        >>> ZeroPadding1D((2, 0)).output_shape((60, 4))
        (62, 4)
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class ZeroPadding2D(_ZeroPadding):
    """Add rows and columns of zeros around each picture.

    Args:
        padding: ``1`` on all sides, ``(rows, columns)`` on both sides, or ``((top, bottom), (left, right))``.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``padding`` has another form.

    Example:
        >>> ZeroPadding2D(((1, 0), 2)).output_shape((5, 5, 1))
        (6, 9, 1)

    Source: lecture 000, «padding».
    """

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class ZeroPadding3D(_ZeroPadding):
    """Add zeros around each volume.

    Args:
        padding: ``1`` on all sides, ``(depth, rows, columns)`` on both sides, or a pair for each axis.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``padding`` has another form.

    Example:
        >>> ZeroPadding3D((0, 1, 1)).output_shape((16, 7, 7, 8))
        (16, 9, 9, 8)
    """

    rank: ClassVar[int] = 3
