"""Upsampling: larger sequences, pictures and volumes without anything learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Shape
from convista.layers.base import Layer, register
from convista.layers.sliding_kernel import AXES, check_data_format
from convista.ops import resampling
from convista.shapes import ReceptiveField


class _UpSampling(Layer):
    size: int | tuple[int, ...]

    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(getattr(self, "data_format", None), self.where, self.rank)
        _ = self.times

    @property
    def times(self) -> tuple[int, ...]:
        """How often each cell is repeated, for each spatial axis."""
        return arguments.integers(self.size, self.rank, "size", where=self.where)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes times ``size``."""
        self._check_rank(input_shape, self.rank + 1, AXES[self.rank])
        sizes = [None if size is None else size * n for size, n in zip(input_shape[:-1], self.times, strict=True)]
        return (*sizes, input_shape[-1])

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return what one output cell sees: as much as the cell that it repeats."""
        return before.enlarged(self.times, self.times)

    def apply(self, params, state, x, *, training, key):
        """Return the repeated cells."""
        return resampling.repeat(x, self.times), state


@register
@dataclass(frozen=True)
class UpSampling1D(_UpSampling):
    """Repeat each cell of a sequence ``size`` times.

    Args:
        size: How often.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``size`` is not a whole number of at least 1.

    Example:
        >>> UpSampling1D(3).output_shape((20, 4))
        (60, 4)
    """

    size: int | tuple[int, ...] = 2

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class UpSampling2D(_UpSampling):
    """Make pictures ``size`` times as large, by repeating cells or by interpolating between them.

    Args:
        size: Factors for height and width, one whole number or two.
        data_format: ``None`` or ``"channels_last"``.
        interpolation: ``"nearest"`` repeats; ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` and ``"lanczos5"``
            interpolate.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> UpSampling2D().output_shape((7, 7, 64))
        (14, 14, 64)

    Source: lecture 002.
    """

    size: int | tuple[int, ...] = 2
    data_format: str | None = None
    interpolation: str = "nearest"

    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.one_of(self.interpolation, resampling.INTERPOLATIONS, "interpolation", where=self.where)

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return what one output cell sees: the cell that it repeats, or those that it lies between."""
        reach = resampling.REACH[self.interpolation.lower()]
        return before.enlarged(tuple(reach * n for n in self.times), self.times)

    def apply(self, params, state, x, *, training, key):
        """Return the larger pictures."""
        if self.interpolation.lower() == "nearest":
            return super().apply(params, state, x, training=training, key=key)
        sizes = tuple(size * n for size, n in zip(x.shape[1:-1], self.times, strict=True))
        return resampling.resize(x, sizes, self.interpolation.lower()), state


@register
@dataclass(frozen=True)
class UpSampling3D(_UpSampling):
    """Repeat each cell of a volume ``size`` times along each axis.

    Args:
        size: How often along depth, height and width, one whole number or three.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> UpSampling3D((1, 2, 2)).output_shape((16, 7, 7, 8))
        (16, 14, 14, 8)
    """

    size: int | tuple[int, ...] = 2
    data_format: str | None = None

    rank: ClassVar[int] = 3
