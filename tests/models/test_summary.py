"""The table of a network: the lectures' numbers, detail on request, HTML and data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from convista import Input, Model, Sequential
from convista.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalMaxPooling2D,
    MaxPool2D,
    MaxPool3D,
    SeparableConv2D,
    UpSampling2D,
)

LECTURE = """\
Model: "sequential"
_________________________________________________________________
 Layer (type)                   Output Shape        Param #
=================================================================
 conv2d (Conv2D)                (None, 28, 56, 8)   224

 conv2d_1 (Conv2D)              (None, 13, 19, 5)   245

 max_pooling2d (MaxPooling2D)   (None, 4, 6, 5)     0

 flatten (Flatten)              (None, 120)         0

 dense (Dense)                  (None, 3)           363
=================================================================
Total params: 832 (3.25 KB)
Trainable params: 832 (3.25 KB)
Non-trainable params: 0 (0.00 Byte)
_________________________________________________________________"""

DETAIL = """\
Model: "sequential"
________________________________________________________________________________________________________________________
 Layer (type)                   Output Shape          Param #   Kernel   MACs      Activation memory   Receptive field
========================================================================================================================
 conv2d (Conv2D)                (None, 28, 56, 8)     224       3×3×3    338 688   49.00 KB            3×3

 conv2d_1 (Conv2D)              (None, 13, 19, 5) *   245       3×2×8    59 280    4.82 KB             5×4

 max_pooling2d (MaxPooling2D)   (None, 4, 6, 5) *     0         3×3      0         480.00 Byte         9×10

 flatten (Flatten)              (None, 120)           0                  0         480.00 Byte         all

 dense (Dense)                  (None, 3)             363                360       12.00 Byte          all
========================================================================================================================
Total params: 832 (3.25 KB)
Trainable params: 832 (3.25 KB)
Non-trainable params: 0 (0.00 Byte)
Multiply–accumulates of one example: 398 328
Activations of one example: 54.77 KB
* conv2d_1 does not see the last row of its input.
* max_pooling2d does not see the last row and the last column of its input.
________________________________________________________________________________________________________________________"""

UNBUILT = """\
Model: "sequential"
_________________________________________________________________
 Layer (type)        Output Shape   Param #
=================================================================
 conv2d (Conv2D)     ?              ?

 flatten (Flatten)   ?              ?
=================================================================
Total params: 0 (0.00 Byte)
Trainable params: 0 (0.00 Byte)
Non-trainable params: 0 (0.00 Byte)
Shapes marked ? are known once the first layer has input_shape=… or the model has seen data.
_________________________________________________________________"""

SHARED = """\
Model: "two"
____________________________________________________________________
 Layer (type)                Output Shape   Param #   Connected to
====================================================================
 input_1 (InputLayer)        [(None, 3)]    0

 input_2 (InputLayer)        [(None, 3)]    0

 dense (Dense)               (None, 2)      8         input_1

 dense (Dense)               (None, 2)      0         input_2

 concatenate (Concatenate)   (None, 4)      0         dense, dense
