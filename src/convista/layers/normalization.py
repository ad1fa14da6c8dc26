"""Layers that bring values to mean 0 and variance 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers import initializers
from convista.layers.base import Layer, Parameter, register
from convista.layers.initializers import Initializer
from convista.ops.normalization import moments, normalize


@register
@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Subtract each channel's mean, divide by its standard deviation, then scale by ``gamma`` and shift by ``beta``.

    ``y = gamma · (x − mean) / √(variance + epsilon) + beta``. While training, mean and variance are those of the batch
    and ``moving = moving·momentum + batch·(1 − momentum)``; otherwise the moving ones are used.

    Args:
        axis: The channel axis, counted with the batch axis as 0 or from the end.
        momentum: How much of the moving statistics a step keeps.
        epsilon: Added to the variance.
        center: Whether ``beta`` is added.
        scale: Whether ``gamma`` multiplies.
        beta_initializer: How ``beta`` begins.
        gamma_initializer: How ``gamma`` begins.
        moving_mean_initializer: How the moving mean begins.
        moving_variance_initializer: How the moving variance begins.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> sorted(BatchNormalization().parameters((8, 8, 16))), sorted(BatchNormalization().statistics((8, 8, 16)))
        (['beta', 'gamma'], ['moving_mean', 'moving_variance'])

    Source: S. Ioffe, C. Szegedy, «Batch normalization», 2015; lecture 001.
    """

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str | Initializer = "zeros"
    gamma_initializer: str | Initializer = "ones"
    moving_mean_initializer: str | Initializer = "zeros"
    moving_variance_initializer: str | Initializer = "ones"

    uses_mask: ClassVar[bool] = True
    in_float32: ClassVar[bool] = True  # a variance is a small difference of large sums

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.fraction(self.momentum, "momentum", where=self.where)
        arguments.integer(self.axis, "axis", where=self.where, minimum=None)
        if not arguments.number(self.epsilon, "epsilon", where=self.where) > 0:
            raise ArgumentError("epsilon is above 0", where=self.where, received=f"epsilon={self.epsilon!r}")
        for name in ("beta", "gamma", "moving_mean", "moving_variance"):
            initializers.get(getattr(self, f"{name}_initializer"), name=f"{name}_initializer", where=self.where)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._channels(input_shape)
        return tuple(input_shape)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``gamma`` and ``beta``, one number each a channel."""
        shape = (self._channels(input_shape),)
        result = {}
        if self.scale:
            result["gamma"] = Parameter(shape, self.gamma_initializer)
        if self.center:
            result["beta"] = Parameter(shape, self.beta_initializer)
        return result

    def statistics(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return the moving mean and variance, one number each a channel."""
        shape = (self._channels(input_shape),)
        return {
            "moving_mean": Parameter(shape, self.moving_mean_initializer),
            "moving_variance": Parameter(shape, self.moving_variance_initializer),
        }

    def apply(self, params, state, x, *, training, key, mask=None):
        """Return the normalised values and, while training, the moved statistics."""
        if training:
            mean, variance = moments(x, self.axis, mask)
            keep = jnp.asarray(self.momentum, mean.dtype)
            state = {
                "moving_mean": state["moving_mean"] * keep + jax.lax.stop_gradient(mean) * (1 - keep),
                "moving_variance": state["moving_variance"] * keep + jax.lax.stop_gradient(variance) * (1 - keep),
            }
        else:
            mean, variance = state["moving_mean"], state["moving_variance"]
        scale = params.get("gamma", jnp.ones_like(mean))
        offset = params.get("beta", jnp.zeros_like(mean))
        return normalize(x, self.axis, mean, variance, scale, offset, self.epsilon), state

    def _channels(self, input_shape: Shape) -> int:
        full = (None, *input_shape)
        if not -len(full) <= self.axis < len(full) or self.axis % len(full) == 0:
            raise ShapeError(
                f"axis names one of the axes 1…{len(full) - 1} of the input",
                received=f"axis={self.axis!r}, input_shape={tuple(input_shape)}",
                fix="axis=-1 is the channels",
            )
        channels = full[self.axis]
        if channels is None:
            raise ShapeError("the number of channels is known", received=f"input_shape={tuple(input_shape)}")
        return channels
