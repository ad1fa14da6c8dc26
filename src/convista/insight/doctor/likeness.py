"""Examples that are the same, or nearly so."""

from __future__ import annotations

import hashlib

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


def near_pairs(
    some: np.ndarray, others: np.ndarray, likeness: float, *, groups: np.ndarray, own: np.ndarray | None = None
) -> list[tuple[int, int]]:
    """Return pairs whose distance is far below the usual distance to the nearest other example, equal ones left out.

    The usual distance is the median within a group: ones are alike, and no two of them are the same picture.

    Args:
        some: Rows (n, cells) that are compared with all others.
        others: Rows (N, cells).
        likeness: Share of the usual distance below which two are nearly the same.
        groups: What each of ``some`` is usually near to, int (n,): its class.
        own: Where each of ``some`` stands among ``others``, if it does.

    Returns:
        (place in ``some``, place in ``others``), each of ``some`` at most once.

    Example:
        >>> rows = np.array([[0.0], [10.0], [20.0], [30.0], [30.5]])
        >>> near_pairs(rows, rows, 0.3, groups=np.zeros(5, int), own=np.arange(5))
        [(3, 4), (4, 3)]
    """
    if len(some) < 2 or len(others) < 2:
        return []
    nearest, distance = _nearest(some, others, own)
    usual = np.full(len(some), float(np.median(distance)))
    for group in np.unique(groups):
        members = groups == group
        if members.sum() >= _ENOUGH:
            usual[members] = np.median(distance[members])
    # Equal examples are a finding of their own.
    close = (distance <= likeness * usual) & (distance > _EQUAL * usual)
    return [(int(one), int(nearest[one])) for one in np.flatnonzero(close)]


def _nearest(some: np.ndarray, others: np.ndarray, own: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
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
    return np.concatenate(places), np.concatenate(distances)
