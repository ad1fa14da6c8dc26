"""How far probabilities can be trusted: of what is said with 80 %, are 80 % right?"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import DataError, ShapeError
from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.material import classes_of
from convista.insight.doctor.patient import Patient
from convista.insight.drawing import BLUE, GREY, VERMILLION, encoded, new_figure, save, style
from convista.insight.tables import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEWEST = 100
_HANDFUL = 10
_SMALLEST = 1e-12
_STEPS = 60
_COLDEST, _HOTTEST = 0.05, 20.0
_DRAWS = 200


@dataclass(frozen=True)
class Bin:
    """Answers with nearly the same probability.

    Args:
        low: The smallest probability of the bin.
        high: The largest.
        count: How many answers there are.
        confidence: Their mean probability; 0 without any.
        accuracy: The share of them that is right; 0 without any.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """How sure a classifier is, and how often it is right then.

    Args:
        bins: By the probability of the answer, from 0 to 1.
        error: Expected calibration error: ``Σ count/N · |accuracy − confidence|``.
        largest_error: The largest ``|accuracy − confidence|`` of a bin with at least one answer in a hundred.
        accuracy: Share of right answers.
        confidence: Mean probability of the answers.
        temperature: By which logits are divided so that the first half of the answers becomes likeliest; above 1 the
            classifier was too sure.
        error_before: The error of the other half as it is.
        error_after: The error of the other half at that temperature.
        chance: The error that perfectly calibrated probabilities would show on so many examples, by chance.
        count: How many answers were judged.
    """

    bins: tuple[Bin, ...]
    error: float
    largest_error: float
    accuracy: float
    confidence: float
    temperature: float
    error_before: float
    error_after: float
    chance: float
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        names = ("error", "largest_error", "accuracy", "confidence", "temperature", "error_before", "error_after")
        return {
            "count": self.count,
            **{name: getattr(self, name) for name in (*names, "chance")},
            "bins": [vars(one) for one in self.bins],
        }

    def __str__(self) -> str:
        rows = [
            [f"{one.low:.0%}…{one.high:.0%}", f"{one.count:,}", f"{one.confidence:.1%}", f"{one.accuracy:.1%}"]
            for one in self.bins
            if one.count
        ]
        return f"{self._sentence()}\n\n{table(['said', 'answers', 'probability', 'right'], rows)}"

    def __repr__(self) -> str:
        return str(self)

    def _sentence(self) -> str:
        return (
            f"Expected calibration error {self.error:.3f} on {self.count:,} answers: on average {self.confidence:.1%} "
            f"sure, {self.accuracy:.1%} right. A temperature of {self.temperature:.2f}, found on one half, brings "
            f"the error of the other half from {self.error_before:.3f} to {self.error_after:.3f}."
        )

    def _repr_html_(self) -> str:
        return (
            f"<p>{html.escape(self._sentence())}</p>"
            f'<img alt="Calibration" src="data:image/png;base64,{self.encoded()}">'
        )

    def encoded(self) -> str:
        """Return the figure as a PNG in base64."""
        with style():
            return base64.b64encode(encoded(self._drawn())).decode("ascii")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draw the reliability diagram.

        Args:
            path: The PNG file to write.

        Returns:
            The path.

        Raises:
            ArgumentError: The folder does not exist.
        """
        with style():
            return save(self._drawn(), path)

    def _drawn(self) -> Figure:
        figure = new_figure(5.6, 6.0)
        above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        filled = [one for one in self.bins if one.count]
        middles = [(one.low + one.high) / 2 for one in filled]
        width = 0.9 / len(self.bins)
        # A share of a handful of answers is no share; such bars are hollow.
        for few, colour, label in (
            (False, BLUE, "right"),
            (True, "white", f"the same, of fewer than {_HANDFUL} answers"),
        ):
            part = [(middle, one) for middle, one in zip(middles, filled, strict=True) if (one.count < _HANDFUL) == few]
            if part:
                places, heights = [middle for middle, _ in part], [one.accuracy for _, one in part]
                above.bar(places, heights, width, color=colour, edgecolor=BLUE, label=label)
        above.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="as it should be")
        above.plot(
            [one.confidence for one in filled],
            [one.accuracy for one in filled],
            "o",
            color=VERMILLION,
            markeredgecolor="white",
            label="mean probability of the bin",
            clip_on=False,
        )
        above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of right answers")
        figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
        above.set_title(f"Calibration error {self.error:.3f}, temperature {self.temperature:.2f}")
        below.bar(middles, [one.count for one in filled], width, color=GREY)
        below.set(xlabel="probability of the answer", ylabel="answers")
        return figure


def calibration(probabilities: Any, labels: Any, bins: int = 15) -> Calibration:
    """Compare how sure a classifier is with how often it is right.

    Args:
        probabilities: (N, C), each row a distribution over classes.
        labels: int (N,) or one-hot (N, C): the true classes. Use examples that the network has not learned from.
        bins: How many bins of equal width there are.

    Returns:
        The bins, the expected calibration error, and the temperature that lowers it.

    Raises:
        ShapeError: The shapes do not fit each other.
        DataError: Rows are no distributions, or labels no classes.

    Example:
        >>> said = np.array([[0.9, 0.1]] * 10)
        >>> calibration(said, np.array([0] * 6 + [1] * 4)).error.__round__(3)
        0.3

    Source:
        C. Guo, G. Pleiss, Y. Sun, K. Weinberger: On Calibration of Modern Neural Networks, 2017.
    """
    said, truth = _checked(probabilities, labels)
    error, parts = _binned(said, truth, bins)
    temperature = _temperature(said[::2], truth[::2])
    other, other_truth = said[1::2], truth[1::2]
    return Calibration(
        bins=parts,
        error=error,
        largest_error=max(abs(one.accuracy - one.confidence) for one in parts if one.count >= len(truth) / 100),
        accuracy=float((said.argmax(axis=1) == truth).mean()),
        confidence=float(said.max(axis=1).mean()),
        temperature=temperature,
        error_before=_binned(other, other_truth, bins)[0],
        error_after=_binned(at_temperature(other, temperature), other_truth, bins)[0],
        chance=_by_chance(said.max(axis=1), bins),
        count=len(truth),
    )


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities that come from logits divided by a temperature.

    Example:
        >>> at_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    logits = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _checked(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    said, given = np.asarray(probabilities, np.float64), np.asarray(labels)
    truth = classes_of(given)
    if said.ndim != 2 or given.ndim == 0 or len(given) != len(said) or len(said) < 2:
        raise ShapeError(
            "probabilities are (N, C) and labels (N,), with at least two examples",
            where="calibration",
            received=f"probabilities of shape {said.shape}, labels of shape {given.shape}",
        )
    if not ((said >= 0).all() and np.allclose(said.sum(axis=1), 1, atol=1e-3)):
        raise DataError(
            "each row of probabilities adds up to 1",
            where="calibration",
            received=f"a row that adds up to {said.sum(axis=1)[np.argmax(np.abs(said.sum(axis=1) - 1))]:.4g}",
            fix="Take softmax of logits first; for one sigmoid p write np.stack([1 - p, p], axis=1)",
        )
    if truth is None or truth.max() >= said.shape[1]:
        raise DataError(
            f"labels are classes 0…{said.shape[1] - 1}", where="calibration", received=f"labels up to {given.max()}"
        )
    return said, truth


def _binned(said: np.ndarray, truth: np.ndarray, bins: int) -> tuple[float, tuple[Bin, ...]]:
    confidence, right = said.max(axis=1), said.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sure = np.bincount(place, confidence, minlength=bins) / np.maximum(counts, 1)
    good = np.bincount(place, right, minlength=bins) / np.maximum(counts, 1)
    error = float((counts * np.abs(good - sure)).sum() / len(truth))
    return error, tuple(
        Bin(number / bins, (number + 1) / bins, int(counts[number]), float(sure[number]), float(good[number]))
        for number in range(bins)
    )


def _temperature(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the temperature with the smallest mean negative log-likelihood, by golden section over its logarithm."""
    rows = np.arange(len(truth))

    def loss(power: float) -> float:
        return float(-np.log(np.maximum(at_temperature(said, np.exp(power))[rows, truth], _SMALLEST)).mean())

    low, high, golden = float(np.log(_COLDEST)), float(np.log(_HOTTEST)), (5**0.5 - 1) / 2
    for _ in range(_STEPS):
        one, two = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, two) if loss(one) < loss(two) else (one, high)
    return float(np.exp((low + high) / 2))


