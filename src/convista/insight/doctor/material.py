"""The examples that the doctor looks at, whatever the user has: arrays, a dataset's half, batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from convista.errors import ArgumentError, DataError
from convista.training.batches import as_array, is_stream


@dataclass(frozen=True, eq=False)
class Material:
    """Examples as the user gave them.

    Args:
        source: What was given, for another pass over it.
        x: Had by numbers: an array, or the pictures of a folder.
        y: Targets, (N, …); ``None`` where there are none.
        whole: Whether ``x`` is all there is; of batches only the first are taken.
    """

    source: Any
    x: Any
    y: np.ndarray | None
    whole: bool = True

    @property
    def size(self) -> int:
        """How many examples there are."""
        return len(self.x)

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each example, int (N,); ``None`` where the targets are no classes."""
        return None if self.y is None else classes_of(self.y)

    def sample(self, most: int, seed: int) -> Sample:
        """Draw examples at random, the same ones each time; files that are no pictures are left out."""
        places = np.arange(self.size)
        if self.size > most:
            places = np.sort(np.random.default_rng(seed).choice(self.size, most, replace=False))
        if isinstance(self.x, np.ndarray):
            rows = self.x[places]
        else:
            read = [(place, picture) for place in places if (picture := _read(self.x, int(place))) is not None]
            if not read:
                raise DataError("at least one example can be read", where="check", received="none")
            places, rows = np.array([place for place, _ in read]), np.stack([picture for _, picture in read])
        return Sample(rows, None if self.y is None else self.y[places], places)


@dataclass(frozen=True, eq=False)
class Sample:
    """Some of the examples.

    Args:
        x: (n, …), as they came.
        y: Their targets, if there are any.
        places: Which of all examples they are, int (n,).
    """

    x: np.ndarray
    y: np.ndarray | None
    places: np.ndarray

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each, int (n,); ``None`` where the targets are no classes."""
        return None if self.y is None else classes_of(self.y)


def material(given: Any, most: int, where: str) -> Material:
    """Return what was given as examples.

    Args:
        given: ``(x, y)``; an array; anything with ``x`` and ``y``, such as a ``Split``; or batches as for ``fit``, of
            which the first ``most`` examples are taken.
        most: See above.
        where: The argument, for messages.

    Raises:
        DataError: There are no examples, or x and y have different lengths.
        ArgumentError: It is nothing of these.
    """
    held = given.in_memory() if hasattr(given, "in_memory") else None
    if held is not None:
        return _paired(given, held.x, held.y, where)
    if hasattr(given, "x") and hasattr(given, "y"):
        return _paired(given, given.x, given.y, where)
    if isinstance(given, tuple) and len(given) in (2, 3):
        return _paired(given, given[0], given[1], where)
    if is_stream(given):
        return _first(given, most, where)
    if hasattr(given, "shape") and len(given.shape):
        return _paired(given, given, None, where)
    raise ArgumentError(
        "data is (x, y), an array, the half of a dataset, or batches as for fit",
        where=where,
        received=type(given).__name__,
        fix="For example model.check((x_train, y_train), validation=(x_test, y_test))",
    )


def batches_of(source: Any) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield the batches of one pass as arrays; those of a source asked by number, too."""
    numbered = not hasattr(source, "__iter__") and hasattr(source, "__getitem__")
    for item in (source[number] for number in range(len(source))) if numbered else source:
        pair = isinstance(item, tuple | list) and len(item) in (2, 3)
        yield np.asarray(item[0] if pair else item), np.asarray(item[1]) if pair else None


def classes_of(y: np.ndarray) -> np.ndarray | None:
    """Return the class of each example from labels or one-hot rows; ``None`` where they are neither.

    Example:
        >>> classes_of(np.array([[0.0, 1.0], [1.0, 0.0]])).tolist(), classes_of(np.array([0.5, 2.0]))
        ([1, 0], None)
    """
    if y.ndim == 2 and y.shape[1] > 1:
        one_hot = ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()
        return y.argmax(axis=1).astype(np.int64) if one_hot else None
    flat = y.reshape(-1) if y.ndim == 2 else y
    if flat.ndim != 1 or (flat < 0).any() or (flat.dtype.kind == "f" and (flat != np.floor(flat)).any()):
        return None
    return flat.astype(np.int64)


def _paired(source: Any, x: Any, y: Any, where: str) -> Material:
    x = x if _is_lazy(x) else np.asarray(as_array(x, "x"))
    y = None if y is None else np.asarray(as_array(y, "y"))
    if np.ndim(x) == 0 or len(x) == 0 or (y is not None and (y.ndim == 0 or len(y) != len(x))):
        raise DataError(
            "x and y have one row an example, and at least one",
            where=where,
            received=f"x of shape {np.shape(x)}, y of shape {None if y is None else y.shape}",
            fix="Check that pictures and labels come from the same split",
        )
    return Material(source, x, y)


def _is_lazy(x: Any) -> bool:
    """Whether examples are read when they are asked for, as the pictures of a folder."""
    return not isinstance(x, np.ndarray) and not hasattr(x, "__array__") and hasattr(x, "shape")


def _first(source: Any, most: int, where: str) -> Material:
    rows: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    whole, count = True, 0
    for x, y in batches_of(source):
        rows.append(np.asarray(as_array(x, "x")))
        targets += [] if y is None else [np.asarray(as_array(y, "y"))]
        count += len(x)
        if count >= most:
            whole = False
            break
    if not count:
        raise DataError("the iterable yields at least one batch", where=where, received="none")
    return Material(source, np.concatenate(rows), np.concatenate(targets) if targets else None, whole)


def _read(x: Any, place: int) -> np.ndarray | None:
    try:
        return np.asarray(x[place])
    except DataError:
        return None
