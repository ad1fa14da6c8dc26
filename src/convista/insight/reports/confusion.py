"""Which class was taken for which."""

from __future__ import annotations

import numpy as np

from convista.insight import figures
from convista.insight.reports.markup import NOTHING, Html, chart, escape, paragraph, scrolling, together
from convista.insight.reports.material import Material
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say, spaced

_MOST_IN_A_TABLE = 20
_MOST_PAIRS = 5
_EQUAL = 0.179  # on a ground of this luminance black and white letters are read equally well, at a contrast of 4.6
_RIGHT, _WRONG = (0, 87, 138), (176, 74, 0)  # Okabe and Ito's blue and vermillion, dark enough for white letters


def confusion(material: Material) -> Section:
    """Show the confusion matrix: as a table up to 20 classes, as a picture beyond."""
    matrix = material.confusion
    if matrix is None:
        return without("confusion", say("confusion.none", reason=material.unjudged or say("confusion.no-results")))
    frequent = [_pair(material, truth, said, count) for truth, said, count in pairs(matrix)[:_MOST_PAIRS]]
    words = say("confusion.no-mistakes")
    if frequent:
        listed = "; ".join(frequent)
        once = pairs(matrix)[0][2] == 1
        words = say("confusion.pairs-once", pairs=listed) if once else say("confusion.pairs", pairs=listed)
    small = len(matrix) <= _MOST_IN_A_TABLE
    recorded = paragraph(say("confusion.recorded")) if material.judgement is None else NOTHING
    shown = _table(matrix, material.classes) if small else _picture(matrix, material.classes, words)
    return section("confusion", together(paragraph(say("confusion.how")), recorded, shown, paragraph(words)))


def pairs(matrix: np.ndarray) -> list[tuple[int, int, int]]:
    """Return mistakes as (truth, said, how often), the most frequent first.

    Example:
        >>> pairs(np.array([[9, 1, 0], [0, 5, 3], [0, 0, 2]]))
        [(1, 2, 3), (0, 1, 1)]
    """
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    places = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
    return [
        (int(row), int(column), int(wrong[row, column]))
        for row, column in zip(*divmod(places, len(matrix)), strict=True)
    ]


def confused_pair(matrix: np.ndarray) -> tuple[int, int, int] | None:
    """Return the two classes that are taken for each other most often, and how often, both ways together.

    None where no pair was confused more than once: then none is the most confused.

    Example:
        >>> confused_pair(np.array([[9, 1, 0], [0, 5, 3], [0, 1, 2]])), confused_pair(np.array([[9, 1], [0, 2]]))
        ((1, 2, 4), None)
    """
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    both = np.triu(wrong + wrong.T)
    first, second = divmod(int(both.argmax()), len(both))
    count = int(both[first, second])
    return (first, second, count) if count > 1 else None


def _pair(material: Material, truth: int, said: int, count: int) -> str:
    names = {"truth": material.classes[truth], "said": material.classes[said]}
    return say("confusion.pair", count=spaced(count), **names)


def _caption(matrix: np.ndarray) -> str:
    return say("confusion.caption", right=spaced(int(np.trace(matrix))), count=spaced(int(matrix.sum())))


def _table(matrix: np.ndarray, classes: tuple[str, ...]) -> Html:
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # Mistakes have a scale of their own, so that one in a hundred is still seen.
    worst = max(float((share * (1 - np.eye(len(matrix)))).max()), 1e-9)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in classes)
    rows = []
    for row, name in enumerate(classes):
        cells = [
            _cell(int(matrix[row, column]), share[row, column], worst, row == column) for column in range(len(classes))
        ]
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    corner = f'<td class="corner">{escape(say("confusion.corner"))}</td>'
    inside = (
        f'<table class="confusion"><caption>{escape(_caption(matrix))}</caption>'
        f"<thead><tr>{corner}{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return scrolling(Html(inside), _caption(matrix))


def _cell(count: int, share: float, worst: float, right: bool) -> str:
    if not count and not right:
        return "<td></td>"  # an empty cell says zero more quietly than ninety zeros
    depth = 0.1 + 0.9 * share if right else 0.15 + 0.85 * share / worst
    red, green, blue = (round(255 + depth * (part - 255)) for part in (_RIGHT if right else _WRONG))
    letters = "#fff" if _luminance(red, green, blue) < _EQUAL else "#000"
    return f'<td style="background:rgb({red},{green},{blue});color:{letters}">{spaced(count)}</td>'


def _luminance(*parts: int) -> float:
    """Return how bright a colour is, 0 to 1, as the Web Content Accessibility Guidelines define it."""
    linear = [(part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4) for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _picture(matrix: np.ndarray, classes: tuple[str, ...], words: str) -> Html:
    counts = {"right": spaced(int(np.trace(matrix))), "count": spaced(int(matrix.sum()))}
    alt = say("confusion.alt", classes=counted(len(classes), "class"), pairs=words, **counts)
    return chart(figures.confusion_png(matrix, classes), alt, _caption(matrix))
