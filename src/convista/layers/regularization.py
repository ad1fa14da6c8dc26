"""Layers that make training harder and the network better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Layer, register
from convista.layers.sliding_kernel import AXES, check_data_format
from convista.ops.dropout import dropout, gaussian_noise


@register
@dataclass(frozen=True)
class Dropout(Layer):
    """While training, set each value to 0 with probability ``rate`` and divide the others by ``1 − rate``.

    Args:
        rate: Probability of a zero, at least 0 and below 1.
        noise_shape: Shape of the mask with the batch axis, ``None`` where it follows the input; size 1 drops together.
        seed: Mixed into the model's own stream of dropout; layers without it already differ from each other.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``rate`` is out of its range.

    Example:
        >>> Dropout(0.2).output_shape((12, 12, 16))
        (12, 12, 16)

    Source: N. Srivastava et al., 2014; lecture 003.
    """

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    only_in_training = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.fraction(self.rate, "rate", where=self.where, below_one=True)
        if self.seed is not None:
            arguments.integer(self.seed, "seed", where=self.where, minimum=0)
        if self.noise_shape is not None:
            arguments.shape(self.noise_shape, "noise_shape", where=self.where)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        if self.noise_shape is not None:
            drawn, full = arguments.shape(self.noise_shape), (None, *input_shape)
            pairs = zip(drawn, full, strict=False)
            if len(drawn) != len(full) or any(size not in (None, 1, own) for size, own in pairs if own is not None):
                raise ShapeError(
                    "noise_shape has the batch axis and, for each axis of the input, None, 1 or its size",
                    received=f"noise_shape={tuple(drawn)}, input_shape={tuple(input_shape)}",
                    fix=f"For example noise_shape={(None, *(1,) * (len(full) - 2), None)} drops whole channels",
                )
        return tuple(input_shape)

    def apply(self, params, state, x, *, training, key):
        """Return ``x`` itself outside training."""
        if not training or self.rate == 0:
            return x, state
        key = _own_key(self, "dropout", key, self.seed)
        shape = None
        if self.noise_shape is not None:
            shape = tuple(size or own for size, own in zip(arguments.shape(self.noise_shape), x.shape, strict=True))
        return dropout(x, self.rate, key, shape), state


def _own_key(layer: Layer, what: str, key: jax.Array | None, seed: int | None) -> jax.Array:
    if key is None:
        raise ArgumentError(
            f"{what} draws random numbers while training",
            where=layer.where,
            received="key=None",
            fix="Pass key=jax.random.key(0), another key for each step",
        )
    return key if seed is None else jax.random.fold_in(key, seed)


class _SpatialDropout(Layer):
    rate: float
    seed: int | None

    rank: ClassVar[int] = 2
    only_in_training: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.fraction(self.rate, "rate", where=self.where, below_one=True)
        check_data_format(getattr(self, "data_format", None), self.where, self.rank)
        if self.seed is not None:
            arguments.integer(self.seed, "seed", where=self.where, minimum=0)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._check_rank(input_shape, self.rank + 1, AXES[self.rank])
        return tuple(input_shape)

    def apply(self, params, state, x, *, training, key):
        """Return ``x`` itself outside training."""
        if not training or self.rate == 0:
            return x, state
        shape = (x.shape[0], *(1,) * self.rank, x.shape[-1])
        return dropout(x, self.rate, _own_key(self, "dropout", key, self.seed), shape), state


@register
@dataclass(frozen=True)
class SpatialDropout1D(_SpatialDropout):
    """While training, drop whole channels of sequences with probability ``rate``; divide the others by ``1 − rate``.

    Args:
        rate: Probability of a dropped channel, at least 0 and below 1.
        seed: Mixed into the model's own stream of dropout.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``rate`` is out of its range.

    Example:
        >>> SpatialDropout1D(0.2).output_shape((60, 16))
        (60, 16)

    Source: J. Tompson et al., «Efficient object localization using convolutional networks», 2015.
    """

    rate: float
    seed: int | None = None

    rank: ClassVar[int] = 1


@register
@dataclass(frozen=True)
class SpatialDropout2D(_SpatialDropout):
    """While training, drop whole feature maps with probability ``rate`` and divide the others by ``1 − rate``.

    Neighbouring cells of a map are alike, so that dropping single cells hides little.

    Args:
        rate: Probability of a dropped map, at least 0 and below 1.
        data_format: ``None`` or ``"channels_last"``.
        seed: Mixed into the model's own stream of dropout.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``rate`` is out of its range.

    Example:
        >>> SpatialDropout2D(0.2).output_shape((12, 12, 16))
        (12, 12, 16)

    Source: J. Tompson et al., «Efficient object localization using convolutional networks», 2015.
    """

    rate: float
    data_format: str | None = None
    seed: int | None = None

    rank: ClassVar[int] = 2


@register
@dataclass(frozen=True)
class SpatialDropout3D(_SpatialDropout):
    """While training, drop whole channels of volumes with probability ``rate`` and divide the others by ``1 − rate``.

    Args:
        rate: Probability of a dropped channel, at least 0 and below 1.
        data_format: ``None`` or ``"channels_last"``.
        seed: Mixed into the model's own stream of dropout.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``rate`` is out of its range.

    Example:
        >>> SpatialDropout3D(0.2).output_shape((8, 12, 12, 16))
        (8, 12, 12, 16)

    Source: J. Tompson et al., «Efficient object localization using convolutional networks», 2015.
    """

    rate: float
    data_format: str | None = None
    seed: int | None = None

    rank: ClassVar[int] = 3


@register
@dataclass(frozen=True)
class GaussianNoise(Layer):
    """While training, add normal noise of mean 0 to each value.

    Args:
        stddev: The noise's standard deviation, in the unit of the values.
        seed: Mixed into the model's own stream of dropout.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``stddev`` is negative or no number.

    Example:
        >>> layer = GaussianNoise(0.5)
        >>> y, _ = layer.apply({}, {}, jax.numpy.zeros((1000,)), training=True, key=jax.random.key(0))
        >>> bool(0.45 < y.std() < 0.55)
        True
    """

    stddev: float
    seed: int | None = None

    only_in_training = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if arguments.number(self.stddev, "stddev", where=self.where) < 0:
            raise ArgumentError("stddev is at least 0", where=self.where, received=f"stddev={self.stddev!r}")
        if self.seed is not None:
            arguments.integer(self.seed, "seed", where=self.where, minimum=0)

    def apply(self, params, state, x, *, training, key):
        """Return ``x`` itself outside training."""
        if not training or self.stddev == 0:
            return x, state
        return gaussian_noise(x, self.stddev, _own_key(self, "noise", key, self.seed)), state
