"""Feature maps: against loops in NumPy, dead channels that were planted, and the sheet they are drawn on."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from PIL import Image

from convista import Input, Model, Preprocessing, Sequential, load_model
from convista.data.dataset import Split
from convista.errors import ArgumentError, DataError, ShapeError
from convista.insight import feature_maps
from convista.layers import Add, Conv1D, Conv2D, Conv3D, Dense, Flatten, MaxPooling2D

PICTURE = np.random.default_rng(0).random((8, 8, 1)).astype(np.float32)
BRIGHT, DARK = np.ones((8, 8, 1), np.float32), np.zeros((8, 8, 1), np.float32)


def network() -> Sequential:
    model = Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(4, 3, activation="relu", name="edges"),
            MaxPooling2D(2, name="smaller"),
            Flatten(name="flat"),
            Dense(3, activation="softmax", name="answer"),
        ],
        seed=1,
        name="small",
    )
    kernel, bias = model.get_weights()[:2]
    kernel, bias = np.abs(kernel) - 0.01, bias + 0.1
    bias[1] = -100  # dead whatever comes
    kernel[..., 2], bias[2] = 1, -0.5  # silent for a black picture only
    model.set_weights([kernel, bias, *model.get_weights()[2:]])
    return model


def test_maps_are_those_of_loops_and_so_are_their_numbers() -> None:
    model = network()
    kernel, bias = model.get_weights()[:2]
    expected = np.zeros((6, 6, 4))
    for row, column, channel in np.ndindex(6, 6, 4):
        patch = PICTURE[row : row + 3, column : column + 3, 0]
        expected[row, column, channel] = max(0.0, float((patch * kernel[:, :, 0, channel]).sum() + bias[channel]))
    maps = model.feature_maps(PICTURE)
    assert [one.layer for one in maps] == ["edges", "smaller"]
    edges = maps["edges"]
    np.testing.assert_allclose(edges.values, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(edges.values, expected[::-1], atol=1e-3)
    np.testing.assert_allclose(edges.minimum, expected.min(axis=(0, 1)), atol=1e-6)
    np.testing.assert_allclose(edges.maximum, expected.max(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(edges.mean, expected.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(edges.zeros, (expected == 0).mean(axis=(0, 1)), atol=1e-9)


def test_silent_for_a_picture_is_not_dead_for_the_data() -> None:
    model = network()
    only = model.feature_maps(DARK, "edges")["edges"]
    assert only.silent == (1, 2)
    assert only.dead is None
    assert only.claims() == ["2 of 4 silent for this picture: 1, 2"]
    data = np.stack([DARK, BRIGHT, PICTURE])
    both = model.feature_maps(DARK, "edges", data=data)
    assert both["edges"].dead == (1,)
    assert both.examples == 3
    assert both["edges"].claims(3)[1] == "1 dead for all 3 examples: 1"
    assert model.feature_maps(BRIGHT, "edges")["edges"].silent == (1,)
    alive = network()
    weights = alive.get_weights()
    alive.set_weights([weights[0], np.full(4, 0.1, np.float32), *weights[2:]])
    assert alive.feature_maps(DARK, "edges", data=data)["edges"].claims(3) == []


@pytest.mark.parametrize("form", ["array", "split", "stream of batches", "stream of inputs"])
def test_data_in_each_of_its_forms(form: str) -> None:
    pixels = (np.random.default_rng(1).random((70, 8, 8, 1)) * 255).astype(np.uint8)
    model = network()
    model.preprocessing = Preprocessing(scale=1 / 255)
    pairs = [(pixels[:40], np.zeros(40, np.int32)), (pixels[40:], np.zeros(30, np.int32))]
    forms = {
        "array": pixels,
        "split": Split(pixels, np.zeros(70, np.int64)),
        "stream of batches": iter(pairs),
        "stream of inputs": (x for x, _ in pairs),
    }
    maps = model.feature_maps(pixels[0], "edges", data=forms[form])
    assert (maps.examples, maps["edges"].dead) == (70, (1,))


def test_sequences_volumes_and_functional_models(tmp_path) -> None:
    series = Sequential([Input((20, 2)), Conv1D(3, 5, name="c"), Flatten(), Dense(2)], seed=0)
    assert series.feature_maps(np.ones((20, 2), np.float32))["c"].values.shape == (16, 3)
    volume = Sequential([Input((5, 6, 7, 1)), Conv3D(2, 3, name="c"), Flatten(), Dense(2)], seed=0)
    found = volume.feature_maps(np.ones((5, 6, 7, 1), np.float32))
    assert found["c"].values.shape == (3, 4, 5, 2)
    for number, maps in enumerate((series.feature_maps(np.ones((20, 2), np.float32)), found)):
        assert maps.save(tmp_path / f"{number}.png").exists()
    x = Input((6, 6, 3))
    branch = Conv2D(3, 3, padding="same", name="branch")(x)
    model = Model(x, Dense(2)(Flatten()(Add(name="sum")([x, branch]))), seed=0)
    picture = np.random.default_rng(0).random((6, 6, 3)).astype(np.float32)
    maps = model.feature_maps(picture)
    np.testing.assert_allclose(maps["sum"].values, picture + maps["branch"].values, rtol=1e-6, atol=1e-6)


def test_a_loaded_model_and_mixed_precision(tmp_path) -> None:
    model = network()
    model.save(tmp_path / "m.convista")
    again = load_model(tmp_path / "m.convista")
    np.testing.assert_array_equal(
        again.feature_maps(PICTURE)["edges"].values, model.feature_maps(PICTURE)["edges"].values
    )
    model.policy = "mixed_bfloat16"
    rough = model.feature_maps(PICTURE)["edges"].values
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, again.feature_maps(PICTURE)["edges"].values, atol=0.05)


def test_text_data_and_notebook() -> None:
    maps = network().feature_maps(DARK, data=np.stack([DARK, BRIGHT]))
    text = str(maps)
    assert text.startswith("Feature maps of 'small'\n\nlayer ")
    assert "edges: 1 dead for all 2 examples: 1." in text
    document = json.loads(json.dumps(maps.to_dict()))
    assert document["layers"][0]["dead_for_the_data"] == [1]
    assert document["layers"][0]["channels"][1]["zeros"] == 1.0
    page = maps._repr_html_()
    assert page.startswith('<img alt="feature maps" src="data:image/png;base64,')
    assert "<script" not in page
    one = str(network().feature_maps(DARK, "edges"))
    assert one.startswith("Conv2D 'edges' of 'small': 4 maps of 6×6\n")
    assert "silent for this picture" in one


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_sheet_says_what_it_shows(tmp_path) -> None:
    maps = network().feature_maps(DARK, data=np.stack([DARK, BRIGHT]))
    said = texts(maps.figure())
    assert "Feature maps of 'small'" in said
    assert any(text.startswith("Each map has its own scale") for text in said)
    assert "1 dead" in said
    assert any(text.startswith("2 ") and "silent" in text for text in said)
    shared = texts(maps.figure("shared"))
    assert "All maps of a layer share the scale beside them." in shared
    path = maps.save(tmp_path / "maps.png")
    with Image.open(path) as image:
        assert image.size[0] == 1008
    assert path.read_bytes() == maps.save(tmp_path / "again.png").read_bytes()
    wide = Sequential([Input((8, 8, 1)), Conv2D(100, 3, name="wide"), Flatten(), Dense(2)], seed=0)
    said = texts(wide.feature_maps(PICTURE, "wide").figure())
    assert any(text.startswith("Conv2D 'wide': 6×6×100, 64 of 100 channels, values ") for text in said)
    chosen = texts(wide.feature_maps(PICTURE, "wide").figure(channels=[99, 3]))
    assert any(", 2 of 100 channels" in text for text in chosen)
    deep = Sequential([Input((4, 4, 1)), *(Conv2D(1, 1, name=f"c{k}") for k in range(14)), Flatten(), Dense(2)], seed=0)
    said = texts(deep.feature_maps(PICTURE[:4, :4]).figure())
    assert "Feature maps of 'sequential', 12 of 14 layers" in said


def test_colours_have_the_order_of_the_numbers_in_a_grey_print() -> None:
    from convista.insight.features.scales import Scale

    for low in (0.0, -1.0):
        ramp = Scale(low, 1.0).coloured(np.linspace(low, 1, 64))
        brightness = ramp @ np.array([0.299, 0.587, 0.114])
        assert (np.diff(brightness) > -1.0).all()
        assert brightness[-1] - brightness[0] > 150
    assert Scale.of(np.array([0.0, 2.0]), around_zero=True) == Scale(-2.0, 2.0)
    assert np.abs(Scale(-1.0, 1.0).coloured(np.zeros(1))[0].astype(int) - 128).max() <= 2


def test_the_second_question_is_answered_at_once() -> None:
    model = network()
    model.feature_maps(PICTURE)
    began = time.perf_counter()
    for _ in range(5):
        model.feature_maps(PICTURE)
    assert (time.perf_counter() - began) / 5 < 0.3


def test_what_cannot_be(tmp_path) -> None:
    model = network()
    with pytest.raises(ArgumentError) as error:
        model.feature_maps(PICTURE, "edge")
    assert str(error.value) == (
        "feature_maps: a layer is named as in model.summary(). Received layer='edge'. Did you mean 'edges'? "
        "Known: edges, smaller."
    )
    with pytest.raises(ArgumentError) as error:
        model.feature_maps(PICTURE, "answer")
    assert str(error.value) == (
        "feature_maps: Dense 'answer' cannot be asked for this: its output has no positions, only channels. "
        "Received layer='answer'. Known: edges, smaller."
    )
    with pytest.raises(ArgumentError) as error:
        feature_maps(Sequential([Input((4,)), Dense(2)], name="flat"), np.zeros(4))
    assert str(error.value) == (
        "feature_maps: feature maps have positions and channels. Received 'flat', a model whose layers have none. "
        "Ask a network with convolutions, or look at the values with Model(inputs, tensor).predict(x)."
    )
    with pytest.raises(ShapeError):
        model.feature_maps(np.zeros((9, 8, 1), np.float32))
    with pytest.raises(ShapeError):
        model.feature_maps(PICTURE, data=np.zeros((2, 9, 9, 1), np.float32))
    with pytest.raises(DataError) as data_error:
        model.feature_maps(PICTURE, data=np.zeros((0, 8, 8, 1), np.float32))
    assert str(data_error.value) == "feature_maps: there is at least one example. Received none."
    maps = model.feature_maps(PICTURE)
    with pytest.raises(ArgumentError) as error:
        maps["edge"]
    assert (
        str(error.value) == "feature_maps: maps are found by the layer's name. Received 'edge'. Did you mean 'edges'?"
    )
    with pytest.raises(ArgumentError) as error:
        maps.figure(channels=[7])
    assert str(error.value) == (
        "feature_maps: 'edges' has the channels 0 to 3. Received channels=[7]. For example channels=range(4)."
    )
    with pytest.raises(ArgumentError, match="scale"):
        maps.figure("mine")
    with pytest.raises(ArgumentError, match="a folder that exists"):
        maps.save(tmp_path / "no" / "maps.png")
