"""One step: loss, gradient, update, and rows that only fill a batch up count for nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from convista import Sequential, layers
from convista.training import losses, metrics, optimizers
from convista.training.batches import examples, padded
from convista.training.step import Batch, Objective, make_evaluation, make_step

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3)).astype(np.float32)
Y = RNG.normal(size=(6, 2)).astype(np.float32)
WEIGHTS = RNG.random(6).astype(np.float32)


def linear(params, state, x, *, training, key, mask=None):
    return x @ params["w"], state


def objective(optimizer=None, watched=()):
    return Objective(linear, losses.MeanSquaredError(), optimizer or optimizers.SGD(0.1), watched)


def start(of):
    return of.start({"w": jnp.full((3, 2), 0.5)}, {}, jax.random.key(0))


def gradient_by_hand(w, x, y, weight):
    error = x @ w - y
    return x.T @ (error * weight[:, None]) * 2 / y.shape[1] / len(x)


def test_a_step_is_the_formula():
    of = objective()
    before = start(of)
    train, totals, loss = make_step(of)(before, of.totals(), Batch(X, Y, WEIGHTS, np.ones(6, np.float32)))
    w = np.full((3, 2), 0.5)
    np.testing.assert_allclose(loss, np.mean(np.mean((X @ w - Y) ** 2, axis=1) * WEIGHTS), rtol=1e-6)
    expected = w - 0.1 * gradient_by_hand(w, X, Y, WEIGHTS)
    np.testing.assert_allclose(train.params["w"], expected, rtol=1e-5)
    assert np.abs(train.params["w"] - (w - 0.1 * gradient_by_hand(w, X, Y, np.ones(6)))).max() > 1e-3
    assert int(train.step) == 1
    np.testing.assert_allclose(of.results(totals)["loss"], loss, rtol=1e-6)


def test_rows_that_fill_up_change_nothing():
    of = objective(watched=(metrics.MeanAbsoluteError(),))
    step = jax.jit(make_step(of))
    exact = step(start(of), of.totals(), padded(examples(X[:4], Y[:4], WEIGHTS[:4]), 4))
    filled = step(start(of), of.totals(), padded(examples(X[:4], Y[:4], WEIGHTS[:4]), 6))
    np.testing.assert_allclose(exact[0].params["w"], filled[0].params["w"], rtol=1e-6)
    for name, value in of.results(exact[1]).items():
        np.testing.assert_allclose(value, of.results(filled[1])[name], rtol=1e-6)
    # Were the mask ignored, the result would be that of the repeated rows.
    ignored = padded(examples(X[:4], Y[:4], WEIGHTS[:4]), 6)._replace(mask=np.ones(6, np.float32))
    assert np.abs(step(start(of), of.totals(), ignored)[0].params["w"] - exact[0].params["w"]).max() > 1e-3


def test_batch_statistics_leave_out_rows_that_fill_up():
    model = Sequential([layers.BatchNormalization(momentum=0.5, input_shape=(3,)), layers.Dense(2)])
    of = Objective(model.apply, losses.MeanSquaredError(), optimizers.SGD(0.1))
    before = of.start(model.params, model.state, jax.random.key(0))
    step = jax.jit(make_step(of))
    exact = step(before, of.totals(), padded(examples(X[:4], Y[:4]), 4))[0]
    filled = step(before, of.totals(), padded(examples(X[:4], Y[:4]), 7))[0]
    for one, other in zip(jax.tree.leaves(exact), jax.tree.leaves(filled), strict=True):
        if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    moving = exact.state["batch_normalization"]["moving_mean"]
    np.testing.assert_allclose(moving, X[:4].mean(axis=0) / 2, rtol=1e-5)
    assert np.abs(moving - X.mean(axis=0) / 2).max() > 1e-3


def test_the_given_rate_counts_where_there_is_no_schedule():
    of = objective()
    slow = start(of)._replace(learning_rate=jnp.float32(0))
    train, _, _ = make_step(of)(slow, of.totals(), Batch(X, Y, WEIGHTS, np.ones(6, np.float32)))
    np.testing.assert_array_equal(train.params["w"], slow.params["w"])


def test_dropout_is_drawn_anew_each_step_and_the_same_for_the_same_step():
    seen = []

    def noisy(params, state, x, *, training, key, mask=None):
        seen.append(jax.random.key_data(key).tolist())
        return x @ params["w"], state

    of = Objective(noisy, losses.MeanSquaredError(), optimizers.SGD(0.1))
    batch = Batch(X, Y, WEIGHTS, np.ones(6, np.float32))
    first = make_step(of)(start(of), of.totals(), batch)[0]
    make_step(of)(first, of.totals(), batch)
    make_step(of)(start(of), of.totals(), batch)
    assert seen[0] == seen[2] != seen[1]


def test_metrics_count_every_real_example_once_whatever_its_weight():
    of = objective(watched=(metrics.MeanAbsoluteError(),))
    batch = padded(examples(X[:4], Y[:4], np.array([5, 0, 0, 0])), 6)
    found = of.results(make_evaluation(of)(start(of).params, {}, of.totals(), batch))
    w = np.full((3, 2), 0.5)
    np.testing.assert_allclose(found["mean_absolute_error"], np.abs(X[:4] @ w - Y[:4]).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["loss"], np.mean((X[0] @ w - Y[0]) ** 2) * 5 / 4, rtol=1e-5)
