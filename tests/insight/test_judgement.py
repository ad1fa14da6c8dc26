"""Judging answers: probabilities from anything, the numbers per class against slow loops."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from convista import Input, Sequential
from convista.errors import DataError
from convista.insight import invariance
from convista.insight.comparison import _accuracy
from convista.insight.doctor.material import Sample
from convista.insight.doctor.patient import answers
from convista.insight.judgement import (
    Judgement,
    are_probabilities,
    as_probabilities,
    check_fit,
    class_probabilities,
    judge,
)
from convista.layers import Dense, Flatten
from convista.training.losses import BinaryCrossentropy, SparseCategoricalCrossentropy


class Split(SimpleNamespace):
    def __len__(self):
        return len(self.y)


def judgement(truths, answers, classes=("a", "b", "c"), loss=None):
    return Judgement(Split(x=np.zeros((len(truths), 1, 1, 1), np.uint8), y=np.array(truths)), classes, answers, loss)


def test_confusion_and_classes_against_loops():
    random = np.random.default_rng(0)
    truths = random.integers(0, 3, 200)
    answers = random.dirichlet(np.ones(3), 200)
    found = judgement(truths, answers)
    said = answers.argmax(axis=1)
    expected = np.zeros((3, 3), int)
    for true, guess in zip(truths, said, strict=True):
        expected[true, guess] += 1
    np.testing.assert_array_equal(found.confusion, expected)
    for index, row in enumerate(found.document()["classes"]):
        both = sum(1 for true, guess in zip(truths, said, strict=True) if true == guess == index)
        assert row["support"] == (truths == index).sum()
        assert row["precision"] == pytest.approx(both / (said == index).sum())
        assert row["recall"] == pytest.approx(both / (truths == index).sum())
        assert row["f1"] == pytest.approx(2 / (1 / row["precision"] + 1 / row["recall"]))


def test_a_class_that_never_occurs_has_zeros_instead_of_a_warning():
    row = judgement([0, 1], np.array([[1.0, 0, 0], [1.0, 0, 0]])).document()["classes"][2]
    assert row == {"class": "c", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_text():
    answers = np.array([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]])
    assert judgement([0, 1, 1], answers, ("cat", "dog"), 0.25).text() == (
        "Accuracy 66.67% (2 of 3 held-out pictures), loss 0.2500\n\n"
        "class  precision  recall      F1  support\n"
        "cat       0.5000  1.0000  0.6667        1\n"
        "dog       1.0000  0.5000  0.6667        2"
    )


def test_logits_become_probabilities_and_probabilities_stay():
    given = np.array([[0.2, 0.8], [0.5, 0.5]])
    np.testing.assert_array_equal(as_probabilities(given), given)
    logits = np.array([[1000.0, 0.0, -5.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(as_probabilities(logits), [[1, 0, 0], [1 / 3] * 3], atol=1e-12)
    np.testing.assert_allclose(as_probabilities(np.array([[-2.0], [800.0]])), [[0.880797, 0.119203], [0, 1]], atol=1e-6)
    assert not are_probabilities(np.array([[0.5, 0.4]]))


def model(input_shape, outputs):
    return SimpleNamespace(input_shape=(None, *input_shape), output_shape=(None, outputs))


def data(shape, classes):
    return SimpleNamespace(
        name="mine", train=Split(x=np.zeros((1, *shape)), y=[0]), classes=tuple("abcdefghij"[:classes])
    )


def test_data_that_fits_the_model():
    check_fit(model((28, 28, 1), 10), data((28, 28, 1), 10))
    check_fit(model((28, 28, 1), 1), data((28, 28, 1), 2))


@pytest.mark.parametrize(
    ("made_for", "outputs", "shape", "classes", "message"),
    [
        (
            (28, 28, 1),
            10,
            (32, 32, 3),
            10,
            "mine: the model takes pictures of 28×28×1. Received pictures of 32×32×3. "
            "Use the data it was trained on, or train a new model.",
        ),
        (
            (28, 28, 1),
            10,
            (28, 28, 1),
            3,
            "mine: the model tells 10 classes apart. Received 3 classes. "
            "Use the data it was trained on, or train a new model.",
        ),
    ],
)
def test_data_that_does_not_fit_the_model(made_for, outputs, shape, classes, message):
    with pytest.raises(DataError) as caught:
        check_fit(model(made_for, outputs), data(shape, classes))
    assert str(caught.value) == message


def logit(**compiled):
    """One linear output that is 0.3 for every example: as a logit class 1, as a probability class 0."""
    found = Sequential([Input((2,)), Dense(1, name="answer")], seed=0)
    found.set_weights([np.zeros((2, 1)), np.array([0.3])])
    if compiled:
        found.compile("sgd", **compiled)
    return found


FROM_LOGITS = {"loss": BinaryCrossentropy(from_logits=True)}
POSITIVE = 1 / (1 + np.exp(-0.3))


@pytest.mark.parametrize("compiled", [FROM_LOGITS, {}], ids=["compiled", "as drawn"])
def test_a_linear_output_is_a_logit_also_between_0_and_1(compiled):
    given = np.full((4, 1), 0.3)
    expected = np.tile([[1 - POSITIVE, POSITIVE]], (4, 1))
    np.testing.assert_allclose(class_probabilities(logit(**compiled), given), expected)
    assert as_probabilities(given)[0, 0] == pytest.approx(0.7)  # what the values alone suggest is wrong


def test_every_tool_takes_a_logit_for_one():
    model, split = logit(**FROM_LOGITS), Split(x=np.ones((70, 2), np.float32), y=np.ones(70, np.int64))
    found = judge(model, split, ("no", "yes"), 32, loss=True)
    assert found.right == 70
    np.testing.assert_allclose(found.confidences, POSITIVE, rtol=1e-6)
    assert _accuracy(model, split, 32) == 1.0
    np.testing.assert_allclose(answers(model, Sample(split.x, split.y, np.arange(70)))[:, 1], POSITIVE, rtol=1e-6)


def test_answers_of_every_ending():
    def ending(units, activation=None, loss=None):
        made = Sequential([Input((2,)), Dense(units, activation=activation)], seed=0)
        if loss is not None:
            made.compile("sgd", loss)
        return made

    logits = np.array([[0.2, 0.8], [0.5, 0.5]])  # they look like probabilities
    powers = np.exp(logits)
    softmax = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(class_probabilities(ending(2), logits), softmax)
    np.testing.assert_allclose(
        class_probabilities(ending(2, loss=SparseCategoricalCrossentropy(from_logits=True)), logits), softmax
    )
    np.testing.assert_array_equal(class_probabilities(ending(2, "softmax"), logits), logits)
    np.testing.assert_allclose(class_probabilities(ending(2, "log_softmax"), np.log(softmax)), softmax)
    high = np.array([[0.9, 0.8]])
    np.testing.assert_array_equal(class_probabilities(ending(2, "sigmoid"), high), high)
    np.testing.assert_allclose(class_probabilities(ending(1, "sigmoid"), high[:, :1]), [[0.1, 0.9]])
    own = ending(2, jax.nn.softmax, "sparse_categorical_crossentropy")
    np.testing.assert_array_equal(class_probabilities(own, high), high)  # the loss takes them for probabilities
    np.testing.assert_array_equal(class_probabilities(ending(2, jax.nn.softmax), logits), logits)


def test_curves_over_changes_take_a_logit_for_one():
    model = Sequential([Input((6, 6, 1)), Flatten(), Dense(1)], seed=0)
    model.set_weights([np.zeros((36, 1)), np.array([0.3])])
    model.compile("sgd", **FROM_LOGITS)
    for curve in invariance(model, np.eye(6)[..., None]).models[0].curves:
        assert curve.answer == 1
        np.testing.assert_allclose(curve.probabilities[:, 1], POSITIVE, rtol=1e-6)
