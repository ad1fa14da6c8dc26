"""Picture files as a model wants them: any size, mode and orientation in, uint8 (height, width, channels) out."""

from __future__ import annotations

import math
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from convista.data.files import regular_file
from convista.data.small_jpegs import open_small_jpeg
from convista.errors import ArgumentError, DataError, suggest

if TYPE_CHECKING:
    from PIL import Image

RESIZES = ("stretch", "pad", "crop")
INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
# Pillow knows more formats; some of them start other programs (EPS runs Ghostscript) or are rarely tested.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
MOST_PIXELS = 89_478_485
"""The most pixels a picture may have: Pillow's own first limit, a quarter of a gibibyte in RGB."""

# The suffixes of these formats, by which a folder's pictures are told from its other files.
SUFFIXES: Mapping[str, str] = {
    ".avif": "AVIF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".jp2": "JPEG2000",
    ".j2k": "JPEG2000",
    ".png": "PNG",
    ".apng": "PNG",
    ".pbm": "PPM",
    ".pgm": "PPM",
    ".pnm": "PPM",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}

_WHITE = 255
# Threads that decode pictures larger than this wait for each other, so that their memory does not add up.
_LARGE_PIXELS = 1 << 24
# A JPEG is decoded to no less than this many times the size it is brought to. A noisy one of 1600×1600 brought to
# 100…190 takes 12–16 ms instead of 28 and lies 0.3 levels from the whole on average; with 2, Pillow's own choice for
# thumbnails, up to 1.7, and with 1 from 1.3 to 1.7, in 10–12 ms.
_DRAFT = 3
_LONGEST_SIDE = 1 << 15
# Whatever a decoder raises on damaged bytes; what it raises on a programmer's mistake is among them and cannot be told.
DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    SyntaxError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes what a model was trained on; it is saved with the model.

    Args:
        scale: The factor that the model multiplies its uint8 pixels with, for example ``1 / 255``; None leaves them.
            ``read_picture`` returns uint8 and does not apply it.
        invert: Whether ``v`` becomes ``255 - v``: for models trained on bright strokes on black, such as MNIST's, that
            are to read dark ink on white paper.
        resize: How a picture of other proportions is fitted: ``"stretch"`` both sides alike to the model's size,
            ``"pad"`` with white to keep all of it, or ``"crop"`` to its centre.
        interpolation: ``"nearest"``, ``"box"``, ``"bilinear"``, ``"hamming"``, ``"bicubic"`` or ``"lanczos"``. All but
            the first average over the pixels that fall together when a picture shrinks.

    Raises:
        ArgumentError: A value is not one of these.

    Example:
        >>> Preprocessing(scale=1 / 255, invert=True, resize="pad").resize
        'pad'
    """

    scale: float | None = None
    invert: bool = False
    resize: str = "stretch"
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        if not isinstance(self.invert, bool):
            raise ArgumentError(
                "invert is True or False", where="Preprocessing", received=f"invert={self.invert!r:.100}"
            )
        _check_choice("resize", self.resize, RESIZES)
        _check_choice("interpolation", self.interpolation, INTERPOLATIONS)

    def to_config(self) -> dict[str, object]:
        """Return the fields as a dictionary of plain values.

        Example:
            >>> Preprocessing(invert=True).to_config()
            {'scale': None, 'invert': True, 'resize': 'stretch', 'interpolation': 'bilinear'}
        """
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing that ``to_config`` described.

        Args:
            config: A mapping with any of the fields; those that are missing have their defaults.

        Raises:
            ArgumentError: It is no mapping, or a field or a value is not known.

        Example:
            >>> Preprocessing.from_config({"resize": "crop"})
            Preprocessing(scale=None, invert=False, resize='crop', interpolation='bilinear')
        """
        if not isinstance(config, Mapping):
            raise ArgumentError(
                "a configuration is a mapping", where="Preprocessing", received=f"a {type(config).__name__}"
            )
        known = [field.name for field in fields(cls)]
        for key in config:
            if key not in known:
                raise ArgumentError(
                    "there is no such field",
                    where="Preprocessing",
                    received=f"{key!r:.100}",
                    fix=suggest(str(key), known),
                )
        return cls(**dict(config))


