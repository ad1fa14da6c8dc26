"""Unfold, dot, fold: against NumPy loops, against the definitions of torch restated, and as a convolution."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.ops.unfolding import flip, fold, unfold
from oracles import loops
from oracles.compare import EXACT, QUICK, SUMS, agree, numbers

CASES = [
    ((7, 6), (3, 2), (1, 1), "valid", (1, 1)),
    ((7, 6), (3, 2), (2, 3), "valid", (1, 1)),
    ((7, 6), (3, 3), (1, 1), "same", (2, 1)),
    ((7, 6), (2, 3), (2, 1), "same", (1, 1)),
    ((9,), (4,), (3,), "valid", (2,)),
    ((4, 5, 3), (2, 2, 2), (1, 2, 1), "same", (1, 1, 1)),
]


def quickly(function, x, *arguments):
    """Call one program that is compiled quickly, instead of a compilation for each of its operations."""
    return jax.jit(lambda x: function(x, *arguments), compiler_options=QUICK)(x)


def pads(sizes, window, strides, padding, dilation):
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    found = []
    for size, cells, stride, step in zip(sizes, window, strides, dilation, strict=True):
        total = max((-(-size // stride) - 1) * stride + (cells - 1) * step + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return found


def unfolded_by_loops(x, window, strides, padding, dilation):
    sizes, channels = x.shape[1:-1], x.shape[-1]
    around = pads(sizes, window, strides, padding, dilation)
    places = loops.positions(sizes, window, strides, around, dilation)
    y = np.zeros((len(x), *places, *window, channels))
    for position, cell, place in loops.visits(sizes, window, strides, around, dilation):
        y[:, *position, *cell] = x[:, *place]
    return y.reshape(len(x), *places, -1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unfold_writes_out_what_each_window_sees(case):
    sizes, *geometry = case
    x = numbers(2, *sizes, 3)
    agree(quickly(unfold, x, *geometry), unfolded_by_loops(x, *geometry), EXACT)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fold_adds_every_patch_back(case):
    sizes, window, strides, padding, dilation = case
    around = pads(sizes, window, strides, padding, dilation)
    places = loops.positions(sizes, window, strides, around, dilation)
    patches = numbers(2, *places, int(np.prod(window)) * 3)
    expected = np.zeros((2, *sizes, 3))
    split = patches.reshape(2, *places, *window, 3)
    for position, cell, place in loops.visits(sizes, window, strides, around, dilation):
        expected[:, *place] += split[:, *position, *cell]
    agree(quickly(fold, patches, sizes, window, strides, padding, dilation), expected, SUMS)


@pytest.mark.parametrize("case", CASES[1::2], ids=str)
def test_fold_is_the_transpose_of_unfold(case):
    sizes, *geometry = case
    x = numbers(1, *sizes, 2)
    patches = quickly(unfold, x, *geometry)
    other = numbers(*patches.shape, seed=1)
    there = float(np.sum(np.asarray(patches, np.float64) * other))
    back = float(np.sum(x.astype(np.float64) * np.asarray(quickly(fold, other, sizes, *geometry))))
    assert there == pytest.approx(back, rel=1e-5)
    assert there != pytest.approx(back * 1.001, rel=1e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unfold_dot_is_a_convolution(case):
    sizes, window, strides, padding, dilation = case
    x, kernel = numbers(2, *sizes, 3), numbers(*window, 3, 4, seed=1)
    around = tuple(pads(sizes, window, strides, padding, dilation))
    y = unfold(jnp.asarray(x), window, strides, padding, dilation) @ kernel.reshape(-1, 4)
    gradient = np.zeros(y.shape)
    agree(y, loops.convolution(x, kernel, strides, around, dilation, 1, gradient)[0], SUMS)
    agree(y, convolution(jnp.asarray(x), jnp.asarray(kernel), ConvolutionGeometry(strides, around, dilation)), SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(y, loops.convolution(x, np.flip(kernel, 0), strides, around, dilation, 1, gradient)[0], SUMS)


def torch_unfold(x, kernel_size, stride, dilation):
    """`torch.nn.Unfold` by its documentation: (N, C, H, W) to (N, C · ∏ kernel_size, L)."""
    n, channels, *sizes = x.shape
    blocks = [
        (size - step * (cells - 1) - 1) // skip + 1
        for size, cells, skip, step in zip(sizes, kernel_size, stride, dilation, strict=True)
    ]
    y = np.zeros((n, channels * kernel_size[0] * kernel_size[1], blocks[0] * blocks[1]))
    for c, i, j, p, q in itertools.product(
        range(channels), *map(range, kernel_size), range(blocks[0]), range(blocks[1])
    ):
        row = (c * kernel_size[0] + i) * kernel_size[1] + j
        spot = x[:, c, p * stride[0] + i * dilation[0], q * stride[1] + j * dilation[1]]
        y[:, row, p * blocks[1] + q] = spot
    return y


@pytest.mark.parametrize(("window", "strides", "dilation"), [((2, 3), (1, 2), (1, 1)), ((2, 2), (1, 1), (2, 3))])
def test_the_numbers_of_torch_in_our_order(window, strides, dilation):
    x = numbers(2, 6, 7, 3)
    ours = np.asarray(unfold(jnp.asarray(x), window, strides, "valid", dilation))
    cells = window[0] * window[1]
    in_torchs_order = np.moveaxis(ours.reshape(2, -1, cells, 3), (1, 2, 3), (3, 2, 1)).reshape(2, 3 * cells, -1)
    agree(in_torchs_order, torch_unfold(x.transpose(0, 3, 1, 2), window, strides, dilation), EXACT)


def test_a_flipped_kernel_is_the_convolution_of_mathematics():
    x, kernel = numbers(7), numbers(3, seed=1)
    geometry = ConvolutionGeometry((1,), ((0, 0),), (1,))
    turned = flip(jnp.asarray(kernel.reshape(3, 1, 1)))
    y = convolution(jnp.asarray(x.reshape(1, 7, 1)), turned, geometry)
    agree(np.asarray(y).ravel(), np.convolve(x.astype(np.float64), kernel, "valid"), SUMS)
    straight = convolution(jnp.asarray(x.reshape(1, 7, 1)), jnp.asarray(kernel.reshape(3, 1, 1)), geometry)
    agree(np.asarray(straight).ravel(), np.correlate(x.astype(np.float64), kernel, "valid"), SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(np.asarray(straight).ravel(), np.convolve(x.astype(np.float64), kernel, "valid"), SUMS)


def test_a_window_that_does_not_fit():
    with pytest.raises(ShapeError) as caught:
        unfold(jnp.ones((1, 3, 3, 1)), 4)
    assert str(caught.value) == "a 4×4 window does not fit a 3×3 input."
    with pytest.raises(ArgumentError) as caught:
        unfold(jnp.ones((1, 3, 3, 1)), 2, padding="sam")
    assert str(caught.value) == ("unfold: padding is 'valid' or 'same'. Received padding='sam'. Did you mean 'same'?")


def test_patches_of_another_picture():
    with pytest.raises(ShapeError) as caught:
        fold(jnp.ones((1, 2, 2, 4)), (4, 4), 2)
    assert str(caught.value) == (
        "fold: patches of a 4×4 picture under a 2×2 window have the shape (batch, 3, 3, 4·channels). "
        "Received (1, 2, 2, 4). Give fold the window, strides, padding and dilation that unfold had."
    )
