"""A learned factor for each channel."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers.base import Layer, Parameter, register


@register
@dataclass(frozen=True)
class LayerScale(Layer):
    """Multiply each channel by a learned number: ``y = x · gamma``.

    At the end of a residual branch it begins near 0, so that a deep network begins as if it were shallow.

    Args:
        init_values: Where ``gamma`` begins.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``init_values`` is not a finite number.

    Example:
        >>> LayerScale(1e-6).parameters((8, 8, 16))["gamma"].shape
        (16,)

    Source: H. Touvron et al., «Going deeper with image transformers», 2021.
    """

    init_values: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.number(self.init_values, "init_values", where=self.where)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``gamma``, one number a channel."""
        if input_shape[-1] is None:
            raise ShapeError("the number of channels is known", received=f"input_shape={tuple(input_shape)}")
        return {"gamma": Parameter((input_shape[-1],), self._begin)}

    def _begin(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.full(shape, self.init_values, jnp.float32)

    def apply(self, params, state, x, *, training, key):
        """Return ``x · gamma``."""
        return x * params["gamma"].astype(x.dtype), state
