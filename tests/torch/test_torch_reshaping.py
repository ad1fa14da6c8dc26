"""Flatten, zeros around pictures, and Linear along the last axis."""

from __future__ import annotations

import numpy as np
import pytest

from convista.errors import ArgumentError, MemoryLimitError, ShapeError
from convista.torch import nn
from oracles.compare import EXACT, SUMS, agree, numbers


@pytest.mark.parametrize(
    ("span", "shape"), [((), (2, 24)), ((2,), (2, 3, 8)), ((0, 1), (6, 2, 4)), ((-2, -1), (2, 3, 8)), ((0,), (48,))]
)
def test_flatten_keeps_the_order_of_the_channels(span, shape):
    x = numbers(2, 3, 2, 4)
    agree(nn.Flatten(*span)(x), x.reshape(shape), EXACT)


def test_zeros_lie_where_pytorch_puts_them():
    x = numbers(2, 3, 2, 4)
    agree(nn.ZeroPad2d((1, 2, 3, 0))(x), np.pad(x, ((0, 0), (0, 0), (3, 0), (1, 2))), EXACT)
    agree(nn.ZeroPad1d((0, 2))(x[0]), np.pad(x[0], ((0, 0), (0, 0), (0, 2))), EXACT)
    expected = np.pad(x[None], ((0, 0), (0, 0), (5, 6), (3, 4), (1, 2)))
    agree(nn.ZeroPad3d((1, 2, 3, 4, 5, 6))(x[None]), expected, EXACT)
    assert repr(nn.ZeroPad2d(1)) == "ZeroPad2d((1, 1, 1, 1))"


def test_linear_takes_the_last_axis():
    layer, x = nn.Linear(4, 3), numbers(2, 5, 4)
    agree(layer(x), x.astype(np.float64) @ layer.weight.T + layer.bias, SUMS)
    with pytest.raises(AssertionError):
        agree(layer(x), x.astype(np.float64) @ layer.weight.T - layer.bias, SUMS)
    assert repr(nn.Linear(4, 3, bias=False)) == "Linear(in_features=4, out_features=3, bias=False)"


def test_what_is_refused():
    with pytest.raises(ShapeError) as error:
        nn.Linear(4, 3)(np.zeros((2, 5)))
    assert str(error.value) == (
        "Linear(in_features=4, out_features=3, bias=True): the input has 4 features, as in_features says. Received an "
        "input of shape (2, 5). Write in_features=5."
    )
    with pytest.raises(ArgumentError) as error:
        nn.ZeroPad2d(-1)
    assert str(error.value) == (
        "ZeroPad2d: PyTorch crops where padding is negative; Convista has a layer for that. Received padding=-1. Leave "
        "the cells out: x[:, :, 1:, :]."
    )
    with pytest.raises(ArgumentError) as error:
        nn.ZeroPad2d((1, 2))
    assert str(error.value) == (
        "ZeroPad2d: padding is one whole number or 4 of them, each at least 0. Received padding=(1, 2). For example "
        "padding=2 or padding=(2, 2, 2, 2)."
    )
    with pytest.raises(MemoryLimitError) as limit:
        nn.Linear(10**8, 10**8)
    assert str(limit.value) == (
        "the weights of a module fit the memory of this machine. Received 36379.79 TB for a weight of shape "
        "(100000000, 100000000)."
    )
    with pytest.raises(ShapeError, match=r"Flatten: start_dim and end_dim name axes 0…1 in this order"):
        nn.Flatten(2)(np.zeros((2, 5)))
