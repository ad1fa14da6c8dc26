"""A dataset in the shapes that Keras gives it."""

from __future__ import annotations

import numpy as np

from convista.data import Dataset

Pair = tuple[np.ndarray, np.ndarray]


def grey(dataset: Dataset) -> tuple[Pair, Pair]:
    """Return ``(x, y)`` of both halves: pictures without a channel axis, labels as a row, both uint8."""
    train, test = dataset.train, dataset.test
    return (train.x[..., 0], train.y.astype(np.uint8)), (test.x[..., 0], test.y.astype(np.uint8))


def colour(dataset: Dataset) -> tuple[Pair, Pair]:
    """Return ``(x, y)`` of both halves: pictures with three channels, labels as a column, both uint8."""
    train, test = dataset.train, dataset.test
    return (train.x, train.y.astype(np.uint8)[:, None]), (test.x, test.y.astype(np.uint8)[:, None])
