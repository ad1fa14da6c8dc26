"""Calibration against loops and planted temperatures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from convista.errors import DataError, ShapeError
from convista.insight import calibration
from convista.insight.doctor.calibration import at_temperature
from convista.insight.doctor.findings import NotChecked


def honest(count=4000, classes=5, seed=0):
    """Probabilities and labels drawn from them."""
    draw = np.random.default_rng(seed)
    said = draw.dirichlet(np.full(classes, 0.4), count)
    labels = (said.cumsum(axis=1) > draw.random((count, 1))).argmax(axis=1)
    return said, labels


def loop(said, labels, bins):
    """The expected calibration error as it is defined."""
    error = 0.0
    for number in range(bins):
        inside = [
            row
            for row in range(len(labels))
            if number / bins <= said[row].max() < (number + 1) / bins or (number + 1 == bins and said[row].max() == 1)
        ]
        if inside:
            confidence = np.mean([said[row].max() for row in inside])
            accuracy = np.mean([said[row].argmax() == labels[row] for row in inside])
            error += len(inside) / len(labels) * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_that_of_a_loop(bins):
    said, labels = honest(500)
    found = calibration(said, labels, bins)
    assert found.error == pytest.approx(loop(said, labels, bins), abs=1e-12)
    assert found.error != pytest.approx(loop(said, (labels + 1) % 5, bins), abs=1e-3)
    assert sum(one.count for one in found.bins) == 500
    assert len(found.bins) == bins


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found(temperature):
    said, labels = honest()
    found = calibration(at_temperature(said, 1 / temperature), labels)
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.error_after < 0.03
    if temperature != 1.0:
        assert found.error_before > 2 * found.error_after


def test_honest_probabilities_err_by_chance_only():
    found = calibration(*honest())
    assert found.error == pytest.approx(found.chance, abs=0.01)
    assert calibration(*honest(200)).chance > 2 * found.chance


def test_hand_made():
    found = calibration([[0.9, 0.1]] * 10, [0] * 6 + [1] * 4)
    assert (found.accuracy, found.confidence, found.count) == (0.6, pytest.approx(0.9), 10)
    assert found.error == found.largest_error == pytest.approx(0.3)
    assert calibration([[0.9, 0.1]] * 10, np.eye(2)[[0] * 6 + [1] * 4]).error == found.error


@pytest.mark.slow
def test_as_text_data_and_figure(tmp_path):
    found = calibration(*honest(300))
    assert json.loads(json.dumps(found.to_dict()))["bins"][0]["low"] == 0
    assert str(found).startswith("Expected calibration error 0.")
    with Image.open(found.save(tmp_path / "calibration.png")) as picture:
        assert picture.size == (672, 720)
        colours = {tuple(colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert {(0, 114, 178), (213, 94, 0)} <= colours
    assert "data:image/png;base64," in found._repr_html_()


def test_a_finding_for_probabilities_that_are_too_sure(only, copy, digits):
    assert only("calibration", copy, digits.train, validation=digits.test) == []
    params = {name: dict(group) for name, group in copy.params.items()}
    params["answer"] = {name: 30 * value for name, value in params["answer"].items()}
    noisy = digits.test_x + np.random.default_rng(0).normal(size=digits.test_x.shape).astype(np.float32) * 0.35
    copy.params = params
    (found,) = only("calibration", copy, digits.train, validation=(noisy, digits.test_y))
    assert (found.title, found.severity) == ("overconfident probabilities in 'answer'", "warning")
    numbers = found.evidence.numbers
    assert numbers["temperature"] > 3
    assert numbers["error_after"] < 0.7 * numbers["error_before"]
    assert "360 validation examples" in found.evidence.sentence


def test_a_note_for_probabilities_that_are_too_timid(only, copy, digits):
    params = {name: dict(group) for name, group in copy.params.items()}
    params["answer"] = {name: 0.2 * value for name, value in params["answer"].items()}
    copy.params = params
    (found,) = only("calibration", copy, digits.train)
    assert (found.name, found.severity) == ("timid probabilities", "note")
    assert "learned from or not, nobody said" in found.evidence.sentence
    assert 0.05 < found.evidence.numbers["temperature"] < 0.5


def test_too_few_to_judge(only, copy, digits):
    with pytest.raises(NotChecked, match="needs at least 100 examples"):
        only("calibration", copy, (digits.x[:50], digits.y[:50]))


@pytest.mark.parametrize(
    ("said", "labels", "kind", "message"),
    [
        ([[0.5, 0.5]], [0], ShapeError, "with at least two examples"),
        ([[0.5, 0.5]] * 3, [0, 1], ShapeError, r"probabilities of shape \(3, 2\), labels of shape \(2,\)"),
        ([[2.0, 1.0]] * 3, [0, 1, 0], DataError, "adds up to 1. Received a row that adds up to 3"),
        ([[0.5, 0.5]] * 3, [0, 1, 2], DataError, "labels are classes 0…1. Received labels up to 2"),
    ],
)
def test_what_is_no_calibration(said, labels, kind, message):
    with pytest.raises(kind, match=message):
        calibration(said, labels)
