"""The rewritten network gives the plain network's values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Model, Sequential
from convista.kernels import selection
from convista.layers import (
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from convista.layers.warping import warped
from convista.models import graph as graphs
from convista.models.program import deferred, warps


def network(**options):
    convolution = Conv2D(3, 3, bias_initializer="random_normal", **options)
    pooling = MaxPooling2D(2, strides=options.get("strides", 2), padding=options.get("padding", "valid"))
    return Sequential([Input((9, 8, 2)), convolution, pooling, Flatten(), Dense(2)], seed=1)


def values_and_gradients(model, x):
    def loss(params, x):
        y = model.apply(params, model.state, x)[0]
        return (y * y).sum(), y

    (_, y), gradients = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(model.params, x)
    return y, jax.tree.leaves(gradients)


NATIVE = selection.describe().native


@pytest.mark.skipif(not NATIVE, reason="nothing is rewritten without the native kernels")
@pytest.mark.parametrize(
    "options",
    [{"activation": "relu"}, {}, {"activation": "relu", "padding": "same"}, {"activation": "relu", "strides": 1}],
)
def test_values_are_the_same_to_the_bit_and_gradients_to_rounding(options, monkeypatch):
    model = network(**options)
    x = np.random.default_rng(0).standard_normal((5, 9, 8, 2)).astype("float32")
    assert deferred(model.graph.nodes, model.graph.outputs) == {1: 2}
    fast, fast_gradients = values_and_gradients(model, x)
    monkeypatch.setattr(graphs, "deferred", lambda nodes, outputs: {})
    plain, plain_gradients = values_and_gradients(model, x)
    np.testing.assert_array_equal(fast, plain)
    for ours, theirs in zip(fast_gradients, plain_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
        assert not np.allclose(ours * 1.01, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not NATIVE, reason="nothing is rewritten without the native kernels")
def test_only_native_kernels_let_it_wait(monkeypatch):
    model = network(activation="relu")
    monkeypatch.setattr(selection, "describe", lambda: selection.Selection("xla", "a test"))
    assert deferred(model.graph.nodes, model.graph.outputs) == {}


def test_what_would_change_a_value_stays_as_it_is():
    for activation in ("tanh", "softmax", lambda x: -x):
        model = network(activation=activation)
        assert deferred(model.graph.nodes, model.graph.outputs) == {}


def test_a_convolution_that_is_used_elsewhere_keeps_its_values():
    x = Input((8, 8, 1))
    y = Conv2D(2, 3, activation="relu")(x)
    for outputs in ([y, MaxPooling2D()(y)], [MaxPooling2D()(y), Flatten()(y)]):
        model = Model(x, outputs)
        assert deferred(model.graph.nodes, model.graph.outputs) == {}


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
