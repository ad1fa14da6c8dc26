"""Every printed line of a derivation: read back, computed anew, and held against what the model itself says."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from fractions import Fraction
from pathlib import Path

import jax
import numpy as np
import pytest
import test_contract

from convista import Model, Sequential, architectures, layers, load_model
from convista.errors import ArgumentError, ShapeError
from convista.insight import explain
from convista.insight.derivations.explanation import Explanation, LayerDerivation
from convista.insight.derivations.lines import TOPICS, Line, axis_names
from convista.models import graph as graphs
from oracles.written_arithmetic import worked_out

SIZES = {"sequence-convnet": (60, 4), "series-convnet": (96, 1), "volume-convnet": (16, 16, 16, 1)}
LARGE = {"vgg11", "vgg16", "resnet18", "resnet34", "resnet50", "mobilenet-v1", "mobilenet-v2", "efficientnet-b0"}


def of_architecture(name):
    shape = SIZES.get(name, (64, 64, 3) if name in LARGE | {"convnext-tiny"} else (28, 28, 1))
    return architectures.get(name)(shape, 10, seed=0)


def of_example(name):
    example = test_contract.EVERY[name]
    shapes = example.shape if isinstance(example.shape, list) else [example.shape]
    inputs = [layers.Input(shape) for shape in shapes]
    return Model(inputs, example.layer(inputs if len(inputs) > 1 else inputs[0]))


def branched():
    """A network with what the architectures do not have: enlarging, joining, grouping, unequal axes."""
    x = layers.Input((21, 15, 4), name="picture")
    a = layers.Conv2D(8, 3, strides=2, padding="same", groups=2, activation="relu")(x)
    b = layers.Conv2D(8, 1, strides=2, padding=((0, 0), (1, 0)), use_bias=False)(x)
    b = layers.Cropping2D(((0, 0), (0, 0)))(b)
    y = layers.BatchNormalization()(layers.Add()([a, b]))
    y = layers.SeparableConv2D(16, 3, dilation_rate=2, padding="same", depth_multiplier=2)(y)
    y = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(layers.MaxPooling2D(3, 2, padding="same")(y))
    y = layers.Cropping2D(((1, 0), (0, 0)))(y)
    y = layers.UpSampling2D((2, 3), interpolation="bilinear")(layers.Concatenate()([y, a]))
    y = layers.Dropout(0.3)(layers.Cropping2D(1)(layers.ZeroPadding2D(((1, 0), 2))(y)))
    y = layers.DepthwiseConv2D(3, depth_multiplier=2)(y)
    return Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))


NETWORKS = {
    **{name: (of_architecture, name) for name in architectures.names()},
    **{f"contract {name}": (of_example, name) for name in test_contract.EVERY},
    "branched": (lambda _: branched(), ""),
}
EVERY_NETWORK = pytest.mark.parametrize("name", NETWORKS)


def network(name):
    make, argument = NETWORKS[name]
    return make(argument)


def check_line(line: Line) -> None:
    """Check that what is printed holds: the formula comes to the value, and the value is printed as it is."""
    assert line.topic in TOPICS
    name, *rest = line.equation.split(" = ")
    assert name == line.name
    assert len(rest) in (1, 2)
    printed = rest[-1].removesuffix(line.unit).rstrip()
    assert worked_out(printed) == line.value
    assert worked_out(line.formula) == line.value, f"{line} is wrong"
    assert str(line).startswith(line.equation)


def printed_lines(explanation: Explanation) -> list[str]:
    return [line.strip() for line in str(explanation).splitlines()]


@EVERY_NETWORK
def test_every_printed_line_comes_to_its_value(name):
    explanation = explain(network(name))
    text = printed_lines(explanation)
    for line in [*explanation.totals, *(line for layer in explanation.layers for line in layer.lines)]:
        check_line(line)
        assert str(line) in text


@pytest.mark.parametrize(
    "wrong",
    [
        Line("output", "output_h", "(28 + 2·0 − 3) // 1 + 1", 27),
        Line("parameters", "parameters", "3·3·3·8", 224),
        Line("memory", "memory", "784·4", 3137, "bytes"),
        Line("output", "output_h", "28 by hand", 28),
    ],
)
def test_the_check_rejects_a_wrong_line(wrong):
    with pytest.raises((AssertionError, ValueError)):
        check_line(wrong)


def values_along(layer: LayerDerivation, stem: str) -> list[int | Fraction | None]:
    """For each axis of the output the value of its line, ``None`` without one."""
    lines = {one: line for line in layer.lines for one in (line.name, *line.also)}
    names = [f"{stem}{name}" for name in axis_names(layer.output_shape)]
    return [lines[one].value if one in lines else None for one in names]


def check_sizes(layer: LayerDerivation) -> None:
    """Check that each size has a line, or is as it came in."""
    found = values_along(layer, "output")
    for axis, (size, worked) in enumerate(zip(layer.output_shape, found, strict=True)):
        if worked is None:
            assert all(len(shape) == len(layer.output_shape) and shape[axis] == size for shape in layer.input_shapes)
        else:
            assert worked == size
    if all(worked is None for worked in found):
        assert any(said.startswith("It keeps the shape") for said in layer.remarks)


@pytest.mark.slow
@EVERY_NETWORK
def test_lines_agree_with_what_the_model_says(name):
    model = network(name)
    explanation, graph = explain(model, batch_size=3), model.graph
    counts, products, fields = graph.parameter_counts(), graph.multiply_accumulates(), graph.receptive_fields()
    shapes = graph.shapes()
    seen = set()
    for place, (node, layer) in enumerate(zip(graph.nodes, explanation.layers, strict=True)):
        assert (layer.name, layer.kind) == (node.name, type(node.layer).__name__)
        assert layer.output_shape == shapes[place]
        assert layer.lines or layer.remarks
        assert "by the layer's own rule" not in str(layer.lines)
        assert "as the layer counts them" not in str(layer.lines)
        values = {line.name: line.value for line in layer.lines}
        assert values.get("multiply–accumulates", 0) == products[place]
        expected = 0 if node.name in seen else sum(counts.get(node.name, (0, 0)))
        assert values.get("parameters", 0) == expected
        seen.add(node.name)
        assert values["memory"] == 4 * math.prod(shapes[place])
        if node.inputs:
            check_sizes(layer)
        check_field(layer, fields[place])
    whole = {line.name: line.value for line in explanation.totals}
    assert whole.get("parameters", 0) == model.count_params() == model.summary(print_to=None).total
    assert whole.get("multiply–accumulates", 0) == model.summary(print_to=None).multiply_accumulates
    assert whole["memory"] == 4 * sum(map(math.prod, shapes))


def check_field(layer, field):
    if field is None:
        assert layer.receptive_field is layer.jump is layer.offset is None
        return
    assert (layer.receptive_field, layer.jump) == (field.size, field.stride)
    for stem, real in (("field", field.size), ("jump", field.stride), ("offset", layer.offset)):
        lines = {one: line.value for line in layer.lines for one in (line.name, *line.also)}
        for axis, truth in zip(axis_names((*field.size, 1)), real, strict=False):
            assert lines.get(f"{stem}{axis}", truth) == truth


def test_check_of_sizes_rejects_a_silent_layer():
    layer = explain(Sequential([layers.Conv2D(8, 3, input_shape=(9, 9, 1))])).layer("conv2d")
    check_sizes(layer)
    with pytest.raises(AssertionError):
        check_sizes(dataclasses.replace(layer, lines=layer.lines[1:]))
    with pytest.raises(AssertionError):
        check_sizes(dataclasses.replace(layer, output_shape=(8, 7, 8)))


def test_a_window_has_a_formula_for_every_size_and_for_its_products():
    for name, (make, argument) in NETWORKS.items():
        if not name.startswith("contract"):
            continue
        layer = make(argument).layers[0]
        if layer.window is None and not hasattr(layer, "transposed_window"):
            continue
        lines = {line.name: line for line in explain(make(argument)).layers[-1].lines}
        axis = axis_names(layer.output_shape(make(argument).input_shape[1:]))[0]
        assert any(sign in lines[f"output{axis}"].formula for sign in "·/"), name
        if "multiply–accumulates" in lines:
            assert "·" in lines["multiply–accumulates"].formula


def test_parameters_are_those_of_the_real_arrays():
    model = branched()
    for layer in explain(model).layers:
        arrays = [*model.params.get(layer.name, {}).values(), *model.state.get(layer.name, {}).values()]
        values = [line.value for line in layer.lines if line.name == "parameters"]
        assert sum(values) == sum(array.size for array in arrays)


# Lectures.


def test_lecture_000_with_pooling():
    explanation = explain(architectures.get("lecture-convnet")((28, 28, 1), 10))
    parameters = [line.value for layer in explanation.layers for line in layer.lines if line.name == "parameters"]
    assert parameters == [320, 18496, 73856, 11530]
    sizes = [layer.line("output_h").value for layer in explanation.layers[1:6]]
    assert sizes == [26, 13, 11, 5, 3]
    third = explanation.layer("conv2d_2")
    assert str(third.line("field_h")) == (
        "field_h = 10 + (3 − 1)·4 = 18, field_w the same: input cells that one cell sees"
    )
    assert (third.receptive_field, third.jump, third.offset) == ((18, 18), (4, 4), (0, 0))
    assert "Its first cell sees rows 0 to 17 and columns 0 to 17 of the 28×28 input." in third.remarks
    totals = [line.equation for line in explanation.totals]
    assert totals[0] == "parameters = 320 + 18 496 + 73 856 + 11 530 = 104 202"
    assert totals[2] == "multiply–accumulates = 194 688 + 2 230 272 + 663 552 + 11 520 = 3 100 032"
    lost = explanation.layer("max_pooling2d_1").line("unseen")
    assert str(lost) == (
        "unseen = 11·11 − 10·10 = 21: cells of each channel that no window sees, 17.4 % of 11×11: "
        "the last row and the last column"
    )


def test_lecture_000_without_pooling():
    explanation = explain(architectures.get("lecture-convnet-without-pooling")((28, 28, 1), 10))
    assert explanation.layer("flatten").remarks[1] == (
        "61 952 numbers go on: so many weights for each unit of a Dense after it."
    )
    assert explanation.layers[-1].line("parameters").equation == "parameters = 61 952·10 + 10 = 619 530"
    assert explanation.layer("conv2d_2").receptive_field == (7, 7)
    assert [line.value for line in explanation.totals if line.name == "parameters"] == [712202]
    assert [line.value for line in explanation.totals if line.name == "multiply–accumulates"] == [47115392]
    assert "dense has 87.0 % of all parameters: 619 530 of 712 202." in explanation.remarks


def test_lecture_002():
    model = Sequential(
        [
            layers.Conv2D(8, (3, 3), padding="same", activation="relu", input_shape=(28, 56, 3)),
            layers.Conv2D(5, (3, 2), strides=(2, 3), padding="valid", activation="relu"),
            layers.MaxPooling2D(pool_size=(3, 3)),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    text = printed_lines(model.explain())
    for line in (
        "output_h = (28 + 2·1 − 3) // 1 + 1 = 28",
        "output_w = (56 + 2·1 − 3) // 1 + 1 = 56",
        "parameters = 3·3·3·8 + 8 = 224: window · channels · filters + bias",
        "output_h = (28 + 2·0 − 3) // 2 + 1 = 13",
        "output_w = (56 + 2·0 − 2) // 3 + 1 = 19",
        "parameters = 3·2·8·5 + 5 = 245: window · channels · filters + bias",
        "output_h = (13 − 3) // 3 + 1 = 4",
        "output_w = (19 − 3) // 3 + 1 = 6",
        "output = 4·6·5 = 120: all in one row",
        "parameters = 120·3 + 3 = 363: inputs · units + bias",
    ):
        assert line in text
    assert "parameters = 224 + 245 + 363 = 832" in text


def test_lecture_001_and_002_sizes():
    def first(layer, shape):
        return explain(Sequential([layer], name="one"), input_shape=shape).layers[1]

    assert first(layers.Conv2D(1, 3, strides=2), (5, 5, 1)).output_shape == (2, 2, 1)
    fifteen = first(layers.MaxPooling2D(2), (15, 15, 1))
    assert [fifteen.line(name).value for name in ("output_h", "seen_h", "unseen")] == [7, 14, 29]
    assert first(layers.Dense(1), (120000,)).line("parameters").equation == "parameters = 120 000·1 + 1 = 120 001"
    frame = first(layers.Conv2D(1, 3, padding="same"), (5, 5, 1))
    assert str(frame.line("added")) == "added = 7·7 − 5·5 = 24: zeros around each channel, 49.0 % of 7×7"
    assert str(frame.line("padding_w")) == (
        "padding_h = max((5 − 1)·1 + 3 − 5, 0) = 2, padding_w the same: 1 before, 1 after"
    )


# What training keeps, and in which precision.


def memory_of(model, name, **settings):
    return explain(model, **settings).layer(name).line("memory_training").equation


def small():
    return Sequential(
        [
            layers.Conv2D(8, 3, input_shape=(9, 9, 1)),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def test_memory_of_training():
    model = small()
    assert memory_of(model, "input_1", batch_size=16) == "memory_training = 81·4·16 = 5 184 bytes"
    assert memory_of(model, "conv2d", batch_size=16) == "memory_training = 2·392·4·16 + 80·4 = 50 496 bytes"
    whole = explain(model, batch_size=16).totals[-1]
    assert whole.name == "memory_training"
    assert whole.value == sum(
        line.value for layer in explain(model, batch_size=16).layers for line in layer.lines if line.name == whole.name
    )


def test_frozen_layers_need_no_gradients():
    model = small()
    model.freeze("conv2d")
    explanation = explain(model, batch_size=2)
    for name in ("input_1", "conv2d", "re_lu"):
        assert all(line.name != "memory_training" for line in explanation.layer(name).lines)
    # The last layer learns from what comes in, which is kept; nothing before it has a gradient.
    assert explanation.layer("flatten").line("memory_training").equation == "memory_training = 392·4·2 = 3 136 bytes"
    assert explanation.layer("dense").line("memory_training").value == 2 * 4 * 4 * 2 + (392 * 4 + 4) * 4
    assert "It is frozen: training leaves its parameters as they are." in explanation.layer("conv2d").remarks


def test_memory_follows_the_real_precision_of_every_output(monkeypatch):
    x = layers.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, padding="same")(x)
    y = layers.Activation("tanh")(layers.BatchNormalization()(y))
    y = layers.Concatenate()([y, layers.AveragePooling2D(3, 1, padding="same")(y)])
    model = Model(x, layers.Dense(2)(layers.Dense(5, activation="relu")(layers.Flatten()(y))))
    model.policy = "mixed_bfloat16"
    taken = {}

    def seen(policy, layer, params, inputs, **settings):
        taken[id(layer)] = [value.dtype.itemsize for value in inputs]
        return operands(policy, layer, params, inputs, **settings)

    operands = graphs.operands
    monkeypatch.setattr(graphs, "operands", seen)
    params, state = model.graph.init(jax.random.key(0))
    batch = jax.ShapeDtypeStruct((2, 8, 8, 3), np.float32)
    key = jax.random.key(0)
    out = jax.eval_shape(lambda x: model.apply(params, state, x, training=True, key=key)[0], batch)
    explanation = explain(model)
    bytes_of = {
        layer.name: Fraction(layer.line("memory").value, math.prod(layer.output_shape)) for layer in explanation.layers
    }
    checked = set()
    for node in model.graph.nodes:
        for spot, size in zip(node.inputs, taken.get(id(node.layer), []), strict=False):
            assert bytes_of[model.graph.nodes[spot].name] == size
            checked.add(size)
    assert checked == {2, 4}
    assert bytes_of[explanation.layers[-1].name] == out.dtype.itemsize == 4


# What is said where there is nothing to work out, and where rules are the user's own.


def test_a_layer_with_nothing_to_derive_says_so():
    model = Sequential([layers.Input((4, 4, 2)), layers.ReLU(), layers.Dropout(0.5), layers.Softmax()])
    explanation = explain(model)
    assert explanation.layer("re_lu").remarks == ("It keeps the shape 4×4×2.", "It has no parameters.")
    assert explanation.layer("dropout").remarks[-1] == "It acts in training only."
    assert [line.topic for line in explanation.layer("softmax").lines] == ["memory"] * 2


def test_layers_of_the_users_own_are_told_as_they_say():
    class Halves(layers.Layer):
        def output_shape(self, input_shape):
            return (input_shape[0] // 2, *input_shape[1:])

        def multiply_accumulates(self, input_shape):
            return 7

        def parameters(self, input_shape):
            return {"weights": layers.Parameter((3, 2), "zeros"), "shift": layers.Parameter((5,), "zeros")}

    class Odd(layers.Conv2D):
        def output_shape(self, input_shape):
            return (1, 1, self.filters)

        def multiply_accumulates(self, input_shape):
            return 11

    x = layers.Input((8, 6, 2))
    explanation = explain(Model(x, Odd(4, 3)(Halves()(x))))
    halves, odd = explanation.layers[1:]
    assert str(halves.line("output_h")) == "output_h = 4: by the layer's own rule"
    assert str(halves.line("multiply–accumulates")) == "multiply–accumulates = 7: as the layer counts them"
    assert str(halves.line("parameters")) == "parameters = 3·2 + 5 = 11: weights + shift"
    assert str(odd.line("output_w")) == "output_h = 1, output_w the same: by the layer's own rule"
    assert odd.line("multiply–accumulates").formula == "11"
    for layer in explanation.layers:
        for line in layer.lines:
            check_line(line)


def test_weights_that_are_shared_are_counted_once():
    x, z = layers.Input((6, 6, 1)), layers.Input((6, 6, 1))
    shared = layers.Conv2D(2, 3)
    explanation = explain(Model([x, z], layers.Add()([shared(x), shared(z)])))
    first, second = (layer for layer in explanation.layers if layer.name == "conv2d")
    assert first.line("parameters").value == 20
    assert "Its weights are those of its first use and were counted there." in second.remarks
    assert explanation.totals[0].value == 20


def test_sizes_that_vary():
    model = Sequential(
        [layers.Input((None, None, 3)), layers.MaxPooling2D(2), layers.Conv2D(4, 3), layers.GlobalMaxPooling2D()]
    )
    explanation = explain(model)
    pool, convolution = explanation.layer("max_pooling2d"), explanation.layer("conv2d")
    assert [line.name for line in pool.lines] == ["field_h", "jump_h", "offset_h"]
    assert pool.remarks[:2] == (
        "It has no parameters.",
        "Sizes marked ? vary; give input_shape to work them out.",
    )
    assert convolution.line("parameters").value == 112
    assert [line.name for line in explanation.totals] == ["parameters", "memory_parameters"]
    known = explain(model, input_shape=(28, 14, 3))
    assert known.layer("conv2d").output_shape == (12, 5, 4)
    assert known.layer("conv2d").line("output_w").equation == "output_w = (7 + 2·0 − 3) // 1 + 1 = 5"
    assert model.input_shape == (None, None, None, 3)


def test_a_model_without_shapes_takes_them_from_the_question():
    model = Sequential([layers.Conv2D(4, 3, name="first"), layers.Flatten(), layers.Dense(2)])
    assert explain(model, input_shape=(5, 5, 1)).layer("first").output_shape == (3, 3, 4)
    assert not model.built
    with pytest.raises(ShapeError, match="the shape of the input is known before the first number is"):
        explain(model)


def test_a_sum_that_nobody_adds_up_is_not_written_out():
    totals = explain(architectures.get("resnet18")((64, 64, 3), 10)).totals
    assert str(totals[0]) == f"parameters = {totals[0].formula}: the sum over 41 layers"
    assert totals[0].value == 11_181_642 + 2 * 4_800  # as torchvision counts it, and the moving means and variances


def test_one_layer():
    explanation = explain(small(), "conv2d")
    assert [layer.name for layer in explanation.layers] == ["conv2d"]
    assert explanation.totals == ()
    assert "The whole network" not in str(explanation)


def test_mistakes():
    model = small()
    with pytest.raises(ArgumentError) as error:
        explain(model, "conv2")
    assert str(error.value) == (
        "explain: a layer is named as in model.summary(). Received layer='conv2'. Did you mean 'conv2d'?"
    )
    with pytest.raises(ArgumentError) as error:
        explain(model, batch_size=0)
    assert str(error.value).startswith("explain: batch_size is a whole number of at least 1. Received batch_size=0.")
    with pytest.raises(ShapeError) as error:
        explain(model, input_shape=(28, 28, 1))
    assert str(error.value) == (
        "explain: the model takes 9×9×1. Received input_shape=(28, 28, 1). Leave input_shape out."
    )
    x, z = layers.Input((6,)), layers.Input((6,))
    with pytest.raises(ArgumentError) as error:
        explain(Model([x, z], layers.Add()([x, z])), input_shape=(6,))
    assert str(error.value) == (
        "explain: input_shape is for a model with one input. Received 2 inputs. "
        "Leave input_shape out, and give the sizes to each Input."
    )
    with pytest.raises(ArgumentError, match=r"the derivation of 'conv2d' has the lines output_h, output_w, "):
        explain(model).layer("conv2d").line("depth")
    with pytest.raises(ArgumentError, match=r"layers are input_1, conv2d, re_lu, flatten, dense\. Received 'dens'\."):
        explain(model).layer("dens")


def test_data_is_ready_for_json_and_a_loaded_model_says_the_same(tmp_path):
    model = branched()
    document = json.loads(json.dumps(model.explain().to_dict(), allow_nan=False))
    enlarged = next(layer for layer in document["layers"] if layer["kind"] == "UpSampling2D")
    assert enlarged["jump"] == [1.0, pytest.approx(2 / 3)]
    assert {"topic", "name", "formula", "value", "unit", "note", "also"} == set(document["totals"][0])
    model.save(tmp_path / "one.convista")
    assert str(load_model(tmp_path / "one.convista").explain()) == str(model.explain())


def test_the_page_shows_what_is_printed():
    page = (Path(__file__).parents[3] / "docs" / "explain.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    model = Sequential(
        [
            layers.Conv2D(8, (3, 3), padding="same", activation="relu", input_shape=(28, 56, 3)),
            layers.Conv2D(5, (3, 2), strides=(2, 3), activation="relu"),
        ]
    )
    assert shown.strip() in str(model.explain())