def read_picture(
    path: str | os.PathLike[str], shape: tuple[int, int, int], preprocessing: Preprocessing | None = None
) -> np.ndarray:
    """Read a picture file and bring it to a model's size and channels.

    In this order: the first frame is decoded, a JPEG that is far larger at a half, a quarter or an eighth of its size,
    which is several times faster; its EXIF orientation is applied; 16-bit grey becomes 8-bit (``v / 257``,
    rounded); what is transparent is put on white, as on paper; colours become grey (ITU-R 601:
    ``0.299 R + 0.587 G + 0.114 B``) or grey becomes RGB; the size is fitted; and last, where it is declared, the
    picture is inverted, so that white paper and white padding become black.

    Args:
        path: An AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF or WebP file, of any size and mode.
        shape: The model's input: (height, width, channels) in pixels, with 1 channel for grey or 3 for RGB.
        preprocessing: How; the defaults of ``Preprocessing`` when it is None.

    Returns:
        uint8 of that shape, 0 to 255.

    Raises:
        ArgumentError: The shape cannot be a picture's.
        DataError: The file is missing, empty, truncated, no picture or too large a one; the message names it.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> file = Path(tempfile.mkdtemp()) / "grey.png"
        >>> Image.new("L", (60, 40), 200).save(file)
        >>> read_picture(file, (2, 2, 1)).ravel()
        array([200, 200, 200, 200], dtype=uint8)
    """
    preprocessing = Preprocessing() if preprocessing is None else preprocessing
    height, width, channels = _checked_shape(shape)
    small = open_small_jpeg(path)
    if small is not None and not _is_drafted(small.size, (width, height), preprocessing):
        return _pixels(_fitted(_in_channels(small, channels), (width, height), preprocessing), shape, preprocessing)
    path = regular_file(path)
    if path.stat().st_size == 0:
        raise DataError("the picture file is empty", where=str(path))
    try:
        with without_warnings:
            picture = _prepared(path, channels, (width, height), preprocessing)
    except DataError:
        raise
    except DAMAGED as error:
        raise DataError(
            f"the picture cannot be decoded ({type(error).__name__}: {error})",
            where=str(path),
            fix="It is truncated or damaged; save it again",
        ) from error
    return _pixels(picture, shape, preprocessing)


def _pixels(picture: Image.Image, shape: tuple[int, int, int], preprocessing: Preprocessing) -> np.ndarray:
    pixels = np.array(picture, np.uint8).reshape(shape)
    return 255 - pixels if preprocessing.invert else pixels


def _is_drafted(found: tuple[int, int], size: tuple[int, int], preprocessing: Preprocessing) -> bool:
    """Whether a JPEG is so much larger that it is decoded at a half of its size or less."""
    return preprocessing.interpolation != "nearest" and min(found) >= 2 * _DRAFT * max(size)


class _Silence:
    """Lets Pillow be silent while pictures are read: it warns of odd metadata, which does not change their pixels.

    ``warnings.catch_warnings`` is not made for threads: the last one to leave would restore what another had set. Here
    the first reader sets the filter and the last one takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|convista\.data)\b")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._caught.__exit__(None, None, None)


without_warnings = _Silence()
_ONE_LARGE_PICTURE = threading.Lock()


def _prepared(path: Path, channels: int, size: tuple[int, int], preprocessing: Preprocessing) -> Image.Image:
    with opened(path) as image:
        return _loaded(str(path), image, channels, size, preprocessing)


def drawn_small(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an opened picture as RGB of a small size (width, height), each pixel the mean of those it covers."""
    return _loaded("picture", image, 3, size, Preprocessing(interpolation="box"))


def _loaded(
    where: str, image: Image.Image, channels: int, size: tuple[int, int], preprocessing: Preprocessing
) -> Image.Image:
    from PIL import ImageOps

    if preprocessing.interpolation != "nearest":
        image.draft(None, (_DRAFT * max(size),) * 2)
    large = image.width * image.height > _LARGE_PIXELS
    with _ONE_LARGE_PICTURE if large else nullcontext():
        image.load()
        upright = ImageOps.exif_transpose(image) if _may_be_turned(image) else image
        return _fitted(_in_channels(_eight_bit(where, upright), channels), size, preprocessing)


