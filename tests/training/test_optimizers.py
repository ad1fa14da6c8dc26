from __future__ import annotations

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from convista.errors import ArgumentError
from convista.training import optimizers, schedules
from oracles.keras_oracle import keras

STEPS = 5
RANDOM = np.random.default_rng(2)
WEIGHTS = {"bias": RANDOM.normal(size=3).astype(np.float32), "kernel": RANDOM.normal(size=(2, 3)).astype(np.float32)}
GRADIENTS = [
    {
        name: (RANDOM.normal(size=value.shape) * 10.0 ** RANDOM.integers(-4, 2)).astype(np.float32)
        for name, value in WEIGHTS.items()
    }
    for _ in range(STEPS)
]
SCHEDULE = {
    "ours": schedules.ExponentialDecay(0.1, 2, 0.5),
    "theirs": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5),
}

CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "clipnorm": 0.5}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.5, "epsilon": 1e-3}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.5, "amsgrad": True}),
    *[
        (name, option)
        for name in ("SGD", "RMSprop", "Adam", "AdamW")
        for option in ({"clipnorm": 0.5}, {"clipvalue": 0.01}, {"global_clipnorm": 0.5}, {"weight_decay": 0.3})
    ],
]


def _train(optimizer, rates=None):
    transform = optimizer.transform()
    weights = {name: jnp.asarray(value) for name, value in WEIGHTS.items()}

    @jax.jit
    def step(weights, state, gradients, rate):
        updates, state = transform.update(gradients, state, weights, learning_rate=rate)
        return optax.apply_updates(weights, updates), state

    state = transform.init(weights)
    for i, gradients in enumerate(GRADIENTS):
        rate = optimizer.rate(jnp.int32(i)) if rates is None else jnp.float32(rates[i])
        weights, state = step(weights, state, gradients, rate)
    return weights


def _keras(optimizer, rates=None):
    variables = [keras.Variable(value, name=name) for name, value in WEIGHTS.items()]
    for i, gradients in enumerate(GRADIENTS):
        if rates is not None:
            optimizer.learning_rate = rates[i]
        optimizer.apply([jnp.asarray(gradients[name]) for name in WEIGHTS], variables)
    return {name: np.asarray(variable) for name, variable in zip(WEIGHTS, variables, strict=True)}


def _close(ours, theirs):
    for name in WEIGHTS:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_five_steps_are_those_of_keras(name, options):
    ours = getattr(optimizers, name)(**options)
    _close(_train(ours), _keras(getattr(keras.optimizers, name)(**options)))


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_a_schedule_is_followed_as_in_keras(name):
    options = {"weight_decay": 0.1, **({"momentum": 0.9} if name in ("SGD", "RMSprop") else {})}
    ours = getattr(optimizers, name)(SCHEDULE["ours"], **options)
    _close(_train(ours), _keras(getattr(keras.optimizers, name)(SCHEDULE["theirs"], **options)))


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam"])
def test_a_rate_changed_by_a_callback_acts_as_in_keras(name):
    options = {} if name == "Adam" else {"momentum": 0.9}
    rates = [0.1, 0.1, 0.01, 0.01, 0.5]
    theirs = _keras(getattr(keras.optimizers, name)(**options), rates)
    _close(_train(getattr(optimizers, name)(**options), rates), theirs)
    if name == "SGD":
        # What the tolerance has to reject: optax.sgd, with the rate outside the velocity.
        with pytest.raises(AssertionError):
            _close(_plain_optax(optax.trace(0.9), rates), theirs)


def _plain_optax(transform, rates):
    weights = {name: jnp.asarray(value) for name, value in WEIGHTS.items()}
    state = transform.init(weights)
    for gradients, rate in zip(GRADIENTS, rates, strict=True):
        moves, state = transform.update(gradients, state, weights)
        weights = {name: value - rate * moves[name] for name, value in weights.items()}
    return weights


def test_the_tolerance_rejects_the_epsilon_of_optax():
    theirs = _keras(keras.optimizers.Adam(0.1, epsilon=1e-2))
    _close(_train(optimizers.Adam(0.1, epsilon=1e-2)), theirs)
    with jax.numpy_dtype_promotion("standard"):  # optax's own Adam does not run under strict promotion
        other = _plain_optax(optax.scale_by_adam(eps=1e-2), [0.1] * STEPS)
    with pytest.raises(AssertionError):
        _close(other, theirs)


