"""Splits and datasets hold what they promise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from convista.data import Dataset, Split
from convista.errors import DataError


def split(count: int = 3, side: int = 4) -> Split:
    return Split(np.zeros((count, side, side, 1), np.uint8), np.arange(count) % 2)


def message(make) -> str:
    with pytest.raises(DataError) as caught:
        make()
    return str(caught.value)


def test_arguments_are_kept_as_given():
    x, y = np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1])
    half = Split(x, y)
    assert half.x is x
    assert half.y is y
    assert len(half) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        half.x = x


def test_counts_agree():
    assert message(lambda: Split(np.zeros((2, 4, 4, 1), np.uint8), np.array([1]))) == (
        "Split: there is one label for each picture. Received 2 pictures and 1 labels. "
        "Check that both come from the same half of the dataset."
    )


def test_types_and_shapes():
    assert message(lambda: Split(np.zeros((2, 4, 4), np.uint8), np.array([1, 0]))) == (
        "Split.x: pictures are a uint8 array of shape (count, height, width, channels). "
        "Received uint8 of shape (2, 4, 4)."
    )
    assert message(lambda: Split(np.zeros((2, 4, 4, 1)), np.array([1, 0]))).endswith(
        "Received float64 of shape (2, 4, 4, 1)."
    )
    assert message(lambda: Split(np.zeros((2, 4, 4, 1), np.uint8), [1, 0])) == (
        "Split.y: labels are an integer array of shape (count,). Received list."
    )


def test_labels_stay_inside_the_classes():
    assert message(lambda: Dataset("d", split(), split(), ("one",), "")) == (
        "Dataset 'd': labels run from 0 to 0, one for each of 1 classes. Received train.y[1]=1."
    )
    negative = Split(split().x, np.array([0, 0, -1]))
    assert message(lambda: Dataset("d", split(), negative, ("a", "b"), "")) == (
        "Dataset 'd': labels run from 0 to 1, one for each of 2 classes. Received test.y[2]=-1."
    )


def test_halves_have_one_shape():
    assert message(lambda: Dataset("d", split(), split(side=5), ("a", "b"), "")) == (
        "Dataset 'd': training and test pictures have the same shape. Received (4, 4, 1) and (5, 5, 1)."
    )
    assert Dataset("d", split(), split(), ("a", "b"), "").shape == (4, 4, 1)
