"""Depthwise and separable convolution: each channel by itself, then perhaps the channels by themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Padding, Shape
from convista.layers.base import Parameter, register
from convista.layers.initializers import Initializer
from convista.layers.sliding_kernel import SlidingKernel
from convista.ops import activation as activations
from convista.ops.convolution import ConvolutionGeometry, convolution, depthwise_convolution
from convista.shapes import times


class _Depthwise(SlidingKernel):
    depth_multiplier: int
    depthwise_initializer: str | Initializer

    initialized: ClassVar[tuple[str, ...]] = ("depthwise", "bias")

    def __post_init__(self) -> None:
        arguments.integer(self.depth_multiplier, "depth_multiplier", where=self.where)
        super().__post_init__()

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(*output sizes, channels · depth_multiplier)``."""
        self._check_rank(input_shape, self.rank + 1, self.axes)
        return (*self._window.output_sizes(input_shape[:-1]), self._made(input_shape))

    def _made(self, input_shape: Shape) -> int:
        return (input_shape[-1] or 0) * int(self.depth_multiplier)

    def _depthwise_kernel(self, input_shape: Shape) -> Parameter:
        sizes = (*self._window.size, input_shape[-1] or 0, int(self.depth_multiplier))
        return Parameter(sizes, self.depthwise_initializer)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``kernel (*window, channels, depth_multiplier)`` and ``bias (channels · depth_multiplier,)``."""
        result = {"kernel": self._depthwise_kernel(input_shape)}
        if self.use_bias:
            result["bias"] = Parameter((self._made(input_shape),), self.bias_initializer)
        return result

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``positions · window · channels · depth_multiplier``."""
        positions = math.prod(size or 0 for size in self._window.output_sizes(input_shape[:-1]))
        return positions * math.prod(self._window.size) * self._made(input_shape)

    def kernel_text(self, input_shape: Shape) -> str:
        """Return the window, which takes one channel."""
        return times((*self._window.size, 1))

    def _each_channel(self, x, kernel):
        window = self._window
        geometry = ConvolutionGeometry(window.strides, window.pads(x.shape[1:-1]), window.dilation, x.shape[-1])
        return depthwise_convolution(x, kernel, geometry)

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(each channel's convolutions + bias)``."""
        return self.finish(params, self._each_channel(x, params["kernel"])), state


@dataclass(frozen=True)
class _DepthwiseConvolution(_Depthwise):
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: Padding = "valid"
    depth_multiplier: int = 1
    data_format: str | None = None
    dilation_rate: int | tuple[int, ...] = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    depthwise_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"


@register
@dataclass(frozen=True)
class DepthwiseConv1D(_DepthwiseConvolution):
    """Slide ``depth_multiplier`` kernels of its own along each channel of a sequence.

    Args:
        kernel_size: Length of the window.
        strides: Step of the window.
        padding: ``"valid"`` or ``"same"``, as in ``Conv1D``.
        depth_multiplier: Output channels for each input channel.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps.
        activation: Name or function applied to the result.
        use_bias: Whether one number a channel is added.
        depthwise_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> DepthwiseConv1D(3, depth_multiplier=2).output_shape((60, 4))
        (58, 8)
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class DepthwiseConv2D(_DepthwiseConvolution):
    """Slide ``depth_multiplier`` kernels of its own over each channel; no channel sees another.

    ``y[i, j, c·m + q] = activation(Σ x[i·s + k·d − pad, j·s + l·d − pad, c] · kernel[k, l, c, q] + bias[c·m + q])``
    with ``m = depth_multiplier``: a convolution in as many groups as there are channels.

    Args:
        kernel_size: Height and width of the window, one number or two.
        strides: Step of the window, one number or two.
        padding: ``"valid"`` or ``"same"``, as in ``Conv2D``.
        depth_multiplier: Output channels for each input channel.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps, one number or two.
        activation: Name or function applied to the result.
        use_bias: Whether one number a channel is added.
        depthwise_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> layer = DepthwiseConv2D(3, padding="same")
        >>> layer.output_shape((28, 28, 16))
        (28, 28, 16)
        >>> layer.parameters((28, 28, 16))["kernel"].shape
        (3, 3, 16, 1)

    Source: A. Howard et al., «MobileNets: efficient convolutional neural networks for mobile vision», 2017.
    """

    rank: ClassVar[int] = 2


@dataclass(frozen=True)
class _SeparableConvolution(_Depthwise):
    filters: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: Padding = "valid"
    data_format: str | None = None
    dilation_rate: int | tuple[int, ...] = 1
    depth_multiplier: int = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    depthwise_initializer: str | Initializer = "glorot_uniform"
    pointwise_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    initialized: ClassVar[tuple[str, ...]] = ("depthwise", "pointwise", "bias")

    def __post_init__(self) -> None:
        arguments.integer(self.filters, "filters", where=self.where)
        super().__post_init__()

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(*output sizes, filters)``."""
        return (*super().output_shape(input_shape)[:-1], int(self.filters))

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``depthwise_kernel (*window, channels, depth_multiplier)``, ``pointwise_kernel`` and ``bias``."""
        filters = int(self.filters)
        sizes = (*(1,) * self.rank, self._made(input_shape), filters)
        result = {
            "depthwise_kernel": self._depthwise_kernel(input_shape),
            "pointwise_kernel": Parameter(sizes, self.pointwise_initializer),
        }
        if self.use_bias:
            result["bias"] = Parameter((filters,), self.bias_initializer)
        return result

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``positions · channels · depth_multiplier · (window + filters)``."""
        positions = math.prod(size or 0 for size in self._window.output_sizes(input_shape[:-1]))
        return positions * self._made(input_shape) * (math.prod(self._window.size) + self.filters)

    def kernel_text(self, input_shape: Shape) -> str:
        """Return both windows with the channels they take."""
        pointwise = times((*(1,) * self.rank, self._made(input_shape)))
        return f"{super().kernel_text(input_shape)} + {pointwise}"

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(mixed channels of each channel's convolutions + bias)``."""
        y = self._each_channel(x, params["depthwise_kernel"])
        ones = (1,) * self.rank
        mixed = convolution(y, params["pointwise_kernel"], ConvolutionGeometry(ones, ((0, 0),) * self.rank, ones))
        return self.finish(params, mixed), state


@register
@dataclass(frozen=True)
class SeparableConv1D(_SeparableConvolution):
    """Convolve each channel of a sequence by itself, then mix the channels cell by cell.

    Args:
        filters: Number of output channels.
        kernel_size: Length of the window.
        strides: Step of the window.
        padding: ``"valid"`` or ``"same"``, as in ``Conv1D``.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps.
        depth_multiplier: Channels between the two steps for each input channel.
        activation: Name or function applied to the result.
        use_bias: Whether one number a filter is added.
        depthwise_initializer: How the first kernel begins, name or function.
        pointwise_initializer: How the second kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> SeparableConv1D(16, 3).output_shape((60, 4))
        (58, 16)
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class SeparableConv2D(_SeparableConvolution):
    """Convolve each channel by itself, then mix the channels with a 1×1 convolution: a convolution with fewer products.

    ``positions · channels · (window + filters)`` multiply–accumulates instead of ``positions · channels · window ·
    filters``. Nothing lies between the two steps; bias and activation follow the second.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window, one number or two.
        strides: Step of the window, one number or two.
        padding: ``"valid"`` or ``"same"``, as in ``Conv2D``.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps, one number or two.
        depth_multiplier: Channels between the two steps for each input channel.
        activation: Name or function applied to the result.
        use_bias: Whether one number a filter is added.
        depthwise_initializer: How the first kernel begins, name or function.
        pointwise_initializer: How the second kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> from convista.layers import Conv2D
        >>> SeparableConv2D(64, 3).multiply_accumulates((28, 28, 32)), Conv2D(64, 3).multiply_accumulates((28, 28, 32))
        (1579136, 12460032)

    Source: F. Chollet, «Xception: deep learning with depthwise separable convolutions», 2017.
    """

    rank: ClassVar[int] = 2
