"""Cells cut off the borders of sequences, pictures and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers.base import Layer, register
from convista.layers.padding import sides
from convista.layers.sliding_kernel import AXES, check_data_format
from convista.shapes import AXIS_NAMES, times


class _Cropping(Layer):
    cropping: int | tuple

    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(getattr(self, "data_format", None), self.where, self.rank)
        _ = self.cuts

    @property
    def cuts(self) -> tuple[tuple[int, int], ...]:
        """The cells ``(before, after)`` cut off along each axis."""
        return sides(self.cropping, self.rank, "cropping", self.where)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return what is left of the sizes."""
        self._check_rank(input_shape, self.rank + 1, AXES[self.rank])
        sizes = input_shape[:-1]
        for name, size, (before, after) in zip(AXIS_NAMES[self.rank], sizes, self.cuts, strict=True):
            if size is not None and size - before - after < 1:
                left = str(size - before - after).replace("-", "−")
                raise ShapeError(
                    f"cropping leaves at least one cell of {times(sizes)}: "
                    f"output_{name} = {size} − {before} − {after} = {left}",
                    received=f"cropping={self.cropping!r}, input_shape={tuple(input_shape)}",
                )
        left_over = [None if size is None else size - sum(pair) for size, pair in zip(sizes, self.cuts, strict=True)]
        return (*left_over, input_shape[-1])

    def apply(self, params, state, x, *, training, key):
        """Return what is left."""
        kept = [slice(before, size - after) for size, (before, after) in zip(x.shape[1:-1], self.cuts, strict=True)]
        return x[(slice(None), *kept)], state


@register
@dataclass(frozen=True)
class Cropping1D(_Cropping):
    """Cut cells off both ends of each sequence.

    Args:
        cropping: A number for both ends, or ``(before, after)``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``cropping`` has another form.

    Example:
        >>> Cropping1D((2, 0)).output_shape((60, 4))
        (58, 4)
    """

    cropping: int | tuple = (1, 1)

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class Cropping2D(_Cropping):
    """Cut rows and columns off each picture.

    Args:
        cropping: A number for all sides, ``(rows, columns)`` for both sides, or ``((top, bottom), (left, right))``.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``cropping`` has another form.

    Example:
        >>> Cropping2D(((0, 1), (0, 1))).output_shape((15, 15, 8))
        (14, 14, 8)
    """

    cropping: int | tuple = ((0, 0), (0, 0))
    data_format: str | None = None

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class Cropping3D(_Cropping):
    """Cut cells off each volume.

    Args:
        cropping: A number for all sides, ``(depth, rows, columns)`` for both sides, or a pair for each axis.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``cropping`` has another form.

    Example:
        >>> Cropping3D(1).output_shape((16, 16, 16, 8))
        (14, 14, 14, 8)
    """

    cropping: int | tuple = ((1, 1), (1, 1), (1, 1))
    data_format: str | None = None

    rank: ClassVar[int] = 3
