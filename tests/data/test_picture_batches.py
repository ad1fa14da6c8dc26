"""Batches of picture files: the same whatever the threads, bounded in memory, and without what is no picture."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from PIL import Image

from convista.data import Preprocessing, picture_batches, read_picture
from convista.data.picture_batches import Library, PictureBatches, Reading
from convista.errors import DataError

SHAPE = (6, 8, 3)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    found = []
    for number in range(40):
        size = (8, 6) if number % 2 else (20, 31)
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
        found.append(str(folder / f"{number:02}.png"))
    return found


def batches(paths, *, shuffle=True, keep_bytes=1 << 20, **options):
    settings = {"shape": SHAPE, "preprocessing": Preprocessing(), "batch_size": 7, "classes": 4, "label_mode": "int"}
    settings |= {"seed": 3, "errors": "skip", "workers": 3} | options
    labels = np.arange(len(paths), dtype=np.int32) % 4
    library = Library(tuple(paths), labels, Reading(**settings), keep_bytes)
    return PictureBatches(library, np.arange(len(paths)), shuffle)


def whole(source):
    x, y = zip(*source, strict=True)
    return np.concatenate(x), np.concatenate(y)


def test_in_order_they_are_what_read_picture_reads(paths):
    source = batches(paths)
    x, y = whole(source.in_order())
    np.testing.assert_array_equal(x, [read_picture(path, SHAPE) for path in paths])
    np.testing.assert_array_equal(y, source.y)
    assert (x.dtype, y.dtype, len(source), source.size) == (np.uint8, np.int32, 6, 40)
    assert [str(path) for path in source.paths] == paths
    np.testing.assert_array_equal(source.x[3:5], x[3:5])
    np.testing.assert_array_equal(source.x[-1], x[-1])
    assert source.x.shape == (40, *SHAPE)


@pytest.mark.parametrize("keep_bytes", [0, 10 * 144, 1 << 20])
def test_the_order_depends_on_the_seed_and_the_pass_alone(paths, keep_bytes):
    source = batches(paths)
    first, second = whole(source)[0], whole(source)[0]
    other = batches(paths, workers=1, keep_bytes=keep_bytes)
    np.testing.assert_array_equal(whole(other)[0], first)
    np.testing.assert_array_equal(whole(other)[0], second)
    other.set_epoch(0)
    np.testing.assert_array_equal(whole(other)[0], first)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(first, second)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(whole(batches(paths, seed=4))[0], first)
    assert sorted(first.sum((1, 2, 3))) == sorted(second.sum((1, 2, 3)))


def test_a_pass_that_was_broken_off_does_not_count(paths):
    source = batches(paths)
    next(iter(source))
    np.testing.assert_array_equal(whole(source)[0], whole(batches(paths))[0])


def test_kept_pictures_are_not_read_again_and_memory_is_bounded(paths, monkeypatch):
    read = []
    monkeypatch.setattr(picture_batches, "read_picture", lambda *given: read.append(given[0]) or read_picture(*given))
    bound = 10 * 6 * 8 * 3
    for keep_bytes, again in ((1 << 20, 0), (bound, 30), (bound - 1, 31), (0, 40)):
        source = batches(paths, keep_bytes=keep_bytes)
        expected = whole(source.in_order())[0]
        read.clear()
        np.testing.assert_array_equal(whole(source.in_order())[0], expected)
        assert len(read) == again
        assert source._library._kept.nbytes <= keep_bytes


def test_threads_read_ahead_but_not_without_end(paths, monkeypatch):
    read = []
    monkeypatch.setattr(picture_batches, "read_picture", lambda *given: read.append(given[0]) or read_picture(*given))
    monkeypatch.setattr(picture_batches, "_PIECE", 2)
    source = batches(paths, batch_size=4, workers=2)
    taken = iter(source)
    next(taken)
    deadline = time.monotonic() + 5
    while len(read) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(read) == 12  # the batch that was taken and two that wait
    taken.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("convista-pictures")]


def test_label_modes(paths):
    _, y = whole(batches(paths, label_mode="categorical").in_order())
    assert (y.shape, y.dtype) == ((40, 4), np.float32)
    np.testing.assert_array_equal(y.argmax(1), np.arange(40) % 4)
    y = whole(batches(paths, label_mode="binary").in_order())[1]
    assert (y.shape, y.dtype) == ((40, 1), np.float32)


@pytest.fixture
def broken(paths, tmp_path):
    """Every fourth file is none."""
    whole = (tmp_path / "whole.jpg", Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)))
    whole[1].save(whole[0])
    contents = {"empty.png": b"", "corrupt.jpg": b"no picture", "cut.jpg": whole[0].read_bytes()[:900]}
    contents["bomb.png"] = _bomb()
    bad = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        bad.append(str(tmp_path / name))
    mixed = list(paths)
    mixed[3::10] = bad
    return mixed, bad


def _bomb() -> bytes:
    """A PNG that says it is 30 000 × 30 000."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("shuffle", [True, False])