def _may_be_turned(image: Image.Image) -> bool:
    """Whether there is metadata that can hold an orientation; asking Pillow takes 5 % of a small picture's time."""
    return image.format != "JPEG" or "exif" in image.info or "xmp" in image.info


def opened(path: Path | IO[bytes]) -> Image.Image:
    """Open a picture file and check its number of pixels; nothing is decoded yet.

    Raises:
        DataError: It is no picture of a known format, or has too many pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise DataError(
            "this is not a picture that can be read", where=str(path), fix=f"Known formats: {', '.join(FORMATS)}"
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, "far more") from error
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise _too_large(path, f"{image.width}×{image.height}")
    return image


def _too_large(path: Path | IO[bytes], received: str) -> DataError:
    return DataError(f"a picture has at most {MOST_PIXELS} pixels", where=str(path), received=received, fix="Shrink it")


def _eight_bit(where: str, image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and float pixels to 0…255; other modes have these already."""
    from PIL import Image

    if not image.mode.startswith("I") and image.mode != "F":
        return image
    values = np.asarray(image, np.float64)
    if not np.isfinite(values).all():
        raise DataError("pixels are finite", where=where, received="NaN or infinite values")
    least, most = float(values.min()), float(values.max())
    if image.mode == "F":
        factor, limit = (255.0, 1.0) if most <= 1 else (1.0, 255.0)
    else:
        factor, limit = 1 / 257, 65535.0
    if least < 0 or most > limit:
        raise DataError(
            "float pixels are 0 to 1 or 0 to 255, and integer ones 0 to 65535",
            where=where,
            received=f"{least:g} to {most:g}",
        )
    return Image.fromarray(np.floor(values * factor + 0.5).astype(np.uint8))


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (_WHITE, _WHITE, _WHITE, 255))
        image = Image.alpha_composite(paper, image)
    elif image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _fitted(image: Image.Image, size: tuple[int, int], preprocessing: Preprocessing) -> Image.Image:
    from PIL import Image, ImageOps

    method = Image.Resampling[preprocessing.interpolation.upper()]
    if image.size == size:
        return image
    if preprocessing.resize == "pad":
        colour = _WHITE if image.mode == "L" else (_WHITE,) * 3
        return ImageOps.pad(image, size, method, color=colour)
    if preprocessing.resize == "crop":
        return ImageOps.fit(image, size, method)
    return image.resize(size, method)


def _checked_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    sizes_are_right = (
        isinstance(shape, (tuple, list))
        and len(shape) == 3
        and all(type(size) is int and 1 <= size <= _LONGEST_SIDE for size in shape)
    )
    if not sizes_are_right or shape[0] * shape[1] > MOST_PIXELS:
        raise ArgumentError(
            "a picture's shape is (height, width, channels)", where="read_picture", received=f"shape={shape!r:.100}"
        )
    if shape[2] not in (1, 3):
        raise ArgumentError(
            "a picture has 1 channel (grey) or 3 (RGB)",
            where="read_picture",
            received=f"shape={shape!r}",
            fix="Build the model for 1 or 3 channels to predict from picture files",
        )
    return shape[0], shape[1], shape[2]


def _check_scale(scale: float | None) -> None:
    if scale is None:
        return
    is_number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    if not is_number or not math.isfinite(scale) or scale <= 0:
        raise ArgumentError(
            "scale is a positive number or None",
            where="Preprocessing",
            received=f"scale={scale!r:.100}",
            fix="Use scale=1/255 to bring uint8 pixels to 0…1",
        )


def _check_choice(field: str, value: str, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        choices = ", ".join(repr(name) for name in known)
        raise ArgumentError(
            f"{field} is one of {choices}",
            where="Preprocessing",
            received=f"{field}={value!r:.100}",
            fix=suggest(value, known) if isinstance(value, str) else None,
        )
