"""One worked line of a derivation: a name, how its number comes about, and what it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from convista.arguments import Shape
from convista.insight.derivations.arithmetic import Number, number, spelled
from convista.shapes import AXIS_NAMES

TOPICS = ("output", "padding", "loss", "parameters", "multiply_accumulates", "memory", "receptive_field")
"""What lines are about, in the order in which a layer's lines stand."""


@dataclass(frozen=True)
class Line:
    """One worked line, such as ``output_h = (28 + 2·1 − 3) // 1 + 1 = 28``.

    Args:
        topic: One of ``TOPICS``.
        name: What is worked out.
        formula: How, with the numbers of this layer; ``//`` rounds down.
        value: What it comes to; a fraction only where an enlarging layer made one.
        unit: What is counted, such as ``bytes``; empty for cells and plain numbers.
        note: What it means.
        also: Other names for which the same line holds, such as ``output_w``.

    Example:
        >>> print(line("output", "output_h", (number(13) - 3) // 3 + 1))
        output_h = (13 − 3) // 3 + 1 = 4
    """

    topic: str
    name: str
    formula: str
    value: int | Fraction
    unit: str = ""
    note: str = ""
    also: tuple[str, ...] = ()

    @property
    def equation(self) -> str:
        """The line without its note."""
        result = f"{spelled(self.value)} {self.unit}".rstrip()
        if self.formula == spelled(self.value):
            return f"{self.name} = {result}"
        return f"{self.name} = {self.formula} = {result}"

    @property
    def words(self) -> str:
        """What follows the equation: for which other axes it holds, and what it means; empty for nothing."""
        same = f", {' and '.join(self.also)} the same" if self.also else ""
        return f"{same}: {self.note}" if self.note else same

    def __str__(self) -> str:
        return self.equation + self.words

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; a fraction becomes a decimal number."""
        value = self.value if isinstance(self.value, int) else float(self.value)
        return {
            "topic": self.topic,
            "name": self.name,
            "formula": self.formula,
            "value": value,
            "unit": self.unit,
            "note": self.note,
            "also": list(self.also),
        }


def line(topic: str, name: str, worked: Number, note: str = "", unit: str = "") -> Line:
    """Return the line of a worked number."""
    worked = number(worked)
    return Line(topic, name, worked.text, worked.value, unit, note)


def merged(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines with those of several axes told once where only their names differ.

    Example:
        >>> print(*merged([line("output", f"output_{axis}", number(14) // 2) for axis in "hw"]))
        output_h = 14 // 2 = 7, output_w the same
    """
    result: list[Line] = []
    for new in lines:
        place = next((place for place, old in enumerate(result) if _same(old, new)), None)
        if place is None:
            result.append(new)
        else:
            result[place] = replace(result[place], also=(*result[place].also, new.name, *new.also))
    return tuple(result)


def _same(old: Line, new: Line) -> bool:
    stem = old.name.rpartition("_")[0]
    return bool(stem) and stem == new.name.rpartition("_")[0] and replace(old, name=new.name, also=new.also) == new


def axis_names(shape: Shape) -> tuple[str, ...]:
    """Return what the axes of one example are called in formulas; nothing for the only axis of a vector.

    Example:
        >>> axis_names((28, 28, 1)), axis_names((10,))
        (('_h', '_w', '_channels'), ('',))
    """
    if len(shape) < 2:
        return ("",) * len(shape)
    spatial: Sequence[str] = AXIS_NAMES.get(len(shape) - 1, tuple(str(axis) for axis in range(1, len(shape))))
    return (*(f"_{name}" for name in spatial), "_channels")


def listed(parts: Sequence[str]) -> str:
    """Return parts as a sentence lists them.

    Example:
        >>> listed(["slices", "rows", "columns"])
        'slices, rows and columns'
    """
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
