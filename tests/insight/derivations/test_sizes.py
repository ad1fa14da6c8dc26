"""Sizes, padding and loss, line by line."""

from __future__ import annotations

import itertools

import pytest

from convista import layers
from convista.insight.derivations.sizes import Use, keeps_shape, loss_lines, size_lines


def use(layer, *shapes):
    return Use(layer, shapes, layer.output_shape(list(shapes) if layer.merges else shapes[0]))


def told(layer, *shapes):
    return [str(line) for line in size_lines(use(layer, *shapes))]


def lost(layer, shape):
    return [str(line) for line in loss_lines(use(layer, shape))]


CASES = {
    "same": (
        layers.Conv2D(8, 3, padding="same"),
        (28, 28, 3),
        [
            "padding_h = max((28 − 1)·1 + 3 − 28, 0) = 2, padding_w the same: 1 before, 1 after",
            "output_h = (28 + 2·1 − 3) // 1 + 1 = 28, output_w the same",
            "output_channels = 8: one for each filter",
        ],
    ),
    "same with a stride": (
        layers.Conv1D(8, 3, strides=2, padding="same"),
        (28, 3),
        [
            'same_length = (28 + 2 − 1) // 2 = 14: ⌈28 / 2⌉, what padding="same" asks for',
            "padding_length = max((14 − 1)·2 + 3 − 28, 0) = 1: 0 before, 1 after",
            "output_length = (28 + 0 + 1 − 3) // 2 + 1 = 14",
            "output_channels = 8: one for each filter",
        ],
    ),
    "dilated and explicit": (
        layers.Conv3D(2, (1, 3, 3), padding=((0, 0), (2, 2), (3, 1)), dilation_rate=(1, 2, 2)),
        (4, 9, 9, 1),
        [
            "span_h = (3 − 1)·2 + 1 = 5, span_w the same: 3 taps, 2 cells apart",
            "padding_d = 0 + 0 = 0: 0 before, 0 after",
            "padding_h = 2 + 2 = 4: 2 before, 2 after",
            "padding_w = 3 + 1 = 4: 3 before, 1 after",
            "output_d = (4 + 2·0 − 1) // 1 + 1 = 4",
            "output_h = (9 + 2·2 − 5) // 1 + 1 = 9",
            "output_w = (9 + 3 + 1 − 5) // 1 + 1 = 9",
            "output_channels = 2: one for each filter",
        ],
    ),
    "pooling as the lecture writes it": (
        layers.MaxPooling2D(3),
        (13, 19, 5),
        ["output_h = (13 − 3) // 3 + 1 = 4", "output_w = (19 − 3) // 3 + 1 = 6"],
    ),
    "depthwise": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        (8, 8, 5),
        [
            "output_h = (8 + 2·0 − 3) // 1 + 1 = 6, output_w the same",
            "output_channels = 5·2 = 10: 2 kernels for each channel",
        ],
    ),
    "transposed": (
        layers.Conv2DTranspose(4, 3, strides=2),
        (7, 7, 8),
        ["output_h = (7 − 1)·2 + max(3, 2) = 15, output_w the same", "output_channels = 4: one for each filter"],
    ),
    "transposed, same": (
        layers.Conv1DTranspose(4, 3, strides=2, padding="same"),
        (7, 8),
        ["output_length = 7·2 = 14", "output_channels = 4: one for each filter"],
    ),
    "transposed, with output padding": (
        layers.Conv1DTranspose(4, 4, strides=3, padding="same", output_padding=2),
        (7, 8),
        ["output_length = (7 − 1)·3 + 0 + 2 = 20", "output_channels = 4: one for each filter"],
    ),
    "upsampling": (layers.UpSampling2D((2, 3)), (7, 7, 2), ["output_h = 7·2 = 14", "output_w = 7·3 = 21"]),
    "zeros": (layers.ZeroPadding2D(((1, 0), 2)), (5, 5, 1), ["output_h = 5 + 1 + 0 = 6", "output_w = 5 + 2·2 = 9"]),
    "cropping": (layers.Cropping1D((2, 0)), (60, 4), ["output_length = 60 − 2 − 0 = 58"]),
    "flatten": (layers.Flatten(), (22, 22, 128), ["output = 22·22·128 = 61 952: all in one row"]),
    "reshape": (
        layers.Reshape((3, -1)),
        (28, 28, 3),
        ["output_length = 3: asked for", "output_channels = (28·28·3) // 3 = 784: what is left"],
    ),
    "reshape to a row": (layers.Reshape((-1,)), (4, 5), ["output = 4·5 = 20: what is left"]),
    "permute": (
        layers.Permute((3, 1, 2)),
        (28, 56, 3),
        [
            "output_h = 3: axis 3 of the input",
            "output_w = 28: axis 1 of the input",
            "output_channels = 56: axis 2 of the input",
        ],
    ),
    "global": (layers.GlobalMaxPooling2D(), (7, 7, 64), ["output = 64: one for each channel"]),
    "global, kept": (
        layers.GlobalAveragePooling1D(keepdims=True),
        (60, 16),
        ["output_length = 1: keepdims", "output_channels = 16: one for each channel"],
    ),
    "dense on cells": (layers.Dense(3), (6, 5, 4), ["output_channels = 3: one for each unit"]),
    "resizing": (layers.Resizing(4, 9), (6, 5, 4), ["output_h = 4: asked for", "output_w = 9: asked for"]),
    "relu": (layers.ReLU(), (6, 5, 4), []),
}


