"""Findings about values and gradients: planted, and silent where nothing is planted."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Input, Sequential
from convista.insight.doctor.findings import NotChecked
from convista.insight.doctor.signals import Body, relative_gradients, signals
from convista.insight.inspection import values
from convista.layers import BatchNormalization, Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, Dropout, Flatten, ReLU


def with_bias(model, layer, places, value):
    params = {name: dict(group) for name, group in model.params.items()}
    params[layer]["bias"] = params[layer]["bias"].at[jnp.array(places)].set(value)
    model.params = params
    return model


def deep(activation, layers=10, **options):
    hidden = [Dense(32, activation=activation, name=f"hidden_{number}", **options) for number in range(layers)]
    model = Sequential([Input((8, 8, 1)), Flatten(), *hidden, Dense(10, activation="softmax", name="answer")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


CHECKS = ("dead channels", "saturated activations", "saturated softmax", "sizes of activations", "sizes of gradients")


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_network(name, only, sound, digits):
    assert only(name, sound, digits.train) == []


def test_dead_channels(only, copy, digits):
    model = with_bias(copy, "second", [3, 5, 7, 9, 11, 13, 15, 17, 30], -100.0)
    (found,) = only("dead channels", model, digits.train)
    assert (found.title, found.severity) == ("dead channels in 'second'", "warning")
    assert set(found.evidence.numbers["dead"]) >= {3, 5, 7, 9, 11, 13, 15, 17, 30}
    dead = len(found.evidence.numbers["dead"])
    assert found.evidence.sentence == f"{dead} of 32 channels of Conv2D 'second' are 0 on all 1,000 examples."
    assert found.fix.verified == f"of {dead} of 32 channels, {dead} answer with new weights."


def test_a_few_dead_channels_are_no_finding(only, copy, digits):
    assert only("dead channels", with_bias(copy, "second", [3, 5], -100.0), digits.train) == []


def test_a_whole_layer_that_is_dead_is_an_error(only, copy, digits):
    (found,) = only("dead channels", with_bias(copy, "second", list(range(32)), -100.0), digits.train)
    assert found.severity == "error"
    assert found.consequence.endswith("Nothing passes this layer.")


def test_dead_channels_behind_batch_normalisation(only, digits):
    layers = [Conv2D(4, 3, use_bias=False), BatchNormalization(name="normed"), ReLU(name="cut"), Flatten(), Dense(10)]
    model = Sequential([Input((8, 8, 1)), *layers], seed=0)
    params = {name: dict(group) for name, group in model.params.items()}
    params["normed"]["beta"] = jnp.array([0.0, -100.0, -100.0, 0.0])
    model.params = params
    (found,) = only("dead channels", model, digits.train)
    assert found.title == "dead channels in 'cut'"
    assert found.evidence.numbers["dead"] == [1, 2]
    assert found.fix.verified == ""


@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
def test_flat_ends(kind, only, digits):
    model = deep(kind, 1)
    assert only("saturated activations", model, digits.train) == []
    model.params = {**model.params, "hidden_0": jax.tree.map(lambda array: array * 200, model.params["hidden_0"])}
    (found,) = only("saturated activations", model, digits.train)
    assert found.title == "saturated activations in 'hidden_0'"
    assert found.evidence.numbers["share"] > 0.9
    assert "lie there" in found.fix.verified


def test_what_flat_means():
    """The slope at the borders is a twentieth of the largest, for both functions."""
    from convista.insight.doctor.signals import FLAT_SIGMOID, FLAT_TANH

    slope = FLAT_SIGMOID * (1 - FLAT_SIGMOID) / 0.25
    assert slope == pytest.approx(0.05, abs=1e-3)
    slope = 1 - FLAT_TANH**2
    assert slope == pytest.approx(0.05, abs=1e-3)


def test_a_softmax_that_is_surely_wrong_has_no_gradient(only, copy, sound, digits):
    params = {name: dict(group) for name, group in copy.params.items()}
    params["answer"] = jax.tree.map(lambda array: -100 * array, params["answer"])
    copy.params = params
    (found,) = only("saturated softmax", copy, digits.train)
    mute = found.evidence.numbers["mute"]
    assert len(mute) > 900
    assert found.fix.verified == (
        f"taken from the logits, the gradient of {len(mute)} of these {len(mute)} examples is not 0."
    )

    def slopes(model):
        def loss(params):
            return model.loss(digits.y[mute[:1]], model.apply(params, model.state, digits.x[mute[:1]])[0])[0]

        return [np.asarray(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(model.params))]

    assert not any(slope.any() for slope in slopes(copy))
    assert any(slope.any() for slope in slopes(sound))


def test_exploding_activations(only, copy, digits):
    params = {name: dict(group) for name, group in copy.params.items()}
    params["second"] = {name: 1e4 * value for name, value in params["second"].items()}
    copy.params = params
    (found,) = only("sizes of activations", copy, digits.train)
    assert found.title == "exploding activations in 'second'"
    assert found.evidence.numbers["ratio"] > 100
    assert found.fix.sentence == "Begin again with new weights."
    assert found.fix.verified.startswith("the sizes of all layers stayed between ")


def test_vanishing_activations_of_a_poor_initialiser(only, digits):
    model = deep("relu", 6, kernel_initializer="random_normal")
    params = {name: {key: 0.2 * value for key, value in group.items()} for name, group in model.params.items()}
    model.params = params
    (found,) = only("sizes of activations", model, digits.train)
    assert found.name == "vanishing activations"
    assert found.fix.verified.startswith("the sizes of all layers stayed between ")


def test_values_that_are_not_finite(only, copy, digits):
    (found,) = only("sizes of activations", with_bias(copy, "second", [0], float("nan")), digits.train)
    assert (found.title, found.severity) == ("values that are not finite in 'second'", "error")


def test_vanishing_gradients_of_deep_sigmoids(only, digits):
    (found,) = only("sizes of gradients", deep("sigmoid"), digits.train)
    assert found.title == "vanishing gradients in 'hidden_0'"
    assert found.evidence.numbers["ratio"] > 1_000
    assert found.fix.sentence == ('Use activation="relu" and kernel_initializer="he_normal" in the hidden layers.')
    assert "times apart" in found.fix.verified


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_of_deep_networks_that_are_even(activation, only, digits):
    initializer = "he_normal" if activation == "relu" else "glorot_uniform"
    assert only("sizes of gradients", deep(activation, kernel_initializer=initializer), digits.train) == []


def test_exploding_gradients(only, digits):
    model = deep("linear", 3)
    params = {name: dict(group) for name, group in model.params.items()}
    # What comes back from a large last kernel is large for the small kernels in front of it.
    params["hidden_0"]["kernel"] = params["hidden_0"]["kernel"] * 1e-2
    params["answer"]["kernel"] = params["answer"]["kernel"] * 1e2
    model.params = params
    (found,) = only("sizes of gradients", model, digits.train)
    assert found.title == "exploding gradients in 'hidden_0'"
    assert found.fix.sentence == "Begin again with new weights."


def test_relative_gradients_are_those_of_finite_differences(patient, copy, digits):
    from convista.insight.doctor.signals import Body, relative_gradients

    x, y = digits.x[:50], digits.y[:50]
    found = relative_gradients(Body.of(copy), copy.loss, x, y)
    kernel = np.asarray(copy.params["answer"]["kernel"], np.float64)
    hidden = np.asarray(before_the_answer(copy, x), np.float64)
    bias = np.asarray(copy.params["answer"]["bias"], np.float64)
    logits = hidden @ kernel + bias
    said = np.exp(logits - logits.max(axis=1, keepdims=True))
    said /= said.sum(axis=1, keepdims=True)
    slope = hidden.T @ (said - np.eye(10)[y]) / 50
    assert found["answer"] == pytest.approx(np.linalg.norm(slope) / np.linalg.norm(kernel), rel=1e-3)
    assert list(found) == ["first", "second", "answer"]


def before_the_answer(model, x):
    from convista.insight.inspection import values

    return values(model, x, (len(model.graph.nodes) - 2,))[0]


def test_gradients_need_a_loss(only, digits):
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(10)], seed=0)
    with pytest.raises(NotChecked, match="needs a compiled model"):
        only("sizes of gradients", model, digits.train)


def normed(momentum):
    block = [Conv2D(8, 3), BatchNormalization(momentum=momentum, name="normed"), ReLU(), Flatten(), Dropout(0.3)]
    model = Sequential([Input((8, 8, 1)), *block, Dense(10, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_moving_statistics_that_lag_behind(only, digits):
    model = normed(0.999)
    model.fit(*digits.train, epochs=3, verbose=0)
    (found,) = only("moving statistics", model, digits.train)
    assert found.title == "moving statistics lag behind in 'normed'"
    numbers = found.evidence.numbers
    assert numbers["settled_accuracy"] > 0.9 > numbers["accuracy"]
    settled, before = numbers["settled_accuracy"], numbers["accuracy"]
    assert found.fix.verified == f"with statistics of this data {settled:.1%} instead of {before:.1%} are right."


def test_moving_statistics_that_have_settled(only, digits):
    model = normed(0.9)
    model.fit(*digits.train, epochs=3, verbose=0)
    assert only("moving statistics", model, digits.train) == []


@pytest.mark.parametrize(
    "layer",
    [
        DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="cut"),
        DepthwiseConv2D(3, depth_multiplier=3, activation="relu", name="cut"),
        Conv2DTranspose(6, 3, activation="relu", name="cut"),
        Conv2DTranspose(3, 3, activation="relu", name="cut"),
    ],
    ids=["depthwise 2", "depthwise 3", "transposed to more", "transposed to less"],
)
def test_dead_channels_of_kernels_with_other_axes_are_drawn_anew(layer, only, digits):
    """Weights that cannot answer, not only a bias: new ones at the right places of the kernel bring them back."""
    model = Sequential([Input((8, 8, 1)), Conv2D(4, 3, activation="relu"), layer, Flatten(), Dense(10)], seed=0)
    made = model.graph.shapes()[2][-1]
    dead = list(range(made // 3, made))
    transposed = isinstance(layer, Conv2DTranspose)
    params = {name: dict(group) for name, group in model.params.items()}
    kernel = np.array(params["cut"]["kernel"])
    for channel in dead:
        if transposed:
            kernel[:, :, channel] = -1.0
        else:
            kernel[:, :, channel // layer.depth_multiplier, channel % layer.depth_multiplier] = -1.0
    model.params = {**params, "cut": {**params["cut"], "kernel": jnp.asarray(kernel)}}
    (found,) = only("dead channels", model, digits.train)
    assert set(found.evidence.numbers["dead"]) >= set(dead)
    count = len(found.evidence.numbers["dead"])
    assert found.fix.verified == f"of {count} of {made} channels, {count} answer with new weights."


def test_a_channel_that_lives_in_the_last_examples_only_is_not_dead(only):
    model = Sequential([Input((1,)), Dense(2, activation="relu", name="cut"), Dense(2)], seed=0)
    model.set_weights([np.array([[1.0, 1.0]]), np.zeros(2), *model.get_weights()[2:]])
    x = -np.ones((120, 1), np.float32)
    assert only("dead channels", model, x)[0].severity == "error"
    x[100:] = 1
    assert only("dead channels", model, x) == []


@pytest.mark.slow
def test_every_example_counts_once():
    x = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    y = np.arange(120) % 2
    model = Sequential([Input((3,)), Dense(5, activation="tanh"), Dense(2, activation="softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    body = Body.of(model)
    for found, value in zip(signals(body, x), [x, *values(model, x, (1, 2))], strict=True):
        assert found.size == pytest.approx(np.sqrt(np.mean(np.square(value, dtype=np.float64))), rel=1e-6)
        np.testing.assert_allclose(found.highest, np.abs(value).max(axis=0), rtol=1e-6)

    def mean_loss(params):
        return jnp.mean(model.loss(y, model.graph.apply(params, model.state, x)[0]))

    slopes = jax.grad(mean_loss)(model.params)
    for name, found in relative_gradients(body, model.loss, x, y).items():
        lengths = [float(jnp.linalg.norm(tree[name]["kernel"])) for tree in (slopes, model.params)]
        assert found == pytest.approx(lengths[0] / lengths[1], rel=1e-5)
