"""One-hot labels: Keras's values where Keras is right, and an error where it goes wrong silently."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from convista.errors import ArgumentError, ConvistaError, DataError
from convista.keras.utils import set_random_seed, to_categorical
from convista.models import Sequential


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1, 2, 3], 4),
        ([0, 2, 1], None),
        ([1], 3),
        (np.array([[3], [0]], np.uint8), 10),
        (np.array([[0, 1], [2, 0]]), 3),
        (np.array([[[1], [0]]]), None),
        ([2.0, 0.0], 3),
        (3, 5),
        (np.array([True, False]), 2),
        ([], 4),
    ],
)
def test_the_values_are_those_of_keras(labels, classes) -> None:
    found, expected = to_categorical(labels, classes), keras.utils.to_categorical(labels, classes)
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    np.testing.assert_array_equal(found, expected)
    if found.size:
        with pytest.raises(AssertionError):
            np.testing.assert_array_equal(np.roll(found, 1, axis=-1), expected)


@pytest.mark.parametrize(
    ("labels", "classes", "kind", "message"),
    [
        (
            [0, 10, 3],
            10,
            DataError,
            "to_categorical: labels run from 0 to 9. Received x[1]=10. Give num_classes=11, or leave it out.",
        ),
        (
            [1, 2, 3],
            3,
            DataError,
            "to_categorical: labels run from 0 to 2. Received x[2]=3. These labels begin at 1; pass x - 1.",
        ),
        ([0, -1], 3, DataError, "to_categorical: labels run from 0 to 2. Received x[1]=-1."),
        ([[0], [-2]], None, DataError, "to_categorical: labels run from 0. Received x[1]=-2."),
        ([0.5], 3, DataError, "to_categorical: labels are whole numbers. Received x[0]=0.5."),
        ([0, np.nan], 3, DataError, "to_categorical: labels are whole numbers. Received x[1]=nan."),
        ([0, np.inf], 3, DataError, "to_categorical: labels are whole numbers. Received x[1]=inf."),
        (7, 3, DataError, "to_categorical: labels run from 0 to 2. Received x=7. Give num_classes=8, or leave it out."),
        (
            ["cat", "dog"],
            2,
            DataError,
            "to_categorical: labels are whole numbers. Received dtype <U3. "
            "Number the classes first: names, numbers = numpy.unique(labels, return_inverse=True).",
        ),
        (
            [],
            None,
            DataError,
            "to_categorical: without num_classes there is a label to count the classes by. Received no labels. "
            "Give num_classes=10.",
        ),
        ([0], 0, ArgumentError, "to_categorical: num_classes is a whole number of at least 1. Received num_classes=0."),
    ],
)
def test_labels_that_cannot_be_right(labels, classes, kind, message) -> None:
    with pytest.raises(ConvistaError) as error:
        to_categorical(labels, classes)
    assert type(error.value) is kind
    assert str(error.value) == message


def test_the_seed_is_that_of_new_models() -> None:
    set_random_seed(7)
    try:
        assert Sequential().seed == 7
    finally:
        set_random_seed(0)
    assert Sequential().seed == 0
