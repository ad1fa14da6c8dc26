"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty file that takes the place of ``path`` when the block ends well, and vanishes when it does not.

    Whoever looks at ``path`` sees the old file or the new one, never half of one, even if the machine stops in between.
    A symbolic link stays, and the file that it names is replaced; permissions stay as they were.

    Args:
        path: Where the file shall be; its folder has to exist.

    Yields:
        The temporary file, in the folder of the real one.

    Raises:
        OSError: The folder is missing or cannot be written, or the disk is full; nothing is left behind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / "a.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     (Path(folder) / "a.txt").read_text()
        'whole'
    """
    target = Path(os.path.realpath(path))
    # A short name of its own: the target's may already be as long as the file system allows.
    temporary = target.parent / f".convista-{secrets.token_hex(8)}.part"
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write a file as a whole, see :func:`replacing`.

    Args:
        path: Where the file shall be; its folder has to exist.
        content: The bytes, or a text that is stored as UTF-8.

    Returns:
        The path.

    Raises:
        OSError: See :func:`replacing`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(Path(folder) / "a.txt", "whole").read_text()
        'whole'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def _sync_folder(folder: Path) -> None:
    # The new file is whole and in place; some file systems (and Windows) cannot sync a folder, and that is no failure.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
