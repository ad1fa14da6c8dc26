"""`nn.MaxPool1d/2d/3d`, `nn.AvgPool1d/2d/3d` and `nn.AdaptiveAvgPool1d/2d/3d`."""

from __future__ import annotations

from typing import Any, ClassVar

from convista import arguments, layers
from convista.errors import ArgumentError, ShapeError
from convista.torch import windows
from convista.torch.module import Shape, SpatialModule, Step

_POOLINGS: dict[tuple[str, int], Any] = {
    ("max", 1): layers.MaxPooling1D,
    ("max", 2): layers.MaxPooling2D,
    ("max", 3): layers.MaxPooling3D,
    ("average", 1): layers.AveragePooling1D,
    ("average", 2): layers.AveragePooling2D,
    ("average", 3): layers.AveragePooling3D,
    ("sum", 1): layers.SumPooling1D,
    ("sum", 2): layers.SumPooling2D,
    ("sum", 3): layers.SumPooling3D,
}
_ZEROS: dict[int, Any] = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}
_GLOBAL: dict[int, Any] = {
    1: layers.GlobalAveragePooling1D,
    2: layers.GlobalAveragePooling2D,
    3: layers.GlobalAveragePooling3D,
}


class _Pool(SpatialModule):
    """A pooling with a window; the arguments are kept as they were given, for the representation shows them so."""

    kernel_size: Any
    stride: Any
    padding: Any
    ceil_mode: bool

    def _take(self, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, bool(ceil_mode)
        sizes, _, numbers = self._window
        if any(2 * number > size for number, size in zip(numbers, sizes, strict=True)):
            raise ArgumentError(
                "padding is at most half of kernel_size, so that each window has a cell of the input",
                where=type(self).__name__,
                received=f"padding={padding!r}, kernel_size={kernel_size!r}",
            )

    @property
    def _window(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        where = type(self).__name__
        return (
            windows.numbers(self.kernel_size, self.rank, "kernel_size", where),
            windows.numbers(self.stride, self.rank, "stride", where),
            windows.numbers(self.padding, self.rank, "padding", where, minimum=0),
        )

    def _extra(self, shape: Shape) -> tuple[int, ...]:
        """Return by how many cells the last window hangs over the end: only with ``ceil_mode``.

        PyTorch leaves a window out that would begin behind the input and the padding before it.
        """
        extra = []
        for length, size, step, pad in zip(shape[1:], *self._window, strict=True):
            rest = length + 2 * pad - size
            count = -(-rest // step) if self.ceil_mode else rest // step
            if count * step >= length + pad:
                count -= 1
            extra.append(max(count * step - rest, 0) if rest >= 0 else 0)
        return tuple(extra)

    def _pooling(self, kind: str, before: tuple[int, ...], extra: tuple[int, ...]) -> Step:
        sizes, steps, _ = self._window
        pads = tuple((pad, pad + more) for pad, more in zip(before, extra, strict=True))
        padding: Any = pads if any(map(any, pads)) else "valid"
        return Step(_POOLINGS[kind, self.rank](sizes, steps, padding))


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        where = type(self).__name__
        self.dilation = dilation
        if max(windows.numbers(dilation, self.rank, "dilation", where)) > 1:
            rule = "PyTorch has poolings with dilation; Convista has not yet"
            raise ArgumentError(rule, where=where, received=f"dilation={dilation!r}", fix="Leave dilation out")
        if return_indices:
            rule = "PyTorch can return where the largest values were; Convista does not yet"
            raise ArgumentError(rule, where=where, received="return_indices=True", fix="Leave return_indices out")
        self._take(kernel_size, stride, padding, ceil_mode)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the pooling; what lies outside the picture never wins."""
        return [self._pooling("max", self._window[2], self._extra(shape))]

    def extra_repr(self) -> str:
        """Return all arguments as they were given."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """Keep the largest value of each window of ``(batch, channels, length)``; see :class:`MaxPool2d`.

    Args:
        kernel_size: Length of the window.
        stride: Step of the window; ``None`` is ``kernel_size``.
        padding: Cells on both sides that never win, at most half of ``kernel_size``.
        dilation: 1.
        return_indices: False.
        ceil_mode: Whether a last window may hang over the end.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> MaxPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0, 9.0]]])).tolist()
        [[[3.0, 2.0]]]

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 1


