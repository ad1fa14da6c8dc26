"""How weights begin, by the names Keras gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

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


def _variance_scaling(
    scale: float, mode: Literal["fan_in", "fan_avg"], distribution: Literal["uniform", "truncated_normal"]
) -> Initializer:
    """Return an initialiser whose variance is ``scale / fan``, fans counted as Keras counts them.

    The fan of a kernel is its window times input (or output) channels, the last two axes; that of a vector is its size.
    """
    whole = jax_initializers.variance_scaling(scale, mode, distribution)
    vector = jax_initializers.variance_scaling(scale, "fan_in", distribution)

    def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        if len(shape) > 1:
            return whole(key, shape, jnp.float32)
        return vector(key, (*shape, 1), jnp.float32).reshape(shape)

    return draw


def _orthogonal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    if len(shape) < 2:
        raise ArgumentError(
            "orthogonal rows need at least two axes",
            received=f"a vector of shape {shape}",
            fix='Begin vectors with "zeros" or "ones"',
        )
    return jax_initializers.orthogonal()(key, shape, jnp.float32)


FUNCTIONS: dict[str, Initializer] = {
    "zeros": _zeros,
    "ones": _ones,
    "glorot_uniform": _variance_scaling(1.0, "fan_avg", "uniform"),
    "glorot_normal": _variance_scaling(1.0, "fan_avg", "truncated_normal"),
    "he_uniform": _variance_scaling(2.0, "fan_in", "uniform"),
    "he_normal": _variance_scaling(2.0, "fan_in", "truncated_normal"),
    "lecun_uniform": _variance_scaling(1.0, "fan_in", "uniform"),
    "lecun_normal": _variance_scaling(1.0, "fan_in", "truncated_normal"),
    "random_normal": _random_normal,
    "random_uniform": _random_uniform,
    "truncated_normal": _truncated_normal,
    "orthogonal": _orthogonal,
}


def name_of(initializer: Initializer) -> str | None:
    """Return the registered name of an initialiser, or ``None`` for a function of the user's own."""
    return next((name for name, function in FUNCTIONS.items() if function is initializer), None)


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
