"""The cell of lecture 001 runs when its import root is ours."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

from convista.torch import nn

LECTURE = "001_a796755e8f3ec627"
CELL = Path(__file__).parents[1] / "lectures" / "cells" / LECTURE / "01-conv2d.txt"


def test_the_cell_gives_a_weight_and_a_bias_as_the_lecture_prints_them():
    body = ast.parse(CELL.read_text(encoding="utf-8")).body
    names = {"nn": nn}
    exec(compile(ast.Module(body[:-1], []), CELL.name, "exec"), names)  # noqa: S102 - the lecture's own code
    assert isinstance(body[-1], ast.Expr)
    weight, bias = eval(compile(ast.Expression(body[-1].value), CELL.name, "eval"), names)  # noqa: S307
    assert (weight.shape, bias.shape, weight.size + bias.size) == ((1, 3, 2, 2), (1,), 13)
    assert np.abs(np.append(weight, bias)).max() <= 12**-0.5
