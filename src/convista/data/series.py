"""Time series as they stand in the UCR archive: one a row, its class first."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convista.data.files import read_exactly, regular_file
from convista.errors import ArgumentError, DataError
from convista.folders import data_folder

LARGEST = 1 << 30
_SOURCE = (
    "H. A. Dau and others: The UCR Time Series Archive, IEEE/CAA Journal of Automatica Sinica 6, 2019. "
    "Licence: none stated"
)


@dataclass(frozen=True, eq=False)
class Series:
    """Time series with their labels.

    Args:
        x: Values, float32, shape ``(count, length, 1)``: one channel.
        y: Labels, int32, shape ``(count,)``.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class SeriesDataset:
    """A named set of time series: a half to train on, a half to test on.

    Args:
        name: What the archive calls it, for example ``"GunPoint"``.
        train: The series and labels to learn from.
        test: The series and labels to judge by.
        classes: The archive's number of each class, as text; label ``k`` is ``classes[k]``.
        source: Where the data came from and what to cite.
    """

    name: str
    train: Series
    test: Series
    classes: tuple[str, ...]
    source: str

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of one series: (length, channels)."""
        return self.train.x.shape[1], self.train.x.shape[2]


def read_ucr(path: str | os.PathLike[str], *, largest: int = LARGEST) -> tuple[np.ndarray, np.ndarray]:
    r"""Read a table of the UCR archive: one series a row, its class first, with tabs between.

    Args:
        path: The file, such as ``GunPoint_TRAIN.tsv``.
        largest: The most bytes that it may have.

    Returns:
        The series, float32 ``(count, length, 1)``, and the archive's class numbers, int64 ``(count,)``, which need not
        begin with 0.

    Raises:
        DataError: The file is not there or no such table, rows differ in length, a class is not a whole number, or a
            value is missing (the archive writes NaN); the line and the column are named, counted from 1.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "Tiny_TRAIN.tsv"
        >>> _ = file.write_text("1\t0.5\t-0.5\n2\t1.5\t0\n")
        >>> x, labels = read_ucr(file)
        >>> x.shape, labels
        ((2, 2, 1), array([1, 2]))
    """
    path = regular_file(path)
    with open(path, "rb") as file:
        content = bytes(read_exactly(file, largest + 1))
    if len(content) > largest:
        raise DataError(f"a table of series may have at most {largest} bytes", where=str(path), received="more")
    lines = [(number, line.split(b"\t")) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not lines or len(lines[0][1]) < 2:
        raise DataError(
            "a table of series has a class and values in each row, with tabs between",
            where=str(path),
            received="no row" if not lines else f"{len(lines[0][1])} column in line {lines[0][0]}",
        )
    width = len(lines[0][1])
    values = np.array([_numbers(path, number, cells, width) for number, cells in lines])
    _check_values(path, [number for number, _ in lines], values)
    return values[:, 1:, None].astype(np.float32), values[:, 0].astype(np.int64)


def load_series(name: str) -> SeriesDataset:
    """Load a set of the UCR archive from the folder that ``CONVISTA_DATA`` names; nothing is downloaded.

    ``NAME_TRAIN.tsv`` and ``NAME_TEST.tsv`` are looked for in ``$CONVISTA_DATA/timeseries/``,
    ``$CONVISTA_DATA/timeseries/NAME/``, ``$CONVISTA_DATA/NAME/`` and ``$CONVISTA_DATA/``.

    Args:
        name: What the archive calls it: letters, digits, ``-`` and ``_``.

    Returns:
        The set; its labels run from 0 in the order of the archive's class numbers. Values are as they stand: the
        archive brought most of its sets, GunPoint too, to mean 0 and deviation 1 for each series.

    Raises:
        ArgumentError: This cannot be a name.
        DataError: The files were not found or are damaged, or the two halves differ in length or in classes.

    Source: C. A. Ratanamahatana, E. Keogh (GunPoint); H. A. Dau and others: The UCR Time Series Archive, 2019.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ArgumentError(
            "a name has letters, digits, - and _",
            where="load_series",
            received=repr(name),
            fix='For a file of your own there is read_ucr("path")',
        )
    files = _files(name)
    (x, labels), (test_x, test_labels) = read_ucr(files[0]), read_ucr(files[1])
    if x.shape[1] != test_x.shape[1]:
        raise DataError(
            "training and test series have the same length",
            where=str(files[0].parent),
            received=f"{x.shape[1]} and {test_x.shape[1]}",
        )
    classes = np.unique(labels)
    if strange := sorted(set(test_labels.tolist()) - set(classes.tolist())):
        raise DataError(
            "every class of the test file is in the training file", where=str(files[1]), received=f"class {strange[0]}"
        )
    train = Series(x, np.searchsorted(classes, labels).astype(np.int32))
    test = Series(test_x, np.searchsorted(classes, test_labels).astype(np.int32))
    source = f"{_SOURCE}. Read from {files[0].parent}."
    return SeriesDataset(name, train, test, tuple(str(label) for label in classes), source)


def _files(name: str) -> tuple[Path, Path]:
    folder = data_folder()
    places = [] if folder is None else [folder / "timeseries", folder / "timeseries" / name, folder / name, folder]
    for place in places:
        train, test = place / f"{name}_TRAIN.tsv", place / f"{name}_TEST.tsv"
        if train.is_file() and test.is_file():
            return train, test
    looked = ", ".join(map(str, places)) or "no folder: CONVISTA_DATA is not set"
    raise DataError(
        f"{name}_TRAIN.tsv and {name}_TEST.tsv were not found together. Looked in {looked}",
        where=f"series {name!r}",
        fix="Set CONVISTA_DATA to a folder that has them in timeseries/; the UCR archive publishes them",
    )


def _numbers(path: Path, line: int, cells: list[bytes], width: int) -> np.ndarray:
    if len(cells) != width:
        raise DataError(
            f"every row has as many values as the first, {width - 1} after its class",
            where=f"{path}, line {line}",
            received=f"{len(cells) - 1}",
            fix="It is truncated, damaged or another format; fetch it again",
        )
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        column = next(place for place, cell in enumerate(cells, 1) if not _is_number(cell))
        raise DataError(
            "a table of series has numbers only",
            where=f"{path}, line {line}",
            received=f"{cells[column - 1][:20].decode('utf-8', 'replace')!r} in column {column}",
        ) from None


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_values(path: Path, lines: list[int], values: np.ndarray) -> None:
    labels = values[:, 0]
    whole = np.isfinite(labels) & (labels == np.round(labels)) & (np.abs(labels) < 2**53)
    if not whole.all():
        row = int(np.argmin(whole))
        raise DataError(
            "the first value of a row is its class, a whole number",
            where=f"{path}, line {lines[row]}",
            received=f"{labels[row]:g}",
        )
    # float32 is what a network computes in, so its range is the limit.
    usable = np.abs(values) <= np.finfo(np.float32).max
    if not usable.all():
        row, column = (int(index) for index in np.argwhere(~usable)[0])
        raise DataError(
            "every value of a series is a finite number; NaN stands for a missing one",
            where=f"{path}, line {lines[row]}",
            received=f"{values[row, column]:g} in column {column + 1}",
            fix="Fill gaps (numpy.interp) or cut all series to the shortest, and write the table again",
        )
