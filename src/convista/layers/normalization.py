"""Layers that bring values to mean 0 and variance 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers import initializers
from convista.layers.base import Layer, Parameter, register
from convista.layers.initializers import Initializer
from convista.ops.activation import relu as rectified
from convista.ops.normalization import batch_normalization, normalize, standardize
from convista.shapes import ReceptiveField


@register
@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Subtract each channel's mean, divide by its standard deviation, then scale by ``gamma`` and shift by ``beta``.

    ``y = gamma · (x − mean) / √(variance + epsilon) + beta``. While training, mean and variance are those of the batch
    and ``moving = moving·momentum + batch·(1 − momentum)``; otherwise, and where ``trainable`` is False, the moving
    ones are used.

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
        trainable: See :class:`Layer`.

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
        _check_epsilon(self)
        for name in ("moving_mean", "moving_variance"):
            initializers.get(getattr(self, f"{name}_initializer"), name=f"{name}_initializer", where=self.where)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._channels(input_shape)
        return tuple(input_shape)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``gamma`` and ``beta``, one number each a channel."""
        return _scale_and_shift(self, (self._channels(input_shape),))

    def statistics(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return the moving mean and variance, one number each a channel."""
        shape = (self._channels(input_shape),)
        return {
            "moving_mean": Parameter(shape, self.moving_mean_initializer),
            "moving_variance": Parameter(shape, self.moving_variance_initializer),
        }

    def apply(self, params, state, x, *, training, key, mask=None, relu=False):
        """Return the normalised values and, while training, the moved statistics.

        ``relu`` says whether negative values become 0, in the same pass over them.
        """
        mean, variance = state["moving_mean"], state["moving_variance"]
        scale = params.get("gamma", jnp.ones_like(mean))
        offset = params.get("beta", jnp.zeros_like(mean))
        if not (training and self.trainable):
            y = normalize(x, self.axis, mean, variance, scale, offset, self.epsilon)
            return rectified(y) if relu else y, state
        y, seen, spread = batch_normalization(x, self.axis, scale, offset, self.epsilon, mask, relu=relu)
        keep = jnp.asarray(self.momentum, mean.dtype)
        moved = {
            "moving_mean": mean * keep + seen * (1 - keep),
            "moving_variance": variance * keep + spread * (1 - keep),
        }
        return y, moved

    def _channels(self, input_shape: Shape) -> int:
        return _channels_along(self.axis, input_shape)


def _scaled(y, params, shape):
    """Return ``y · gamma + beta`` with both brought to ``shape``."""
    for name, combine in (("gamma", jnp.multiply), ("beta", jnp.add)):
        if name in params:
            y = combine(y, params[name].reshape(shape).astype(y.dtype))
    return y


@register
@dataclass(frozen=True)
class LayerNormalization(Layer):
    """Bring the values along ``axis`` of each example to mean 0 and variance 1, then scale and shift them.

    ``y = gamma · (x − mean) / √(variance + epsilon) + beta``, with the mean and variance of each example, in training
    and in use alike.

    Args:
        axis: The axis or axes over which they are taken, counted with the batch axis as 0 or from the end.
        epsilon: Added to the variance.
        center: Whether ``beta`` is added.
        scale: Whether ``gamma`` multiplies.
        beta_initializer: How ``beta`` begins.
        gamma_initializer: How ``gamma`` begins.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> LayerNormalization().parameters((8, 8, 16))["gamma"].shape
        (16,)

    Source: J. L. Ba et al., «Layer normalization», 2016.
    """

    axis: int | tuple[int, ...] = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str | Initializer = "zeros"
    gamma_initializer: str | Initializer = "ones"

    in_float32: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for axis in self._given:
            arguments.integer(axis, "axis", where=self.where, minimum=None)
        _check_epsilon(self)

    @property
    def _given(self) -> tuple[int, ...]:
        return tuple(self.axis) if isinstance(self.axis, tuple | list) else (self.axis,)

    def _axes(self, input_shape: Shape) -> tuple[int, ...]:
        rank = len(input_shape) + 1
        axes = sorted({axis % rank for axis in self._given if -rank <= axis < rank})
        if len(axes) < len(self._given) or not axes or axes[0] == 0:
            raise ShapeError(
                f"axis names axes 1…{rank - 1} of the input, each once",
                received=f"axis={self.axis!r}, input_shape={tuple(input_shape)}",
                fix="axis=-1 is the channels",
            )
        return tuple(axes)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._sizes(input_shape)
        return tuple(input_shape)

    def _sizes(self, input_shape: Shape) -> tuple[int, ...]:
        sizes = tuple(input_shape[axis - 1] for axis in self._axes(input_shape))
        if None in sizes:
            raise ShapeError("the sizes along axis are known", received=f"input_shape={tuple(input_shape)}")
        return tuple(size or 0 for size in sizes)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``gamma`` and ``beta``, of the sizes along ``axis``."""
        return _scale_and_shift(self, self._sizes(input_shape))

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return the field itself, or all where the mean goes over positions."""
        rank = len(before.size) + 2
        return before if all(axis % rank == rank - 1 for axis in self._given) else None

    def apply(self, params, state, x, *, training, key):
        """Return the normalised values."""
        axes = self._axes(x.shape[1:])
        shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        return _scaled(standardize(x, axes, self.epsilon), params, shape).astype(x.dtype), state


@register
@dataclass(frozen=True)
class GroupNormalization(Layer):
    """Bring each group of channels of each example to mean 0 and variance 1, then scale and shift each channel.

    ``y = gamma · (x − mean) / √(variance + epsilon) + beta``, with mean and variance over the channels of a group and
    all positions of one example. Unlike batch normalisation it does not depend on the other examples.

    Args:
        groups: Number of groups; −1 makes each channel a group of its own.
        axis: The channel axis, counted with the batch axis as 0 or from the end.
        epsilon: Added to the variance.
        center: Whether ``beta`` is added.
        scale: Whether ``gamma`` multiplies.
        beta_initializer: How ``beta`` begins.
        gamma_initializer: How ``gamma`` begins.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> GroupNormalization(4).parameters((8, 8, 16))["gamma"].shape
        (16,)

    Source: Y. Wu, K. He, «Group normalization», 2018.
    """

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str | Initializer = "zeros"
    gamma_initializer: str | Initializer = "ones"

    in_float32: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.groups, "groups", where=self.where, minimum=-1)
        if self.groups == 0:
            raise ArgumentError("groups is at least 1, or −1 for all channels", where=self.where, received="groups=0")
        arguments.integer(self.axis, "axis", where=self.where, minimum=None)
        _check_epsilon(self)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._channels(input_shape)
        return tuple(input_shape)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return ``gamma`` and ``beta``, one number each a channel."""
        return _scale_and_shift(self, (self._channels(input_shape),))

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return None: the mean goes over all positions."""
        return None

    def apply(self, params, state, x, *, training, key):
        """Return the normalised values."""
        axis, channels = self.axis % x.ndim, self._channels(x.shape[1:])
        groups = channels if self.groups == -1 else self.groups
        split = x.reshape(*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])
        others = tuple(other for other in range(1, split.ndim) if other != axis)
        shape = [channels if other == axis else 1 for other in range(x.ndim)]
        y = standardize(split, others, self.epsilon).reshape(x.shape)
        return _scaled(y, params, shape).astype(x.dtype), state

    def _channels(self, input_shape: Shape) -> int:
        channels = _channels_along(self.axis, input_shape)
        if self.groups != -1 and channels % self.groups:
            divisors = [number for number in range(1, channels + 1) if channels % number == 0]
            raise ShapeError(
                "groups divides the number of channels",
                received=f"input_shape={tuple(input_shape)}, groups={self.groups}",
                fix=f"Here groups can be {' or '.join(map(str, divisors))}",
            )
        return channels


def _check_epsilon(layer: BatchNormalization | LayerNormalization | GroupNormalization) -> None:
    if not arguments.number(layer.epsilon, "epsilon", where=layer.where) > 0:
        raise ArgumentError("epsilon is above 0", where=layer.where, received=f"epsilon={layer.epsilon!r}")
    for name in ("beta", "gamma"):
        initializers.get(getattr(layer, f"{name}_initializer"), name=f"{name}_initializer", where=layer.where)


def _scale_and_shift(
    layer: BatchNormalization | LayerNormalization | GroupNormalization, shape: tuple[int, ...]
) -> dict[str, Parameter]:
    result = {}
    if layer.scale:
        result["gamma"] = Parameter(shape, layer.gamma_initializer)
    if layer.center:
        result["beta"] = Parameter(shape, layer.beta_initializer)
    return result


def _channels_along(axis: int, input_shape: Shape) -> int:
    full = (None, *input_shape)
    if not -len(full) <= axis < len(full) or axis % len(full) == 0:
        raise ShapeError(
            f"axis names one of the axes 1…{len(full) - 1} of the input",
            received=f"axis={axis!r}, input_shape={tuple(input_shape)}",
            fix="axis=-1 is the channels",
        )
    channels = full[axis]
    if channels is None:
        raise ShapeError("the number of channels is known", received=f"input_shape={tuple(input_shape)}")
    return channels
