"""How good the network is at each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convista.insight.reports.markup import Html, details, paragraph, table, together
from convista.insight.reports.material import Material
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say, spaced

_MOST_IN_SIGHT = 25
_WORST = 10


@dataclass(frozen=True)
class _Row:
    name: str
    support: int
    precision: float
    recall: float
    f1: float
    mistaken: str

    @property
    def cells(self) -> list[str]:
        shares = (f"{share:.4f}" for share in (self.precision, self.recall, self.f1))
        return [self.name, spaced(self.support), *shares, self.mistaken]


def classes(material: Material) -> Section:
    """Show precision, recall and F1 of every class; of many, the worst in sight and all folded."""
    matrix = material.confusion
    if matrix is None:
        return without("classes", say("confusion.none", reason=material.unjudged or say("confusion.no-results")))
    rows = _rows(matrix, material.classes)
    shown = _table(say("classes.caption"), rows)
    if len(rows) > _MOST_IN_SIGHT:
        worst = sorted(rows, key=lambda row: row.f1)[:_WORST]
        caption = say("classes.worst-caption", count=counted(_WORST, "class"))
        folded = details(say("classes.all", count=counted(len(rows), "class")), shown)
        shown = together(_table(caption, worst), folded)
    return section("classes", together(paragraph(_words(rows)), shown, paragraph(say("classes.how"), "hint")))


def _rows(matrix: np.ndarray, names: tuple[str, ...]) -> list[_Row]:
    from convista.training.metrics import per_class

    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    return [
        _Row(name, int(one.support), float(one.precision), float(one.recall), float(one.f1), _mistaken(row, names))
        for name, one, row in zip(names, per_class(matrix), wrong, strict=True)
    ]


def _mistaken(row: np.ndarray, names: tuple[str, ...]) -> str:
    most = int(row.argmax())
    return f"{names[most]} ({spaced(int(row[most]))})" if row[most] else say("classes.nothing")


def _table(caption: str, rows: list[_Row]) -> Html:
    columns = ("class", "support", "precision", "recall", "f1", "mistaken")
    return table(caption, [say(f"classes.{column}") for column in columns], [row.cells for row in rows], range(1, 5))


def _words(rows: list[_Row]) -> str:
    hardest, easiest = min(rows, key=lambda row: row.f1), max(rows, key=lambda row: row.f1)
    if hardest.f1 == easiest.f1:
        return say("classes.all-alike", f1=f"{hardest.f1:.4f}")
    ends = {"name": hardest.name, "f1": f"{hardest.f1:.4f}", "easy": easiest.name, "easy_f1": f"{easiest.f1:.4f}"}
    return say("classes.hardest", **ends)
