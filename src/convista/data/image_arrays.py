"""Pictures as Pillow images and as arrays, with the names, arguments and results of Keras."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from convista.atomic import replacing
from convista.data.files import regular_file
from convista.data.pictures import DAMAGED, INTERPOLATIONS, MOST_PIXELS, opened, without_warnings
from convista.errors import ArgumentError, DataError, ShapeError, suggest

if TYPE_CHECKING:
    from PIL import Image

COLOR_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_DATA_FORMATS = ("channels_last", "channels_first")


def load_img(
    path: str | bytes | os.PathLike[str] | io.BytesIO,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
    **unknown: Any,
) -> Image.Image:
    """Read a picture file as a Pillow image.

    As in Keras, the EXIF orientation is not applied and transparency is dropped; ``read_picture`` does better.

    Args:
        path: A picture file, or its bytes in ``io.BytesIO``.
        color_mode: ``"grayscale"``, ``"rgb"`` or ``"rgba"``. 16- and 32-bit grey stay what they are in ``"grayscale"``.
        target_size: (height, width) in pixels; None keeps the picture's own.
        interpolation: ``"nearest"``, ``"box"``, ``"bilinear"``, ``"hamming"``, ``"bicubic"`` or ``"lanczos"``.
        keep_aspect_ratio: Cut the picture to the proportions of ``target_size`` around its centre first.
        **unknown: Refused with what to write instead, such as ``grayscale`` of Keras 2.

    Returns:
        The image, decoded.

    Raises:
        ArgumentError: A mode, a size or an interpolation is not one of these, or an argument is not known.
        DataError: The file is missing, empty, damaged, no picture or too large a one.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "grey.png"
        >>> save_img(file, np.zeros((40, 60, 1)))
        >>> image = load_img(file, target_size=(20, 30))
        >>> image.mode, image.size
        ('RGB', (30, 20))

    Source: lecture 004.
    """
    _refuse_unknown(unknown)
    _check_choice("load_img", "color_mode", color_mode, tuple(COLOR_MODES))
    _check_choice("load_img", "interpolation", interpolation, INTERPOLATIONS)
    size = None if target_size is None else _checked_size(target_size)
    source: Any = path
    if not isinstance(path, io.BytesIO):
        source = regular_file(os.fsdecode(path))
        if source.stat().st_size == 0:
            raise DataError("the picture file is empty", where=str(source))
    try:
        with without_warnings, opened(source) as image:
            image.load()
            return _fitted(_in_mode(image, color_mode), size, interpolation, keep_aspect_ratio)
    except DataError:
        raise
    except DAMAGED as error:
        raise DataError(
            f"the picture cannot be decoded ({type(error).__name__}: {error})",
            where=str(path),
            fix="It is truncated or damaged; save it again",
        ) from error


def _refuse_unknown(unknown: Mapping[str, Any]) -> None:
    for name, value in unknown.items():
        fix = suggest(name, ("color_mode", "target_size", "interpolation", "keep_aspect_ratio"))
        if name in ("grayscale", "greyscale", "grey", "gray"):
            fix = 'Write color_mode="grayscale"' if value else 'Leave it out; color_mode="rgb" is what it meant'
        raise ArgumentError(
            f"there is no argument {name!r}", where="load_img", received=f"{name}={value!r:.100}", fix=fix
        )


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Return a Pillow image as an array of three axes.

    Args:
        img: The image, or anything NumPy takes as an array of two or three axes.
        data_format: ``"channels_last"``, which None means, or ``"channels_first"``.
        dtype: Of the array; None is float32.

    Returns:
        (height, width, channels), or (channels, height, width); the values are not scaled.

    Raises:
        ArgumentError: Another data format, or a file's name.
        ShapeError: Neither two nor three axes.

    Example:
        >>> from PIL import Image
        >>> img_to_array(Image.new("L", (3, 2), 7)).shape
        (2, 3, 1)

    Source: lecture 004.
    """
    first = _channels_first("img_to_array", data_format)
    if isinstance(img, str | bytes | os.PathLike):
        raise ArgumentError(
            "img_to_array takes a picture, not the name of its file",
            where="img_to_array",
            received=f"{img!r:.200}",
            fix=f"Write img_to_array(load_img({os.fsdecode(img)!r:.200}))",
        )
    array = np.asarray(img, dtype=np.float32 if dtype is None else dtype)
    if array.ndim == 2:
        return array[None] if first else array[..., None]
    if array.ndim != 3:
        raise _wrong_axes("img_to_array", array)
    return array.transpose(2, 0, 1) if first else array


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Image.Image:
    """Return an array as a Pillow image.

    ``scale`` stretches the values: ``v ↦ 255·(v − min) / (max − min)``, cut to whole numbers.

    Args:
        x: (height, width, channels) with 1 (grey), 3 (RGB) or 4 (RGBA) channels.
        data_format: ``"channels_last"``, which None means, or ``"channels_first"``: (channels, height, width).
        scale: Whether the least value becomes 0 and the greatest 255; otherwise values are taken as 0 to 255, and one
            channel with larger ones gives a 32-bit image.
        dtype: What to compute in; None is float32.

    Returns:
        The image.

    Raises:
        ArgumentError: Another data format.
        ShapeError: Not three axes, or another number of channels.
        DataError: NaN or infinite values, or values that do not fit the image's pixels.

    Example:
        >>> image = array_to_img([[[0.0], [0.5], [1.0]]])
        >>> image.mode, list(image.tobytes())
        ('L', [0, 127, 255])

    Source: lecture 004.
    """
    from PIL import Image

    first = _channels_first("array_to_img", data_format)
    array = np.asarray(x, dtype=np.float32 if dtype is None else dtype)
    if array.ndim != 3:
        raise _wrong_axes("array_to_img", array)
    array = array.transpose(1, 2, 0) if first else array
    if array.shape[2] not in (1, 3, 4):
        raise ShapeError(
            "a picture has 1, 3 or 4 channels",
            where="array_to_img",
            received=f"shape {np.shape(x)}",
            fix="Its channels are first: pass data_format='channels_first'" if array.shape[0] in (1, 3, 4) else None,
        )
    if not array.size:
        raise ShapeError("a picture has at least one pixel", where="array_to_img", received=f"shape {np.shape(x)}")
    array = _checked_values(_stretched(array) if scale else array)
    if array.shape[2] > 1:
        return Image.fromarray(array.astype(np.uint8))
    grey = array[:, :, 0]
    return Image.fromarray(grey.astype(np.int32 if grey.max() > 255 else np.uint8))


