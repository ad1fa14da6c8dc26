"""Transposed convolution: layers that enlarge pictures with learned kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.base import Parameter, register
from convista.layers.initializers import Initializer
from convista.layers.sliding_kernel import SlidingKernel
from convista.ops import activation as activations
from convista.ops.convolution import ConvolutionGeometry, transposed_convolution
from convista.shapes import ReceptiveField, TransposedWindow, Window, times


class _TransposedConvolution(SlidingKernel):
    filters: int
    output_padding: int | tuple[int, ...] | None
    kernel_initializer: str | Initializer

    def __post_init__(self) -> None:
        arguments.integer(self.filters, "filters", where=self.where)
        arguments.one_of(self.padding, ("valid", "same"), "padding", where=self.where)
        super().__post_init__()
        window = self.transposed_window
        if window.output_padding is not None and any(
            extra >= stride for extra, stride in zip(window.output_padding, window.strides, strict=True)
        ):
            raise ArgumentError(
                "output_padding is below strides: it chooses among the sizes that a stride brings to one",
                where=self.where,
                received=f"output_padding={self.output_padding!r}, strides={self.strides!r}",
                fix="More zeros around the result come from ZeroPadding",
            )

    @property
    def window(self) -> Window | None:
        """None: this window spreads what it sees instead of gathering it; see ``transposed_window``."""
        return None

    @property
    def transposed_window(self) -> TransposedWindow:
        """The kernel's geometry."""
        window, extra = self._window, None
        if self.output_padding is not None:
            extra = arguments.integers(self.output_padding, self.rank, "output_padding", where=self.where, minimum=0)
        return TransposedWindow(window.size, window.strides, window.dilation, str(self.padding).lower(), extra)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(*output sizes, filters)``."""
        self._check_rank(input_shape, self.rank + 1, self.axes)
        return (*self.transposed_window.output_sizes(input_shape[:-1]), int(self.filters))

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``kernel (*window, filters, channels)`` and ``bias (filters,)``."""
        filters = int(self.filters)
        result = {"kernel": Parameter((*self._window.size, filters, input_shape[-1] or 0), self.kernel_initializer)}
        if self.use_bias:
            result["bias"] = Parameter((filters,), self.bias_initializer)
        return result

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``input cells · window · channels · filters``."""
        return math.prod(size or 0 for size in input_shape) * math.prod(self._window.size) * self.filters

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return what one output cell sees: the input cells whose windows reach it."""
        return before.enlarged(self.transposed_window.span, self.transposed_window.strides)

    def kernel_text(self, input_shape: Shape) -> str:
        """Return the window and the channels it takes."""
        return times((*self._window.size, input_shape[-1]))

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(transposed convolution of x + bias)``."""
        window = self.transposed_window
        geometry = ConvolutionGeometry(window.strides, window.pads(), window.dilation)
        sizes = tuple(size or 0 for size in window.output_sizes(x.shape[1:-1]))
        return self.finish(params, transposed_convolution(x, params["kernel"], geometry, sizes)), state


@register
@dataclass(frozen=True)
class Conv1DTranspose(_TransposedConvolution):
    """Enlarge sequences: lay ``filters`` kernels, times each cell, ``strides`` apart and add where they overlap.

    ``output = (input − 1)·strides + kernel_size + output_padding`` with ``padding="valid"``, ``input · strides`` with
    ``"same"``; see :class:`Conv2DTranspose`.

    Args:
        filters: Number of output channels.
        kernel_size: Length of the window.
        strides: Cells of the output from one input cell to the next.
        padding: ``"valid"`` keeps everything; ``"same"`` makes ``input · strides``.
        output_padding: Cells added at the end, fewer than ``strides``; ``None``: as many as ``padding`` asks for.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps.
        activation: Name or function applied to the result.
        use_bias: Whether one number a filter is added.
        kernel_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> Conv1DTranspose(4, 2, strides=2, output_padding=1).output_shape((7, 8))
        (15, 4)
    """

    filters: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: str = "valid"
    output_padding: int | tuple[int, ...] | None = None
    data_format: str | None = None
    dilation_rate: int | tuple[int, ...] = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class Conv2DTranspose(_TransposedConvolution):
    """Enlarge pictures: lay ``filters`` kernels, times each cell, ``strides`` apart and add where they overlap.

    ``y[i·s + k·d − pad, j·s + l·d − pad, o] = activation(Σ x[i, j, c] · kernel[k, l, o, c] + bias[o])``: the gradient
    of a convolution by its input. With ``padding="valid"``,
    ``output = (input − 1)·strides + (kernel_size − 1)·dilation_rate + 1 + output_padding``; with ``"same"``,
    ``input · strides``, or ``(input − 1)·strides + span % 2 + output_padding`` if that is given. A window of 2 and a
    stride of 2 bring 14 and 15 to 7; 7 leads back to 14, and with ``output_padding=1`` to 15.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window, one number or two.
        strides: Cells of the output from one input cell to the next, one number or two.
        padding: ``"valid"`` keeps everything; ``"same"`` makes ``input · strides``.
        output_padding: Rows and columns added below and to the right, fewer than ``strides``; ``None``: as many as
            ``padding`` asks for.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps, one number or two.
        activation: Name or function applied to the result.
        use_bias: Whether one number a filter is added.
        kernel_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> Conv2DTranspose(4, 2, strides=2).output_shape((7, 7, 8))
        (14, 14, 4)
        >>> Conv2DTranspose(4, 2, strides=2, output_padding=1).output_shape((7, 7, 8))
        (15, 15, 4)

    Source: V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016; lecture 002.
    """

    filters: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: str = "valid"
    output_padding: int | tuple[int, ...] | None = None
    data_format: str | None = None
    dilation_rate: int | tuple[int, ...] = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class Conv3DTranspose(_TransposedConvolution):
    """Enlarge volumes: lay ``filters`` kernels, times each cell, ``strides`` apart and add where they overlap.

    ``output = (input − 1)·strides + kernel_size + output_padding`` with ``padding="valid"``, ``input · strides`` with
    ``"same"``, along each axis; see :class:`Conv2DTranspose`.

    Args:
        filters: Number of output channels.
        kernel_size: Depth, height and width of the window, one number or three.
        strides: Cells of the output from one input cell to the next, one number or three.
        padding: ``"valid"`` keeps everything; ``"same"`` makes ``input · strides``.
        data_format: ``None`` or ``"channels_last"``.
        output_padding: Cells added at the end of each axis, fewer than ``strides``; ``None``: as many as ``padding``
            asks for. (In Keras, too, it stands here after ``data_format``, and before it in 1-D and 2-D.)
        dilation_rate: Distance between neighbouring taps, one number or three.
        activation: Name or function applied to the result.
        use_bias: Whether one number a filter is added.
        kernel_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> Conv3DTranspose(4, 2, strides=2).output_shape((4, 7, 7, 8))
        (8, 14, 14, 4)
    """

    filters: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: str = "valid"
    data_format: str | None = None
    output_padding: int | tuple[int, ...] | None = None
    dilation_rate: int | tuple[int, ...] = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    rank: ClassVar[int] = 3
