"""Layers that change pictures at random while a network trains, and do nothing when it is used: what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.base import Layer


@dataclass(frozen=True)
class Augmentation(Layer):
    """Another picture of the same thing, drawn anew at each step of training; outside training the picture itself.

    A new augmentation is one class: fields and ``augment``. Every picture of a batch draws for itself, from the key
    of the step, so that the same seed gives the same pictures on any number of threads.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
    """

    minimum_rank = 3
    only_in_training = True
    in_float32 = True  # bfloat16 has fewer steps between black and white than a photograph

    def __post_init__(self) -> None:
        super().__post_init__()
        seed = getattr(self, "seed", None)
        if seed is not None:
            arguments.integer(seed, "seed", where=self.where, minimum=0)

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the pictures; they are height × width × channels."""
        self._check_rank(input_shape, 3, "height × width × channels")
        return tuple(input_shape)

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        """Return other pictures for ``x`` ``(N, H, W, C)``, floating point.

        Args:
            x: Pictures.
            key: What the draws of this step come from.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define augment")

    def apply(self, params, state, x, *, training, key):
        """Return ``x`` itself outside training."""
        if not training:
            return self.unchanged(x), state
        return self.augment(floating(x), self.own_key(key)), state

    def unchanged(self, x: jax.Array) -> jax.Array:
        """Return what comes out outside training: ``x``, unless the layer changes the size of pictures."""
        return x

    def own_key(self, key: jax.Array | None) -> jax.Array:
        """Return the key that this layer draws from.

        Raises:
            ArgumentError: There is no key.
        """
        if key is None:
            raise ArgumentError(
                "augmentation draws random numbers while training",
                where=self.where,
                received="key=None",
                fix="Pass key=jax.random.key(0), another key for each step",
            )
        seed = getattr(self, "seed", None)
        return key if seed is None else jax.random.fold_in(key, seed)


def floating(x: jax.Array) -> jax.Array:
    """Return pictures as floating point numbers; whole numbers become float32, their values stay."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


def uniform(key: jax.Array, count: int, span: tuple[float, float]) -> jax.Array:
    """Return ``count`` numbers drawn evenly from a span, float32."""
    return jax.random.uniform(key, (count,), jnp.float32, span[0], span[1])


def span(
    value: Any, name: str, *, where: str, limits: tuple[float, float], around: float | None = None
) -> tuple[float, float]:
    """Return the smallest and largest number that an argument lets be drawn, as Keras reads it.

    Args:
        value: Two numbers, or one: ``f`` stands for ``(-f, f)``.
        name: The argument's name.
        where: The layer.
        limits: What the numbers lie between.
        around: Where a single number starts from instead, ``(around, f)``.

    Raises:
        ArgumentError: It is neither, or outside the limits.

    Example:
        >>> span(0.2, "factor", where="RandomRotation", limits=(-1, 1))
        (-0.2, 0.2)
    """
    given = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    known = [float(item) for item in given if isinstance(item, Real) and not isinstance(item, bool)]
    if (
        len(known) != len(given)
        or len(given) not in (1, 2)
        or not all(limits[0] <= item <= limits[1] for item in known)
    ):
        example = min(0.2, limits[1])
        raise ArgumentError(
            f"{name} is one number or two, between {limits[0]:g} and {limits[1]:g}",
            where=where,
            received=f"{name}={value!r}",
            fix=f"For example {name}={example:g} or {name}={(max(limits[0], -example), example)}",
        )
    if len(known) == 2:
        return min(known), max(known)
    single = abs(known[0])
    return (-single if around is None else around), single


def pair(value: Any, name: str, *, where: str) -> tuple[float, float]:
    """Return two finite numbers, the smaller first and not equal, such as a range of values.

    Raises:
        ArgumentError: It is something else.
    """
    given = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if len(given) != 2 or given[0] == given[1]:
        raise ArgumentError(
            f"{name} is the smallest and the largest value",
            where=where,
            received=f"{name}={value!r}",
            fix=f"For pixels 0…255 write {name}=(0, 255), for values 0…1 {name}=(0, 1)",
        )
    low, high = (arguments.number(item, name, where=where) for item in given)
    return min(low, high), max(low, high)