def test_defaults_are_those_of_keras():
    for name, kind in optimizers.registry.items():
        theirs = inspect.signature(getattr(keras.optimizers, name)).parameters
        ours = inspect.signature(kind).parameters
        assert list(ours) == list(theirs)[: len(ours)]
        assert {key: p.default for key, p in ours.items()} == {key: theirs[key].default for key in ours}


def test_a_zero_gradient_survives_clipping():
    transform = optimizers.SGD(clipnorm=1.0).transform()
    zeros = {"w": jnp.zeros(3)}
    updates, _ = transform.update(zeros, transform.init(zeros), zeros, learning_rate=jnp.float32(1))
    assert np.all(np.asarray(updates["w"]) == 0)


def test_half_precision_stays():
    for optimizer in (optimizers.Adam(weight_decay=0.1), optimizers.SGD(momentum=0.9, clipnorm=1.0)):
        transform = optimizer.transform()
        weights = {"w": jnp.ones(3, jnp.bfloat16)}
        state = jax.eval_shape(transform.init, weights)
        step = partial(jax.eval_shape, transform.update, learning_rate=optimizer.rate(0))
        updates, after = step(weights, state, weights)
        assert updates["w"].dtype == jnp.bfloat16
        assert after == state  # also the moments: a changed type would compile the step again


def test_a_new_rate_does_not_compile_again():
    optimizer = optimizers.Adam()
    transform = optimizer.transform()
    step = jax.jit(lambda state, rate: transform.update(GRADIENTS[0], state, WEIGHTS, learning_rate=rate))
    _, state = step(transform.init(WEIGHTS), optimizer.rate(0))
    step(state, jnp.float32(optimizer.accept_rate(0.5)))
    assert step._cache_size() == 1


def test_get():
    assert optimizers.get("RMSprop") == optimizers.RMSprop()
    assert optimizers.get("adamw") == optimizers.AdamW()
    assert optimizers.get(optimizers.SGD) == optimizers.SGD()
    kept = optimizers.SGD(0.5)
    assert optimizers.get(kept) is kept
    assert hash(kept) == hash(optimizers.SGD(0.5))


def test_an_optax_transformation_keeps_its_own_rate():
    optimizer = optimizers.get(optax.sgd(0.25))
    transform = optimizer.transform()
    weights = {"w": jnp.ones(2)}
    updates, _ = transform.update(weights, transform.init(weights), weights, learning_rate=optimizer.rate(0))
    np.testing.assert_array_equal(updates["w"], [-0.25, -0.25])
    assert np.isnan(optimizer.rate(0))


