"""Pictures made brighter, paler, greyer or of another hue, and with parts erased, at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers.augmentation import Augmentation, pair, span, uniform
from convista.layers.base import register
from convista.layers.sliding_kernel import check_data_format
from convista.ops import color


@dataclass(frozen=True)
class Coloring(Augmentation):
    """An augmentation of values, each pixel where it was."""

    coloured = False  # needs red, green and blue

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(getattr(self, "data_format", None), self.where)
        if hasattr(self, "value_range"):
            pair(self.value_range, "value_range", where=self.where)

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the pictures.

        Raises:
            ShapeError: They have no three channels, and the layer needs red, green and blue.
        """
        shape = super().output_shape(input_shape)
        if self.coloured and shape[-1] != 3:
            raise ShapeError(
                "hue and saturation are of colours: red, green and blue",
                received=f"{shape[-1]} channel{'' if shape[-1] == 1 else 's'}",
                fix="Take it out for grey pictures",
            )
        return shape

    def _clipped(self, x: jax.Array) -> jax.Array:
        low, high = pair(getattr(self, "value_range", None), "value_range", where=self.where)
        return jnp.clip(x, jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype))


@register
@dataclass(frozen=True)
class RandomBrightness(Coloring):
    """Add a number drawn evenly to all values of a picture, and keep them within their range.

    Args:
        factor: Part of the range; ``0.2`` draws from −0.2 to 0.2 of it.
        value_range: Smallest and largest value of a pixel; ``(0, 1)`` for pictures that were divided by 255.
        seed: Mixed into the model's own stream; layers without it already differ from each other.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomBrightness(0.2, value_range=(0, 1)).output_shape((28, 28, 1))
        (28, 28, 1)
    """

    factor: float | tuple[float, float]
    value_range: tuple[float, float] = (0, 255)
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._span()

    def _span(self):
        return span(self.factor, "factor", where=self.where, limits=(-1, 1))

    def augment(self, x, key):
        """Return the brighter and darker pictures."""
        low, high = pair(self.value_range, "value_range", where=self.where)
        added = uniform(key, len(x), self._span()) * (high - low)
        return self._clipped(x + added.astype(x.dtype)[:, None, None, None])


@register
@dataclass(frozen=True)
class RandomContrast(Coloring):
    """Stretch the values of each channel about their mean by a factor, and keep them within their range.

    Args:
        factor: ``f`` draws the factor from 1 − f to 1 + f, ``(low, high)`` from 1 − low to 1 + high; between 0 and 1.
        value_range: See :class:`RandomBrightness`.
        seed: See :class:`RandomBrightness`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomContrast(0.3, value_range=(0, 1)).output_shape((28, 28, 1))
        (28, 28, 1)
    """

    factor: float | tuple[float, float]
    value_range: tuple[float, float] = (0, 255)
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._span()

    def _span(self):
        span(self.factor, "factor", where=self.where, limits=(0, 1))
        low, high = self.factor if isinstance(self.factor, list | tuple) else (self.factor, self.factor)
        return 1 - low, 1 + high

    def augment(self, x, key):
        """Return the pictures with other contrasts."""
        return self._clipped(color.contrast(x, uniform(key, len(x), self._span())))


@register
@dataclass(frozen=True)
class RandomSaturation(Coloring):
    """Make the colours of each picture paler or stronger.

    Args:
        factor: 0 makes greys, 0.5 changes nothing, 1 makes colours as strong as can be: the saturation is multiplied by
            ``factor / (1 − factor)`` and stays at most 1. One number draws from 0 to it, two between them.
        value_range: See :class:`RandomBrightness`.
        data_format: ``None`` or ``"channels_last"``.
        seed: See :class:`RandomBrightness`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.
        ShapeError: The pictures have no three channels.

    Example:
        >>> RandomSaturation((0.3, 0.7), value_range=(0, 1)).output_shape((32, 32, 3))
        (32, 32, 3)
    """

    factor: float | tuple[float, float]
    value_range: tuple[float, float] = (0, 255)
    data_format: str | None = None
    seed: int | None = None

    coloured = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._span()

    def _span(self):
        return span(self.factor, "factor", where=self.where, limits=(0, 1), around=0.0)

    def augment(self, x, key):
        """Return the pictures with other saturations."""
        drawn = uniform(key, len(x), self._span())
        return self._clipped(color.saturation(x, drawn / (1 - drawn + jnp.float32(1e-7))))


