"""Layers that make training harder and the network better."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError
from convista.layers.base import Layer, register
from convista.ops.dropout import dropout


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
        if key is None:
            raise ArgumentError(
                "dropout draws random numbers while training",
                where=self.where,
                received="key=None",
                fix="Pass key=jax.random.key(0), another key for each step",
            )
        if self.seed is not None:
            key = jax.random.fold_in(key, self.seed)
        shape = None
        if self.noise_shape is not None:
            shape = tuple(size or own for size, own in zip(arguments.shape(self.noise_shape), x.shape, strict=True))
        return dropout(x, self.rate, key, shape), state
