"""Convolution layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Padding, Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Parameter, register
from convista.layers.initializers import Initializer
from convista.layers.sliding_kernel import SlidingKernel
from convista.ops import activation as activations
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.shapes import Window


@dataclass(frozen=True)
class _Convolution(SlidingKernel):
    filters: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: Padding = "valid"
    data_format: str | None = None
    dilation_rate: int | tuple[int, ...] = 1
    groups: int = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    def __post_init__(self) -> None:
        arguments.integer(self.filters, "filters", where=self.where)
        arguments.integer(self.groups, "groups", where=self.where)
        super().__post_init__()
        if self.filters % self.groups:
            raise ArgumentError(
                "groups divides filters", where=self.where, received=f"filters={self.filters}, groups={self.groups}"
            )

    @property
    def window(self) -> Window:
        """The kernel's geometry."""
        return self._window

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(*output sizes, filters)``."""
        self._check_rank(input_shape, self.rank + 1, self.axes)
        channels = input_shape[-1] or 0
        if channels % self.groups:
            raise ShapeError(
                "groups divides the number of input channels",
                received=f"input_shape={tuple(input_shape)}, groups={self.groups}",
                fix=f"Here groups can be {' or '.join(map(str, _divisors(math.gcd(channels, self.filters))))}",
            )
        return (*self._window.output_sizes(input_shape[:-1]), int(self.filters))

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``kernel (*window, channels // groups, filters)`` and ``bias (filters,)``."""
        channels = (input_shape[-1] or 0) // self.groups
        filters = int(self.filters)
        result = {"kernel": Parameter((*self._window.size, channels, filters), self.kernel_initializer)}
        if self.use_bias:
            result["bias"] = Parameter((filters,), self.bias_initializer)
        return result

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``positions · window · channels / groups · filters``."""
        positions = math.prod(size or 0 for size in self.output_shape(input_shape)[:-1])
        return positions * math.prod(self._window.size) * ((input_shape[-1] or 0) // self.groups) * self.filters

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(convolution(x) + bias)``."""
        window = self._window
        geometry = ConvolutionGeometry(window.strides, window.pads(x.shape[1:-1]), window.dilation, self.groups)
        y = convolution(x, params["kernel"], geometry, params["bias"] if self.use_bias else None)
        return activations.get(self.activation)(y), state


def _divisors(number: int) -> list[int]:
    return [candidate for candidate in range(1, number + 1) if number % candidate == 0]


@register
@dataclass(frozen=True)
class Conv1D(_Convolution):
    """Slide ``filters`` kernels along sequences: text, sound, time series, genomes.

    ``y[i, o] = activation(Σ x[i·s + k·d − pad, c] · kernel[k, c, o] + bias[o])``,
    ``output = (input + padding − ((kernel_size − 1)·dilation_rate + 1)) // strides + 1``.

    Args:
        filters: Number of output channels.
        kernel_size: Length of the window.
        strides: Step of the window.
        padding: ``"valid"`` adds nothing; ``"same"`` adds zeros so that the output has ``⌈input / strides⌉`` cells;
            one pair ``(before, after)`` an axis adds that many.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps.
        groups: The channels are split into this many groups that do not see each other.
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
        >>> layer = Conv1D(16, 5, activation="relu")
        >>> layer.output_shape((60, 4))
        (56, 16)
        >>> {name: parameter.shape for name, parameter in layer.parameters((60, 4)).items()}
        {'kernel': (5, 4, 16), 'bias': (16,)}

    Source: lecture 001.
    """

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class Conv2D(_Convolution):
    """Slide ``filters`` kernels over height and width; each makes one channel of the output.

    ``y[i, j, o] = activation(Σ x[i·s + k·d − pad, j·s + l·d − pad, c] · kernel[k, l, c, o] + bias[o])``,
    ``output = (input + padding − ((kernel_size − 1)·dilation_rate + 1)) // strides + 1``.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window, one number or two.
        strides: Step of the window, one number or two.
        padding: ``"valid"`` adds nothing; ``"same"`` adds zeros so that the output has ``⌈input / strides⌉`` cells;
            one pair ``(before, after)`` an axis adds that many.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps, one number or two.
        groups: The channels are split into this many groups that do not see each other.
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
        >>> layer = Conv2D(8, (3, 3), padding="same", activation="relu")
        >>> layer.output_shape((28, 56, 3))
        (28, 56, 8)
        >>> {name: parameter.shape for name, parameter in layer.parameters((28, 56, 3)).items()}
        {'kernel': (3, 3, 3, 8), 'bias': (8,)}

    Source: Y. LeCun et al., 1998; lectures 000 and 002.
    """


@register
@dataclass(frozen=True)
class Conv3D(_Convolution):
    """Slide ``filters`` kernels through volumes: scans, or films with time as depth.

    ``output = (input + padding − ((kernel_size − 1)·dilation_rate + 1)) // strides + 1`` along each axis.

    Args:
        filters: Number of output channels.
        kernel_size: Depth, height and width of the window, one number or three.
        strides: Step of the window, one number or three.
        padding: ``"valid"`` adds nothing; ``"same"`` adds zeros so that the output has ``⌈input / strides⌉`` cells;
            one pair ``(before, after)`` an axis adds that many.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps, one number or three.
        groups: The channels are split into this many groups that do not see each other.
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
        >>> Conv3D(8, 3, strides=(1, 2, 2), padding="same").output_shape((16, 64, 64, 1))
        (16, 32, 32, 8)

    Source: lecture 001.
    """

    rank: ClassVar[int] = 3


__all__ = ["Conv1D", "Conv2D", "Conv3D"]
