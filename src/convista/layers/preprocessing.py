"""Layers that prepare raw data inside the network, so that training and use cannot differ."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from convista import arguments
from convista.layers.base import Layer, register


@register
@dataclass(frozen=True)
class Rescaling(Layer):
    """Return ``x · scale + offset`` as float32; ``Rescaling(1 / 255)`` turns uint8 pictures into values 0…1.

    Args:
        scale: Factor.
        offset: Added after.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: ``scale`` or ``offset`` is not a finite number.

    Example:
        >>> y, _ = Rescaling(1 / 255).apply({}, {}, jnp.array([[255]], jnp.uint8), training=False, key=None)
        >>> y.tolist()
        [[1.0]]
    """

    scale: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.number(self.scale, "scale", where=self.where)
        arguments.number(self.offset, "offset", where=self.where)

    def apply(self, params, state, x, *, training, key):
        """Return the scaled values."""
        x = x.astype(jnp.float32)
        return x * jnp.asarray(self.scale, x.dtype) + jnp.asarray(self.offset, x.dtype), state
