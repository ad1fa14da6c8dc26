"""The datasets come in the shapes and dtypes that Keras gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convista.data import Dataset, Split
from convista.errors import ArgumentError
from convista.keras import datasets


def made(channels: int, size: int) -> Dataset:
    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        x = generator.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
        return Split(x, generator.integers(0, 10, count, dtype=np.int32))

    return Dataset("made", split(6), split(3), tuple("0123456789"), "made by this test")


@pytest.mark.parametrize(
    ("name", "channels", "size", "train", "test"),
    [
        ("mnist", 1, 28, ((6, 28, 28), (6,)), ((3, 28, 28), (3,))),
        ("fashion_mnist", 1, 28, ((6, 28, 28), (6,)), ((3, 28, 28), (3,))),
        ("cifar10", 3, 32, ((6, 32, 32, 3), (6, 1)), ((3, 32, 32, 3), (3, 1))),
        ("cifar100", 3, 32, ((6, 32, 32, 3), (6, 1)), ((3, 32, 32, 3), (3, 1))),
    ],
)
def test_shapes_and_values(monkeypatch, name, channels, size, train, test) -> None:
    data = made(channels, size)
    monkeypatch.setattr(f"convista.keras.datasets.{name}.load", lambda asked: {name: data}[asked])
    halves = getattr(datasets, name).load_data()
    assert tuple((x.shape, y.shape) for x, y in halves) == (train, test)
    for (x, y), split in zip(halves, (data.train, data.test), strict=True):
        assert x.dtype == y.dtype == np.uint8
        np.testing.assert_array_equal(x.reshape(split.x.shape), split.x)
        np.testing.assert_array_equal(y.ravel(), split.y)
        assert not np.array_equal(y.ravel()[::-1], split.y)


def test_the_real_mnist(mnist_folder: Path) -> None:
    (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == (
        (60000, 28, 28),
        (60000,),
        (10000, 28, 28),
        (10000,),
    )
    assert x_train.dtype == y_train.dtype == x_test.dtype == y_test.dtype == np.uint8
    assert y_train[:3].tolist() == [5, 0, 4]


@pytest.mark.parametrize(("mode", "fix"), [("coarse", "Leave label_mode out."), ("fin", "Did you mean 'fine'?")])
def test_cifar100_has_fine_labels_only(mode: str, fix: str) -> None:
    with pytest.raises(ArgumentError) as error:
        datasets.cifar100.load_data(mode)
    assert str(error.value) == (
        'cifar100.load_data: Convista reads the 100 classes, label_mode="fine"; Keras also has the 20 coarse ones. '
        f"Received label_mode={mode!r}. {fix}"
    )
