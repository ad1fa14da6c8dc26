from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, DataError, ShapeError
from convista.training import losses
from oracles.keras_oracle import keras

N, C = 6, 4
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, C, N)
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS]
LOGITS = {
    "usual": RANDOM.normal(size=(N, C)).astype(np.float32),
    "extreme": (RANDOM.choice([-1.0, 1.0], (N, C)) * 200.0).astype(np.float32),
}
PROBABILITIES = {
    "usual": np.abs(RANDOM.normal(size=(N, C))).astype(np.float32) + 0.1,  # not normalised: both renormalise
    "edge": np.tile(np.array([1.0, 0.0, 1e-9, 1e-3], np.float32), (N, 1)),
}


def _grid():
    for kind in ("sparse", "categorical", "binary"):
        for smoothing in (0.0, 0.1):
            for name in LOGITS:
                yield pytest.param(kind, True, smoothing, LOGITS[name], id=f"{kind}-logits-{name}-{smoothing}")
            for name in PROBABILITIES:
                values = np.clip(PROBABILITIES[name], 0, 1) if kind == "binary" else PROBABILITIES[name]
                yield pytest.param(kind, False, smoothing, values, id=f"{kind}-{name}-{smoothing}")


def _ours(kind, from_logits, smoothing):
    classes = {
        "sparse": losses.SparseCategoricalCrossentropy,
        "categorical": losses.CategoricalCrossentropy,
        "binary": losses.BinaryCrossentropy,
    }
    return classes[kind](from_logits=from_logits, label_smoothing=smoothing)


def _keras(kind, from_logits, smoothing):
    if kind == "binary":
        return keras.losses.BinaryCrossentropy(from_logits, label_smoothing=smoothing, reduction=None)
    # Keras has no smoothing for integer labels: its loss for one-hot rows is the oracle of both.
    return keras.losses.CategoricalCrossentropy(from_logits, label_smoothing=smoothing, reduction=None)


@pytest.mark.parametrize(("kind", "from_logits", "smoothing", "y_pred"), list(_grid()))
def test_values_and_gradients_are_those_of_keras(kind, from_logits, smoothing, y_pred):
    ours, theirs = _ours(kind, from_logits, smoothing), _keras(kind, from_logits, smoothing)
    target = LABELS if kind == "sparse" else ONE_HOT
    value = ours(target, y_pred)
    assert value.shape == (N,)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, theirs(ONE_HOT, y_pred), rtol=2e-6, atol=2e-6)
    scale = jnp.arange(1.0, N + 1)
    gradient = jax.grad(lambda p: jnp.sum(ours(target, p) * scale))(jnp.asarray(y_pred))
    expected = jax.grad(lambda p: jnp.sum(theirs(ONE_HOT, p) * scale))(jnp.asarray(y_pred))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_the_tolerance_rejects_another_epsilon(monkeypatch):
    expected = _keras("categorical", False, 0.0)(ONE_HOT, PROBABILITIES["edge"])
    monkeypatch.setattr(losses, "EPSILON", 2e-7)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            losses.get("categorical_crossentropy")(ONE_HOT, PROBABILITIES["edge"]), expected, 2e-6
        )


@pytest.mark.parametrize(("name", "theirs"), [("mse", "MeanSquaredError"), ("mae", "MeanAbsoluteError")])
def test_errors_of_quantities_are_those_of_keras(name, theirs):
    target, prediction = RANDOM.normal(size=(2, N, C)).astype(np.float32)
    expected = getattr(keras.losses, theirs)(reduction=None)(target, prediction)
    np.testing.assert_allclose(losses.get(name)(target, prediction), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["mse", "mae", "binary_crossentropy"])
def test_more_axes_are_averaged(name):
    target, prediction = RANDOM.uniform(0.1, 0.9, size=(2, N, 3, 2, C)).astype(np.float32)
    loss = losses.get(name)
    flat = loss(target.reshape(N, -1), prediction.reshape(N, -1))
    np.testing.assert_allclose(loss(target, prediction), flat, rtol=1e-6)


def test_classes_of_every_pixel_are_averaged():
    labels = RANDOM.integers(0, C, (N, 3, 2))
    prediction = RANDOM.normal(size=(N, 3, 2, C)).astype(np.float32)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    single = loss(labels.reshape(-1), prediction.reshape(-1, C)).reshape(N, -1).mean(axis=1)
    np.testing.assert_allclose(loss(labels, prediction), single, rtol=1e-6)
    rows = losses.CategoricalCrossentropy(from_logits=True)(np.eye(C)[labels], prediction)
    np.testing.assert_allclose(rows, single, rtol=1e-6)