def _by_chance(confidence: np.ndarray, bins: int) -> float:
    """Return the mean error of answers that are right exactly as often as they say."""
    draw = np.random.default_rng(0)
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    errors = []
    for _ in range(_DRAWS):
        right = draw.random(len(confidence)) < confidence
        gaps = np.bincount(place, right - confidence, minlength=bins)
        errors.append(np.abs(gaps).sum() / len(confidence))
    return float(np.mean(errors))


def trust(patient: Patient) -> Iterator[Finding]:
    """Find probabilities that cannot be taken at their word, on validation data, or on the data if there is none."""
    if patient.validation is not None:
        labels, said = patient.checked_labels(patient.held_out), patient.held_out_probabilities
    else:
        labels, said = patient.labels, patient.probabilities
    if len(labels) < _FEWEST:
        raise NotChecked(f"needs at least {_FEWEST} examples")
    right = float((said.argmax(axis=1) == labels).mean())
    if right < 2 / patient.classes:
        raise NotChecked(f"the network is right on {right:.0%}, hardly more than by chance")
    found = patient.calibration = calibration(said, labels)
    limits = patient.limits
    sure = found.confidence > found.accuracy
    if found.error - found.chance <= (limits.calibration_error if sure else limits.doubt_error):
        return
    last = patient.graph.nodes[patient.graph.outputs[0]].name
    which = "validation" if patient.validation is not None else "given (learned from or not, nobody said)"
    yield Finding(
        "overconfident probabilities" if sure else "timid probabilities",
        "warning" if sure else "note",
        last,
        Evidence(
            f"On {found.count:,} {which} examples the network is {found.confidence:.1%} sure and {found.accuracy:.1%} "
            f"right: expected calibration error {found.error:.3f}, where chance alone would make {found.chance:.3f}.",
            {name: value for name, value in found.to_dict().items() if name != "bins"},
        ),
        "Thresholds and costs that take its probabilities at their word go wrong.",
        Fix(
            f"Divide the logits by {found.temperature:.2f} before the softmax. In training "
            + ("label smoothing, augmentation and fewer epochs help." if sure else "more epochs help."),
            f"on the half of the answers that was not used to find this temperature, the error went from "
            f"{found.error_before:.3f} to {found.error_after:.3f}."
            if found.error_after < found.error_before
            else "",
        ),
    )
