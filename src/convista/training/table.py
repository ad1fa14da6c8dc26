"""Tables of epochs as CSV files: a header, then one row per epoch, written whole or not at all."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from convista.atomic import replacing


def write_table(path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    r"""Write a comma-separated table to a temporary file beside ``path``, flush it to the disk and rename it.

    Args:
        path: The file; its folder is made if need be. After an error or an interruption it is as it was before.
        columns: The header, in order.
        rows: One dictionary per row; a column that is missing is left empty.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_table(folder + "/history.csv", ["epoch", "loss"], [{"epoch": 0, "loss": 0.5}]).read_text()
        'epoch,loss\n0,0.5\n'
    """
    target = Path(path)
    return write_delimited(target, columns, rows, ",")


def write_delimited(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], separator: str) -> Path:
    """`write_table` with a separator of one character."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter=separator, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: cell(value) for key, value in row.items()} for row in rows)
    return target


def cell(value: Any) -> Any:
    """Return a value as a table shows it: numbers and text as they are, arrays in brackets, None as nothing."""
    if value is None:
        return ""
    plain = value.tolist() if hasattr(value, "tolist") else value
    return "[" + ", ".join(str(item) for item in plain) + "]" if isinstance(plain, (list, tuple)) else plain
