"""The number that is explained: the logit where there is one, and what stands in for it where there is none."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Input, Model, Sequential
from convista.errors import ArgumentError, ShapeError
from convista.insight.attributions import score as score_module
from convista.insight.attributions.score import guided_graph, score_of, without_last_activation
from convista.layers import (
    Activation,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
)
from convista.training.losses import BinaryCrossentropy, SparseCategoricalCrossentropy

AXES = ("NHWC", "HWIO", "NHWC")
X = np.random.default_rng(0).random((1, 6, 6, 2)).astype(np.float32)
ENDINGS = {
    "softmax": [Dense(3, activation="softmax", name="answer")],
    "function": [Dense(3, activation=jax.nn.softmax, name="answer")],
    "layer": [Dense(3, name="answer"), Softmax()],
    "activation": [Dense(3, name="answer"), Activation("softmax")],
    "log_softmax": [Dense(3, activation="log_softmax", name="answer")],
    "sigmoid": [Dense(3, activation="sigmoid", name="answer")],
    "followed": [Dense(3, activation="softmax", name="answer"), Dropout(0.5), Reshape((3,)), Activation("linear")],
}


def network(*ending) -> Sequential:
    return Sequential([Input((6, 6, 2)), Conv2D(4, 3, activation="relu", name="seen"), Flatten(), *ending], seed=1)


_plain = network(Dense(3, name="answer"))


def logits_of(model: Sequential) -> np.ndarray:
    """The answer before its last activation, by the weights and a network that ends in Dense alone."""
    _plain.set_weights(model.get_weights())
    return _plain.predict(X)[0]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_logit_is_found(ending: str) -> None:
    model = network(*ENDINGS[ending])
    if ending == "function":
        # A function of the user's own is not known to be softmax: it is explained as it is, and that is said.
        found = score_of(model, X, 2, "attribute")
        assert found.explained == "output after a function of your own"
        assert found.of(X) == pytest.approx(model.predict(X)[0, 2])
        return
    name = ending if ending in ("log_softmax", "sigmoid") else "softmax"
    logits, answers = logits_of(model), model.predict(X)[0]
    for target in range(3):
        found = score_of(model, X, target, "attribute")
        assert found.explained == f"logit before {name}"
        assert found.of(X) == pytest.approx(logits[target], abs=1e-5)
        expected = answers[target]
        assert found.probability == pytest.approx(np.exp(expected) if name == "log_softmax" else expected, rel=1e-5)
    assert found.of(X) != pytest.approx(answers[2], abs=1e-3)  # the test would see the probability


def test_a_softmax_over_other_axes_is_no_choice_of_a_class() -> None:
    model = Sequential([Input((4, 3)), Softmax(axis=1), Flatten()])
    graph, ending = without_last_activation(model.graph)
    assert (graph, ending) == (model.graph, "softmax over axis 1")
    found = score_of(model, np.random.default_rng(0).random((1, 4, 3)).astype(np.float32), 2, "attribute")
    assert (found.explained, found.probability) == ("output after softmax over axis 1", None)


@pytest.mark.parametrize(
    ("activation", "explained"), [("linear", "output"), ("relu", "output after relu"), ("tanh", "output after tanh")]
)
def test_other_endings_are_explained_as_they_are(activation: str, explained: str) -> None:
    model = network(Dense(3, activation=activation, name="answer"))
    found = score_of(model, X, None, "attribute")
    assert (found.explained, found.probability) == (explained, None)
    assert found.target == model.predict(X)[0].argmax()
    assert found.of(X) == pytest.approx(model.predict(X)[0].max(), abs=1e-6)


def test_plain_numbers_are_logits_where_the_loss_or_the_classes_say_so() -> None:
    model = network(Dense(3, name="answer"))
    model.compile("adam", SparseCategoricalCrossentropy(from_logits=True))
    expected = jax.nn.softmax(model.predict(X)[0])[1]
    assert score_of(model, X, 1, "attribute").explained == "logit"
    assert score_of(model, X, 1, "attribute").probability == pytest.approx(float(expected), rel=1e-5)
    model.compile("adam", BinaryCrossentropy(from_logits=True))
    expected = jax.nn.sigmoid(model.predict(X)[0])[1]
    assert score_of(model, X, 1, "attribute").probability == pytest.approx(float(expected), rel=1e-5)
    named = network(Dense(3, name="answer"))
    named.classes = ("a", "b", "c")
    assert score_of(named, X, "b", "attribute").explained == "logit"


def test_one_sigmoid_speaks_for_two_classes() -> None:
    model = network(Dense(1, activation="sigmoid", name="answer"))
    model.classes = ("cat", "dog")
    one, other = (score_of(model, X, name, "attribute") for name in ("dog", "cat"))
    assert one.of(X) == -other.of(X)
    assert one.probability == pytest.approx(float(model.predict(X)[0, 0]), rel=1e-6)
    assert other.probability == pytest.approx(1 - float(model.predict(X)[0, 0]), rel=1e-6)
    likely = score_of(model, X, None, "attribute")
    assert likely.probability >= 0.5
    assert likely.label == ("dog" if model.predict(X)[0, 0] > 0.5 else "cat")


def test_a_regression_explains_its_output() -> None:
    model = network(Dense(1, name="answer"))
    found = score_of(model, X, None, "attribute")
    assert (found.target, found.label, found.explained, found.probability) == (0, "0", "output", None)
    with pytest.raises(ArgumentError) as error:
        score_of(model, X, 1, "attribute")
    assert str(error.value) == (
        "attribute: target is the name or the number of a class, 0, the only output. Received target=1."
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("dgo", "attribute: target is the name or the number of a class. Received target='dgo'. Did you mean 'dog'?"),
        (3, "attribute: target is the name or the number of a class, 0…2. Received target=3."),
        (-1, "attribute: target is the name or the number of a class, 0…2. Received target=-1."),
        (True, "attribute: target is the name or the number of a class, 0…2. Received target=True."),
        (1.5, "attribute: target is the name or the number of a class, 0…2. Received target=1.5."),
    ],
)
def test_a_class_that_is_none(target, message: str) -> None:
    model = network(Dense(3, activation="softmax", name="answer"))
    model.classes = ("cat", "dog", "emu")
    with pytest.raises(ArgumentError) as error:
        score_of(model, X, target, "attribute")
    assert str(error.value) == message


def test_an_answer_for_each_pixel_is_refused() -> None:
    model = Sequential([Input((6, 6, 2)), Conv2D(3, 1, activation="softmax")])
    with pytest.raises(ShapeError) as error:
        score_of(model, X, 0, "attribute")
    assert str(error.value) == (
        "attribute: the answer that is explained is one number for each class. Received a model with outputs of shape "
        "(None, 6, 6, 3). Explain a model that ends in a global pooling or a Dense layer."
    )


def test_relus_of_every_kind_hold_back_what_is_negative() -> None:
    x = jnp.array([[-2.0, 1.0, 3.0, 7.0]])
    coming = jnp.array([[1.0, -1.0, 2.0, 4.0]])
    layers = {
        "activation": (Activation("relu"), [0.0, 0.0, 2.0, 4.0]),
        "layer": (ReLU(), [0.0, 0.0, 2.0, 4.0]),
        "relu6": (Activation("relu6"), [0.0, 0.0, 2.0, 0.0]),
        "limited": (ReLU(max_value=6.0), [0.0, 0.0, 2.0, 0.0]),
        "leaky": (LeakyReLU(0.5), [0.5, -1.0, 2.0, 4.0]),
        "sloped": (ReLU(negative_slope=0.5), [0.5, -1.0, 2.0, 4.0]),
        "linear": (Activation("linear"), [1.0, -1.0, 2.0, 4.0]),
    }
    for layer, expected in layers.values():
        plain = Sequential([Input((4,)), layer]).graph
        guided = guided_graph(plain)
        np.testing.assert_array_equal(guided.apply({}, {}, x)[0], plain.apply({}, {}, x)[0])
        _, back = jax.vjp(lambda x, graph=guided: graph.apply({}, {}, x)[0], x)
        np.testing.assert_array_equal(back(coming)[0][0], expected)


def test_a_guided_network_computes_the_same_and_has_another_gradient() -> None:
    model = Sequential(
        [
            Input((6, 6, 2)),
            Conv2D(4, 3, activation="relu", name="seen"),
            MaxPooling2D(2),
            Conv2D(4, 2),
            ReLU(),
            Flatten(),
            Dense(3, name="answer"),
        ],
        seed=1,
    )
    found = score_of(model, X, 0, "attribute")
    guided = dataclasses.replace(found, graph=guided_graph(found.graph))
    outputs = [graph.apply(model.params, model.state, X)[0] for graph in (found.graph, guided.graph)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)
    plain, other = (found.gradients(lambda a, b: X, 1, np.ones(1), guided=value) for value in (False, True))
    assert not np.allclose(plain, other, atol=1e-4)
    np.testing.assert_allclose(other, _guided_by_hand(model), rtol=1e-4, atol=1e-5)


def _guided_by_hand(model: Model) -> np.ndarray:
    """The same network in plain JAX, its gradient taken layer by layer."""
    weights = model.get_weights()

    def convolve(x, kernel, bias):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=AXES) + bias

    first, back_first = jax.vjp(lambda x: convolve(x, *weights[:2]), X)
    pooled, back_pool = jax.vjp(lambda x: x.reshape(1, 2, 2, 2, 2, 4).max(axis=(2, 4)), jnp.maximum(first, 0))
    second, back_second = jax.vjp(lambda x: convolve(x, *weights[2:4]), pooled)
    gradient = jnp.asarray(weights[4][:, 0]).reshape(second.shape)
    gradient = jnp.where(second > 0, jnp.maximum(gradient, 0), 0)
    (gradient,) = back_pool(back_second(gradient)[0])
    gradient = jnp.where(first > 0, jnp.maximum(gradient, 0), 0)
    return np.asarray(back_first(gradient)[0][0])


def test_many_inputs_are_asked_a_few_at_a_time(monkeypatch) -> None:
    model = network(Dense(3, activation="softmax", name="answer"))
    found = score_of(model, X, 0, "attribute")
    many = np.random.default_rng(1).random((11, 6, 6, 2)).astype(np.float32)
    asked: list[int] = []

    def rows(first: int, last: int) -> np.ndarray:
        asked.append(last - first)
        return many[first:last]

    whole, weights = found.values(rows, 11), np.arange(11.0)
    gradient = found.gradients(rows, 11, weights)
    monkeypatch.setattr(score_module, "_MOST_ROWS", 4)
    asked.clear()
    np.testing.assert_allclose(found.values(rows, 11), whole, rtol=1e-5)
    np.testing.assert_allclose(found.gradients(rows, 11, weights), gradient, rtol=1e-4, atol=1e-5)
    assert max(asked) == 4
    expected = [found.of(row[None]) for row in many]
    np.testing.assert_allclose(whole, expected, rtol=1e-5)
    monkeypatch.setattr(score_module, "_MOST_BYTES", 1)
    asked.clear()
    found.values(rows, 11)
    assert set(asked) == {1}
