"""Activation functions as layers of their own."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Layer, register
from convista.ops import activation as activations


@register
@dataclass(frozen=True)
class Activation(Layer):
    """Apply a function to each value.

    Args:
        activation: Its name, or the function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: No activation has this name.

    Example:
        >>> Activation("tanh").output_shape((3, 3, 8))
        (3, 3, 8)

    Source: lecture 003.
    """

    activation: str | activations.Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        activations.get(self.activation, where=self.where)

    def apply(self, params, state, x, *, training, key):
        """Return ``activation(x)``."""
        return activations.get(self.activation)(x), state


@register
@dataclass(frozen=True)
class ReLU(Layer):
    """Return ``x`` above ``threshold`` (at most ``max_value``) and ``negative_slope·(x − threshold)`` below it.

    Args:
        max_value: Upper limit; ``None`` sets none.
        negative_slope: Slope below the threshold.
        threshold: Where the slope begins.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is negative.

    Example:
        >>> y, _ = ReLU(max_value=6.0).apply({}, {}, jnp.array([[-1.0, 2.0, 9.0]]), training=False, key=None)
        >>> y.tolist()
        [[0.0, 2.0, 6.0]]

    Source: lecture 003.
    """

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    @property
    def activation_name(self) -> str | None:
        """``"relu"``."""
        return "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("max_value", "negative_slope", "threshold"):
            value = getattr(self, name)
            if value is None and name == "max_value":
                continue
            if arguments.number(value, name, where=self.where) < 0:
                raise ArgumentError(f"{name} is at least 0", where=self.where, received=f"{name}={value!r}")

    def apply(self, params, state, x, *, training, key):
        """Return the rectified values."""
        threshold = jnp.asarray(self.threshold, x.dtype)
        slope = jnp.asarray(self.negative_slope, x.dtype)
        if self.threshold == 0.0 and self.negative_slope == 0.0:
            y = activations.relu(x)
        else:
            y = jnp.where(x > threshold, x, slope * (x - threshold))
        return y if self.max_value is None else jnp.minimum(y, jnp.asarray(self.max_value, x.dtype)), state


@register
@dataclass(frozen=True)
class Softmax(Layer):
    """Return ``exp(x) / Σ exp(x)`` along an axis: probabilities that sum to 1.

    Args:
        axis: The axis to sum over, counted with the batch axis as 0 or from the end.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Example:
        >>> y, _ = Softmax().apply({}, {}, jnp.zeros((1, 4)), training=False, key=None)
        >>> y.tolist()
        [[0.25, 0.25, 0.25, 0.25]]

    Source: lecture 000.
    """

    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.axis, "axis", where=self.where, minimum=None)

    @property
    def activation_name(self) -> str | None:
        """``"softmax"``."""
        return "softmax"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        rank = len(input_shape) + 1
        if not -rank <= self.axis < rank or self.axis % rank == 0:
            raise ShapeError(
                f"axis names one of the axes 1…{rank - 1} of the input",
                received=f"axis={self.axis!r}, input_shape={tuple(input_shape)}",
                fix="axis=-1 is the channels",
            )
        return tuple(input_shape)

    def apply(self, params, state, x, *, training, key):
        """Return the probabilities."""
        return jax.nn.softmax(x, axis=self.axis), state