@pytest.mark.parametrize("name", ["binary_crossentropy", "mse", "mae"])
def test_a_column_and_a_row_do_not_broadcast(name):
    target, prediction = np.array([0.0, 1.0, 1.0]), np.array([[0.2], [0.6], [0.9]])
    loss = losses.get(name)
    expected = loss(target[:, None], prediction)
    assert expected.shape == (3,)
    np.testing.assert_array_equal(loss(target, prediction), expected)
    np.testing.assert_array_equal(loss(target[:, None], prediction[:, 0]), expected)


@pytest.mark.parametrize("label", [-1, C])
def test_a_label_outside_the_classes_is_nan_and_never_zero(label):
    value = losses.SparseCategoricalCrossentropy()(np.array([label, 0]), PROBABILITIES["usual"][:2])
    assert np.isnan(value[0])
    assert np.isfinite(value[1])


@pytest.mark.parametrize("labels", [LABELS.astype(np.uint8), LABELS[:, None], LABELS.astype(np.float32), list(LABELS)])
def test_labels_of_any_type(labels):
    loss = losses.SparseCategoricalCrossentropy()
    expected = loss(LABELS, PROBABILITIES["usual"])
    np.testing.assert_array_equal(loss(np.asarray(labels), PROBABILITIES["usual"]), expected)


def test_compiles_and_equals_eager():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    np.testing.assert_allclose(jax.jit(loss)(LABELS, LOGITS["usual"]), loss(LABELS, LOGITS["usual"]), rtol=1e-6)


GOOD = [
    ("sparse_categorical_crossentropy", LABELS, (C,)),
    ("sparse_categorical_crossentropy", LABELS[:, None].astype(np.uint8), (C,)),
    ("sparse_categorical_crossentropy", LABELS.astype(np.float64), (C,)),
    ("sparse_categorical_crossentropy", np.array([], int), (C,)),
    ("sparse_categorical_crossentropy", [True, False], (2,)),
    ("sparse_categorical_crossentropy", np.zeros((N, 3, 2), int), (3, 2, C)),
    ("categorical_crossentropy", ONE_HOT, (C,)),
    ("categorical_crossentropy", np.full((N, 3, 2, C), 1 / C), (3, 2, C)),
    ("binary_crossentropy", [0, 1, 1], (1,)),
    ("binary_crossentropy", [[0.5], [True]], (1,)),
    ("binary_crossentropy", np.ones((N, C)), (C,)),
    ("mse", [0.5, 7.0], (1,)),
    ("mae", np.ones((N, C)), (C,)),
    (lambda y_true, y_pred: y_pred, "anything", (C,)),
]


@pytest.mark.parametrize(("loss", "y", "output_shape"), GOOD)
def test_good_targets_pass(loss, y, output_shape):
    losses.get(loss).check(y, output_shape)


