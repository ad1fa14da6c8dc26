"""The rewritten network gives the plain network's values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Model, Sequential
from convista.kernels import selection
from convista.layers import (
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Flatten,
    Input,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    ReLU,
)
from convista.layers.warping import warped
from convista.models import graph as graphs
from convista.models.program import blocks, rectified, warps

native = pytest.mark.skipif(not selection.describe().native, reason="nothing is rewritten without the native kernels")


def network(*layers):
    return Sequential([Input((9, 8, 2)), *layers, Flatten(), Dense(2)], seed=1)


def convolution(**options):
    return Conv2D(3, 3, bias_initializer="random_normal", **options)


def moved():
    """A normalisation that changes something."""
    return BatchNormalization(
        epsilon=0.1,
        beta_initializer="random_normal",
        gamma_initializer="random_normal",
        moving_mean_initializer="random_normal",
    )


NETWORKS = {
    "relu and pooling": ([convolution(activation="relu"), MaxPooling2D()], (1, 2), (1, 2)),
    "pooling alone": ([convolution(), MaxPooling2D()], (1, 2), (1, 2)),
    "no bias": ([convolution(activation="relu", use_bias=False), MaxPooling2D()], (1, 2), (1, 2)),
    "nothing but a bias": ([convolution()], (1,), (1,)),
    "relu alone": ([convolution(activation="relu")], (1,), (1,)),
    "pooling over the edge": ([convolution(activation="relu"), MaxPooling2D(2, padding="same")], (1, 2), (1, 2)),
    "overlapping windows": ([convolution(activation="relu"), MaxPooling2D(3, strides=1)], (1, 2), (1, 2)),
    "strides": ([convolution(activation="relu", strides=2, padding="same"), MaxPooling2D()], (1, 2), (1, 2)),
    "activation apart": ([convolution(), Activation("relu"), MaxPooling2D()], (1, 2, 3), (1, 2, 3)),
    "linear apart": ([convolution(), Activation("linear"), MaxPooling2D()], (1, 2, 3), (1, 2, 3)),
    "relu layer": ([convolution(), ReLU(), MaxPooling2D()], (1, 2, 3), (1, 2, 3)),
    "relu with a limit": ([convolution(), ReLU(max_value=6.0), MaxPooling2D()], (1,), (1,)),
    "normalised": ([convolution(), moved(), ReLU(), MaxPooling2D()], (1, 2, 3, 4), (1,)),
    "normalised without bias": ([convolution(use_bias=False), moved(), ReLU()], (1, 2, 3), None),
    "normalised after relu": ([convolution(activation="relu"), moved(), MaxPooling2D()], (1,), (1,)),
    "normalised along the height": ([convolution(), BatchNormalization(axis=1)], (1,), (1,)),
}


def values_and_gradients(model, x, training):
    def loss(params, x):
        y = model.apply(params, model.state, x, training=training)[0]
        return (y * y).sum(), y

    (_, y), gradients = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(model.params, x)
    return y, jax.tree.leaves(gradients)


def places(model, training):
    found = blocks(model.graph.nodes, model.graph.outputs, training=training)
    return [block.places for block in found.values()]


@pytest.mark.slow
@native
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_are_those_of_the_plain_network(name, training, monkeypatch):
    layers, whole, while_training = NETWORKS[name]
    model = network(*layers)
    expected = while_training if training else whole
    assert places(model, training) == ([] if expected is None else [expected])
    x = np.random.default_rng(0).standard_normal((5, 9, 8, 2)).astype("float32")
    fast, fast_gradients = values_and_gradients(model, x, training)
    monkeypatch.setattr(graphs, "blocks", lambda nodes, outputs, *, training: {})
    plain, plain_gradients = values_and_gradients(model, x, training)
    for ours, theirs in zip([fast, *fast_gradients], [plain, *plain_gradients], strict=True):
        scale = max(
            float(np.abs(theirs).max()), 1e-3
        )  # a bias that is normalised away has a gradient of rounding errors
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5 * scale)
        assert scale == 1e-3 or not np.allclose(ours * 1.01, theirs, rtol=1e-4, atol=2e-5 * scale)


@native
@pytest.mark.parametrize("rest", [(), (ReLU(),), (ReLU(), MaxPooling2D())], ids=["alone", "relu", "relu and pooling"])
@pytest.mark.parametrize(("size", "multiplied"), [(5, False), (9, True)])
@pytest.mark.parametrize("rows", [1, 20])
def test_a_kernel_far_larger_than_an_answer_is_not_multiplied(rest, size, multiplied, rows, monkeypatch):
    model = Sequential([Input((size, size, 32)), convolution(), moved(), *rest, Flatten(), Dense(2)], seed=1)
    x = np.random.default_rng(0).standard_normal((rows, size, size, 32)).astype("float32")

    def answer(params, x):
        return model.apply(params, model.state, x)[0]

    fast, program = answer(model.params, x), str(jax.make_jaxpr(answer)(model.params, x))
    assert ("f32[3,3,32,3] = mul" in program) == multiplied
    monkeypatch.setattr(graphs, "blocks", lambda nodes, outputs, *, training: {})
    plain = answer(model.params, x)
    np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-4)
    assert not np.allclose(fast * 1.01, plain, rtol=1e-4, atol=1e-4)


@native
@pytest.mark.parametrize("name", ["relu and pooling", "pooling alone", "overlapping windows", "relu layer"])
def test_pooled_values_are_the_same_to_the_bit(name, monkeypatch):
    model = network(*NETWORKS[name][0])
    x = np.random.default_rng(0).standard_normal((5, 9, 8, 2)).astype("float32")
    fast, _ = model.apply(model.params, model.state, x)
    monkeypatch.setattr(graphs, "blocks", lambda nodes, outputs, *, training: {})
    np.testing.assert_array_equal(fast, model.apply(model.params, model.state, x)[0])


@pytest.mark.slow
@native
@pytest.mark.parametrize(
    ("sizes", "convolution", "pooling"),
    [((17,), Conv1D, MaxPooling1D), ((6, 5, 7), Conv3D, MaxPooling3D)],
    ids=["1-D", "3-D"],
)
def test_sequences_and_volumes_run_as_blocks_too(sizes, convolution, pooling, monkeypatch):
    layer = convolution(9, 3, activation="relu", bias_initializer="random_normal")
    model = Sequential([Input((*sizes, 2)), layer, pooling(), Flatten(), Dense(2)], seed=1)
    assert places(model, training=True) == [(1, 2)]
    x = np.random.default_rng(0).standard_normal((4, *sizes, 2)).astype("float32")
    fast, fast_gradients = values_and_gradients(model, x, training=True)
    monkeypatch.setattr(graphs, "blocks", lambda nodes, outputs, *, training: {})
    plain, plain_gradients = values_and_gradients(model, x, training=True)
    np.testing.assert_array_equal(fast, plain)
    for ours, theirs in zip(fast_gradients, plain_gradients, strict=True):
        scale = float(np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5 * scale)
        assert not np.allclose(ours * 1.01, theirs, rtol=1e-4, atol=2e-5 * scale)


@native
def test_only_native_kernels_are_worth_it(monkeypatch):
    model = network(*NETWORKS["relu and pooling"][0])
    monkeypatch.setattr(selection, "describe", lambda: selection.Selection("xla", "a test"))
    assert places(model, True) == []


class Mine(Conv2D):
    """A convolution of the user's own, which may do something else."""


