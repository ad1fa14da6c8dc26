"""Learning as a whole against Keras: weights after five steps, and the numbers of ``fit``."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import convista
from convista import losses, optimizers
from convista.training.step import Batch, Objective, make_step
from oracles.compare import STEPS, agree, agree_all, numbers, run_together
from oracles.keras_oracle import keras, weights_of

STEPS_MADE, ROWS, SHAPE = 5, 6, (5, 6, 2)


def network(library: Any, outputs: int, activation: str | None) -> Any:
    """The same network in Convista and in Keras."""
    kinds = library.layers
    return library.Sequential(
        [
            library.Input(SHAPE),
            # A bias before batch normalisation has no gradient but rounding, which optimizers would blow up.
            kinds.Conv2D(4, (2, 3), padding="same", use_bias=False),
            kinds.BatchNormalization(momentum=0.8),
            kinds.ReLU(),
            kinds.MaxPooling2D(),
            kinds.Flatten(),
            kinds.Dense(outputs, activation=activation),
        ]
    )


def whole(classes: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, classes, (STEPS_MADE, ROWS)).astype(np.int32)


# Name and arguments of a loss; outputs and last activation of the network; targets.
LOSSES: dict[str, tuple[str, dict[str, Any], int, str | None, Any]] = {
    "sparse": ("SparseCategoricalCrossentropy", {}, 3, "softmax", whole(3)),
    "sparse-logits": ("SparseCategoricalCrossentropy", {"from_logits": True}, 3, None, whole(3)),
    "one-hot": ("CategoricalCrossentropy", {}, 3, "softmax", np.eye(3, dtype=np.float32)[whole(3)]),
    "one-hot-smoothed-logits": (
        "CategoricalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        3,
        None,
        np.eye(3, dtype=np.float32)[whole(3)],
    ),
    "binary": ("BinaryCrossentropy", {}, 1, "sigmoid", whole(2)[..., None].astype(np.float32)),
    "binary-smoothed": (
        "BinaryCrossentropy",
        {"label_smoothing": 0.2},
        1,
        "sigmoid",
        whole(2)[..., None] * np.float32(1),
    ),
    "squared": ("MeanSquaredError", {}, 2, None, numbers(STEPS_MADE, ROWS, 2, seed=3)),
    "absolute": ("MeanAbsoluteError", {}, 2, None, numbers(STEPS_MADE, ROWS, 2, seed=3)),
}
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "sgd-decay": ("SGD", {"learning_rate": 0.1, "weight_decay": 0.1}),
    "sgd-global-clipnorm": ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.2}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop-centered": ("RMSprop", {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5, "centered": True}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-4, "amsgrad": True}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1}),
}
CASES = [(optimizer, "sparse") for optimizer in OPTIMIZERS] + [
    ("momentum", loss) for loss in LOSSES if loss != "sparse"
]


def ours(optimizer: str, loss: str, weights: list[np.ndarray]) -> Any:
    """Return a job: the weights and losses of five steps of Convista."""
    loss_kind, loss_arguments, outputs, activation, _ = LOSSES[loss]
    kind, arguments = OPTIMIZERS[optimizer]
    model = network(convista, outputs, activation)
    model.set_weights(weights)
    objective = Objective(
        model.apply, getattr(losses, loss_kind)(**loss_arguments), getattr(optimizers, kind)(**arguments)
    )
    step = make_step(objective)

    def run(params, state, x, y):
        def one(train, batch):
            ones = jnp.ones(ROWS)
            train, _, value = step(train, objective.totals(), Batch(*batch, ones, ones))
            return train, value

        train, values = lax.scan(one, objective.start(params, state, jax.random.key(0)), (x, y))
        return in_order(model, train.params, train.state), values

    return run, (model.params, model.state)


def in_order(model: Any, params: Any, state: Any) -> list[Any]:
    """Return all weights in the order of ``get_weights``: layer by layer, what is learned before what is kept."""
    found = []
    for layer, (learned, kept) in model.graph.parameters().items():
        found += [params[layer][name] for name in learned] + [state[layer][name] for name in kept]
    return found


def theirs(optimizer: str, loss: str) -> Any:
    """Return a job, the weights it starts from and their order: five steps of Keras's own parts."""
    loss_kind, loss_arguments, outputs, activation, _ = LOSSES[loss]
    kind, arguments = OPTIMIZERS[optimizer]
    keras.utils.set_random_seed(1)
    model = network(keras, outputs, activation)
    rule = getattr(keras.optimizers, kind)(**arguments)
    rule.build(model.trainable_variables)
    measure = getattr(keras.losses, loss_kind)(**loss_arguments)

    def run(learned, kept, memory, x, y):
        def one(carry, batch):
            learned, kept, memory = carry

            def forward(learned):
                answer, moved = model.stateless_call(learned, kept, batch[0], training=True)
                return measure(batch[1], answer), moved

            (value, kept), slopes = jax.value_and_grad(forward, has_aux=True)(learned)
            learned, memory = rule.stateless_apply(memory, slopes, learned)
            return (learned, kept, memory), value

        (learned, kept, _), values = lax.scan(one, (learned, kept, memory), (x, y))
        places = {variable.path: value for variable, value in zip(model.trainable_variables, learned, strict=True)}
        places |= {variable.path: value for variable, value in zip(model.non_trainable_variables, kept, strict=True)}
        return [places[variable.path] for variable in model.weights], values

    variables = model.trainable_variables, model.non_trainable_variables, rule.variables
    return (run, tuple([variable.value for variable in group] for group in variables)), weights_of(model)


