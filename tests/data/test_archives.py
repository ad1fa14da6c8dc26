"""Tar archives: the wanted members, in order, and no more than is allowed."""

from __future__ import annotations

import gzip
import tarfile

import pytest

from convista.data.archives import tar_members
from convista.errors import DataError
from oracles.cifar_files import tar

MEMBERS = {"a/one.bin": b"1", "a/two.txt": b"22", "b/three.bin": b"333"}


def wanted(path) -> bool:
    return path.suffix == ".bin"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_the_wanted_members_in_order(tmp_path, mode):
    path = tar(tmp_path / "archive", MEMBERS, mode)
    found = [(str(name), content) for name, content in tar_members(path, wanted, largest=3)]
    assert found == [("a/one.bin", b"1"), ("b/three.bin", b"333")]


def message(path, **limits) -> str:
    with pytest.raises(DataError) as caught:
        list(tar_members(path, wanted, **{"largest": 100, **limits}))
    return str(caught.value)


def test_too_large_a_member(tmp_path):
    path = tar(tmp_path / "archive", MEMBERS)
    assert (
        message(path, largest=2)
        == f"{path}: a member of this archive has at most 2 bytes. Received 'b/three.bin' of 3."
    )


@pytest.mark.parametrize("name", ["unwanted.txt", "after the end"])
def test_a_bomb_stops_at_the_limit(tmp_path, name):
    path = tar(tmp_path / "archive", {name: bytes(5_000_000)})
    if name == "after the end":
        path.write_bytes(gzip.compress(bytes(5_000_000)))
    assert message(path, most=1_000_000) == f"{path}: an archive may unpack to at most 1000000 bytes."


def test_a_header_of_any_length_stops_at_the_limit(tmp_path):
    path = tmp_path / "archive"
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(5_000_000)))
    assert message(path, most=1_000_000) == f"{path}: an archive may unpack to at most 1000000 bytes."


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("convista.data.archives.MOST_MEMBERS", 2)
    path = tar(tmp_path / "archive", MEMBERS)
    assert message(path) == f"{path}: an archive may have at most 2 members."


def test_a_bad_checksum_is_seen_after_the_last_member(tmp_path):
    path = tar(tmp_path / "archive", MEMBERS)
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    assert "CRC check failed" in message(path)
