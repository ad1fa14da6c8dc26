"""Metrics with Keras's names: totals that grow batch by batch inside the compiled step, and the number they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from convista.arguments import Absent
from convista.errors import ArgumentError, ShapeError, suggest
from convista.training.configuration import Configurable, build, number
from convista.training.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy

Total = dict[str, Array]
Average = Literal["macro", "micro", "weighted"] | None


class Metric(Configurable):
    """A number that says how good the predictions are, over any number of batches.

    ``total = metric.init()``, then ``total = metric.update(total, y_true, y_pred, weight)`` for each batch, then
    ``metric.result(total)``. All three are pure and can be compiled. A row of weight 0 (padding) counts for nothing.
    With no row of weight above 0 the result is 0, not NaN.

    Totals are float32: counts are exact up to 16 777 216 per cell.
    """

    name: str
    absent_arguments: ClassVar[Mapping[str, Absent]] = {
        "dtype": Absent((None, "float32"), rule="metrics are computed in float32")
    }

    def init(self) -> Total:
        """Return the empty totals, a dictionary of float32 zeros."""
        raise NotImplementedError

    def update(self, total: Total, y_true: ArrayLike, y_pred: ArrayLike, weight: ArrayLike) -> Total:
        """Return the totals with one more batch in them.

        Args:
            total: What `init` or the last `update` returned.
            y_true: Targets, first axis N.
            y_pred: Outputs of the model, first axis N.
            weight: Weight of each example, shape (N,), 0 for padding.
        """
        raise NotImplementedError

    def result(self, total: Total) -> Array:
        """Return the value, a scalar or an array."""
        raise NotImplementedError

    def bind(self, loss: Loss | None, output_shape: tuple[int, ...]) -> Metric:
        """Return the metric with what can only be known from the model filled in; arguments that were given stay."""
        del loss, output_shape
        return self

    @staticmethod
    def from_config(config: object) -> Metric:
        """Return the metric that ``to_config`` described; only the classes of this module can be made."""
        return build(config, _classes, "metric")


class _Mean(Metric):
    # The weighted mean of one value per example.
    def _values(self, y_true: Array, y_pred: Array) -> Array:
        raise NotImplementedError

    def init(self) -> Total:
        return {"sum": jnp.zeros((), jnp.float32), "weight": jnp.zeros((), jnp.float32)}

    def update(self, total: Total, y_true: ArrayLike, y_pred: ArrayLike, weight: ArrayLike) -> Total:
        values = self._values(jnp.asarray(y_true), jnp.asarray(y_pred)).astype(jnp.float32)
        values = jnp.mean(values, axis=tuple(range(1, values.ndim)))
        weights = _float(weight)
        # where, because NaN * 0 is NaN and a padding row may hold anything.
        products = jnp.where(weights == 0, 0.0, values * weights)
        return {"sum": total["sum"] + jnp.sum(products), "weight": total["weight"] + jnp.sum(weights)}

    def result(self, total: Total) -> Array:
        return _ratio(total["sum"], total["weight"])


@dataclass(frozen=True)
class SparseCategoricalAccuracy(_Mean):
    """Share of examples whose largest output is at the integer label.

    Example:
        >>> metric = SparseCategoricalAccuracy()
        >>> total = metric.update(metric.init(), np.array([1, 0]), np.array([[0.2, 0.8], [0.4, 0.6]]), np.ones(2))
        >>> float(metric.result(total))
        0.5
    """

    name: str = "sparse_categorical_accuracy"

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        return jnp.argmax(y_pred, axis=-1).astype(jnp.int32) == _sparse(y_true, y_pred, self.name)


@dataclass(frozen=True)
class CategoricalAccuracy(_Mean):
    """Share of examples whose largest output is where the one-hot target is largest.

    Example:
        >>> metric = CategoricalAccuracy()
        >>> total = metric.update(metric.init(), np.eye(2), np.array([[0.2, 0.8], [0.4, 0.6]]), np.ones(2))
        >>> float(metric.result(total))
        0.5
    """

    name: str = "categorical_accuracy"

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        _same_shape(y_true, y_pred, self.name)
        return jnp.argmax(y_pred, axis=-1) == jnp.argmax(y_true, axis=-1)


@dataclass(frozen=True)
class BinaryAccuracy(_Mean):
    """Share of answers ``y_pred > threshold`` that equal the target, averaged over the outputs of an example.

    Args:
        threshold: For probabilities 0.5; for outputs without a sigmoid 0.
        name: Its name in logs and in the history.

    Example:
        >>> metric = BinaryAccuracy()
        >>> float(metric.result(metric.update(metric.init(), np.array([1, 0]), np.array([[0.7], [0.6]]), np.ones(2))))
        0.5
    """

    threshold: float = 0.5
    name: str = "binary_accuracy"

    def __post_init__(self) -> None:
        _check_threshold(self, "threshold", self.threshold)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        target, prediction = _pair(y_true, y_pred, self.name)
        return (prediction > self.threshold).astype(jnp.float32) == target


@dataclass(frozen=True)
class Accuracy(_Mean):
    """Accuracy of the kind that the shapes ask for.

    One output per example: `BinaryAccuracy`; labels with one axis less than the outputs, or a last axis of 1:
    `SparseCategoricalAccuracy`; else `CategoricalAccuracy`. `get` decides by the loss where it is one of Convista's.

    Example:
        >>> metric = Accuracy()
        >>> total = metric.update(metric.init(), np.array([1, 0]), np.array([[0.2, 0.8], [0.4, 0.6]]), np.ones(2))
        >>> float(metric.result(total))
        0.5
    """

    name: str = "accuracy"

    def bind(self, loss: Loss | None, output_shape: tuple[int, ...]) -> Metric:
        """Return the accuracy that belongs to the loss; for other losses this one, which looks at shapes."""
        if isinstance(loss, BinaryCrossentropy):
            return BinaryAccuracy(threshold=_threshold(loss), name=self.name)
        if isinstance(loss, SparseCategoricalCrossentropy):
            return SparseCategoricalAccuracy(name=self.name)
        if isinstance(loss, CategoricalCrossentropy):
            return CategoricalAccuracy(name=self.name)
        return self

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        if y_pred.ndim == 1 or y_pred.shape[-1] == 1:
            return BinaryAccuracy(name=self.name)._values(y_true, y_pred)
        if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
            return SparseCategoricalAccuracy(name=self.name)._values(y_true, y_pred)
        return CategoricalAccuracy(name=self.name)._values(y_true, y_pred)


@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(_Mean):
    """Share of examples with fewer than ``k`` outputs larger than the one at the integer label.

    Args:
        k: How many guesses are allowed; at most the number of classes.
        name: Its name in logs and in the history.

    Raises:
        ArgumentError: ``k`` is not a positive integer, or when bound to a model with fewer classes.

    Example:
        >>> metric = SparseTopKCategoricalAccuracy(k=2)
        >>> total = metric.update(metric.init(), np.array([2, 0]), np.array([[0.1, 0.6, 0.3]] * 2), np.ones(2))
        >>> float(metric.result(total))
        0.5
    """

    k: int = 5
    name: str = "sparse_top_k_categorical_accuracy"

    def __post_init__(self) -> None:
        _check_k(self, self.k)

    def bind(self, loss: Loss | None, output_shape: tuple[int, ...]) -> Metric:
        """Return this metric after checking ``k`` against the number of classes."""
        _check_k(self, self.k, output_shape[-1])
        return self

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        return _in_top_k(_sparse(y_true, y_pred, self.name), y_pred, self.k)


@dataclass(frozen=True)
class TopKCategoricalAccuracy(_Mean):
    """`SparseTopKCategoricalAccuracy` for one-hot targets.

    Args:
        k: How many guesses are allowed; at most the number of classes.
        name: Its name in logs and in the history.

    Raises:
        ArgumentError: ``k`` is not a positive integer, or when bound to a model with fewer classes.

    Example:
        >>> metric = TopKCategoricalAccuracy(k=2)
        >>> total = metric.update(metric.init(), np.eye(3), np.array([[0.1, 0.6, 0.3]] * 3), np.ones(3))
        >>> round(float(metric.result(total)), 3)
        0.667
    """

    k: int = 5
    name: str = "top_k_categorical_accuracy"

    def __post_init__(self) -> None:
        _check_k(self, self.k)

    def bind(self, loss: Loss | None, output_shape: tuple[int, ...]) -> Metric:
        """Return this metric after checking ``k`` against the number of classes."""
        _check_k(self, self.k, output_shape[-1])
        return self

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        _same_shape(y_true, y_pred, self.name)
        return _in_top_k(jnp.argmax(y_true, axis=-1).astype(jnp.int32), y_pred, self.k)


@dataclass(frozen=True)
class MeanSquaredError(_Mean):
    """Mean of ``(t - y)**2``.

    Example:
        >>> metric = MeanSquaredError()
        >>> float(metric.result(metric.update(metric.init(), np.array([1.0]), np.array([[3.0]]), np.ones(1))))
        4.0
    """

    name: str = "mean_squared_error"

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        target, prediction = _pair(y_true, y_pred, self.name)
        return jnp.square(prediction - target)


@dataclass(frozen=True)
class MeanAbsoluteError(_Mean):
    """Mean of ``|t - y|``.

    Example:
        >>> metric = MeanAbsoluteError()
        >>> float(metric.result(metric.update(metric.init(), np.array([1.0]), np.array([[3.0]]), np.ones(1))))
        2.0
    """

    name: str = "mean_absolute_error"

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        target, prediction = _pair(y_true, y_pred, self.name)
        return jnp.abs(prediction - target)


@dataclass(frozen=True)
class FunctionMetric(_Mean):
    """The mean of a function of your own of ``(y_true, y_pred)`` in `jax.numpy`, with one value, or more, per example.

    Args:
        function: Returns an array whose first axis counts examples; other axes are averaged.
        name: Its name in logs and in the history.

    Raises:
        ShapeError: In `update`, if the function returned a single number instead of one per example.

    Example:
        >>> metric = get(lambda y_true, y_pred: y_pred[:, 0])
        >>> float(metric.result(metric.update(metric.init(), np.zeros(2), np.array([[1.0], [2.0]]), np.ones(2))))
        1.5
    """

    function: Callable[[Array, Array], Array]
    name: str = "function"

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        values = jnp.asarray(self.function(y_true, y_pred))
        if values.shape[:1] != y_pred.shape[:1]:
            rule = "a metric returns one value per example, so that padding and weights are counted right"
            received = f"an array of shape {values.shape} for {y_pred.shape[0]} examples"
            fix = "Average over axis=-1 instead of over everything: jnp.mean(..., axis=-1)."
            raise ShapeError(rule, where=self.name, received=received, fix=fix)
        return values


class _Counts(Metric):
    # True positives, predicted positives and real positives of each class.
    average: Average
    classes: int | None

    def _cut(self) -> float | None:
        # The threshold, or None for the largest output.
        raise NotImplementedError

    def init(self) -> Total:
        shape = (self.classes or 1,)
        return {key: jnp.zeros(shape, jnp.float32) for key in ("hit", "predicted", "support")}

    def update(self, total: Total, y_true: ArrayLike, y_pred: ArrayLike, weight: ArrayLike) -> Total:
        prediction = jnp.asarray(y_pred)
        prediction = prediction[:, None] if prediction.ndim == 1 else prediction
        truth, answer = self._answers(jnp.asarray(y_true), prediction)
        counted = jnp.broadcast_to(_float(weight).reshape(-1, *[1] * (answer.ndim - 1)), answer.shape)

        def add(key: str, rows: Array) -> Array:
            return total[key] + jnp.sum(jnp.where(rows, counted, 0.0), axis=tuple(range(rows.ndim - 1)))

        return {
            "hit": add("hit", truth & answer),
            "predicted": add("predicted", answer),
            "support": add("support", truth),
        }

    def _answers(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        columns = y_pred.shape[-1]
        if columns != (self.classes or 1):
            rule = "the number of classes is that of the outputs"
            received = f"classes={self.classes} and outputs of shape {y_pred.shape}"
            fix = f"Use {type(self).__name__}(classes={columns})."
            raise ShapeError(rule, where=self.name, received=received, fix=fix)
        cut = self._cut()
        if cut is not None:
            target, prediction = _pair(y_true, y_pred, self.name)
            return target > 0.5, prediction > cut
        order = jnp.arange(columns, dtype=jnp.int32)
        answer = jnp.argmax(y_pred, axis=-1).astype(jnp.int32)[..., None] == order
        return _labels(y_true, y_pred, self.name)[..., None] == order, answer

    def result(self, total: Total) -> Array:
        pooled = {key: jnp.sum(value) for key, value in total.items()} if self.average == "micro" else total
        scores = self._score(pooled)
        if self.average == "micro":
            return scores
        if self.classes in (None, 1):
            return scores[0]
        if self.average == "macro":
            return jnp.mean(scores)
        if self.average == "weighted":
            return _ratio(jnp.sum(scores * total["support"]), jnp.sum(total["support"]))
        return scores

    def _score(self, total: Total) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class _Answers(_Counts):
    # What precision and recall share: the answers, each by a threshold or by the largest output.
    thresholds: float | None = None
    average: Average = "macro"
    classes: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _check_counts(self, "thresholds", self.thresholds)

    def bind(self, loss: Loss | None, output_shape: tuple[int, ...]) -> Metric:
        """Return the metric with ``classes`` and, for binary cross-entropy, the threshold filled in."""
        return dataclasses.replace(
            self, classes=_bound_classes(self, output_shape), thresholds=_bound_threshold(self.thresholds, loss)
        )

    def _cut(self) -> float | None:
        return _default_cut(self.thresholds, self.classes)


@dataclass(frozen=True)
class Precision(_Answers):
    """Of what was said to be a class, the share that is: ``TP / (TP + FP)``.

    With one output per example, yes is ``y_pred > thresholds``. With C outputs the answer is the largest output and the
    result averages over the classes; with ``thresholds`` given (or binary cross-entropy) each output is a yes-or-no
    answer of its own. A class that was never predicted counts as 0.

    Args:
        thresholds: A number; None is 0.5 for one output and the largest output for several.
        average: ``"macro"``: the plain mean over the classes; ``"weighted"``: weighted by the examples of each class;
            ``"micro"``: all classes counted together (Keras's way, where thresholds apply); None: one value per class.
        classes: Number of outputs; taken from the model when it is compiled.
        name: Its name in logs and in the history.

    Raises:
        ArgumentError: An argument is not one of the above.
        ShapeError: In `update`, if the outputs do not fit ``classes``.

    Example:
        >>> metric = Precision()
        >>> total = metric.update(metric.init(), np.array([1, 0]), np.array([[0.7], [0.6]]), np.ones(2))
        >>> float(metric.result(total))
        0.5
    """

    name: str = "precision"

    def _score(self, total: Total) -> Array:
        return _ratio(total["hit"], total["predicted"])


@dataclass(frozen=True)
class Recall(_Answers):
    """Of what is a class, the share that was found: ``TP / (TP + FN)``.

    Arguments, averages and errors are those of `Precision`. A class without examples counts as 0.

    Example:
        >>> metric = Recall()
        >>> total = metric.update(metric.init(), np.array([1, 1]), np.array([[0.7], [0.4]]), np.ones(2))
        >>> float(metric.result(total))
        0.5
    """

    name: str = "recall"

    def _score(self, total: Total) -> Array:
        return _ratio(total["hit"], total["support"])


@dataclass(frozen=True)
class F1Score(_Counts):
    """Harmonic mean of precision and recall: ``2 TP / (2 TP + FP + FN)``.

    Args:
        average: None: one value per class (Keras's default); ``"macro"``, ``"weighted"``, ``"micro"`` as for
            `Precision`. `get("f1_score")` gives ``"macro"``, because a name should give one number.
        threshold: A number; None is 0.5 for one output and the largest output for several.
        classes: Number of outputs; taken from the model when it is compiled.
        name: Its name in logs and in the history.

    Raises:
        ArgumentError: An argument is not one of the above.
        ShapeError: In `update`, if the outputs do not fit ``classes``.

    Example:
        >>> metric = F1Score(classes=2)
        >>> total = metric.update(metric.init(), np.array([0, 1, 1]), np.eye(2)[[0, 1, 0]], np.ones(3))
        >>> metric.result(total).round(4).tolist()
        [0.666700005531311, 0.666700005531311]
    """

    average: Average = None
    threshold: float | None = None
    classes: int | None = None
    name: str = "f1_score"

    def __post_init__(self) -> None:
        _check_counts(self, "threshold", self.threshold)

    def bind(self, loss: Loss | None, output_shape: tuple[int, ...]) -> Metric:
        """Return the metric with ``classes`` and, for binary cross-entropy, the threshold filled in."""
        return dataclasses.replace(
            self, classes=_bound_classes(self, output_shape), threshold=_bound_threshold(self.threshold, loss)
        )

    def _cut(self) -> float | None:
        return _default_cut(self.threshold, self.classes)

    def _score(self, total: Total) -> Array:
        return _ratio(2.0 * total["hit"], total["predicted"] + total["support"])


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """How often class i (row) was taken for class j (column): ``result[i, j]``, float32 of shape (C, C).

    Args:
        classes: Number of classes, at least 2.
        threshold: For a single output with two classes: class 1 is ``y_pred > threshold``.
        name: Its name in logs and in the history.

    Raises:
        ArgumentError: ``classes`` is not an integer of at least 2.
        ShapeError: In `update`, if the outputs do not fit ``classes``.

    Example:
        >>> metric = ConfusionMatrix(2)
        >>> total = metric.update(metric.init(), np.array([0, 1, 1]), np.eye(2)[[0, 1, 0]], np.ones(3))
        >>> metric.result(total).tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """

    classes: int
    threshold: float = 0.5
    name: str = "confusion_matrix"

    def __post_init__(self) -> None:
        _check_threshold(self, "threshold", self.threshold)
        if isinstance(self.classes, bool) or not isinstance(self.classes, int) or self.classes < 2:
            rule = "classes is an integer of at least 2"
            raise ArgumentError(rule, where="ConfusionMatrix", received=f"classes={self.classes!r}")

    def init(self) -> Total:
        return {"counts": jnp.zeros((self.classes, self.classes), jnp.float32)}

    def update(self, total: Total, y_true: ArrayLike, y_pred: ArrayLike, weight: ArrayLike) -> Total:
        prediction = jnp.asarray(y_pred)
        prediction = prediction[:, None] if prediction.ndim == 1 else prediction
        columns = prediction.shape[-1]
        if columns != self.classes and not (columns == 1 and self.classes == 2):
            rule = f"{self.classes} classes need outputs of {self.classes} columns"
            fix = f"Use ConfusionMatrix({max(columns, 2)})."
            raise ShapeError(rule, where=self.name, received=f"outputs of shape {prediction.shape}", fix=fix)
        if columns == 1:
            target, score = _pair(jnp.asarray(y_true), prediction, self.name)
            truth, answer = (target > 0.5).astype(jnp.int32), (score > self.threshold).astype(jnp.int32)
        else:
            truth = _labels(jnp.asarray(y_true), prediction, self.name)
            answer = jnp.argmax(prediction, axis=-1).astype(jnp.int32)
        counted = jnp.broadcast_to(_float(weight).reshape(-1, *[1] * (answer.ndim - 1)), answer.shape).reshape(-1, 1)
        rows = jax.nn.one_hot(truth.reshape(-1), self.classes, dtype=jnp.float32) * counted
        places = jax.nn.one_hot(answer.reshape(-1), self.classes, dtype=jnp.float32)
        # HIGHEST: counts stay exact where the default product of a GPU or TPU is rounded.
        return {"counts": total["counts"] + jnp.matmul(rows.T, places, precision=jax.lax.Precision.HIGHEST)}

    def result(self, total: Total) -> Array:
        return total["counts"]


@dataclass(frozen=True)
class PerClass:
    """Precision, recall, F1 and number of examples of one class."""

    precision: float
    recall: float
    f1: float
    support: float


def per_class(confusion: Any) -> list[PerClass]:
    """Return the figures of each class from a confusion matrix, in NumPy.

    Args:
        confusion: Shape (C, C), rows are the true classes, columns the predicted ones.

    Returns:
        One `PerClass` per class; figures with nothing to divide by are 0.

    Raises:
        ShapeError: Not a square matrix.

    Example:
        >>> per_class([[8, 2], [1, 9]])[0]
        PerClass(precision=0.8888888888888888, recall=0.8, f1=0.8421052631578947, support=10.0)
    """
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError("a confusion matrix is square", where="per_class", received=f"shape {counts.shape}")
    hit, predicted, support = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    columns = (ratio(hit, predicted), ratio(hit, support), ratio(2 * hit, predicted + support), support)
    return [PerClass(*map(float, row)) for row in zip(*columns, strict=True)]


_classes: dict[str, type[Metric]] = {
    kind.__name__: kind
    for kind in (
        Accuracy,
        SparseCategoricalAccuracy,
        CategoricalAccuracy,
        BinaryAccuracy,
        SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy,
        Precision,
        Recall,
        F1Score,
        ConfusionMatrix,
        MeanSquaredError,
        MeanAbsoluteError,
    )
}

registry: dict[str, Callable[[str], Metric]] = {
    "accuracy": lambda name: Accuracy(name=name),
    "acc": lambda name: Accuracy(name=name),
    "sparse_categorical_accuracy": lambda name: SparseCategoricalAccuracy(name=name),
    "categorical_accuracy": lambda name: CategoricalAccuracy(name=name),
    "binary_accuracy": lambda name: BinaryAccuracy(name=name),
    "sparse_top_k_categorical_accuracy": lambda name: SparseTopKCategoricalAccuracy(name=name),
    "top_k_categorical_accuracy": lambda name: TopKCategoricalAccuracy(name=name),
    "precision": lambda name: Precision(name=name),
    "recall": lambda name: Recall(name=name),
    "f1_score": lambda name: F1Score(average="macro", name=name),
    "mean_squared_error": lambda name: MeanSquaredError(name=name),
    "mse": lambda name: MeanSquaredError(name=name),
    "mean_absolute_error": lambda name: MeanAbsoluteError(name=name),
    "mae": lambda name: MeanAbsoluteError(name=name),
}


def get(metric: object, loss: Loss | None = None, output_shape: tuple[int, ...] | None = None) -> Metric:
    """Return a metric from its name, an instance, a class or a function, made ready for a model.

    Args:
        metric: ``"accuracy"``, ``"f1_score"``, …, `F1Score()`, `Recall`, or a function of ``(y_true, y_pred)``.
        loss: The loss of the model: decides which accuracy "accuracy" is, and that the threshold of binary metrics
            asked for by name is 0 where the model's output has no sigmoid.
        output_shape: Shape of the model's output without the batch axis; None leaves the metric unbound.

    Raises:
        ArgumentError: Not a metric, or one that the output cannot have.

    Example:
        >>> from convista.training import losses
        >>> get("accuracy", losses.get("sparse_categorical_crossentropy"), (10,))
        SparseCategoricalAccuracy(name='accuracy')
    """
    found = _found(metric)
    if isinstance(metric, str) and isinstance(found, BinaryAccuracy):
        found = dataclasses.replace(found, threshold=_threshold(loss))
    return found if output_shape is None else found.bind(loss, tuple(output_shape) or (1,))


def _found(metric: object) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if metric is ConfusionMatrix or metric == "confusion_matrix":
        rule = "the confusion matrix needs the number of classes"
        raise ArgumentError(rule, where="metric", received=repr(metric), fix="Use ConfusionMatrix(10) for 10 classes.")
    if isinstance(metric, type) and metric in _classes.values():
        made: Metric = metric()
        return made
    if isinstance(metric, str):
        if metric.lower() in registry:
            return registry[metric.lower()](metric)
        fix = suggest(metric.lower(), registry)
        raise ArgumentError("not the name of a metric", where="metric", received=repr(metric), fix=fix)
    if callable(metric) and not isinstance(metric, type):
        return FunctionMetric(metric, name=getattr(metric, "__name__", "function"))
    rule = "a metric is a name, an instance such as F1Score(), or a function of (y_true, y_pred)"
    raise ArgumentError(rule, where="metric", received=repr(metric), fix=suggest("", registry))


def _float(values: ArrayLike) -> Array:
    return jnp.asarray(values).astype(jnp.float32)


def _ratio(part: Array, whole: Array) -> Array:
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 0.0)


def _sparse(y_true: Array, y_pred: Array, name: str) -> Array:
    labels = y_true[..., 0] if y_true.shape == (*y_pred.shape[:-1], 1) else y_true
    if labels.shape != y_pred.shape[:-1]:
        received = f"labels of shape {y_true.shape} and outputs of shape {y_pred.shape}"
        fix = "Give one integer label per example, or use the metric for one-hot targets."
        raise ShapeError("integer labels have one axis less than the outputs", where=name, received=received, fix=fix)
    return labels.astype(jnp.int32)


def _labels(y_true: Array, y_pred: Array, name: str) -> Array:
    if y_true.shape == y_pred.shape:
        return jnp.argmax(y_true, axis=-1).astype(jnp.int32)
    return _sparse(y_true, y_pred, name)


def _same_shape(y_true: Array, y_pred: Array, name: str) -> None:
    if y_true.shape != y_pred.shape:
        received = f"targets of shape {y_true.shape} and outputs of shape {y_pred.shape}"
        fix = 'Use the metric for integer labels, or "accuracy".'
        raise ShapeError("one-hot targets have the shape of the outputs", where=name, received=received, fix=fix)


def _pair(y_true: Array, y_pred: Array, name: str) -> tuple[Array, Array]:
    target, prediction = _float(y_true), _float(y_pred)
    # (N,) beside (N, 1) would broadcast to (N, N).
    if target.ndim + 1 == prediction.ndim and prediction.shape[-1] == 1:
        target = target[..., None]
    elif target.ndim == prediction.ndim + 1 and target.shape[-1] == 1:
        target = target[..., 0]
    if target.shape != prediction.shape:
        received = f"targets of shape {target.shape} and outputs of shape {prediction.shape}"
        fix = "Make the targets' shape that of the model's output."
        raise ShapeError("targets and outputs have the same shape", where=name, received=received, fix=fix)
    return target, prediction


def _in_top_k(labels: Array, y_pred: Array, k: int) -> Array:
    scores = _float(y_pred)
    own = labels[..., None] == jnp.arange(scores.shape[-1], dtype=jnp.int32)
    score = jnp.sum(jnp.where(own, scores, 0.0), axis=-1, keepdims=True)
    # NaN is larger than nothing and would be a hit; so would a label that is no class.
    sound = ~jnp.any(jnp.isnan(scores), axis=-1) & jnp.any(own, axis=-1)
    return (jnp.sum(scores > score, axis=-1, dtype=jnp.int32) < k) & sound


def _threshold(loss: Loss | None) -> float:
    # sigmoid(z) > 0.5 is z > 0.
    return 0.0 if isinstance(loss, BinaryCrossentropy) and loss.from_logits else 0.5


def _bound_threshold(given: float | None, loss: Loss | None) -> float | None:
    return _threshold(loss) if given is None and isinstance(loss, BinaryCrossentropy) else given


def _default_cut(given: float | None, classes: int | None) -> float | None:
    return 0.5 if given is None and classes in (None, 1) else given


def _bound_classes(metric: _Counts, output_shape: tuple[int, ...]) -> int:
    classes = output_shape[-1]
    if metric.classes not in (None, classes):
        rule = f"the model has {classes} outputs"
        name = type(metric).__name__
        fix = "Leave classes out: it is taken from the model."
        raise ArgumentError(rule, where=name, received=f"classes={metric.classes}", fix=fix)
    return classes


def _check_counts(metric: _Counts, key: str, value: object) -> None:
    name = type(metric).__name__
    if value is not None:
        _check_threshold(metric, key, value)
    if metric.average not in (None, "macro", "micro", "weighted"):
        rule = 'average is "macro", "micro", "weighted" or None'
        fix = suggest(str(metric.average), ("macro", "micro", "weighted"))
        raise ArgumentError(rule, where=name, received=f"average={metric.average!r}", fix=fix)
    classes = metric.classes
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int) or classes < 1):
        raise ArgumentError("classes is a positive integer", where=name, received=f"classes={classes!r}")


def _check_threshold(metric: Metric, key: str, value: object) -> None:
    if not number(value):
        rule = f"{key} is a number"
        fix = "Use 0.5 for probabilities; add the metric twice for two thresholds."
        raise ArgumentError(rule, where=type(metric).__name__, received=f"{key}={value!r}", fix=fix)


def _check_k(metric: Metric, k: int, classes: int | None = None) -> None:
    where = type(metric).__name__
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ArgumentError("k is a positive integer", where=where, received=f"k={k!r}")
    if classes is not None and k > classes:
        rule = f"k is at most the number of classes, here {classes}"
        raise ArgumentError(rule, where=where, received=f"k={k}", fix=f"Use {where}(k={min(classes, 2)}).")
