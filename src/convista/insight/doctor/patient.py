"""What is examined: a model, the examples it is shown, and what both gave, each computed once."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.insight.doctor.findings import NotChecked
from convista.insight.doctor.limits import Limits
from convista.insight.doctor.material import Material, Sample
from convista.insight.doctor.signals import Body, Signal, signals
from convista.insight.judgement import class_probabilities, is_compiled
from convista.models.graph import Graph
from convista.training import batches

if TYPE_CHECKING:
    from convista.insight.doctor.calibration import Calibration
    from convista.insight.doctor.range_test import RangeTest
    from convista.models.model import Model

_FEWEST = 64


# No frozen dataclass: cached_property keeps what was computed in the instance.
@dataclass(eq=False)
class Patient:
    """A model with the examples it is judged by.

    Args:
        model: The model; nothing of it is changed.
        data: Examples it learns from, if any were given.
        validation: Examples it does not learn from, if any were given.
        history: Name → one value per epoch, if there is one.
        limits: The thresholds.
        seed: Of the examples that are drawn and of everything that is tried.
        quick: Whether what trains is left out.
        calibration: What the check of the probabilities measured, once it has.
        range_test: What the check of the learning rate measured, once it has.
    """

    model: Model
    data: Material | None
    validation: Material | None
    history: Mapping[str, Sequence[Any]] | None
    limits: Limits
    seed: int = 0
    quick: bool = False
    calibration: Calibration | None = None
    range_test: RangeTest | None = None

    @property
    def graph(self) -> Graph:
        """The network."""
        return self.model.graph

    @functools.cached_property
    def sample(self) -> Sample:
        """Examples of the data, drawn at random.

        Raises:
            NotChecked: There is no data, or the model has several inputs.
        """
        if self.data is None:
            raise NotChecked("needs data")
        return self._drawn(self.data, "data")

    @functools.cached_property
    def held_out(self) -> Sample:
        """Examples of the validation data.

        Raises:
            NotChecked: There is none.
        """
        if self.validation is None:
            raise NotChecked("needs validation data")
        return self._drawn(self.validation, "validation")

    def _drawn(self, source: Material, name: str) -> Sample:
        if len(self.graph.inputs) != 1 or len(self.graph.outputs) != 1:
            raise NotChecked("is made for models with one input and one output")
        sample = source.sample(self.most, self.seed)
        # Only shapes: values that nothing scales are a finding here, and elsewhere an error.
        self.model._feeding.check_shapes(sample.x, name)
        return sample

    @functools.cached_property
    def most(self) -> int:
        """How many examples this network is shown."""
        costs = sum(number or 0 for number in self.graph.multiply_accumulates())
        affordable = int(self.limits.multiply_accumulates / max(costs, 1))
        return min(self.limits.examples, max(affordable, _FEWEST))

    @functools.cached_property
    def x(self) -> np.ndarray:
        """The sample as the first layer sees it, float32."""
        return prepared(self.model, self.sample.x)

    @functools.cached_property
    def body(self) -> Body:
        """The network with its weights."""
        return Body.of(self.model)

    @functools.cached_property
    def signals(self) -> list[Signal]:
        """What every layer gives for the sample."""
        return signals(self.body, self.x)

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """The classes of the sample, int (n,).

        Raises:
            NotChecked: The targets are no classes of this network.
        """
        return self.checked_labels(self.sample)

    def checked_labels(self, sample: Sample) -> np.ndarray:
        """Return the classes of a sample, or say why there are none.

        Raises:
            NotChecked: The targets are no classes of this network.
        """
        if sample.y is None:
            raise NotChecked("needs labels")
        labels = sample.labels
        if labels is None or len(self.graph.shapes()[self.graph.outputs[0]]) != 1:
            raise NotChecked("is made for classes, one an example")
        if labels.max(initial=0) >= self.classes:
            raise NotChecked(f"the labels go up to {labels.max()}, and the network tells {self.classes} classes apart")
        return labels

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return max(int(self.graph.shapes()[self.graph.outputs[0]][-1] or 0), 2)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """What the model says about the sample, (n, C)."""
        return answers(self.model, self.sample)

    @functools.cached_property
    def held_out_probabilities(self) -> np.ndarray:
        """What the model says about the validation sample, (n, C)."""
        return answers(self.model, self.held_out)

    @property
    def compiled(self) -> bool:
        """Whether the model knows its loss and optimizer."""
        return is_compiled(self.model)

    def targets(self) -> np.ndarray:
        """Return the targets of the sample as the loss takes them.

        Raises:
            NotChecked: The model is not compiled, or there are none that fit.
        """
        if not self.compiled:
            raise NotChecked("needs a compiled model")
        if self.sample.y is None:
            raise NotChecked("needs labels")
        self.model.loss.check(self.sample.y, self.model.output_shape[1:])
        return self.sample.y

    def name_of(self, label: int) -> str:
        """Return what a class is called."""
        return repr(self.model.classes[label]) if self.model.classes else str(label)


def prepared(model: Model, x: np.ndarray) -> np.ndarray:
    """Return examples as the first layer sees them, float32."""
    return np.asarray(model._prepared(batches.as_array(x, "x")))


def answers(model: Model, sample: Sample) -> np.ndarray:
    """Return what a classifier says about examples, as probabilities (n, C); values are taken as they are."""
    x, size = batches.inputs(sample.x)
    return class_probabilities(model, np.asarray(model._predict_arrays(x, size, min(256, size))))
