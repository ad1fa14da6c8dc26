"""Layers that do not learn: no new weights, no gradient, no memory of the optimizer, batch norm at rest."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

from convista import Sequential, architectures, layers, load_model
from convista.errors import ArgumentError
from convista.models.freezing import chosen, head
from convista.training.step import Batch, make_step
from oracles.compare import STEPS, agree

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(16, 6, 6, 2)).astype(np.float32)
Y = np.arange(16) % 3


def network(kind=layers, start=Sequential, **options):
    return start(
        [
            kind.Input((6, 6, 2)),
            kind.Conv2D(4, 3, name="conv"),
            kind.BatchNormalization(name="norm"),
            kind.ReLU(name="relu"),
            kind.Flatten(name="flat"),
            kind.Dense(5, name="middle"),
            kind.Dense(3, activation="softmax", name="last"),
        ],
        **options,
    )


def compiled(model, rate=0.1):
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.learning_rate = rate
    return model


def test_frozen_weights_and_statistics_stay_to_the_bit():
    model = compiled(network(seed=1))
    model.freeze("backbone")
    before, state = jax.device_get(model.params), jax.device_get(model.state)
    model.fit(X, Y, epochs=2, verbose=0)
    for name, group in before.items():
        for part, array in group.items():
            assert np.array_equal(array, model.params[name][part]) == (name in ("conv", "norm")), (name, part)
    jax.tree.map(np.testing.assert_array_equal, state, jax.device_get(model.state))
    model.unfreeze()
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before["conv"]["kernel"], model.params["conv"]["kernel"])
    assert not np.array_equal(state["norm"]["moving_mean"], model.state["norm"]["moving_mean"])


def test_a_step_is_that_of_keras():
    theirs = network(keras.layers, keras.Sequential)
    for name in ("conv", "norm"):
        theirs.get_layer(name).trainable = False
    theirs.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    ours = compiled(network(seed=2))
    ours.freeze("conv", "norm")
    ours.set_weights([np.asarray(variable.value) for variable in theirs.weights])
    theirs.fit(X, Y, batch_size=16, verbose=0, shuffle=False)
    ours.fit(X, Y, batch_size=16, verbose=0, shuffle=False)
    for one, other in zip(ours.get_weights(), theirs.weights, strict=True):
        agree(one, np.asarray(other.value), STEPS)
    assert ours.summary(print_to=None).trainable == sum(int(np.prod(v.shape)) for v in theirs.trainable_variables)


def products(model) -> int:
    """Matrix products in one step of learning."""
    objective = model._ready_trainer().objective
    train = objective.start(model.params, model.state, jax.random.key(0))
    ones = np.ones(4, np.float32)
    batch = Batch(np.ones((4, 5), np.float32), np.zeros(4, np.int32), ones, ones)
    return str(jax.make_jaxpr(make_step(objective))(train, objective.totals(), batch)).count("dot_general[")


def test_no_gradient_is_computed_for_what_is_frozen():
    model = Sequential(
        [
            layers.Dense(5, use_bias=False, name="a", input_shape=(5,)),
            layers.Dense(4, use_bias=False, name="b"),
            layers.Dense(3, "softmax", use_bias=False, name="c"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert products(model) == 3 + 3 + 2  # forward, for each kernel, for each input that needs one
    model.freeze("a", "b")
    assert products(model) == 3 + 1


def test_the_optimizer_remembers_only_what_learns():
    model = network(seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    whole = sum(array.size for array in jax.tree.leaves(model.train_state.opt_state))
    model.freeze("backbone")
    part = sum(array.size for array in jax.tree.leaves(model.train_state.opt_state))
    frozen = sum(array.size for name in ("conv", "norm") for array in model.params[name].values())
    assert whole - part == 2 * frozen


def test_rate_and_steps_stay_when_layers_are_frozen():
    model = compiled(network(seed=0), rate=0.25)
    model.fit(X, Y, batch_size=4, verbose=0)
    model.freeze("conv")
    assert model.learning_rate == 0.25
    assert int(model.train_state.step) == 4


def test_frozen_layers_are_saved(tmp_path):
    model = network(seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.freeze("backbone")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "a.convista")
    again = load_model(tmp_path / "a.convista")
    assert again.graph.frozen == model.graph.frozen == {"conv", "norm", "relu", "flat"}
    model.fit(X, Y, verbose=0)
    again.fit(X, Y, verbose=0)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_names_and_patterns_choose():
    graph = architectures.lenet5().graph
    assert chosen(graph, ["conv*", "fc1"], where="x") == {"conv1", "conv2", "fc1"}
    assert chosen(graph, [], where="x") == set(graph.layers)
    assert chosen(graph, ["head"], where="x") == {"fc1", "fc2", "predictions"}
    assert head(architectures.mobilenet_v1((32, 32, 3), 3).graph) >= {"conv_preds"}
    assert head(architectures.efficientnet_b0((32, 32, 3), 3).graph) == {"top_dropout", "predictions"}
    assert head(architectures.resnet18((32, 32, 3), 3, include_top=False, pooling="avg").graph) == set()
    assert head(Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(4)]).graph) == {"dense_1"}


def test_layers_say_whether_they_learn():
    model = network()
    model.freeze("conv")
    assert [layer.name for layer in model.layers if not layer.trainable] == ["conv"]
    model.add(layers.Dense(2, name="more"))
    assert not model.get_layer("conv").trainable
    assert Sequential([layers.Dense(2, trainable=False, input_shape=(3,))]).summary(print_to=None).trainable == 0


def test_the_summary_has_a_column_where_something_is_frozen():
    model = network()
    assert "Trainable  " not in str(model.summary(print_to=None))
    model.freeze("backbone")
    text = str(model.summary(print_to=None))
    assert " conv (Conv2D)               (None, 4, 4, 4)   76        no" in text
    assert "Trainable params: 343 (1.34 KB)\nNon-trainable params: 92 (368.00 Byte)" in text


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            lambda model: model.freeze("convv"),
            "Sequential 'sequential': layers are chosen by name, by a pattern such as 'conv1_*', or as 'backbone' or "
            "'head'. Received 'convv', which fits no layer. Did you mean 'conv'?",
        ),
        (
            lambda model: (model.freeze(), model.fit(X, Y)),
            "fit: training changes the weights of at least one layer. Received a model whose layers are all frozen. "
            'model.unfreeze("head").',
        ),
    ],
)
def test_messages(action, message):
    with pytest.raises(ArgumentError) as error:
        action(compiled(network()))
    assert str(error.value) == message