def test_bad_files_are_skipped_and_named(broken, capsys, shuffle):
    mixed, bad = broken
    source = batches(mixed, shuffle=shuffle)
    assert source.size == 40
    x, y = whole(source)
    source.set_epoch(0)
    again = whole(source)
    np.testing.assert_array_equal(again[0], x)
    assert len(x) == len(y) == source.size == len(source.paths) == 36
    assert [str(one.path) for one in source.skipped] == bad
    assert [one.reason.split(" (")[0] for one in source.skipped] == [
        "the picture file is empty",
        "this is not a picture that can be read",
        "the picture cannot be decoded",
        "a picture has at most 89478485 pixels, received far more",
    ]
    said = capsys.readouterr().err
    assert said.startswith(f"Skipped 4 files: {bad[0]}: the picture file is empty; {bad[1]}: ")
    np.testing.assert_array_equal(whole(source.in_order())[0], source.x[:])
    np.testing.assert_array_equal(whole(source.in_order())[1], source.y)
    assert capsys.readouterr().err == ""


def test_batches_are_the_same_whichever_files_are_known_to_be_bad(broken, capsys):
    mixed, _ = broken
    source = batches(mixed)
    first = [len(y) for _, y in source]
    source.set_epoch(0)
    assert [len(y) for _, y in source] == first
    assert sum(first) == 36
    assert len(first) == len(source) == 6
    capsys.readouterr()


def test_the_first_bad_file_in_order_is_raised(broken):
    mixed, bad = broken
    for workers in (1, 4):
        with pytest.raises(DataError) as caught:
            whole(batches(mixed, shuffle=False, errors="raise", workers=workers))
        assert str(caught.value) == f"{bad[0]}: the picture file is empty."
    with pytest.raises(DataError, match=r"empty\.png: the picture file is empty\."):
        batches(mixed).x[:]


def test_a_folder_of_none_is_an_error(broken, capsys):
    _, bad = broken
    with pytest.raises(DataError) as caught:
        list(batches(bad))
    assert str(caught.value).startswith("image_folder: a split has at least one picture. Received 4 files: ")
    with pytest.raises(DataError) as caught:
        list(batches([]))
    assert str(caught.value) == (
        "image_folder: a split has at least one picture. Received no file with a picture's suffix, such as .jpg."
    )
    capsys.readouterr()


def test_files_that_vanish_are_named(paths, tmp_path, capsys):
    gone = str(tmp_path / "gone.png")
    assert whole(batches([*paths[:3], gone], shuffle=False))[0].shape[0] == 3
    assert capsys.readouterr().err == f"Skipped 1 file: {gone}: there is no such file\n"


def test_parts_are_drawn_class_by_class(paths):
    rest, part = batches(paths).parted(0.3, seed=1)
    assert np.bincount(part.y).tolist() == [3] * 4
    assert np.bincount(rest.y).tolist() == [7] * 4
    assert not set(rest.paths) & set(part.paths)
    assert batches(paths).parted(0.3, seed=1)[1].paths == part.paths
    assert batches(paths).parted(0.3, seed=2)[1].paths != part.paths
    with pytest.raises(DataError) as caught:
        batches(paths).parted(0.01, seed=1)
    assert str(caught.value) == (
        "image_folder: a split leaves pictures on both sides. Received a share of 0.01 of 40 pictures in 4 classes. "
        "Choose a share nearer to 0.5, or collect more pictures."
    )
