"""IDX, the format in which MNIST and its relatives are published."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import IO

import numpy as np

from convista.data.files import BROKEN_STREAM, read_exactly, regular_file, unpacked
from convista.errors import DataError

LARGEST = 4 << 30
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 8


def read_idx(path: str | os.PathLike[str], *, largest: int = LARGEST) -> np.ndarray:
    """Read one IDX file, raw or gzipped.

    The header is ``00 00 type axes`` and one big-endian 32-bit size per axis; the values follow. The sizes are
    multiplied as Python integers and compared with what the file can hold before any memory is taken.

    Args:
        path: The file. Gzip is recognised by its first bytes, whatever the name.
        largest: The most bytes of values to accept.

    Returns:
        A writable array with the file's shape, in the machine's byte order.

    Raises:
        DataError: The file is missing, truncated, corrupt, not IDX, too large, or has bytes after its last value.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
        >>> read_idx(file)
        array([5, 0, 4], dtype=uint8)

    Source:
        LeCun, Cortes, Burges: The MNIST database of handwritten digits, section "File formats".
    """
    path = regular_file(path)
    try:
        with unpacked(path) as (stream, most):
            return _read(path, stream, most, largest)
    except BROKEN_STREAM as error:
        raise DataError(
            f"the compressed file cannot be read to its end ({error})",
            where=str(path),
            fix="It is truncated or damaged; fetch it again",
        ) from error


def _read(path: Path, stream: IO[bytes], most: int, largest: int) -> np.ndarray:
    dtype, shape, header = _header(path, stream)
    declared = math.prod(shape) * dtype.itemsize
    said = f"{'×'.join(map(str, shape))} values of {dtype.itemsize} byte(s), {declared} bytes"
    if header + declared > most:
        size = path.stat().st_size
        raise DataError(
            "the file is shorter than its header says", where=str(path), received=f"{said}, in a file of {size} bytes"
        )
    if declared > largest:
        raise DataError(f"the values may take at most {largest} bytes", where=str(path), received=said)
    content = read_exactly(stream, declared)
    if len(content) < declared:
        raise DataError(
            "the file is shorter than its header says",
            where=str(path),
            received=f"{said}, of which {len(content)} came",
        )
    if stream.read(1):
        raise DataError("the file goes on after its last value", where=str(path), received=said)
    values = np.frombuffer(content, dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _header(path: Path, stream: IO[bytes]) -> tuple[np.dtype, tuple[int, ...], int]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataError("an IDX file starts with four bytes of magic number", where=str(path), received=repr(magic))
    if magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= _MOST_AXES:
        raise DataError(
            "an IDX file starts with 00 00, a type (08, 09, 0b, 0c, 0d or 0e) and its number of axes "
            f"(1 to {_MOST_AXES})",
            where=str(path),
            received=magic.hex(" "),
            fix="Check that this is the published file and not a web page saved under its name",
        )
    axes = magic[3]
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError("the file ends inside its header", where=str(path), received=f"{4 + len(sizes)} bytes")
    shape = struct.unpack(f">{axes}I", sizes)
    if 0 in shape:
        raise DataError("every axis of an IDX file has at least one value", where=str(path), received=f"shape {shape}")
    return np.dtype(_TYPES[magic[2]]), shape, 4 + 4 * axes
