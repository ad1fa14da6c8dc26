"""The library's arguments in the words of the command line."""

from __future__ import annotations

import pytest

from convista.cli.option_names import options_named
from convista.errors import ArgumentError, ShapeError


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            {"class_": "--class"},
            ArgumentError("a class", received="class_='a cat'"),
            "a class. Received --class 'a cat'.",
        ),
        ({"shift": "--pixels"}, ArgumentError("a shift", received="shift=100"), "a shift. Received --pixels 100."),
        (
            {"input_shape": "--input"},
            ShapeError("28×28×3", received="input_shape=(28, 28, 1)", fix="Leave input_shape out"),
            "28×28×3. Received --input 28,28,1. Leave --input out.",
        ),
        (
            {"target": "--class"},
            ArgumentError("target is a name", received="target=-3", fix="The target is known"),
            "--class is a name. Received --class -3. The target is known.",
        ),
        ({"padding": "--padding"}, ShapeError("x", fix='Use padding="same", or'), "x. Use --padding same, or."),
    ],
)
def test_what_is_said(options, error, text):
    with pytest.raises(type(error)) as caught, options_named(**options):
        raise error
    assert str(caught.value) == text
