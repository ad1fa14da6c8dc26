"""The rewritten network gives the plain network's values."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from convista import Model, Sequential
from convista.kernels import selection
from convista.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D
from convista.models import graph as graphs
from convista.models.program import deferred


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
