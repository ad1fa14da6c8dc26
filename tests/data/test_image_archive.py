"""CIFAR-10 as JPEG files: decoded once, in an order that mixes the classes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convista.data import load
from convista.data.image_archive import read_image_archive
from convista.errors import DataError
from oracles.cifar_files import tar

CLASSES = ("cat", "dog")


def jpeg(value: int, size: tuple[int, int] = (32, 32)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (value, 0, 255 - value)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


MEMBERS = {
    f"{half}/{name}/{number:04}.jpg": jpeg(100 * label + 10 * number)
    for half in ("test", "train")
    for label, name in enumerate(CLASSES)
    for number in range(2 if half == "test" else 3)
}


def test_order_and_pixels(tmp_path, capsys):
    path = tar(tmp_path / "pictures.tar.xz", {**MEMBERS, "train/cow/0000.jpg": b"", "notes.txt": b""}, "w:xz")
    train, test = read_image_archive(path, CLASSES, kept=tmp_path / "kept")
    assert train.y.tolist() == [0, 1, 0, 1, 0, 1]
    assert test.y.tolist() == [0, 1, 0, 1]
    means = train.x[..., 0].mean((1, 2))
    np.testing.assert_allclose(means, [0, 100, 10, 110, 20, 120], atol=4)
    assert "this is done once" in capsys.readouterr().err
    (kept,) = os.listdir(tmp_path / "kept")
    again, _ = read_image_archive(path, CLASSES, kept=tmp_path / "kept")
    np.testing.assert_array_equal(again.x, train.x)
    assert capsys.readouterr().err == ""
    (tmp_path / "kept" / kept).write_bytes(b"damaged")
    again, _ = read_image_archive(path, CLASSES, kept=tmp_path / "kept")
    np.testing.assert_array_equal(again.x, train.x)
    assert "It is replaced." in capsys.readouterr().err


def message(tmp_path, members) -> str:
    path = tar(tmp_path / "pictures.tar.xz", members, "w:xz")
    with pytest.raises(DataError) as caught:
        read_image_archive(path, CLASSES, kept=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    return str(caught.value).removeprefix(f"{path}: ")


def test_what_is_no_picture_is_named(tmp_path):
    name = "train/cat/0001.jpg"
    assert message(tmp_path, {name: jpeg(5, (31, 32))}) == f"{name}: these pictures are 32×32. Received (31, 32)."
    assert message(tmp_path, {name: jpeg(5)[:300]}).startswith(f"{name}: the picture cannot be decoded (")
    assert message(tmp_path, {name: b"GIF89a"}).startswith(f"{name}: the picture cannot be decoded (")
    assert message(tmp_path, {"a.txt": b""}) == "there are no pictures train/CLASS/NUMBER.jpg in this archive."


@pytest.mark.slow
def test_the_real_pictures(tmp_path, monkeypatch):
    if not os.environ.get("CONVISTA_DATA"):
        pytest.skip("set CONVISTA_DATA to the folder with the data sets to run this test")
    folder = Path(os.environ["CONVISTA_DATA"])
    if not (folder / "cifar10" / "cifar10-images.tar.xz").is_file():
        pytest.skip("CONVISTA_DATA has no cifar10/cifar10-images.tar.xz")
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    cifar = load("cifar10", offline=True)
    assert cifar.train.x.shape == (50_000, 32, 32, 3)
    assert cifar.test.x.shape == (10_000, 32, 32, 3)
    assert np.bincount(cifar.train.y).tolist() == [5000] * 10
    assert cifar.train.y[:11].tolist() == [*range(10), 0]
    assert "JPEG is lossy" in cifar.source
