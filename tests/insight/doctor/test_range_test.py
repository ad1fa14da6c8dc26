"""The range test: rates that are far too high or low are found, sound ones are not, and the proposal is tried."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.insight.doctor.findings import NotChecked
from convista.insight.doctor.limits import Limits
from convista.training.optimizers import SGD, Adam
from convista.training.schedules import CosineDecay


def compiled(model, optimizer):
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [Adam(), Adam(0.01), SGD(0.1), Adam(CosineDecay(0.003, 1000))])
def test_sound_rates(optimizer, only, copy, digits):
    assert only("learning rate", compiled(copy, optimizer), digits.train) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "word"),
    [
        (Adam(3.0), "high"),
        (SGD(50.0), "high"),
        (Adam(1e-6), "low"),
        (SGD(1e-5), "low"),
        (Adam(lambda step: 3.0), "high"),
    ],
)
def test_rates_too_high_and_too_low(optimizer, word, only, copy, digits):
    (found,) = only("learning rate", compiled(copy, optimizer), digits.train)
    assert found.name == f"learning rate too {word}"
    numbers = found.evidence.numbers
    assert 1e-3 < numbers["proposed"] < 3
    assert numbers["proposed_loss"] < 0.5 * numbers["start_loss"]
    assert not numbers["current_loss"] < 0.7 * numbers["start_loss"]
    assert found.fix.sentence == f"Use a learning rate of {numbers['proposed']:.2g}."
    assert found.fix.verified.startswith("after 80 steps of 32 examples from the same weights the loss was ")


@pytest.mark.slow
def test_the_proposed_rate_is_no_finding(only, copy, digits):
    (found,) = only("learning rate", compiled(copy, Adam(3.0)), digits.train)
    again = compiled(copy, Adam(found.evidence.numbers["proposed"]))
    assert only("learning rate", again, digits.train) == []


def test_a_costly_network_is_not_trained(only, copy, digits):
    with pytest.raises(NotChecked, match=r"would train for .* multiply–accumulates; Limits allow more"):
        only("learning rate", copy, digits.train, limits=Limits(training_multiply_accumulates=1e6))


def test_a_rate_of_nothing(only, copy, digits):
    with pytest.raises(NotChecked, match="the learning rate is 0"):
        only("learning rate", compiled(copy, SGD(0.0)), digits.train)


@pytest.mark.slow
def test_the_figure(patient, copy, digits, tmp_path):
    found = copy.check(digits.train).range_test
    assert found.rates.shape == found.losses.shape
    assert found.losses[-1] > 2 * found.losses.min()  # it went on until the loss was lost
    assert found.edge == found.rates[found.losses.argmin()]
    with Image.open(found.save(tmp_path / "range.png")) as picture:
        assert picture.size == (720, 456)
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    assert "data:image/png;base64," in found._repr_html_()
    assert str(found).startswith(f"Range test over {len(found.rates)} steps: the loss falls up to a learning rate of ")
