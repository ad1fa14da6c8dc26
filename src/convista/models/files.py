"""Files of models on the disk: read with every mistake worded, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import errno
import io
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from convista import atomic
from convista.errors import ArgumentError, ModelFileError

FILE_LIMIT = 2_000_000_000
"""Most bytes in one file (zipfile changes to Zip64, which the reader refuses, a little above)."""

DAMAGED = "The file is damaged: take another copy of it or save it again"


class MissingModelFileError(ModelFileError, FileNotFoundError):
    """There is no file under this name."""


@dataclass(frozen=True)
class Source:
    """An open file, its real size, and how its mistakes are worded."""

    path: str
    file: io.BufferedReader
    size: int

    def wrong(self, field: str | None, rule: str, received: str | None = None, fix: str = DAMAGED) -> ModelFileError:
        where = self.path if field is None else f"{self.path}, {field}"
        return ModelFileError(rule, where=where, received=received, fix=fix)

    def bytes_at(self, offset: int, count: int, field: str) -> bytes:
        """``count`` bytes from ``offset``; the caller has bounded ``count``, this compares it with the real size."""
        if offset + count > self.size:
            raise self.wrong(field, "it ends inside the file", f"bytes {offset} to {offset + count} of {self.size}")
        self.file.seek(offset)
        data = self.file.read(count)
        if len(data) != count:
            raise self._shorter(field)
        return data

    def fill(self, buffer: memoryview, offset: int, field: str) -> None:
        self.file.seek(offset)
        if self.file.readinto(buffer) != len(buffer):
            raise self._shorter(field)

    def _shorter(self, field: str) -> ModelFileError:
        return self.wrong(field, "the file became shorter while it was read", fix="Load it when nobody writes to it")


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Source]:
    """The file under ``path``, open for reading; whatever prevents that, then or later, is one ``ModelFileError``."""
    shown = path_text(path)
    try:
        mode = os.stat(shown).st_mode
        if stat.S_ISDIR(mode):
            raise ModelFileError("this is a folder, not a file", where=shown, fix="Name the file inside it")
        # Opening a pipe waits for somebody to write to it, for ever if need be.
        if not stat.S_ISREG(mode):
            raise ModelFileError("this is a pipe or a device, not a file", where=shown, fix="Copy it to a file first")
        with open(shown, "rb") as file:
            yield _sized(shown, file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(shown) from error
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "there is not enough memory for it"
        fix = "Check the file's permissions and the disk, or copy it elsewhere"
        raise ModelFileError(f"the file cannot be read: {reason}", where=shown, fix=fix) from error


def _sized(shown: str, file: io.BufferedReader) -> Source:
    source = Source(shown, file, os.fstat(file.fileno()).st_size)
    if source.size == 0:
        raise source.wrong(None, "the file is empty")
    if source.size > FILE_LIMIT:
        rule = f"a file has at most {FILE_LIMIT} bytes"
        raise source.wrong(None, rule, f"{source.size} bytes", "This is not a model that Convista wrote")
    return source


def _missing(shown: str) -> MissingModelFileError:
    folder, name = os.path.split(shown)
    error = MissingModelFileError("there is no such file", where=shown, fix=_similar(folder or os.curdir, name))
    error.errno = errno.ENOENT
    return error


def _similar(folder: str, name: str) -> str:
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in itertools.islice(found, 1_000) if entry.is_file())
    except OSError:
        return f"The folder {folder!r} does not exist either: check the path"
    endings = (".convista", ".safetensors")
    models = [other for other in names if other.endswith(endings)]
    exact = [name + ending for ending in endings if name + ending in models]
    close = exact or difflib.get_close_matches(name, models, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {os.path.join(folder, close[0])!r}?"
    if models:
        return f"Models in {folder!r}: {', '.join(models[:5])}{', …' if len(models) > 5 else ''}"
    return f"The folder {folder!r} holds no saved models: check the path"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[io.BufferedWriter]:
    """A new file that takes the place of ``path`` when the block ends well, and vanishes when it does not."""
    shown = path_text(path)
    target = os.path.realpath(shown)
    try:
        _check_target(shown, target)
        with atomic.replacing(target) as temporary, open(temporary, "wb") as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error)
        fix = "Check the free space and the permissions of the folder, or save elsewhere; what was there before is kept"
        raise ModelFileError(f"the file cannot be written: {reason}", where=shown, fix=fix) from error


def _check_target(shown: str, target: str) -> None:
    """Check that a file can stand at ``target``."""
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        fix = f"Make it first: os.makedirs({folder!r}, exist_ok=True)"
        raise ModelFileError(f"the folder {folder!r} does not exist", where=shown, fix=fix)
    if not os.path.exists(target):
        return
    mode = os.stat(target).st_mode
    if stat.S_ISDIR(mode):
        fix = f"Name a file inside it: {os.path.join(shown, 'model.convista')!r}"
        raise ModelFileError("this is a folder, not a file", where=shown, fix=fix)
    if not stat.S_ISREG(mode):
        raise ModelFileError("this is a pipe or a device, not a file", where=shown, fix="Name a file")
    if not os.access(target, os.W_OK):
        fix = "Choose another name or allow writing to it"
        raise ModelFileError("the file is write-protected", where=shown, fix=fix)


def path_text(path: str | os.PathLike[str]) -> str:
    """The name of a file as text."""
    try:
        text = os.fspath(path)
    except TypeError as error:
        fix = "Pass a text or a pathlib.Path"
        raise ArgumentError("path is the name of a file", received=show(path), fix=fix) from error
    if not isinstance(text, str) or not text or "\0" in text:
        raise ArgumentError("path is the name of a file", received=show(text), fix="Pass a text or a pathlib.Path")
    return text


def show(value: object) -> str:
    """Word a value that came from a file or a user in at most 80 characters, none of them unprintable."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