@native
def test_what_would_change_a_value_stays_as_it_is():
    for activation in ("tanh", "softmax", lambda x: -x):
        assert places(network(convolution(activation=activation), MaxPooling2D()), True) == []
    assert places(network(Mine(3, 3, activation="relu"), MaxPooling2D()), True) == []
    assert places(network(convolution(use_bias=False)), True) == []


@native
def test_a_value_that_is_used_elsewhere_or_asked_for_is_there():
    x = Input((8, 8, 1))
    y = Conv2D(2, 3, activation="relu")(x)
    for outputs in ([y, MaxPooling2D()(y)], [MaxPooling2D()(y), Flatten()(y)]):
        assert places(Model(x, outputs), True) == [(1,)]


@native
def test_a_layer_used_twice_is_a_block_twice():
    shared, pooling = Conv2D(2, 3, activation="relu"), MaxPooling2D()
    one, other = Input((8, 8, 1)), Input((8, 8, 1))
    model = Model([one, other], [pooling(shared(one)), pooling(shared(other))])
    assert len(places(model, True)) == 2
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 1)).astype("float32")
    a, b = model.apply(model.params, model.state, (x, x))[0]
    np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_warpings_in_a_row_are_one_and_the_same_as_in_fit():
    layers = [RandomRotation(0.1), RandomTranslation(0.2, 0.1), RandomFlip(), RandomZoom(0.2, fill_mode="wrap")]
    model = Sequential([Input((9, 8, 2)), *layers])
    assert warps(model.graph.nodes, model.graph.outputs) == {3: [1, 2, 3]}
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 9, 8, 2)).astype(np.float32))
    key = jax.random.key(2)
    y, _ = jax.jit(lambda x: model.apply({}, {}, x, training=True, key=key))(x)
    keys = [jax.random.fold_in(key, place) for place in (1, 2, 3, 4)]
    by_hand = jax.jit(lambda x: warped(layers[3:], keys[3:], warped(layers[:3], keys[:3], x)))(x)
    np.testing.assert_allclose(y, by_hand, atol=1e-5)


