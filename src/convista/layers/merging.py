"""Layers that join branches of a network."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers.base import Layer, register
from convista.shapes import times


def _require_several(layer: Layer, shapes: Sequence[Shape]) -> None:
    if len(shapes) < 2:
        raise ShapeError(
            "a merge joins at least two inputs",
            received=f"{len(shapes)}",
            fix=f"Call it on a list: {type(layer).__name__}()([a, b])",
        )


class _ValueByValue(Layer):
    merges: ClassVar[bool] = True

    def output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the common shape; an axis of size 1 is repeated."""
        _require_several(self, input_shape)
        ranks = {len(shape) for shape in input_shape}
        columns = list(zip(*input_shape, strict=False))
        if len(ranks) > 1 or any(len({size for size in column if size not in (1, None)}) > 1 for column in columns):
            raise ShapeError(
                "the inputs have one shape",
                received=" and ".join(times(shape) for shape in input_shape),
                fix="Bring them to one shape: a 1×1 convolution changes channels, strides or pooling change sizes",
            )
        return tuple(None if None in column else max(column) for column in columns)


@register
@dataclass(frozen=True)
class Add(_ValueByValue):
    """Add inputs of one shape, value by value: the joint of a residual network.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> Add().output_shape([(8, 8, 16), (8, 8, 16)])
        (8, 8, 16)

    Source: K. He et al., «Deep residual learning», 2016.
    """

    def apply(self, params, state, x, *, training, key):
        """Return the sum."""
        return functools.reduce(jnp.add, x), state


@register
@dataclass(frozen=True)
class Subtract(_ValueByValue):
    """Subtract the second of two inputs from the first, value by value.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> y, _ = Subtract().apply({}, {}, [jnp.array([5.0]), jnp.array([2.0])], training=False, key=None)
        >>> y.tolist()
        [3.0]
    """

    def output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the common shape; an axis of size 1 is repeated."""
        if len(input_shape) > 2:
            raise ShapeError(
                "a difference has two inputs",
                received=f"{len(input_shape)}",
                fix="Call it on a list: Subtract()([a, b])",
            )
        return super().output_shape(input_shape)

    def apply(self, params, state, x, *, training, key):
        """Return the difference."""
        return x[0] - x[1], state


@register
@dataclass(frozen=True)
class Multiply(_ValueByValue):
    """Multiply inputs of one shape, value by value: gates, and attention to channels.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> Multiply().output_shape([(8, 8, 16), (1, 1, 16)])
        (8, 8, 16)

    Source: J. Hu et al., «Squeeze-and-excitation networks», 2018.
    """

    def apply(self, params, state, x, *, training, key):
        """Return the product."""
        return functools.reduce(jnp.multiply, x), state


@register
@dataclass(frozen=True)
class Average(_ValueByValue):
    """Take the mean of inputs of one shape, value by value.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> y, _ = Average().apply({}, {}, [jnp.array([5.0]), jnp.array([2.0])], training=False, key=None)
        >>> y.tolist()
        [3.5]
    """

    def apply(self, params, state, x, *, training, key):
        """Return the mean."""
        total = functools.reduce(jnp.add, x)
        return total / jnp.asarray(len(x), total.dtype), state


@register
@dataclass(frozen=True)
class Maximum(_ValueByValue):
    """Take the largest of inputs of one shape, value by value.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> y, _ = Maximum().apply({}, {}, [jnp.array([5.0]), jnp.array([2.0])], training=False, key=None)
        >>> y.tolist()
        [5.0]
    """

    def apply(self, params, state, x, *, training, key):
        """Return the largest values."""
        return functools.reduce(jnp.maximum, x), state


@register
@dataclass(frozen=True)
class Minimum(_ValueByValue):
    """Take the smallest of inputs of one shape, value by value.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> y, _ = Minimum().apply({}, {}, [jnp.array([5.0]), jnp.array([2.0])], training=False, key=None)
        >>> y.tolist()
        [2.0]
    """

    def apply(self, params, state, x, *, training, key):
        """Return the smallest values."""
        return functools.reduce(jnp.minimum, x), state


@register
@dataclass(frozen=True)
class Concatenate(Layer):
    """Put inputs side by side along one axis, by default the channels.

    Args:
        axis: The axis, counted with the batch axis as 0 or from the end.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> Concatenate().output_shape([(8, 8, 16), (8, 8, 4)])
        (8, 8, 20)
    """

    axis: int = -1

    merges: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.axis, "axis", where=self.where, minimum=None)

    def output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the common shape with the sizes along ``axis`` added."""
        _require_several(self, input_shape)
        rank = len(input_shape[0]) + 1
        axis = self.axis % rank - 1 if -rank <= self.axis < rank else -1
        if axis < 0:
            raise ShapeError(
                f"axis names one of the axes 1…{rank - 1} of the inputs",
                received=f"axis={self.axis!r}, input_shape={tuple(input_shape[0])}",
                fix="axis=-1 is the channels",
            )
        others = {tuple(size for place, size in enumerate(shape) if place != axis) for shape in input_shape}
        if len(others) > 1 or len({len(shape) for shape in input_shape}) > 1:
            raise ShapeError(
                f"the inputs agree in every axis but the one they are joined along, axis={self.axis}",
                received=" and ".join(times(shape) for shape in input_shape),
                fix="Bring the other axes to one size: strides, padding or pooling change sizes",
            )
        sizes = [shape[axis] for shape in input_shape]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        return (*input_shape[0][:axis], total, *input_shape[0][axis + 1 :])

    def apply(self, params, state, x, *, training, key):
        """Return the joined array."""
        return jnp.concatenate(x, axis=self.axis), state
