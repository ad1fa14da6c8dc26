"""Convolution and pooling as slow, obvious loops in double precision, with their gradients."""

from __future__ import annotations

import itertools

import numpy as np


def every_tap(sizes, outputs, window, strides, pads, dilation):
    """Yield (tap, position, cell) for every tap of every window that lies inside the picture."""
    for position in itertools.product(*map(range, outputs)):
        for tap in itertools.product(*map(range, window)):
            cell = tuple(
                p * s + k * d - before
                for p, s, k, d, (before, _) in zip(position, strides, tap, dilation, pads, strict=True)
            )
            if all(0 <= c < size for c, size in zip(cell, sizes, strict=True)):
                yield tap, position, cell


def outputs_of(sizes, window, strides, pads, dilation):
    return tuple(
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, (a, b), d in zip(sizes, window, strides, pads, dilation, strict=True)
    )


def convolution(x, kernel, dy, geometry):
    """Return y, dx, dw and, for tolerances, the same sums of absolute values."""
    x, kernel, dy = (np.asarray(a, np.float64) for a in (x, kernel, dy))
    *window, inner, filters = kernel.shape
    y, dx, dw = np.zeros(dy.shape), np.zeros(x.shape), np.zeros(kernel.shape)
    shares = [np.zeros_like(a) for a in (y, dx, dw)]
    per_group = filters // geometry.groups
    steps = (geometry.strides, geometry.pads, geometry.dilation)
    for tap, position, cell in every_tap(x.shape[1:-1], dy.shape[1:-1], window, *steps):
        for group in range(geometry.groups):
            i = slice(group * inner, (group + 1) * inner)
            o = slice(group * per_group, (group + 1) * per_group)
            source, target = (slice(None), *cell, i), (slice(None), *position, o)
            weights = (*tap, slice(None), o)
            for (a, b, c), size in (((y, dx, dw), lambda v: v), (shares, np.abs)):
                a[target] += size(x[source]) @ size(kernel[weights])
                b[source] += size(dy[target]) @ size(kernel[weights]).T
                c[weights] += size(x[source]).T @ size(dy[target])
    return (y, dx, dw), shares


def max_pooling(x, dy, geometry):
    """Return y and dx; the first of equals wins, and a NaN before everything."""
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    y, winner = np.full(dy.shape, -np.inf), {}
    steps = (geometry.strides, geometry.pads, (1,) * len(geometry.size))
    for _, position, cell in every_tap(x.shape[1:-1], dy.shape[1:-1], geometry.size, *steps):
        for n, c in itertools.product(range(x.shape[0]), range(x.shape[-1])):
            at, value = (n, *position, c), x[(n, *cell, c)]
            if at not in winner or value > y[at] or (np.isnan(value) and not np.isnan(y[at])):
                y[at], winner[at] = value, (n, *cell, c)
    dx = np.zeros(x.shape)
    for at, source in winner.items():
        dx[source] += dy[at]
    return y, dx


def average_pooling(x, dy, geometry):
    """Return y and dx; only cells inside the picture count."""
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    steps = (geometry.strides, geometry.pads, (1,) * len(geometry.size))
    taps = list(every_tap(x.shape[1:-1], dy.shape[1:-1], geometry.size, *steps))
    count = np.zeros(dy.shape[1:-1])
    for _, position, _ in taps:
        count[position] += 1
    y, dx = np.zeros(dy.shape), np.zeros(x.shape)
    for _, position, cell in taps:
        y[(slice(None), *position)] += x[(slice(None), *cell)] / count[position]
        dx[(slice(None), *cell)] += dy[(slice(None), *position)] / count[position]
    return y, dx
