"""One worked line: how it prints, how axes are told together, and as data."""

from __future__ import annotations

from fractions import Fraction

from convista.insight.derivations.arithmetic import number
from convista.insight.derivations.lines import Line, axis_names, line, merged


def test_a_line_prints_its_formula_only_where_there_is_one():
    assert str(line("output", "output_h", number(28) // 2)) == "output_h = 28 // 2 = 14"
    assert str(line("output", "output", 1152, "one for each unit")) == "output = 1 152: one for each unit"
    memory = line("memory", "memory", number(256) * 4, "1.00 KB", "bytes")
    assert str(memory) == "memory = 256·4 = 1 024 bytes: 1.00 KB"


def test_axes_that_say_the_same_are_told_once():
    volume = [
        line("output", f"output_{axis}", number(size) // 2) for axis, size in zip("dhw", (16, 8, 16), strict=True)
    ]
    assert [str(item) for item in merged(volume)] == [
        "output_d = 16 // 2 = 8, output_w the same",
        "output_h = 8 // 2 = 4",
    ]
    cube = [line("output", f"output_{axis}", number(16) // 2, "halves") for axis in "dhw"]
    assert [str(item) for item in merged(cube)] == ["output_d = 16 // 2 = 8, output_h and output_w the same: halves"]


def test_lines_of_other_names_notes_or_topics_stay_apart():
    lines = [
        line("output", "output_h", 3),
        line("output", "output_w", 3, "by the layer's own rule"),
        line("loss", "seen_h", 3),
        line("memory", "values", 3),
        line("memory", "memory", 3),
    ]
    assert list(merged(lines)) == lines


def test_data():
    assert Line("receptive_field", "jump_h", "1 / 2", Fraction(1, 2), also=("jump_w",)).to_dict() == {
        "topic": "receptive_field",
        "name": "jump_h",
        "formula": "1 / 2",
        "value": 0.5,
        "unit": "",
        "note": "",
        "also": ["jump_w"],
    }


def test_names_of_axes():
    assert axis_names((10,)) == ("",)
    assert axis_names((60, 4)) == ("_length", "_channels")
    assert axis_names((4, 5, 3, 2)) == ("_d", "_h", "_w", "_channels")
    assert axis_names((1, 2, 3, 4, 5)) == ("_1", "_2", "_3", "_4", "_channels")
    assert axis_names(()) == ()
