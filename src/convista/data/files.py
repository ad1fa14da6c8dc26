"""Files as data: opened only when regular, read only as far as they really go."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from convista.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
XZ_MAGIC = b"\xfd7zXZ\x00"
# No unpacked byte count exceeds the packed one times this, so a header can be doubted before anything is unpacked: 1032
# is deflate's limit (zlib's technical notes), about 7 000 what xz reaches on zeros.
_RATIOS = {"gzip": 1032, "xz": 1 << 14}
BROKEN_STREAM = (EOFError, zlib.error, lzma.LZMAError, OSError)
_CHUNK = 1 << 20


class Readable(Protocol):
    """Anything that hands out bytes on request."""

    def read(self, count: int, /) -> bytes:
        """Return at most ``count`` bytes, none at the end."""
        ...


def regular_file(path: str | os.PathLike[str]) -> Path:
    """Return the path when it names a readable regular file; devices, pipes and folders are refused.

    Args:
        path: A file's path.

    Returns:
        The same path as a ``pathlib.Path``.

    Raises:
        DataError: Nothing is there, it is not a file, or it may not be read.

    Example:
        >>> regular_file(__file__).suffix
        '.py'
    """
    path = Path(path)
    if path.is_file() and os.access(path, os.R_OK):
        return path
    if path.is_dir():
        raise DataError("a file is needed and this is a folder", where=str(path), fix="Give the path of a file in it")
    if not path.exists():
        raise DataError("there is no such file", where=str(path), fix="Check the path")
    if not path.is_file():
        raise DataError("a regular file is needed; devices and pipes are not read", where=str(path))
    raise DataError("this file may not be read", where=str(path), fix="Check its permissions")


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file and see through gzip or xz, known by their first bytes and not by the name.

    Args:
        path: A regular file.

    Yields:
        The stream of unpacked bytes, and how many it can be at most.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(len(XZ_MAGIC))
        file.seek(0)
        if start.startswith(GZIP_MAGIC):
            with gzip.GzipFile(fileobj=file) as unzipped:
                yield cast(IO[bytes], unzipped), size * _RATIOS["gzip"]
        elif start == XZ_MAGIC:
            with lzma.LZMAFile(file) as unpacked_xz:
                yield unpacked_xz, size * _RATIOS["xz"]
        else:
            yield file, size


def read_exactly(stream: Readable, count: int) -> bytearray:
    """Read up to ``count`` bytes, taking memory only for bytes that arrive.

    Args:
        stream: Where to read.
        count: How many bytes at most, from a header that may lie.

    Returns:
        The bytes; fewer than ``count`` when the stream ends early.

    Example:
        >>> read_exactly(io.BytesIO(b"abc"), 10**18)
        bytearray(b'abc')
    """
    content = bytearray()
    while len(content) < count:
        piece = stream.read(min(_CHUNK, count - len(content)))
        if not piece:
            break
        content += piece
    return content


class BoundedFile:
    """A file whose ``read`` never prepares more memory than there are bytes left.

    Python's buffered files allocate what is asked for before they look, and archive readers ask for what a header says.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def read(self, count: int = -1, /) -> bytes:
        """Return up to ``count`` bytes, or all that are left."""
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if count is None or count < 0 else min(count, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, as in ``io``."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True: it stands on a regular file."""
        return True

    def close(self) -> None:
        """Leave the file open; whoever opened it closes it."""


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's hexadecimal digest, read in pieces."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
