"""IDX files: what NumPy wrote comes back, and whatever is wrong is named."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from convista.data import read_idx
from convista.errors import DataError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(values: np.ndarray) -> bytes:
    code = CODES[values.dtype.str[1:]]
    header = struct.pack(f">4B{values.ndim}I", 0, 0, code, values.ndim, *values.shape)
    return header + values.astype(values.dtype.newbyteorder(">")).tobytes()


VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_comes_back(tmp_path, code, packed):
    values = (np.arange(24) - (0 if code == "u1" else 12)).astype(code).reshape(2, 3, 4)
    file = tmp_path / "values"
    file.write_bytes(gzip.compress(idx(values)) if packed else idx(values))
    found = read_idx(file)
    assert found.dtype == values.dtype
    assert found.dtype.isnative
    assert found.flags.writeable
    np.testing.assert_array_equal(found, values)


def message(file, content: bytes, **options) -> str:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(file, **options)
    return str(caught.value)


def test_wrong_magic(tmp_path):
    file = tmp_path / "train-images-idx3-ubyte"
    assert message(file, b"<html>not found</html>") == (
        f"{file}: an IDX file starts with 00 00, a type (08, 09, 0b, 0c, 0d or 0e) and its number of axes (1 to 8). "
        "Received 3c 68 74 6d. Check that this is the published file and not a web page saved under its name."
    )


def test_a_file_shorter_than_its_header(tmp_path):
    file = tmp_path / "values"
    assert message(file, idx(VALUES)[:-1]) == (
        f"{file}: the file is shorter than its header says. Received 2×3×4 values of 1 byte(s), 24 bytes, "
        "in a file of 39 bytes."
    )
    assert message(file, gzip.compress(idx(VALUES)[:-1])) == (
        f"{file}: the file is shorter than its header says. Received 2×3×4 values of 1 byte(s), 24 bytes, "
        "of which 23 came."
    )


def test_a_file_longer_than_its_header(tmp_path):
    file = tmp_path / "values"
    expected = f"{file}: the file goes on after its last value. Received 2×3×4 values of 1 byte(s), 24 bytes."
    assert message(file, idx(VALUES) + b"\0") == expected
    assert message(file, gzip.compress(idx(VALUES) + b"\0")) == expected


def test_a_header_cannot_ask_for_memory(tmp_path):
    huge = b"\0\0\x0e\x08" + b"\xff" * 32
    for content in (huge, gzip.compress(huge + bytes(1000))):
        assert "the file is shorter than its header says" in message(tmp_path / "values", content)


def test_a_gzip_bomb_stops_at_the_limit(tmp_path):
    bomb = gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, 10_000_000) + bytes(10_000_000))
    file = tmp_path / "bomb.gz"
    assert message(file, bomb, largest=1_000_000) == (
        f"{file}: the values may take at most 1000000 bytes. Received 10000000 values of 1 byte(s), 10000000 bytes."
    )


@pytest.mark.parametrize("keep", [5, 20, -12, -4, -1])
def test_truncated_gzip(tmp_path, keep):
    file = tmp_path / "values.gz"
    text = message(file, gzip.compress(idx(VALUES))[:keep])
    assert text.startswith(f"{file}: the compressed file cannot be read to its end (")
    assert text.endswith("). It is truncated or damaged; fetch it again.")


def test_corrupt_gzip_is_caught_by_its_checksum(tmp_path):
    content = bytearray(gzip.compress(idx(VALUES)))
    content[-8] ^= 1
    text = message(tmp_path / "values.gz", bytes(content))
    assert "the compressed file cannot be read to its end (CRC check failed" in text


@pytest.mark.parametrize("content", [b"", b"\0\0\x08"])
def test_too_short_for_a_magic_number(tmp_path, content):
    file = tmp_path / "values"
    assert message(file, content) == (
        f"{file}: an IDX file starts with four bytes of magic number. Received {content!r}."
    )


def test_header_cut_short_and_empty_axis(tmp_path):
    file = tmp_path / "values"
    assert message(file, idx(VALUES)[:9]) == f"{file}: the file ends inside its header. Received 9 bytes."
    empty = struct.pack(">4B2I", 0, 0, 8, 2, 0, 2**32 - 1)
    assert message(file, empty) == (
        f"{file}: every axis of an IDX file has at least one value. Received shape (0, 4294967295)."
    )


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(DataError) as caught:
        read_idx(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: there is no such file. Check the path."
    with pytest.raises(DataError) as caught:
        read_idx(tmp_path)
    assert str(caught.value) == (f"{tmp_path}: a file is needed and this is a folder. Give the path of a file in it.")