SPARSE, ROWS, BINARY, MSE = "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "mse"
BAD = [
    (
        SPARSE,
        [0, 1, 9, 4],
        (C,),
        DataError,
        "SparseCategoricalCrossentropy: a label is between 0 and 3 for 4 classes. Received y[2] = 9. "
        "Give the last layer 10 units, or number the classes from 0 without gaps.",
    ),
    (
        SPARSE,
        [1, 2, 3, 4],
        (C,),
        DataError,
        "SparseCategoricalCrossentropy: a label is between 0 and 3 for 4 classes. Received y[3] = 4. "
        "These labels count from 1: pass y - 1.",
    ),
    (
        SPARSE,
        [[0], [-1]],
        (C,),
        DataError,
        "SparseCategoricalCrossentropy: a label is between 0 and 3 for 4 classes. Received y[1, 0] = -1. "
        "Number the classes from 0, and leave unlabelled examples out.",
    ),
    (
        SPARSE,
        [0.0, 1.5],
        (C,),
        DataError,
        "SparseCategoricalCrossentropy: a label is a whole number. Received y[1] = 1.5. "
        'Use whole numbers from 0, or loss="mse" if the targets are quantities and not classes.',
    ),
    (
        SPARSE,
        [0.0, np.nan],
        (C,),
        DataError,
        "SparseCategoricalCrossentropy: targets are finite numbers. Received y[1] = nan. "
        "Leave such examples out: keep = np.isfinite(y), then x[keep] and y[keep].",
    ),
    (
        SPARSE,
        ONE_HOT,
        (C,),
        ShapeError,
        "SparseCategoricalCrossentropy: it takes one integer label per example, and these look like one-hot rows. "
        'Received targets of shape (6, 4). Use loss="categorical_crossentropy", or make them integers: '
        "y.argmax(axis=-1).",
    ),
    (
        SPARSE,
        np.zeros((N, 7), int),
        (C,),
        ShapeError,
        "SparseCategoricalCrossentropy: for an output of shape (4,) the targets have the shape (N,). "
        "Received targets of shape (6, 7). Give one integer label per example.",
    ),
    (
        SPARSE,
        [0, 1],
        (1,),
        ShapeError,
        "SparseCategoricalCrossentropy: it compares classes, and the model's output has one number per example. "
        'Received an output of shape (1,). Use loss="binary_crossentropy" with a sigmoid, or give the last '
        "layer one unit "
        "per class.",
    ),
    (
        SPARSE,
        ["cat", "dog"],
        (C,),
        DataError,
        "SparseCategoricalCrossentropy: targets are numbers. Received dtype <U3. "
        "Number the classes from 0: names, y = np.unique(y, return_inverse=True).",
    ),
    (
        ROWS,
        LABELS,
        (C,),
        ShapeError,
        "CategoricalCrossentropy: it takes one row of 4 numbers per example, and these look like integer labels. "
        'Received targets of shape (6,). Use loss="sparse_categorical_crossentropy", or make the labels one-hot: '
        "np.eye(4)[y].",
    ),
    (
        ROWS,
        np.ones((N, 3)),
        (C,),
        ShapeError,
        "CategoricalCrossentropy: for an output of shape (4,) the targets have the shape (N, 4). "
        "Received targets of shape (6, 3). Change the targets, or the last layer to 3 units.",
    ),
    (
        ROWS,
        [[0, 1], [2, 0]],
        (2,),
        DataError,
        "CategoricalCrossentropy: targets lie within [0, 1]. Received y[1, 0] = 2. "
        "Make the labels one-hot: np.eye(C)[labels].",
    ),
    (
        ROWS,
        [[0, 1], [1, 1]],
        (2,),
        DataError,
        "CategoricalCrossentropy: each row of targets sums to 1. Received a sum of 2 in y[1]. "
        'Use loss="binary_crossentropy" with sigmoid if several classes, or none, can hold at once.',
    ),
    (
        BINARY,
        [1, -1],
        (1,),
        DataError,
        "BinaryCrossentropy: targets lie within [0, 1]. Received y[1] = -1. "
        "These targets are -1 and 1: pass (y + 1) / 2.",
    ),
    (
        BINARY,
        [0, 255],
        (1,),
        DataError,
        "BinaryCrossentropy: targets lie within [0, 1]. Received y[1] = 255. "
        "Targets are 0 for no, 1 for yes, or a probability between them.",
    ),
    (
        BINARY,
        LABELS,
        (C,),
        ShapeError,
        "BinaryCrossentropy: it takes 4 answers per example, one for each output, and these look like integer labels. "
        'Received targets of shape (6,). Use loss="sparse_categorical_crossentropy" with a softmax.',
    ),
    (
        MSE,
        LABELS,
        (C,),
        ShapeError,
        "MeanSquaredError: for an output of shape (4,) the targets have the shape (N, 4). Received targets of "
        "shape (6,). "
        "If these are labels of 4 classes, make them one-hot: np.eye(4)[y].",
    ),
    (
        MSE,
        [[1.0, np.inf]],
        (2,),
        DataError,
        "MeanSquaredError: targets are finite numbers. Received y[0, 1] = inf. "
        "Leave such examples out: keep = np.isfinite(y).all(axis=(1,)), then x[keep] and y[keep].",
    ),
]


@pytest.mark.parametrize(("name", "y", "output_shape", "kind", "message"), BAD)
def test_bad_targets_are_explained(name, y, output_shape, kind, message):
    with pytest.raises(kind) as caught:
        losses.get(name).check(y, output_shape)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        (losses.SparseCategoricalCrossentropy(from_logits=True), "linear"),
        (losses.SparseCategoricalCrossentropy(from_logits=True), None),
        (losses.SparseCategoricalCrossentropy(), "softmax"),
        (losses.SparseCategoricalCrossentropy(), None),
        (losses.BinaryCrossentropy(), "sigmoid"),
        (losses.MeanSquaredError(), "linear"),
    ],
)
def test_good_last_activations_pass(loss, activation):
    losses.check_softmax(loss, activation)


