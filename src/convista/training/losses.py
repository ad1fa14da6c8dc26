"""Losses with Keras's names and numerics: one value per example, and a check of the targets that teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from convista.arguments import Absent
from convista.errors import ArgumentError, DataError, ShapeError, suggest
from convista.training.configuration import Configurable, build, number

EPSILON = 1e-7  # Keras's epsilon: probabilities are kept this far from 0 and 1 before the logarithm.


_ABSENT = {
    "reduction": Absent(
        ("sum_over_batch_size", "mean"),
        rule="a loss gives one value an example, and training takes their weighted mean",
        fix="Leave reduction out; to sum, multiply the learning rate by the batch size",
    ),
    "dtype": Absent((None, "float32"), rule="losses are computed in float32"),
    "name": Absent((None,), rule="a loss is called by its class"),
    "axis": Absent((-1,), rule="the classes are on the last axis", fix="Move them there with Permute"),
}


class Loss(Configurable):
    """How wrong each prediction is.

    ``loss(y_true, y_pred)`` returns float32 values of shape (N,), one per example; axes between the first and the class
    axis are averaged. It is a pure function of arrays, to be differentiated and compiled.
    """

    name: ClassVar[str]
    absent_arguments: ClassVar[Mapping[str, Absent]] = _ABSENT

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example, float32 of shape (N,)."""
        raise NotImplementedError

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """Raise the error that explains why ``y`` cannot be the targets of this loss; runs in NumPy, once per `fit`.

        Args:
            y: Targets, the first axis counts examples.
            output_shape: Shape of the model's output without the batch axis.

        Raises:
            ShapeError: The shape does not fit the output; one-hot rows for a loss of integers, or the reverse.
            DataError: A label outside the classes, a fraction for a label, NaN, a target outside [0, 1].
        """
        raise NotImplementedError

    @staticmethod
    def from_config(config: object) -> Loss:
        """Return the loss that ``to_config`` described; only the classes of this module can be made."""
        return build(config, _classes, "loss")


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy between integer labels and predicted probabilities: ``-log p[label]``.

    Probabilities are divided by their sum and kept within ``[1e-7, 1 - 1e-7]``; with ``from_logits`` the logarithm of
    softmax is taken directly, which is exact for any logits. A label outside the classes gives NaN, never a silent 0.

    Args:
        from_logits: The model's output has no softmax.
        label_smoothing: ``s`` in [0, 1]: the target is ``(1 - s) * one_hot(label) + s / C``. (Keras has it for one-hot
            targets only.)

    Raises:
        ArgumentError: ``label_smoothing`` is not within [0, 1].

    Example:
        >>> SparseCategoricalCrossentropy()(np.array([1]), np.array([[0.25, 0.5, 0.25]])).round(4).tolist()
        [0.6930999755859375]
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: ClassVar[str] = "sparse_categorical_crossentropy"

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example.

        Args:
            y_true: Labels 0 … C−1, shape (N,), (N, 1) or (N, …).
            y_pred: Probabilities or logits, shape (N, C) or (N, …, C).
        """
        prediction = _float(y_pred)
        labels = _labels(y_true, prediction.shape, self.name)
        classes = prediction.shape[-1]
        log_probability = _log_probability(prediction, self.from_logits)
        hit = labels[..., None] == jnp.arange(classes, dtype=jnp.int32)
        # A sum over a mask and not a gather: its gradient is another mask, where a gather's would be a scatter.
        value = -jnp.sum(jnp.where(hit, log_probability, 0.0), axis=-1)
        if self.label_smoothing:
            spread = -jnp.sum(log_probability, axis=-1) / classes
            value = (1.0 - self.label_smoothing) * value + self.label_smoothing * spread
        return _per_example(jnp.where((labels >= 0) & (labels < classes), value, jnp.nan))

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """See `Loss.check`."""
        labels = _numeric(y, self)
        classes = output_shape[-1] if output_shape else 1
        if classes == 1:
            rule = "it compares classes, and the model's output has one number per example"
            fix = 'Use loss="binary_crossentropy" with a sigmoid, or give the last layer one unit per class.'
            raise ShapeError(rule, where=_where(self), received=f"an output of shape {output_shape}", fix=fix)
        _check_label_shape(labels, output_shape, self)
        _check_whole(labels, self)
        _check_range(labels, classes, self)


@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """Cross-entropy between rows of probabilities (one-hot or soft) and predicted ones: ``-sum(t * log p)``.

    Probabilities are divided by their sum and kept within ``[1e-7, 1 - 1e-7]``; with ``from_logits`` the logarithm of
    softmax is taken directly.

    Args:
        from_logits: The model's output has no softmax.
        label_smoothing: ``s`` in [0, 1]: the target becomes ``(1 - s) * t + s / C``.

    Raises:
        ArgumentError: ``label_smoothing`` is not within [0, 1].

    Example:
        >>> CategoricalCrossentropy()(np.array([[0, 1, 0]]), np.array([[0.25, 0.5, 0.25]])).round(4).tolist()
        [0.6930999755859375]
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: ClassVar[str] = "categorical_crossentropy"

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example.

        Args:
            y_true: One row of C numbers per example that sum to 1, shape (N, C) or (N, …, C).
            y_pred: Probabilities or logits of the same shape.
        """
        target, prediction = _pair(y_true, y_pred, self.name)
        if self.label_smoothing:
            target = target * (1.0 - self.label_smoothing) + self.label_smoothing / prediction.shape[-1]
        return _per_example(-jnp.sum(target * _log_probability(prediction, self.from_logits), axis=-1))

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """See `Loss.check`."""
        targets = _numeric(y, self)
        classes = output_shape[-1] if output_shape else 1
        if targets.shape[1:] != output_shape and targets.shape[1:] in (output_shape[:-1], (*output_shape[:-1], 1)):
            rule = f"it takes one row of {classes} numbers per example, and these look like integer labels"
            fix = f'Use loss="sparse_categorical_crossentropy", or make the labels one-hot: np.eye({classes})[y].'
            raise ShapeError(rule, where=_where(self), received=f"targets of shape {targets.shape}", fix=fix)
        _check_same_shape(targets, output_shape, self)
        _check_unit_range(targets, self, "Make the labels one-hot: np.eye(C)[labels].")
        _check_row_sums(targets, self)


@dataclass(frozen=True)
class BinaryCrossentropy(Loss):
    """Cross-entropy of yes-or-no answers: ``-(t * log p + (1 - t) * log(1 - p))``, averaged over the outputs.

    Probabilities are kept within ``[1e-7, 1 - 1e-7]``; with ``from_logits`` the logarithm of the sigmoid is taken
    directly.

    Args:
        from_logits: The model's output has no sigmoid.
        label_smoothing: ``s`` in [0, 1]: the target becomes ``(1 - s) * t + s / 2``.

    Raises:
        ArgumentError: ``label_smoothing`` is not within [0, 1].

    Example:
        >>> BinaryCrossentropy()(np.array([1.0]), np.array([[0.5]])).round(4).tolist()
        [0.6930999755859375]
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: ClassVar[str] = "binary_crossentropy"

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example.

        Args:
            y_true: Targets in [0, 1], of the shape of ``y_pred``, or (N,) for (N, 1).
            y_pred: Probabilities or logits, shape (N, …).
        """
        target, prediction = _pair(y_true, y_pred, self.name)
        if self.label_smoothing:
            target = target * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            yes, no = jax.nn.log_sigmoid(prediction), jax.nn.log_sigmoid(-prediction)
        else:
            probability = jnp.clip(prediction, EPSILON, 1.0 - EPSILON)
            yes, no = jnp.log(probability), jnp.log(1.0 - probability)
        return _per_example(-(target * yes + (1.0 - target) * no))

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """See `Loss.check`."""
        targets = _numeric(y, self)
        classes = output_shape[-1] if output_shape else 1
        if targets.shape[1:] != output_shape and classes > 1 and targets.shape[1:] in (output_shape[:-1], (1,)):
            rule = f"it takes {classes} answers per example, one for each output, and these look like integer labels"
            fix = 'Use loss="sparse_categorical_crossentropy" with a softmax.'
            raise ShapeError(rule, where=_where(self), received=f"targets of shape {targets.shape}", fix=fix)
        _check_same_shape(targets, output_shape, self)
        _check_unit_range(targets, self, "Targets are 0 for no, 1 for yes, or a probability between them.")


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Mean of ``(t - y)**2`` over all axes but the first.

    Example:
        >>> MeanSquaredError()(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])).tolist()
        [2.0]
    """

    name: ClassVar[str] = "mean_squared_error"

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example; ``y_true`` has the shape of ``y_pred``, or (N,) for (N, 1)."""
        target, prediction = _pair(y_true, y_pred, self.name)
        return _per_example(jnp.square(prediction - target))

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """See `Loss.check`."""
        _check_same_shape(_numeric(y, self), output_shape, self)


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """Mean of ``|t - y|`` over all axes but the first.

    Example:
        >>> MeanAbsoluteError()(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])).tolist()
        [1.0]
    """

    name: ClassVar[str] = "mean_absolute_error"

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example; ``y_true`` has the shape of ``y_pred``, or (N,) for (N, 1)."""
        target, prediction = _pair(y_true, y_pred, self.name)
        return _per_example(jnp.abs(prediction - target))

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """See `Loss.check`."""
        _check_same_shape(_numeric(y, self), output_shape, self)