class MaxPool2d(_MaxPool):
    """Keep the largest value of each window of ``(batch, channels, height, width)``.

    ``output = (input + 2·padding − kernel_size) / stride + 1``, rounded down, or up with ``ceil_mode``.

    Args:
        kernel_size: Height and width of the window, one number or two.
        stride: Step of the window; ``None`` is ``kernel_size``.
        padding: Cells on all sides that never win, at most half of ``kernel_size``.
        dilation: 1.
        return_indices: False.
        ceil_mode: Whether last windows may hang over the edge.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> pool = MaxPool2d(kernel_size=2, stride=2, padding=0)
        >>> pool, pool(np.zeros((1, 8, 15, 15))).shape
        (MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False), (1, 8, 7, 7))

    Source: PyTorch's documentation; lecture 001.
    """


class MaxPool3d(_MaxPool):
    """Keep the largest value of each window of ``(batch, channels, depth, height, width)``; see :class:`MaxPool2d`.

    Args:
        kernel_size: Depth, height and width of the window, one number or three.
        stride: Step of the window; ``None`` is ``kernel_size``.
        padding: Cells on all sides that never win, at most half of ``kernel_size``.
        dilation: 1.
        return_indices: False.
        ceil_mode: Whether last windows may hang over the end.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> MaxPool3d(2)(np.zeros((1, 8, 4, 6, 6))).shape
        (1, 8, 2, 3, 3)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 3


class _AvgPool(_Pool):
    count_include_pad: bool
    divisor_override: int | None

    def _take_average(self, count_include_pad: bool, divisor_override: int | None) -> None:
        self.count_include_pad = bool(count_include_pad)
        self.divisor_override = divisor_override
        if divisor_override is not None:
            arguments.integer(divisor_override, "divisor_override", where=type(self).__name__)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the pooling, after zeros that count where ``count_include_pad`` says so."""
        padding, extra = self._window[2], self._extra(shape)
        if self.divisor_override is not None:
            scaling = Step(layers.Rescaling(1.0 / self.divisor_override))
            return [self._pooling("sum", padding, extra), scaling]
        if not self.count_include_pad or not any(padding):
            return [self._pooling("average", padding, extra)]
        pads = windows.both_sides(padding)
        zeros = _ZEROS[self.rank](pads[0] if self.rank == 1 else pads)
        return [Step(zeros), self._pooling("average", (0,) * self.rank, extra)]

    def extra_repr(self) -> str:
        """Return the window as it was given, as PyTorch does without the other arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """Keep the mean of each window of ``(batch, channels, length)``; see :class:`AvgPool2d`.

    Args:
        kernel_size: Length of the window.
        stride: Step of the window; ``None`` is ``kernel_size``.
        padding: Zeros on both sides, at most half of ``kernel_size``.
        ceil_mode: Whether a last window may hang over the end; what hangs over does not count.
        count_include_pad: Whether the zeros of ``padding`` count.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> AvgPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
        [[[2.0, 1.0]]]

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 1

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        self._take(kernel_size, stride, padding, ceil_mode)
        # PyTorch shows the arguments of this one pooling as tuples.
        self.kernel_size, self.stride, self.padding = self._window
        self._take_average(count_include_pad, None)


class _AvgPoolWithDivisor(_AvgPool):
    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        self._take(kernel_size, stride, padding, ceil_mode)
        self._take_average(count_include_pad, divisor_override)


