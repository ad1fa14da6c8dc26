from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.training import losses, metrics
from oracles.keras_oracle import keras

N, C = 23, 4
SIZES = (8, 8, 7)  # the last batch is padded to 8
RANDOM = np.random.default_rng(1)
LABELS = RANDOM.integers(0, C - 1, N)  # class 3 has no examples
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS]
SCORES = RANDOM.dirichlet(np.ones(C), N).astype(np.float32)
SCORES[::5, 1] = SCORES[::5].max(axis=1)  # ties
BITS = RANDOM.integers(0, 2, (N, 1)).astype(np.float32)
CHANCES = RANDOM.uniform(size=(N, 1)).astype(np.float32)
MANY = RANDOM.integers(0, 2, (N, C)).astype(np.float32)
WEIGHT = RANDOM.uniform(0.5, 2.0, N).astype(np.float32)


def _padded(rows, size=8):
    # Rubbish in the padding: NaN and a label that no class has.
    filler = np.nan if rows.dtype.kind == "f" else 77
    return np.concatenate([rows, np.full((size - len(rows), *rows.shape[1:]), filler, rows.dtype)])


def _streamed(metric, y_true, y_pred, weight=WEIGHT):
    total, start, update = metric.init(), 0, jax.jit(metric.update)
    for size in SIZES:
        part = slice(start, start + size)
        mask = _padded(weight[part])
        total = update(total, _padded(y_true[part]), _padded(y_pred[part]), np.nan_to_num(mask))
        start += size
    return np.asarray(metric.result(total))


def _expected(metric, y_true, y_pred, weight=WEIGHT):
    metric.update_state(y_true, y_pred, sample_weight=weight)
    return np.asarray(metric.result())


CASES = [
    (metrics.SparseCategoricalAccuracy(), keras.metrics.SparseCategoricalAccuracy(), LABELS, SCORES),
    (metrics.SparseCategoricalAccuracy(), keras.metrics.SparseCategoricalAccuracy(), LABELS[:, None], SCORES),
    (metrics.CategoricalAccuracy(), keras.metrics.CategoricalAccuracy(), ONE_HOT, SCORES),
    (metrics.BinaryAccuracy(), keras.metrics.BinaryAccuracy(), BITS, CHANCES),
    (metrics.BinaryAccuracy(0.3), keras.metrics.BinaryAccuracy(threshold=0.3), MANY, SCORES),
    (metrics.Accuracy(), keras.metrics.SparseCategoricalAccuracy(), LABELS, SCORES),
    (metrics.Accuracy(), keras.metrics.CategoricalAccuracy(), ONE_HOT, SCORES),
    (metrics.Accuracy(), keras.metrics.BinaryAccuracy(), BITS, CHANCES),
    (metrics.TopKCategoricalAccuracy(k=2), keras.metrics.TopKCategoricalAccuracy(k=2), ONE_HOT, SCORES),
    (metrics.SparseTopKCategoricalAccuracy(k=3), keras.metrics.SparseTopKCategoricalAccuracy(k=3), LABELS, SCORES),
    (metrics.MeanSquaredError(), keras.metrics.MeanSquaredError(), MANY, SCORES),
    (metrics.MeanAbsoluteError(), keras.metrics.MeanAbsoluteError(), BITS, CHANCES),
    (metrics.Precision(), keras.metrics.Precision(), BITS, CHANCES),
    (metrics.Precision(0.8), keras.metrics.Precision(0.8), BITS, CHANCES),
    (metrics.Recall(), keras.metrics.Recall(), BITS, CHANCES),
    (metrics.Recall(0.8), keras.metrics.Recall(0.8), BITS, CHANCES),
    (metrics.Precision(0.2, "micro", C), keras.metrics.Precision(0.2), MANY, SCORES),
    (metrics.Recall(0.2, "micro", C), keras.metrics.Recall(0.2), MANY, SCORES),
    *[
        (metrics.F1Score(average, threshold, C), keras.metrics.F1Score(average, threshold), truth, SCORES)
        for average in (None, "macro", "micro", "weighted")
        for threshold, truth in ((0.2, MANY), (0.35, ONE_HOT))
    ],
]


@pytest.mark.parametrize(("ours", "theirs", "y_true", "y_pred"), CASES, ids=lambda value: getattr(value, "name", None))
def test_streamed_with_weights_and_padding_equals_keras(ours, theirs, y_true, y_pred):
    theirs.reset_state()
    np.testing.assert_allclose(_streamed(ours, y_true, y_pred), _expected(theirs, y_true, y_pred), rtol=3e-6, atol=3e-7)


