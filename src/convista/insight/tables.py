"""Text tables: columns that line up, numbers to the right."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Lay rows out in columns.

    Args:
        header: The names of the columns.
        rows: The cells, as many in each row as there are columns.
        left: How many columns from the left are aligned to the left; the others hold numbers.

    Returns:
        Lines without a final line break and without trailing spaces.

    Example:
        >>> print(table(["class", "recall"], [["cat", "0.5"], ["horse", "1.0"]]))
        class  recall
        cat       0.5
        horse     1.0
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(_line(line, widths, left) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = [
        cell + " " * (width - _width(cell)) if column < left else " " * (width - _width(cell)) + cell
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: wide for Chinese and Japanese, none for combining marks."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