def test_warpings_that_somebody_else_looks_at_stay_apart():
    x = Input((9, 8, 2))
    turned = RandomRotation(0.1)(x)
    moved = RandomTranslation(0.1, 0.1)(turned)
    both = Model(x, [turned, moved])
    assert warps(both.graph.nodes, both.graph.outputs) == {}
    alone = Model(x, moved)
    assert warps(alone.graph.nodes, alone.graph.outputs) == {2: [1, 2]}


RECTIFIED = {
    "a relu layer": ([moved(), ReLU()], {1: 2}),
    "an activation": ([moved(), Activation("relu")], {1: 2}),
    "behind a convolution": ([convolution(use_bias=False), moved(), ReLU(), MaxPooling2D()], {2: 3}),
    "two in a row": ([moved(), ReLU(), moved(), ReLU()], {1: 2, 3: 4}),
    "another axis": ([BatchNormalization(axis=1), ReLU()], {1: 2}),
    "frozen": ([BatchNormalization(trainable=False), ReLU()], {1: 2}),
    "a relu with a limit": ([moved(), ReLU(max_value=6.0)], {}),
    "nothing": ([moved(), Activation("linear")], {}),
    "another activation": ([moved(), Activation("tanh")], {}),
}


@pytest.mark.slow
@native
@pytest.mark.parametrize("name", RECTIFIED)
def test_a_normalisation_does_the_relu_behind_it(name, monkeypatch):
    layers, expected = RECTIFIED[name]
    model = network(*layers)
    assert rectified(model.graph.nodes, model.graph.outputs) == expected
    x = np.random.default_rng(0).standard_normal((5, 9, 8, 2)).astype("float32")
    fast, fast_gradients = values_and_gradients(model, x, training=True)
    moved_together = model.apply(model.params, model.state, x, training=True)[1]
    monkeypatch.setattr(graphs, "rectified", lambda nodes, outputs: {})
    plain, plain_gradients = values_and_gradients(model, x, training=True)
    np.testing.assert_array_equal(fast, plain)
    for ours, theirs in zip(fast_gradients, plain_gradients, strict=True):
        scale = float(np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * scale)
    moved_apart = model.apply(model.params, model.state, x, training=True)[1]
    for ours, theirs in zip(jax.tree.leaves(moved_together), jax.tree.leaves(moved_apart), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@native
def test_a_normalisation_that_is_asked_for_keeps_its_own_values():
    inputs = Input((4, 4, 2))
    normalised = moved()(inputs)
    both = Model(inputs, [normalised, ReLU()(normalised)], seed=1)
    assert rectified(both.graph.nodes, both.graph.outputs) == {}
    x = np.random.default_rng(0).standard_normal((5, 4, 4, 2)).astype("float32")
    values, positive = both.apply(both.params, both.state, x, training=True)[0]
    assert float(values.min()) < 0
    np.testing.assert_array_equal(jnp.maximum(values, 0), positive)
