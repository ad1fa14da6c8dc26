"""One seed, and the independent streams that come from it."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from convista import arguments
from convista.errors import ArgumentError

_default = 0
_LIMIT = 2**32  # JAX would take larger numbers modulo this, so that two seeds were one


def set_random_seed(seed: int) -> None:
    """Set the seed of every model made from now on without a ``seed`` of its own.

    Args:
        seed: A whole number from 0 to 2**32 - 1; it is 0 until this is called.

    Raises:
        ArgumentError: It is not.

    Example:
        >>> set_random_seed(0)
    """
    global _default
    _default = checked_seed(seed)


def checked_seed(seed: object) -> int:
    """Return a seed as an ``int``.

    Raises:
        ArgumentError: It is no whole number from 0 to 2**32 - 1.
    """
    number = arguments.integer(seed, "seed", minimum=0)
    if number >= _LIMIT:
        raise ArgumentError("seed is a whole number from 0 to 2**32 - 1", received=f"seed={number}")
    return number


def default_seed() -> int:
    """Return the seed of models made without one."""
    return _default


@dataclass(frozen=True)
class Streams:
    """Random keys that do not depend on each other: more dropout layers leave the shuffle as it was.

    Args:
        seed: The one seed.
    """

    seed: int

    @property
    def weights(self) -> jax.Array:
        """The stream that first weights are drawn from."""
        return jax.random.fold_in(jax.random.key(self.seed), 0)

    @property
    def shuffle(self) -> int:
        """The key of the stream that orders examples, one order a pass."""
        return int(np.random.SeedSequence([self.seed, 1]).generate_state(1, np.uint64)[0])

    @property
    def dropout(self) -> jax.Array:
        """The stream that dropout draws from."""
        return jax.random.fold_in(jax.random.key(self.seed), 2)
