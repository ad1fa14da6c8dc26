"""Text tables."""

from __future__ import annotations

from convista.insight.tables import table


def test_numbers_stand_under_each_other():
    text = table(["class", "n", "share"], [["cat", "5", "0.5"], ["горобець", "1,000", "12.5"]])
    assert text.splitlines() == [
        "class         n  share",
        "cat           5    0.5",
        "горобець  1,000   12.5",
    ]


def test_wide_and_combining_characters_take_their_real_width():
    text = table(["a", "b"], [["猫", "1"], ["e\u0301", "2"], ["xyz", "3"]])
    assert text.splitlines() == ["a    b", "猫   1", "e\u0301    2", "xyz  3"]


def test_no_rows_and_no_trailing_spaces():
    assert table(["a", "b"], []) == "a  b"
    assert table(["name", "what"], [["x", "y"]], left=2) == "name  what\nx     y"
