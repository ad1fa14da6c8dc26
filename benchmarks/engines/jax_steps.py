"""Training steps of JAX programs, called one by one from Python or put into one compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Apply = Callable[[Any, Any, jax.Array], tuple[jax.Array, Any]]
"""``apply(params, state, x) -> (logits, state)`` while training."""


def rmsprop_step(apply: Apply) -> Callable[..., Any]:
    """Return ``step(carry, x, y) -> carry``; a carry is (params, state, squares, right answers)."""

    def step(carry: Any, x: jax.Array, y: jax.Array) -> Any:
        params, state, squares, right = carry

        def loss(params: Any) -> Any:
            logits, new = apply(params, state, x)
            chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
            return -jnp.mean(chosen), (logits, new)

        gradient, (logits, state) = jax.grad(loss, has_aux=True)(params)
        squares = jax.tree.map(lambda s, g: 0.9 * s + 0.1 * g * g, squares, gradient)
        params = jax.tree.map(lambda p, g, s: p - 0.001 * g / (jnp.sqrt(s) + 1e-7), params, gradient, squares)
        return params, state, squares, right + jnp.sum(jnp.argmax(logits, 1) == y)

    return step


def epoch(step: Callable[..., Any], carry: Any, x: np.ndarray, y: np.ndarray, batch: int, form: str) -> Callable:
    """Return what passes once over the pictures and returns the carry, which the next call overwrites.

    Args:
        step: From :func:`rmsprop_step`.
        carry: Where training begins.
        x: Pictures.
        y: Classes.
        batch: Pictures a step.
        form: ``"fit"`` shuffles and calls one compiled step after the other; ``"loop"`` does the same without
            shuffling; ``"scan"`` is one compiled loop over the same steps.
    """
    data, labels = jnp.asarray(x), jnp.asarray(y)
    carries = [carry]

    def once(carry: Any, data: jax.Array, labels: jax.Array, places: jax.Array) -> Any:
        return step(carry, data[places], labels[places])

    def scanned(carry: Any, data: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        return lax.scan(lambda carry, places: (once(carry, data, labels, places), None), carry, order)[0]

    program = jax.jit(scanned if form == "scan" else once, donate_argnums=0)
    random = np.random.default_rng(0)
    in_order = np.arange(len(x), dtype=np.int32)

    def run() -> Any:
        places = random.permutation(in_order) if form == "fit" else in_order
        carry = carries.pop()
        if form == "scan":
            carry = program(carry, data, labels, places.reshape(-1, batch))
        else:
            for first in range(0, len(places), batch):
                carry = program(carry, data, labels, places[first : first + batch])
        carries.append(jax.block_until_ready(carry))
        return carry

    return run


def start(params: Any, state: Any) -> Any:
    """Return the carry before the first step; a copy, because the program overwrites it."""
    return jax.tree.map(jnp.copy, (params, state, jax.tree.map(jnp.zeros_like, params), jnp.int32(0)))
