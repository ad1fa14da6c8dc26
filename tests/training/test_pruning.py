"""Pruning while learning: the schedules, the choice against NumPy's sort, and masks that survive every update."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Sequential, load_model
from convista.errors import ArgumentError
from convista.layers import Conv2D, Dense, Flatten, Input
from convista.training.optimizers import SGD, Adam, AdamW, RMSprop
from convista.training.pruning import (
    ConstantSparsity,
    PolynomialSparsity,
    Pruned,
    from_config,
    largest,
    sparsity_of,
)
from oracles.compare import EXACT, STEPS, Tolerance, agree, agree_all, numbers

BLOCKS = 64


def small():
    return Sequential(
        [Input((6, 6, 1)), Conv2D(8, 3, activation="relu", name="conv"), Flatten(), Dense(3, activation="softmax")],
        seed=0,
    )


def without_convolution():
    return Sequential(
        [Input((6, 6, 1)), Flatten(), Dense(8, activation="tanh"), Dense(3, activation="softmax")], seed=0
    )


def data():
    return numbers(BLOCKS, 6, 6, 1), np.random.default_rng(1).integers(0, 3, BLOCKS)


def by_sorting(weights, share):
    """The definition: sort by magnitude, the first ⌊share · n + ½⌋ go, one stays."""
    gone = min(int(np.floor(np.float32(share) * weights.size + 0.5)), weights.size - 1)
    mask = np.ones(weights.size, bool)
    mask[np.argsort(np.abs(weights.ravel()), kind="stable")[:gone]] = False
    return mask.reshape(weights.shape)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.999])
def test_the_smallest_go(share):
    for weights in (numbers(7, 5), np.round(numbers(60), 0), np.zeros(9, np.float32), np.ones((1, 1), np.float32)):
        found = np.asarray(jax.jit(largest)(jnp.asarray(weights), share))
        np.testing.assert_array_equal(found, by_sorting(weights, share))
    tiny = np.array([1e-45, -1e-38, 3e38, -0.0], np.float32)
    np.testing.assert_array_equal(np.asarray(largest(jnp.asarray(tiny), share)), by_sorting(tiny, share))


def test_the_polynomial_of_the_paper():
    schedule = PolynomialSparsity(0.9, end_step=110, initial_sparsity=0.2, begin_step=10, power=3)
    steps = np.arange(0, 150)
    done = np.clip((steps - 10) / 100, 0, 1)
    expected = np.where(steps < 10, 0.0, 0.9 + (0.2 - 0.9) * (1 - done) ** 3)
    found = np.array([float(schedule(step)) for step in steps], np.float32)
    agree(found, expected, Tolerance(1e-6, 1e-6))
    with pytest.raises(AssertionError, match="apart"):
        agree(found, np.roll(expected, 1), Tolerance(1e-6, 1e-6))


@pytest.mark.parametrize("inner", [SGD(0.1, momentum=0.9), Adam(), AdamW(0.01, 0.1), RMSprop(momentum=0.5)], ids=str)
def test_what_was_pruned_stays_exactly_zero(inner):
    params = {
        "a": {"kernel": numbers(8, 5), "bias": numbers(5)},
        "b": {"gamma": numbers(4)},
        "c": {"depthwise_kernel": numbers(2, 5)},
    }
    params = jax.tree.map(jnp.asarray, params)
    rule = Pruned(inner, ConstantSparsity(0.7, begin_step=3)).transform()
    state = rule.init(params)
    update = jax.jit(lambda *given: rule.update(*given, learning_rate=jnp.float32(0.05)))
    zero = None
    for step in range(8):
        gradients = jax.tree.map(lambda array, seed=step: jnp.asarray(numbers(*array.shape, seed=seed)), params)
        changes, state = update(gradients, state, params)
        params = jax.tree.map(jnp.add, params, changes)
        now = np.asarray(params["a"]["kernel"]) == 0
        assert now.sum() == (28 if step >= 2 else 0)
        zero = now if step == 2 else zero
        if step >= 2:
            np.testing.assert_array_equal(now, zero)
    assert np.asarray(params["a"]["bias"]).all()
    assert np.asarray(params["b"]["gamma"]).all()
    assert sparsity_of(params) == {"a": 0.7, "c": 0.7}


def test_weights_that_stay_move_as_in_a_smaller_network():
    """The same steps by hand: plain SGD on masked gradients, masks by NumPy's sort."""
    x, y = data()
    model, other = small(), small()
    schedule = PolynomialSparsity(0.6, end_step=4)
    model.compile(Pruned(SGD(0.1), schedule, frequency=1), "sparse_categorical_crossentropy")
    other.compile(SGD(0.1), "sparse_categorical_crossentropy")
    masks = {name: np.ones(arrays["kernel"].shape, bool) for name, arrays in other.params.items() if "kernel" in arrays}
    for step in range(6):
        batch = slice(8 * step, 8 * step + 8)
        model.train_on_batch(x[batch], y[batch])
        other.train_on_batch(x[batch], y[batch])
        params = {name: dict(arrays) for name, arrays in other.params.items()}
        for name in masks:
            kernel = np.asarray(params[name]["kernel"]) * masks[name]
            if step < 4:
                masks[name] &= by_sorting(kernel, float(schedule(step + 1)))
            params[name]["kernel"] = jnp.asarray(kernel * masks[name])
        other.params = params
    agree_all(model.get_weights(), other.get_weights(), STEPS)
    assert sparsity_of(model.params) == pytest.approx(sparsity_of(other.params))
    with pytest.raises(AssertionError, match="apart"):
        agree_all(small().get_weights(), other.get_weights(), STEPS)