def save_img(
    path: str | os.PathLike[str] | IO[bytes],
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as a picture file.

    Args:
        path: Where to; its suffix says the format. Or an open binary file.
        x: As for ``array_to_img``.
        data_format: As for ``array_to_img``.
        file_format: ``"png"``, ``"jpeg"`` and so on; None goes by the suffix.
        scale: As for ``array_to_img``.
        **kwargs: For Pillow, such as ``quality=95`` for JPEG.

    Raises:
        ArgumentError: Pillow does not know the format, or cannot write such a picture in it.
        ShapeError: As for ``array_to_img``.
        DataError: As for ``array_to_img``.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "ramp.png"
        >>> save_img(file, np.arange(12.0).reshape(2, 2, 3))
        >>> img_to_array(load_img(file)).max()
        np.float32(255.0)

    Source: lecture 004.
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    target = Path(path) if isinstance(path, str | os.PathLike) else None
    chosen = _format(file_format or ("" if target is None else target.suffix[1:]), path)
    if image.mode == "RGBA" and chosen == "JPEG":
        warnings.warn("JPEG has no transparency: the picture is saved as RGB.", UserWarning, stacklevel=2)
        image = image.convert("RGB")
    try:
        if target is None:
            image.save(cast(IO[bytes], path), format=chosen, **kwargs)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary:
                image.save(temporary, format=chosen, **kwargs)
    except OSError as error:
        if error.errno is not None:  # the disk's mistake, not the format's
            raise
        raise ArgumentError(
            f"{chosen} holds such a picture ({error})",
            where="save_img",
            received=f"a picture of mode {image.mode!r}",
            fix="Save it as .png",
        ) from error


def _format(name: str, path: object) -> str:
    from PIL import Image

    known = Image.registered_extensions()
    found = known.get(f".{name.lower()}", name.upper())
    if found not in Image.SAVE:
        raise ArgumentError(
            "the suffix or file_format names a format that Pillow writes",
            where="save_img",
            received=f"file_format={name!r}" if name else f"path={str(path)!r:.100} without file_format",
            fix="Name the file .png or .jpg, or pass file_format='png'",
        )
    return found


def _in_mode(image: Image.Image, color_mode: str) -> Image.Image:
    wanted = COLOR_MODES[color_mode]
    deep_grey = wanted == "L" and image.mode in ("I;16", "I")
    return image.copy() if image.mode == wanted or deep_grey else image.convert(wanted)


def _fitted(
    image: Image.Image, size: tuple[int, int] | None, interpolation: str, keep_aspect_ratio: bool
) -> Image.Image:
    from PIL import Image

    if size is None or image.size == (size[1], size[0]):
        return image
    height, width = size
    box = None
    if keep_aspect_ratio:
        cut_height = min(image.height, image.width * height // width)
        cut_width = min(image.width, image.height * width // height)
        top, left = (image.height - cut_height) // 2, (image.width - cut_width) // 2
        box = (left, top, left + cut_width, top + cut_height)
    return image.resize((width, height), Image.Resampling[interpolation.upper()], box=box)


def _stretched(array: np.ndarray) -> np.ndarray:
    array = array - array.min()
    greatest = array.max()
    return (array / greatest if greatest else array) * 255


def _checked_values(array: np.ndarray) -> np.ndarray:
    most = 255 if array.shape[2] > 1 else np.iinfo(np.int32).max
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > most:
        raise DataError(
            f"values are 0 to {most}",
            where="array_to_img",
            received=f"{array.min():g} to {array.max():g}",
            fix="Pass scale=True to stretch them, or bring them to 0…255 first"
            if np.isfinite(array).all()
            else "Replace NaN and infinite values first, for example with numpy.nan_to_num",
        )
    return array


def _channels_first(where: str, data_format: str | None) -> bool:
    chosen = "channels_last" if data_format is None else data_format
    _check_choice(where, "data_format", chosen, _DATA_FORMATS)
    return chosen == "channels_first"


def _checked_size(size: Any) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise ArgumentError(
            "target_size is (height, width) in pixels",
            where="load_img",
            received=f"target_size={size!r:.100}",
            fix="For example target_size=(224, 224)",
        )
    if size[0] * size[1] > MOST_PIXELS:
        raise ArgumentError(
            f"a picture has at most {MOST_PIXELS} pixels", where="load_img", received=f"target_size={tuple(size)}"
        )
    return size[0], size[1]


def _check_choice(where: str, name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise ArgumentError(
            f"{name} is one of {', '.join(map(repr, known))}",
            where=where,
            received=f"{name}={value!r:.100}",
            fix=suggest(value, known) if isinstance(value, str) else None,
        )


def _wrong_axes(where: str, array: np.ndarray) -> ShapeError:
    one = array.ndim == 4
    return ShapeError(
        "a picture has three axes: height, width and channels",
        where=where,
        received=f"shape {array.shape}",
        fix="Take one picture of the batch: x[0]"
        if one
        else "Add the channel axis: x[..., None]"
        if array.ndim == 2
        else None,
    )