====================================================================
Total params: 8 (32.00 Byte)
Trainable params: 8 (32.00 Byte)
Non-trainable params: 0 (0.00 Byte)
____________________________________________________________________"""


def lecture_002():
    return Sequential(
        [
            Conv2D(8, (3, 3), padding="same", activation="relu", input_shape=(28, 56, 3)),
            Conv2D(5, (3, 2), strides=(2, 3), activation="relu"),
            MaxPool2D((3, 3)),
            Flatten(),
            Dense(3, activation="softmax"),
        ]
    )


def shared():
    first, second = Input((3,)), Input((3,))
    layer = Dense(2)
    return Model([first, second], Concatenate()([layer(first), layer(second)]), name="two")


def test_the_table_of_lecture_002(capsys):
    summary = lecture_002().summary()
    assert capsys.readouterr().out == LECTURE + "\n"
    assert str(summary) == repr(summary) == LECTURE


def test_detail():
    assert str(lecture_002().summary(detail=True, print_to=None)) == DETAIL


def test_lecture_002_a_lost_row_and_the_way_back():
    """15 → 7 → 14, not 15: the summary says where it went, and output_padding gets it back."""
    x = Input((15, 15, 4))
    pooled = MaxPool2D(2)(x)
    assert pooled.shape == (None, 7, 7, 4)
    assert UpSampling2D(2)(pooled).shape == Conv2DTranspose(4, 2, strides=2)(pooled).shape == (None, 14, 14, 4)
    model = Model(x, Add()([x, Conv2DTranspose(4, 2, strides=2, output_padding=1)(pooled)]), name="back")
    text = str(model.summary(detail=True, print_to=None))
    assert [line[:59].rstrip() for line in text.splitlines() if line.startswith(" ")] == [
        " Layer (type)                         Output Shape",
        " input_1 (InputLayer)                 [(None, 15, 15, 4)]",
        " max_pooling2d (MaxPooling2D)         (None, 7, 7, 4) *",
        " conv2d_transpose (Conv2DTranspose)   (None, 15, 15, 4)",
        " add (Add)                            (None, 15, 15, 4)",
    ]
    assert "\n* max_pooling2d does not see the last row and the last column of its input.\n" in text
    assert "*" not in str(model.summary(print_to=None))
    pictures = np.zeros((1, 15, 15, 4), np.float32)
    pictures[0, 14] = 1.0  # what the pooling does not see, the way around it carries
    np.testing.assert_array_equal(model.predict(pictures), pictures)


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (Conv1D(1, 3, strides=4), (10, 1), "the last 3 cells"),
        (MaxPool3D(2), (5, 4, 7, 1), "the last slice and the last column"),
        (MaxPool2D(2, padding="same"), (5, 5, 1), ""),
        (Conv2D(1, 1, strides=3, padding="same"), (5, 6, 1), "the last row and the last 2 columns"),
        (MaxPool2D(2), (None, 5, 1), "the last column"),
        (Flatten(), (5, 5, 1), ""),
    ],
)
def test_where_a_size_is_lost(layer, shape, text):
    (row,) = Sequential([Input(shape), layer]).summary(print_to=None).rows
    assert row.loss_text == text


def test_kernels_as_people_write_them():
    layers = [Conv2D(6, 1), DepthwiseConv2D(3, depth_multiplier=2), SeparableConv2D(5, (3, 1)), MaxPool2D(2)]
    summary = Sequential([Input((16, 16, 3)), *layers]).summary(print_to=None)
    assert [row.kernel for row in summary.rows] == ["1×1×3", "3×3×1", "3×1×1 + 1×1×12", "2×2"]
    assert [row.multiply_accumulates for row in summary.rows] == [
        16 * 16 * 3 * 6,
        14 * 14 * 9 * 12,
        12 * 14 * 12 * (3 + 5),
        0,
    ]


def test_before_the_shape_is_known():
    model = Sequential([Conv2D(2, 3), Flatten()])
    assert str(model.summary(print_to=None)) == UNBUILT
    detailed = str(model.summary(detail=True, print_to=None))
    assert "Multiply–accumulates of one example: ?\nActivations of one example: ?\n" in detailed
    assert "all" not in detailed
    assert "Total params: 0" in str(Sequential().summary(print_to=None))


def test_a_shared_layer_counts_once():
    assert str(shared().summary(print_to=None)) == SHARED


def test_sizes_that_vary_have_no_costs():
    x = Input((None, None, 1))
    summary = Model(x, GlobalMaxPooling2D()(Conv2D(2, 3)(x))).summary(detail=True, print_to=None)
    assert "conv2d (Conv2D)                             (None, None, None, 2)     20" in str(summary)
    assert "Multiply–accumulates of one example: ?" in str(summary)


def test_lines_go_where_they_are_told():
    lines: list[str] = []
    lecture_002().summary(print_to=lines.append)
    assert lines == [LECTURE]


def test_statistics_are_not_trained():
    x = Input((4, 4, 2))
    y = BatchNormalization()(x)
    summary = Model(x, Add()([x, y])).summary(print_to=None)
    assert (summary.total, summary.trainable, summary.non_trainable) == (8, 4, 4)


def test_an_optimizer_adds_no_parameters():
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile("adam", "mse")
    before = str(model.summary(print_to=None))
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert str(model.summary(print_to=None)) == before


@pytest.mark.parametrize("model", [lecture_002, shared, lambda: Sequential([Flatten()])])
def test_as_data(model):
    data = json.loads(json.dumps(model().summary(print_to=None).to_dict()))
    assert data["total_parameters"] == sum(row["parameters"] or 0 for row in data["layers"])
    if model is lecture_002:
        assert data["multiply_accumulates"] == 398_328
        assert data["layers"][1] == {
            "name": "conv2d_1",
            "kind": "Conv2D",
            "output_shape": [None, 13, 19, 5],
            "parameters": 245,
            "kernel": "3×2×8",
            "multiply_accumulates": 59_280,
            "activation_bytes": 4_940,
            "receptive_field": [5, 4],
            "inputs": [],
            "unseen": [1, 0],
            "trainable": True,
        }


def test_html_escapes_names():
    model = Sequential([Dense(2, name="<b>&", input_shape=(3,))], name="<script>alert(1)</script>")
    text = model.summary(print_to=None)._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<td>&lt;b&gt;&amp; (Dense)</td><td>(None, 2)</td><td>8</td>" in text
    assert "Total params: 8 (32.00 Byte)<br>Trainable params: 8 (32.00 Byte)" in text
