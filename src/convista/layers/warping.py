"""Pictures turned, moved, sheared, scaled, flipped and cropped at random; neighbours share one interpolation."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.augmentation import Augmentation, floating, span, uniform
from convista.layers.base import register
from convista.layers.sliding_kernel import check_data_format
from convista.ops.warp import FILL_MODES, INTERPOLATIONS, about_middle, affine_warp, followed_by

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")

Size = tuple[int, int]


@dataclass(frozen=True)
class Warping(Augmentation):
    """An augmentation that is an affine map of each picture.

    Neighbours in a network, and in the list that ``fit(augmentation=…)`` takes, are composed: one map, one
    interpolation, and what lies beyond the border is filled once, from the picture as it came.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_data_format(getattr(self, "data_format", None), self.where)
        if hasattr(self, "fill_mode"):
            arguments.one_of(self.fill_mode, FILL_MODES, "fill_mode", where=self.where)
        if hasattr(self, "interpolation"):
            arguments.one_of(self.interpolation, INTERPOLATIONS, "interpolation", where=self.where)
        if hasattr(self, "fill_value"):
            arguments.number(self.fill_value, "fill_value", where=self.where)

    @property
    def reading(self) -> dict[str, Any] | None:
        """How pixels are read, as ``affine_warp`` takes it; ``None`` where it makes no difference."""
        if not hasattr(self, "fill_mode"):
            return None
        return {
            "fill_mode": self.fill_mode.lower(),
            "interpolation": self.interpolation.lower() if hasattr(self, "interpolation") else "bilinear",
            "fill_value": float(self.fill_value) if hasattr(self, "fill_value") else 0.0,
        }

    def size_after(self, size: Size) -> Size:
        """Return height and width of the results for pictures of ``size``."""
        return size

    def maps(self, key: jax.Array, count: int, size: Size) -> jax.Array:
        """Return the maps ``(count, 2, 3)`` from places of the results to places of the pictures.

        Args:
            key: What they are drawn from.
            count: How many pictures there are.
            size: Their height and width.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define maps")

    def augment(self, x, key):
        """Return the warped pictures."""
        size = x.shape[1:3]
        return affine_warp(x, self.maps(key, len(x), size), size=self.size_after(size), **(self.reading or {}))


def warped(layers: Sequence[Warping], keys: Sequence[jax.Array | None], x: jax.Array) -> jax.Array:
    """Apply warpings in a row, in training, with one interpolation.

    Args:
        layers: In their order; they read pixels alike, see :func:`joinable`.
        keys: One for each.
        x: Pictures ``(N, H, W, C)``.
    """
    if len(layers) == 1:
        return layers[0].augment(floating(x), layers[0].own_key(keys[0]))
    x = floating(x)
    size, joined = (x.shape[1], x.shape[2]), []
    for layer, key in zip(layers, keys, strict=True):
        maps = layer.maps(layer.own_key(key), len(x), size)
        joined.append(maps)
        size = layer.size_after(size)
    reading = next((layer.reading for layer in layers if layer.reading is not None), None)
    return affine_warp(x, functools.reduce(followed_by, joined), size=size, **(reading or {}))


def joinable(layers: Sequence[Any]) -> bool:
    """Whether layers in a row can be one warp: all are warpings, and those that care read pixels alike."""
    readings = [layer.reading for layer in layers if isinstance(layer, Warping) and layer.reading is not None]
    return all(isinstance(layer, Warping) for layer in layers) and all(item == readings[0] for item in readings)


@register
@dataclass(frozen=True)
class RandomRotation(Warping):
    """Turn each picture about its middle by an angle drawn evenly.

    Args:
        factor: Part of a full turn; ``0.1`` draws from −36° to 36°, ``(0, 0.1)`` counter-clockwise only.
        fill_mode: What lies beyond the border: ``"reflect"``, ``"constant"``, ``"nearest"`` or ``"wrap"``, see
            :func:`convista.ops.warp.affine_warp`.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: Mixed into the model's own stream; layers without it already differ from each other.
        fill_value: The value for ``"constant"``.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomRotation(20 / 360, fill_mode="nearest").output_shape((28, 28, 1))
        (28, 28, 1)

    Source: lectures 001 and 004.
    """

    factor: float | tuple[float, float]
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._span()

    def _span(self):
        return span(self.factor, "factor", where=self.where, limits=(-1, 1))

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        angle = uniform(key, count, self._span()) * jnp.float32(2 * math.pi)
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        return about_middle(((cosine, sine), (-sine, cosine)), size)


@register
@dataclass(frozen=True)
class RandomTranslation(Warping):
    """Move each picture by amounts drawn evenly.

    Args:
        height_factor: Part of the height; ``0.2`` draws from −20 % to 20 %, positive is down.
        width_factor: Part of the width, positive is to the right.
        fill_mode: See :class:`RandomRotation`.
        interpolation: See :class:`RandomRotation`.
        seed: See :class:`RandomRotation`.
        fill_value: See :class:`RandomRotation`.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomTranslation(0.1, 0.2).output_shape((28, 28, 1))
        (28, 28, 1)

    Source: lectures 001 and 004.
    """

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float]
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._spans()

    def _spans(self):
        return [span(getattr(self, name), name, where=self.where, limits=(-1, 1)) for name in _BY_AXIS]

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        keys = jax.random.split(key)
        moves = [
            uniform(own, count, drawn) * length for own, drawn, length in zip(keys, self._spans(), size, strict=True)
        ]
        return _moved(moves[0], moves[1])


_BY_AXIS = ("height_factor", "width_factor")


def _moved(down, right):
    one, zero = jnp.ones_like(down), jnp.zeros_like(down)
    rows = [jnp.stack([one, zero, -down], axis=-1), jnp.stack([zero, one, -right], axis=-1)]
    return jnp.stack(rows, axis=1)


@register
@dataclass(frozen=True)
class RandomZoom(Warping):
    """Shrink or enlarge each picture about its middle.

    Args:
        height_factor: The height that is seen, less 1: ``(0.2, 0.3)`` zooms out by 20 % to 30 %, ``(-0.3, -0.2)`` zooms
            in; ``0.2`` draws from −20 % to 20 %.
        width_factor: The same of the width; ``None`` keeps the proportions.
        fill_mode: See :class:`RandomRotation`.
        interpolation: See :class:`RandomRotation`.
        seed: See :class:`RandomRotation`.
        fill_value: See :class:`RandomRotation`.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomZoom(0.2).output_shape((28, 28, 1))
        (28, 28, 1)

    Source: lectures 001 and 004.
    """

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float] | None = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._spans()

    def _spans(self):
        given = [name for name in _BY_AXIS if getattr(self, name) is not None]
        found = [span(getattr(self, name), name, where=self.where, limits=(-1, 1)) for name in given]
        if any(low <= -1 for low, _ in found):
            raise ArgumentError(
                "a zoom leaves something to see: factors are larger than -1",
                where=self.where,
                received=", ".join(f"{name}={getattr(self, name)!r}" for name in given),
                fix="For example height_factor=0.2",
            )
        return found

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        drawn = [uniform(own, count, (1 + low, 1 + high)) for own, (low, high) in self._keyed(key)]
        down, right = (drawn[0], drawn[-1])
        zero = jnp.zeros_like(down)
        return about_middle(((down, zero), (zero, right)), size)

    def _keyed(self, key):
        spans = self._spans()
        return zip(jax.random.split(key, 2)[: len(spans)], spans, strict=True)


@register
@dataclass(frozen=True)
class RandomShear(Warping):
    """Slant each picture: rows move in proportion to their place, columns likewise.

    Args:
        x_factor: How far a row moves to the side, as a part of its distance from the top; ``0.3`` draws from −0.3 to
            0.3, ``(0.1, 0.3)`` that much to either side. Between 0 and 1.
        y_factor: The same for columns.
        interpolation: See :class:`RandomRotation`.
        fill_mode: See :class:`RandomRotation`.
        fill_value: See :class:`RandomRotation`.
        data_format: ``None`` or ``"channels_last"``.
        seed: See :class:`RandomRotation`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomShear(0.2).output_shape((28, 28, 1))
        (28, 28, 1)
    """

    x_factor: float | tuple[float, float] = 0.0
    y_factor: float | tuple[float, float] = 0.0
    interpolation: str = "bilinear"
    fill_mode: str = "reflect"
    fill_value: float = 0.0
    data_format: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._spans()

    def _spans(self):
        return [span(getattr(self, name), name, where=self.where, limits=(0, 1)) for name in ("x_factor", "y_factor")]

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        by_x, by_y, by_sign = jax.random.split(key, 3)
        sign = jnp.where(jax.random.bernoulli(by_sign, 0.5, (count,)), jnp.float32(1), jnp.float32(-1))
        over_x, over_y = self._spans()
        x, y = uniform(by_x, count, over_x) * sign, uniform(by_y, count, over_y) * sign
        one, zero = jnp.ones_like(x), jnp.zeros_like(x)
        return jnp.stack([jnp.stack([one, y, zero], axis=-1), jnp.stack([x, one, zero], axis=-1)], axis=1)


@register
@dataclass(frozen=True)
class RandomFlip(Warping):
    """Mirror each picture with probability ½, along each axis for itself.

    (Keras 3 draws once for both axes, so that its ``"horizontal_and_vertical"`` knows two pictures, not four.) Think
    before you flip: a mirrored 2 is no 2.

    Args:
        mode: ``"horizontal"`` (left and right change places), ``"vertical"`` or ``"horizontal_and_vertical"``.
        seed: See :class:`RandomRotation`.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: ``mode`` is something else.

    Example:
        >>> RandomFlip("horizontal").output_shape((32, 32, 3))
        (32, 32, 3)

    Source: lecture 004.
    """

    mode: str = "horizontal_and_vertical"
    seed: int | None = None
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.one_of(self.mode, _FLIPS, "mode", where=self.where)

    def _flips(self, key, count):
        """Return for each axis, rows first, which pictures are mirrored; ``None`` for an axis that stays."""
        keys = jax.random.split(key)
        asked = ("vertical" in self.mode.lower(), "horizontal" in self.mode.lower())
        return [
            jax.random.bernoulli(own, 0.5, (count,)) if wanted else None
            for own, wanted in zip(keys, asked, strict=True)
        ]

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        one = jnp.ones((count,), jnp.float32)
        down, right = (one if flip is None else jnp.where(flip, -one, one) for flip in self._flips(key, count))
        return about_middle(((down, jnp.zeros_like(one)), (jnp.zeros_like(one), right)), size)

    def augment(self, x, key):
        """Return the mirrored pictures: alone, a flip needs no interpolation."""
        for axis, flip in enumerate(self._flips(key, len(x)), 1):
            if flip is not None:
                x = jnp.where(flip[:, None, None, None], jnp.flip(x, axis), x)
        return x


@register
@dataclass(frozen=True)
class RandomCrop(Warping):
    """Cut a window of ``height`` × ``width`` out of each picture, at a place drawn evenly; outside training the middle.

    Where the picture is not larger than the window on both axes, and outside training, the largest window of the same
    proportions is taken from the middle and brought to the size. (Keras draws one place for the whole batch.)

    Args:
        height: Of the results, in pixels.
        width: Of the results.
        seed: See :class:`RandomRotation`.
        data_format: ``None`` or ``"channels_last"``.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A size is no whole number of at least 1.

    Example:
        >>> RandomCrop(24, 24).output_shape((28, 28, 1))
        (24, 24, 1)

    Source: lecture 004.
    """

    height: int
    width: int
    seed: int | None = None
    data_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.height, "height", where=self.where)
        arguments.integer(self.width, "width", where=self.where)

    @property
    def reading(self) -> dict[str, Any] | None:
        """Beyond the border lies nothing that a crop asks for; a window that is enlarged ends at the edge."""
        return None

    def size_after(self, size):
        """See :class:`Warping`."""
        return self.height, self.width

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the window."""
        return (self.height, self.width, super().output_shape(input_shape)[-1])

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        if not (size[0] > self.height and size[1] > self.width):
            corner, window = self._middle(size)
            return _window(corner, window, self.size_after(size), count)
        keys = jax.random.split(key)
        corners = [
            jax.random.randint(own, (count,), 0, length - window + 1).astype(jnp.float32)
            for own, length, window in zip(keys, size, (self.height, self.width), strict=True)
        ]
        return _moved(-corners[0], -corners[1])

    def _middle(self, size):
        """Return corner and size of the largest window of these proportions in the middle."""
        height = max(min(size[0], size[1] * self.height // self.width), 1)
        width = max(min(size[1], size[0] * self.width // self.height), 1)
        return ((size[0] - height) // 2, (size[1] - width) // 2), (height, width)

    def augment(self, x, key):
        """Return the windows."""
        size = x.shape[1:3]
        if not (size[0] > self.height and size[1] > self.width):
            return self.unchanged(x)
        maps = self.maps(key, len(x), size)
        return affine_warp(x, maps, size=(self.height, self.width), fill_mode="nearest")

    def unchanged(self, x):
        """Return the middle of each picture."""
        (row, column), window = self._middle(x.shape[1:3])
        x = x[:, row : row + window[0], column : column + window[1]]
        if window == (self.height, self.width):
            return x
        maps = _window((0, 0), window, (self.height, self.width), len(x))
        return affine_warp(x, maps, size=(self.height, self.width), fill_mode="nearest")


def _window(corner, window, size, count):
    """Return maps that bring a window, the same for all pictures, to a size."""
    scale = [part / whole for part, whole in zip(window, size, strict=True)]
    rows = [
        [scale[0], 0.0, corner[0] + (scale[0] - 1) / 2],
        [0.0, scale[1], corner[1] + (scale[1] - 1) / 2],
    ]
    return jnp.broadcast_to(jnp.asarray(rows, jnp.float32), (count, 2, 3))


@register
@dataclass(frozen=True)
class RandomResizedCrop(Warping):
    """Cut a window of random size, proportions and place out of each picture and bring it to one size.

    Lecture 004: «cut the borders and stretch to the size it had». Outside training the whole picture is brought to the
    size.

    Args:
        height: Of the results, in pixels.
        width: Of the results.
        scale: Smallest and largest part of the area that a window has.
        ratio: Smallest and largest quotient of its width and height, relative to the picture's own; drawn evenly in
            its logarithm. A window that would not fit is cut at the border.
        interpolation: See :class:`RandomRotation`.
        seed: See :class:`RandomRotation`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomResizedCrop(28, 28, scale=(0.7, 1.0)).output_shape((32, 32, 1))
        (28, 28, 1)

    Source: C. Szegedy et al., «Going deeper with convolutions», 2015; lecture 004.
    """

    height: int
    width: int
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.integer(self.height, "height", where=self.where)
        arguments.integer(self.width, "width", where=self.where)
        for name, limits in (("scale", (0, 1)), ("ratio", (0, 100))):
            low, _ = span(getattr(self, name), name, where=self.where, limits=limits)
            if low <= 0:
                raise ArgumentError(
                    f"{name} is two numbers larger than 0",
                    where=self.where,
                    received=f"{name}={getattr(self, name)!r}",
                    fix=f"For example {name}=(0.7, 1.0)",
                )

    @property
    def reading(self) -> dict[str, Any] | None:
        """Windows lie inside the picture; one that is enlarged ends at the edge."""
        return {"fill_mode": "nearest", "interpolation": self.interpolation.lower(), "fill_value": 0.0}

    def size_after(self, size):
        """See :class:`Warping`."""
        return self.height, self.width

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the results."""
        return (self.height, self.width, super().output_shape(input_shape)[-1])

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        by_area, by_ratio, by_row, by_column = jax.random.split(key, 4)
        area = uniform(by_area, count, (min(self.scale), max(self.scale)))
        logs = math.log(min(self.ratio)), math.log(max(self.ratio))
        wider = jnp.exp(uniform(by_ratio, count, logs))
        # As in a window of the same area: √(area / ratio) of the height, √(area · ratio) of the width.
        parts = [jnp.minimum(jnp.sqrt(area / wider), 1), jnp.minimum(jnp.sqrt(area * wider), 1)]
        rows = []
        for axis, (part, own) in enumerate(zip(parts, (by_row, by_column), strict=True)):
            window = part * size[axis]
            corner = uniform(own, count, (0, 1)) * (size[axis] - window)
            scale = window / self.size_after(size)[axis]
            zero = jnp.zeros_like(scale)
            place = corner + (scale - 1) / 2
            rows.append(jnp.stack([scale, zero, place] if axis == 0 else [zero, scale, place], axis=-1))
        return jnp.stack(rows, axis=1)

    def unchanged(self, x):
        """Return the whole pictures in the new size."""
        size = x.shape[1:3]
        if size == (self.height, self.width):
            return x
        maps = _window((0, 0), size, (self.height, self.width), len(x))
        return affine_warp(x, maps, size=(self.height, self.width), **(self.reading or {}))


@register
@dataclass(frozen=True)
class RandomAffine(Warping):
    """Turn, move, shear, scale and flip each picture, with the ranges and rules of ``ImageDataGenerator``.

    The map is rotation · shift · shear · zoom about the middle, then the flips.

    Args:
        rotation_range: Largest angle in degrees.
        width_shift_range: Largest shift to the side: below 1 a part of the width, from 1 on pixels.
        height_shift_range: The same up and down.
        shear_range: Largest shear angle, in **degrees**: 0.2 is next to nothing, 20 is a good slant.
        zoom_range: ``f`` draws both axes from 1 − f to 1 + f, each for itself; or the two numbers. Below 1 zooms in.
        fill_mode: See :class:`RandomRotation`.
        cval: The value for ``"constant"``.
        horizontal_flip: Whether half of the pictures are mirrored left to right.
        vertical_flip: Whether half of them are mirrored top to bottom.
        interpolation: See :class:`RandomRotation`.
        seed: See :class:`RandomRotation`.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RandomAffine(rotation_range=20, zoom_range=0.2).output_shape((28, 28, 1))
        (28, 28, 1)

    Source: lecture 004; F. Chollet, Keras 2, ``keras.preprocessing.image``.
    """

    rotation_range: float = 0.0
    width_shift_range: float = 0.0
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float | tuple[float, float] = 0.0
    fill_mode: str = "nearest"
    cval: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    interpolation: str = "bilinear"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "cval"):
            arguments.number(getattr(self, name), name, where=self.where)
        self._zoom()

    def _zoom(self):
        if isinstance(self.zoom_range, int | float):
            low, high = span(self.zoom_range, "zoom_range", where=self.where, limits=(0, 1))
            low, high = 1 + low, 1 + high
        else:
            low, high = span(self.zoom_range, "zoom_range", where=self.where, limits=(0, 100))
        if low <= 0:
            raise ArgumentError(
                "zoom_range is below 1, or two numbers larger than 0",
                where=self.where,
                received=f"zoom_range={self.zoom_range!r}",
                fix="For example zoom_range=0.2 or zoom_range=(0.8, 1.2)",
            )
        return low, high

    @property
    def reading(self) -> dict[str, Any] | None:
        """See :class:`Warping`."""
        return {
            "fill_mode": self.fill_mode.lower(),
            "interpolation": self.interpolation.lower(),
            "fill_value": float(self.cval),
        }

    def maps(self, key, count, size):
        """See :class:`Warping`."""
        keys = jax.random.split(key, 7)
        angle = _degrees(keys[0], count, self.rotation_range)
        shear = _degrees(keys[1], count, self.shear_range)
        shifts = zip(keys[2:4], (self.height_shift_range, self.width_shift_range), size, strict=True)
        down, right = (
            uniform(own, count, (-abs(most), abs(most))) * (length if abs(most) < 1 else 1)
            for own, most, length in shifts
        )
        rows, columns = (uniform(own, count, self._zoom()) for own in keys[4:6])
        flips = jax.random.bernoulli(keys[6], 0.5, (2, count))
        return joined_map(
            size,
            angle=angle,
            shift=(down, right),
            shear=shear,
            zoom=(rows, columns),
            flip=(flips[0] & self.vertical_flip, flips[1] & self.horizontal_flip),
        )


def joined_map(size: Size, *, angle, shift, shear, zoom, flip):
    """Return the map of ``ImageDataGenerator`` for given draws: angles in radians, shifts in pixels, rows first."""
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    slant, rest = -jnp.sin(shear), jnp.cos(shear)
    # R = ((cos, −sin), (sin, cos)), S = ((1, −sin s), (0, cos s)), Z = diag(zoom), all of (row, column); R · S · Z:
    xx, xy = cosine * zoom[0], (cosine * slant - sine * rest) * zoom[1]
    yx, yy = sine * zoom[0], (sine * slant + cosine * rest) * zoom[1]
    linear = about_middle(((xx, xy), (yx, yy)), size)
    moved = jnp.stack([cosine * shift[0] - sine * shift[1], sine * shift[0] + cosine * shift[1]], axis=-1)
    joined = linear.at[:, :, 2].add(moved)
    one = jnp.ones_like(angle)
    down, right = (jnp.where(mirrored, -one, one) for mirrored in flip)
    mirror = about_middle(((down, jnp.zeros_like(one)), (jnp.zeros_like(one), right)), size)
    return followed_by(joined, mirror)


def _degrees(key, count, most):
    return uniform(key, count, (-abs(most), abs(most))) * jnp.float32(math.pi / 180)