@dataclass(frozen=True)
class FunctionLoss(Loss):
    """A loss of your own: any function of ``(y_true, y_pred)`` in `jax.numpy` with one value, or more, per example.

    Args:
        function: Returns an array whose first axis counts examples; other axes are averaged.

    Raises:
        ShapeError: When called, if the function returned a single number instead of one per example.

    Example:
        >>> get(lambda y_true, y_pred: jnp.abs(y_true - y_pred) ** 3)(np.array([[1.0]]), np.array([[3.0]])).tolist()
        [8.0]
    """

    function: Callable[[Array, Array], Array]
    name: ClassVar[str] = "function"

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the loss of each example."""
        prediction = jnp.asarray(y_pred)
        value = jnp.asarray(self.function(jnp.asarray(y_true), prediction))
        if value.shape[:1] != prediction.shape[:1]:
            rule = "a loss returns one value per example, so that examples can be weighted"
            received = f"an array of shape {value.shape} for {prediction.shape[0]} examples"
            fix = "Average over axis=-1 instead of over everything: jnp.mean(..., axis=-1)."
            raise ShapeError(rule, where=_function_name(self.function), received=received, fix=fix)
        return _per_example(value.astype(jnp.float32))

    def check(self, y: Any, output_shape: tuple[int, ...]) -> None:
        """Accept anything: what the targets of your own function are, only you know."""


_classes: dict[str, type[Loss]] = {
    kind.__name__: kind
    for kind in (
        SparseCategoricalCrossentropy,
        CategoricalCrossentropy,
        BinaryCrossentropy,
        MeanSquaredError,
        MeanAbsoluteError,
    )
}

registry: dict[str, type[Loss]] = {
    **{kind.name: kind for kind in _classes.values()},
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
}


def get(loss: object) -> Loss:
    """Return a loss from its name, an instance, a class or a function of ``(y_true, y_pred)``.

    Raises:
        ArgumentError: Not one of these.

    Example:
        >>> get("mse")
        MeanSquaredError()
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type) and issubclass(loss, Loss):
        return loss()
    if isinstance(loss, str):
        if loss.lower() in registry:
            return registry[loss.lower()]()
        fix = suggest(loss.lower(), registry)
        raise ArgumentError("not the name of a loss", where="loss", received=repr(loss), fix=fix)
    if callable(loss) and not isinstance(loss, type):
        return FunctionLoss(loss)
    rule = "a loss is a name, an instance such as MeanSquaredError(), or a function of (y_true, y_pred)"
    raise ArgumentError(rule, where="loss", received=repr(loss), fix=suggest("", registry))


