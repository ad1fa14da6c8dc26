"""Findings about sizes: planted, and silent where nothing is planted."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Model, Sequential, architectures
from convista.insight.doctor.architecture import object_size
from convista.insight.doctor.findings import NotChecked
from convista.layers import (
    Add,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling1D,
    MaxPooling2D,
)


def squares(side, count=20, size=32, noise=0.0):
    """Pictures with one square each, anywhere."""
    draw = np.random.default_rng(0)
    x = draw.random((count, size, size, 1)).astype(np.float32) * noise
    for picture in x:
        row, column = draw.integers(1, size - side, 2)
        picture[row : row + side, column : column + side] = 1
    return x


@pytest.mark.parametrize("side", [4, 11, 20])
def test_the_object_is_measured(side):
    assert object_size(squares(side), 0.1) == ((side, side), 1.0)
    assert object_size(squares(side, noise=0.05), 0.1) == ((side, side), 1.0)
    assert object_size(1 - squares(side), 0.1) == ((side, side), 1.0)  # dark on white


def test_an_object_is_not_measured_where_the_border_tells_nothing():
    noise = np.random.default_rng(0).random((20, 32, 32, 1)).astype(np.float32)
    assert object_size(noise, 0.1) is None
    assert object_size(np.zeros((3, 8, 8, 1)), 0.1) is None
    assert object_size(np.ones((3, 8)), 0.1) is None


def test_the_object_of_a_series():
    x = np.zeros((4, 50, 2), np.float32)
    x[:, 10:27, 1] = 1
    assert object_size(x, 0.1) == ((17,), 1.0)


def test_a_field_smaller_than_the_object(only):
    layers = [Input((32, 32, 1)), Conv2D(2, 3), Conv2D(2, 3, name="last"), GlobalAveragePooling2D(), Dense(2)]
    model = Sequential(layers, seed=0)
    (found,) = only("receptive field", model, squares(20))
    assert found.title == "receptive field smaller than the object in 'last'"
    assert found.evidence.numbers["receptive_field"] == (5, 5)
    assert found.evidence.numbers["object"] == (20, 20)
    assert "median bounding box of what differs from the border by more than 10% of the range" in (
        found.evidence.sentence
    )
    assert found.fix.verified == ""  # one pooling gives 8×8, which is not enough either


def test_pooling_that_helps_is_tried(only):
    model = architectures.lecture_convnet_without_pooling((32, 32, 1), seed=0)
    (found,) = only("receptive field", model, squares(20))
    assert found.evidence.numbers["receptive_field"] == (7, 7)
    assert found.fix.sentence.startswith("Add pooling behind 'conv2d', 'conv2d_1'")
    assert found.fix.verified == "the receptive field grew from 7×7 to 18×18."


def test_a_field_large_enough(only):
    model = architectures.lecture_convnet((32, 32, 1), seed=0)
    assert model.graph.receptive_fields()[5].size == (18, 18)
    assert only("receptive field", model, squares(20)) == []
    assert only("receptive field", architectures.lecture_convnet_without_pooling((32, 32, 1)), squares(9)) == []


def test_networks_that_see_everything_are_left_alone(only):
    with pytest.raises(NotChecked, match="no convolution whose cells see a part"):
        only("receptive field", architectures.lecture_dense((32, 32, 1)), squares(20))


def test_the_wide_flatten_of_lecture_000(only):
    model = architectures.lecture_convnet_without_pooling(seed=0)
    (found,) = only("width of Flatten", model)
    assert found.evidence.sentence == (
        "'flatten' makes 61 952 values of 22×22×128, so 'dense' has 619 530 of all 712 202 parameters (87%)."
    )
    assert found.fix.verified == (
        "'flatten' went from 61 952 to 1 152 values and the network from 712 202 to 104 202 parameters."
    )
    # What was computed is what the lecture's own network with pooling has.
    assert architectures.lecture_convnet().count_params() == 104_202


@pytest.mark.parametrize("name", ["lecture-convnet", "lecture-dense", "lenet5", "resnet18"])
def test_flatten_or_none_that_is_narrow_enough(name, only):
    assert only("width of Flatten", architectures.get(name)((32, 32, 1), 10, seed=0)) == []


def test_a_wide_flatten_that_pooling_cannot_mend(only):
    x = Input((32, 32, 1))
    first = Conv2D(16, 3, padding="same")(x)
    both = Add()([first, Conv2D(16, 3, padding="same")(first)])
    model = Model(x, Dense(10)(Flatten(name="wide")(both)), seed=0)
    (found,) = only("width of Flatten", model)
    assert found.layer == "wide"
    assert found.evidence.numbers["width"] == 32 * 32 * 16


def test_pooling_is_put_behind_the_activation(only):
    from convista.layers import BatchNormalization, ReLU

    block = [Conv2D(32, 3), BatchNormalization(), ReLU(name="relu_a"), Conv2D(64, 3), BatchNormalization(), ReLU()]
    model = Sequential([Input((32, 32, 1)), *block, Flatten(), Dense(10)], seed=0)
    (found,) = only("width of Flatten", model)
    assert found.fix.sentence == "Add pooling behind 'relu_a'."
    assert found.fix.verified.startswith("'flatten' went from 50 176 to 10 816 values")  # 28·28·64 and 13·13·64


def test_a_lost_row(only):
    model = Sequential([Input((11, 12, 1)), MaxPooling2D(2, name="halved")])
    (found,) = only("lost sizes", model)
    assert found.severity == "note"
    assert found.evidence.sentence == (
        "MaxPooling2D 'halved' takes 11×12 and makes 5×6; no window sees the last row, 9% along an axis."
    )
    assert found.evidence.numbers["unseen"] == (1, 0)
    assert found.fix.verified == "11×12 became 6×6, and no cell is left over."


def test_lost_cells_of_a_stride_and_of_a_series(only):
    model = Sequential([Input((32, 2)), Conv1D(4, 3, strides=5, name="strided"), MaxPooling1D(3)])
    (found,) = only("lost sizes", model)
    assert found.layer == "strided"
    assert "the last 4 cells, 12% along an axis" in found.evidence.sentence


def test_sizes_that_are_kept(only):
    assert only("lost sizes", Sequential([Input((12, 12, 1)), MaxPooling2D(2), Conv2D(2, 3)])) == []
    assert only("lost sizes", Sequential([Input((11, 11, 1)), MaxPooling2D(2, padding="same")])) == []
    assert only("lost sizes", Sequential([Input((57, 57, 1)), MaxPooling2D(2)])) == []  # 1 of 57
