from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convista import arguments
from convista.errors import ArgumentError

ANYTHING = st.one_of(
    st.integers(-5, 5),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.none(),
    st.booleans(),
    st.lists(st.one_of(st.integers(-2, 9), st.none(), st.floats(), st.text(max_size=2)), max_size=4),
    st.dictionaries(st.integers(), st.integers(), max_size=2),
)


@given(ANYTHING, st.integers(1, 3), st.integers(0, 2))
def test_integers_returns_a_tuple_of_that_length_or_says_why_not(value, rank, minimum):
    try:
        result = arguments.integers(value, rank, "size", minimum=minimum)
    except ArgumentError as error:
        told = str(error)
        assert f"Received size={value!r}. For example size=" in told
    else:
        assert len(result) == rank
        assert all(type(number) is int and number >= minimum for number in result)
        assert result == ((value,) * rank if isinstance(value, int) else tuple(value))


@given(ANYTHING)
def test_whatever_is_given_gets_an_answer_or_one_of_our_errors(value):
    for check in (
        lambda: arguments.integer(value, "filters"),
        lambda: arguments.shape(value),
        lambda: arguments.fraction(value, "rate"),
        lambda: arguments.one_of(value, ("valid", "same"), "padding"),
        lambda: arguments.number(value, "epsilon"),
    ):
        try:
            check()
        except ArgumentError as error:
            told = str(error)
            assert repr(value) in told


def test_forms_that_people_use():
    assert arguments.integers(np.int64(3), 2, "a") == (3, 3)
    assert arguments.integers(np.array([3, 2]), 2, "a") == (3, 2)
    assert arguments.integers([3, 2], 2, "a") == (3, 2)
    assert arguments.integers(range(2, 4), 2, "a") == (2, 3)
    assert type(arguments.integer(np.int32(3), "a")) is int
    assert arguments.shape(np.array([28, 28])) == (28, 28)
    assert arguments.shape(size for size in (28, 28)) == (28, 28)
    assert arguments.shape((None, 3)) == (None, 3)
    assert arguments.shape(()) == ()
    assert arguments.fraction(np.float32(0.5), "rate") == 0.5
    assert arguments.fraction(Fraction(1, 4), "rate") == 0.25
    assert arguments.fraction(0, "rate") == 0.0
    assert arguments.number(np.float32(2), "scale") == 2.0
    assert arguments.one_of("SAME", ("valid", "same"), "padding") == "same"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: arguments.integer(0, "filters", where="Conv2D 'a'"),
            "Conv2D 'a': filters is a whole number of at least 1. Received filters=0.",
        ),
        (lambda: arguments.integer(True, "filters"), "filters is a whole number of at least 1. Received filters=True."),
        (lambda: arguments.integer(3.0, "filters"), "filters is a whole number of at least 1. Received filters=3.0."),
        (
            lambda: arguments.integers((3, 3, 3), 2, "kernel_size"),
            "kernel_size is one whole number or 2 of them, each at least 1. Received kernel_size=(3, 3, 3). "
            "For example kernel_size=2 or kernel_size=(2, 2).",
        ),
        (
            lambda: arguments.one_of("sane", ("valid", "same"), "padding"),
            "padding is 'valid' or 'same'. Received padding='sane'. Did you mean 'same'?",
        ),
        (
            lambda: arguments.one_of(None, ("a", "b", "c"), "mode"),
            "mode is 'a', 'b' or 'c'. Received mode=None.",
        ),
        (lambda: arguments.one_of("x", ("a",), "mode"), "mode is 'a'. Received mode='x'. Known: a."),
        (
            lambda: arguments.fraction(20, "rate", below_one=True),
            "rate is a fraction at least 0 and below 1. Received rate=20. For example rate=0.2.",
        ),
        (
            lambda: arguments.fraction(1.5, "rate", below_one=True),
            "rate is a fraction at least 0 and below 1. Received rate=1.5.",
        ),
        (
            lambda: arguments.fraction(1.0, "rate", below_one=True),
            "rate is a fraction at least 0 and below 1. Received rate=1.0.",
        ),
        (
            lambda: arguments.fraction(float("nan"), "momentum"),
            "momentum is a fraction between 0 and 1. Received momentum=nan.",
        ),
        (
            lambda: arguments.shape((28, 28, 0), "input_shape"),
            "input_shape is a tuple of whole numbers of at least 1, without the batch axis. "
            "Received input_shape=(28, 28, 0). For grey 28×28 pictures write input_shape=(28, 28, 1).",
        ),
        (
            lambda: arguments.padding(((1, 1),), 2, where="Conv2D"),
            "Conv2D: padding has one pair (before, after) for each of 2 axes. Received padding=((1, 1),). For "
            "example padding=((1, 1), (1, 1)).",
        ),
        (lambda: arguments.padding(1, 2), "padding is 'valid' or 'same'. Received padding=1."),
        (
            lambda: arguments.padding((1, 1), 2),
            "padding has one pair (before, after) for each of 2 axes. Received padding=(1, 1). For example "
            "padding=((1, 1), (1, 1)).",
        ),
        (lambda: arguments.number("2", "scale"), "scale is a finite number. Received scale='2'."),
        (lambda: arguments.number(float("inf"), "scale"), "scale is a finite number. Received scale=inf."),
    ],
)
def test_messages(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message
