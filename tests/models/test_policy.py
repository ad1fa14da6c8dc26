"""Precision as a policy of the model: what is rounded, what is not, and how it is chosen, saved and refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Model, Sequential, load_model
from convista.errors import ArgumentError, ModelFileError
from convista.kernels import selection
from convista.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D
from convista.models import policy, saving
from convista.models.policy import global_policy, set_global_policy

RNG = np.random.default_rng(0)
X = RNG.random((64, 12, 12, 1), np.float32)
Y = (X.mean((1, 2, 3)) > 0.5).astype(np.int32)


@pytest.fixture(autouse=True)
def policy_of_the_process():
    yield
    set_global_policy("float32")


def net(**compiled):
    layers = [
        Input((12, 12, 1)),
        Conv2D(8, 3, activation="relu"),
        MaxPooling2D(),
        BatchNormalization(),
        Conv2D(16, 3, activation="relu"),
        Flatten(),
        Dense(16, activation="relu"),
        Dense(2, activation="softmax"),
    ]
    model = Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"], **compiled)
    return model


def test_all_that_is_kept_and_all_that_comes_out_is_float32() -> None:
    model = net(policy="mixed_bfloat16")
    history = model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert {leaf.dtype for leaf in jax.tree.leaves((model.params, model.state))} == {np.dtype(np.float32)}
    slots = jax.tree.leaves(model.train_state.opt_state)
    assert all(leaf.dtype != jnp.bfloat16 for leaf in slots)
    assert model.predict(X, verbose=0).dtype == np.float32
    assert model(X).dtype == jnp.float32
    assert all(np.isfinite(history.history["loss"]))


def products(model) -> list[str]:
    program = jax.make_jaxpr(lambda p, x: model.apply(p, model.state, x))(model.params, jnp.asarray(X[:2]))
    names = ("conv_general", "dot_general", "convista_convolution")
    return [str(eqn.invars[0].aval.dtype) for eqn in flat(program.jaxpr) if eqn.primitive.name.startswith(names)]


def flat(jaxpr):
    for eqn in jaxpr.eqns:
        inner = [value for value in eqn.params.values() if hasattr(value, "eqns") or hasattr(value, "jaxpr")]
        if not inner:
            yield eqn
        for value in inner:
            yield from flat(getattr(value, "jaxpr", value))


@pytest.mark.parametrize("kernels", [None, "xla"])
def test_products_are_bfloat16_up_to_the_last_layer(kernels, monkeypatch) -> None:
    if kernels:
        monkeypatch.setenv(selection.VARIABLE, kernels)
    model = net(policy="mixed_bfloat16")
    found = products(model)
    assert found[-1] == "float32"  # the layer whose result leaves the network
    assert {"bfloat16"} == set(found[:-1]) - {"float32"}
    model.policy = "float32"
    assert set(products(model)) == {"float32"}


@pytest.mark.parametrize("kernels", [None, "xla"])
def test_predictions_and_gradients_are_those_of_float32_to_rounding(kernels, monkeypatch) -> None:
    if kernels:
        monkeypatch.setenv(selection.VARIABLE, kernels)
    model = net()

    def loss(params):
        return jnp.mean(jnp.log(model.apply(params, model.state, jnp.asarray(X), training=True)[0][:, 0]))

    values = {}
    for name in policy.POLICIES:
        model.policy = name
        values[name] = jax.jit(jax.value_and_grad(loss))(model.params)
    exact, rounded = values["float32"], values["mixed_bfloat16"]
    assert 0 < abs(float(exact[0] - rounded[0])) < 0.02 * abs(float(exact[0]))
    assert {leaf.dtype for leaf in jax.tree.leaves(rounded[1])} == {np.dtype(np.float32)}
    right, got = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in (exact[1], rounded[1]))
    # Pictures step by 0.4 %; some relus and maxima then fall the other way.
    assert np.linalg.norm(got - right) < 0.1 * np.linalg.norm(right)
    assert np.linalg.norm(got * 1.1 - right) > 0.1 * np.linalg.norm(right)
    # Not merely rounded to bfloat16 on the way: gradients of kernels keep float32's digits.
    kernel = rounded[1]["conv2d_1"]["kernel"]
    if kernels is None and selection.describe().native:
        assert not np.array_equal(kernel, kernel.astype(jnp.bfloat16).astype(jnp.float32))


def test_statistics_are_computed_in_float32() -> None:
    x = jnp.asarray(1000 + RNG.random((64, 4)), jnp.float32)  # bfloat16 steps by 4 here
    model = Sequential([Input((4,)), BatchNormalization(), Dense(2)])
    model.policy = "mixed_bfloat16"
    _, state = model.apply(model.params, model.state, x, training=True)
    moved = (state["batch_normalization"]["moving_variance"] - 0.99) / 0.01
    np.testing.assert_allclose(moved, np.var(np.asarray(x), 0), rtol=1e-3)
    assert not np.allclose(moved, np.var(np.asarray(x.astype(jnp.bfloat16), np.float32), 0), rtol=1e-3)


def test_a_tensor_that_leaves_and_goes_on_is_float32_outside() -> None:
    x = Input((6,))
    inside = Dense(4)(x)
    model = Model(inputs=x, outputs=[inside, Dense(2)(inside)])
    model.policy = "mixed_bfloat16"
    assert [y.dtype for y in model(np.ones((2, 6), np.float32))] == [jnp.float32, jnp.float32]


def test_it_learns_as_well_as_float32() -> None:
    losses = {
        name: net(policy=name).fit(X, Y, batch_size=16, epochs=8, verbose=0).history["loss"] for name in policy.POLICIES
    }
    assert losses["mixed_bfloat16"][-1] < 0.8 * losses["mixed_bfloat16"][0]
    assert abs(losses["mixed_bfloat16"][-1] - losses["float32"][-1]) < 0.1


def test_it_is_saved_with_the_model(tmp_path) -> None:
    model = net(policy="mixed_bfloat16")
    before = model.predict(X[:4], verbose=0)
    model.save(tmp_path / "a.convista")
    loaded = load_model(tmp_path / "a.convista")
    assert loaded.policy == "mixed_bfloat16"
    np.testing.assert_array_equal(loaded.predict(X[:4], verbose=0), before)


def test_a_file_without_a_policy_is_float32_and_an_unknown_one_is_refused() -> None:
    config = saving.model_config(net())
    assert "policy" not in config
    set_global_policy("mixed_bfloat16")
    assert saving._from_config(config).policy == "float32"
    with pytest.raises(saving._Field):
        saving._from_config(config | {"policy": "float8"})
    assert issubclass(ModelFileError, Exception)


def test_the_default_of_new_models() -> None:
    assert (global_policy(), net().policy) == ("float32", "float32")
    set_global_policy("mixed_bfloat16")
    assert (global_policy(), net().policy) == ("mixed_bfloat16", "mixed_bfloat16")
    assert net(policy="float32").policy == "float32"


def test_compile_without_a_policy_leaves_it_as_it_is() -> None:
    model = net(policy="mixed_bfloat16")
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.policy == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("mixed_bfloat", "Did you mean 'mixed_bfloat16'?"),
        ("mixed_float16", "Write policy='mixed_bfloat16': it has the range of float32, so no loss is scaled."),
        ("bfloat16", "Write policy='mixed_bfloat16': products in bfloat16, everything that adds up in float32."),
        (16, "Known: float32, mixed_bfloat16."),
    ],
)
def test_an_unknown_policy(value, fix) -> None:
    with pytest.raises(ArgumentError) as caught:
        net(policy=value)
    assert str(caught.value) == (
        f"Sequential 'sequential': policy is float32 or mixed_bfloat16. Received policy={value!r}. {fix}"
    )