def test_nothing_is_compiled_again_when_masks_change():
    x, y = data()
    model = without_convolution()
    model.compile(Pruned("adam", PolynomialSparsity(0.8, end_step=8), frequency=2), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=16, verbose=0)
    first = sparsity_of(model.params)["dense"]
    program = model._ready_trainer().run(16)
    compiled = program._cache_size()
    model.fit(x, y, batch_size=16, verbose=0)
    assert sparsity_of(model.params)["dense"] > first + 0.05
    assert program._cache_size() == compiled


def test_the_final_share_is_reached_whatever_the_frequency_and_kept_layers_are_whole():
    x, y = data()
    model = small()
    schedule = PolynomialSparsity(0.75, end_step=4)
    model.compile(Pruned("sgd", schedule, frequency=1000, keep=["conv"]), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=16, verbose=0)
    assert sparsity_of(model.params) == {"conv": 0.0, "dense": 0.75}
    model.compile(Pruned("sgd", 0.5, keep=["conf"]), "sparse_categorical_crossentropy")
    with pytest.raises(ArgumentError) as caught:
        model.fit(x, y, verbose=0)
    assert str(caught.value) == "Pruned: keep names layers that learn. Received 'conf'. Did you mean 'conv'?"


def test_the_learning_rate_is_the_inner_optimizers():
    x, y = data()
    model = without_convolution()
    model.compile(Pruned(SGD(0.5), 0.5), "sparse_categorical_crossentropy")
    assert model.learning_rate == 0.5
    model.learning_rate = 0.0
    before = np.asarray(model.params["dense"]["kernel"])
    model.train_on_batch(x, y)
    after = np.asarray(model.params["dense"]["kernel"])
    agree(after, before * (after != 0), EXACT)
    assert (after == 0).mean() == 0.5


def test_a_saved_model_goes_on_pruning(tmp_path):
    x, y = data()
    optimizer = Pruned(AdamW(0.01), PolynomialSparsity(0.8, end_step=8), frequency=2, keep=("dense",))
    model = without_convolution()
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, y, batch_size=16, verbose=0, shuffle=False)
    model.save(tmp_path / "half.convista")
    again = load_model(tmp_path / "half.convista")
    assert again.optimizer == optimizer
    for one in (model, again):
        one.fit(x, y, batch_size=16, verbose=0, shuffle=False)
    agree_all(again.get_weights(), model.get_weights(), EXACT)
    assert sparsity_of(again.params) == {"dense": 0.0, "dense_1": pytest.approx(0.8, abs=0.03)}


def test_configurations_go_there_and_back():
    for optimizer in (Pruned(), Pruned(SGD(0.1), ConstantSparsity(0.25, 7), 3, ("a",)), Adam(0.5)):
        assert from_config(optimizer.to_config()) == optimizer
    for wrong in ({"class_name": "Pruned", "config": {"optimizer": {"class_name": "os"}}}, {"class_name": "Pruned"}, 3):
        with pytest.raises(ArgumentError):
            from_config(wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pruned("adam", 1.0), "Pruned: sparsity is a fraction at least 0 and below 1. Received sparsity=1.0."),
        (
            lambda: Pruned("adam", 80),
            "Pruned: sparsity is a fraction at least 0 and below 1. Received sparsity=80. For example sparsity=0.8.",
        ),
        (lambda: Pruned("adma"), "optimizer: not the name of an optimizer. Received 'adma'. Did you mean 'adam'?"),
        (
            lambda: Pruned(Pruned()),
            'Pruned: one Pruned is enough. Received another Pruned inside. Pruned("adam", 0.8).',
        ),
        (
            lambda: Pruned(keep="dense"),
            "Pruned: keep is a list of layers' names. Received keep='dense'. For example keep=[\"dense\"].",
        ),
        (
            lambda: Pruned(frequency=0),
            "Pruned: frequency is a whole number of at least 1. Received frequency=0.",
        ),
        (
            lambda: PolynomialSparsity(0.8, 10, begin_step=10),
            "PolynomialSparsity: end_step comes after begin_step. Received begin_step=10, end_step=10. "
            "For all of the training write end_step=epochs * steps_per_epoch.",
        ),
        (
            lambda: PolynomialSparsity(0.5, 10, initial_sparsity=0.6),
            "PolynomialSparsity: weights that were pruned stay so: the share never falls. "
            "Received initial_sparsity=0.6, final_sparsity=0.5.",
        ),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message
