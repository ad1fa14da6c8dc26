"""Poolings with PyTorch's rules for what hangs over the edge and what counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.torch import nn
from oracles import channels_first_loops as loops
from oracles.compare import EXACT, SUMS, agree, numbers

GRID = [
    (kernel, stride, padding, ceil_mode)
    for kernel, stride, padding, ceil_mode in itertools.product(
        ((2, 3), (3, 3)), ((2, 1), (3, 2)), (0, 1), (False, True)
    )
    if 2 * padding <= min(kernel)
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "ceil_mode"), GRID)
def test_max_and_mean_are_those_of_the_loops(kernel, stride, padding, ceil_mode):
    x = numbers(2, 2, 5, 6) - 3  # all below 0: a zero of the padding would win
    window = (x, kernel, stride, (padding, padding), ceil_mode)
    agree(nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)(x), loops.pooling("max", *window), EXACT)
    for counted in (True, False):
        pool = nn.AvgPool2d(kernel, stride, padding, ceil_mode, counted)
        expected = loops.pooling("mean", *window, counted)
        agree(pool(x), expected, SUMS)
        if padding:
            with pytest.raises(AssertionError):
                agree(pool(x), loops.pooling("mean", *window, not counted), SUMS)


@pytest.mark.parametrize(
    ("pool", "kind", "window"),
    [
        (nn.MaxPool1d(3, 2, 1), "max", ((3,), (2,), (1,))),
        (nn.AvgPool1d(3, 2, 1), "mean", ((3,), (2,), (1,))),
        (nn.MaxPool3d(2, 1, 1), "max", ((2, 2, 2), (1, 1, 1), (1, 1, 1))),
        (nn.AvgPool3d(2, (1, 2, 2), 1), "mean", ((2, 2, 2), (1, 2, 2), (1, 1, 1))),
    ],
)
def test_other_ranks_are_those_of_the_loops(pool, kind, window):
    x = numbers(2, 2, *(5, 4, 3)[: len(window[0])])
    agree(pool(x), loops.pooling(kind, x, *window), SUMS)


def test_a_divisor_of_ones_own():
    x = numbers(1, 2, 4, 5)
    expected = loops.pooling("mean", x, (2, 2), (2, 2), (1, 1), divisor=3)
    agree(nn.AvgPool2d(2, padding=1, divisor_override=3)(x), expected, SUMS)


def test_a_window_never_begins_behind_the_input():
    x = numbers(1, 1, 3, 3)
    assert nn.MaxPool2d(2, 2, 1, ceil_mode=True)(x).shape == (1, 1, 2, 2)
    assert nn.MaxPool2d(2, 2, ceil_mode=True)(x).shape == (1, 1, 2, 2)
    assert nn.MaxPool2d(2, 2)(x).shape == (1, 1, 1, 1)


@pytest.mark.parametrize(("size", "output"), [((1, 1), (1, 1)), (1, (1, 1)), ((3, 2), (3, 2)), ((None, 1), (6, 1))])
def test_adaptive_means(size, output):
    x = numbers(2, 3, 6, 4)
    blocks = x.reshape(2, 3, output[0], 6 // output[0], output[1], 4 // output[1])
    agree(nn.AdaptiveAvgPool2d(size)(x), blocks.astype(np.float64).mean((3, 5)), SUMS)
    agree(nn.AdaptiveAvgPool1d(2)(x[0]), x[0].astype(np.float64).reshape(3, 6, 2, 2).mean(3), SUMS)


@pytest.mark.parametrize(
    ("pool", "text"),
    [
        (nn.MaxPool2d(2), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
        (nn.AvgPool2d((2, 3), 1), "AvgPool2d(kernel_size=(2, 3), stride=1, padding=0)"),
        (nn.AvgPool1d(2), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"),
        (nn.AdaptiveAvgPool2d((1, 1)), "AdaptiveAvgPool2d(output_size=(1, 1))"),
    ],
)
def test_representation_is_that_of_pytorch(pool, text):
    assert repr(pool) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.MaxPool2d(2, padding=2),
            "MaxPool2d: padding is at most half of kernel_size, so that each window has a cell of the input. Received "
            "padding=2, kernel_size=2.",
        ),
        (
            lambda: nn.MaxPool2d(2, dilation=2),
            "MaxPool2d: PyTorch has poolings with dilation; Convista has not yet. Received dilation=2. Leave dilation "
            "out.",
        ),
        (
            lambda: nn.MaxPool2d(2, return_indices=True),
            "MaxPool2d: PyTorch can return where the largest values were; Convista does not yet. Received "
            "return_indices=True. Leave return_indices out.",
        ),
        (
            lambda: nn.AvgPool2d(2, divisor_override=0),
            "AvgPool2d: divisor_override is a whole number of at least 1. Received divisor_override=0.",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == message


def test_adaptive_sizes_that_do_not_divide():
    with pytest.raises(ShapeError) as error:
        nn.AdaptiveAvgPool2d(4)(np.zeros((1, 1, 8, 6)))
    assert str(error.value) == (
        "AdaptiveAvgPool2d(output_size=4): PyTorch lets the windows overlap where the output's sizes do not divide the "
        "input's; Convista does not yet. Received an input of shape (1, 8, 6), channels first. Choose an output_size "
        "that divides (8, 6)."
    )
