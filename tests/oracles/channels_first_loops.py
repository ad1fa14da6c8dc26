"""What PyTorch's documentation says of windows, as loops in double precision with the channels first."""

from __future__ import annotations

import itertools
import math

import numpy as np

BORDERS = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def convolution(x, weight, bias, stride, pads, dilation, groups, mode="zeros"):
    """Return ``y[n, o, p] = bias[o] + Σ_c Σ_k weight[o, c, k] · x[n, group·C/g + c, p·stride + k·dilation − pad]``."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *pads), BORDERS[mode])
    filters, inner, *window = weight.shape
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], window, stride, dilation, strict=True)]
    y = np.zeros((len(x), filters, *sizes))
    for o, position in itertools.product(range(filters), np.ndindex(*sizes)):
        first = o // (filters // groups) * inner
        for c, tap in itertools.product(range(inner), np.ndindex(*window)):
            cell = tuple(p * s + k * d for p, s, k, d in zip(position, stride, tap, dilation, strict=True))
            y[:, o, *position] += weight[o, c, *tap] * x[:, first + c, *cell]
        y[:, o, *position] += 0.0 if bias is None else bias[o]
    return y


def transposed_convolution(x, weight, bias, stride, padding, output_padding, dilation):
    """Add ``weight[c, o, k] · x[n, c, p]`` to ``y[n, o, p·stride + k·dilation − padding]``."""
    _, filters, *window = weight.shape
    steps = zip(x.shape[2:], window, stride, padding, output_padding, dilation, strict=True)
    sizes = [(n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in steps]
    y = np.zeros((len(x), filters, *sizes)) + (0.0 if bias is None else bias.reshape(-1, *(1,) * len(sizes)))
    for position, tap in itertools.product(np.ndindex(*x.shape[2:]), np.ndindex(*window)):
        cell = tuple(q * s + k * d - p for q, s, k, d, p in zip(position, stride, tap, dilation, padding, strict=True))
        if all(0 <= spot < size for spot, size in zip(cell, sizes, strict=True)):
            y[:, :, *cell] += x[:, :, *position].astype(np.float64) @ weight[:, :, *tap]
    return y


def positions(size, kernel, stride, padding, ceil_mode):
    """Return how many windows there are: none begins behind the input and the padding before it."""
    count = (math.ceil if ceil_mode else math.floor)((size + 2 * padding - kernel) / stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def pooling(kind, x, kernel, stride, padding, ceil_mode=False, count_include_pad=True, divisor=None):
    """Return the maximum or the mean of each window; the mean's divisor as PyTorch's kernels count it."""
    sizes = x.shape[2:]
    outputs = [positions(*axis, ceil_mode) for axis in zip(sizes, kernel, stride, padding, strict=True)]
    y = np.zeros((*x.shape[:2], *outputs))
    for position in np.ndindex(*outputs):
        first = [p * s - pad for p, s, pad in zip(position, stride, padding, strict=True)]
        last = [min(f + k, n + pad) for f, k, n, pad in zip(first, kernel, sizes, padding, strict=True)]
        inside = [slice(max(f, 0), min(end, n)) for f, end, n in zip(first, last, sizes, strict=True)]
        cells = x[:, :, *inside].astype(np.float64).reshape(*x.shape[:2], -1)
        whole = math.prod(end - f for f, end in zip(first, last, strict=True))
        number = divisor or (whole if count_include_pad else cells.shape[-1])
        y[:, :, *position] = cells.max(-1) if kind == "max" else cells.sum(-1) / number
    return y
