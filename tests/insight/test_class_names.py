"""Classes by name and by number."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Sequential
from convista.errors import ArgumentError
from convista.insight.class_names import class_names, class_number
from convista.layers import Dense


def test_names_are_numbers_unless_there_are_as_many() -> None:
    model = Sequential([Input((2,)), Dense(2)], seed=0)
    assert class_names(model, 2) == ("0", "1")
    model.classes = ("cat", "dog")
    assert class_names(model, 2) == ("cat", "dog")
    assert class_names(model, 3) == ("0", "1", "2")


@pytest.mark.parametrize(("wanted", "number"), [("dog", 1), (2, 2), (np.int64(0), 0)])
def test_a_name_or_a_number(wanted, number: int) -> None:
    assert class_number(wanted, ("cat", "dog", "emu"), "target", "attribute") == number


@pytest.mark.parametrize(
    ("wanted", "rest"),
    [
        ("dgo", ". Received class_='dgo'. Did you mean 'dog'?"),
        (3, ", 0…2. Received class_=3."),
        (-1, ", 0…2. Received class_=-1."),
        (True, ", 0…2. Received class_=True."),
    ],
)
def test_a_class_that_is_none(wanted, rest: str) -> None:
    with pytest.raises(ArgumentError) as error:
        class_number(wanted, ("cat", "dog", "emu"), "class_", "maximize")
    assert str(error.value) == f"maximize: class_ is the name or the number of a class{rest}"
