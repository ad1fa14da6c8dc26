"""The walk of one cell: the lecture's example, every way to name a cell, every mistake, every form it is shown in."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from scipy.signal import correlate

from convista import Input, Model, Sequential, data
from convista.errors import ArgumentError, DataError, ShapeError
from convista.insight.inspection import place_of, values
from convista.insight.walks import tracing as traces
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL
from convista.insight.walks.tracing import TraceMismatchError, trace
from convista.layers import (
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)

X = np.random.default_rng(0).normal(size=(9, 8, 2)).astype(np.float32)


def network(**settings) -> Sequential:
    return Sequential(
        [
            Input((9, 8, 2)),
            Conv2D(4, 3, padding="same", activation="relu", name="first", **settings),
            MaxPooling2D(2, name="pool"),
            Flatten(name="flat"),
            Dense(3, activation="softmax", name="answer"),
        ],
        seed=1,
    )


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def lecture():
    model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, use_bias=False, name="edges")])
    model.set_weights([np.float32(LECTURE_KERNEL).reshape(3, 3, 1, 1)])
    return model


def test_the_nine_cells_of_lecture_001(lecture):
    picture = np.float32(LECTURE_INPUT)
    found = np.array([[lecture.trace(picture, "edges", row, col).value for col in range(3)] for row in range(3)])
    np.testing.assert_array_equal(
        found, [[-1, -1, -5], [6, -1, -11], [5, -4, -10]]
    )  # the lecture prints 10 as the last
    np.testing.assert_array_equal(found, correlate(LECTURE_INPUT, LECTURE_KERNEL, "valid"))
    last = lecture.trace(picture, "edges", 2, 2)
    np.testing.assert_array_equal(last.patches[0].values[..., 0], [[5, 1, 0], [5, 5, 0], [0, 0, 0]])
    np.testing.assert_array_equal(last.patches[0].products[..., 0], [[-5, 0, 0], [-5, 0, 0], [0, 0, 0]])
    assert last.difference == 0


def test_every_layer_of_a_network_equals_a_correlation_by_scipy(model):
    kernel, bias = (np.asarray(array, np.float64) for array in model.get_weights()[:2])
    padded = np.pad(X.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    for channel in range(4):
        whole = sum(correlate(padded[..., c], kernel[..., c, channel], "valid") for c in range(2)) + bias[channel]
        for row, col in [(0, 0), (4, 7), (8, 3)]:
            found = model.trace(X, "first", row, col, channel)
            assert found.lines[1].value == pytest.approx(whole[row, col], rel=1e-9)
            assert found.value == pytest.approx(max(whole[row, col], 0), rel=1e-9)
            assert found.patches[0].sums.sum() + bias[channel] == pytest.approx(whole[row, col], rel=1e-9)


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ((3, 5, 2), {}),
        ((), {"row": 3, "col": 5, "channel": 2}),
        ((3, 5), {"channel": 2}),
        ((5, 2), {"row": 3}),
        ((np.int64(3),), {"col": 5, "channel": 2}),
    ],
)
def test_every_way_to_name_a_cell(model, cell, named):
    assert model.trace(X, "first", *cell, **named).cell == (3, 5, 2)
    assert trace(model, X, "first", *cell, **named).axes == ("row", "col", "channel")


def test_sequences_and_volumes():
    line = Sequential([Input((12, 3)), Conv1D(2, 3, name="line")], seed=0)
    x = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    assert line.trace(x, "line", position=4, channel=1).cell == line.trace(x, "line", 4, 1).cell == (4, 1)
    volume = Sequential([Input((5, 6, 7, 1)), Conv3D(1, 2, name="box")], seed=0)
    x = np.random.default_rng(0).normal(size=(5, 6, 7, 1)).astype(np.float32)
    assert volume.trace(x, "box", depth=1, row=2, col=3).cell == volume.trace(x, "box", 1, 2, 3).cell == (1, 2, 3, 0)


OUTSIDE = "a cell of its 9×8×4 map is row, col, channel"
RANGES = "Here they go row 0…8, col 0…7, channel 0…3."


@pytest.mark.parametrize(
    ("cell", "named", "received"),
    [
        ((9, 0, 0), {}, "row=9"),
        ((0, -1, 0), {}, "col=-1"),
        ((0, 0, 4), {}, "channel=4"),
        ((0, 1.5, 0), {}, "col=1.5"),
        ((True, 0, 0), {}, "row=True"),
        ((0, 0, 0, 0), {}, "4 numbers"),
        ((1, 0, 0), {"row": 3}, "row twice, 1 and row=3"),
        ((0, 0, 0), {"depth": 3}, "depth=3"),
        ((0, 9), {"depth": 3, "channel": 99}, "depth=3, channel=99, col=9"),
    ],
)
def test_a_cell_outside_its_map(model, cell, named, received):
    with pytest.raises(ArgumentError) as error:
        model.trace(X, "first", *cell, **named)
    assert str(error.value) == f"trace, Conv2D 'first': {OUTSIDE}. Received {received}. {RANGES}"


@pytest.mark.parametrize(
    ("cell", "named", "received", "example"),
    [
        ((), {}, "no cell, without row and col and channel", "row=0, col=0, channel=0"),
        ((2, 3), {}, "row=2, col=3, without channel", "row=2, col=3, channel=0"),
        ((0, 0), {"position": 3}, "position=3, without channel", "row=0, col=0, channel=0"),
        ((), {"channel": 99, "depth": 3}, "depth=3, channel=99, without row and col", "row=0, col=0, channel=0"),
    ],
)
def test_a_cell_without_all_its_indices(model, cell, named, received, example):
    with pytest.raises(ArgumentError) as error:
        model.trace(X, "first", *cell, **named)
    ranges = f"{RANGES[:-1]}: for example {example}."
    assert str(error.value) == f"trace, Conv2D 'first': {OUTSIDE}. Received {received}. {ranges}"
    numbers = dict(part.split("=") for part in example.split(", "))
    assert model.trace(X, "first", **{name: int(number) for name, number in numbers.items()}).layer == "first"


def test_a_unit_that_is_not_there(model):
    with pytest.raises(ArgumentError) as error:
        model.trace(X, "answer", channel=3)
    assert str(error.value) == "trace, Dense 'answer': a cell is its channel. Received channel=3. Here it goes 0…2."


def test_unknown_layers_say_what_exists(model):
    with pytest.raises(ArgumentError) as error:
        model.trace(X, "frist", 0, 0, 0)
    rule = "trace: a layer is named as in model.summary(). Received layer='frist'."
    assert str(error.value) == f"{rule} Did you mean 'first'? Known: first, pool, flat, answer."
    with pytest.raises(ArgumentError) as error:
        model.trace(X, "xyz", 0, 0, 0)
    assert str(error.value) == f"{rule.replace('frist', 'xyz')} Known: first, pool, flat, answer."


def test_pictures_of_another_size_or_mode(model):
    with pytest.raises(ShapeError, match="batches of 9×8×2"):
        model.trace(X[:8], "first", 0, 0, 0)
    with pytest.raises(ShapeError, match="batches of 9×8×2"):
        model.trace(X[..., :1], "first", 0, 0, 0)
    with pytest.raises(ShapeError, match="one example is looked at, not a batch"):
        model.trace(np.stack([X, X]), "first", 0, 0, 0)
    digits = Sequential([Input((8, 8, 1)), Conv2D(2, 3)], seed=0)
    with pytest.raises(DataError):
        digits.trace("nowhere.png", "conv2d", 0, 0, 0)


def test_a_disagreement_is_loud(model, monkeypatch):
    found = traces.values
    monkeypatch.setattr(
        traces,
        "values",
        lambda *given: [array * np.float32(1.0001) for array in found(*given)[:-1]] + [found(*given)[-1]],
    )
    with pytest.raises(TraceMismatchError) as error:
        model.trace(X, "answer", 1)
    message = str(error.value)
    assert message.startswith("Dense 'answer': channel 1 of 3: the network computed 0.")
    assert "more than" in message
    assert message.endswith("please report it with the model")


def test_weights_that_are_not_finite_are_walked_too():
    model = network()
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] = np.nan
    model.set_weights(weights)
    found = model.trace(X, "first", 4, 4, 0)
    assert np.isnan(found.value)
    assert (found.difference, np.isnan(found.computed)) == (0.0, True)


def test_branches_shared_layers_and_names_of_sources():
    x = Input((8, 8, 2), name="picture")
    shared = Conv2D(2, 3, padding="same", name="shared")
    first = shared(x)
    both = Add(name="both")([first, shared(first)])
    model = Model(x, GlobalAveragePooling2D(name="mean")(BatchNormalization(name="normal")(both)), seed=2)
    picture = np.random.default_rng(0).normal(size=(8, 8, 2)).astype(np.float32)
    assert model.trace(picture, "both", 1, 2, 0).sources == ("shared", "shared")
    last = model.trace(picture, "shared", 1, 2, 0)  # the last use: what it takes is its own output
    assert last.sources == ("shared",)
    np.testing.assert_allclose(last.taken[0], np.asarray(Model(x, first, seed=2)(picture[None]))[0], atol=1e-5)
    names = [line.name for line in model.trace(picture, "normal", 1, 2, 0).lines]
    assert names == ["x", "normalized", "scaled", "shifted"]


def test_a_model_with_two_inputs_is_refused():
    x, y = Input((4,)), Input((4,))
    with pytest.raises(ArgumentError, match="the model has one input and one output"):
        Model([x, y], Add(name="sum")([x, y])).trace(np.zeros(4), "sum", 0)


def test_sizes_that_vary():
    model = Sequential([Input((None, None, 1)), Conv2D(2, 3, name="conv")], seed=0)
    assert model.trace(np.ones((6, 7, 1), np.float32), "conv", 3, 4, 1).shape == (4, 5, 2)


@pytest.mark.parametrize("layer", ["first", "pool", "flat", "answer"])
def test_mixed_precision(layer):
    model = network()
    (output,) = values(model, X[None], (place_of(model, layer, "test"),))
    cell = np.unravel_index(int(output[0].argmax()), output[0].shape)
    model.policy = "mixed_bfloat16"
    found = model.trace(X, layer, *cell)
    assert found.difference <= found.tolerance
    assert found.precision == ("float32" if layer == "answer" else "bfloat16")
    # What the network has inside, not what it would have in float32.
    assert 1e-6 < abs(found.computed / output[0][cell] - 1) < 0.02
    if layer == "answer":
        assert found.computed == pytest.approx(float(model.predict(X[None])[0][cell]), abs=1e-6)


def test_a_saved_model_and_a_file(tmp_path):
    from PIL import Image

    from convista import Preprocessing
    from convista.models import load_model

    model = Sequential([Input((8, 8, 1)), Conv2D(2, 3, name="conv")], seed=0)
    model.preprocessing = Preprocessing(scale=1 / 255)
    pixels = data.load("digits").test.x[0]
    Image.fromarray(pixels[..., 0]).save(tmp_path / "digit.png")
    model.save(tmp_path / "m.convista")
    from_file = load_model(tmp_path / "m.convista").trace(tmp_path / "digit.png", "conv", 2, 2, 1)
    assert from_file.computed == model.trace(pixels, "conv", 2, 2, 1).computed
    assert from_file.taken[0].max() <= 1


def test_plain_data(model):
    document = model.trace(X, "first", 0, 3, 2).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["cell"] == {"row": 0, "col": 3, "channel": 2}
    assert document["patches"][0]["inside"][0] == [False, False, False]
    assert document["lines"][-1]["name"] == "relu"


def test_the_second_answer_is_at_once(model):
    model.trace(X, "answer", 0)
    best = min(_seconds(lambda: model.trace(X, "answer", 1)) for _ in range(5))
    assert best < 0.3  # 1 ms on a quiet machine


def _seconds(question):
    began = time.perf_counter()
    question()
    return time.perf_counter() - began
