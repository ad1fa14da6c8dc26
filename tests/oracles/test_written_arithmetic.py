"""The reader of printed arithmetic: what it reads, and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from oracles.written_arithmetic import worked_out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(28 + 2·1 − 3) // 1 + 1", 28),
        ("61 952·10 + 10", 619530),
        ("max(3 000, 2) − min(0, −3)", 3003),
        ("−7 // 2", -4),
        ("(1/2)·3", Fraction(3, 2)),
    ],
)
def test_arithmetic_is_read(text, value):
    assert worked_out(text) == value


@pytest.mark.parametrize("text", ["", "28×28", "28 28", "x + 1", "2**3", "open('a')", "1.5", "28 +", "all of it"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="no arithmetic"):
        worked_out(text)
