"""Tar archives read from front to back; nothing is ever unpacked onto the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from convista.data.files import BROKEN_STREAM, regular_file, unpacked
from convista.errors import DataError

LARGEST_ARCHIVE = 4 << 30
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
        most: The most bytes that all members together may declare.

    Yields:
        A member's path and its content.

    Raises:
        DataError: The archive is damaged or truncated, a member is larger than allowed, or a wanted member's path is
            absolute or climbs with ``..``.
    """
    # Imported here because it takes 20 ms, and most programs read no archive.
    import tarfile

    regular_file(path)
    try:
        with unpacked(path) as (stream, _), tarfile.open(fileobj=stream, mode="r|") as archive:
            yield from _wanted_members(path, archive, wanted, largest, most)
            # Only at its end does the compressed stream's checksum get compared.
            while stream.read(_CHUNK):
                pass
    except (tarfile.TarError, ValueError, OverflowError, *BROKEN_STREAM) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"the archive cannot be read to its end ({type(error).__name__}: {error})",
            where=str(path),
            fix="It is truncated or damaged; fetch it again",
        ) from error


def _wanted_members(path, archive, wanted, largest, most) -> Iterator[tuple[PurePosixPath, bytes]]:
    total = 0
    for member in archive:
        total += max(0, member.size)
        if total > most:
            raise DataError(
                f"an archive may unpack to at most {most} bytes", where=str(path), received=f"{total} or more"
            )
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
