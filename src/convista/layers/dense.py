"""The fully connected layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers import initializers
from convista.layers.base import Layer, Parameter, register
from convista.layers.initializers import Initializer
from convista.ops import activation as activations
from convista.ops.linear import add_bias, dense


@register
@dataclass(frozen=True)
class Dense(Layer):
    """Connect every input with every output: ``y = activation(x · kernel + bias)``, along the last axis.

    Args:
        units: Number of outputs.
        activation: Name or function applied to the result.
        use_bias: Whether one number an output is added.
        kernel_initializer: How the kernel begins, name or function.
        bias_initializer: How the bias begins, name or function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> {name: parameter.shape for name, parameter in Dense(10).parameters((1152,)).items()}
        {'kernel': (1152, 10), 'bias': (10,)}

    Source: lectures 000 and 003.
    """

    units: int
    activation: str | activations.Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    rounds_parameters: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.units, "units", where=self.where)
        activations.get(self.activation, where=self.where)
        initializers.get(self.kernel_initializer, name="kernel_initializer", where=self.where)
        initializers.get(self.bias_initializer, name="bias_initializer", where=self.where)

    @property
    def sees_everything(self) -> bool:
        """True: each output depends on every input of the last axis."""
        return True

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape with ``units`` as the last size."""
        if not input_shape or input_shape[-1] is None:
            raise ShapeError(
                "the size of the last axis is known",
                received=f"input_shape={tuple(input_shape)}",
            )
        return (*input_shape[:-1], int(self.units))

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``kernel (inputs, units)`` and ``bias (units,)``."""
        units = int(self.units)
        result = {"kernel": Parameter((input_shape[-1] or 0, units), self.kernel_initializer)}
        if self.use_bias:
            result["bias"] = Parameter((units,), self.bias_initializer)
        return result

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``inputs · units`` for each position."""
        return math.prod(size or 0 for size in input_shape) * self.units

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(x · kernel + bias)``."""
        y = dense(x, params["kernel"])
        if self.use_bias:
            y = add_bias(y, params["bias"])
        return activations.get(self.activation)(y), state
