"""Numbers as a worked line shows them, and activation functions written out with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_WHOLE = 1e6  # up to here a whole number is written out


def shown(value: float) -> str:
    """Return a number with four significant digits and a real minus; a whole one as it is.

    Example:
        >>> shown(-0.123456), shown(5.0), shown(1e-7)
        ('−0.1235', '5', '1e−07')
    """
    number = float(value)
    if number.is_integer() and abs(number) < _WHOLE:
        return str(int(number)).replace("-", "−")
    return f"{number:.4g}".replace("-", "−")


def factor(value: float) -> str:
    """Return a number as it stands behind a sign for multiplication or addition: a negative one in brackets.

    Example:
        >>> factor(2), factor(-0.5)
        ('2', '(−0.5)')
    """
    text = shown(value)
    return f"({text})" if text.startswith("−") else text


def added(values: list[float]) -> str:
    """Return numbers as a sum.

    Example:
        >>> added([0.5, -2.0, 1.0])
        '0.5 − 2 + 1'
    """
    text = " ".join(
        f"− {shown(value)[1:]}" if shown(value).startswith("−") else f"+ {shown(value)}" for value in values
    )
    return text[2:] if text.startswith("+") else text.replace("− ", "−", 1)


@dataclass(frozen=True)
class Line:
    """One line of a calculation.

    Args:
        name: What is computed: ``"sum"``, ``"bias"``, ``"relu"``.
        formula: How, with the numbers.
        value: What comes out.
    """

    name: str
    formula: str
    value: float

    def __str__(self) -> str:
        middle = f" = {self.formula}" if self.formula else ""
        return f"{self.name}{middle} = {shown(self.value)}"


@dataclass(frozen=True)
class Curve:
    """An activation function of one number.

    Args:
        rule: How it is written; ``{x}`` stands for the number, ``{f}`` for the number as a factor.
        of: The function, in float64.
    """

    rule: str
    of: Callable[[float], float]

    def line(self, name: str, value: float) -> Line:
        """Return the worked line for a number.

        Example:
            >>> CURVES["relu"].line("relu", -0.5)
            Line(name='relu', formula='max(−0.5, 0)', value=0.0)
        """
        return Line(name, self.rule.format(x=shown(value), f=factor(value)), self.at(value))

    def at(self, value: float) -> float:
        """Return the function's value."""
        with np.errstate(all="ignore"):  # an infinite result is one, not a warning
            return float(self.of(float(value)))


def _exp(x: float) -> float:
    return float(np.exp(np.float64(x)))


def _selu(x: float) -> float:
    # G. Klambauer et al., «Self-normalizing neural networks», 2017: the two constants to double precision.
    return 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (_exp(x) - 1))


def sigmoid(x: float) -> float:
    """Return ``1 / (1 + exp(−x))`` without overflow."""
    return 1 / (1 + _exp(-x)) if x > 0 else _exp(x) / (1 + _exp(x))


def gelu(x: float, *, approximate: bool = False) -> float:
    """Return ``x·Φ(x)``, where ``Φ`` is the normal distribution function or a formula with tanh near it."""
    if approximate:
        return x * 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _relu(x: float) -> float:
    return 0.0 if x <= 0 else x  # NaN stays NaN


CURVES: dict[str, Curve] = {
    "linear": Curve("{x}", lambda x: x),
    "relu": Curve("max({x}, 0)", _relu),
    "relu6": Curve("min(max({x}, 0), 6)", lambda x: 6.0 if x > 6 else _relu(x)),
    "leaky_relu": Curve("max({x}, 0.2 · {f})", lambda x: x if x > 0 else 0.2 * x),
    "elu": Curve("{x} if above 0, else exp({x}) − 1", lambda x: x if x > 0 else _exp(x) - 1),
    "selu": Curve("1.0507 · ({x} if above 0, else 1.6733 · (exp({x}) − 1))", _selu),
    "gelu": Curve("{f} · Φ({x})", gelu),
    "silu": Curve("{f} · sigmoid({x})", lambda x: x * sigmoid(x)),
    "swish": Curve("{f} · sigmoid({x})", lambda x: x * sigmoid(x)),
    "sigmoid": Curve("1 / (1 + exp(−{f}))", sigmoid),
    "hard_sigmoid": Curve("{f} / 6 + 1/2, kept between 0 and 1", lambda x: min(max(x / 6 + 0.5, 0.0), 1.0)),
    "tanh": Curve("tanh({x})", math.tanh),
    "softplus": Curve("ln(1 + exp({x}))", lambda x: float(np.logaddexp(0.0, x))),
    "softsign": Curve("{f} / (1 + |{x}|)", lambda x: x / (1 + abs(x))),
    "exponential": Curve("exp({x})", _exp),
}
"""Activation functions by the names Keras gives them; softmax and log_softmax are functions of several numbers."""