class AvgPool2d(_AvgPoolWithDivisor):
    """Keep the mean of each window of ``(batch, channels, height, width)``.

    The zeros of ``padding`` count unless ``count_include_pad=False``; in Keras they never do.

    Args:
        kernel_size: Height and width of the window, one number or two.
        stride: Step of the window; ``None`` is ``kernel_size``.
        padding: Zeros on all sides, at most half of ``kernel_size``.
        ceil_mode: Whether last windows may hang over the edge; what hangs over does not count.
        count_include_pad: Whether the zeros of ``padding`` count.
        divisor_override: Divide each sum by this number instead of the cells.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 1, 2, 2))
        >>> AvgPool2d(2, padding=1)(ones)[0, 0].tolist()
        [[0.25, 0.25], [0.25, 0.25]]
        >>> AvgPool2d(2, padding=1, count_include_pad=False)(ones)[0, 0].tolist()
        [[1.0, 1.0], [1.0, 1.0]]

    Source: PyTorch's documentation; lecture 001.
    """


class AvgPool3d(_AvgPoolWithDivisor):
    """Keep the mean of each window of ``(batch, channels, depth, height, width)``; see :class:`AvgPool2d`.

    Args:
        kernel_size: Depth, height and width of the window, one number or three.
        stride: Step of the window; ``None`` is ``kernel_size``.
        padding: Zeros on all sides, at most half of ``kernel_size``.
        ceil_mode: Whether last windows may hang over the end; what hangs over does not count.
        count_include_pad: Whether the zeros of ``padding`` count.
        divisor_override: Divide each sum by this number instead of the cells.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> AvgPool3d(2)(np.zeros((1, 8, 4, 6, 6))).shape
        (1, 8, 2, 3, 3)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 3


class _AdaptiveAvgPool(SpatialModule):
    def __init__(self, output_size: int | tuple[int | None, ...] | None):
        self.output_size = output_size
        _ = self._sizes

    @property
    def _sizes(self) -> tuple[int | None, ...]:
        given = self.output_size if isinstance(self.output_size, tuple | list) else (self.output_size,) * self.rank
        where = type(self).__name__
        numbers = windows.numbers(tuple(1 if size is None else size for size in given), self.rank, "output_size", where)
        wide = given * self.rank if len(given) == 1 else given
        return tuple(None if size is None else number for size, number in zip(wide, numbers, strict=True))

    def steps(self, shape: Shape) -> list[Step]:
        """Return the pooling whose windows tile the picture."""
        wanted = [size or length for size, length in zip(self._sizes, shape[1:], strict=True)]
        if set(wanted) == {1}:
            return [Step(_GLOBAL[self.rank](keepdims=True))]
        if any(length % size for length, size in zip(shape[1:], wanted, strict=True)):
            raise ShapeError(
                "PyTorch lets the windows overlap where the output's sizes do not divide the input's; Convista does "
                "not yet",
                fix=f"Choose an output_size that divides {tuple(shape[1:])}",
            )
        window = tuple(length // size for length, size in zip(shape[1:], wanted, strict=True))
        return [Step(_POOLINGS["average", self.rank](window))]

    def extra_repr(self) -> str:
        """Return the sizes as they were given."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Keep means, so many that the output has this length; see :class:`AdaptiveAvgPool2d`.

    Args:
        output_size: Length of the output; it divides that of the input.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> AdaptiveAvgPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
        [[[2.0, 1.0]]]

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Keep means, so many that the output has these sizes: with 1, the mean of each channel over the whole picture.

    Args:
        output_size: Height and width of the output, one number or two; ``None`` keeps a size. They divide the input's.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> AdaptiveAvgPool2d((1, 1))(np.ones((1, 64, 7, 7))).shape
        (1, 64, 1, 1)

    Source: PyTorch's documentation; lecture 001, «GlobalAveragePooling».
    """


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Keep means, so many that the output has these sizes; see :class:`AdaptiveAvgPool2d`.

    Args:
        output_size: Depth, height and width of the output, one number or three; ``None`` keeps a size.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> AdaptiveAvgPool3d(1)(np.ones((1, 8, 4, 7, 7))).shape
        (1, 8, 1, 1, 1)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 3
