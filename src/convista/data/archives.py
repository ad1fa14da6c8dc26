"""Tar archives read from front to back; nothing is ever unpacked onto the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from convista.data.files import BROKEN_STREAM, regular_file, unpacked
from convista.errors import DataError

if TYPE_CHECKING:
    import tarfile

LARGEST_ARCHIVE = 1 << 30
MOST_MEMBERS = 200_000
_CHUNK = 1 << 20


def tar_members(
    path: Path, wanted: Callable[[PurePosixPath], bool], *, largest: int, most: int = LARGEST_ARCHIVE
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the regular files of a tar archive that are wanted, in the archive's order.

    The archive may be plain, gzipped or in xz. Links, devices and sparse files are passed over, wanted or not.

    Args:
        path: The archive.
        wanted: Tells from a member's path whether it is.
        largest: The most bytes that one wanted member may declare.
        most: The most bytes that the archive may unpack to.

    Yields:
        A member's path and its content.

    Raises:
        DataError: The archive is damaged or truncated, it or a member is larger than allowed, or a wanted member's path
            is absolute or climbs with ``..``.
    """
    # Imported here because it takes 20 ms, and most programs read no archive.
    import tarfile

    regular_file(path)
    try:
        with unpacked(path) as (stream, _):
            counted = _Counted(path, stream, most)
            with tarfile.open(fileobj=cast(IO[bytes], counted), mode="r|") as archive:
                yield from _wanted_members(path, archive, wanted, largest)
            # Only at its end does the compressed stream's checksum get compared.
            while counted.read(_CHUNK):
                pass
    except (tarfile.TarError, ValueError, OverflowError, *BROKEN_STREAM) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"the archive cannot be read to its end ({type(error).__name__}: {error})",
            where=str(path),
            fix="It is truncated or damaged; fetch it again",
        ) from error


class _Counted:
    """A stream that ends with an error after so many bytes: a small archive can unpack to any number of them."""

    def __init__(self, path: Path, stream: IO[bytes], most: int):
        self._path, self._stream, self._most = path, stream, most
        self._count = 0

    def read(self, count: int) -> bytes:
        piece = self._stream.read(min(count, _CHUNK))
        self._count += len(piece)
        if self._count > self._most:
            raise DataError(f"an archive may unpack to at most {self._most} bytes", where=str(self._path))
        return piece


def _wanted_members(
    path: Path, archive: tarfile.TarFile, wanted: Callable[[PurePosixPath], bool], largest: int
) -> Iterator[tuple[PurePosixPath, bytes]]:
    for number, member in enumerate(archive):
        if number == MOST_MEMBERS:
            raise DataError(f"an archive may have at most {MOST_MEMBERS} members", where=str(path))
        name = PurePosixPath(member.name)
        if not member.isreg() or member.issparse() or not wanted(name):
            continue
        if name.is_absolute() or ".." in name.parts:
            raise DataError("members stay inside their archive", where=str(path), received=repr(member.name))
        if not 0 <= member.size <= largest:
            raise DataError(
                f"a member of this archive has at most {largest} bytes",
                where=str(path),
                received=f"{member.name!r} of {member.size}",
            )
        file = archive.extractfile(member)
        if file is None:
            raise DataError("a regular member has content", where=str(path), received=repr(member.name))
        with file:
            yield name, file.read()
