"""Labels that may be wrong: examples on which a network that knows its trade firmly disagrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import DataError
from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.limits import Limits
from convista.insight.doctor.material import material
from convista.insight.doctor.patient import Patient

if TYPE_CHECKING:
    from convista.models.model import Model

_SMALLEST = 1e-7
_LISTED = 50
_FEWEST = 5


@dataclass(frozen=True)
class Suspect:
    """An example whose label may be wrong.

    Args:
        index: Its place in the data.
        label: Its label.
        predicted: What the network says.
        probability: That the network gives the label.
        other: That it gives its own answer.
        loss: ``−log probability``.
        confident: Whether the network is as sure of its answer as it usually is of examples that have that label: the
            rule of confident learning.
    """

    index: int
    label: int
    predicted: int
    probability: float
    other: float
    loss: float
    confident: bool


def suspects(model: Model, x: Any, y: Any, most: int | None = 100) -> tuple[Suspect, ...]:
    """Rank examples by how firmly a network disagrees with their labels.

    Those that confident learning takes for mislabelled come first (the network gives another class at least the
    probability that it gives, on average, to examples of that class); then the others on which it disagrees; each by
    falling loss.

    Args:
        model: A classifier that is good at these classes and has not learned these labels by heart.
        x: Examples (N, …).
        y: Labels, int (N,) or one-hot (N, C).
        most: How many are returned; ``None`` for all on which it disagrees.

    Returns:
        The suspects, the most suspect first.

    Raises:
        DataError: The labels are no classes of this network.
        ShapeError: The examples do not fit the model.

    Example:
        >>> from convista.architectures import digits_convnet
        >>> from convista.data import load
        >>> digits = load("digits").train
        >>> len(suspects(digits_convnet(seed=0), digits.x[:50], digits.y[:50], most=5))
        5

    Source:
        C. Northcutt, L. Jiang, I. Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels, 2021.
    """
    given = material((x, y), 0, "suspects")
    patient = Patient(model, given, None, None, Limits(examples=given.size, multiply_accumulates=float(1 << 62)))
    try:
        labels = patient.labels
    except NotChecked as error:
        raise DataError(
            "labels are classes of a network with one input and one output",
            where="suspects",
            received=error.reason,
            fix="Give int labels 0…C−1, one an example",
        ) from None
    return ranked(patient.probabilities, labels, patient.sample.places)[:most]


def ranked(probabilities: np.ndarray, labels: np.ndarray, places: np.ndarray) -> tuple[Suspect, ...]:
    """Return all examples whose label is not the network's answer, the most suspect first.

    Args:
        probabilities: (n, C).
        labels: int (n,).
        places: Where each is in the data, int (n,).
    """
    predicted = probabilities.argmax(axis=1)
    rows = np.arange(len(labels))
    usual = np.array(
        [
            probabilities[labels == label, label].mean() if (labels == label).any() else 1.0
            for label in range(probabilities.shape[1])
        ]
    )
    own, other = probabilities[rows, labels], probabilities[rows, predicted]
    loss = -np.log(np.maximum(own, _SMALLEST))
    confident = other >= usual[predicted]
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.lexsort((wrong, -loss[wrong], ~confident[wrong]))]
    return tuple(
        Suspect(
            int(places[row]),
            int(labels[row]),
            int(predicted[row]),
            float(own[row]),
            float(other[row]),
            float(loss[row]),
            bool(confident[row]),
        )
        for row in order
    )


def mislabelled(patient: Patient) -> Iterator[Finding]:
    """Find labels that the network firmly contradicts."""
    labels, said = patient.labels, patient.probabilities
    right = float((said.argmax(axis=1) == labels).mean())
    if right < patient.limits.skilled:
        raise NotChecked(f"the network is right on {right:.0%} of the examples: its disagreement says nothing yet")
    sure = patient.limits.suspect_probability
    found = [one for one in ranked(said, labels, patient.sample.places) if one.confident]
    found = [one for one in found if one.probability <= 1 - sure and one.other >= sure]
    if len(found) < max(_FEWEST, patient.limits.suspect_share * len(labels)):
        return
    first = found[0]
    without = np.ones(len(labels), bool)
    without[np.searchsorted(patient.sample.places, [one.index for one in found])] = False
    yield Finding(
        "suspect labels",
        "warning",
        None,
        Evidence(
            f"On {len(found)} of {len(labels):,} examples the network is at least {sure:.0%} sure of another class "
            f"than their label, as sure as of its right answers; the first is example {first.index}, labelled "
            f"{patient.name_of(first.label)} and taken for {patient.name_of(first.predicted)} ({first.other:.1%}).",
            {
                "indices": [one.index for one in found[:_LISTED]],
                "labels": [one.label for one in found[:_LISTED]],
                "predicted": [one.predicted for one in found[:_LISTED]],
                "count": len(found),
                "examples": len(labels),
            },
        ),
        "Wrong labels are learned by heart in the end, and cost accuracy; if the labels are right, these are the hard "
        "cases.",
        Fix(
            "Look at them: convista.insight.suspects(model, x, y) ranks all of them. Correct or delete what is wrong.",
            f"without them the accuracy of the sample is {(said.argmax(axis=1) == labels)[without].mean():.1%} "
            f"rather than {right:.1%}.",
        ),
    )