@register
@dataclass(frozen=True)
class RandomHue(Coloring):
    """Turn the hue of each picture's colours: red towards orange, or towards violet.

    Args:
        factor: Part of half a turn, to either side: 1 can make red cyan. One number draws from 0 to it, two between
            them.
        value_range: See :class:`RandomBrightness`.
        data_format: ``None`` or ``"channels_last"``.
        seed: See :class:`RandomBrightness`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.
        ShapeError: The pictures have no three channels.

    Example:
        >>> RandomHue(0.1, value_range=(0, 1)).output_shape((32, 32, 3))
        (32, 32, 3)
    """

    factor: float | tuple[float, float]
    value_range: tuple[float, float] = (0, 255)
    data_format: str | None = None
    seed: int | None = None

    coloured = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._span()

    def _span(self):
        return span(self.factor, "factor", where=self.where, limits=(0, 1), around=0.0)

    def augment(self, x, key):
        """Return the pictures with turned hues."""
        by_size, by_sign = jax.random.split(key)
        sign = jnp.where(jax.random.bernoulli(by_sign, 0.5, (len(x),)), jnp.float32(0.5), jnp.float32(-0.5))
        return self._clipped(color.turned_hue(x, uniform(by_size, len(x), self._span()) * sign))


@register
@dataclass(frozen=True)
class RandomGrayscale(Coloring):
    """Make some pictures grey, with as many channels as before.

    Args:
        factor: The probability, between 0 and 1.
        data_format: ``None`` or ``"channels_last"``.
        seed: See :class:`RandomBrightness`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: ``factor`` is no probability.
        ShapeError: The pictures have no three channels.

    Example:
        >>> RandomGrayscale(0.1).output_shape((32, 32, 3))
        (32, 32, 3)
    """

    factor: float = 0.5
    data_format: str | None = None
    seed: int | None = None

    coloured = True

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.fraction(self.factor, "factor", where=self.where)

    def augment(self, x, key):
        """Return the pictures, some of them grey."""
        chosen = jax.random.bernoulli(key, self.factor, (len(x),))
        return jnp.where(chosen[:, None, None, None], color.grey(x), x)


