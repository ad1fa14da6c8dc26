"""Written arithmetic comes to its value, whatever it is made of."""

from __future__ import annotations

from fractions import Fraction

import hypothesis
import pytest
from hypothesis import strategies

from convista.insight.derivations.arithmetic import Worked, largest, number, product, smallest, spelled, total
from oracles.written_arithmetic import worked_out

NUMBERS = strategies.integers(-2_000_000, 2_000_000)
EXPRESSIONS = strategies.recursive(
    NUMBERS.map(number),
    lambda parts: strategies.one_of(
        strategies.builds(Worked.__add__, parts, parts),
        strategies.builds(Worked.__sub__, parts, parts),
        strategies.builds(Worked.__mul__, parts, parts),
        strategies.builds(lambda one, two: one // two, parts, NUMBERS.filter(bool)),
        strategies.builds(lambda one, two: one / two, parts, NUMBERS.filter(bool)),
        strategies.builds(largest, parts, parts),
        strategies.builds(smallest, parts, parts),
    ),
    max_leaves=8,
)


@hypothesis.given(EXPRESSIONS)
@hypothesis.settings(max_examples=300)
def test_what_is_written_comes_to_the_value(worked):
    assert worked_out(worked.text) == worked.value
    assert worked_out(spelled(worked.value)) == worked.value


def test_a_wrong_bracket_would_be_found():
    assert worked_out("2 + 3·4") != ((number(2) + 3) * 4).value
    assert worked_out("8 // 2·2") != (number(8) // (number(2) * 2)).value


@pytest.mark.parametrize(
    ("worked", "text"),
    [
        ((number(28) + number(2) * 1 - 3) // 1 + 1, "(28 + 2·1 − 3) // 1 + 1"),
        (number(5) - (number(3) - 1), "5 − (3 − 1)"),
        (number(5) + (number(3) - 1), "5 + 3 − 1"),
        (number(5) + number(-3), "5 + (−3)"),
        (number(8) * (number(4) // 2) * 5, "8·(4 // 2)·5"),
        ((number(8) // 2) * 5, "(8 // 2)·5"),
        (number(-1) - number(2) * 2, "−1 − 2·2"),
        (number(-1) * 2, "(−1)·2"),
        (number(Fraction(1, 2)) * 3, "(1/2)·3"),
        (total([product([3, 3]), 8]), "3·3 + 8"),
        (product([]), "1"),
        (total([]), "0"),
        (number(1) / 2, "1 / 2"),
    ],
)
def test_brackets_stand_where_they_are_needed(worked, text):
    assert worked.text == text


def test_a_whole_quotient_is_a_whole_number():
    assert (number(4) / 2).value == 2
    assert type((number(4) / 2).value) is int
    assert (number(1) / 2).value == Fraction(1, 2)
