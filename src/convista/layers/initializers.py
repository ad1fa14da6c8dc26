"""How weights begin, by the names Keras gives them."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import initializers as jax_initializers

from convista.errors import ArgumentError, suggest

Initializer = Callable[[jax.Array, tuple[int, ...]], jax.Array]


def _random_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return 0.05 * jax.random.normal(key, shape, jnp.float32)


def _random_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.uniform(key, shape, jnp.float32, -0.05, 0.05)


def _truncated_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return 0.05 * jax.random.truncated_normal(key, -2.0, 2.0, shape, jnp.float32)


def _zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.zeros(shape, jnp.float32)


def _ones(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.ones(shape, jnp.float32)


# Fans are counted as Keras counts them: receptive field × input (or output) channels, the last two axes.
FUNCTIONS: dict[str, Initializer] = {
    "zeros": _zeros,
    "ones": _ones,
    "glorot_uniform": jax_initializers.glorot_uniform(),
    "glorot_normal": jax_initializers.glorot_normal(),
    "he_uniform": jax_initializers.he_uniform(),
    "he_normal": jax_initializers.he_normal(),
    "lecun_uniform": jax_initializers.lecun_uniform(),
    "lecun_normal": jax_initializers.lecun_normal(),
    "random_normal": _random_normal,
    "random_uniform": _random_uniform,
    "truncated_normal": _truncated_normal,
    "orthogonal": jax_initializers.orthogonal(),
}


def get(initializer: str | Initializer, *, name: str = "initializer", where: str | None = None) -> Initializer:
    """Return the function ``(key, shape) -> float32 array`` that a name or a function stands for.

    ``glorot_uniform`` draws from ``±√(6 / (fan_in + fan_out))``, ``he_normal`` from a truncated normal with variance
    ``2 / fan_in``, ``lecun_*`` with variance ``1 / fan_in``; ``random_*`` and ``truncated_normal`` have scale 0.05.

    Raises:
        ArgumentError: No initialiser has this name.

    Example:
        >>> get("zeros")(jax.random.key(0), (2,)).tolist()
        [0.0, 0.0]

    Source: X. Glorot, Y. Bengio, 2010; K. He et al., 2015; Keras's initialisers.
    """
    if callable(initializer):
        return initializer
    if not isinstance(initializer, str) or initializer.lower() not in FUNCTIONS:
        raise ArgumentError(
            f"{name} is the name of a known initialiser or a function of (key, shape)",
            where=where,
            received=f"{name}={initializer!r}",
            fix=suggest(initializer, FUNCTIONS) if isinstance(initializer, str) else None,
        )
    return FUNCTIONS[initializer.lower()]
