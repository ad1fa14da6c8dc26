"""Layers that prepare raw data inside the network, so that training and use cannot differ."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, DataError, ShapeError
from convista.layers.base import Layer, Parameter, register
from convista.layers.sliding_kernel import AXES, check_data_format
from convista.ops import resampling
from convista.shapes import ReceptiveField


@register
@dataclass(frozen=True)
class Rescaling(Layer):
    """Return ``x · scale + offset`` as float32; ``Rescaling(1 / 255)`` turns uint8 pictures into values 0…1.

    Args:
        scale: Factor.
        offset: Added after.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: ``scale`` or ``offset`` is not a finite number.

    Example:
        >>> y, _ = Rescaling(1 / 255).apply({}, {}, jnp.array([[255]], jnp.uint8), training=False, key=None)
        >>> y.tolist()
        [[1.0]]
    """

    scale: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.number(self.scale, "scale", where=self.where)
        arguments.number(self.offset, "offset", where=self.where)

    def apply(self, params, state, x, *, training, key):
        """Return the scaled values."""
        x = x.astype(jnp.float32)
        return x * jnp.asarray(self.scale, x.dtype) + jnp.asarray(self.offset, x.dtype), state


def _floating(x):
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


@register
@dataclass(frozen=True)
class Resizing(Layer):
    """Bring pictures of any size to ``height`` × ``width``; whole numbers become float32.

    Args:
        height: New height.
        width: New width.
        interpolation: ``"bilinear"``, ``"nearest"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        crop_to_aspect_ratio: Cut the longer side first, so that nothing is squeezed.
        pad_to_aspect_ratio: Lengthen the shorter side with ``fill_value`` first, so that nothing is squeezed.
        fill_mode: ``"constant"``, the only way to fill that there is.
        fill_value: What the padding is filled with.
        antialias: Whether shrinking averages over all cells that fall together.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: An argument is out of its range, or both cropping and padding are asked for.

    Example:
        >>> Resizing(32, 32).output_shape((None, None, 3))
        (32, 32, 3)

    Source: lecture 004.
    """

    height: int
    width: int
    interpolation: str = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: str = "constant"
    fill_value: float = 0.0
    antialias: bool = False
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.height, "height", where=self.where)
        arguments.integer(self.width, "width", where=self.where)
        arguments.one_of(self.interpolation, resampling.INTERPOLATIONS, "interpolation", where=self.where)
        arguments.one_of(self.fill_mode, ("constant",), "fill_mode", where=self.where)
        arguments.number(self.fill_value, "fill_value", where=self.where)
        check_data_format(self.data_format, self.where)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError(
                "pictures are cropped or padded to the aspect ratio, not both",
                where=self.where,
                received="crop_to_aspect_ratio=True, pad_to_aspect_ratio=True",
                fix="Leave one of them out",
            )

    @property
    def _sizes(self) -> tuple[int, int]:
        return int(self.height), int(self.width)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(height, width, channels)``."""
        self._check_rank(input_shape, 3, AXES[2])
        return (*self._sizes, input_shape[-1])

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return one cell: from here on fields are counted in cells of the resized picture."""
        return ReceptiveField.start(2)

    def apply(self, params, state, x, *, training, key):
        """Return the resized pictures."""
        x = _floating(x)
        if self.crop_to_aspect_ratio:
            x = resampling.crop_to_aspect(x, self._sizes)
        if self.pad_to_aspect_ratio:
            x = resampling.pad_to_aspect(x, self._sizes, self.fill_value)
        return resampling.resize(x, self._sizes, self.interpolation.lower(), antialias=bool(self.antialias)), state


_SMALLEST_DEVIATION = 1e-7  # Keras's epsilon: a channel that never varies is not divided by 0
_ROWS_AT_ONCE = 1024


@register
@dataclass(frozen=True)
class Normalization(Layer):
    """Return ``(x − mean) / √variance``, with the mean and variance of the training data.

    Give both, or call :meth:`adapt` on the data before the model is built; they are configuration, not weights, and are
    saved with the layer.

    Args:
        axis: The axis or axes that keep numbers of their own, counted with the batch axis as 0 or from the end: −1 has
            one mean a channel; ``None`` has one for everything.
        mean: A number, or nested tuples or an array of the sizes along ``axis``.
        variance: Likewise.
        invert: Return ``x · √variance + mean`` instead: the way back.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: One of mean and variance is missing, they have different shapes, or a variance is negative.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0]]))
        >>> layer.mean, layer.variance
        ((1.0, 8.0, 5.0), (1.0, 1.0, 1.0))
        >>> y, _ = layer.apply({}, {}, jnp.array([[0.0, 7.0, 4.0]]), training=False, key=None)
        >>> y.tolist()
        [[-1.0, -1.0, -1.0]]

    Source: lecture 001.
    """

    axis: int | tuple[int, ...] | None = -1
    mean: Any = None
    variance: Any = None
    invert: bool = False

    in_float32: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for axis in self._given:
            arguments.integer(axis, "axis", where=self.where, minimum=None)
        if (self.mean is None) != (self.variance is None):
            raise ArgumentError(
                "mean and variance come together",
                where=self.where,
                received=f"mean={self.mean!r}, variance={self.variance!r}",
                fix="Give both, or neither and call adapt(x_train)",
            )
        if self.mean is not None:
            self._keep(self.mean, self.variance)

    @property
    def _given(self) -> tuple[int, ...]:
        if self.axis is None:
            return ()
        return tuple(self.axis) if isinstance(self.axis, tuple | list) else (self.axis,)

    def _keep(self, mean: Any, variance: Any) -> None:
        """Check both and hold them as plain numbers, which files can hold and ``==`` can compare."""
        for name, value in (("mean", mean), ("variance", variance)):
            array = _numbers(value)
            if array is None or not np.isfinite(array).all() or (name == "variance" and (array < 0).any()):
                limit = " of at least 0" if name == "variance" else ""
                raise ArgumentError(
                    f"{name} is made of finite numbers{limit}", where=self.where, received=f"{name}={value!r:.200}"
                )
            object.__setattr__(self, name, _nested(array.tolist()))
        if np.shape(self.mean) != np.shape(self.variance):
            raise ArgumentError(
                "mean and variance have one shape",
                where=self.where,
                received=f"mean of shape {np.shape(self.mean)}, variance of shape {np.shape(self.variance)}",
            )

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data, before the layer is part of a model.

        Args:
            data: An array ``(N, …)``, or an iterable of such arrays; of pairs ``(x, y)`` the first is taken.

        Raises:
            ArgumentError: The layer has them already, or there is no data.
            DataError: It is not made of finite numbers.
        """
        if self.mean is not None:
            raise ArgumentError(
                "a layer is adapted once: a model that has it may be compiled with its numbers",
                where=self.where,
                received="adapt on a layer that has its mean and variance",
                fix="Make a new Normalization and a new model",
            )
        total, mean, squares = 0, np.zeros(()), np.zeros(())
        for batch in _batches(data):
            kept = self._axes(batch.shape[1:])
            others = tuple(axis for axis in range(batch.ndim) if axis not in kept)
            values = batch.astype(np.float64)
            count = math.prod(batch.shape[axis] for axis in others)
            here = values.mean(others)
            aside = np.expand_dims(here, others)
            shift = here - mean
            # Chan, Golub, LeVeque: sums of squares about two means, brought together without cancellation.
            squares = squares + np.square(values - aside).sum(others) + shift**2 * (total * count / (total + count))
            total, mean = total + count, mean + shift * (count / (total + count))
        if not total:
            raise ArgumentError("adapt takes at least one example", where=self.where, received="no data")
        self._keep(mean.astype(np.float32), (squares / total).astype(np.float32))

    def _axes(self, input_shape: Shape) -> tuple[int, ...]:
        rank = len(input_shape) + 1
        axes = sorted({axis % rank for axis in self._given if -rank <= axis < rank})
        if len(axes) < len(self._given) or 0 in axes:
            raise ShapeError(
                f"axis names axes 1…{rank - 1} of the input, each once, or is None",
                received=f"axis={self.axis!r}, input_shape={tuple(input_shape)}",
                fix="axis=-1 is the channels",
            )
        return tuple(axes)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape.

        Raises:
            ArgumentError: The layer does not have its mean and variance yet.
            ShapeError: They do not have the sizes of the input.
        """
        if self.mean is None:
            raise ArgumentError(
                "mean and variance are known before the layer is used",
                where=self.where,
                received="mean=None, variance=None",
                fix="Call adapt(x_train) on the layer before the model is built, or give mean and variance",
            )
        sizes = [input_shape[axis - 1] for axis in self._axes(input_shape)]
        own = np.shape(self.mean)
        known = len(own) <= len(sizes) and all(
            one in (1, size) or size is None for one, size in zip(own[::-1], sizes[::-1], strict=False)
        )
        if not known:
            raise ShapeError(
                "mean and variance have the sizes of the input along axis",
                received=f"mean of shape {own}, axis={self.axis!r}, input_shape={tuple(input_shape)}",
            )
        return tuple(input_shape)

    def apply(self, params, state, x, *, training, key):
        """Return the normalised values."""
        x = _floating(x)
        axes = self._axes(x.shape[1:])
        own = np.shape(self.mean)
        shape = [1] * x.ndim
        for axis, size in zip(axes[::-1], own[::-1], strict=False):
            shape[axis] = size
        mean = np.asarray(self.mean, np.float64).reshape(shape)
        deviation = np.maximum(np.sqrt(np.asarray(self.variance, np.float64)), _SMALLEST_DEVIATION).reshape(shape)
        if self.invert:
            return x * jnp.asarray(deviation, x.dtype) + jnp.asarray(mean, x.dtype), state
        return (x - jnp.asarray(mean, x.dtype)) / jnp.asarray(deviation, x.dtype), state


def _numbers(value: Any) -> np.ndarray | None:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None


def _nested(values: Any) -> Any:
    return tuple(_nested(value) for value in values) if isinstance(values, list) else values


def _batches(data: Any) -> Iterable[np.ndarray]:
    """Yield arrays of at most a thousand rows, so that float64 copies stay small."""
    parts = [data] if hasattr(data, "shape") else data
    for part in parts:
        array = np.asarray(part[0] if isinstance(part, tuple) else part)
        if not array.ndim or array.dtype.kind not in "biuf":
            raise DataError(
                "adapt takes an array of numbers, one row an example, or an iterable of such arrays",
                where="Normalization",
                received=f"{part!r:.100}",
                fix="For example adapt(x_train)",
            )
        for first in range(0, len(array), _ROWS_AT_ONCE):
            rows = array[first : first + _ROWS_AT_ONCE]
            if not np.isfinite(rows).all():
                raise DataError(
                    "adapt takes finite numbers",
                    where="Normalization",
                    received="NaN or infinite values",
                    fix="Look for them: numpy.argwhere(~numpy.isfinite(x))",
                )
            yield rows


@register
@dataclass(frozen=True)
class StoredNormalization(Layer):
    """Return ``(x − mean) / √variance`` with a mean and a variance of each channel that lie among the weights.

    ``Normalization`` holds its numbers in the configuration; Keras keeps them, with the count of the examples they come
    from, in the weight file. Networks that take such files begin with this layer; it begins as the identity.

    Args:
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Example:
        >>> {name: parameter.shape for name, parameter in StoredNormalization().statistics((8, 8, 3)).items()}
        {'mean': (3,), 'variance': (3,), 'count': ()}

    Source: EfficientNet in Keras Applications.
    """

    def statistics(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return mean and variance, one number each a channel, and the count."""
        if input_shape[-1] is None:
            raise ShapeError("the number of channels is known", received=f"input_shape={tuple(input_shape)}")
        shape = (input_shape[-1],)
        return {
            "mean": Parameter(shape, "zeros"),
            "variance": Parameter(shape, "ones"),
            "count": Parameter((), "zeros"),
        }

    def apply(self, params, state, x, *, training, key):
        """Return the normalised values."""
        x = _floating(x)
        deviation = jnp.maximum(jnp.sqrt(state["variance"]), _SMALLEST_DEVIATION)
        return (x - state["mean"].astype(x.dtype)) / deviation.astype(x.dtype), state
