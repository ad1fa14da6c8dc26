"""The folder of a training run: the model, its history, its figures and what it was made from."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convista.atomic import write_whole
from convista.errors import ArgumentError, DataError, suggest

MODEL, HISTORY, RUN = "model.convista", "history.csv", "run.json"
CURVES, CONFUSION, MISTAKES, EXAMPLE = "curves.png", "confusion.png", "mistakes.png", "example.png"
OURS = (MODEL, HISTORY, CURVES, CONFUSION, MISTAKES, EXAMPLE, RUN)
REPORT = "report.html"
_LARGEST_RECORD = 64 << 20
_MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class RunFolder:
    """Where the files of one run are.

    Args:
        path: The folder.
        model: The saved model; ``model.convista`` in the folder unless the user named another file.

    Example:
        >>> run = RunFolder(Path("runs/first"), Path("runs/first/model.convista"))
        >>> run.curves.name
        'curves.png'
    """

    path: Path
    model: Path

    @classmethod
    def create(
        cls, out: str | os.PathLike[str] | None, name: str, parent: str | os.PathLike[str] = "runs"
    ) -> RunFolder:
        """Make a folder that holds no other run.

        Args:
            out: The folder the user asked for, or None for ``runs/YYYYMMDD-HHMMSS-NAME``.
            name: What the run is about, for the name of the folder.
            parent: Where folders without a name of their own go.

        Returns:
            The run folder.

        Raises:
            ArgumentError: `out` is a file or already holds a run; nothing is ever overwritten.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     RunFolder.create(Path(folder) / "first", "digits").path.name
            'first'
        """
        path = _fresh(Path(parent), name) if out is None else _asked_for(Path(out))
        return cls(path, path / MODEL)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Find the run that a user names: its folder, or a saved model.

        Args:
            path: A folder with a ``model.convista`` in it, or a ``.convista`` file.

        Returns:
            The run folder; for a file, the folder it is in with that file as the model.

        Raises:
            DataError: There is nothing by that name, or it holds no model.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     file = Path(folder) / "model.convista"
            ...     _ = file.write_bytes(b"")
            ...     RunFolder.open(folder).model == RunFolder.open(file).model == file
            True
        """
        path = Path(path)
        if path.is_file():
            return cls(path.parent, path)
        if not path.is_dir():
            raise DataError("no such run folder or saved model", where=str(path), fix=_similar(path))
        if (path / MODEL).is_file():
            return cls(path, path / MODEL)
        raise DataError(f"the folder holds no {MODEL}, so it is not a run", where=str(path), fix=_inside(path))

    @property
    def history(self) -> Path:
        """Loss and metrics per epoch."""
        return self.path / HISTORY

    @property
    def curves(self) -> Path:
        """The loss and the metrics, drawn."""
        return self.path / CURVES

    @property
    def confusion(self) -> Path:
        """Which class was taken for which, drawn."""
        return self.path / CONFUSION

    @property
    def mistakes(self) -> Path:
        """The pictures it got wrong."""
        return self.path / MISTAKES

    @property
    def example(self) -> Path:
        """One held-out picture as it is, to try ``predict`` on."""
        return self.path / EXAMPLE

    @property
    def record(self) -> Path:
        """``run.json``: what the run was made from and what came out."""
        return self.path / RUN

    @property
    def report(self) -> Path:
        """The page that tells the run's story, once it is asked for."""
        return self.path / REPORT

    def read_record(self) -> dict[str, Any]:
        """Return what ``run.json`` says; nothing where there is none, as beside a model that was saved alone.

        Raises:
            DataError: It is not what ``write_record`` writes.
        """
        if not self.record.is_file():
            return {}
        try:
            if self.record.stat().st_size > _LARGEST_RECORD:
                raise ValueError(f"it is larger than {_LARGEST_RECORD >> 20} MB")
            found = json.loads(self.record.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("it is no object")
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"the record of a run is JSON, and this cannot be read ({error})",
                where=str(self.record),
                fix="Put the file back as it was, or move it away: what it tells is then left out",
            ) from error
        return found

    def read_history(self) -> dict[str, list[str | None]]:
        """Return the columns of ``history.csv`` as they are written; nothing where there is none.

        Raises:
            DataError: It is no table of text.
        """
        return history_columns(self.history) if self.history.is_file() else {}

    def write_record(self, record: Mapping[str, Any]) -> Path:
        """Write ``run.json``; numbers JSON cannot hold (NaN, infinity) become null.

        Args:
            record: Command, seed, versions, data, durations, metrics: whatever repeats or explains the run.

        Returns:
            The path of the file.
        """
        text = json.dumps(finite(record), indent=2, ensure_ascii=False, allow_nan=False, default=str)
        return write_whole(self.record, text + "\n")


def history_columns(path: Path) -> dict[str, list[str | None]]:
    """Return the columns of a table of epochs by name, as they are written; a cell that a row lacks is ``None``.

    Args:
        path: The ``.csv`` file.

    Raises:
        DataError: It is no table of text.
    """
    try:
        if path.stat().st_size > _LARGEST_RECORD:
            raise ValueError(f"it is larger than {_LARGEST_RECORD >> 20} MB")
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(itertools.islice(csv.DictReader(file), _MOST_EPOCHS))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"the table of epochs cannot be read ({error})",
            where=str(path),
            fix="Put the file back as it was, or move it away: what it tells is then left out",
        ) from error
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {}) if isinstance(name, str)}


def finite(value: Any) -> Any:
    """Copy a tree of plain values with null for every number that JSON cannot hold.

    Args:
        value: Dictionaries, lists, tuples, texts and numbers, NumPy's among them.

    Returns:
        The same tree out of dictionaries, lists and Python's own numbers.

    Example:
        >>> finite({"loss": float("nan"), "steps": (1, 2)})
        {'loss': None, 'steps': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(name): finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _fresh(parent: Path, name: str) -> Path:
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-.') or 'run'}"
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue  # another run began in this second
        return path
    raise DataError("a thousand runs began within one second", where=str(parent), fix="Name a folder with --out")


def _asked_for(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise ArgumentError("a run needs a folder, and this is a file", where=str(path), fix=_another(path))
    held = [name for name in OURS if (path / name).exists()]
    if held:
        raise ArgumentError(
            "the folder already holds a run, and runs are never overwritten",
            where=str(path),
            received=f"a folder with {', '.join(held)}",
            fix=_another(path),
        )
    path.mkdir(parents=True, exist_ok=True)
    return path


def _another(path: Path) -> str:
    number = 2
    while (other := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return f"Give another folder, for example --out {shlex.quote(str(other))}"


def _similar(path: Path) -> str:
    siblings = _runs_in(path.parent) if path.parent.is_dir() else []
    if not siblings:
        return "Train one first: convista demo"
    found = suggest(path.name, [sibling.name for sibling in siblings])
    return found if found.startswith("Did") else f"The newest run there is {shlex.quote(str(siblings[-1]))}"


def _inside(path: Path) -> str:
    runs, models = _runs_in(path), sorted(path.glob("*.convista"))
    if runs:
        return f"Name one of the runs in it; the newest is {shlex.quote(str(runs[-1]))}"
    if models:
        return f"Name the model itself: {shlex.quote(str(models[0]))}"
    return "Train one first: convista demo"


def _runs_in(folder: Path) -> list[Path]:
    runs = [model.parent for model in folder.glob(f"*/{MODEL}")]
    return sorted(runs, key=lambda run: ((run / MODEL).stat().st_mtime_ns, run.name))