# Activations whose output is no probability. softmax and sigmoid are; a function of the user's own is not judged.
_NOT_PROBABILITIES = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "tanh"}
)


def check_softmax(loss: Loss, last_activation: str | None, units: int | None = None) -> None:
    """Raise when the last activation and ``from_logits`` do not belong together: training would silently go badly.

    Args:
        loss: The loss of the model.
        last_activation: Name of the activation of the last layer, ``"linear"`` for none; None when it is not known.
        units: Numbers per example that the last layer gives, when known.

    Raises:
        ArgumentError: softmax or sigmoid with ``from_logits=True``; no softmax with ``from_logits=False``; softmax over
            a single number, which is always 1.

    Example:
        >>> check_softmax(SparseCategoricalCrossentropy(from_logits=True), "softmax")
        Traceback (most recent call last):
        ...
        convista.errors.ArgumentError: SparseCategoricalCrossentropy: from_logits=True means that the output ...
    """
    if not isinstance(loss, (SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy)):
        return
    wanted = "sigmoid" if isinstance(loss, BinaryCrossentropy) else "softmax"
    name = _where(loss)
    if last_activation == "softmax" and units == 1:
        rule = "softmax over a single number is always 1, so nothing can be learned"
        received = 'a last layer with 1 unit and activation="softmax"'
        fix = 'Use activation="sigmoid" with loss="binary_crossentropy".'
        raise ArgumentError(rule, where=name, received=received, fix=fix)
    if loss.from_logits and last_activation in ("softmax", "sigmoid"):
        rule = f"from_logits=True means that the output has no {wanted} yet, and it would be applied twice"
        received = f'a last layer with activation="{last_activation}"'
        fix = f'Take activation="{last_activation}" away, or use {name}(from_logits=False).'
        raise ArgumentError(rule, where=name, received=received, fix=fix)
    if not loss.from_logits and last_activation in _NOT_PROBABILITIES:
        rule = "from_logits=False means that the output is probabilities"
        received = f'a last layer with activation="{last_activation}"'
        fix = f'Give the last layer activation="{wanted}", or use {name}(from_logits=True)'
        fix += "." if last_activation == "linear" else " and no activation."
        raise ArgumentError(rule, where=name, received=received, fix=fix)


