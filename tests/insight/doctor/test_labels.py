"""Suspect labels: planted ones are found, right ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Sequential
from convista.errors import DataError
from convista.insight import suspects
from convista.insight.doctor.findings import NotChecked
from convista.insight.doctor.labels import ranked
from convista.layers import Dense, Flatten


@pytest.fixture(scope="module")
def wrong(digits):
    """Labels of which forty are wrong, and where."""
    places = np.sort(np.random.default_rng(1).choice(len(digits.y), 40, replace=False))
    y = digits.y.copy()
    y[places] = (y[places] + 5) % 10
    return y, places


def test_wrong_labels_are_found(only, sound, digits, wrong):
    y, places = wrong
    (found,) = only("suspect labels", sound, (digits.x, y))
    assert found.name == "suspect labels"
    assert set(found.evidence.numbers["indices"]) <= set(places.tolist())
    sampled = np.random.default_rng(0).choice(len(y), 1000, replace=False)
    assert found.evidence.numbers["count"] > 0.8 * len(set(places) & set(sampled))
    assert "without them the accuracy of the sample is " in found.fix.verified


def test_right_labels_are_left_alone(only, sound, digits):
    assert only("suspect labels", sound, digits.train) == []
    assert only("suspect labels", sound, digits.test) == []


def test_a_network_that_knows_nothing_suspects_nobody(only, digits):
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(10, activation="softmax")], seed=0)
    with pytest.raises(NotChecked, match="its disagreement says nothing yet"):
        only("suspect labels", model, digits.train)


def test_suspects_are_ranked(sound, digits, wrong):
    y, places = wrong
    found = suspects(sound, digits.x, y)
    assert [one.index in places for one in found[:36]] == [True] * 36
    confident = [one.confident for one in found]
    assert confident == sorted(confident, reverse=True)
    losses = [one.loss for one in found if one.confident]
    assert losses == sorted(losses, reverse=True)
    first = found[0]
    assert (first.label, first.predicted) == (y[first.index], digits.y[first.index])
    assert first.loss == pytest.approx(-np.log(max(first.probability, 1e-7)))
    assert suspects(sound, digits.x, y, most=3) == found[:3]
    assert suspects(sound, digits.x, np.eye(10)[y], most=3) == found[:3]


def test_the_rule_of_confident_learning_against_a_loop():
    draw = np.random.default_rng(0)
    said = draw.dirichlet(np.ones(3), 200)
    labels = draw.integers(0, 3, 200)
    usual = [np.mean([said[row, label] for row in range(200) if labels[row] == label]) for label in range(3)]
    for one in ranked(said, labels, np.arange(200)):
        assert one.confident == (said[one.index].max() >= usual[one.predicted])
        assert one.predicted != labels[one.index]


def test_labels_that_are_no_classes_are_refused(sound, digits):
    with pytest.raises(DataError) as error:
        suspects(sound, digits.x[:3], [0.5, 1.0, 2.0])
    assert str(error.value) == (
        "suspects: labels are classes of a network with one input and one output. Received is made for classes, one an "
        "example. Give int labels 0…C−1, one an example."
    )