@register
@dataclass(frozen=True)
class RandomColorJitter(Coloring):
    """Brightness, contrast, saturation and hue in one layer, in this order.

    Args:
        value_range: See :class:`RandomBrightness`.
        brightness_factor: As in :class:`RandomBrightness`; ``None`` leaves it.
        contrast_factor: As in :class:`RandomContrast`.
        saturation_factor: As in :class:`RandomSaturation`.
        hue_factor: As in :class:`RandomHue`.
        seed: See :class:`RandomBrightness`.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.
        ShapeError: Saturation or hue, and the pictures have no three channels.

    Example:
        >>> RandomColorJitter((0, 1), brightness_factor=0.2, hue_factor=0.1).output_shape((32, 32, 3))
        (32, 32, 3)
    """

    value_range: tuple[float, float] = (0, 255)
    brightness_factor: float | tuple[float, float] | None = None
    contrast_factor: float | tuple[float, float] | None = None
    saturation_factor: float | tuple[float, float] | None = None
    hue_factor: float | tuple[float, float] | None = None
    seed: int | None = None
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._parts()

    def _parts(self) -> list[Coloring]:
        kinds = {
            "brightness_factor": RandomBrightness,
            "contrast_factor": RandomContrast,
            "saturation_factor": RandomSaturation,
            "hue_factor": RandomHue,
        }
        given = {name: kind for name, kind in kinds.items() if getattr(self, name) is not None}
        return [kind(getattr(self, name), value_range=self.value_range) for name, kind in given.items()]

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the pictures."""
        for part in self._parts():
            part.output_shape(input_shape)
        return super().output_shape(input_shape)

    def augment(self, x, key):
        """Return the pictures, changed by each part in turn."""
        for number, part in enumerate(self._parts()):
            x = part.augment(x, jax.random.fold_in(key, number))
        return x


@register
@dataclass(frozen=True)
class RandomErasing(Coloring):
    """Cover a rectangle of each picture with noise or a value, so that no single part decides.

    Args:
        factor: The probability of a picture to be covered is itself drawn from 0 to ``factor``, or between the two.
        scale: Each side of the rectangle is the square root of a number drawn from this span, as a part of the
            picture's side; one number draws from 0 to it.
        fill_value: What covers it: a number, one for each channel, or ``None`` for normal noise of the size of the
            largest value. Noise for whole batches must be drawn: 128 pictures of 28×28 take a millisecond.
        value_range: See :class:`RandomBrightness`.
        seed: See :class:`RandomBrightness`.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.
        ShapeError: ``fill_value`` has not one number for each channel.

    Example:
        >>> RandomErasing(fill_value=0.0, value_range=(0, 1)).output_shape((28, 28, 1))
        (28, 28, 1)

    Source: Z. Zhong et al., «Random erasing data augmentation», 2020.
    """

    factor: float | tuple[float, float] = 1.0
    scale: float | tuple[float, float] = (0.02, 0.33)
    fill_value: float | tuple[float, ...] | None = None
    value_range: tuple[float, float] = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._span("factor")
        self._span("scale")
        for item in self._fill():
            arguments.number(item, "fill_value", where=self.where)

    def _span(self, name):
        return span(getattr(self, name), name, where=self.where, limits=(0, 1), around=0.0)

    def _fill(self) -> tuple[Any, ...]:
        if self.fill_value is None:
            return ()
        return tuple(self.fill_value) if isinstance(self.fill_value, list | tuple) else (self.fill_value,)

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the pictures."""
        shape = super().output_shape(input_shape)
        if len(self._fill()) not in (0, 1, shape[-1]):
            raise ShapeError(
                "fill_value is one number, or one for each channel",
                received=f"fill_value={self.fill_value!r} for {shape[-1]} channels",
            )
        return shape

    def augment(self, x, key):
        """Return the pictures, most of them with a rectangle covered."""
        by_row, by_column, by_chance, by_noise = jax.random.split(key, 4)
        covered = _rectangles(x.shape, (by_row, by_column), self._span("scale"))
        first, second = jax.random.split(by_chance)
        chosen = uniform(first, len(x), (0, 1)) < uniform(second, len(x), self._span("factor"))
        if self._fill():
            filling = jnp.asarray(self._fill(), x.dtype)
        else:
            _, high = pair(self.value_range, "value_range", where=self.where)
            filling = jax.random.normal(by_noise, x.shape, x.dtype) * jnp.asarray(high, x.dtype)
        return jnp.where(covered & chosen[:, None, None, None], self._clipped(filling), x)


def _rectangles(shape, keys, scale):
    """Return which pixels lie in a rectangle drawn for each picture, ``(N, H, W, 1)``."""
    inside = []
    for length, key in zip(shape[1:3], keys, strict=True):
        by_length, by_place = jax.random.split(key)
        side = jnp.sqrt(uniform(by_length, shape[0], scale)) * length
        start = uniform(by_place, shape[0], (0, 1)) * (length - side)
        pixel = jnp.arange(length, dtype=jnp.float32)
        inside.append((pixel >= start[:, None]) & (pixel < (start + side)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]


@register
@dataclass(frozen=True)
class Cutout(Coloring):
    """Cover a window of one size in each picture; its middle is any pixel, so that it may hang over the border.

    Args:
        size: Height and width of the window in pixels; one number for both.
        fill_value: What covers it.
        seed: See :class:`RandomBrightness`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: ``size`` is not one or two whole numbers of at least 1.

    Example:
        >>> Cutout(8).output_shape((32, 32, 3))
        (32, 32, 3)

    Source: T. DeVries and G. Taylor, «Improved regularization of convolutional neural networks with cutout», 2017.
    """

    size: int | tuple[int, int]
    fill_value: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integers(self.size, 2, "size", where=self.where)
        arguments.number(self.fill_value, "fill_value", where=self.where)

    def augment(self, x, key):
        """Return the pictures with a window covered."""
        inside = []
        windows = arguments.integers(self.size, 2, "size", where=self.where)
        for length, window, own in zip(x.shape[1:3], windows, jax.random.split(key), strict=True):
            start = jax.random.randint(own, (len(x), 1), 0, length) - window // 2
            pixel = jnp.arange(length, dtype=jnp.int32)
            inside.append((pixel >= start) & (pixel < start + window))
        covered = (inside[0][:, :, None] & inside[1][:, None, :])[..., None]
        return jnp.where(covered, jnp.asarray(self.fill_value, x.dtype), x)
