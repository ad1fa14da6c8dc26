"""Activation functions as layers of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Absent, Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers import initializers
from convista.layers.base import Layer, Parameter, register
from convista.layers.initializers import Initializer
from convista.ops import activation as activations


@register
@dataclass(frozen=True)
class Activation(Layer):
    """Apply a function to each value.

    Args:
        activation: Its name, or the function.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

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
        trainable: See :class:`Layer`.

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
        trainable: See :class:`Layer`.

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


@register
@dataclass(frozen=True)
class LeakyReLU(Layer):
    """Return ``x`` above 0 and ``negative_slope·x`` below it, so that no gradient is ever 0.

    Args:
        negative_slope: Slope below 0.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``negative_slope`` is negative.

    Example:
        >>> y, _ = LeakyReLU(0.25).apply({}, {}, jnp.array([-4.0, 2.0]), training=False, key=None)
        >>> y.tolist()
        [-1.0, 2.0]

    Source: A. Maas et al., «Rectifier nonlinearities improve neural network acoustic models», 2013.
    """

    absent_arguments: ClassVar[Mapping[str, Absent]] = {
        **Layer.absent_arguments,
        "alpha": Absent(rule="alpha is called negative_slope, as in Keras 3", fix="Write negative_slope={value}"),
    }

    negative_slope: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if arguments.number(self.negative_slope, "negative_slope", where=self.where) < 0:
            raise ArgumentError(
                "negative_slope is at least 0", where=self.where, received=f"negative_slope={self.negative_slope!r}"
            )

    @property
    def activation_name(self) -> str | None:
        """``"leaky_relu"``."""
        return "leaky_relu"

    def apply(self, params, state, x, *, training, key):
        """Return the rectified values."""
        return jax.nn.leaky_relu(x, jnp.asarray(self.negative_slope, x.dtype)), state


@register
@dataclass(frozen=True)
class PReLU(Layer):
    """Return ``x`` above 0 and ``alpha·x`` below it, where ``alpha`` is learned.

    Args:
        alpha_initializer: How ``alpha`` begins, name or function.
        shared_axes: Axes along which one ``alpha`` serves all, counted with the batch axis as 0: ``(1, 2)`` learns one
            number a channel of a picture. ``None`` learns one for each value.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> PReLU(shared_axes=(1, 2)).parameters((28, 28, 8))["alpha"].shape
        (1, 1, 8)

    Source: K. He et al., «Delving deep into rectifiers», 2015.
    """

    alpha_initializer: str | Initializer = "zeros"
    shared_axes: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        initializers.get(self.alpha_initializer, name="alpha_initializer", where=self.where)
        _ = self._shared

    @property
    def _shared(self) -> tuple[int, ...]:
        given = () if self.shared_axes is None else self.shared_axes
        axes = given if isinstance(given, tuple | list) else (given,)
        return tuple(arguments.integer(axis, "shared_axes", where=self.where) for axis in axes)

    @property
    def activation_name(self) -> str | None:
        """``"relu"``: what it begins as."""
        return "relu"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._alpha_shape(input_shape)
        return tuple(input_shape)

    def _alpha_shape(self, input_shape: Shape) -> tuple[int, ...]:
        if any(axis > len(input_shape) for axis in self._shared):
            raise ShapeError(
                f"shared_axes names axes 1…{len(input_shape)} of the input",
                received=f"shared_axes={self.shared_axes!r}, input_shape={tuple(input_shape)}",
            )
        sizes = [1 if axis in self._shared else size for axis, size in enumerate(input_shape, start=1)]
        if None in sizes:
            raise ShapeError(
                "one number for each value takes known sizes",
                received=f"input_shape={tuple(input_shape)}",
                fix="shared_axes=(1, 2) learns one number a channel of pictures",
            )
        return tuple(size or 0 for size in sizes)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``alpha``, of the input's shape with 1 for the shared axes."""
        return {"alpha": Parameter(self._alpha_shape(input_shape), self.alpha_initializer)}

    def apply(self, params, state, x, *, training, key):
        """Return the rectified values."""
        return activations.relu(x) - params["alpha"] * activations.relu(-x), state


@register
@dataclass(frozen=True)
class ELU(Layer):
    """Return ``x`` above 0 and ``alpha·(exp(x) − 1)`` below it.

    Args:
        alpha: The limit for very negative values is ``−alpha``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``alpha`` is not a finite number.

    Example:
        >>> y, _ = ELU().apply({}, {}, jnp.array([0.0, 2.0]), training=False, key=None)
        >>> y.tolist()
        [0.0, 2.0]

    Source: D.-A. Clevert et al., «Fast and accurate deep network learning by exponential linear units», 2016.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.number(self.alpha, "alpha", where=self.where)

    @property
    def activation_name(self) -> str | None:
        """``"elu"``."""
        return "elu"

    def apply(self, params, state, x, *, training, key):
        """Return the values."""
        return jax.nn.elu(x, jnp.asarray(self.alpha, x.dtype)), state


@register
@dataclass(frozen=True)
class GELU(Layer):
    """Return ``x·Φ(x)``, where ``Φ`` is the normal distribution function.

    Args:
        approximate: Whether ``Φ`` is replaced by a formula with tanh.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> y, _ = GELU().apply({}, {}, jnp.array([0.0]), training=False, key=None)
        >>> y.tolist()
        [0.0]

    Source: D. Hendrycks, K. Gimpel, «Gaussian error linear units», 2016.
    """

    approximate: bool = False

    @property
    def activation_name(self) -> str | None:
        """``"gelu"``."""
        return "gelu"

    def apply(self, params, state, x, *, training, key):
        """Return the values."""
        return jax.nn.gelu(x, approximate=bool(self.approximate)), state


@register
@dataclass(frozen=True)
class SiLU(Layer):
    """Return ``x·sigmoid(x)``, also called swish.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> y, _ = SiLU().apply({}, {}, jnp.array([0.0]), training=False, key=None)
        >>> y.tolist()
        [0.0]

    Source: P. Ramachandran et al., «Searching for activation functions», 2017.
    """

    @property
    def activation_name(self) -> str | None:
        """``"silu"``."""
        return "silu"

    def apply(self, params, state, x, *, training, key):
        """Return the values."""
        return jax.nn.silu(x), state
