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
    Conv2D,
    Dense,
    Flatten,
    GlobalMaxPooling2D,
    MaxPool2D,
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
______________________________________________________________________________________________________________________
 Layer (type)                   Output Shape        Param #   Kernel   MACs      Activation memory   Receptive field
======================================================================================================================
 conv2d (Conv2D)                (None, 28, 56, 8)   224       3×3×3    338 688   49.00 KB            3×3

 conv2d_1 (Conv2D)              (None, 13, 19, 5)   245       3×2×8    59 280    4.82 KB             5×4

 max_pooling2d (MaxPooling2D)   (None, 4, 6, 5)     0         3×3      0         480.00 Byte         9×10

 flatten (Flatten)              (None, 120)         0                  0         480.00 Byte         all

 dense (Dense)                  (None, 3)           363                360       12.00 Byte          all
======================================================================================================================
Total params: 832 (3.25 KB)
Trainable params: 832 (3.25 KB)
Non-trainable params: 0 (0.00 Byte)
Multiply–accumulates of one example: 398 328
Activations of one example: 54.77 KB
______________________________________________________________________________________________________________________"""

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
        }


def test_html_escapes_names():
    model = Sequential([Dense(2, name="<b>&", input_shape=(3,))], name="<script>alert(1)</script>")
    text = model.summary(print_to=None)._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<td>&lt;b&gt;&amp; (Dense)</td><td>(None, 2)</td><td>8</td>" in text
    assert "Total params: 8 (32.00 Byte)<br>Trainable params: 8 (32.00 Byte)" in text