@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
def test_f1_of_the_largest_output_equals_keras(average):
    scores = SCORES + np.arange(C) * 1e-4  # without ties: Keras counts each of the equals, argmax the first
    expected = _expected(keras.metrics.F1Score(average), ONE_HOT, scores)
    np.testing.assert_allclose(_streamed(metrics.F1Score(average, classes=C), LABELS, scores), expected, rtol=3e-6)


def test_the_comparison_notices_a_forgotten_weight():
    expected = _expected(keras.metrics.SparseCategoricalAccuracy(), LABELS, SCORES)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            _streamed(metrics.SparseCategoricalAccuracy(), LABELS, SCORES, np.ones(N, np.float32)), expected, rtol=3e-6
        )


def _loop_confusion(y_true, answers, classes):
    counts = np.zeros((classes, classes))
    for truth, answer, weight in zip(y_true, answers, WEIGHT, strict=True):
        counts[truth, answer] += weight
    return counts


@pytest.mark.parametrize("y_true", [LABELS, LABELS[:, None], ONE_HOT])
def test_confusion_matrix_has_the_truth_in_rows(y_true):
    expected = _loop_confusion(LABELS, SCORES.argmax(axis=1), C)
    assert not np.allclose(expected, expected.T)
    np.testing.assert_allclose(_streamed(metrics.ConfusionMatrix(C), y_true, SCORES), expected, rtol=1e-6)


def test_confusion_matrix_of_one_output():
    expected = _loop_confusion(BITS[:, 0].astype(int), (CHANCES[:, 0] > 0.5).astype(int), 2)
    np.testing.assert_allclose(_streamed(metrics.ConfusionMatrix(2), BITS, CHANCES), expected, rtol=1e-6)


@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
def test_classes_by_the_largest_output_equal_a_loop(kind, average):
    counts = _loop_confusion(LABELS, SCORES.argmax(axis=1), C)
    figures = metrics.per_class(counts)
    each = np.array([getattr(figure, kind) for figure in figures])
    support = np.array([figure.support for figure in figures])
    expected = {
        None: each,
        "macro": each.mean(),
        "micro": np.trace(counts) / counts.sum(),
        "weighted": (each * support).sum() / support.sum(),
    }[average]
    classes = {"precision": metrics.Precision, "recall": metrics.Recall, "f1": metrics.F1Score}
    metric = classes[kind](average=average, classes=C)
    np.testing.assert_allclose(_streamed(metric, LABELS, SCORES), expected, rtol=1e-5)


def test_per_class_equals_the_definition():
    counts = [[5, 1, 0], [2, 3, 0], [0, 0, 0]]
    first, second, third = metrics.per_class(counts)
    assert first == metrics.PerClass(5 / 7, 5 / 6, 10 / 13, 6.0)
    assert second == metrics.PerClass(3 / 4, 3 / 5, 6 / 9, 5.0)
    assert third == metrics.PerClass(0.0, 0.0, 0.0, 0.0)


def test_per_class_wants_a_square():
    with pytest.raises(ShapeError) as caught:
        metrics.per_class(np.zeros((2, 3)))
    assert str(caught.value) == "per_class: a confusion matrix is square. Received shape (2, 3)."


@pytest.mark.parametrize("metric", [case[0] for case in CASES] + [metrics.ConfusionMatrix(C)])
def test_nothing_counted_is_zero(metric):
    assert np.all(np.asarray(metric.result(metric.init())) == 0)


def test_not_a_number_is_no_hit():
    scores = np.full((2, C), np.nan, np.float32)
    metric = metrics.SparseTopKCategoricalAccuracy(k=2)
    assert float(metric.result(metric.update(metric.init(), np.array([0, 1]), scores, np.ones(2)))) == 0.0


def test_pixels_count_like_examples():
    labels, scores = RANDOM.integers(0, C, (6, 3)), RANDOM.uniform(size=(6, 3, C)).astype(np.float32)
    one = metrics.ConfusionMatrix(C)
    whole = one.update(one.init(), labels, scores, np.ones(6))
    flat = one.update(one.init(), labels.reshape(-1), scores.reshape(-1, C), np.ones(18))
    np.testing.assert_array_equal(one.result(whole), one.result(flat))


