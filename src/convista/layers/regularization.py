"""Layers that make training harder and the network better."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from convista import arguments
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

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.fraction(self.rate, "rate", where=self.where, below_one=True)
        if self.seed is not None:
            arguments.integer(self.seed, "seed", where=self.where, minimum=0)

    def apply(self, params, state, x, *, training, key):
        """Return ``x`` itself outside training."""
        if not training or self.rate == 0 or key is None:
            return x, state
        if self.seed is not None:
            key = jax.random.fold_in(key, self.seed)
        shape = None
        if self.noise_shape is not None:
            shape = tuple(size or own for size, own in zip(self.noise_shape, x.shape, strict=True))
        return dropout(x, self.rate, key, shape), state
