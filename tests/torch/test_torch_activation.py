"""Activations and dropout with PyTorch's defaults."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from convista.errors import ArgumentError
from convista.torch import manual_seed, nn
from oracles.compare import LAYERS, SUMS, agree, numbers

X = np.concatenate([numbers(2, 3, 4, 2) * 3, np.zeros((1, 3, 4, 2), np.float32)]).astype(np.float64)
FUNCTIONS = {
    "ReLU()": (nn.ReLU(), lambda x: np.maximum(x, 0)),
    "ReLU(inplace=True)": (nn.ReLU(inplace=True), lambda x: np.maximum(x, 0)),
    "ReLU6()": (nn.ReLU6(), lambda x: np.clip(x, 0, 6)),
    "Sigmoid()": (nn.Sigmoid(), special.expit),
    "Tanh()": (nn.Tanh(), np.tanh),
    "LeakyReLU(negative_slope=0.01)": (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    "ELU(alpha=1.0)": (nn.ELU(), lambda x: np.where(x > 0, x, np.expm1(x))),
    "GELU(approximate='none')": (nn.GELU(), lambda x: x * special.ndtr(x)),
    "GELU(approximate='tanh')": (
        nn.GELU("tanh"),
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "SiLU()": (nn.SiLU(), lambda x: x * special.expit(x)),
    "Softmax(dim=1)": (nn.Softmax(dim=1), lambda x: special.softmax(x, 1)),
    "Softmax(dim=-1)": (nn.Softmax(dim=-1), lambda x: special.softmax(x, -1)),
    "Softmax(dim=None)": (nn.Softmax(), lambda x: special.softmax(x, 1)),
    "Identity()": (nn.Identity(7), lambda x: x),
}


@pytest.mark.parametrize("text", FUNCTIONS)
def test_functions_are_those_of_scipy(text):
    module, function = FUNCTIONS[text]
    assert repr(module) == text
    agree(module(X), function(X), LAYERS)
    if not isinstance(module, nn.Identity):
        with pytest.raises(AssertionError):
            agree(module(X), function(X * 1.01), SUMS)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
def test_dropout_drops_while_training_alone(kind):
    manual_seed(1)
    module, x = kind(0.25), np.ones((20, 30, 4, 5), np.float32)
    first, second = module(x), module(x)
    assert np.isin(first.round(5), [0.0, np.float32(4 / 3).round(5)]).all()
    assert abs((first == 0).mean() - 0.25) < 0.06
    assert (first != second).any()
    if kind is nn.Dropout2d:
        assert (first.reshape(600, 20) == first.reshape(600, 20)[:, :1]).all()
    manual_seed(1)
    agree(module(x), first, SUMS)
    agree(module.eval()(x), x, SUMS)


def test_what_is_refused():
    with pytest.raises(ArgumentError) as error:
        nn.Softmax()(jnp.zeros((2, 3, 4)))
    assert str(error.value) == (
        "Softmax: dim says along which axis the values sum to 1. Received dim=None for 3 axes. Write dim=1."
    )
    with pytest.raises(ArgumentError) as error:
        nn.Dropout(1)
    assert (
        str(error.value) == "Dropout: p=1 drops everything, and nothing could learn. Received p=1. For example p=0.5."
    )
    with pytest.raises(ArgumentError) as error:
        nn.GELU("tanhh")
    assert str(error.value) == (
        "GELU: approximate is 'none' or 'tanh'. Received approximate='tanhh'. Did you mean 'tanh'?"
    )
