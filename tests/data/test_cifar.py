"""CIFAR in both versions, from folders and archives, and pickles that would like to run."""

from __future__ import annotations

import pickle
import tarfile

import numpy as np
import pytest

from convista.data import read_cifar
from convista.errors import ArgumentError, DataError
from oracles.cifar_files import NAMES, batch, cifar10, python2_pickle, records, tar


def expected() -> tuple[np.ndarray, list[int]]:
    """The five training batches by plain loops: channel, row, column → row, column, channel."""
    pictures, labels = [], []
    for seed in range(5):
        rows, found = batch(2, seed)
        for row in rows:
            picture = np.zeros((32, 32, 3), np.uint8)
            for channel in range(3):
                picture[:, :, channel] = row[channel * 1024 : (channel + 1) * 1024].reshape(32, 32)
            pictures.append(picture)
        labels += found
    return np.stack(pictures), labels


@pytest.mark.parametrize("version", ["bin", "py"])
@pytest.mark.parametrize("place", ["folder", "tar.gz", "tar.xz", "tar"])
def test_both_versions_from_everywhere(tmp_path, version, place):
    files = cifar10(version)
    if place == "folder":
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        path = tmp_path
    else:
        members = {"cifar/readme.html": b"<html>", **{f"cifar/{name}": content for name, content in files.items()}}
        mode = {"tar.gz": "w:gz", "tar.xz": "w:xz", "tar": "w"}[place]
        path = tar(tmp_path / f"cifar.{place}", members, mode)
    train, test = read_cifar(path)
    x, y = expected()
    np.testing.assert_array_equal(train.x, x)
    assert train.y.tolist() == y
    assert train.y.dtype == np.int32
    assert train.x.dtype == np.uint8
    assert test.x.shape == (2, 32, 32, 3)
    assert test.y.tolist() == [5, 6]


def test_members_in_another_order_are_put_right(tmp_path):
    files = cifar10("bin")
    train, _ = read_cifar(tar(tmp_path / "c.tar.gz", dict(reversed(files.items()))))
    np.testing.assert_array_equal(train.x, expected()[0])


def test_cifar100_takes_the_fine_labels(tmp_path):
    rows, coarse = batch(3)
    fine = [99, 0, 42]
    for name in ("train", "test"):
        (tmp_path / f"{name}.bin").write_bytes(records(rows, coarse, fine))
    assert read_cifar(tmp_path, classes=100)[0].y.tolist() == fine
    other = tmp_path / "py"
    other.mkdir()
    for name in ("train", "test"):
        (other / name).write_bytes(python2_pickle(rows, fine, "fine_labels"))
    assert read_cifar(other, classes=100)[1].y.tolist() == fine


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickles_of_python_3(tmp_path, protocol):
    rows, labels = batch(2)
    for name in NAMES:
        (tmp_path / name).write_bytes(pickle.dumps({"data": rows, "labels": labels, "name": name}, protocol))
    assert read_cifar(tmp_path)[1].y.tolist() == labels


def message(path, **options) -> str:
    with pytest.raises(DataError) as caught:
        read_cifar(path, **options)
    return str(caught.value)


def test_the_message_names_what_is_wrong(tmp_path):
    assert message(tmp_path) == f"{tmp_path}: there are no CIFAR-10 files here. Received an empty folder."
    for name, content in cifar10("bin").items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "data_batch_3.bin").unlink()
    assert message(tmp_path) == f"{tmp_path}: CIFAR-10 is incomplete: data_batch_3.bin missing."
    (tmp_path / "data_batch_3.bin").write_bytes(bytes(3072))
    assert message(tmp_path) == (
        f"{tmp_path}: data_batch_3.bin: a binary CIFAR file is a whole number of 3073-byte records. "
        "Received 3072 bytes. It is truncated or another file; fetch it again."
    )
    with pytest.raises(ArgumentError) as caught:
        read_cifar(tmp_path, classes=20)
    assert str(caught.value) == "read_cifar: CIFAR has 10 or 100 classes. Received classes=20."


def test_counts_that_differ_in_a_pickle(tmp_path):
    rows, _ = batch(2)
    path = tar(tmp_path / "c.tar.gz", {"c/data_batch_1": python2_pickle(rows, [1, 2, 3])})
    assert message(path) == (
        f"{path}: data_batch_1: there is one label for each picture. Received 2 pictures and 3 labels."
    )


def test_members_that_climb_links_and_bombs(tmp_path):
    climbing = tar(tmp_path / "a.tar.gz", {"../data_batch_1.bin": bytes(3073)})
    assert message(climbing) == f"{climbing}: members stay inside their archive. Received '../data_batch_1.bin'."
    link = tmp_path / "b.tar.gz"
    with tarfile.open(link, "w:gz") as archive:
        info = tarfile.TarInfo("data_batch_1.bin")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert message(link) == f"{link}: there are no CIFAR-10 files here. Received an archive without them."
    bomb = tmp_path / "c.tar"
    info = tarfile.TarInfo("data_batch_1.bin")
    info.size = 1 << 30
    bomb.write_bytes(info.tobuf() + bytes(10240))
    assert message(bomb) == (
        f"{bomb}: a member of this archive has at most 536870912 bytes. Received 'data_batch_1.bin' of 1073741824."
    )


def test_a_truncated_archive(tmp_path):
    path = tar(tmp_path / "c.tar.gz", cifar10("bin"))
    content = path.read_bytes()
    for keep in (0, 100, len(content) // 2, len(content) - 9, len(content) - 1):
        path.write_bytes(content[:keep])
        assert message(path).startswith(f"{path}: ")
    damaged = bytearray(content)
    damaged[-6] ^= 1
    path.write_bytes(damaged)
    assert "CRC check failed" in message(path)
