"""Datasets in NumPy's ``.npz``, with the keys that Keras gave ``mnist.npz``."""

from __future__ import annotations

import io
import math
import os
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from convista.data.dataset import Split
from convista.data.files import BoundedFile, read_exactly, regular_file
from convista.errors import DataError

KEYS = ("x_train", "y_train", "x_test", "y_test")
LARGEST = 4 << 30
_MOST_AXES = 4
_LONGEST_START = 1 << 17
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    OSError,
    SyntaxError,
    TypeError,
)


def read_npz(path: str | os.PathLike[str], *, largest: int = LARGEST) -> tuple[Split, Split]:
    """Read ``x_train``, ``y_train``, ``x_test`` and ``y_test`` from an ``.npz`` file.

    Objects (pickles) are refused. What the file declares is compared with what it holds, as Python integers, before
    memory is taken, and each array's checksum afterwards.

    Args:
        path: The file.
        largest: The most bytes that the arrays may have together.

    Returns:
        The training and the test half: uint8 ``(count, height, width, channels)`` with int32 labels. Pictures of three
        axes get a channel axis; labels of shape ``(count, 1)`` lose theirs.

    Raises:
        DataError: A key is missing, an array has another type or shape, or the file is damaged.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "tiny.npz"
        >>> x, y = np.zeros((2, 4, 4), np.uint8), np.array([0, 1])
        >>> np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
        >>> read_npz(file)[0].x.shape
        (2, 4, 4, 1)
    """
    path = regular_file(path)
    try:
        with open(path, "rb") as file, zipfile.ZipFile(cast(IO[bytes], BoundedFile(file))) as archive:
            arrays = _arrays(path, archive, largest)
    except _DAMAGED as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"the .npz file cannot be read ({type(error).__name__}: {error})",
            where=str(path),
            fix="It is truncated, damaged or another format; fetch it again",
        ) from error
    return _split(path, arrays, "train"), _split(path, arrays, "test")


def _arrays(path: Path, archive: zipfile.ZipFile, largest: int) -> dict[str, np.ndarray]:
    names = archive.namelist()
    missing = [key for key in KEYS if f"{key}.npy" not in names]
    if missing:
        raise DataError(
            f"an .npz dataset has {', '.join(KEYS)}",
            where=str(path),
            received=", ".join(name.removesuffix(".npy") for name in names[:8]) or "nothing",
        )
    infos = {key: archive.getinfo(f"{key}.npy") for key in KEYS}
    declared = sum(info.file_size for info in infos.values())
    if declared > largest:
        raise DataError(f"the arrays may take at most {largest} bytes", where=str(path), received=f"{declared}")
    return {key: _array(f"{path}: {key}", archive, info) for key, info in infos.items()}


def _array(where: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError("arrays are stored or deflated", where=where, received=f"method {info.compress_type}")
    with archive.open(info) as stream:
        content = read_exactly(stream, info.file_size)
        if len(content) < info.file_size or stream.read(1):
            raise DataError("an array has the size that the archive declares", where=where, received=f"{len(content)}")
    return _parsed(where, content)


def _parsed(where: str, content: bytearray) -> np.ndarray:
    start = io.BytesIO(content[:_LONGEST_START])
    version = np.lib.format.read_magic(start)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise DataError(".npy arrays have version 1.0 or 2.0", where=where, received=f"{version}")
    with warnings.catch_warnings():
        # NumPy warns of headers written by Python 2 and of odd escapes in damaged ones.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = readers[version](start)
    if dtype.kind not in "iu":
        raise DataError("pictures and labels are stored as integers", where=where, received=f"dtype {dtype}")
    if len(shape) > _MOST_AXES or not all(type(size) is int and size > 0 for size in shape):
        raise DataError(f"arrays have 1 to {_MOST_AXES} axes, none empty", where=where, received=f"shape {shape}")
    held = len(content) - start.tell()
    if math.prod(shape) * dtype.itemsize != held:
        raise DataError(
            "an array has as many values as its header says",
            where=where,
            received=f"shape {shape} of {dtype} and {held} bytes",
        )
    return np.frombuffer(content, dtype, offset=start.tell()).reshape(shape, order="F" if fortran else "C")


def _split(path: Path, arrays: dict[str, np.ndarray], half: str) -> Split:
    x, y = arrays[f"x_{half}"], arrays[f"y_{half}"]
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise DataError(
            "pictures are uint8 of shape (count, height, width) or (count, height, width, channels)",
            where=f"{path}: x_{half}",
            received=f"{x.dtype} of shape {x.shape}",
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(x):
        raise DataError(
            "there is one label for each picture",
            where=f"{path}: y_{half}",
            received=f"{len(x)} pictures and labels of shape {y.shape}",
        )
    if int(y.min()) < 0 or int(y.max()) > np.iinfo(np.int32).max:
        raise DataError("labels are 0 or more", where=f"{path}: y_{half}", received=f"{int(y.min())}…{int(y.max())}")
    return Split(np.ascontiguousarray(x if x.ndim == 4 else x[..., None]), y.astype(np.int32))