SPARSE = losses.SparseCategoricalCrossentropy()
BINARY = losses.BinaryCrossentropy()
LOGITS = losses.BinaryCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("metric", "loss", "shape", "expected"),
    [
        ("accuracy", SPARSE, (C,), metrics.SparseCategoricalAccuracy(name="accuracy")),
        ("acc", losses.CategoricalCrossentropy(), (C,), metrics.CategoricalAccuracy(name="acc")),
        ("accuracy", BINARY, (1,), metrics.BinaryAccuracy(name="accuracy")),
        ("accuracy", LOGITS, (1,), metrics.BinaryAccuracy(0.0, name="accuracy")),
        ("binary_accuracy", LOGITS, (1,), metrics.BinaryAccuracy(0.0)),
        (metrics.BinaryAccuracy(0.5), LOGITS, (1,), metrics.BinaryAccuracy(0.5)),
        ("accuracy", losses.MeanSquaredError(), (C,), metrics.Accuracy()),
        ("precision", SPARSE, (C,), metrics.Precision(classes=C)),
        ("recall", LOGITS, (1,), metrics.Recall(0.0, classes=1)),
        (metrics.Recall, BINARY, (C,), metrics.Recall(0.5, classes=C)),
        ("f1_score", SPARSE, (C,), metrics.F1Score("macro", classes=C)),
        (metrics.F1Score(), SPARSE, (C,), metrics.F1Score(None, classes=C)),
        ("mse", losses.MeanSquaredError(), (1,), metrics.MeanSquaredError(name="mse")),
        ("precision", None, None, metrics.Precision()),
    ],
)
def test_get_binds_to_the_model(metric, loss, shape, expected):
    assert metrics.get(metric, loss, shape) == expected


def test_a_function_is_a_metric():
    def lowest(y_true, y_pred):
        return jnp.min(y_pred, axis=-1)

    metric = metrics.get(lowest, SPARSE, (C,))
    assert metric.name == "lowest"
    expected = (SCORES.min(axis=1) * WEIGHT).sum() / WEIGHT.sum()
    np.testing.assert_allclose(_streamed(metric, LABELS, SCORES), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: metrics.get("acuracy"),
            ArgumentError,
            "metric: not the name of a metric. Received 'acuracy'. Did you mean 'accuracy'?",
        ),
        (
            lambda: metrics.get("confusion_matrix"),
            ArgumentError,
            "metric: the confusion matrix needs the number of classes. Received 'confusion_matrix'. "
            "Use ConfusionMatrix(10) for 10 classes.",
        ),
        (
            lambda: metrics.get("top_k_categorical_accuracy", SPARSE, (C,)),
            ArgumentError,
            "TopKCategoricalAccuracy: k is at most the number of classes, here 4. Received k=5. "
            "Use TopKCategoricalAccuracy(k=2).",
        ),
        (
            lambda: metrics.Precision([0.1, 0.9]),
            ArgumentError,
            "Precision: thresholds is a number. Received thresholds=[0.1, 0.9]. "
            "Use 0.5 for probabilities; add the metric twice for two thresholds.",
        ),
        (
            lambda: metrics.F1Score("marco"),
            ArgumentError,
            'F1Score: average is "macro", "micro", "weighted" or None. Received average=\'marco\'. '
            "Did you mean 'macro'?",
        ),
        (
            lambda: metrics.ConfusionMatrix(1),
            ArgumentError,
            "ConfusionMatrix: classes is an integer of at least 2. Received classes=1.",
        ),
        (
            lambda: metrics.get(metrics.Recall(classes=3), SPARSE, (C,)),
            ArgumentError,
            "Recall: the model has 4 outputs. Received classes=3. Leave classes out: it is taken from the model.",
        ),
        (
            lambda: metrics.Recall().update(metrics.Recall().init(), LABELS, SCORES, WEIGHT),
            ShapeError,
            "recall: the number of classes is that of the outputs. Received classes=None and outputs of shape (23, 4). "
            "Use Recall(classes=4).",
        ),
        (
            lambda: metrics.CategoricalAccuracy().update(metrics.CategoricalAccuracy().init(), LABELS, SCORES, WEIGHT),
            ShapeError,
            "categorical_accuracy: one-hot targets have the shape of the outputs. Received targets of shape (23,) and "
            'outputs of shape (23, 4). Use the metric for integer labels, or "accuracy".',
        ),
    ],
)
def test_mistakes_are_explained(make, kind, message):
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == message


def test_configurations_come_back():
    for metric in (metrics.F1Score("macro", 0.5), metrics.ConfusionMatrix(3), metrics.Accuracy(name="acc")):
        assert metrics.Metric.from_config(metric.to_config()) == metric


def test_an_unknown_argument_is_explained():
    with pytest.raises(ArgumentError) as caught:
        metrics.TopKCategoricalAccuracy(K=3)
    assert str(caught.value) == ("TopKCategoricalAccuracy: there is no argument 'K'. Received K=3. Known: k, name.")
