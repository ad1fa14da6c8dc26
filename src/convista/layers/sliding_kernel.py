"""What every layer with a sliding kernel checks and knows, whatever its number of axes."""

from __future__ import annotations

from typing import ClassVar

from convista import arguments
from convista.errors import ArgumentError
from convista.layers import initializers
from convista.layers.base import Layer
from convista.layers.initializers import Initializer
from convista.ops import activation as activations
from convista.ops.linear import add_bias
from convista.shapes import Window

AXES = {1: "(length, channels)", 2: "(height, width, channels)", 3: "(depth, height, width, channels)"}
_MOVES = {1: "(0, 2, 1)", 2: "(0, 2, 3, 1)", 3: "(0, 2, 3, 4, 1)"}


def check_data_format(data_format: str | None, where: str, rank: int = 2) -> None:
    """Refuse channels-first data: inside, the channels are always last.

    Raises:
        ArgumentError: ``data_format`` is not ``None`` or ``"channels_last"``.
    """
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"the channels are last: (batch, {AXES[rank][1:]}",
            where=where,
            received=f"data_format={data_format!r}",
            fix=f"Leave data_format out and move the axis once: x.transpose{_MOVES[rank]}",
        )


class SlidingKernel(Layer):
    """A layer that multiplies windows of its input by a kernel, adds a bias and applies a function.

    Its subclasses have these as fields, in the order in which Keras takes them.
    """

    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...]
    padding: arguments.Padding
    data_format: str | None
    dilation_rate: int | tuple[int, ...]
    activation: str | activations.Activation | None
    use_bias: bool
    bias_initializer: str | Initializer

    rank: ClassVar[int] = 2
    rounds_parameters: ClassVar[bool] = True
    initialized: ClassVar[tuple[str, ...]] = ("kernel", "bias")  # what has an argument …_initializer

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(self.data_format, self.where, self.rank)
        activations.get(self.activation, where=self.where)
        for part in self.initialized:
            name = f"{part}_initializer"
            initializers.get(getattr(self, name), name=name, where=self.where)
        window = self._window
        if max(window.strides) > 1 and max(window.dilation) > 1:
            raise ArgumentError(
                "strides and dilation_rate are not both above 1",
                where=self.where,
                received=f"strides={self.strides!r}, dilation_rate={self.dilation_rate!r}",
                fix="Set one of them to 1",
            )

    @property
    def axes(self) -> str:
        """How messages call the axes of one input."""
        return AXES[self.rank]

    @property
    def _window(self) -> Window:
        return Window(
            arguments.integers(self.kernel_size, self.rank, "kernel_size", where=self.where),
            arguments.integers(self.strides, self.rank, "strides", where=self.where),
            arguments.integers(self.dilation_rate, self.rank, "dilation_rate", where=self.where),
            arguments.padding(self.padding, self.rank, where=self.where),
        )

    @property
    def window(self) -> Window | None:
        """The kernel's geometry."""
        return self._window

    def finish(self, params, y):
        """Return ``activation(y + bias)``."""
        if self.use_bias:
            y = add_bias(y, params["bias"])
        return activations.get(self.activation)(y)
