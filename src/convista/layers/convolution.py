"""Convolution layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers import initializers
from convista.layers.base import Layer, Parameter, register
from convista.layers.initializers import Initializer
from convista.ops import activation as activations
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.ops.linear import add_bias
from convista.shapes import Window


def check_data_format(data_format: str | None, where: str) -> None:
    """Refuse channels-first data: inside, the channels are always last.

    Raises:
        ArgumentError: ``data_format`` is not ``None`` or ``"channels_last"``.
    """
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            "the channels are last: (batch, height, width, channels)",
            where=where,
            received=f"data_format={data_format!r}",
            fix="Leave data_format out and move the axis once: x.transpose(0, 2, 3, 1)",
        )


@dataclass(frozen=True)
class _Convolution(Layer):
    filters: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: int | tuple[int, ...] = 1
    groups: int = 1
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    rank: ClassVar[int] = 2
    axes: ClassVar[str] = "(height, width, channels)"
    rounds_parameters: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.filters, "filters", where=self.where)
        arguments.one_of(self.padding, ("valid", "same"), "padding", where=self.where)
        arguments.integer(self.groups, "groups", where=self.where)
        check_data_format(self.data_format, self.where)
        activations.get(self.activation, where=self.where)
        initializers.get(self.kernel_initializer, name="kernel_initializer", where=self.where)
        initializers.get(self.bias_initializer, name="bias_initializer", where=self.where)
        if self.filters % self.groups:
            raise ArgumentError(
                "groups divides filters", where=self.where, received=f"filters={self.filters}, groups={self.groups}"
            )
        if max(self.window.strides) > 1 and max(self.window.dilation) > 1:
            raise ArgumentError(
                "strides and dilation_rate are not both above 1",
                where=self.where,
                received=f"strides={self.strides!r}, dilation_rate={self.dilation_rate!r}",
                fix="Set one of them to 1",
            )

    @property
    def window(self) -> Window:
        """The kernel's geometry."""
        return Window(
            arguments.integers(self.kernel_size, self.rank, "kernel_size", where=self.where),
            arguments.integers(self.strides, self.rank, "strides", where=self.where),
            arguments.integers(self.dilation_rate, self.rank, "dilation_rate", where=self.where),
            self.padding.lower(),
        )

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
        return (*self.window.output_sizes(input_shape[:-1]), int(self.filters))

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``kernel (*window, channels // groups, filters)`` and ``bias (filters,)``."""
        channels = (input_shape[-1] or 0) // self.groups
        filters = int(self.filters)
        result = {"kernel": Parameter((*self.window.size, channels, filters), self.kernel_initializer)}
        if self.use_bias:
            result["bias"] = Parameter((filters,), self.bias_initializer)
        return result

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``positions · window · channels / groups · filters``."""
        positions = math.prod(size or 0 for size in self.output_shape(input_shape)[:-1])
        return positions * math.prod(self.window.size) * ((input_shape[-1] or 0) // self.groups) * self.filters

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(convolution(x) + bias)``."""
        window = self.window
        geometry = ConvolutionGeometry(window.strides, window.pads(x.shape[1:-1]), window.dilation, self.groups)
        return self.finish(params, convolution(x, params["kernel"], geometry)), state

    def finish(self, params, y):
        """Return ``activation(y + bias)``."""
        if self.use_bias:
            y = add_bias(y, params["bias"])
        return activations.get(self.activation)(y)


def _divisors(number: int) -> list[int]:
    return [candidate for candidate in range(1, number + 1) if number % candidate == 0]


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
        padding: ``"valid"`` adds nothing; ``"same"`` adds zeros so that the output has ``⌈input / strides⌉`` cells.
        data_format: ``None`` or ``"channels_last"``.
        dilation_rate: Distance between neighbouring taps, one number or two.
        groups: The channels are split into this many groups that do not see each other.
        activation: Name or function applied to the result.
        use_bias: Whether one number a filter is added.
        kernel_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

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


__all__ = ["Conv2D"]