def _float(values: ArrayLike) -> Array:
    return jnp.asarray(values).astype(jnp.float32)


def _per_example(values: Array) -> Array:
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))


def _log_probability(prediction: Array, from_logits: bool) -> Array:
    if from_logits:
        return jax.nn.log_softmax(prediction, axis=-1)
    probability = prediction / jnp.sum(prediction, axis=-1, keepdims=True)
    return jnp.log(jnp.clip(probability, EPSILON, 1.0 - EPSILON))


def _labels(y_true: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    labels = jnp.asarray(y_true)
    if labels.shape == (*shape[:-1], 1):
        labels = labels[..., 0]
    if labels.shape != shape[:-1]:
        fix = "Give one integer label per example."
        raise ShapeError(
            f"labels have the shape {shape[:-1]} for predictions of shape {shape}",
            where=name,
            received=f"labels of shape {labels.shape}",
            fix=fix,
        )
    return labels.astype(jnp.int32)


def _pair(y_true: ArrayLike, y_pred: ArrayLike, name: str) -> tuple[Array, Array]:
    target, prediction = _float(y_true), _float(y_pred)
    # (N,) beside (N, 1) would broadcast to (N, N) and train on nonsense.
    if target.ndim + 1 == prediction.ndim and prediction.shape[-1] == 1:
        target = target[..., None]
    elif target.ndim == prediction.ndim + 1 and target.shape[-1] == 1:
        target = target[..., 0]
    if target.shape != prediction.shape:
        received = f"targets of shape {target.shape}, predictions of shape {prediction.shape}"
        fix = "Make the targets' shape that of the model's output."
        raise ShapeError("targets and predictions have the same shape", where=name, received=received, fix=fix)
    return target, prediction


def _where(loss: Loss) -> str:
    return type(loss).__name__


def _function_name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _check_smoothing(loss: Loss, value: float) -> None:
    if not number(value) or not 0 <= value <= 1:
        rule = "label_smoothing is a number between 0 and 1"
        raise ArgumentError(rule, where=_where(loss), received=f"label_smoothing={value!r}", fix="Use 0.1.")


def _numeric(y: Any, loss: Loss) -> np.ndarray:
    values = np.asarray(y)
    if values.dtype.kind not in "biuf":
        fix = "Number the classes from 0: names, y = np.unique(y, return_inverse=True)."
        raise DataError("targets are numbers", where=_where(loss), received=f"dtype {values.dtype}", fix=fix)
    finite = np.isfinite(values)
    if not finite.all():
        axes = "" if values.ndim == 1 else f".all(axis={tuple(range(1, values.ndim))})"
        fix = f"Leave such examples out: keep = np.isfinite(y){axes}, then x[keep] and y[keep]."
        raise DataError("targets are finite numbers", where=_where(loss), received=_first(values, ~finite), fix=fix)
    return values


def _first(values: np.ndarray, wrong: np.ndarray) -> str:
    index = np.unravel_index(int(np.argmax(wrong)), values.shape)
    return f"y[{', '.join(str(i) for i in index)}] = {values[index]}"


_NO_FLATTEN = "Put Flatten() or GlobalAveragePooling2D() before the last Dense layer: one answer per example."


def _check_label_shape(labels: np.ndarray, output_shape: tuple[int, ...], loss: Loss) -> None:
    if labels.shape[1:] in (output_shape[:-1], (*output_shape[:-1], 1)):
        return
    received = f"targets of shape {labels.shape}"
    if labels.shape[1:] == output_shape:
        rule = "it takes one integer label per example, and these look like one-hot rows"
        fix = 'Use loss="categorical_crossentropy", or make them integers: y.argmax(axis=-1).'
        raise ShapeError(rule, where=_where(loss), received=received, fix=fix)
    expected = _shape_of_targets(output_shape[:-1])
    rule = f"for an output of shape {output_shape} the targets have the shape {expected}"
    fix = _NO_FLATTEN if labels.ndim == 1 and len(output_shape) > 1 else "Give one integer label per example."
    raise ShapeError(rule, where=_where(loss), received=received, fix=fix)


def _check_same_shape(targets: np.ndarray, output_shape: tuple[int, ...], loss: Loss) -> None:
    if targets.shape[1:] == output_shape:
        return
    if (*targets.shape[1:], 1) == output_shape or targets.shape[1:] == (*output_shape, 1):
        return
    expected = _shape_of_targets(output_shape)
    rule = f"for an output of shape {output_shape} the targets have the shape {expected}"
    units = targets.shape[-1] if targets.ndim == 2 else 1
    fix = f"Change the targets, or the last layer to {units} unit{'s' if units > 1 else ''}."
    if targets.ndim == 2 and len(output_shape) > 1 and targets.shape[-1] == output_shape[-1]:
        fix = _NO_FLATTEN
    if targets.ndim == 1 and len(output_shape) == 1 and targets.dtype.kind in "iu":
        fix = f"If these are labels of {output_shape[0]} classes, make them one-hot: np.eye({output_shape[0]})[y]."
    raise ShapeError(rule, where=_where(loss), received=f"targets of shape {targets.shape}", fix=fix)


def _shape_of_targets(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['N', *map(str, shape)])}{',' if not shape else ''})"


