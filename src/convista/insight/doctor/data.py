"""What is wrong with what a network is given: its scale, its balance, and what validates it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.likeness import digests
from convista.insight.doctor.material import batches_of
from convista.insight.doctor.patient import Patient
from convista.insight.inspection import values
from convista.layers import BatchNormalization, Normalization
from convista.training.batches import in_file_order, is_stream

_LOOKED_AT = 200
_TINY = 1e-12
_PIXELS = 2.0


def input_scale(patient: Patient) -> Iterator[Finding]:
    """Look at mean and deviation of what the first layer with weights sees."""
    place, normalizes = _first_taker(patient)
    seen = values(patient.model, patient.x[:_LOOKED_AT], (place,))[0]
    mean, deviation = float(seen.mean()), float(seen.std())
    limits = patient.limits
    large = deviation > limits.input_deviation
    small = deviation < limits.input_smallest
    shifted = abs(mean) > limits.input_offset * max(deviation, _TINY)
    if normalizes or not (large or small or shifted):
        return
    low, high = float(seen.min()), float(seen.max())
    yield Finding(
        "inputs not scaled",
        "warning",
        patient.graph.nodes[place].name,
        Evidence(
            f"The first layer with weights sees values {low:.4g}…{high:.4g} with mean {mean:.4g} and deviation "
            f"{deviation:.4g}; weights are drawn for a deviation near 1.",
            {"mean": mean, "deviation": deviation, "low": low, "high": high, "examples": len(seen)},
        ),
        "The first steps are far too long or far too short for its weights: training is slow, or never finds its way.",
        _scaled(patient, seen),
    )


def _first_taker(patient: Patient) -> tuple[int, bool]:
    """Return the node whose values the first layer with weights takes, and whether that layer normalises them."""
    counts = patient.graph.parameter_counts()
    for node in patient.graph.nodes:
        if node.inputs and sum(counts.get(node.name, (0, 0))):
            return node.inputs[0], "Normalization" in type(node.layer).__name__
    raise NotChecked("no layer has weights")


def _scaled(patient: Patient, seen: np.ndarray) -> Fix:
    preprocessing = patient.model.preprocessing
    told = "" if preprocessing is None or preprocessing.scale is None else " as the model's preprocessing has it"
    if float(seen.min()) >= 0 and _PIXELS < float(seen.max()) <= 255:
        after = seen / 255
        text = f"Divide the pixels by 255{told}, or put Rescaling(1 / 255) first in the model."
    elif float(seen.min()) >= 0 and 0 < float(seen.max()) <= 1 / 100:
        after = seen * 255
        text = "The pixels are divided twice: give them as they are, or take one of the two scalings away."
    else:
        mean, deviation = seen.mean(), max(float(seen.std()), _TINY)
        after = (seen - mean) / deviation
        text = "Put a Normalization layer first and let it adapt to the training data."
    return Fix(text, f"mean {float(after.mean()):.2g} and deviation {float(after.std()):.2g}.")


def input_drift(patient: Patient) -> Iterator[Finding]:
    """Compare the data with what the first normalisation layer remembers of the data it was trained on."""
    found = next(
        (
            (node, kept)
            for node in patient.graph.nodes
            if (kept := _remembered(patient, node.name, node.layer)) is not None
        ),
        None,
    )
    if found is None:
        raise NotChecked("no layer remembers the data of training")
    node, (mean, deviation) = found
    x = patient.x[:_LOOKED_AT]

    def distance(factor: float) -> float:
        seen = values(patient.model, x * np.float32(factor), (node.inputs[0],))[0]
        away = np.abs(seen.reshape(-1, seen.shape[-1]).mean(axis=0) - mean)
        return float(np.mean(away / np.maximum(deviation, _TINY)))

    away = distance(1.0)
    if away <= patient.limits.input_drift:
        return
    text = "Prepare the data as for training; if it is meant to differ, train on so that the layers follow"
    nearer = next((factor for factor in (255, 1 / 255) if distance(factor) <= patient.limits.input_drift), None)
    fix = Fix(f"{text}.")
    if nearer is not None:
        times = "multiplied" if nearer > 1 else "divided"
        fix = Fix(f"{text}. Here the values are to be {times} by 255.", f"then the distance is {distance(nearer):.2g}.")
    yield Finding(
        "data unlike that of training",
        "warning",
        node.name,
        Evidence(
            f"{node.where} remembers the data of training; the means of its channels lie {away:.2g} of those standard "
            "deviations away in this data.",
            {"distance": away, "examples": len(x)},
        ),
        "What the layer gives is shifted, and all behind it was trained for something else.",
        fix,
    )


def _remembered(patient: Patient, name: str, layer: object) -> tuple[np.ndarray, np.ndarray] | None:
    if isinstance(layer, BatchNormalization) and layer.axis == -1:
        kept = patient.model.state[name]
        mean, variance = (np.asarray(kept[key], np.float64) for key in ("moving_mean", "moving_variance"))
        return None if (mean == 0).all() and (variance == 1).all() else (mean, np.sqrt(variance + layer.epsilon))
    if isinstance(layer, Normalization) and layer.mean is not None and not layer.invert:
        mean, variance = np.asarray(layer.mean, np.float64), np.asarray(layer.variance, np.float64)
        return (mean, np.sqrt(variance)) if mean.ndim <= 1 else None
    return None


def augmented_validation(patient: Patient) -> Iterator[Finding]:
    """Pass twice over the validation data and see whether the same examples come."""
    if patient.validation is None:
        raise NotChecked("needs validation data")
    source = patient.validation.source
    name = type(source).__name__
    if getattr(source, "augments", False):
        yield _augmented(f"{name} says that it changes pictures at random.", {"source": name, "says_so": True})
        return
    if not is_stream(source) or hasattr(source, "x"):
        return  # arrays are the same each time
    if isinstance(source, Iterator):
        raise NotChecked("a generator can be passed over only once; give an object that can be iterated again")
    most = patient.limits.pass_examples
    (first, ended), (second, _) = (_pass(in_file_order(source), most) for _ in range(2))
    if first == second or (ended and sorted(first) == sorted(second)):
        return
    same = len(set(first) & set(second))
    if not ended and same:
        raise NotChecked(f"the validation data is shuffled and longer than {most:,} examples")
    yield _augmented(
        f"Of {len(first):,} examples in one pass over {name}, {len(first) - same:,} were different in the next.",
        {"source": name, "examples": len(first), "changed": len(first) - same},
    )


def _augmented(sentence: str, numbers: dict[str, object]) -> Finding:
    return Finding(
        "augmentation on validation data",
        "error",
        None,
        Evidence(sentence, numbers),
        "The validation score tells about changed pictures and is another one each time: epochs cannot be compared.",
        Fix("Give the validation pictures as they are; fit(augmentation=…) changes only those of training."),
    )


def _pass(source: object, most: int) -> tuple[list[bytes], bool]:
    found: list[bytes] = []
    for x, _ in batches_of(source):
        found += digests(x)
        if len(found) >= most:
            return found[:most], False
    return found, True


def class_balance(patient: Patient) -> Iterator[Finding]:
    """Count the examples of each class."""
    patient.checked_labels(patient.sample)
    labels = patient.data.labels if patient.data is not None else None
    if labels is None:
        raise NotChecked("needs labels")
    counts = np.bincount(labels, minlength=patient.classes)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] <= patient.limits.class_ratio * counts[least]:
        return
    weights = {label: float(len(labels) / (len(counts) * number)) for label, number in enumerate(counts) if number}
    absent = np.flatnonzero(counts == 0)
    more = f"; {len(absent)} classes have none" if len(absent) > 1 else ""
    yield Finding(
        "class imbalance",
        "warning",
        None,
        Evidence(
            f"Class {patient.name_of(most)} has {counts[most]:,} examples and class {patient.name_of(least)} has "
            f"{counts[least]:,}{more}.",
            {"counts": counts.tolist(), "class_weight": weights},
        ),
        "The network learns to prefer the large classes, and accuracy hides how poorly the small ones do.",
        Fix(
            "Give fit class_weight=, collect more of the small classes, and look at recall per class."
            if not len(absent)
            else "Collect examples of the classes that have none, or build the model for those that are there.",
            "" if len(absent) else _evened(counts, weights),
        ),
    )


def _evened(counts: np.ndarray, weights: dict[int, float]) -> str:
    told = ", ".join(f"{label}: {value:.3g}" for label, value in weights.items())
    sums = np.array([weights[label] * number for label, number in enumerate(counts.tolist())])
    return f"with class_weight={{{told}}} each class counts as {sums.min():,.0f} to {sums.max():,.0f} examples."
