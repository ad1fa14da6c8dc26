"""The examination: which checks there are, and what comes out of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convista import arguments
from convista.data.folder_check import SEVERITIES
from convista.errors import ArgumentError
from convista.insight.doctor import (
    activations,
    architecture,
    calibration,
    data,
    duplicates,
    labels,
    range_test,
    training,
)
from convista.insight.doctor.findings import Diagnosis, Finding, NotChecked
from convista.insight.doctor.limits import Limits
from convista.insight.doctor.material import Material, material
from convista.insight.doctor.patient import Patient

if TYPE_CHECKING:
    from convista.models.model import Model


@dataclass(frozen=True)
class Check:
    """One question to a network.

    Args:
        name: What it is about.
        examine: Yields findings, or raises :class:`NotChecked`.
    """

    name: str
    examine: Callable[[Patient], Iterator[Finding]]


CHECKS = (
    Check("receptive field", architecture.receptive_field),
    Check("width of Flatten", architecture.wide_flatten),
    Check("lost sizes", architecture.lost_sizes),
    Check("scale of the inputs", data.input_scale),
    Check("likeness to the training data", data.input_drift),
    Check("dead channels", activations.dead_channels),
    Check("saturated activations", activations.saturation),
    Check("saturated softmax", activations.mute_examples),
    Check("sizes of activations", activations.activation_sizes),
    Check("sizes of gradients", activations.gradient_sizes),
    Check("moving statistics", activations.moving_statistics),
    Check("balance of the classes", data.class_balance),
    Check("duplicates", duplicates.duplicates),
    Check("suspect labels", labels.mislabelled),
    Check("augmented validation", data.augmented_validation),
    Check("overfitting", training.overfitting),
    Check("course of the loss", training.loss_course),
    Check("learning rate", range_test.learning_rate),
    Check("calibration", calibration.trust),
)
"""All checks, in the order in which they are made."""


def check(
    model: Model,
    data: Any = None,
    *,
    validation: Any = None,
    history: Any = None,
    limits: Limits | None = None,
    quick: bool = False,
    seed: int = 0,
) -> Diagnosis:
    """Examine a network, its data and its training, and say what is wrong, how that is known and what helps.

    Nothing of the model is changed. Without data only the architecture and the history are looked at.

    Args:
        model: The model; compiled for gradients and the learning rate, trained for what it says about data.
        data: Examples it learns from: ``(x, y)``, a ``Split``, a ``Dataset`` (its test half validates), an array, or
            batches as for ``fit``, of which the first ones are taken.
        validation: Examples it does not learn from, in the same forms.
        history: What ``fit`` returned, its dictionary, a run folder or a ``history.csv``; ``None`` is
            ``model.history``.
        limits: Thresholds; see :class:`Limits`.
        quick: Leave out the short trainings of the learning-rate range test.
        seed: Of the examples that are drawn and of everything that is tried.

    Returns:
        The findings with the checks that were made and those that were not; ``print`` shows them.

    Raises:
        ShapeError: The data does not fit the model, or the model knows no shape yet.
        DataError: There are no examples, or labels outside the classes.
        ArgumentError: An argument is of another kind.

    Example:
        >>> from convista import architectures
        >>> found = check(architectures.lecture_convnet_without_pooling())
        >>> found.findings[0].name, found.findings[0].evidence.numbers["width"]
        ('Flatten too wide', 61952)
        >>> found.findings[0].fix.verified.split(" and")[0]
        "'flatten' went from 61 952 to 1 152 values"
    """
    patient = _patient(model, data, validation, history, limits or Limits(), quick, seed)
    findings: list[Finding] = []
    checked: list[str] = []
    skipped: list[tuple[str, str]] = []
    for one in CHECKS:
        try:
            findings += one.examine(patient)
            checked.append(one.name)
        except NotChecked as error:
            skipped.append((one.name, error.reason))
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    examples = len(patient.sample.x) if patient.data is not None and len(patient.graph.inputs) == 1 else 0
    return Diagnosis(
        model.name,
        tuple(findings),
        tuple(checked),
        tuple(skipped),
        examples,
        patient.calibration,
        patient.range_test,
    )


def _patient(model: Model, data: Any, validation: Any, history: Any, limits: Limits, quick: bool, seed: int) -> Patient:
    if not isinstance(limits, Limits):
        raise ArgumentError(
            "limits is a Limits",
            where="check",
            received=type(limits).__name__,
            fix="Write limits=convista.insight.Limits(dead_share=0.5)",
        )
    arguments.integer(seed, "seed", where="check", minimum=0)
    if hasattr(data, "train") and hasattr(data, "test"):
        data, validation = data.train, data.test if validation is None else validation
    learned = None if data is None else material(data, limits.examples, "check, data")
    if learned is not None:
        model = model._shaped_for(learned.x[:1])
    judged: Material | None = None if validation is None else material(validation, limits.examples, "check, validation")
    past = training.epochs_of(model.history if history is None else history)
    return Patient(model, learned, judged, past if past else None, limits, seed, quick)
