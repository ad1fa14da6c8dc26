"""The slow obvious versions, in float64 NumPy loops: convolution and pooling along any number of axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

Sizes = Sequence[int]
Pads = Sequence[tuple[int, int]]


def positions(sizes: Sizes, window: Sizes, strides: Sizes, pads: Pads, dilation: Sizes) -> tuple[int, ...]:
    """Count the places of a window by sliding it until it hangs over the end."""
    counts = []
    for size, extent, stride, (before, after), step in zip(sizes, window, strides, pads, dilation, strict=True):
        count, first = 0, -before
        while first + (extent - 1) * step < size + after:
            count, first = count + 1, first + stride
        counts.append(count)
    return tuple(counts)


def visits(
    sizes: Sizes, window: Sizes, strides: Sizes, pads: Pads, dilation: Sizes
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Yield ``(position, cell of the window, place in the picture)`` for every tap that lands inside the picture."""
    for position in np.ndindex(*positions(sizes, window, strides, pads, dilation)):
        for cell in itertools.product(*map(range, window)):
            place = tuple(
                p * stride + k * step - before
                for p, stride, k, step, (before, _) in zip(position, strides, cell, dilation, pads, strict=True)
            )
            if all(0 <= spot < size for spot, size in zip(place, sizes, strict=True)):
                yield position, cell, place


def convolution(
    x: np.ndarray, kernel: np.ndarray, strides: Sizes, pads: Pads, dilation: Sizes, groups: int, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``y``, and the gradients of ``Σ y · gradient`` with respect to input and kernel."""
    x, kernel, gradient = x.astype(np.float64), kernel.astype(np.float64), gradient.astype(np.float64)
    window, sizes, filters = kernel.shape[:-2], x.shape[1:-1], kernel.shape[-1]
    y = np.zeros((len(x), *positions(sizes, window, strides, pads, dilation), filters))
    input_gradient, kernel_gradient = np.zeros_like(x), np.zeros_like(kernel)
    for position, cell, place in visits(sizes, window, strides, pads, dilation):
        for group in range(groups):
            taken = slice(group * kernel.shape[-2], (group + 1) * kernel.shape[-2])
            made = slice(group * filters // groups, (group + 1) * filters // groups)
            weights = kernel[cell][:, made]
            seen, sent = x[:, *place, taken], gradient[:, *position, made]
            y[:, *position, made] += seen @ weights
            input_gradient[:, *place, taken] += sent @ weights.T
            kernel_gradient[cell][:, made] += seen.T @ sent
    return y, input_gradient, kernel_gradient


def transposed_convolution(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    sizes: Sizes,
    gradient: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay the kernel (…, filters, channels), times each cell, into a picture of ``sizes``; return gradients too."""
    x, kernel, gradient = x.astype(np.float64), kernel.astype(np.float64), gradient.astype(np.float64)
    y = np.zeros((len(x), *sizes, kernel.shape[-2]))
    input_gradient, kernel_gradient = np.zeros_like(x), np.zeros_like(kernel)
    for cell in np.ndindex(*x.shape[1:-1]):
        for tap in np.ndindex(*kernel.shape[:-2]):
            place = tuple(
                spot * stride + k * step - cut
                for spot, stride, k, step, cut in zip(cell, strides, tap, dilation, before, strict=True)
            )
            if all(0 <= spot < size for spot, size in zip(place, sizes, strict=True)):
                y[:, *place] += x[:, *cell] @ kernel[tap].T
                input_gradient[:, *cell] += gradient[:, *place] @ kernel[tap]
                kernel_gradient[tap] += gradient[:, *place].T @ x[:, *cell]
    return y, input_gradient, kernel_gradient


def max_pooling(
    x: np.ndarray, window: Sizes, strides: Sizes, pads: Pads, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest value of each window, and the gradient, which goes to the first of the largest."""
    ones = (1,) * len(window)
    y = np.full((len(x), *positions(x.shape[1:-1], window, strides, pads, ones), x.shape[-1]), -np.inf)
    winner = np.full((*y.shape, len(window)), -1)
    for position, _, place in visits(x.shape[1:-1], window, strides, pads, ones):
        for n, c in np.ndindex(len(x), x.shape[-1]):
            if winner[n, *position, c, 0] < 0 or x[n, *place, c] > y[n, *position, c]:
                y[n, *position, c] = x[n, *place, c]
                winner[n, *position, c] = place
    input_gradient = np.zeros(x.shape)
    for n, *position, c in np.ndindex(*y.shape):
        input_gradient[n, *winner[n, *position, c], c] += gradient[n, *position, c]
    return y, input_gradient


def sum_pooling(
    x: np.ndarray, window: Sizes, strides: Sizes, pads: Pads, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the cells of each window that lie inside the picture, and the gradient."""
    ones = (1,) * len(window)
    y = np.zeros((len(x), *positions(x.shape[1:-1], window, strides, pads, ones), x.shape[-1]))
    input_gradient = np.zeros(x.shape)
    for position, _, place in visits(x.shape[1:-1], window, strides, pads, ones):
        y[:, *position] += x[:, *place].astype(np.float64)
        input_gradient[:, *place] += gradient[:, *position].astype(np.float64)
    return y, input_gradient


def average_pooling(
    x: np.ndarray, window: Sizes, strides: Sizes, pads: Pads, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the cells of each window that lie inside the picture, and the gradient."""
    ones = (1,) * len(window)
    places: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for position, _, place in visits(x.shape[1:-1], window, strides, pads, ones):
        places.setdefault(position, []).append(place)
    y = np.zeros((len(x), *positions(x.shape[1:-1], window, strides, pads, ones), x.shape[-1]))
    input_gradient = np.zeros(x.shape)
    for position, seen in places.items():
        y[:, *position] = np.mean([x[:, *place].astype(np.float64) for place in seen], axis=0)
        for place in seen:
            input_gradient[:, *place] += gradient[:, *position].astype(np.float64) / len(seen)
    return y, input_gradient
