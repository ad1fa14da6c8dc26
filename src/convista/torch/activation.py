"""Activations: `nn.ReLU`, `nn.Sigmoid`, `nn.Softmax` and others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from convista import arguments, layers
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Layer
from convista.torch.module import LayerModule, Shape, Step


class Elementwise(LayerModule):
    """A module that takes each value by itself, so that the order of the axes does not matter."""

    def _layer(self) -> Layer:
        raise NotImplementedError

    def steps(self, shape: Shape) -> list[Step]:
        """Return the one layer."""
        return [Step(self._layer())]

    def forward(self, x: jax.Array) -> jax.Array:
        """Return the values in the same shape."""
        return Step(self._layer()).run(self, x.astype(jnp.float32))[0]


class _InPlace(Elementwise):
    """An activation that PyTorch can compute in place; here the result is always new."""

    def __init__(self, inplace: bool = False):
        self.inplace = bool(inplace)

    def extra_repr(self) -> str:
        """Return ``inplace=True`` where it was given."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """Return ``max(x, 0)``.

    Args:
        inplace: Accepted; the result is always a new array.

    Example:
        >>> ReLU()(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]

    Source: PyTorch's documentation; lecture 001.
    """

    def _layer(self) -> Layer:
        return layers.ReLU()


class ReLU6(_InPlace):
    """Return ``min(max(x, 0), 6)``.

    Args:
        inplace: Accepted; the result is always a new array.

    Example:
        >>> ReLU6()(jnp.array([-1.0, 2.0, 9.0])).tolist()
        [0.0, 2.0, 6.0]

    Source: PyTorch's documentation.
    """

    def _layer(self) -> Layer:
        return layers.ReLU(max_value=6.0)


class SiLU(_InPlace):
    """Return ``x·sigmoid(x)``.

    Args:
        inplace: Accepted; the result is always a new array.

    Example:
        >>> SiLU()(jnp.array([0.0])).tolist()
        [0.0]

    Source: PyTorch's documentation.
    """

    def _layer(self) -> Layer:
        return layers.SiLU()


class LeakyReLU(Elementwise):
    """Return ``x`` above 0 and ``negative_slope·x`` below it.

    Args:
        negative_slope: Slope below 0: 0.01, where Keras has 0.3.
        inplace: Accepted; the result is always a new array.

    Raises:
        ArgumentError: ``negative_slope`` is negative.

    Example:
        >>> LeakyReLU(0.25)(jnp.array([-4.0, 2.0])).tolist()
        [-1.0, 2.0]

    Source: PyTorch's documentation.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        self.negative_slope, self.inplace = negative_slope, bool(inplace)
        _ = self._layer()

    def _layer(self) -> Layer:
        return layers.LeakyReLU(self.negative_slope)

    def extra_repr(self) -> str:
        """Return the slope, and ``inplace=True`` where it was given."""
        return f"negative_slope={self.negative_slope}{', inplace=True' if self.inplace else ''}"


class ELU(Elementwise):
    """Return ``x`` above 0 and ``alpha·(exp(x) − 1)`` below it.

    Args:
        alpha: The limit for very negative values is ``−alpha``.
        inplace: Accepted; the result is always a new array.

    Raises:
        ArgumentError: ``alpha`` is not a finite number.

    Example:
        >>> ELU()(jnp.array([0.0, 2.0])).tolist()
        [0.0, 2.0]

    Source: PyTorch's documentation.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        self.alpha, self.inplace = alpha, bool(inplace)
        _ = self._layer()

    def _layer(self) -> Layer:
        return layers.ELU(self.alpha)

    def extra_repr(self) -> str:
        """Return the limit, and ``inplace=True`` where it was given."""
        return f"alpha={self.alpha}{', inplace=True' if self.inplace else ''}"


class GELU(Elementwise):
    """Return ``x·Φ(x)``, where ``Φ`` is the normal distribution function.

    Args:
        approximate: ``"none"``, or ``"tanh"`` for a formula with tanh.

    Raises:
        ArgumentError: It is neither.

    Example:
        >>> GELU()(jnp.array([0.0])).tolist()
        [0.0]

    Source: PyTorch's documentation.
    """

    def __init__(self, approximate: str = "none"):
        self.approximate = arguments.one_of(approximate, ("none", "tanh"), "approximate", where="GELU")

    def _layer(self) -> Layer:
        return layers.GELU(approximate=self.approximate == "tanh")

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"approximate={self.approximate!r}"


class Sigmoid(Elementwise):
    """Return ``1 / (1 + exp(−x))``.

    Example:
        >>> Sigmoid()(jnp.array([0.0])).tolist()
        [0.5]

    Source: PyTorch's documentation.
    """

    def _layer(self) -> Layer:
        return layers.Activation("sigmoid")


class Tanh(Elementwise):
    """Return ``tanh(x)``.

    Example:
        >>> Tanh()(jnp.array([0.0])).tolist()
        [0.0]

    Source: PyTorch's documentation.
    """

    def _layer(self) -> Layer:
        return layers.Activation("tanh")


class Softmax(LayerModule):
    """Return ``exp(x) / Σ exp(x)`` along an axis: probabilities that sum to 1.

    Args:
        dim: The axis, counted with the batch axis as 0 or from the end: 1 are the channels. ``None`` is 1 for two and
            four axes; PyTorch asks for it.

    Raises:
        ArgumentError: ``dim`` is no whole number.

    Example:
        >>> Softmax(dim=1)(jnp.zeros((1, 4))).tolist()
        [[0.25, 0.25, 0.25, 0.25]]

    Source: PyTorch's documentation.
    """

    def __init__(self, dim: int | None = None):
        self.dim = dim
        if dim is not None:
            arguments.integer(dim, "dim", where="Softmax", minimum=None)

    def _axis(self, rank: int) -> int:
        if self.dim is None and rank not in (2, 4):
            rule = "dim says along which axis the values sum to 1"
            raise ArgumentError(rule, where="Softmax", received=f"dim=None for {rank} axes", fix="Write dim=1")
        axis = 1 if self.dim is None else self.dim
        if not -rank <= axis < rank:
            rule = f"dim names one of the axes 0…{rank - 1}"
            raise ShapeError(rule, where="Softmax", received=f"dim={self.dim} for {rank} axes")
        return axis % rank

    def steps(self, shape: Shape) -> list[Step]:
        """Return the layer, its axis counted with the channels last."""
        rank = len(shape) + 1
        axis = self._axis(rank)
        if axis == 0:
            rule = "in a model each example is by itself, and dim=0 are the examples of a batch"
            raise ArgumentError(rule, where="Softmax", received=f"dim={self.dim}", fix="dim=1 are the channels")
        return [Step(layers.Softmax(axis=-1 if axis == 1 else axis - 1))]

    def forward(self, x: jax.Array) -> jax.Array:
        """Return the probabilities in the same shape."""
        step = Step(layers.Softmax(axis=self._axis(x.ndim)))
        return step.run(self, x.astype(jnp.float32))[0]

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


def elementwise(module: Any) -> bool:
    """Whether a module takes each value by itself."""
    return isinstance(module, Elementwise)
