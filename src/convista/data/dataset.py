"""What a dataset is once it is in memory: pictures, labels, the names of the classes, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convista.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures with their labels.

    Args:
        x: Pictures, uint8, shape ``(count, height, width, channels)``, values 0 to 255.
        y: Labels, integers, shape ``(count,)``.

    Raises:
        DataError: A shape or a type is another one, or the two counts differ.

    Example:
        >>> Split(np.zeros((2, 8, 8, 1), np.uint8), np.array([3, 7])).y
        array([3, 7])
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        _check_pictures(self.x)
        _check_labels(self.y)
        if len(self.x) != len(self.y):
            raise DataError(
                "there is one label for each picture",
                where="Split",
                received=f"{len(self.x)} pictures and {len(self.y)} labels",
                fix="Check that both come from the same half of the dataset",
            )

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named dataset: a half to train on, a half to test on.

    Args:
        name: The name it is loaded by, for example ``"mnist"``.
        train: The pictures and labels to learn from.
        test: The pictures and labels to judge by.
        classes: The name of each class; label ``k`` is ``classes[k]``.
        source: Where the data came from, its licence and what to cite.

    Raises:
        DataError: A label has no class, or the pictures of the two halves differ in shape.

    Example:
        >>> from convista.data import load
        >>> digits = load("digits")
        >>> digits.train.x.shape, digits.classes[digits.test.y[0]]
        ((1437, 8, 8, 1), '0')
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        if self.train.x.shape[1:] != self.test.x.shape[1:]:
            raise DataError(
                "training and test pictures have the same shape",
                where=f"Dataset {self.name!r}",
                received=f"{self.train.x.shape[1:]} and {self.test.x.shape[1:]}",
            )
        for half, split in (("train", self.train), ("test", self.test)):
            self._check_classes(half, split.y)

    def _check_classes(self, half: str, labels: np.ndarray) -> None:
        outside = (labels < 0) | (labels >= len(self.classes))
        if outside.any():
            first = int(np.argmax(outside))
            raise DataError(
                f"labels run from 0 to {len(self.classes) - 1}, one for each of {len(self.classes)} classes",
                where=f"Dataset {self.name!r}",
                received=f"{half}.y[{first}]={int(labels[first])}",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one picture: (height, width, channels)."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels


def _check_pictures(x: np.ndarray) -> None:
    if not isinstance(x, np.ndarray) or x.ndim != 4 or x.dtype != np.uint8:
        raise DataError(
            "pictures are a uint8 array of shape (count, height, width, channels)",
            where="Split.x",
            received=_described(x),
        )


def _check_labels(y: np.ndarray) -> None:
    if not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError("labels are an integer array of shape (count,)", where="Split.y", received=_described(y))


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__
