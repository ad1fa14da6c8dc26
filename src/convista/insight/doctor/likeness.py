"""Examples that are the same, or nearly so."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

_THUMB = 16
_PART = 500
_ENOUGH = 10
_EQUAL = 1e-3


def digests(x: np.ndarray) -> list[bytes]:
    """Return what tells each example from every other that is not equal to it.

    Example:
        >>> one, two, three = digests(np.array([[1, 2], [3, 4], [1, 2]], np.uint8))
        >>> one == three, one == two
        (True, False)
    """
    return [hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest() for row in x]


def thumbs(x: np.ndarray) -> np.ndarray:
    """Return each example on at most 16 cells along each spatial axis, each the mean of those it covers, as one row.

    Args:
        x: (N, …, C).

    Returns:
        float32 (N, cells · C).

    Example:
        >>> thumbs(np.arange(64.0).reshape(1, 32, 2)).shape
        (1, 32)
    """
    small = x.astype(np.float32)
    for axis in range(1, x.ndim - 1):
        if small.shape[axis] > _THUMB:
            small = np.moveaxis(np.moveaxis(small, axis, -1) @ _means(small.shape[axis]), -1, axis)
    return small.reshape(len(x), -1)


def _means(size: int) -> np.ndarray:
    """Return the matrix (size, 16) that takes means of equal shares of an axis, cells on a border by their part."""
    edges = np.linspace(0, size, _THUMB + 1)
    cells = np.arange(size)[:, None]
    covered = np.clip(np.minimum(cells + 1, edges[1:]) - np.maximum(cells, edges[:-1]), 0, None)
    return (covered / covered.sum(axis=0)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest other example of each.

    Args:
        places: Where it is, int (n,).
        distances: How far, (n,).
    """

    places: np.ndarray
    distances: np.ndarray

    def usual(self, groups: np.ndarray) -> dict[int, float]:
        """Return the median distance in each group of at least ten, and under −1 that of all.

        Ones are alike, and no two of them are the same picture: so each class has its own.

        Example:
            >>> Neighbours(np.zeros(3, int), np.array([1.0, 2.0, 9.0])).usual(np.zeros(3, int))
            {-1: 2.0}
        """
        found = {-1: float(np.median(self.distances))}
        for group in np.unique(groups):
            members = self.distances[groups == group]
            if len(members) >= _ENOUGH:
                found[int(group)] = float(np.median(members))
        return found

    def near(self, usual: dict[int, float], groups: np.ndarray, likeness: float) -> list[tuple[int, int]]:
        """Return who is far closer to its neighbour than is usual in its group, with the neighbour; equal ones are not.

        Args:
            usual: From :meth:`usual`.
            groups: The group of each, int (n,).
            likeness: Share of the usual distance.
        """
        wide = np.array([usual.get(int(group), usual[-1]) for group in groups])
        # Equal examples are a finding of their own.
        close = (self.distances <= likeness * wide) & (self.distances > _EQUAL * wide)
        return [(int(one), int(self.places[one])) for one in np.flatnonzero(close)]


def neighbours(some: np.ndarray, others: np.ndarray, own: np.ndarray | None = None) -> Neighbours:
    """Find the nearest of ``others`` for each of ``some``.

    Args:
        some: Rows (n, cells).
        others: Rows (N, cells).
        own: Where each of ``some`` stands among ``others``, if it does: it is not its own neighbour.

    Example:
        >>> rows = np.array([[0.0], [10.0], [10.5]])
        >>> neighbours(rows, rows, np.arange(3)).places.tolist()
        [1, 2, 1]
    """
    squares = np.einsum("nc,nc->n", others, others)
    places, distances = [], []
    for first in range(0, len(some), _PART):
        rows = some[first : first + _PART]
        apart = squares[None] - 2 * rows @ others.T + np.einsum("nc,nc->n", rows, rows)[:, None]
        if own is not None:
            apart[np.arange(len(rows)), own[first : first + _PART]] = np.inf
        places.append(apart.argmin(axis=1))
        # The difference itself: the expansion above loses small distances to rounding.
        found = rows - others[places[-1]]
        distances.append(np.sqrt(np.einsum("nc,nc->n", found, found)))
    return Neighbours(np.concatenate(places), np.concatenate(distances))
