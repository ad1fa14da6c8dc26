"""The whole examination: silence on a sound network, what is skipped and why, and that nothing is changed."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

import convista
from convista import Input, Model, Sequential, architectures
from convista.data import load
from convista.errors import ArgumentError, DataError, ShapeError
from convista.insight.doctor.examination import CHECKS, check
from convista.layers import (
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    ReLU,
)


@pytest.mark.slow
def test_a_sound_network_has_no_findings(sound, digits):
    found = sound.check(digits.train, validation=digits.test)
    assert found.findings == ()
    assert len(found.checked) + len(found.skipped) == len(CHECKS)
    assert dict(found.skipped) == {
        "likeness to the training data": "no layer remembers the data of training",
        "moving statistics": "the network has no batch normalisation that learns",
    }
    assert found.examples == 1000
    assert str(found).startswith("Diagnosis of 'sequential': nothing found\n\nChecked on 1,000 examples: ")


@pytest.mark.slow
def test_a_sound_network_with_batch_normalisation_has_none_either(digits):
    layers = [Conv2D(8, 5, use_bias=False), BatchNormalization(momentum=0.9), ReLU(), Flatten(), Dense(10, "softmax")]
    model = Sequential([Input((8, 8, 1)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*digits.train, epochs=8, validation_data=digits.test, verbose=0)
    found = model.check(digits.train, validation=digits.test)
    assert found.findings == ()
    assert found.skipped == ()


@pytest.mark.slow
def test_the_model_stays_as_it_is(copy, digits):
    weights, state, optimizer = copy.get_weights(), copy.train_state.step, copy.learning_rate
    copy.check(digits.train, validation=digits.test)
    assert all((one == two).all() for one, two in zip(weights, copy.get_weights(), strict=True))
    assert (copy.train_state.step, copy.learning_rate, copy.history) == (state, optimizer, None)
    opt_state = jax.tree.leaves(copy.train_state.opt_state)
    assert not any(np.asarray(leaf).any() for leaf in opt_state)


@pytest.mark.slow
def test_the_same_answer_each_time(copy, digits):
    copy.learning_rate = 3.0
    copy.compile("sgd", "sparse_categorical_crossentropy")
    one, two = (copy.check(digits.train, validation=digits.test).to_dict() for _ in range(2))
    assert one == two
    assert copy.check(digits.train, seed=1).to_dict() != one


def test_without_data_what_needs_none_is_looked_at(sound):
    found = sound.check()
    assert found.checked == ("width of Flatten", "lost sizes", "overfitting", "course of the loss")
    assert ("receptive field", "needs data") in found.skipped
    assert found.examples == 0


def test_quick_leaves_out_what_trains(copy, digits):
    found = copy.check(digits.train, quick=True)
    assert ("learning rate", "left out by quick") in found.skipped
    assert found.range_test is None


@pytest.mark.slow
def test_a_dataset_brings_its_validation(digits):
    model = architectures.digits_convnet(seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = check(model, load("digits"), quick=True)
    assert found.examples == 1000
    assert "augmented validation" in found.checked
    reason = dict(found.skipped)["suspect labels"]
    assert reason.startswith("the network is right on ")


@pytest.mark.slow
def test_a_limit_can_be_changed(sound, digits):
    found = sound.check(digits.train, limits=convista.insight.Limits(flatten_share=0.1, flatten_parameters=1_000))
    assert [one.title for one in found.findings] == ["Flatten too wide in 'flatten'"]


@pytest.mark.slow
def test_branches_sequences_and_mixed_precision(digits):
    x = Input((8, 8, 1))
    first = Conv2D(8, 3, padding="same", activation="relu")(x)
    both = Add()([first, Conv2D(8, 3, padding="same")(first)])
    branched = Model(x, Dense(10, activation="softmax")(GlobalAveragePooling2D()(both)), seed=0)
    branched.compile("adam", "sparse_categorical_crossentropy", policy="mixed_bfloat16")
    assert len(branched.check(digits.train, quick=True).checked) >= 10
    layers = [Input((8, 8)), Conv1D(8, 3, activation="relu"), GlobalMaxPooling1D(), Dense(10, activation="softmax")]
    series = Sequential(layers, seed=0)
    series.compile("adam", "sparse_categorical_crossentropy")
    rows = digits.x[..., 0], digits.y
    assert len(series.check(rows, quick=True).checked) >= 10


@pytest.mark.slow
def test_a_regression_is_asked_what_can_be_asked(digits):
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(4, activation="relu"), Dense(1)], seed=0)
    model.compile("adam", "mse")
    found = model.check((digits.x, digits.y.astype(np.float32) + 0.5))
    reasons = dict(found.skipped)
    assert reasons["suspect labels"] == "is made for classes, one an example"
    assert {"sizes of gradients", "learning rate", "dead channels"} <= set(found.checked)


def test_two_inputs():
    x, y = Input((4,)), Input((4,))
    model = Model([x, y], Add()([x, y]))
    assert "lost sizes" in model.check().checked
    found = model.check((np.zeros((5, 4), np.float32), np.zeros(5, int)))
    assert dict(found.skipped)["dead channels"] == "is made for models with one input and one output"


def test_no_labels(sound, digits):
    found = sound.check(digits.x, quick=True)
    assert dict(found.skipped)["suspect labels"] == "needs labels"
    assert "dead channels" in found.checked


def test_everything_is_plain_data(copy, digits):
    copy.compile("sgd", "sparse_categorical_crossentropy")
    document = copy.check(digits.train, validation=digits.test).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_data_of_another_shape_is_refused(sound):
    with pytest.raises(ShapeError) as error:
        sound.check((np.zeros((3, 9, 9, 1), np.float32), np.zeros(3, int)))
    assert str(error.value) == (
        "data: the model takes batches of 8×8×1: an array of shape (N, 8, 8, 1). Received shape (3, 9, 9, 1). "
        "Resize the data, or build the model with input_shape=(9, 9, 1)."
    )


def test_arguments_of_another_kind_are_refused(sound):
    with pytest.raises(ArgumentError) as error:
        sound.check(3)
    assert str(error.value) == (
        "check, data: data is (x, y), an array, the half of a dataset, or batches as for fit. Received int. "
        "For example model.check((x_train, y_train), validation=(x_test, y_test))."
    )
    with pytest.raises(ArgumentError, match="limits is a Limits"):
        sound.check(limits=0.5)
    with pytest.raises(ArgumentError, match="history is what fit returned"):
        sound.check(history=3)
    with pytest.raises(DataError, match="one row an example"):
        sound.check((np.zeros((3, 8, 8, 1), np.float32), np.zeros(2, int)))


def test_of_a_model_without_shape_a_copy_takes_that_of_the_data(digits):
    model = Sequential([Conv2D(4, 3, activation="relu"), Flatten(), Dense(10, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    found = model.check(digits.train, quick=True)
    assert {"dead channels", "sizes of gradients"} <= set(found.checked)
    assert found.examples == 1000
    assert not model.built
    assert model.compiled
    with pytest.raises(ShapeError, match="the shape of the input is known"):
        Sequential([Conv2D(4, 3), Flatten(), Dense(10)]).check()


def test_a_large_network_is_shown_fewer_examples(patient, sound, digits):
    limits = convista.insight.Limits(multiply_accumulates=1e6)
    assert patient(sound, digits.train, limits=limits).most == 64
    assert patient(sound, digits.train).most == 1000


@pytest.mark.slow
def test_the_lecture_convnet_on_mnist_in_bounded_time(mnist_folder):
    import time

    data = load("mnist")
    model = architectures.lecture_convnet(seed=0)
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    few = slice(12_000)
    model.fit(data.train.x[few], data.train.y[few], batch_size=128, epochs=2, verbose=0)
    begin = time.process_time()
    found = model.check(data)
    assert time.process_time() - begin < 60
    assert [one.title for one in found.findings] == ["size lost in 'max_pooling2d_1'"]
