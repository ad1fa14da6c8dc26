"""What is wrong with a training, as its history tells."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convista.errors import ArgumentError, DataError
from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.patient import Patient
from convista.insight.runs import RunFolder, history_columns

_ENOUGH_EPOCHS = 3
_ENOUGH_TO_BE_ROUGH = 6
_ROUGH = 1.1
_ACCURACIES = ("accuracy", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy", "acc")

Epochs = Mapping[str, Sequence[Any]]


def epochs_of(history: Any) -> Epochs | None:
    """Return name → one value per epoch.

    Args:
        history: What ``fit`` returned; its dictionary; a run folder or its ``history.csv``; or ``None``.

    Raises:
        DataError: The file is not there or no such table.
        ArgumentError: It is nothing of these.
    """
    if history is None:
        return None
    if isinstance(history, str | os.PathLike):
        return _read(Path(history))
    found = getattr(history, "history", history)
    if not isinstance(found, Mapping):
        raise ArgumentError(
            "history is what fit returned, its dictionary, or a run folder",
            where="check",
            received=type(history).__name__,
            fix="Write history=model.fit(…) or history='runs/first'",
        )
    return found


def _read(path: Path) -> Epochs:
    file = RunFolder.open(path).history if path.is_dir() or path.suffix == ".convista" else path
    if not file.is_file():
        raise DataError("there is no such history", where=str(file), fix="Name a run folder or a history.csv")
    columns = history_columns(file)
    return {name: [_value(text) for text in column] for name, column in columns.items() if name != "epoch"}


def _value(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None  # a metric with one value per class


def _numbers(history: Epochs, name: str) -> np.ndarray:
    """Return the values of a column that are numbers, with NaN for an epoch that has none."""
    return np.array([value if isinstance(value, int | float) else math.nan for value in history.get(name, [])])


def _both(patient: Patient, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a value of training and of validation at the epochs that have both."""
    history = patient.history or {}
    own, other = _numbers(history, name), _numbers(history, f"val_{name}")
    if len(own) != len(other) or not len(own):
        return None
    known = np.isfinite(own) & np.isfinite(other)
    return (own[known], other[known]) if known.sum() >= _ENOUGH_EPOCHS else None


def overfitting(patient: Patient) -> Iterator[Finding]:
    """Compare training with validation over the epochs."""
    loss = _both(patient, "loss")
    if patient.history is None:
        raise NotChecked("needs a history: train the model here, or give history=")
    if loss is None:
        raise NotChecked(f"needs a history of at least {_ENOUGH_EPOCHS} epochs with validation")
    best = int(loss[1].argmin())
    lowest, last = float(loss[1][best]), float(loss[1][-1])
    rise = last / max(lowest, 1e-12) - 1
    metric = next((name for name in _ACCURACIES if _both(patient, name) is not None), None)
    rates = None if metric is None else _both(patient, metric)
    gap = None if rates is None else float(rates[0][-1] - rates[1][-1])
    gap = _gap_now(patient, gap)
    limits = patient.limits
    # A loss that rises while the accuracies stay together is a matter of calibration, which is judged by itself.
    apart = gap > limits.overfitting_gap if gap is not None else last > (1 + limits.overfitting_rise) * loss[0][-1]
    rises = rise > limits.overfitting_rise and last > (1 + limits.overfitting_rise) * loss[0][-1]
    if not (apart and (gap is not None or rises)):
        return
    said = f"The validation loss was lowest after epoch {best + 1} ({lowest:.4g}) and ended at {last:.4g}"
    if rates is not None and gap is not None:
        said = f"In training {rates[0][-1]:.1%} are right and in validation {rates[1][-1]:.1%}. {said}"
    stopped = f"stopped after epoch {best + 1}, the validation loss is {lowest:.4g} instead of {last:.4g}"
    if rates is not None:
        stopped += f" and the accuracy {rates[1][best]:.1%} instead of {rates[1][-1]:.1%}"
    yield Finding(
        "overfitting",
        "warning",
        None,
        Evidence(
            f"{said}, while that of training fell to {loss[0][-1]:.4g}.",
            {
                "epochs": len(loss[0]),
                "best_epoch": best + 1,
                "lowest_validation_loss": lowest,
                "last_validation_loss": last,
                "training_loss": float(loss[0][-1]),
                "accuracy_gap": gap,
            },
        ),
        "It learns its examples by heart: what is better in training does not help on new examples.",
        Fix(
            "EarlyStopping(restore_best_weights=True), augmentation, Dropout, weight_decay, more data or a smaller "
            "network.",
            f"{stopped}." if best + 1 < len(loss[0]) else "",
        ),
    )


def _gap_now(patient: Patient, gap: float | None) -> float | None:
    """Return the smaller of the gap in the history and that of today.

    In the history the network is one that learns: there batch normalisation uses the batch, and its moving statistics
    may lag behind for some hundred steps without anything being learned by heart.
    """
    if gap is None or patient.data is None or patient.validation is None or patient.sample.labels is None:
        return gap
    learned = (patient.probabilities.argmax(axis=1) == patient.labels).mean()
    judged = (patient.held_out_probabilities.argmax(axis=1) == patient.checked_labels(patient.held_out)).mean()
    return min(gap, float(learned - judged))


def loss_course(patient: Patient) -> Iterator[Finding]:
    """Look for a training loss that rises or jumps."""
    if patient.history is None:
        raise NotChecked("needs a history: train the model here, or give history=")
    loss = _numbers(patient.history, "loss")
    if len(loss) < _ENOUGH_EPOCHS:
        raise NotChecked(f"needs a history of at least {_ENOUGH_EPOCHS} epochs")
    limits = patient.limits
    broken = not np.isfinite(loss).all()
    lowest, last = (math.nan, math.nan) if broken else (float(loss.min()), float(loss[-1]))
    rises = int((loss[1:] > _ROUGH * loss[:-1]).sum())
    # Losses near 0 jump by large shares and nobody minds: what counts is what is left of the first one.
    heavy = broken or (last > limits.divergence * lowest and last > limits.remainder * loss[0])
    rough = (
        len(loss) >= _ENOUGH_TO_BE_ROUGH
        and rises / (len(loss) - 1) >= limits.rough_share
        and float(np.median(loss)) > limits.remainder * loss[0]
    )
    if not (heavy or rough):
        return
    numbers = {"loss": loss.tolist(), "rises": rises, "lowest": lowest, "last": last}
    if broken:
        sentence = f"The training loss was not finite after epoch {int(np.argmax(~np.isfinite(loss))) + 1}."
    elif heavy:
        sentence = (
            f"The training loss was {lowest:.4g} after epoch {int(loss.argmin()) + 1} and ended at {last:.4g}, "
            f"{last / lowest:.2g} times as much."
        )
    else:
        sentence = (
            f"After {rises} of {len(loss) - 1} epochs the training loss was more than a tenth higher than before."
        )
    yield Finding(
        "diverging loss" if heavy else "oscillating loss",
        "error" if broken else "warning",
        None,
        Evidence(sentence, numbers),
        "The steps are too long for the valley that the loss is in; what was learned is thrown away again.",
        Fix(
            "Divide the learning rate by three to ten, let it fall with a schedule, take larger batches, or set "
            "clipnorm=1.0."
        ),
    )
