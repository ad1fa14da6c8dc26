"""How good a model is on labelled pictures: its answers, who was taken for whom, and the numbers per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from convista.errors import ArgumentError, DataError
from convista.insight.tables import table

if TYPE_CHECKING:
    from convista.models import Model


class Labelled(Protocol):
    """Pictures with their labels: a ``Split``, or the ``PictureBatches`` of a folder."""

    @property
    def x(self) -> Any:
        """uint8 (N, H, W, C); one of them is had by its number."""

    @property
    def y(self) -> np.ndarray:
        """Integers (N,)."""


class Divided(Protocol):
    """Pictures to learn from, with the names of their classes: a ``Dataset``, or the data of a folder."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def train(self) -> Labelled:
        """The pictures to learn from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""


@dataclass(frozen=True)
class Judgement:
    """What a model said about labelled pictures.

    Args:
        split: The pictures and the truth.
        classes: The names of the classes.
        probabilities: float (N, C).
        loss: The mean loss, if the model has one.
    """

    split: Labelled
    classes: tuple[str, ...]
    probabilities: np.ndarray
    loss: float | None

    @property
    def predicted(self) -> np.ndarray:
        """The class that was found most probable, (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidences(self) -> np.ndarray:
        """How probable it was found, (N,)."""
        return self.probabilities.max(axis=1)

    @property
    def confusion(self) -> np.ndarray:
        """Pictures by true class (rows) and predicted class (columns), int (C, C)."""
        count = len(self.classes)
        places = self.split.y.astype(np.int64) * count + self.predicted
        return np.bincount(places, minlength=count * count).reshape(count, count)

    @property
    def right(self) -> int:
        """How many pictures were named right."""
        return int((self.predicted == self.split.y).sum())

    def document(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            "pictures": len(self.split.y),
            "right": self.right,
            "accuracy": self.right / len(self.split.y),
            "loss": self.loss,
            "classes": self._classes(),
            "confusion": self.confusion,
        }

    def text(self) -> str:
        """The result for people: one sentence and the table per class."""
        loss = "" if self.loss is None else f", loss {self.loss:.4f}"
        count = len(self.split.y)
        rows = [
            [str(row["class"]), *(f"{row[name]:.4f}" for name in ("precision", "recall", "f1")), str(row["support"])]
            for row in self._classes()
        ]
        return f"Accuracy {self.right / count:.2%} ({self.right:,} of {count:,} held-out pictures){loss}\n\n" + table(
            ["class", "precision", "recall", "F1", "support"], rows
        )

    def _classes(self) -> list[dict[str, Any]]:
        from convista.training.metrics import per_class

        return [
            {"class": name, "precision": row.precision, "recall": row.recall, "f1": row.f1, "support": int(row.support)}
            for name, row in zip(self.classes, per_class(self.confusion), strict=True)
        ]


def judge(model: Model, split: Labelled, classes: tuple[str, ...], batch_size: int, *, loss: bool) -> Judgement:
    """Let a model name pictures.

    Args:
        model: The model; its answers are probabilities or logits.
        split: Pictures and labels; those of a folder are read batch by batch.
        classes: The names of the classes.
        batch_size: Pictures at a time.
        loss: Whether to compute the loss too; the model has to be compiled.

    Returns:
        What it said.
    """
    from convista.training.batches import is_stream

    pictures = split if is_stream(split) else split.x
    answers = np.asarray(model.predict(pictures, batch_size=batch_size, verbose=0))
    value = float(np.mean(np.asarray(model.loss(split.y, answers)))) if loss else None
    return Judgement(split, classes, class_probabilities(model, answers), value)


def class_probabilities(model: Model, answers: np.ndarray) -> np.ndarray:
    """Return probabilities of classes whatever a classifier ends with.

    What its answers are is decided by the model: by its last activation, else by its loss, else by whether its last
    layer multiplies with weights, which gives logits. Only where none of them tells, such as behind a function of the
    user's own, the values decide.

    Args:
        model: The model.
        answers: ``(N, C)`` or ``(N, 1)``, what it gave.

    Returns:
        float64 ``(N, C)``; ``(N, 2)`` for one output. Rows add up to one, unless each class has a sigmoid of its own.

    Example:
        >>> from convista import Sequential
        >>> from convista.layers import Dense
        >>> class_probabilities(Sequential([Dense(1, input_shape=(2,))]), np.array([[0.0]])).tolist()
        [[0.5, 0.5]]
    """
    from convista.insight.attributions.score import probabilities_of, squashed, without_last_activation

    found = probabilities_of(model, answers)
    if found is not None:
        return found
    answers, loss = answers.astype(np.float64), model.loss if is_compiled(model) else None
    _, ending = without_last_activation(model.graph)
    learned = hasattr(model.graph.nodes[model.graph.outputs[0]].layer, "kernel_initializer")
    single, from_logits = answers.shape[1] == 1, getattr(loss, "from_logits", None)
    if from_logits or (from_logits is None and ending == "linear" and learned):
        answers = squashed(answers, "sigmoid" if single else "softmax")
    elif from_logits is None:
        return as_probabilities(answers)
    return np.concatenate([1 - answers, answers], axis=1) if single else answers


def as_probabilities(answers: np.ndarray) -> np.ndarray:
    """Return probabilities of classes from answers of unknown origin; :func:`class_probabilities` is for a model's own.

    Args:
        answers: (N, C) probabilities or logits, or (N, 1) the probability (or logit) of class 1.

    Returns:
        float (N, C) or (N, 2), each row adding up to one.

    Example:
        >>> as_probabilities(np.array([[0.25]])).tolist(), as_probabilities(np.array([[0.0, 0.0]])).tolist()
        ([[0.75, 0.25]], [[0.5, 0.5]])
    """
    answers = answers.astype(np.float64)
    if answers.shape[1] == 1:
        positive = answers if are_probabilities(answers) else 0.5 * (1 + np.tanh(0.5 * answers))
        return np.concatenate([1 - positive, positive], axis=1)
    if are_probabilities(answers):
        return answers
    shifted = np.exp(answers - answers.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def are_probabilities(answers: np.ndarray) -> bool:
    """Return whether every row is a distribution over classes, or the probability of the second of two.

    Example:
        >>> are_probabilities(np.array([[0.5, 0.5]])), are_probabilities(np.array([[2.0, -1.0]]))
        (True, False)
    """
    if answers.shape[1] == 1:
        return bool(((answers >= 0) & (answers <= 1)).all())
    return bool((answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-3))


def is_compiled(model: Model) -> bool:
    """Return whether a model knows its optimizer and its loss."""
    try:
        return model.loss is not None
    except ArgumentError:
        return False


def check_fit(model: Model, data: Divided) -> None:
    """Check that a model was made for pictures and classes like these.

    Raises:
        DataError: The size of the pictures or the number of classes differs.
    """
    wanted, given = tuple(model.input_shape[1:]), tuple(data.train.x.shape[1:])
    if len(wanted) != len(given) or any(size not in (None, other) for size, other in zip(wanted, given, strict=True)):
        flat = wanted == (int(np.prod(given)),)
        raise DataError(
            f"the model takes pictures of {_sizes(wanted)}",
            where=data.name,
            received=f"pictures of {_sizes(given)}",
            fix="Begin the model with Flatten()" if flat else "Use the data it was trained on, or train a new model",
        )
    outputs = max(int(model.output_shape[-1]), 2)
    if outputs != len(data.classes):
        raise DataError(
            f"the model tells {outputs} classes apart",
            where=data.name,
            received=f"{len(data.classes)} classes",
            fix="Use the data it was trained on, or train a new model",
        )


def _sizes(shape: tuple[int | None, ...]) -> str:
    return "×".join("?" if size is None else str(size) for size in shape)
