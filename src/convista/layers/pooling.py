"""Pooling layers: a window or a whole sequence, picture or volume becomes one number a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Padding, Shape
from convista.errors import ArgumentError
from convista.layers.base import Layer, register
from convista.layers.sliding_kernel import AXES, check_data_format
from convista.ops import pooling
from convista.shapes import Window


@dataclass(frozen=True)
class _Pooling(Layer):
    pool_size: int | tuple[int, ...] = 2
    strides: int | tuple[int, ...] | None = None
    padding: Padding = "valid"
    data_format: str | None = None

    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(self.data_format, self.where, self.rank)
        window = self.window
        if not isinstance(window.padding, str) and any(
            max(pair) >= size for pair, size in zip(window.padding, window.size, strict=True)
        ):
            raise ArgumentError(
                "padding is smaller than pool_size, so that each window has a cell of the input",
                where=self.where,
                received=f"padding={self.padding!r}, pool_size={self.pool_size!r}",
            )

    @property
    def window(self) -> Window:
        """The pooling window; the step is the window's size unless given."""
        size = arguments.integers(self.pool_size, self.rank, "pool_size", where=self.where)
        strides = size if self.strides is None else self.strides
        return Window(
            size,
            arguments.integers(strides, self.rank, "strides", where=self.where),
            (1,) * self.rank,
            arguments.padding(self.padding, self.rank, where=self.where),
            "window",
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(*output sizes, channels)``."""
        self._check_rank(input_shape, self.rank + 1, AXES[self.rank])
        return (*self.window.output_sizes(input_shape[:-1]), input_shape[-1])

    def _geometry(self, x) -> pooling.PoolingGeometry:
        window = self.window
        return pooling.PoolingGeometry(window.size, window.strides, window.pads(x.shape[1:-1]))


@dataclass(frozen=True)
class _MaxPooling(_Pooling):
    def apply(self, params, state, x, *, training, key):
        """Return the maximum of each window."""
        return pooling.max_pooling(x, self._geometry(x)), state


@register
@dataclass(frozen=True)
class MaxPooling1D(_MaxPooling):
    """Keep the largest value of each window of each channel.

    ``output = (input + padding − pool_size) // strides + 1``

    Args:
        pool_size: Length of the window.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the sequence.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> MaxPooling1D(2).output_shape((56, 16))
        (28, 16)

    Source: lectures 000 and 002.
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class MaxPooling2D(_MaxPooling):
    """Keep the largest value of each window of each channel.

    ``output = (input + padding − pool_size) // strides + 1``

    Args:
        pool_size: Height and width of the window, one number or two.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the picture.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> MaxPooling2D((3, 3)).output_shape((13, 19, 5))
        (4, 6, 5)

    Source: lectures 000 and 002.
    """

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class MaxPooling3D(_MaxPooling):
    """Keep the largest value of each window of each channel.

    ``output = (input + padding − pool_size) // strides + 1``

    Args:
        pool_size: Depth, height and width of the window, one number or three.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the volume.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> MaxPooling3D((1, 2, 2)).output_shape((16, 64, 64, 8))
        (16, 32, 32, 8)

    Source: lectures 000 and 002.
    """

    rank: ClassVar[int] = 3


@dataclass(frozen=True)
class _AveragePooling(_Pooling):
    def apply(self, params, state, x, *, training, key):
        """Return the mean of each window."""
        return pooling.average_pooling(x, self._geometry(x)), state


@register
@dataclass(frozen=True)
class AveragePooling1D(_AveragePooling):
    """Keep the mean of each window of each channel; cells outside the sequence do not count.

    Args:
        pool_size: Length of the window.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the sequence.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> AveragePooling1D(4).output_shape((60, 16))
        (15, 16)

    Source: lecture 000.
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class AveragePooling2D(_AveragePooling):
    """Keep the mean of each window of each channel; cells outside the picture do not count.

    Args:
        pool_size: Height and width of the window, one number or two.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the picture.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> AveragePooling2D(2, padding="same").output_shape((5, 5, 8))
        (3, 3, 8)

    Source: lecture 000.
    """

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class AveragePooling3D(_AveragePooling):
    """Keep the mean of each window of each channel; cells outside the volume do not count.

    Args:
        pool_size: Depth, height and width of the window, one number or three.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the volume.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> AveragePooling3D(2).output_shape((16, 64, 64, 8))
        (8, 32, 32, 8)

    Source: lecture 000.
    """

    rank: ClassVar[int] = 3


@dataclass(frozen=True)
class _SumPooling(_Pooling):
    def apply(self, params, state, x, *, training, key):
        """Return the sum of each window."""
        return pooling.sum_pooling(x, self._geometry(x)), state


@register
@dataclass(frozen=True)
class SumPooling1D(_SumPooling):
    """Keep the sum of each window of each channel; cells outside the sequence add nothing.

    ``y[p, c] = Σ_k x[p·strides + k − pad, c]``

    Args:
        pool_size: Length of the window.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the sequence.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> SumPooling1D(3, strides=1, padding="same").output_shape((60, 4))
        (60, 4)

    Source: lecture 000.
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class SumPooling2D(_SumPooling):
    """Keep the sum of each window of each channel; cells outside the picture add nothing.

    ``y[p, c] = Σ_k x[p·strides + k − pad, c]``

    Args:
        pool_size: Height and width of the window, one number or two.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the picture.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> SumPooling2D(2).output_shape((15, 15, 8))
        (7, 7, 8)

    Source: lecture 000.
    """

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class SumPooling3D(_SumPooling):
    """Keep the sum of each window of each channel; cells outside the volume add nothing.

    ``y[p, c] = Σ_k x[p·strides + k − pad, c]``

    Args:
        pool_size: Depth, height and width of the window, one number or three.
        strides: Step of the window; ``None`` is ``pool_size``: the windows tile the volume.
        padding: ``"valid"`` drops what does not fill a window; ``"same"`` lets the last windows hang over the edge; one
            pair ``(before, after)`` an axis lets them hang over by that many cells, which never count.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> SumPooling3D(2).output_shape((16, 64, 64, 8))
        (8, 32, 32, 8)

    Source: lecture 000.
    """

    rank: ClassVar[int] = 3


@dataclass(frozen=True)
class _GlobalPooling(Layer):
    data_format: str | None = None
    keepdims: bool = False

    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(self.data_format, self.where, self.rank)

    @property
    def sees_everything(self) -> bool:
        """True: each output depends on every position."""
        return True

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(channels,)``, or ``(1, …, channels)`` with ``keepdims``."""
        self._check_rank(input_shape, self.rank + 1, AXES[self.rank])
        return (*(1,) * self.rank, input_shape[-1]) if self.keepdims else (input_shape[-1],)


@dataclass(frozen=True)
class _GlobalMaxPooling(_GlobalPooling):
    def apply(self, params, state, x, *, training, key):
        """Return the maximum of each channel."""
        return pooling.global_max(x, keepdims=self.keepdims), state


@register
@dataclass(frozen=True)
class GlobalMaxPooling1D(_GlobalMaxPooling):
    """Keep the largest value of each channel over the whole sequence.

    Args:
        data_format: ``None`` or ``"channels_last"``.
        keepdims: Keep length as an axis of size 1.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> GlobalMaxPooling1D().output_shape((60, 16))
        (16,)

    Source: lecture 001.
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class GlobalMaxPooling2D(_GlobalMaxPooling):
    """Keep the largest value of each channel over the whole picture.

    Args:
        data_format: ``None`` or ``"channels_last"``.
        keepdims: Keep height and width as axes of size 1.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> GlobalMaxPooling2D().output_shape((7, 7, 64))
        (64,)

    Source: lecture 001.
    """

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class GlobalMaxPooling3D(_GlobalMaxPooling):
    """Keep the largest value of each channel over the whole volume.

    Args:
        data_format: ``None`` or ``"channels_last"``.
        keepdims: Keep depth, height and width as axes of size 1.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> GlobalMaxPooling3D().output_shape((4, 7, 7, 64))
        (64,)

    Source: lecture 001.
    """

    rank: ClassVar[int] = 3


@dataclass(frozen=True)
class _GlobalAveragePooling(_GlobalPooling):
    def apply(self, params, state, x, *, training, key):
        """Return the mean of each channel."""
        return pooling.global_average(x, keepdims=self.keepdims), state


@register
@dataclass(frozen=True)
class GlobalAveragePooling1D(_GlobalAveragePooling):
    """Keep the mean of each channel over the whole sequence.

    Args:
        data_format: ``None`` or ``"channels_last"``.
        keepdims: Keep length as an axis of size 1.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> GlobalAveragePooling1D(keepdims=True).output_shape((60, 16))
        (1, 16)

    Source: M. Lin et al., «Network in network», 2014; lecture 001.
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class GlobalAveragePooling2D(_GlobalAveragePooling):
    """Keep the mean of each channel over the whole picture.

    Args:
        data_format: ``None`` or ``"channels_last"``.
        keepdims: Keep height and width as axes of size 1.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> GlobalAveragePooling2D(keepdims=True).output_shape((7, 7, 64))
        (1, 1, 64)

    Source: M. Lin et al., «Network in network», 2014; lecture 001.
    """

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class GlobalAveragePooling3D(_GlobalAveragePooling):
    """Keep the mean of each channel over the whole volume.

    Args:
        data_format: ``None`` or ``"channels_last"``.
        keepdims: Keep depth, height and width as axes of size 1.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> GlobalAveragePooling3D(keepdims=True).output_shape((4, 7, 7, 64))
        (1, 1, 1, 64)

    Source: M. Lin et al., «Network in network», 2014; lecture 001.
    """

    rank: ClassVar[int] = 3
