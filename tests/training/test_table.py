from __future__ import annotations

import numpy as np

from convista.training.table import cell, write_table


def test_missing_cells_are_empty_and_old_tables_are_replaced(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    assert write_table(path, ["a", "b"], [{"a": 1}, {"b": "x, y"}]) == path
    assert path.read_text() == 'a,b\n1,\n,"x, y"\n'


def test_a_row_that_does_not_fit_leaves_the_old_table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    try:
        write_table(path, ["a"], [{"a": 1}, {"z": 2}])
    except ValueError:
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]
    else:
        raise AssertionError("a column that is not in the header was dropped")


def test_cells():
    assert [cell(value) for value in (None, 0.5, "x", np.float32(0.5), np.array([1, 2]), (3,))] == [
        "",
        0.5,
        "x",
        0.5,
        "[1, 2]",
        "[3]",
    ]
