"""Activation functions by the names Keras gives them."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from convista.errors import ArgumentError, suggest

Activation = Callable[[jax.Array], jax.Array]


def linear(x: jax.Array) -> jax.Array:
    """Return ``x`` unchanged."""
    return x


def relu(x: jax.Array) -> jax.Array:
    """Return ``max(x, 0)``; the gradient at 0 is 0.

    Source: V. Nair, G. Hinton, «Rectified linear units improve restricted Boltzmann machines», 2010.
    """
    return jax.nn.relu(x)


def softmax(x: jax.Array) -> jax.Array:
    """Return ``exp(x) / Σ exp(x)`` along the last axis: probabilities that sum to 1."""
    return jax.nn.softmax(x, axis=-1)


def log_softmax(x: jax.Array) -> jax.Array:
    """Return ``log(softmax(x))`` along the last axis, computed without overflow."""
    return jax.nn.log_softmax(x, axis=-1)


def gelu(x: jax.Array) -> jax.Array:
    """Return ``x·Φ(x)`` with the exact normal distribution function, as Keras does."""
    return jax.nn.gelu(x, approximate=False)


def leaky_relu(x: jax.Array) -> jax.Array:
    """Return ``max(x, 0.2·x)``: Keras's slope when named as an activation."""
    return jax.nn.leaky_relu(x, negative_slope=0.2)


def hard_sigmoid(x: jax.Array) -> jax.Array:
    """Return ``clip(x/6 + 1/2, 0, 1)``."""
    return jax.nn.hard_sigmoid(x)


def exponential(x: jax.Array) -> jax.Array:
    """Return ``exp(x)``."""
    return jnp.exp(x)


FUNCTIONS: dict[str, Activation] = {
    "linear": linear,
    "relu": relu,
    "relu6": jax.nn.relu6,
    "leaky_relu": leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": gelu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "tanh": jnp.tanh,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "exponential": exponential,
}


def get(activation: str | Activation | None, *, where: str | None = None) -> Activation:
    """Return the function that a name or a function stands for; ``None`` is linear.

    Raises:
        ArgumentError: No activation has this name.

    Example:
        >>> get("relu")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    if activation is None:
        return linear
    if isinstance(activation, str):
        if activation.lower() not in FUNCTIONS:
            raise ArgumentError(
                "activation is the name of a known function or a function",
                where=where,
                received=f"activation={activation!r}",
                fix=suggest(activation, FUNCTIONS),
            )
        return FUNCTIONS[activation.lower()]
    if not callable(activation):
        raise ArgumentError(
            "activation is the name of a known function or a function",
            where=where,
            received=f"activation={activation!r}",
        )
    return activation


def name_of(activation: str | Activation | None) -> str | None:
    """Return the registered name of an activation, or ``None`` for a function of the user's own."""
    if activation is None:
        return "linear"
    if isinstance(activation, str):
        return activation.lower()
    return next((name for name, function in FUNCTIONS.items() if function is activation), None)
