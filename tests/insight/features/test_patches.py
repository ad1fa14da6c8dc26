"""The patch that a cell sees: nothing outside it changes the cell, every pixel inside it does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from convista import Input, Model, Sequential
from convista.insight.features.patches import Patch, patch_of
from convista.insight.inspection import values
from convista.layers import (
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Multiply,
    Permute,
    UpSampling2D,
    ZeroPadding2D,
)


def sequential(shape, *layers) -> Model:
    return Sequential([Input(shape), *layers], seed=0)


def residual() -> Model:
    x = Input((11, 13, 1))
    wide = Conv2D(2, 5, padding="same")(x)
    return Model(
        x, Conv2D(2, 3, strides=2)(Concatenate()([Conv2D(2, 1)(x), Add()([wide, Conv2D(2, 3, padding="same")(x)])]))
    )


def gated() -> Model:
    x = Input((7, 7, 2))
    return Model(x, Multiply()([Conv2D(2, 3)(x), GlobalAveragePooling2D(keepdims=True)(x)]))


NETWORKS = {
    "valid": sequential((9, 8, 1), Conv2D(2, 3), Conv2D(2, (2, 3))),
    "same, strides": sequential((10, 11, 1), Conv2D(2, 3, strides=2, padding="same"), Conv2D(2, 3, padding="same")),
    "even kernel, same": sequential((9, 10, 1), Conv2D(2, 4, padding="same"), Conv2D(2, 2, strides=2, padding="same")),
    "dilation": sequential((12, 12, 1), Conv2D(2, 3, dilation_rate=2), BatchNormalization(), Conv2D(2, 2)),
    "own padding": sequential((9, 9, 1), Conv2D(2, 3, padding=((2, 0), (0, 1)), strides=2)),
    "average pooling": sequential((13, 12, 1), Conv2D(2, 3), AveragePooling2D(2), Conv2D(2, 3), AveragePooling2D(2)),
    "zeros and crops": sequential((9, 9, 1), ZeroPadding2D(((2, 0), (1, 3))), Conv2D(2, 3), Cropping2D((1, 2))),
    "depthwise": sequential((9, 9, 2), DepthwiseConv2D(3, strides=2, padding="same"), Conv2D(2, 2)),
    "transposed": sequential((5, 6, 1), Conv2D(2, 2), Conv2DTranspose(2, 3, strides=2)),
    "transposed, same": sequential((5, 6, 1), Conv2DTranspose(2, 4, strides=2, padding="same"), Conv2D(2, 2)),
    "nearest": sequential((5, 6, 1), UpSampling2D(3), Conv2D(2, 2)),
    "bilinear": sequential((5, 6, 1), UpSampling2D(2, interpolation="bilinear"), Conv2D(2, 2)),
    "permuted": sequential((6, 9, 1), Permute((2, 1, 3)), Conv2D(2, (2, 3), strides=(1, 2))),
    "residual": residual(),
    "gated": gated(),
    "sequence": sequential((15, 2), Conv1D(2, 3, strides=2, padding="same"), Conv1D(2, 3)),
    "volume": sequential((6, 5, 7, 1), Conv3D(2, 3, padding="same"), Conv3D(1, 2, strides=2)),
    "dense": sequential((5, 5, 1), Conv2D(2, 3), Flatten(), Dense(3)),
}  # fmt: skip


def seen_by_derivative(model: Model, place: int, cell: tuple[int, ...]) -> np.ndarray:
    """Which positions of the input a cell depends on, found by nudging each of them in a network without corners."""
    shape = model.input_shape[1:]
    base = np.random.default_rng(0).random(shape).astype(np.float32)
    positions = list(np.ndindex(*shape[:-1]))
    nudged = np.repeat(base[None], len(positions) + 1, axis=0)
    for number, position in enumerate(positions):
        nudged[(number, *position)] += 0.5
    found = values(model, nudged, (place,))[0]
    cells = found[(slice(None), *cell)]
    return (np.abs(cells[:-1] - cells[-1]).max(axis=-1) > 0).reshape(shape[:-1])


def claimed(patch: Patch, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[patch.slices] = True
    return mask


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_patch_moves_the_cell_and_all_of_it_does(name: str) -> None:
    model = NETWORKS[name]
    place = len(model.graph.nodes) - 1
    sizes = model.graph.shapes()[place][:-1]
    corners = {tuple(size - 1 for size in sizes), tuple(0 for _ in sizes), tuple(size // 2 for size in sizes)}
    for cell in corners:
        patch = patch_of(model.graph, place, cell, model.input_shape[1:])
        moved = seen_by_derivative(model, place, cell)
        mask = claimed(patch, model.input_shape[1:-1])
        np.testing.assert_array_equal(moved, mask, err_msg=f"{name}, cell {cell}: {patch}")
        if not mask.all():
            shifted = dataclasses.replace(patch, inside=tuple((a + 1, b + 1) for a, b in patch.inside))
            assert (claimed(shifted, model.input_shape[1:-1]) != moved).any()  # one cell off would be noticed


def test_beyond_a_patch_nothing_changes_a_pooled_cell() -> None:
    model = sequential((14, 14, 1), Conv2D(3, 3, padding="same", activation="relu"), MaxPooling2D(2), Conv2D(3, 3))
    place = 3
    for cell in ((0, 0), (2, 3), (4, 4)):
        patch = patch_of(model.graph, place, cell, (14, 14, 1))
        moved = seen_by_derivative(model, place, cell)
        assert not (moved & ~claimed(patch, (14, 14))).any()
        assert moved.any()


def test_the_size_is_that_of_the_receptive_field() -> None:
    for name in ("valid", "same, strides", "dilation", "average pooling", "residual"):
        graph = NETWORKS[name].graph
        place = len(graph.nodes) - 1
        patch = patch_of(graph, place, (1, 1), NETWORKS[name].input_shape[1:])
        field = graph.receptive_fields()[place]
        assert field is not None
        assert patch.size == field.size
        after = patch_of(graph, place, (2, 2), NETWORKS[name].input_shape[1:])
        assert tuple(two - one for one, two in zip(patch.start, after.start, strict=True)) == field.stride


def test_padding_is_told_from_what_is_seen() -> None:
    model = sequential((9, 9, 1), Conv2D(1, 3, padding="same"))
    patch = patch_of(model.graph, 1, (0, 8), (9, 9, 1))
    assert (patch.start, patch.stop, patch.inside) == ((-1, 7), (2, 10), ((0, 2), (7, 9)))
    assert patch.cut(np.arange(81).reshape(9, 9, 1)).shape == (2, 2, 1)


def test_a_network_for_all_sizes() -> None:
    model = sequential((None, None, 1), Conv2D(1, 3, padding="same", strides=2))
    assert patch_of(model.graph, 1, (1, 1), (6, 7, 1)).inside == ((2, 5), (1, 4))


def test_padding_alone_is_no_pixel() -> None:
    model = sequential((8, 8, 1), ZeroPadding2D(3), Conv2D(1, 3))
    patch = patch_of(model.graph, 2, (0, 0), (8, 8, 1))
    assert (patch.start, patch.stop, patch.inside) == ((-3, -3), (0, 0), ((0, 0), (0, 0)))
    assert patch.cut(np.ones((8, 8, 1))).size == 0
    assert not seen_by_derivative(model, 2, (0, 0)).any()
    beside = patch_of(model.graph, 2, (0, 4), (8, 8, 1))  # its columns are of the picture, its rows are not
    assert (beside.inside, beside.cut(np.ones((8, 8, 1))).size) == (((0, 0), (0, 0)), 0)
    assert patch_of(model.graph, 2, (1, 1), (8, 8, 1)).inside == ((0, 1), (0, 1))


def test_a_branch_that_sees_padding_alone_adds_nothing() -> None:
    x = Input((8, 8, 1))
    far, near = Conv2D(1, 3)(ZeroPadding2D(3)(x)), Conv2D(1, 3)(ZeroPadding2D(((0, 6), (0, 6)))(x))
    model = Model(x, Concatenate()([far, near]))
    place = len(model.graph.nodes) - 1
    for cell, expected in (((0, 0), ((0, 3), (0, 3))), ((11, 11), ((0, 0), (0, 0)))):
        patch = patch_of(model.graph, place, cell, (8, 8, 1))
        assert patch.inside == expected
        np.testing.assert_array_equal(claimed(patch, (8, 8)), seen_by_derivative(model, place, cell))
