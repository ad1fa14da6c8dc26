"""One seed, and the independent streams that come from it."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from convista import arguments

_default = 0


def set_random_seed(seed: int) -> None:
    """Set the seed of every model made from now on without a ``seed`` of its own.

    Args:
        seed: A whole number of at least 0; it is 0 until this is called.

    Raises:
        ArgumentError: It is not.

    Example:
        >>> set_random_seed(0)
    """
    global _default
    _default = arguments.integer(seed, "seed", minimum=0)


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
    def shuffle(self) -> jax.Array:
        """The stream that orders examples."""
        return jax.random.fold_in(jax.random.key(self.seed), 1)

    @property
    def dropout(self) -> jax.Array:
        """The stream that dropout draws from."""
        return jax.random.fold_in(jax.random.key(self.seed), 2)
