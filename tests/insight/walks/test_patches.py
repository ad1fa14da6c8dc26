"""Which cells a window sees, against slices of a padded array and against windows that are laid out one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convista.insight.walks.patches import Patch, gathered, scattered, seen
from convista.shapes import TransposedWindow, Window

WINDOWS = [
    Window((3, 3), (1, 1), (1, 1)),
    Window((3, 2), (2, 1), (1, 1), "same"),
    Window((2, 3), (1, 1), (2, 3), "same"),
    Window((3, 3), (2, 3), (1, 1), ((2, 0), (1, 3))),
    Window((4, 4), (3, 3), (1, 1), "same"),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_patch_is_a_slice_of_the_padded_map(window):
    x = np.random.default_rng(0).normal(size=(9, 8, 2)).astype(np.float32)
    padded = np.pad(x, (*window.pads((9, 8)), (0, 0)))
    marks = np.pad(np.ones((9, 8), bool), window.pads((9, 8)))
    for spots in np.ndindex(*window.output_sizes((9, 8))):
        slices = tuple(
            slice(spot * stride, spot * stride + span, dilation)
            for spot, stride, span, dilation in zip(spots, window.strides, window.span, window.dilation, strict=True)
        )
        places, inside = gathered(window, (9, 8), spots)
        np.testing.assert_array_equal(seen(x, places, inside, np.arange(2)), padded[slices])
        np.testing.assert_array_equal(inside, marks[slices])


@pytest.mark.parametrize(
    "window",
    [
        TransposedWindow((3, 2), (2, 2), (1, 1)),
        TransposedWindow((3, 3), (2, 1), (1, 1), "same"),
        TransposedWindow((2, 3), (1, 1), (2, 2), "same"),
        TransposedWindow((4, 4), (3, 2), (1, 1), "same", (1, 0)),
        TransposedWindow((2, 2), (3, 3), (1, 1)),
    ],
)
def test_each_tap_of_each_input_cell_is_found_once(window):
    sizes = (4, 5)
    outputs = window.output_sizes(sizes)
    expected = {}
    for cell in np.ndindex(*sizes):
        for tap in np.ndindex(*window.size):
            spots = tuple(
                spot * stride + k * dilation - cut
                for spot, stride, k, dilation, (cut, _) in zip(
                    cell, window.strides, tap, window.dilation, window.pads(), strict=True
                )
            )
            if all(0 <= spot < size for spot, size in zip(spots, outputs, strict=True)):
                expected.setdefault(spots, set()).add((cell, tap))
    for spots in itertools.product(*map(range, outputs)):
        places, inside = scattered(window, sizes, spots)
        found = {(tuple(int(part) for part in places[tap]), tap) for tap in zip(*np.nonzero(inside), strict=True)}
        found = {(cell, tuple(int(part) for part in tap)) for cell, tap in found}
        assert found == expected.get(spots, set())


def test_sums_largest_and_places():
    values = np.array([[[1.0, -9.0], [2.0, 0.0]]])
    places = np.array([[[0, 0], [0, 1]]])
    kernel = np.array([[[1.0, 1.0], [-3.0, 5.0]]])
    patch = Patch("", values, places, np.ones((1, 2), bool), np.array([4, 7]), kernel)
    assert patch.sums.tolist() == [-5, -9]
    assert (patch.total, patch.scale) == (-14, 16)
    assert patch.strongest(1) == [1]
    assert patch.largest(2) == [(0, 0, 1), (0, 1, 0)]
    assert patch.place((0, 0, 1)) == (0, 0, 7)


def test_a_place_before_flatten():
    patch = Patch("", np.ones(12), np.zeros(0, int), np.array(True), np.arange(12), np.ones(12), (2, 3, 2))
    assert patch.place((7,)) == (1, 0, 1)