def _check_whole(labels: np.ndarray, loss: Loss) -> None:
    if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
        received = _first(labels, labels != np.floor(labels))
        fix = 'Use whole numbers from 0, or loss="mse" if the targets are quantities and not classes.'
        raise DataError("a label is a whole number", where=_where(loss), received=received, fix=fix)


def _check_range(labels: np.ndarray, classes: int, loss: Loss) -> None:
    if labels.dtype.kind == "b" or not labels.size:
        return
    wrong = (labels < 0) | (labels >= classes)
    if not wrong.any():
        return
    low, high = int(labels.min()), int(labels.max())
    if low == 1 and high == classes:
        fix = "These labels count from 1: pass y - 1."
    elif low < 0:
        fix = "Number the classes from 0, and leave unlabelled examples out."
    else:
        fix = f"Give the last layer {high + 1} units, or number the classes from 0 without gaps."
    rule = f"a label is between 0 and {classes - 1} for {classes} classes"
    raise DataError(rule, where=_where(loss), received=_first(labels, wrong), fix=fix)


def _check_unit_range(targets: np.ndarray, loss: Loss, fix: str) -> None:
    if targets.dtype.kind == "b" or not targets.size:
        return
    wrong = (targets < 0) | (targets > 1)
    if not wrong.any():
        return
    if isinstance(loss, BinaryCrossentropy) and set(np.unique(targets)) == {-1, 1}:
        fix = "These targets are -1 and 1: pass (y + 1) / 2."
    raise DataError("targets lie within [0, 1]", where=_where(loss), received=_first(targets, wrong), fix=fix)


def _check_row_sums(targets: np.ndarray, loss: Loss) -> None:
    sums = targets.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(sums - 1) > 1e-3
    if not wrong.any():
        return
    index = np.unravel_index(int(np.argmax(wrong)), sums.shape)
    received = f"a sum of {sums[index]:g} in y[{', '.join(str(i) for i in index)}]"
    fix = 'Use loss="binary_crossentropy" with sigmoid if several classes, or none, can hold at once.'
    raise DataError("each row of targets sums to 1", where=_where(loss), received=received, fix=fix)
