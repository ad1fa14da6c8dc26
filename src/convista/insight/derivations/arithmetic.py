"""Arithmetic that remembers how it was written: a number and the sum or product it came from cannot disagree."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

_SUM, _QUOTIENT, _PRODUCT, _ATOM = 1, 2, 3, 4

Number: TypeAlias = "int | Fraction | Worked"


@dataclass(frozen=True)
class Worked:
    """A number with the expression that gave it, as the lectures write them: ``(28 + 2·1 − 3) // 1 + 1``.

    ``+``, ``-``, ``*``, ``//`` and ``/`` with numbers make longer expressions; brackets stand where they are needed.
    ``//`` rounds down, also below 0.

    Args:
        text: The expression.
        value: What it comes to.
        binding: How tightly its last operation binds: a sum 1, a quotient 2, a product 3, a number 4.

    Example:
        >>> output = (number(28) + number(2) * 1 - 3) // 1 + 1
        >>> output.text, output.value
        ('(28 + 2·1 − 3) // 1 + 1', 28)
    """

    text: str
    value: int | Fraction
    binding: int = _ATOM

    def __add__(self, other: Number) -> Worked:
        right = number(other)
        text = f"({right.text})" if right.text.startswith("−") else right.text
        return Worked(f"{self.text} + {text}", self.value + right.value, _SUM)

    def __sub__(self, other: Number) -> Worked:
        right = number(other)
        return Worked(f"{self.text} − {right._bracketed(_QUOTIENT)}", self.value - right.value, _SUM)

    def __mul__(self, other: Number) -> Worked:
        right = number(other)
        # A quotient is bracketed: a // b·c is read from left to right by Python, and otherwise by many people.
        text = f"{self._bracketed(_PRODUCT)}·{right._bracketed(_PRODUCT)}"
        return Worked(text, self.value * right.value, _PRODUCT)

    def __floordiv__(self, other: Number) -> Worked:
        right = number(other)
        text = f"{self._bracketed(_ATOM)} // {right._bracketed(_ATOM)}"
        return Worked(text, self.value // right.value, _QUOTIENT)

    def __truediv__(self, other: Number) -> Worked:
        right = number(other)
        text = f"{self._bracketed(_ATOM)} / {right._bracketed(_ATOM)}"
        value = Fraction(self.value) / right.value
        return Worked(text, int(value) if value.denominator == 1 else value, _QUOTIENT)

    def _bracketed(self, least: int) -> str:
        return f"({self.text})" if self.binding < least else self.text


def number(value: Number) -> Worked:
    """Return a number as an expression of itself; an expression stays what it is.

    Example:
        >>> number(61952).text, number(-1).text, number(Fraction(1, 2)).text
        ('61 952', '−1', '1/2')
    """
    if isinstance(value, Worked):
        return value
    return Worked(
        spelled(value), value, _SUM if value < 0 else _ATOM if Fraction(value).denominator == 1 else _QUOTIENT
    )


def spelled(value: int | Fraction) -> str:
    """Return a number as the lectures print it: a space between thousands, a true minus, fractions as ``1/2``.

    Example:
        >>> spelled(3100032), spelled(-3)
        ('3 100 032', '−3')
    """
    digits = f"{abs(value.numerator):,}".replace(",", " ")
    below = "" if value.denominator == 1 else f"/{value.denominator}"
    return f"{'−' if value < 0 else ''}{digits}{below}"


def product(factors: Iterable[Number]) -> Worked:
    """Return the product of the factors, 1 for none.

    Example:
        >>> product([3, 3, 3, 8]).text
        '3·3·3·8'
    """
    return functools.reduce(operator.mul, map(number, factors)) if (factors := list(factors)) else number(1)


def total(terms: Iterable[Number]) -> Worked:
    """Return the sum of the terms, 0 for none.

    Example:
        >>> total([product([3, 3, 3, 8]), 8]).text
        '3·3·3·8 + 8'
    """
    return functools.reduce(operator.add, map(number, terms)) if (terms := list(terms)) else number(0)


def largest(*terms: Number) -> Worked:
    """Return the largest of the terms.

    Example:
        >>> largest((number(14) - 1) * 2 + 3 - 28, 0).text
        'max((14 − 1)·2 + 3 − 28, 0)'
    """
    return _chosen("max", [number(term) for term in terms])


def smallest(*terms: Number) -> Worked:
    """Return the smallest of the terms.

    Example:
        >>> smallest(0, -3).text
        'min(0, −3)'
    """
    return _chosen("min", [number(term) for term in terms])


def _chosen(name: str, terms: list[Worked]) -> Worked:
    values = [term.value for term in terms]
    text = f"{name}({', '.join(term.text for term in terms)})"
    return Worked(text, max(values) if name == "max" else min(values))
