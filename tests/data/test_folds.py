"""Folds: each example once, classes in proportion, groups whole, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convista.data import stratified_folds
from convista.errors import ArgumentError, DataError

LABELS = st.lists(st.integers(0, 3), min_size=10, max_size=60)


@given(LABELS, st.integers(2, 5), st.integers(0, 99))
def test_each_class_is_in_every_fold_in_its_proportion(labels, folds, seed):
    fold = stratified_folds(labels, folds, seed=seed)
    assert set(fold.tolist()) == set(range(folds))
    for label in set(labels):
        counts = np.bincount(fold[np.array(labels) == label], minlength=folds)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= len(set(labels))


@given(LABELS, st.integers(0, 99))
def test_a_group_is_never_divided_and_classes_stay_even(labels, seed):
    groups = [(label, place % 7) for place, label in enumerate(labels)]
    if len(set(groups)) < 3:
        return
    fold = stratified_folds(labels, 3, groups=groups, seed=seed)
    assert len(set(zip(groups, fold.tolist(), strict=True))) == len(set(groups))
    largest = max(Counter(groups).values())
    for label in set(labels):
        counts = np.bincount(fold[np.array(labels) == label], minlength=3)
        assert counts.max() - counts.min() <= largest


def test_without_groups_equal_examples_would_be_divided():
    texts = [text for text in "abcdefghij" for _ in range(3)]
    divided = stratified_folds([0] * 30, 5, seed=0)
    whole = stratified_folds([0] * 30, 5, groups=texts, seed=0)
    assert len(set(zip(texts, divided.tolist(), strict=True))) > 10
    assert len(set(zip(texts, whole.tolist(), strict=True))) == 10


def test_the_seed_decides():
    labels = np.arange(50) % 2
    first = stratified_folds(labels, seed=3)
    np.testing.assert_array_equal(first, stratified_folds(labels, seed=3))
    assert (first != stratified_folds(labels, seed=4)).any()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: stratified_folds([0, 1], 1),
            ArgumentError,
            "stratified_folds: folds is a whole number from 2 on. Received folds=1.",
        ),
        (
            lambda: stratified_folds(np.eye(2), 2),
            DataError,
            "stratified_folds: labels are integers of shape (count,). Received float64 of shape (2, 2).",
        ),
        (
            lambda: stratified_folds([0, 1], 2, groups="a"),
            DataError,
            "stratified_folds: there is one group for each label. Received 1 groups and 2 labels.",
        ),
        (
            lambda: stratified_folds([0, 1, 1], 3, groups="aab"),
            DataError,
            "stratified_folds: every fold gets at least one group. Received 2 groups for 3 folds. Take fewer folds.",
        ),
    ],
)
def test_mistakes(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
