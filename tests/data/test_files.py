"""Files are read as far as they go, and written whole."""

from __future__ import annotations

import io
import os
import stat

import pytest

from convista.data.files import BoundedFile, read_exactly, regular_file
from convista.errors import DataError


def test_reading_takes_what_is_there():
    assert read_exactly(io.BytesIO(bytes(3_000_000)), 10**18) == bytes(3_000_000)
    assert read_exactly(io.BytesIO(b"abcd"), 2) == b"ab"


def test_a_bounded_file_never_asks_for_more_than_is_left(tmp_path):
    class Watched(io.BytesIO):
        asked = 0

        def read(self, count=-1, /):
            Watched.asked = max(Watched.asked, count)
            return super().read(count)

    file = BoundedFile(Watched(b"abcdef"))
    assert file.read(2) == b"ab"
    assert file.read(10**18) == b"cdef"
    assert file.read() == b""
    file.seek(1)
    assert file.tell() == 1
    assert file.read() == b"bcdef"
    assert Watched.asked == 5


def test_devices_and_pipes_are_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    for path in (pipe, "/dev/zero"):
        with pytest.raises(DataError) as caught:
            regular_file(path)
        assert str(caught.value) == f"{path}: a regular file is needed; devices and pipes are not read."