@pytest.mark.parametrize("name", CASES)
def test_sizes(name):
    layer, shape, lines = CASES[name]
    assert told(layer, shape) == lines


def test_sizes_of_merges():
    assert told(layers.Add(), (6, 5, 4), (6, 5, 4)) == []
    assert told(layers.Multiply(), (6, 5, 4), (1, 1, 4)) == [
        "output_h = max(6, 1) = 6: a size of 1 is repeated",
        "output_w = max(5, 1) = 5: a size of 1 is repeated",
    ]
    assert told(layers.Concatenate(), (6, 5, 4), (6, 5, 2), (6, 5, 1)) == [
        "output_channels = 4 + 2 + 1 = 7: side by side"
    ]
    assert told(layers.Concatenate(axis=1), (6, 5, 4), (2, 5, 4)) == ["output_h = 6 + 2 = 8: side by side"]


def test_sizes_that_vary_have_no_line():
    assert told(layers.Conv2D(8, 3), (None, 9, 3)) == [
        "output_w = (9 + 2·0 − 3) // 1 + 1 = 7",
        "output_channels = 8: one for each filter",
    ]
    assert told(layers.Flatten(), (None, 9)) == []
    assert told(layers.Concatenate(axis=1), (None, 9), (4, 9)) == []
    assert lost(layers.MaxPooling2D(2), (None, 9, 3)) == []
    assert not keeps_shape(use(layers.MaxPooling2D(2), (None, None, 3)))
    assert keeps_shape(use(layers.ReLU(), (None, None, 3)))


LOSSES = {
    "nothing": (layers.Conv2D(8, 3), (9, 9, 1), []),
    "a frame of zeros": (
        layers.Conv2D(8, 3, padding="same"),
        (28, 28, 3),
        ["added = 30·30 − 28·28 = 116: zeros around each channel, 12.9 % of 30×30"],
    ),
    "places that never count": (
        layers.MaxPooling2D(2, padding="same"),
        (5, 5, 1),
        ["added = 6·6 − 5·5 = 11: places outside each channel, which never count, 30.6 % of 6×6"],
    ),
    "the last row": (
        layers.MaxPooling2D(2),
        (15, 14, 8),
        [
            "seen_h = (7 − 1)·2 + 2 = 14: of 15",
            "unseen = 15·14 − 14·14 = 14: cells of each channel that no window sees, 6.7 % of 15×14: the last row",
        ],
    ),
    "cells between the windows": (
        layers.Conv2D(8, 1, strides=2),
        (15, 15, 8),
        [
            "seen_h = 8·1 = 8, seen_w the same: of 15",
            "unseen = 15·15 − 8·8 = 161: cells of each channel that no window sees, 71.6 % of 15×15",
        ],
    ),
    "cells between the windows, and padding": (
        layers.Conv1D(8, 2, strides=3, padding=((1, 0),)),
        (9, 8),
        [
            "added = 10 − 9 = 1: zeros around each channel, 10.0 % of 10",
            "seen_length = 3·2 − 1 = 5: of 9",
            "unseen = 9 − 5 = 4: cells of each channel that no window sees, 44.4 % of 9",
        ],
    ),
    "a window with holes larger than its steps": (
        layers.Conv1D(1, 2, dilation_rate=5),
        (8, 1),
        [
            "seen_length = 6: of 8",
            "unseen = 8 − 6 = 2: cells of each channel that no window sees, 25.0 % of 8",
        ],
    ),
    "a border of its own pixels": (
        layers.Filter2D("sobel"),
        (6, 5, 1),
        ["added = 8·7 − 6·5 = 26: cells around each channel, filled by 'nearest', 46.4 % of 8×7"],
    ),
    "zeros": (
        layers.ZeroPadding1D((2, 1)),
        (9, 4),
        ["added = 12 − 9 = 3: zeros around each channel, 25.0 % of 12"],
    ),
    "cut": (layers.Cropping2D(1), (6, 5, 4), ["cut = 6·5 − 4·3 = 18: cells of each channel, 60.0 % of 6×5"]),
    "all but one": (
        layers.GlobalAveragePooling2D(),
        (7, 7, 64),
        ["cells = 7·7 = 49: of each channel, of which only the mean is kept"],
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_added_and_lost(name):
    layer, shape, lines = LOSSES[name]
    assert lost(layer, shape) == lines


def test_what_is_unseen_is_what_a_loop_does_not_visit():
    kinds = itertools.product((5, 9, 12), (1, 2, 3), (1, 2, 3, 5), ("valid", "same", ((1, 0),), ((2, 3),)))
    for size, taps, stride, padding in kinds:
        layer = layers.Conv1D(1, taps, strides=stride, padding=padding)
        before = layer.window.pads((size,))[0][0]
        visited = {
            place * stride + tap - before
            for place in range(layer.output_shape((size, 1))[0])
            for tap in range(taps)
            if 0 <= place * stride + tap - before < size
        }
        lines = [line for line in loss_lines(use(layer, (size, 1))) if line.name == "unseen"]
        assert sum(line.value for line in lines) == size - len(visited)
