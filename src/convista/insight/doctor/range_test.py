"""The learning-rate range test: how the loss goes while the rate grows, on a copy of the network."""

from __future__ import annotations

import base64
import dataclasses
import html
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.patient import Patient
from convista.insight.drawing import BLUE, GREY, VERMILLION, encoded, new_figure, save, style
from convista.insight.inspection import program
from convista.training.step import Batch, Objective, TrainState, make_evaluation, make_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOWEST, _HIGHEST = 1e-6, 10.0
_STEPS = 84  # twelve a decade
_BATCH = 32
_SMOOTHING = 0.8
_GONE = 4.0
_TRIED = 80
_JUDGED = 256
_PEAK_STEPS = 10_000


@dataclass(frozen=True, eq=False)
class RangeTest:
    """How the loss of a batch went while the learning rate grew from step to step.

    Args:
        rates: float (n,), the learning rate of each step.
        losses: float (n,), the loss of its batch before the step, smoothed.
        current: The learning rate of ``compile``; with a schedule its largest.
        proposed: A rate that is safe and fast.
        edge: The rate from which the loss no longer falls.
        current_loss: The loss after some steps with the current rate, if that was tried.
        proposed_loss: The loss after as many with the proposed rate, if that was tried.
        start_loss: The loss before both.
    """

    rates: np.ndarray
    losses: np.ndarray
    current: float
    proposed: float
    edge: float
    current_loss: float | None = None
    proposed_loss: float | None = None
    start_loss: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        names = ("current", "proposed", "edge", "start_loss", "current_loss", "proposed_loss")
        curve = {"rates": self.rates.tolist(), "losses": self.losses.tolist()}
        return {**{name: getattr(self, name) for name in names}, **curve}

    def __str__(self) -> str:
        return (
            f"Range test over {len(self.rates)} steps: the loss falls up to a learning rate of {self.edge:.2g}; "
            f"{self.proposed:.2g} is proposed, {self.current:.2g} is compiled."
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        figure = f'<img alt="Range test" src="data:image/png;base64,{self.encoded()}">'
        return f"<p>{html.escape(str(self))}</p>{figure}"

    def encoded(self) -> str:
        """Return the figure as a PNG in base64."""
        with style():
            return base64.b64encode(encoded(self._drawn())).decode("ascii")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draw the loss over the learning rate.

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
        figure = new_figure(6.0, 3.8)
        axes = figure.add_subplot()
        axes.plot(self.rates, self.losses, color=BLUE)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
        axes.set(xlabel="learning rate of the step", ylabel="loss, smoothed")
        axes.set_title("Range test: the loss while the learning rate grows")
        for rate, colour, shape, name in (
            (self.proposed, VERMILLION, "-", "proposed"),
            (self.current, GREY, "--", "compiled"),
        ):
            axes.axvline(rate, color=colour, linestyle=shape, label=f"{name} {rate:.2g}")
        axes.set_ylim(0, 1.6 * float(self.losses[0]))
        axes.legend(loc="upper left")
        return figure


def learning_rate(patient: Patient) -> Iterator[Finding]:
    """Sweep the learning rate on a copy, propose one, and try it against the one of ``compile``."""
    if patient.quick:
        raise NotChecked("left out by quick")
    trial = _Trial.of(patient)
    found = patient.range_test = trial.sweep()
    limits = patient.limits
    high, low = found.current > found.edge, found.current * limits.rate_distance < found.proposed
    if not (high or low):
        return
    start = trial.loss(trial.begin())
    own, other = (trial.loss(trial.train(rate)) for rate in (found.current, found.proposed))
    found = patient.range_test = dataclasses.replace(found, start_loss=start, current_loss=own, proposed_loss=other)
    gained, possible = start - own, start - other
    # Only what a trial confirms is said.
    if possible <= 0 or (math.isfinite(own) and gained >= limits.rate_gain * possible):
        return
    yield Finding(
        f"learning rate too {'high' if high else 'low'}",
        "warning",
        None,
        Evidence(
            f"compile has a learning rate of {found.current:.2g}; in a sweep over {len(found.rates)} steps the loss "
            f"fell up to {found.edge:.2g}.",
            {name: value for name, value in found.to_dict().items() if name not in ("rates", "losses")},
        ),
        "Steps jump over the valley: the loss stays high, or is lost."
        if high
        else "Training takes many times as long as it could, and stops before it has learned.",
        Fix(
            f"Use a learning rate of {found.proposed:.2g}.",
            f"after {_TRIED} steps of {trial.size} examples from the same weights the loss was {other:.3g} instead of "
            f"{own:.3g} (before: {start:.3g}).",
        ),
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """Short trainings of a copy, each from the same weights and with the same batches."""

    objective: Objective
    params: Any
    state: Any
    x: np.ndarray
    y: np.ndarray
    size: int
    current: float
    seed: int
    step: Any
    evaluation: Any

    @classmethod
    def of(cls, patient: Patient) -> _Trial:
        y = patient.targets()
        model = patient.model
        x = patient.sample.x
        size = min(_BATCH, len(x))
        _check_cost(patient, size)
        objective = model._ready_trainer().objective
        optimizer = objective.optimizer
        if not dataclasses.is_dataclass(optimizer) or not hasattr(optimizer, "learning_rate"):
            raise NotChecked("the optimizer is a transformation of your own")
        rate = optimizer.learning_rate
        if callable(rate):
            current = max(float(rate(jnp.int32(step))) for step in np.geomspace(1, _PEAK_STEPS, 60).astype(int))
        else:
            current = float(model.learning_rate)
        if current <= 0:
            raise NotChecked("the learning rate is 0")
        objective = dataclasses.replace(
            objective, optimizer=dataclasses.replace(optimizer, learning_rate=current), metrics=()
        )
        # Weights that came from a file, or of which some are frozen, are where this training begins; others are drawn.
        kept = model.provenance is not None or bool(patient.graph.frozen)
        params, state = (model.params, model.state) if kept else _drawn_anew(patient)
        name = ("doctor", type(optimizer).__name__, repr(optimizer), repr(objective.loss))
        step = program(model, (*name, "step"), make_step(objective))
        evaluation = program(model, (*name, "evaluation"), make_evaluation(objective))
        return cls(objective, params, state, x, y, size, current, patient.seed, step, evaluation)

    def begin(self) -> TrainState:
        return self.objective.start(self.params, self.state, jax.random.key(self.seed))

    def sweep(self) -> RangeTest:
        """Grow the rate from step to step until the loss is lost."""
        rates = np.geomspace(_LOWEST, _HIGHEST, _STEPS)
        losses: list[float] = []
        train, mean = self.begin(), 0.0
        for number, (rate, batch) in enumerate(zip(rates, self._batches(_STEPS), strict=True)):
            train, _, loss = self.step(train._replace(learning_rate=jnp.float32(rate)), self.objective.totals(), batch)
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * float(loss)
            smooth = mean / (1 - _SMOOTHING ** (number + 1))
            if not math.isfinite(smooth) or (losses and smooth > _GONE * losses[0]):
                break
            losses.append(smooth)
        if len(losses) < 2:
            raise NotChecked("the loss is not finite from the first steps on")
        course = np.array(losses)
        lowest = int(course.argmin())
        edge = float(rates[lowest])
        # A third of the rate at which the loss is lowest: there the sweep is about to fail, and smoothing lags behind.
        return RangeTest(rates[: len(course)], course, self.current, _rounded(edge / 3), edge)

    def train(self, rate: float) -> TrainState:
        """Train some steps at one rate."""
        train = self.begin()._replace(learning_rate=jnp.float32(rate))
        for batch in self._batches(_TRIED):
            train, _, _ = self.step(train, self.objective.totals(), batch)
        return train

    def loss(self, train: TrainState) -> float:
        """Return the mean loss of up to 256 examples."""
        total, seen = 0.0, 0
        for first in range(0, min(len(self.x), _JUDGED) - self.size + 1, self.size):
            batch = self._batch(np.arange(first, first + self.size))
            sums = self.evaluation(train.params, train.state, self.objective.totals(), batch)
            total, seen = total + float(sums["loss"][0]), seen + self.size
        return total / seen

    def _batches(self, count: int) -> Iterator[Batch]:
        draw = np.random.default_rng(self.seed)
        order = np.zeros(0, np.int64)
        for _ in range(count):
            if len(order) < self.size:
                order = draw.permutation(len(self.x))
            places, order = order[: self.size], order[self.size :]
            yield self._batch(places)

    def _batch(self, places: np.ndarray) -> Batch:
        ones = np.ones(len(places), np.float32)
        return Batch(self.x[places], self.y[places], ones, ones)


def _drawn_anew(patient: Patient) -> tuple[Any, Any]:
    body = patient.body.anew(patient.seed)
    return body.params, body.state


def _check_cost(patient: Patient, size: int) -> None:
    macs = sum(number or 0 for number in patient.graph.multiply_accumulates())
    cost = 3 * macs * size * (_STEPS + 2 * _TRIED)
    if cost > patient.limits.training_multiply_accumulates:
        raise NotChecked(f"would train for {cost:.2g} multiply–accumulates; Limits allow more")


def _rounded(rate: float) -> float:
    """Return a rate with one digit, as people write them.

    Example:
        >>> _rounded(0.00274)
        0.003
    """
    return float(f"{rate:.0e}")
