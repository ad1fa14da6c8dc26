"""Arithmetic as it is printed, read and computed anew: `(28 + 2·1 − 3) // 1 + 1`. Knows nothing of who printed it."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

_OPERATIONS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda one, two: Fraction(one // two),
}
_FUNCTIONS = {"max": max, "min": min}


def worked_out(text: str) -> Fraction:
    """Return what an expression of numbers comes to; a space between digits separates thousands.

    Raises:
        ValueError: It is none.
    """
    plain = re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "", text).replace("·", "*").replace("−", "-")
    if "×" in plain:
        raise ValueError(f"no arithmetic: {text!r}")
    try:
        return _value(ast.parse(plain, mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"no arithmetic: {text!r}") from error


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Fraction(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        return _FUNCTIONS[node.func.id](*map(_value, node.args))
    raise ValueError(f"no arithmetic: {ast.unparse(node)!r}")
