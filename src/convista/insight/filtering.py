"""Classic filters on picture files: the numbers that come out, and a picture of them."""

from __future__ import annotations

import dataclasses
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from convista.atomic import write_whole
from convista.data.pictures import FORMATS, read_picture
from convista.errors import ArgumentError

if TYPE_CHECKING:
    from convista.layers import Filter2D

_MAGNITUDE, _SIGNED, _GREYS = "magnitude", "signed", "greys"
_BORDERS: dict[str, Literal["edge", "reflect", "constant"]] = {
    "nearest": "edge",
    "reflect": "reflect",
    "same": "constant",
}
_VALUES_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class FilteredPicture:
    """What a filter made of a picture.

    Args:
        kernel: The filter's name.
        values: What came out, float32 ``(height, width, channels)``, in grey levels of 0 to 255.
        kind: ``"greys"`` are grey levels like the picture's; ``"signed"`` are differences around 0; ``"magnitude"`` is
            the length of a slope, 0 and above.
    """

    kernel: str
    values: np.ndarray
    kind: str

    @property
    def largest(self) -> float:
        """The largest absolute value."""
        return float(np.abs(self.values).max())

    @property
    def picture(self) -> np.ndarray:
        """The values to look at, uint8 ``(height, width, channels)``; ``meaning`` says how to read them."""
        scale = self.largest or 1.0
        if self.kind == _GREYS:
            levels = self.values
        elif self.kind == _SIGNED:
            levels = 128 + self.values * np.float32(127 / scale)
        else:
            levels = self.values * np.float32(255 / scale)
        return np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)

    @property
    def meaning(self) -> str:
        """What the numbers and the picture mean, in two or three sentences."""
        least, most = float(self.values.min()), float(self.values.max())
        numbers = f"Values from {least:.4g} to {most:.4g}, in grey levels of 0 to 255."
        if self.kind == _GREYS:
            outside = int(((self.values < 0) | (self.values > 255)).sum())
            cut = f" {outside:,} values lie outside 0 to 255 and are cut off in the picture." if outside else ""
            return f"{numbers} They are grey levels like the picture's own.{cut}"
        if self.kind == _SIGNED:
            return (
                f"{numbers} They are differences between neighbours. In the picture 128 (grey) is no difference, "
                f"255 (white) is +{self.largest:.4g}, 1 (black) is −{self.largest:.4g}."
            )
        return (
            f"{numbers} They are lengths √(x² + y²) of the slope. In the picture 0 (black) is even ground, "
            f"255 (white) is the steepest edge, {self.largest:.4g}."
        )

    def document(self) -> dict[str, Any]:
        """The result as plain data, without the pixels."""
        return {
            "kernel": self.kernel,
            "shape": list(self.values.shape),
            "kind": self.kind,
            "least": float(self.values.min()),
            "most": float(self.values.max()),
            "mean": float(self.values.mean()),
            "meaning": self.meaning,
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture; the file is whole or not there.

        Args:
            path: A name that ends in .png, .jpg, .bmp, .tiff or .webp; PNG keeps every pixel.

        Raises:
            ArgumentError: Another ending.
        """
        from PIL import Image

        target = Path(path)
        Image.init()
        form = Image.EXTENSION.get(target.suffix.lower())
        if form not in FORMATS or form not in Image.SAVE:
            raise ArgumentError(
                "a picture's name ends in .png, .jpg, .bmp, .tiff or .webp",
                where="save",
                received=f"{str(path)!r}",
                fix=f"Write {target.with_suffix('.png').name!r}" if target.name else "For example 'edges.png'",
            )
        pixels = self.picture
        content = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(content, form)
        return write_whole(target, content.getvalue())


def filter_picture(
    picture: Any, kernel: str, size: int | None = None, sigma: float | None = None, padding: str = "nearest"
) -> FilteredPicture:
    """Filter a picture with a classic kernel, each channel on its own.

    Args:
        picture: A picture file of any kind that Convista reads (grey stays grey, all others become RGB), or an array
            ``(height, width)`` or ``(height, width, channels)`` with values of 0 to 255.
        kernel: As for ``layers.Filter2D``: ``"sobel"``, ``"laplace"``, ``"gaussian_blur"``, …
        size: Odd side of the blurs in pixels; ``None`` is 3, or what ``sigma`` asks for.
        sigma: Standard deviation of ``"gaussian_blur"`` in pixels.
        padding: What lies beyond the border: ``"nearest"``, ``"reflect"``, ``"same"`` (zeros) or ``"valid"``.

    Returns:
        The numbers, a picture of them, and what they mean.

    Raises:
        ArgumentError: A name or a number cannot be, or the array is no picture.
        ShapeError: The picture is smaller than the kernel.
        DataError: The file cannot be read.

    Example:
        >>> step = np.repeat([[0, 0, 100, 100]], 4, axis=0)
        >>> result = filter_picture(step, "sobel")
        >>> result.values[1, :, 0].tolist(), result.picture[1, :, 0].tolist()
        ([0.0, 400.0, 400.0, 0.0], [0, 255, 255, 0])

    Source: R. Gonzalez, R. Woods, «Digital Image Processing», 2018, chapters 3 and 10.
    """
    from convista.layers import Filter2D

    layer = Filter2D(kernel, size, sigma, padding)
    pixels = _pixels(picture)
    layer.output_shape(pixels.shape)
    found = layer.kernels
    kind = _MAGNITUDE if len(found) > 1 else _SIGNED if abs(float(found[0].sum())) < 1e-9 else _GREYS
    return FilteredPicture(kernel, _in_bands(layer, pixels), kind)


def _in_bands(layer: Filter2D, pixels: np.ndarray) -> np.ndarray:
    """Return what a filter makes of a picture, a band of rows at a time, so that the memory between is bounded."""
    import jax
    import jax.numpy as jnp

    side = len(layer.kernels[0])
    inside = dataclasses.replace(layer, padding="valid")
    run = jax.jit(lambda x: inside.apply({}, {}, x[None].astype(jnp.float32), training=False, key=None)[0][0])
    if layer.padding.lower() != "valid":
        reach = ((side // 2, side // 2), (side // 2, side // 2), (0, 0))
        pixels = np.pad(pixels, reach, mode=_BORDERS[layer.padding.lower()])
    rows, columns, channels = pixels.shape[0] - side + 1, pixels.shape[1] - side + 1, pixels.shape[2]
    band = max(1, min(rows, _VALUES_AT_ONCE // (columns * channels)))
    values = np.empty((rows, columns, channels), np.float32)
    for first in range(0, rows, band):
        first = min(first, rows - band)  # the last band begins earlier: one shape is compiled once
        values[first : first + band] = run(pixels[first : first + band + side - 1])
    return values


def _pixels(picture: Any) -> np.ndarray:
    if isinstance(picture, str | os.PathLike):
        return read_picture(picture, _own_shape(picture))
    pixels = np.asarray(picture)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or not pixels.size or pixels.dtype.kind not in "uif" or not np.isfinite(pixels).all():
        raise ArgumentError(
            "a picture is a file or an array (height, width) or (height, width, channels) of finite numbers",
            where="filter_picture",
            received=f"{pixels.dtype} of shape {pixels.shape}",
            fix="Give one picture at a time: x[0]",
        )
    return pixels


def _own_shape(path: str | os.PathLike[str]) -> tuple[int, int, int]:
    """Return height, width and channels of a picture file, as it is seen when it stands upright."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if image.getexif().get(0x0112) in (5, 6, 7, 8):
                width, height = height, width
            grey = image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;")
            return height, width, 1 if grey else 3
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1, 1, 1  # read_picture meets the same file and words what is wrong with it
