"""A word of the command line as a class."""

from __future__ import annotations

import pytest

from convista.cli.class_name import class_named


@pytest.mark.parametrize(
    ("word", "classes", "expected"),
    [
        (None, ("a",), None),
        ("3", None, 3),
        ("3", ("a", "b"), 3),
        ("3", ("3", "1"), "3"),
        ("a", ("a", "b"), "a"),
        ("-1", None, "-1"),
    ],
)
def test_a_name_goes_before_a_number(word, classes, expected):
    assert class_named(word, classes) == expected
