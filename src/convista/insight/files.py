"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write a file under a temporary name in its own folder, force it to the disk and rename it.

    Whoever looks at `path` sees the old file or the new one, never half of one, even when the machine stops in between.

    Args:
        path: Where the file shall be; its folder has to exist.
        content: The bytes, or a text that is stored as UTF-8.

    Returns:
        The path.

    Raises:
        OSError: The folder is missing or cannot be written, or the disk is full; nothing is left behind.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(Path(folder) / "a.txt", "whole").read_text()
        'whole'
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that nobody else can read; a result is as readable as anything else the user writes.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
