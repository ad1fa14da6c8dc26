"""A tar archive of pictures, unpacked into the cache: once, whole or not at all, and never outside its folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from convista.data.archives import tar_members
from convista.data.files import digest_of, regular_file
from convista.data.folder_layout import SPLITS, is_picture
from convista.errors import DataError
from convista.folders import cache_folder

LARGEST_PICTURE = 1 << 28
LARGEST_FOLDER = 1 << 36
"""How many bytes an archive of pictures may unpack to: 64 GiB."""

_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")
_DEEPEST = 16
_LONGEST = 255


def is_archive(path: Path) -> bool:
    """Return whether a path is that of a tar archive, by its name, and no folder.

    Example:
        >>> is_archive(Path("pets.tar.gz")), is_archive(Path("pets"))
        (True, False)
    """
    return path.name.lower().endswith(_ENDINGS) and not path.is_dir()


def unpack_pictures(path: Path, *, largest: int = LARGEST_FOLDER) -> Path:
    """Unpack the pictures of an archive into the cache, or find them there.

    Unpacked they can be read in any order and by several threads; in place that would mean reading a compressed archive
    from its beginning for every picture. The folder's name carries the archive's SHA-256. Only regular files with a
    picture's suffix are written; links, devices and everything else are passed over.

    Args:
        path: A tar archive, plain, gzipped or in xz.
        largest: The most bytes it may unpack to.

    Returns:
        The folder with the splits or the classes.

    Raises:
        DataError: The archive is damaged, larger than allowed, has a picture outside its folder, the same one twice, or
            none; or the disk is full.
    """
    path = regular_file(path)
    target = cache_folder() / "folders" / f"{path.name.split('.')[0]}-{digest_of(path)[:32]}"
    if not target.is_dir():
        print(f"Unpacking {path} into {target}; this is done once.", file=sys.stderr)
        try:
            _unpack(path, target, largest)
        except OSError as error:
            raise DataError(
                f"the archive cannot be unpacked ({error.strerror or error})",
                where=str(path),
                received=f"the folder {target.parent}",
                fix="Make room there, or let CONVISTA_HOME name another folder",
            ) from error
    return _inside(target)


def _unpack(path: Path, target: Path, largest: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    try:
        count = 0
        members = tar_members(path, _is_wanted, largest=LARGEST_PICTURE, most=largest)
        for member, content in members:
            _write(path, temporary, member, content)
            count += 1
        if not count:
            raise DataError(
                "an archive of pictures has one folder for each class, in train/ and test/ or directly",
                where=str(path),
                received="no picture in a folder",
                fix="Pack the folder again, with suffixes such as .jpg or .png",
            )
        # Once for all files, 0.8 s for 3 000: an fsync for each took 4 ms, four minutes for CIFAR-10.
        if hasattr(os, "sync"):
            os.sync()
        _rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_wanted(member: PurePosixPath) -> bool:
    return is_picture(member.name) and not any(part.startswith("._") for part in member.parts)


def _write(path: Path, folder: Path, member: PurePosixPath, content: bytes) -> None:
    """Write one member; ``tar_members`` has refused absolute names and those that climb."""
    parts = member.parts
    if any("\\" in part or PureWindowsPath(part).drive or len(os.fsencode(part)) > _LONGEST for part in parts):
        raise DataError(
            f"the names in an archive are plain and at most {_LONGEST} bytes long",
            where=str(path),
            received=f"{str(member)!r:.200}",
            fix="Rename the file and pack the folder again",
        )
    if len(parts) > _DEEPEST:
        raise DataError(
            f"pictures lie at most {_DEEPEST} folders deep", where=str(path), received=f"{str(member)!r:.200}"
        )
    place = folder.joinpath(*parts)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "xb") as file:
            file.write(content)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError("an archive has each name once", where=str(path), received=repr(str(member))) from error


def _rename(temporary: Path, target: Path) -> None:
    try:
        os.rename(temporary, target)
    except OSError:
        if not target.is_dir():  # otherwise another process was faster, with the same content
            raise


def _inside(folder: Path) -> Path:
    """Return the folder itself, or the one that the archive was packed with: ``pets/`` of ``pets/train/cat/1.jpg``."""
    splits = {name for names in SPLITS.values() for name in names}
    while True:
        entries = list(folder.iterdir())
        alone = len(entries) == 1 and entries[0].is_dir() and entries[0].name.lower() not in splits
        if not alone or not any(entry.is_dir() for entry in entries[0].iterdir()):
            return folder
        folder = entries[0]
