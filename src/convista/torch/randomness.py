"""The stream of random numbers that modules draw their first weights and their dropout from."""

from __future__ import annotations

import math

import jax
import numpy as np

from convista.errors import MemoryLimitError
from convista.models.seed import checked_seed, default_seed
from convista.shapes import bytes_text

_generator: np.random.Generator | None = None


def manual_seed(seed: int) -> None:
    """Begin the stream of random numbers anew; without it, it begins with the process's seed (0 unless set).

    The numbers are not PyTorch's, only their distribution is.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ArgumentError: It is not.

    Example:
        >>> from convista.torch import nn
        >>> manual_seed(1); first = nn.Linear(3, 2).weight
        >>> manual_seed(1); bool((first == nn.Linear(3, 2).weight).all())
        True
    """
    global _generator
    _generator = np.random.default_rng(checked_seed(seed))


def _stream() -> np.random.Generator:
    global _generator
    if _generator is None:
        _generator = np.random.default_rng(default_seed())
    return _generator


def uniform(shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Return float32 numbers between ``−1/√fan_in`` and ``1/√fan_in``: PyTorch's ``kaiming_uniform_(a=√5)``.

    Raises:
        MemoryLimitError: There is no memory for so many.

    Source: K. He et al., «Delving deep into rectifiers», 2015; PyTorch's ``reset_parameters``.
    """
    bound = 1.0 / math.sqrt(max(fan_in, 1))
    try:
        return _between(shape, bound)
    except (MemoryError, ValueError) as error:
        needed = bytes_text(4 * math.prod(shape))
        rule = "the weights of a module fit the memory of this machine"
        raise MemoryLimitError(rule, received=f"{needed} for a weight of shape {shape}") from error


def _between(shape: tuple[int, ...], bound: float) -> np.ndarray:
    return ((2.0 * _stream().random(shape, np.float32) - np.float32(1.0)) * np.float32(bound)).astype(np.float32)


def key() -> jax.Array:
    """Return a new key for dropout."""
    return jax.random.key(int(_stream().integers(2**32)))