@functools.cache
def results() -> dict[Any, Any]:
    jobs = {}
    for optimizer, loss in CASES:
        x, y = numbers(STEPS_MADE, ROWS, *SHAPE, seed=2), LOSSES[loss][-1]
        (run, variables), weights = theirs(optimizer, loss)
        jobs[optimizer, loss, "keras"] = run, (*variables, x, y)
        run, variables = ours(optimizer, loss, weights)
        jobs[optimizer, loss, "ours"] = run, (*variables, x, y)
    with jax.numpy_dtype_promotion("standard"):
        return run_together(jobs)


@pytest.mark.parametrize(("optimizer", "loss"), CASES)
def test_five_steps_make_the_weights_of_keras(optimizer, loss):
    (weights, values), (expected, expected_values) = (results()[optimizer, loss, who] for who in ("ours", "keras"))
    agree(values, expected_values, STEPS, name="loss")
    agree_all(weights, expected, STEPS, name="weights")


def test_the_comparison_rejects_another_optimizer():
    with pytest.raises(AssertionError, match="apart"):
        agree_all(results()["nesterov", "sparse", "ours"], results()["momentum", "sparse", "keras"], STEPS)


NUMBER = 20  # with batches of 8 the last has 4


@functools.cache
def fitted() -> dict[str, tuple[Any, Any]]:
    """Train both three times, each time going on from the last: plainly, by class weights, by example weights."""
    random = np.random.default_rng(8)
    x, y = numbers(NUMBER, *SHAPE, seed=6), random.integers(0, 3, NUMBER).astype(np.int32)
    held_out = numbers(11, *SHAPE, seed=7), random.integers(0, 3, 11).astype(np.int32)
    weight = random.uniform(0, 2, NUMBER).astype(np.float32)
    keras.utils.set_random_seed(2)
    weights_now = {"keras": weights_of, "ours": lambda model: model.get_weights()}
    models = {"keras": network(keras, 3, "softmax"), "ours": network(convista, 3, "softmax")}
    models["ours"].set_weights(weights_of(models["keras"]))
    how = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, "validation_data": held_out}
    found: dict[str, tuple[Any, Any]] = {}
    with jax.numpy_dtype_promotion("standard"):
        for model in models.values():
            model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        for name, more in {
            "plain": {},
            "class_weight": {"class_weight": {0: 0.5, 1: 2.0, 2: 1.0}},
            "sample_weight": {"sample_weight": weight},
        }.items():
            histories = {who: model.fit(x, y, **how, **more).history for who, model in models.items()}
            weights = {who: weights_now[who](model) for who, model in models.items()}
            found[name] = {who: (histories[who], weights[who]) for who in models}
        found["evaluate"] = {who: model.evaluate(*held_out, batch_size=8, verbose=0) for who, model in models.items()}
        found["predict"] = {who: model.predict(held_out[0], verbose=0) for who, model in models.items()}
        found["batch"] = {who: model.train_on_batch(x[:8], y[:8]) for who, model in models.items()}
        found["batch weights"] = {who: weights_now[who](model) for who, model in models.items()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "class_weight", "sample_weight"])
def test_fit_reports_the_numbers_of_keras_and_learns_its_weights(name):
    (history, weights), (expected, expected_weights) = (fitted()[name][who] for who in ("ours", "keras"))
    assert sorted(history) == sorted(expected) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    for key in expected:
        agree(np.float32(history[key]), expected[key], STEPS, name=key)
    agree_all(weights, expected_weights, STEPS, name="weights")


@pytest.mark.slow
def test_evaluate_predict_and_train_on_batch_give_the_numbers_of_keras():
    found = fitted()
    agree(np.float32(found["evaluate"]["ours"]), found["evaluate"]["keras"], STEPS, name="evaluate")
    agree(found["predict"]["ours"], found["predict"]["keras"], STEPS, name="predict")
    assert found["batch"]["ours"][0] == pytest.approx(float(found["batch"]["keras"][0]), rel=1e-5)
    agree_all(found["batch weights"]["ours"], found["batch weights"]["keras"], STEPS, name="weights")


@pytest.mark.slow
def test_weights_matter_so_that_equality_above_means_something():
    plain, weighted = (fitted()[name]["ours"][0]["loss"] for name in ("plain", "sample_weight"))
    with pytest.raises(AssertionError, match="apart"):
        agree(np.float32(plain), weighted, STEPS)
