"""Findings in the history of a training."""

from __future__ import annotations

import pytest

from convista.errors import ArgumentError, DataError
from convista.insight.doctor.findings import NotChecked
from convista.insight.doctor.training import epochs_of
from convista.training.history import History

OVERFITTED = {
    "loss": [1.0, 0.5, 0.2, 0.05, 0.01],
    "val_loss": [1.0, 0.6, 0.5, 0.7, 0.9],
    "accuracy": [0.6, 0.8, 0.9, 0.99, 1.0],
    "val_accuracy": [0.6, 0.78, 0.82, 0.81, 0.8],
}
GOOD = {
    "loss": [1.0, 0.5, 0.2, 0.1, 0.06, 0.04],
    "val_loss": [1.0, 0.6, 0.3, 0.22, 0.2, 0.21],
    "accuracy": [0.6, 0.8, 0.9, 0.97, 0.99, 0.995],
    "val_accuracy": [0.6, 0.78, 0.9, 0.95, 0.96, 0.96],
}


@pytest.mark.parametrize("name", ["overfitting", "course of the loss"])
def test_a_good_history(name, only, sound):
    assert only(name, sound, history=GOOD) == []
    assert only(name, sound) == []  # its own


def test_overfitting(only, sound):
    (found,) = only("overfitting", sound, history=OVERFITTED)
    assert found.evidence.sentence == (
        "In training 100.0% are right and in validation 80.0%. The validation loss was lowest after epoch 3 (0.5) and "
        "ended at 0.9, while that of training fell to 0.01."
    )
    assert found.fix.verified == (
        "stopped after epoch 3, the validation loss is 0.5 instead of 0.9 and the accuracy 82.0% instead of 80.0%."
    )


def test_overfitting_without_accuracy(only, sound):
    losses = {name: values for name, values in OVERFITTED.items() if "loss" in name}
    (found,) = only("overfitting", sound, history=losses)
    assert found.evidence.numbers["best_epoch"] == 3
    assert only("overfitting", sound, history={"loss": GOOD["loss"], "val_loss": GOOD["val_loss"]}) == []


def test_a_gap_that_is_gone_today_is_none(only, sound, digits):
    assert only("overfitting", sound, digits.train, validation=digits.test, history=OVERFITTED) == []


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ([1.0, 0.5, 0.4, 0.8], "diverging loss"),
        ([1.0, 0.5, float("nan")], "diverging loss"),
        ([1.0, 1.3, 0.9, 1.2, 0.8, 1.1, 0.8, 1.0], "oscillating loss"),
    ],
)
def test_a_loss_that_goes_wrong(loss, name, only, sound):
    (found,) = only("course of the loss", sound, history={"loss": loss})
    assert found.name == name


@pytest.mark.parametrize(
    "loss", [[1.0, 0.5, 0.3, 0.32, 0.2], [1.0, 0.2, 0.01, 0.02, 0.01, 0.02, 0.01, 0.02], [1.0, 0.9, 0.95, 0.85]]
)
def test_a_loss_that_only_trembles(loss, only, sound):
    assert only("course of the loss", sound, history={"loss": loss}) == []


def test_too_little_to_judge(only, copy):
    for name in ("overfitting", "course of the loss"):
        with pytest.raises(NotChecked, match="needs a history: train the model here"):
            only(name, copy)
    with pytest.raises(NotChecked, match="at least 3 epochs with validation"):
        only("overfitting", copy, history={"loss": [1.0, 0.5]})
    with pytest.raises(NotChecked, match="at least 3 epochs"):
        only("course of the loss", copy, history={"loss": [1.0, 0.5]})


def test_a_history_in_each_of_its_forms(tmp_path):
    history = History()
    for epoch in range(3):
        history.on_epoch_end(epoch, {name: values[epoch] for name, values in GOOD.items()} | {"recall": [0.5, 0.25]})
    path = history.to_csv(tmp_path / "history.csv")
    (tmp_path / "model.convista").write_bytes(b"")
    expected = {name: values[:3] for name, values in GOOD.items()}
    for form in (path, str(path), tmp_path, tmp_path / "model.convista"):
        read = dict(epochs_of(form))
        assert read.pop("recall") == [None] * 3
        assert read == expected
    assert epochs_of(history) is history.history
    assert epochs_of(None) is None


def test_a_history_that_is_none(tmp_path):
    with pytest.raises(DataError, match="there is no such history"):
        epochs_of(tmp_path / "none.csv")
    with pytest.raises(ArgumentError, match="history is what fit returned, its dictionary, or a run folder"):
        epochs_of(3)
