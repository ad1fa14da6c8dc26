"""`nn.Dropout` and `nn.Dropout1d/2d/3d`."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from convista import arguments, layers
from convista.errors import ArgumentError
from convista.layers.base import Layer
from convista.torch.activation import Elementwise
from convista.torch.module import Module, Shape, SpatialModule, Step, refuse_tracing
from convista.torch.randomness import key


def _rate(module: Module, p: float) -> float:
    where = type(module).__name__
    rate = arguments.fraction(p, "p", where=where)
    if rate == 1.0:
        rule = "p=1 drops everything, and nothing could learn"
        raise ArgumentError(rule, where=where, received=f"p={p!r}", fix="For example p=0.5")
    return rate


def _applied(module: Module, layer: Layer, x: jax.Array) -> jax.Array:
    if not module.training:
        return x
    refuse_tracing(module, x, "draws random numbers")
    return Step(layer).run(module, x, key())[0]


class Dropout(Elementwise):
    """While training, set each value to 0 with probability ``p`` and divide the others by ``1 − p``.

    Args:
        p: Probability of a zero, below 1.
        inplace: Accepted; the result is always a new array.

    Raises:
        ArgumentError: ``p`` is out of its range.

    Example:
        >>> Dropout(0.5).eval()(jnp.ones(3)).tolist()
        [1.0, 1.0, 1.0]

    Source: N. Srivastava et al., 2014; PyTorch's documentation.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        self.p, self.inplace = _rate(self, p), bool(inplace)

    def _layer(self) -> Layer:
        return layers.Dropout(self.p)

    def forward(self, x: jax.Array) -> jax.Array:
        """Return the values, some of them 0 while training."""
        return _applied(self, self._layer(), x.astype(jnp.float32))

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"p={self.p}, inplace={self.inplace}"


class _ChannelDropout(SpatialModule):
    takes_single: ClassVar[bool] = False
    layer: ClassVar[Any]

    def __init__(self, p: float = 0.5, inplace: bool = False):
        self.p, self.inplace = _rate(self, p), bool(inplace)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the one layer."""
        return [Step(self.layer(self.p))]

    def _batch(self, x: jax.Array) -> jax.Array:
        y = _applied(self, self.layer(self.p), jnp.moveaxis(x, 1, -1))
        return jnp.moveaxis(y, -1, 1)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(_ChannelDropout):
    """While training, set whole channels of ``(batch, channels, length)`` to 0; see :class:`Dropout`.

    Args:
        p: Probability of a zero, below 1.
        inplace: Accepted; the result is always a new array.

    Raises:
        ArgumentError: ``p`` is out of its range.

    Example:
        >>> Dropout1d(0.5).eval()(jnp.ones((1, 1, 2))).tolist()
        [[[1.0, 1.0]]]

    Source: J. Tompson et al., 2015; PyTorch's documentation.
    """

    rank: ClassVar[int] = 1
    layer: ClassVar[Any] = layers.SpatialDropout1D


class Dropout2d(_ChannelDropout):
    """While training, set whole channels of ``(batch, channels, height, width)`` to 0; see :class:`Dropout`.

    Args:
        p: Probability of a zero, below 1.
        inplace: Accepted; the result is always a new array.

    Raises:
        ArgumentError: ``p`` is out of its range.

    Example:
        >>> Dropout2d(0.5).eval()(jnp.ones((1, 1, 1, 2))).tolist()
        [[[[1.0, 1.0]]]]

    Source: J. Tompson et al., 2015; PyTorch's documentation.
    """

    layer: ClassVar[Any] = layers.SpatialDropout2D


class Dropout3d(_ChannelDropout):
    """While training, set whole channels of ``(batch, channels, depth, height, width)`` to 0; see :class:`Dropout`.

    Args:
        p: Probability of a zero, below 1.
        inplace: Accepted; the result is always a new array.

    Raises:
        ArgumentError: ``p`` is out of its range.

    Example:
        >>> Dropout3d(0.5).eval()(jnp.ones((1, 1, 1, 1, 2))).shape
        (1, 1, 1, 1, 2)

    Source: J. Tompson et al., 2015; PyTorch's documentation.
    """

    rank: ClassVar[int] = 3
    layer: ClassVar[Any] = layers.SpatialDropout3D
