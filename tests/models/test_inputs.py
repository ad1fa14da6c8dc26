"""Data that does not fit the model: every message whole."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Sequential
from convista.data.pictures import Preprocessing
from convista.errors import ArgumentError, ConvistaError, DataError, ShapeError
from convista.layers import BatchNormalization, Dense, Flatten, Input, RandomBrightness, RandomFlip, Rescaling
from convista.models.inputs import Entrance, arranged, check_shape, check_values
from convista.training.losses import CategoricalCrossentropy, SparseCategoricalCrossentropy

PICTURES = np.zeros((7, 28, 28, 1), np.float32)


def pictures(loss="sparse_categorical_crossentropy", activation="softmax"):
    model = Sequential([Flatten(input_shape=(28, 28, 1)), Dense(10, activation=activation)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("shape", "expected", "message"),
    [
        (
            (28, 28, 1),
            (28, 28, 1),
            "x: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). Received shape (28, 28, 1). "
            "Add the batch axis: x[None].",
        ),
        (
            (7, 28, 28),
            (28, 28, 1),
            "x: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). Received shape (7, 28, 28). "
            "Add the channel axis: x[..., None].",
        ),
        (
            (28, 28),
            (28, 28, 1),
            "x: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). Received shape (28, 28). "
            "Add the batch and the channel axis: x[None, ..., None].",
        ),
        (
            (7, 3, 32, 32),
            (32, 32, 3),
            "x: the model takes batches of 32×32×3: an array of shape (N, 32, 32, 3). Received shape (7, 3, 32, 32). "
            "Move the channels to the end: x.transpose(0, 2, 3, 1).",
        ),
        (
            (7, 28, 28),
            (784,),
            "x: the model takes batches of 784: an array of shape (N, 784). Received shape (7, 28, 28). "
            "Write each example in one row: x.reshape(len(x), -1).",
        ),
        (
            (7, 784),
            (28, 28, 1),
            "x: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). Received shape (7, 784). "
            "Restore the pictures: x.reshape(-1, 28, 28, 1).",
        ),
        (
            (7, 32, 32, 1),
            (28, 28, 1),
            "x: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). Received shape (7, 32, 32, 1). "
            "Resize the data, or build the model with input_shape=(32, 32, 1).",
        ),
        (
            (7,),
            (28, 28, 1),
            "x: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). Received shape (7,).",
        ),
    ],
)
def test_shapes(shape, expected, message):
    x = np.zeros(shape)
    with pytest.raises(ShapeError) as caught:
        check_shape(x, expected)
    assert str(caught.value) == message
    fix = message.rsplit(": ", 1)[-1].removesuffix(".")
    if fix.startswith("x"):
        check_shape(eval(fix, {"x": x}), expected)  # noqa: S307 - the fix that the message gives has to work


def test_sizes_that_vary():
    check_shape(np.zeros((2, 5, 9, 3)), (None, None, 3))
    with pytest.raises(ShapeError, match=r"an array of shape \(N, None, None, 3\)"):
        check_shape(np.zeros((2, 5, 9, 1)), (None, None, 3))


@pytest.mark.parametrize("verb", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch"])
def test_every_verb_checks(verb):
    arguments = (PICTURES[..., 0],) if verb == "predict" else (PICTURES[..., 0], np.zeros(7, int))
    with pytest.raises(ShapeError, match=r"^x: .*Add the channel axis: x\[\.\.\., None\]\.$"):
        getattr(pictures(), verb)(*arguments)


def test_validation_data_is_named():
    with pytest.raises(ShapeError) as caught:
        pictures().fit(PICTURES, np.zeros(7, int), validation_data=(PICTURES[..., 0], np.zeros(7, int)), verbose=0)
    assert str(caught.value) == (
        "x of validation_data: the model takes batches of 28×28×1: an array of shape (N, 28, 28, 1). "
        "Received shape (7, 28, 28). Add the channel axis: x[..., None]."
    )


@pytest.mark.parametrize("row", [5, 2500])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_are_finite_also_far_behind(bad, row):
    x = np.zeros((3000, 2), np.float32)
    x[row, 1] = bad
    with pytest.raises(DataError) as caught:
        check_values(x, Entrance.of([]), False)
    assert str(caught.value) == (
        f"x: inputs are finite numbers. Received {bad} at x[{row}, 1]. "
        "Replace missing values first, for example x = np.nan_to_num(x)."
    )


def test_float_pictures_0_to_255_need_a_scale():
    x = np.full((7, 28, 28, 1), 200, "float32")
    x[0] = 0
    with pytest.raises(DataError) as caught:
        pictures().predict(x)
    assert str(caught.value) == (
        "x: pictures given as floats 0…255 need a scale, or training is slow and poor. "
        "Received dtype float32, values 0…200. "
        "Pass x / 255, or put Rescaling(1 / 255) first in the model; Rescaling(1) if so meant."
    )
    pictures().predict(x / 255)
    pictures().predict(x - 100)  # already centred
    for first in (Rescaling(1 / 255), Rescaling(1), BatchNormalization()):
        assert Sequential([first, *pictures().layers]).predict(x).shape == (7, 10)


def test_batches_of_whole_numbers_can_be_scaled_by_the_model():
    x = np.arange(28 * 28, dtype=np.int32).reshape(1, 28, 28, 1) % 256
    model = pictures()
    model.compile("sgd", "sparse_categorical_crossentropy")
    batches = [(x.astype(np.uint8), np.zeros(1, np.int32))]
    with pytest.raises(DataError) as caught:
        model.fit(iter(batches), verbose=0)
    assert str(caught.value) == (
        "x of a batch: pictures given as whole numbers 0…255 need a scale, or training is slow and poor. "
        "Received dtype uint8, values 0…255. Put Rescaling(1 / 255) first in the model, or set "
        "model.preprocessing = convista.Preprocessing(scale=1 / 255)."
    )
    model.preprocessing = Preprocessing(scale=1 / 255)
    model.fit(iter(batches), verbose=0)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_whole_numbers_0_to_255_need_a_scale(dtype):
    x = np.full((7, 28, 28, 1), 200, dtype)
    x[0] = 0
    with pytest.raises(DataError) as caught:
        pictures().predict(x)
    assert str(caught.value) == (
        "x: pictures given as whole numbers 0…255 need a scale, or training is slow and poor. "
        f"Received dtype {dtype}, values 0…200. "
        "Put Rescaling(1 / 255) first in the model, or pass x.astype('float32') / 255."
    )
    scaled = Sequential([Rescaling(1 / 255), *pictures().layers])
    assert scaled.predict(x).shape == (7, 10)
    pictures().predict(x.astype("float32") / 255)


def test_small_whole_numbers_are_no_pixels():
    check_values(np.array([[0, 1]], np.uint8), Entrance.of([]), False)
    check_values(np.array([[3, 500]], np.int32), Entrance.of([]), False)


def test_values_that_were_scaled_already():
    model = Sequential([Rescaling(1 / 255, input_shape=(28, 28, 1)), Flatten(), Dense(2)])
    with pytest.raises(DataError) as caught:
        model.predict(np.linspace(0, 1, 784).reshape(1, 28, 28, 1))
    assert str(caught.value) == (
        "x: Rescaling 'rescaling' expects values 0…255 and divides them once more. "
        "Received dtype float32, values 0…1. Pass the raw pictures, or take 'rescaling' out of the model."
    )


@pytest.mark.parametrize(
    ("loss", "y", "kind", "message"),
    [
        (
            "sparse_categorical_crossentropy",
            np.array([0, 1, 2, 10, 3, 4, 5]),
            DataError,
            "SparseCategoricalCrossentropy: a label is between 0 and 9 for 10 classes. Received y[3] = 10. "
            "Give the last layer 11 units, or number the classes from 0 without gaps.",
        ),
        (
            "sparse_categorical_crossentropy",
            np.array([0, 1, 2, -1, 3, 4, 5]),
            DataError,
            "SparseCategoricalCrossentropy: a label is between 0 and 9 for 10 classes. Received y[3] = -1. "
            "Number the classes from 0, and leave unlabelled examples out.",
        ),
        (
            "sparse_categorical_crossentropy",
            np.eye(10)[:7],
            ShapeError,
            "SparseCategoricalCrossentropy: it takes one integer label per example, and these look like one-hot rows. "
            'Received targets of shape (7, 10). Use loss="categorical_crossentropy", or make them integers: '
            "y.argmax(axis=-1).",
        ),
        (
            "categorical_crossentropy",
            np.arange(7),
            ShapeError,
            "CategoricalCrossentropy: it takes one row of 10 numbers per example, and these look like integer labels. "
            'Received targets of shape (7,). Use loss="sparse_categorical_crossentropy", or make the labels one-hot: '
            "np.eye(10)[y].",
        ),
        (
            "sparse_categorical_crossentropy",
            np.arange(6),
            DataError,
            "x and y have one row an example. Received x with 7 rows, y of shape (6,). "
            "Check that pictures and labels come from the same split.",
        ),
    ],
)
def test_targets(loss, y, kind, message):
    for verb in ("fit", "evaluate", "train_on_batch"):
        with pytest.raises(kind) as caught:
            getattr(pictures(loss), verb)(PICTURES, y)
        assert str(caught.value) == message


@pytest.mark.parametrize("loss", [SparseCategoricalCrossentropy, CategoricalCrossentropy])
def test_softmax_and_from_logits(loss):
    with pytest.raises(ArgumentError) as caught:
        pictures(loss(from_logits=True))
    assert str(caught.value) == (
        f"{loss.__name__}: from_logits=True means that the output has no softmax yet, and it would be applied twice. "
        'Received a last layer with activation="softmax". '
        f'Take activation="softmax" away, or use {loss.__name__}(from_logits=False).'
    )
    pictures(loss(from_logits=True), activation=None)


def test_a_forgotten_flatten_is_named():
    model = Sequential([Dense(3, activation="softmax", input_shape=(8, 8, 1))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ShapeError) as caught:
        model.fit(np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, int), verbose=0)
    assert str(caught.value) == (
        "SparseCategoricalCrossentropy: for an output of shape (8, 8, 3) the targets have the shape (N, 8, 8). "
        "Received targets of shape (4,). "
        "Put Flatten() or GlobalAveragePooling2D() before the last Dense layer: one answer per example."
    )


def test_wrong_labels_are_said_to_be_in_the_validation_data():
    model = pictures()
    x, y = np.zeros((7, 28, 28, 1), np.float32), np.zeros(7, int)
    with pytest.raises(DataError, match=r"^SparseCategoricalCrossentropy, y of validation_data: a label is between"):
        model.fit(x, y, validation_data=(x, y + 50), verbose=0)


def test_forgotten_brackets_around_layers():
    with pytest.raises(ArgumentError) as caught:
        Sequential(Flatten(), Dense(3))
    assert str(caught.value) == (
        "Sequential: name is a text. Received name of Dense. Put the layers into one list: Sequential([first, second])."
    )


def test_a_model_without_input_shape_is_checked_when_it_has_one():
    model = Sequential([Flatten(), Dense(10, activation="softmax")])
    model.compile("sgd", SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ArgumentError, match=r"^SparseCategoricalCrossentropy: from_logits=True means"):
        model.fit(PICTURES, np.zeros(7, int), verbose=0)


@pytest.mark.parametrize(
    "x",
    [None, np.array([None, 1]), [[1], [1, 2]], "pictures", object(), np.array(["a"]), PICTURES + 1j],
    ids=["nothing", "objects", "ragged", "a-text", "an-object", "texts", "complex"],
)
def test_what_is_no_data_gives_no_internal_traceback(x):
    for verb in ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch"):
        arguments = (x,) if verb == "predict" else (x, np.zeros(7, int))
        with pytest.raises(ConvistaError):
            getattr(pictures(), verb)(*arguments)


def test_several_inputs_are_arranged():
    first, second = np.zeros((2, 3)), np.zeros((2, 4))
    assert arranged([first, second], [(3,), (4,)]) == (first, second)
    assert arranged({"b": second, "a": first}, [(3,), (4,)], ["a", "b"])[0] is first
    assert arranged([first], [(3,)]) is first
    rows = [[1.0, 2.0, 3.0]]
    assert arranged(rows, [(3,)]) is rows
    with pytest.raises(ArgumentError) as caught:
        arranged({"a": first}, [None])
    assert str(caught.value) == (
        "x: a dictionary needs the names of inputs, and this model's are not known yet. Received the names 'a'. "
        "Pass the array itself."
    )


def test_input_of_a_functional_model_by_its_own_name():
    model = Sequential([Input((3,), name="pixels"), Dense(2)])
    x = np.ones((2, 3))
    np.testing.assert_array_equal(model.predict({"pixels": x}), model.predict(x))


def test_augmenting_layers_know_the_range_of_the_values_they_see():
    model = Sequential([Input((6, 6, 1)), RandomFlip(), RandomBrightness(0.2), Flatten(), Dense(2)])
    x = np.random.default_rng(0).random((4, 6, 6, 1)).astype(np.float32)
    with pytest.raises(ArgumentError) as caught:
        model.predict(x)
    assert str(caught.value).startswith("x: RandomBrightness expects values 0…255. Received values 0.")
    assert str(caught.value).endswith("Write RandomBrightness(…, value_range=(0, 1)).")
    fine = Sequential([Input((6, 6, 1)), RandomBrightness(0.2, value_range=(0, 1)), Flatten(), Dense(2)])
    fine.predict(x)
    pixels = Sequential([Input((6, 6, 1)), RandomBrightness(0.2), Rescaling(1 / 255), Flatten(), Dense(2)])
    pixels.predict((x * 255).astype(np.uint8))


def test_only_layers_before_any_other_see_the_values_as_they_come():
    flip, after = RandomFlip(), RandomBrightness(0.2)
    model = Sequential([Input((6, 6, 1)), flip, Rescaling(1.0), after, Flatten(), Dense(2)])
    assert model.graph.entrance.augmenting == (flip,)
