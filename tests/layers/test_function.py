"""Functions as layers: a closed registry of names, and what a file may say."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest

from convista import Input, Model, Sequential, layers, load_model
from convista.errors import ArgumentError, ModelFileError
from convista.layers import function
from convista.layers.function import Lambda, register_function
from convista.models.saving import from_json, to_json
from oracles.compare import SUMS, agree, numbers


@pytest.fixture(autouse=True)
def _a_registry_of_its_own(monkeypatch):
    # Pages and examples that ran before in this process may have registered some.
    own = {name: kept for name, kept in function.registered_functions().items() if name in function._OWN}
    monkeypatch.setattr(function, "_FUNCTIONS", own)


def shifted(x, by=1.0):
    return x + jnp.asarray(by, x.dtype)


def every_second(x):
    return x[:, ::2]


@pytest.mark.parametrize("name", sorted(function._OWN))
def test_the_functions_that_come_with_convista_are_those_of_numpy(name):
    x = abs(numbers(3, 4)) + 0.5
    expected = x / np.linalg.norm(x, axis=-1, keepdims=True) if name == "l2_normalize" else getattr(np, name)(x)
    agree(Lambda(name).apply({}, {}, jnp.asarray(x), training=False, key=None)[0], expected, SUMS)


def test_a_function_of_the_users_own_works_and_is_saved_once_it_is_registered(tmp_path):
    x = Input((4,))
    model = Model(x, Lambda(shifted, {"by": 2.0}, name="shift")(x))
    agree(model.predict(np.zeros((2, 4), np.float32)), np.full((2, 4), 2.0), SUMS)
    with pytest.raises(ArgumentError) as caught:
        model.save(tmp_path / "a.convista")
    assert str(caught.value) == (
        "Lambda 'shift': a saved model holds the name of a registered function, never its code. "
        'Received function=shifted. Register it first: convista.layers.register_function("shifted")(shifted).'
    )
    register_function("shifted")(shifted)
    model.save(tmp_path / "a.convista")
    again = load_model(tmp_path / "a.convista")
    assert again.layers[0].to_config() == {"function": "shifted", "arguments": {"by": 2.0}, "name": "shift"}
    agree(again.predict(np.zeros((2, 4), np.float32)), np.full((2, 4), 2.0), SUMS)


def test_a_file_that_names_a_function_nobody_registered():
    x = Input((4,))
    text = to_json(Model(x, Lambda("square")(x))).replace('"square"', '"os.system"')
    with pytest.raises(ModelFileError) as caught:
        from_json(text)
    assert (
        "Lambda: function is the name of a registered function or a function. Received function='os.system'. "
        "Known: abs, cos, exp, l2_normalize, log, log1p, negative, sin, sqrt, square. A function of your own is "
        'registered with @convista.layers.register_function("its name") before it is named.'
    ) in str(caught.value)


@pytest.mark.parametrize("value", ["jax.numpy.square", "__import__", "builtins.eval", ["square"], {"a": 1}, 3, None])
def test_nothing_but_registered_names_is_built_from_a_file(value):
    x = Input((4,))
    config = json.loads(to_json(Model(x, Lambda("square")(x))))
    config["nodes"][1]["config"]["function"] = value
    with pytest.raises(ModelFileError):
        from_json(json.dumps(config))


def test_shapes_are_worked_out_from_the_function():
    assert Lambda(every_second).output_shape((9, 3)) == (5, 3)
    assert Lambda(every_second).output_shape((None, 3)) == (None, 3)
    assert Lambda("square").output_shape((None, None, 3)) == (None, None, 3)
    assert Lambda(lambda x: jnp.mean(x, 1)).output_shape((None, 3)) == (3,)
    assert Lambda(lambda x: x.reshape(x.shape[0], -1)).output_shape((4, 5)) == (20,)


def test_a_function_that_is_not_convistas_may_see_everything():
    summary = Sequential([Input((9, 3)), Lambda("square"), Lambda(every_second)]).summary(print_to=None)
    assert [row.receptive_field for row in summary.rows] == [(1,), None]


MESSAGES = [
    (
        lambda: Lambda("sqare"),
        "Lambda: function is the name of a registered function or a function. Received function='sqare'. "
        "Did you mean 'square'? A function of your own is registered with "
        '@convista.layers.register_function("its name") before it is named.',
    ),
    (
        lambda: Lambda("square", [1]),
        "Lambda: arguments is a dictionary of names and plain data. Received arguments=[1].",
    ),
    (
        lambda: Lambda("square", output_shape=(3,)),
        "Lambda: the output's shape is worked out from the function. Received output_shape=(3,). "
        "Leave output_shape out.",
    ),
    (
        lambda: register_function(shifted),
        "register_function: a function is registered under a name. Received <function shifted at 0x…>. "
        'Write @register_function("halve") above def halve(x): ….',
    ),
    (
        lambda: register_function("abs")(shifted),
        "a function's name is registered once. Received 'abs' twice.",
    ),
    (lambda: Lambda(lambda x: x, name="l").to_config(), None),
    (lambda: Lambda("square", {"a": jnp}).to_config(), None),
]


@pytest.mark.parametrize(("call", "message"), MESSAGES)
def test_messages(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    found = str(caught.value)
    if message is not None:
        assert (
            found.split(" at 0x")[0] + " at 0x…>" + found.split(">", 1)[1] if " at 0x" in found else found
        ) == message


def test_the_door_has_it_too():
    from convista.keras.layers import Lambda as TheDoors

    assert TheDoors is layers.Lambda
    assert TheDoors(lambda x: x**2, output_shape=None, mask=None).output_shape((3,)) == (3,)