def test_an_optax_transformation_with_arguments_gets_them():
    def update(updates, state, params=None, *, loss, **extra):
        del params, extra
        return jax.tree.map(lambda u: u * loss, updates), state

    optimizer = optimizers.get(optax.GradientTransformationExtraArgs(optax.init_empty_state, update))
    weights = {"w": jnp.ones(2)}
    updates, _ = optimizer.transform().update(weights, optax.EmptyState(), weights, learning_rate=0.1, loss=3.0)
    np.testing.assert_array_equal(updates["w"], [3.0, 3.0])


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.5, 0.9, True),
        optimizers.AdamW(SCHEDULE["ours"], clipnorm=1.0),
        optimizers.Adam(np.float32(0.5)),
    ],
)
def test_configurations_come_back(optimizer):
    assert optimizers.Optimizer.from_config(optimizer.to_config()) == optimizer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: optimizers.get("adma"),
            "optimizer: not the name of an optimizer. Received 'adma'. Did you mean 'adam'?",
        ),
        (
            lambda: optimizers.get(3),
            "optimizer: an optimizer is a name, an instance such as Adam(0.001), or an optax transformation. "
            "Received 3. "
            "Known: adam, adamw, rmsprop, sgd.",
        ),
        (
            lambda: optimizers.SGD(-1),
            "SGD: a learning rate is a finite number of at least 0, or a schedule. Received learning_rate=-1. "
            "Start from 0.001, or 0.01 for SGD.",
        ),
        (
            lambda: optimizers.SGD(momentum=1.5),
            "SGD: momentum is a number between 0 and 1. Received momentum=1.5.",
        ),
        (
            lambda: optimizers.RMSprop(epsilon=-1.0),
            "RMSprop: epsilon is a small positive number. Received epsilon=-1.0.",
        ),
        (
            lambda: optimizers.Adam(weight_decay=-0.1),
            "Adam: weight_decay is None or a number of at least 0. Received weight_decay=-0.1.",
        ),
        (
            lambda: optimizers.Adam(clipnorm=0),
            "Adam: clipnorm is a positive number. Received clipnorm=0. Use clipnorm=1.0, or None for no clipping.",
        ),
        (
            lambda: optimizers.Adam(clipnorm=1.0, clipvalue=0.5),
            "Adam: gradients are clipped in one way. Received clipnorm=1.0, clipvalue=0.5. "
            "Keep one of clipnorm, clipvalue.",
        ),
        (
            lambda: optimizers.AdamW(weight_decay=None),
            "AdamW: weight_decay is a number. Received weight_decay=None. Use Adam to train without it.",
        ),
        (
            lambda: optimizers.SGD(SCHEDULE["ours"]).accept_rate(0.1),
            "SGD: the learning rate follows a schedule and cannot be set. Received learning_rate=0.1 for "
            "SGD(learning_rate=ExponentialDecay(initial_learning_rate=0.1, decay_steps=2, decay_rate=0.5, "
            "staircase=False)). Give SGD a number as learning_rate, or take away what sets it.",
        ),
        (
            lambda: optimizers.get(optax.sgd(0.1)).accept_rate(0.2),
            "OptaxOptimizer: the learning rate is inside the optax transformation and cannot be set. Received "
            'learning_rate=0.2. Use one of Convista\'s optimizers, such as "adam", or give the optax optimizer '
            "a schedule "
            "of its own.",
        ),
        (
            lambda: optimizers.get(optax.sgd(0.1)).to_config(),
            "OptaxOptimizer: an optax transformation cannot be saved. Save the model without its optimizer and "
            "give the "
            "optimizer again to compile().",
        ),
        (
            lambda: optimizers.Optimizer.from_config({"class_name": "os.system", "config": {}}),
            "a saved optimizer has a known class. Received class_name='os.system'. Known: Adam, AdamW, RMSprop, SGD.",
        ),
        (
            lambda: optimizers.Optimizer.from_config({"class_name": "SGD", "config": {"momentun": 0.9}}),
            "SGD: not an argument. Received 'momentun'. Did you mean 'momentum'?",
        ),
        (
            lambda: optimizers.Adam(lr=0.1),
            "Adam: lr is an old name. Received lr=0.1. Write learning_rate=0.1.",
        ),
        (
            lambda: optimizers.Adam(decay=0.1),
            "Adam: decay is an old argument of Keras. Received decay=0.1. Give learning_rate a schedule, such as "
            "ExponentialDecay(0.001, decay_steps=1000, decay_rate=0.9), or weight_decay a number.",
        ),
        (
            lambda: optimizers.SGD(momentun=0.9),
            "SGD: there is no argument 'momentun'. Received momentun=0.9. Did you mean 'momentum'?",
        ),
        (
            lambda: optimizers.Adam(use_ema=True),
            "Adam: Keras has use_ema; Convista does not have it yet. Received use_ema=True. Leave use_ema out.",
        ),
        (
            lambda: optimizers.OptaxOptimizer(),
            "OptaxOptimizer: transformation is needed. Received no arguments. Write OptaxOptimizer(transformation=…).",
        ),
        (
            lambda: optimizers.Optimizer.from_config([1]),
            'a saved optimizer is a dictionary with the keys "class_name" and "config". Received [1]. '
            "Pass what to_config() returned.",
        ),
    ],
)
def test_mistakes_are_explained(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_every_argument_of_keras_is_taken_or_named():
    assert optimizers.Adam(use_ema=False, ema_momentum=0.99, name="adam") == optimizers.Adam()
    for name, kind in optimizers.registry.items():
        theirs = set(inspect.signature(getattr(keras.optimizers, name).__init__).parameters) - {"self", "kwargs"}
        assert theirs <= {*inspect.signature(kind).parameters, *kind.absent_arguments}
