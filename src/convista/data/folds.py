"""Folds for cross-validation: every class in its proportion in each, and what belongs together kept together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from convista.errors import ArgumentError, DataError


def stratified_folds(
    y: np.ndarray | Sequence[int], folds: int = 5, *, groups: Sequence[Hashable] | None = None, seed: int = 0
) -> np.ndarray:
    """Divide examples into folds, so that each is held out once while the network learns from the others.

    Groups are taken in a random order, larger ones first, and each goes to the fold that has fewest examples of the
    group's class so far (the class of its first example, should they differ). So counts of a class differ between folds
    by no more than the largest group.

    Args:
        y: Labels, integers, shape ``(count,)``.
        folds: How many, from 2 on.
        groups: What each example belongs to; equal ones come into one fold. Give the examples themselves where some are
            equal: an example that is learned and held out at once is no test. ``None`` takes each for itself.
        seed: Of the order.

    Returns:
        The fold of each example, 0 to ``folds - 1``, integers of shape ``(count,)``.

    Raises:
        ArgumentError: ``folds`` is not a whole number from 2 on.
        DataError: Labels are not integers in a row, or there is not one group for each, or fewer groups than folds.

    Example:
        >>> fold = stratified_folds([0, 0, 1, 1, 1, 1], 2, groups="abccde")
        >>> bool(fold[2] == fold[3]), np.bincount(fold).tolist()
        (True, [3, 3])

    Source: M. Stone: Cross-Validatory Choice and Assessment of Statistical Predictions, 1974.
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ArgumentError("folds is a whole number from 2 on", where="stratified_folds", received=f"folds={folds!r}")
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            "labels are integers of shape (count,)",
            where="stratified_folds",
            received=f"{labels.dtype} of shape {labels.shape}",
        )
    members = _members(len(labels), groups)
    if len(members) < folds:
        raise DataError(
            "every fold gets at least one group",
            where="stratified_folds",
            received=f"{len(members)} groups for {folds} folds",
            fix="Take fewer folds",
        )
    classes, place = np.unique(labels, return_inverse=True)
    filled = np.zeros((folds, len(classes)), int)
    fold = np.empty(len(labels), int)
    order = np.random.default_rng(seed).permutation(len(members))
    for group in sorted(order.tolist(), key=lambda number: -len(members[number])):
        own = members[group]
        # Of equally filled folds the one with fewest examples, or small classes would all begin in fold 0.
        chosen = int(np.lexsort((filled.sum(axis=1), filled[:, place[own[0]]]))[0])
        fold[own] = chosen
        np.add.at(filled[chosen], place[own], 1)
    return fold


def _members(count: int, groups: Sequence[Hashable] | None) -> list[list[int]]:
    if groups is None:
        return [[row] for row in range(count)]
    if len(groups) != count:
        raise DataError(
            "there is one group for each label",
            where="stratified_folds",
            received=f"{len(groups)} groups and {count} labels",
        )
    found: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        found.setdefault(group, []).append(row)
    return list(found.values())
