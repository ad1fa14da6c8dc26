"""Maps that go when the weights go, one that famously stays, and one that never depended on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from convista import Model, Preprocessing
from convista.data import load
from convista.errors import ArgumentError, ShapeError
from convista.insight import attribute, sanity_check
from convista.insight.attributions.methods import METHODS, Explained, Method
from convista.insight.attributions.sanity import rank_correlation
from convista.layers import Conv1D, Conv2D, Dense, Flatten, Input
from convista.models import Sequential
from oracles import planted

DIGITS = range(6)


@pytest.mark.parametrize("method", METHODS)
def test_drawing_the_weights_anew_destroys_the_map(method: str) -> None:
    """In noise that is as bright as the patch, nothing but the weights can tell where to look."""
    model = planted.shared()
    x, _, _ = planted.pictures(3, seed=7)
    settings = {"size": 3, "stride": 1} if method == "occlusion" else {}
    checks = [
        sanity_check(model, picture, method, randomize="whole", draw=draw, **settings)
        for picture in x
        for draw in range(3)
    ]
    assert np.mean([check.correlations[-1] for check in checks]) < 0.35
    assert np.mean([check.passed for check in checks]) > 0.6


@pytest.fixture
def deaf(monkeypatch) -> None:
    """A method that shows the picture, whatever the network is."""

    @dataclass(frozen=True)
    class Edges(Method):
        meaning: ClassVar[str] = "brightness"

        def explain(self, score, x):
            return Explained(x[0, ..., 0], x[0])

    monkeypatch.setitem(METHODS, "edges", Edges)


def test_a_method_that_shows_the_picture_is_caught(deaf) -> None:
    x, _, _ = planted.pictures(1, seed=7)
    check = sanity_check(planted.shared(), x[0], "edges")
    assert not check.passed
    np.testing.assert_allclose(check.correlations, 1)
    assert "the map hardly depends on what was learned" in str(check)


@pytest.fixture(scope="module")
def digits() -> Model:
    data = load("digits")
    model = Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(12, 3, padding="same", activation="relu", name="first"),
            Conv2D(24, 3, activation="relu", name="second"),
            Conv2D(24, 3, activation="relu", name="third"),
            Flatten(),
            Dense(10, activation="softmax", name="answer"),
        ],
        seed=0,
    )
    model.preprocessing = Preprocessing(scale=1 / 255)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.learning_rate = 0.003
    model.fit(data.train.x, data.train.y, epochs=6, verbose=0)
    return model


def correlations(model: Model, method: str, randomize: str) -> np.ndarray:
    pictures = load("digits").test.x
    checks = [sanity_check(model, pictures[number], method, randomize=randomize) for number in DIGITS]
    return np.mean([check.with_signs for check in checks], axis=0)


def test_guided_backpropagation_keeps_its_map(digits: Model) -> None:
    """What Adebayo et al. and Nie et al. (both 2018) found: it restores the picture. The plain gradient does not."""
    guided, plain = (correlations(digits, name, "cascading") for name in ("guided_backpropagation", "saliency"))
    assert guided[-1] > 0.4
    assert abs(plain[-1]) < 0.2
    assert guided[0] > plain[0]


def test_guided_backpropagation_hardly_tells_classes_apart(digits: Model) -> None:
    pictures = load("digits").test.x

    def alike(method: str) -> float:
        pairs = [[attribute(digits, pictures[number], method, target).raw for target in (1, 8)] for number in DIGITS]
        return float(np.mean([rank_correlation(one, other) for one, other in pairs]))

    assert alike("guided_backpropagation") > 0.6
    assert alike("saliency") < 0.4
    assert alike("integrated_gradients") < 0.5


@pytest.mark.parametrize("method", ["saliency", "smoothgrad", "integrated_gradients", "grad_cam", "occlusion"])
def test_the_signs_of_the_others_go(method: str, digits: Model) -> None:
    assert correlations(digits, method, "whole")[-1] < 0.3


def test_the_ink_of_a_digit_stays_without_signs(digits: Model) -> None:
    """Where the picture is 0, integrated gradients are 0 for every network: without signs the map shows the ink."""
    pictures = load("digits").test.x
    checks = [sanity_check(digits, pictures[n], "integrated_gradients", randomize="whole") for n in DIGITS]
    assert np.mean([check.without_signs[-1] for check in checks]) > 0.7


def test_steps_are_layers_from_the_last(digits: Model) -> None:
    picture = load("digits").test.x[0]
    check = sanity_check(digits, picture, "saliency")
    assert check.layers == ("answer", "third", "second", "first")
    assert check.maps.shape == (4, 8, 8)
    alone = sanity_check(digits, picture, "saliency", randomize="independent")
    whole = sanity_check(digits, picture, "saliency", randomize="whole")
    assert (alone.layers, whole.layers) == (check.layers, ("all",))
    np.testing.assert_allclose(alone.maps[0], check.maps[0])  # the first step is the same
    np.testing.assert_allclose(whole.maps[0], check.maps[-1])  # and so is the end
    assert not np.allclose(alone.maps[-1], check.maps[-1])
    other = sanity_check(digits, picture, "saliency", randomize="whole", draw=1)
    assert not np.allclose(other.maps, whole.maps)


def test_the_model_stays_as_it_is(digits: Model) -> None:
    before = digits.get_weights()
    picture = load("digits").test.x[0]
    first = attribute(digits, picture, "saliency").map
    sanity_check(digits, picture, "saliency")
    for one, other in zip(before, digits.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(attribute(digits, picture, "saliency").map, first)


def test_data_text_and_figure(digits: Model, tmp_path) -> None:
    check = sanity_check(digits, load("digits").test.x[0], "grad_cam")
    document = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert document["layers"] == list(check.layers)
    assert document["correlations"] == pytest.approx(check.correlations.tolist())
    lines = str(check).splitlines()
    assert lines[1].split() == ["weights", "drawn", "anew", "map", "with", "signs", "without"]
    assert lines[3].startswith("… and third")
    check.save(tmp_path / "check.png")
    with Image.open(tmp_path / "check.png") as image:
        assert image.size == (954, 324)


def test_only_pictures_are_drawn(tmp_path) -> None:
    model = Sequential([Input((9, 1)), Conv1D(2, 3, activation="relu"), Flatten(), Dense(2)], seed=0)
    check = sanity_check(model, np.arange(9.0, dtype=np.float32)[:, None], "saliency")
    with pytest.raises(ShapeError) as error:
        check.save(tmp_path / "check.png")
    assert str(error.value) == (
        "save: the maps of pictures are drawn. Received maps with 1 axes. Print the check, or draw .maps yourself."
    )


def test_another_order_of_layers_is_refused() -> None:
    with pytest.raises(ArgumentError, match="randomize is 'cascading', 'independent' or 'whole'"):
        sanity_check(planted.shared(), planted.pictures(1, seed=7)[0], randomize="all")


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlation_is_spearmans(seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, other = draw.integers(0, 5, (6, 7)), draw.normal(size=(6, 7))  # whole numbers are often equal
    assert rank_correlation(one, other) == pytest.approx(stats.spearmanr(one.ravel(), other.ravel()).statistic)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, np.ones((6, 7))) == 0.0