@pytest.mark.parametrize(
    ("loss", "activation", "units", "message"),
    [
        (
            losses.SparseCategoricalCrossentropy(from_logits=True),
            "softmax",
            C,
            "SparseCategoricalCrossentropy: from_logits=True means that the output has no softmax yet, and it would be "
            'applied twice. Received a last layer with activation="softmax". Take activation="softmax" away, or use '
            "SparseCategoricalCrossentropy(from_logits=False).",
        ),
        (
            losses.BinaryCrossentropy(from_logits=True),
            "sigmoid",
            1,
            "BinaryCrossentropy: from_logits=True means that the output has no sigmoid yet, and it would be "
            "applied twice. "
            'Received a last layer with activation="sigmoid". Take activation="sigmoid" away, or use '
            "BinaryCrossentropy(from_logits=False).",
        ),
        (
            losses.SparseCategoricalCrossentropy(),
            "linear",
            C,
            "SparseCategoricalCrossentropy: from_logits=False means that the output is probabilities. Received a last "
            'layer with activation="linear". Give the last layer activation="softmax", or use '
            "SparseCategoricalCrossentropy(from_logits=True).",
        ),
        (
            losses.BinaryCrossentropy(),
            "relu",
            1,
            "BinaryCrossentropy: from_logits=False means that the output is probabilities. Received a last layer with "
            'activation="relu". Give the last layer activation="sigmoid", or use '
            "BinaryCrossentropy(from_logits=True) and "
            "no activation.",
        ),
        (
            losses.BinaryCrossentropy(),
            "softmax",
            1,
            "BinaryCrossentropy: softmax over a single number is always 1, so nothing can be learned. Received a last "
            'layer with 1 unit and activation="softmax". Use activation="sigmoid" with loss="binary_crossentropy".',
        ),
    ],
)
def test_a_wrong_last_activation_is_explained(loss, activation, units, message):
    with pytest.raises(ArgumentError) as caught:
        losses.check_softmax(loss, activation, units)
    assert str(caught.value) == message


def test_get():
    assert losses.get("MSE") == losses.MeanSquaredError()
    assert losses.get(losses.MeanAbsoluteError) == losses.MeanAbsoluteError()
    smooth = losses.CategoricalCrossentropy(label_smoothing=0.2)
    assert losses.get(smooth) is smooth
    assert set(losses.registry) >= {"mse", "mae", SPARSE, ROWS, BINARY, "mean_squared_error", "mean_absolute_error"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: losses.get("sparse_categorical_crossentropi"),
            "loss: not the name of a loss. Received 'sparse_categorical_crossentropi'. "
            "Did you mean 'sparse_categorical_crossentropy'?",
        ),
        (
            lambda: losses.get(3),
            "loss: a loss is a name, an instance such as MeanSquaredError(), or a function of (y_true, y_pred). "
            "Received 3. Known: binary_crossentropy, categorical_crossentropy, mae, mean_absolute_error, "
            "mean_squared_error, mse, sparse_categorical_crossentropy.",
        ),
        (
            lambda: losses.BinaryCrossentropy(label_smoothing=2),
            "BinaryCrossentropy: label_smoothing is a number between 0 and 1. Received label_smoothing=2. Use 0.1.",
        ),
    ],
)
def test_wrong_arguments_are_explained(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_a_function_must_give_one_value_per_example():
    def everything(y_true, y_pred):
        return jnp.mean(jnp.abs(y_true - y_pred))

    with pytest.raises(ShapeError) as caught:
        losses.get(everything)(ONE_HOT, LOGITS["usual"])
    assert str(caught.value) == (
        "everything: a loss returns one value per example, so that examples can be weighted. Received an array "
        "of shape () "
        "for 6 examples. Average over axis=-1 instead of over everything: jnp.mean(..., axis=-1)."
    )


def test_configurations_come_back():
    for loss in (losses.SparseCategoricalCrossentropy(True, 0.1), losses.MeanSquaredError()):
        assert losses.Loss.from_config(loss.to_config()) == loss


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: losses.SparseCategoricalCrossentropy(from_logit=True),
            "SparseCategoricalCrossentropy: there is no argument 'from_logit'. Received from_logit=True. "
            "Did you mean 'from_logits'?",
        ),
        (
            lambda: losses.MeanSquaredError(reduction="sum"),
            "MeanSquaredError: a loss gives one value an example, and training takes their weighted mean. "
            "Received reduction='sum'. Leave reduction out; to sum, multiply the learning rate by the batch size.",
        ),
    ],
)
def test_an_unknown_argument_is_explained(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_arguments_of_keras_that_ask_for_nothing_are_taken():
    given = losses.CategoricalCrossentropy(reduction="sum_over_batch_size", axis=-1, dtype=None)
    assert given == losses.CategoricalCrossentropy()
