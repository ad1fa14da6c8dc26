"""CIFAR-10 and CIFAR-100 as their author published them: the binary version and the Python version."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convista.data.archives import tar_members
from convista.data.dataset import Split
from convista.data.files import regular_file
from convista.data.pickled import read_pickled
from convista.errors import ArgumentError, DataError

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_LARGEST_FILE = 512 << 20


@dataclass(frozen=True)
class _Version:
    """How one version of the set is laid out: its files, the labels before each picture, and the label's key."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    label_bytes: int
    label_key: bytes
    pickled: bool

    @property
    def files(self) -> tuple[str, ...]:
        return self.train + self.test


_BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))
_VERSIONS = {
    10: (
        _Version(tuple(f"{b}.bin" for b in _BATCHES), ("test_batch.bin",), 1, b"labels", pickled=False),
        _Version(_BATCHES, ("test_batch",), 1, b"labels", pickled=True),
    ),
    100: (
        _Version(("train.bin",), ("test.bin",), 2, b"fine_labels", pickled=False),
        _Version(("train",), ("test",), 2, b"fine_labels", pickled=True),
    ),
}


def read_cifar(path: str | os.PathLike[str], *, classes: int = 10) -> tuple[Split, Split]:
    """Read CIFAR-10 or CIFAR-100 from a folder or from its ``tar.gz``, in the binary or the Python version.

    The archive is read as a stream and never unpacked onto the disk. The pickles of the Python version are interpreted
    by ``convista.data.pickled``: nothing in them is executed.

    Args:
        path: A folder such as ``cifar-10-batches-bin``, or an archive such as ``cifar-10-python.tar.gz``.
        classes: 10, or 100 for CIFAR-100 with its fine labels.

    Returns:
        The training and the test pictures, uint8 ``(count, 32, 32, 3)``, with int32 labels.

    Raises:
        ArgumentError: ``classes`` is neither 10 nor 100.
        DataError: A file is missing, truncated, damaged, or holds something else; the message names it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in _VERSIONS[100][0].files:
        ...     _ = (folder / name).write_bytes(bytes([3, 42]) + bytes(3072))
        >>> train, test = read_cifar(folder, classes=100)
        >>> train.x.shape, train.y
        ((1, 32, 32, 3), array([42], dtype=int32))

    Source:
        A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    if classes not in _VERSIONS:
        raise ArgumentError("CIFAR has 10 or 100 classes", where="read_cifar", received=f"classes={classes!r}")
    path = Path(path)
    found: dict[str, Split] = {}
    version: _Version | None = None
    for name, content in _folder_files(path, classes) if path.is_dir() else _archive_files(path, classes):
        version = _version_of(name, classes)
        read = _from_pickle if version.pickled else _from_records
        found[name] = read(version, content, f"{path}: {name}")
    if version is None:
        raise DataError(f"there are no CIFAR-{classes} files here", where=str(path), received=_listing(path))
    missing = [name for name in version.files if name not in found]
    if missing:
        raise DataError(f"CIFAR-{classes} is incomplete: {', '.join(missing)} missing", where=str(path))
    return _joined([found[name] for name in version.train]), _joined([found[name] for name in version.test])


def cifar_is_in(folder: Path, *, classes: int) -> bool:
    """Tell whether a folder holds any data file of CIFAR with so many classes."""
    return any((folder / name).is_file() for version in _VERSIONS[classes] for name in version.files)


def _version_of(name: str, classes: int) -> _Version:
    return next(version for version in _VERSIONS[classes] if name in version.files)


def _folder_files(folder: Path, classes: int) -> Iterator[tuple[str, bytes]]:
    for version in _VERSIONS[classes]:
        present = [name for name in version.files if (folder / name).exists()]
        for name in present:
            file = regular_file(folder / name)
            size = file.stat().st_size
            if size > _LARGEST_FILE:
                raise DataError(f"a CIFAR file has at most {_LARGEST_FILE} bytes", where=str(file), received=str(size))
            yield name, file.read_bytes()
        if present:
            return


def _archive_files(path: Path, classes: int) -> Iterator[tuple[str, bytes]]:
    names = {name for version in _VERSIONS[classes] for name in version.files}
    seen: set[bool] = set()
    for member, content in tar_members(path, lambda member: member.name in names, largest=_LARGEST_FILE):
        seen.add(_version_of(member.name, classes).pickled)
        if len(seen) > 1:
            raise DataError("an archive has the binary or the Python version, not both", where=str(path))
        yield member.name, content


def _from_records(version: _Version, content: bytes, where: str) -> Split:
    record = version.label_bytes + _PIXELS
    if not content or len(content) % record:
        raise DataError(
            f"a binary CIFAR file is a whole number of {record}-byte records",
            where=where,
            received=f"{len(content)} bytes",
            fix="It is truncated or another file; fetch it again",
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    return Split(_pictures(rows[:, version.label_bytes :]), rows[:, version.label_bytes - 1].astype(np.int32))


def _from_pickle(version: _Version, content: bytes, where: str) -> Split:
    batch = read_pickled(content, where=where)
    if not isinstance(batch, dict):
        raise DataError("a CIFAR batch is a dictionary", where=where, received=type(batch).__name__)
    key = version.label_key
    rows = batch.get(b"data", batch.get("data"))
    labels = batch.get(key, batch.get(key.decode()))
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != _PIXELS:
        raise DataError(f"'data' is a uint8 array of shape (count, {_PIXELS})", where=where)
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise DataError(f"{key.decode()!r} is a list of labels from 0 to 255", where=where)
    if len(labels) != len(rows):
        raise DataError(
            "there is one label for each picture",
            where=where,
            received=f"{len(rows)} pictures and {len(labels)} labels",
        )
    return Split(_pictures(rows), np.array(labels, np.int32))


def _pictures(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1))


def _joined(parts: list[Split]) -> Split:
    return Split(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))


def _listing(path: Path) -> str:
    if not path.is_dir():
        return "an archive without them"
    names = sorted(entry.name for entry in path.iterdir())
    return f"a folder with {', '.join(names[:8])}" if names else "an empty folder"
