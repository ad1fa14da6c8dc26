"""Datasets in .npz: NumPy writes, and nothing but plain integers is read."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from convista.data import read_npz
from convista.errors import DataError

X = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
Y = np.array([3, 1], np.uint8)
GOOD = {"x_train": X, "y_train": Y, "x_test": X[:1], "y_test": Y[:1]}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keras_layout_comes_back(tmp_path, save):
    save(tmp_path / "mnist.npz", **GOOD)
    train, test = read_npz(tmp_path / "mnist.npz")
    np.testing.assert_array_equal(train.x, X[..., None])
    np.testing.assert_array_equal(train.y, Y)
    assert train.y.dtype == np.int32
    assert test.x.shape == (1, 4, 4, 1)
    assert train.x.flags.writeable


def test_colour_pictures_column_labels_and_fortran_order(tmp_path):
    x = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    np.savez(tmp_path / "d.npz", **{**GOOD, "x_train": np.asfortranarray(x), "y_train": np.array([[7], [8]])})
    train, _ = read_npz(tmp_path / "d.npz")
    np.testing.assert_array_equal(train.x, x)
    assert train.y.tolist() == [7, 8]


def message(file, **arrays) -> str:
    np.savez(file, **arrays)
    with pytest.raises(DataError) as caught:
        read_npz(file)
    return str(caught.value)


def test_missing_keys(tmp_path):
    file = tmp_path / "d.npz"
    assert message(file, x=X, y=Y) == (f"{file}: an .npz dataset has x_train, y_train, x_test, y_test. Received x, y.")


def test_objects_are_refused(tmp_path):
    file = tmp_path / "d.npz"
    text = message(file, **{**GOOD, "y_train": np.array([print, None], object)})
    assert text == f"{file}: y_train: pictures and labels are stored as integers. Received dtype object."


def test_wrong_types_and_counts(tmp_path):
    file = tmp_path / "d.npz"
    assert message(file, **{**GOOD, "x_train": X.astype(np.float32)}).endswith("Received dtype float32.")
    assert message(file, **{**GOOD, "x_train": X.astype(np.int32)}) == (
        f"{file}: x_train: pictures are uint8 of shape (count, height, width) or (count, height, width, channels). "
        "Received int32 of shape (2, 4, 4)."
    )
    assert message(file, **{**GOOD, "y_test": Y}) == (
        f"{file}: y_test: there is one label for each picture. Received 1 pictures and labels of shape (2,)."
    )
    assert message(file, **{**GOOD, "y_test": np.array([-1])}) == (
        f"{file}: y_test: labels are 0 or more. Received -1…-1."
    )
    assert message(file, **{**GOOD, "x_test": X[:0]}).endswith("Received shape (0, 4, 4).")


def npy(header: str, content: bytes) -> bytes:
    start = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(start)) + start + content


def with_x_train(file, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x_train.npy", content)
        for key in ("y_train", "x_test", "y_test"):
            stream = io.BytesIO()
            np.save(stream, GOOD[key])
            archive.writestr(f"{key}.npy", stream.getvalue())


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(2, 4, 5)", "(True, 4, 8)", "(18446744073709551616, 4, 4)"])
def test_a_header_cannot_ask_for_memory(tmp_path, shape):
    file = tmp_path / "d.npz"
    with_x_train(file, npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n", X.tobytes()))
    with pytest.raises(DataError, match=r"an array has as many values|arrays have 1 to 4 axes") as caught:
        read_npz(file)
    assert str(caught.value).startswith(f"{file}: x_train: ")


def test_a_zip_bomb_stops_at_the_limit(tmp_path):
    file = tmp_path / "d.npz"
    with_x_train(file, bytes(10_000_000))
    with pytest.raises(DataError) as caught:
        read_npz(file, largest=1_000_000)
    declared = 10_000_000 + 3 * 128 + Y.nbytes + 16 + 1
    assert str(caught.value) == f"{file}: the arrays may take at most 1000000 bytes. Received {declared}."


def test_not_a_zip_truncated_and_bzip2(tmp_path):
    file = tmp_path / "d.npz"
    file.write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        read_npz(file)
    assert str(caught.value) == (
        f"{file}: the .npz file cannot be read (BadZipFile: File is not a zip file). "
        "It is truncated, damaged or another format; fetch it again."
    )
    np.savez(file, **GOOD)
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(file)
    with_x_train(file, b"", zipfile.ZIP_BZIP2)
    with pytest.raises(DataError, match=r"x_train: arrays are stored or deflated. Received method 12"):
        read_npz(file)
