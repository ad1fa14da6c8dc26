"""What a report is made from: the run, its network, its data and what the network says about them, computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from convista.insight.judgement import Judgement, Labelled, check_fit, is_compiled, judge
from convista.insight.reports.markup import is_picture
from convista.insight.reports.texts import say
from convista.insight.runs import RunFolder

if TYPE_CHECKING:
    from convista.models import Model

_BATCH = 256
_MOST_EPOCHS = 100_000


class Data(Protocol):
    """Examples to learn from and examples that judge: a ``Dataset``, or the data of a folder."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def train(self) -> Labelled:
        """The examples to learn from."""

    @property
    def test(self) -> Labelled:
        """The examples that judge."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""

    @property
    def source(self) -> str:
        """Where it came from."""


@dataclass(frozen=True)
class Example:
    """One example that the network is asked about.

    Args:
        value: As the data has it, without the batch axis; or the file it is in.
        caption: What is said of it.
    """

    value: np.ndarray | Path
    caption: str


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that the sections are made from.

    Args:
        run: The run folder.
        record: What ``run.json`` says; empty where there is none.
        model: The network.
        data: What it is judged by, where it is at hand.
        absent: Why there is none, else empty.
    """

    run: RunFolder
    record: Mapping[str, Any]
    model: Model
    data: Data | None
    absent: str

    def told(self, *path: str, kind: type | tuple[type, ...] = str) -> Any:
        """Return what ``run.json`` says under some keys, or None where it does not say it, or says something odd."""
        value: Any = self.record
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value if isinstance(value, kind) and not isinstance(value, bool) else None

    @cached_property
    def history(self) -> dict[str, list[float]]:
        """Name → one value per epoch; what was not finite is NaN."""
        told = self.told("history", kind=dict)
        columns = self.run.read_history() if told is None else told
        found = {name: _numbers(column) for name, column in columns.items() if name != "epoch"}
        return {name: column for name, column in found.items() if column}

    @cached_property
    def shape(self) -> tuple[int | None, ...] | None:
        """The shape of one example, or None for a model with several inputs."""
        graph = self.model.graph
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            return None
        return tuple(self.model.input_shape[1:])

    @property
    def are_pictures(self) -> bool:
        """Whether examples can be shown."""
        return self.shape is not None and is_picture(self.shape)

    @property
    def noun(self) -> str:
        """What one example is called, a key of the catalogue's nouns."""
        return "picture" if self.are_pictures else "example"

    @cached_property
    def names_classes(self) -> str:
        """Why the network's answers are no classes, else empty."""
        if self.shape is None:
            return say("material.several")
        if len(self.model.output_shape) != 2:
            return say("material.no-row", shape=self.model.output_shape[1:])
        last = self.model.graph.nodes[self.model.graph.outputs[0]].layer.activation_name
        loss = type(self.model.loss).__name__ if is_compiled(self.model) else ""
        if self.model.classes or last in ("softmax", "sigmoid") or "rossentropy" in loss or "Hinge" in loss:
            return ""
        return say("material.no-classes")

    @cached_property
    def unjudged(self) -> str:
        """Why nothing is known of single answers, else empty."""
        return self.names_classes or ("" if self.data is not None else self.absent)

    @cached_property
    def judgement(self) -> Judgement | None:
        """What the network says about the examples that judge."""
        if self.unjudged or self.data is None:
            return None
        check_fit(self.model, self.data)
        classes = self.model.classes or self.data.classes
        return judge(self.model, self.data.test, classes, _BATCH, loss=is_compiled(self.model))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; their numbers where they have none."""
        if self.model.classes:
            return self.model.classes
        if self.data is not None:
            return self.data.classes
        return tuple(str(number) for number in range(max(int(self.model.output_shape[-1]), 2)))

    @cached_property
    def confusion(self) -> np.ndarray | None:
        """Examples by true class (rows) and said class (columns): judged now, else as the run counted them."""
        if self.judgement is not None:
            return self.judgement.confusion
        told = self.told("test", "confusion", kind=list)
        if told is None or self.names_classes:
            return None
        try:
            matrix = np.asarray(told)
        except ValueError:
            return None
        count = len(self.classes)
        whole = matrix.shape == (count, count) and matrix.dtype.kind in "iu" and bool((matrix >= 0).all())
        return matrix if whole else None

    @cached_property
    def examples(self) -> list[Example]:
        """A few examples to look into: one that is named right, and what it is surest about and wrong."""
        if self.judgement is None:
            return [Example(self.run.example, say("example.file"))] if self._has_example_file else []
        found = self.judgement
        confidences, right = found.confidences, found.predicted == found.split.y
        chosen = []
        if right.any():
            # The middle one of the right ones: neither the easiest nor a lucky guess.
            order = np.flatnonzero(right)[np.argsort(confidences[right], kind="stable")]
            chosen.append(int(order[len(order) // 2]))
        if not right.all():
            wrong = np.flatnonzero(~right)
            chosen.append(int(wrong[np.argmax(confidences[wrong])]))
        return [Example(np.asarray(found.split.x[number]), self.caption(number)) for number in chosen]

    @property
    def _has_example_file(self) -> bool:
        return self.are_pictures and bool(self.record) and self.run.example.is_file()

    def caption(self, number: int) -> str:
        """Return what is said of one of the examples that judge: what it is, what it was called, how sure."""
        if self.judgement is None:
            raise ValueError("nothing was judged")
        found = self.judgement
        truth, said = int(found.split.y[number]), int(found.predicted[number])
        key = "example.right" if truth == said else "example.wrong"
        sure = percent(float(found.confidences[number]))
        return say(key, said=found.classes[said], truth=found.classes[truth], sure=sure)


def gather(run: RunFolder, data: Data | None, absent: str) -> Material:
    """Open a run.

    Args:
        run: The run folder.
        data: What the network is judged by; None if it is not at hand.
        absent: Why it is not, for the page.

    Raises:
        DataError: The network or the record cannot be read, or the data does not fit the network.
    """
    from convista.models import load_model

    material = Material(run, run.read_record(), load_model(run.model), data, absent)
    if data is not None and not material.names_classes:
        check_fit(material.model, data)
    return material


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent, never rounded to a certainty that it is not; no line breaks inside it.

    Example:
        >>> [percent(share).replace("\u00a0", " ") for share in (0.98765, 0.99999, 1.0)]
        ['98.8 %', '> 99.9 %', '100 %']
    """
    text = f"{100 * share:.{digits}f}"
    if share in (0, 1):
        text = f"{100 * share:.0f}"
    elif float(text) == 100:
        text = f">\u00a0{100 - 10.0**-digits:.{digits}f}"
    elif float(text) == 0:
        text = f"<\u00a0{10.0**-digits:.{digits}f}"
    return f"{text}\u00a0%"


def _numbers(column: Any) -> list[float]:
    """Return a column of numbers, or nothing where it holds something else, such as a matrix."""
    if not isinstance(column, Sequence) or isinstance(column, str):
        return []
    found = []
    for value in column[:_MOST_EPOCHS]:
        if value is None or value == "":
            found.append(math.nan)
            continue
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            return []
    return found if any(math.isfinite(value) for value in found) else []
