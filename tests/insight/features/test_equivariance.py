"""Shifted, turned and scaled: an all-convolutional network is invariant, a dense one is not; SciPy as the oracle."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from convista import Input, Preprocessing, Sequential
from convista.errors import ArgumentError, ShapeError
from convista.insight import invariance
from convista.insight.features import equivariance
from convista.insight.features.equivariance import _correlation
from convista.layers import (
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling3D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)

ndimage = pytest.importorskip("scipy.ndimage")


def convolutional(name: str = "convolutional") -> Sequential:
    return Sequential(
        [
            Input((20, 20, 1)),
            Conv2D(6, 3, activation="relu", name="first"),
            Conv2D(8, 3, activation="relu", name="second"),
            GlobalMaxPooling2D(name="anywhere"),
            Dense(3, activation="softmax", name="answer"),
        ],
        seed=1,
        name=name,
    )


def dense() -> Sequential:
    return Sequential([Input((20, 20, 1)), Flatten(), Dense(3, activation="softmax")], seed=1, name="dense")


def object_on_plain_ground(ground: float = 0.25) -> np.ndarray:
    picture = np.full((20, 20, 1), ground, np.float32)
    picture[8:13, 7:12] = np.random.default_rng(0).random((5, 5, 1))
    return picture


def test_convolutions_with_global_pooling_are_invariant_and_a_dense_network_is_not() -> None:
    found = invariance([convolutional(), dense()], object_on_plain_ground(), shift=4, angles=(), scales=())
    exact, changing = found.models
    for change in ("shift right", "shift down"):
        assert exact.curve(change).spread < 1e-6
        assert exact.curve(change).kept == 1.0
        assert changing.curve(change).spread > 0.01
        np.testing.assert_allclose(exact.following("first", change).correlation, 1, atol=1e-6)
        np.testing.assert_allclose(exact.following("second", change).correlation, 1, atol=1e-6)
    assert changing.layers == ()


def test_beyond_the_border_invariance_ends() -> None:
    found = invariance(convolutional(), object_on_plain_ground(), shift=14, angles=(), scales=())
    assert found.models[0].curve("shift right").spread > 1e-4


def test_a_stride_breaks_it_between_its_steps() -> None:
    model = Sequential(
        [Input((20, 20, 1)), Conv2D(6, 3, strides=4, name="first"), GlobalMaxPooling2D(), Dense(3, "softmax")], seed=1
    )
    found = invariance(model, object_on_plain_ground(), shift=4, angles=(), scales=()).models[0]
    following = found.following("first", "shift right")
    assert following.stride == 4
    assert following.correlation[[0, 4, 8]] == pytest.approx(1, abs=1e-6)  # −4, 0 and 4 pixels
    assert following.correlation[[1, 2, 3, 5, 6, 7]].max() < 0.98
    assert found.curve("shift right").spread > 1e-3
    assert np.ptp(found.curve("shift right").followed[[0, 4, 8]]) < 1e-6


def test_the_correlation_is_that_of_loops() -> None:
    random = np.random.default_rng(0)
    before, after = random.random((6, 5, 2)), random.random((6, 5, 2))
    for move in (Fraction(2), Fraction(-1), Fraction(1, 2), Fraction(-5, 4)):
        pairs: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
        for row, column, channel in np.ndindex(6, 5, 2):
            source = row - move
            low = int(np.floor(source))
            part = float(source - low)
            if low < 0 or low + (part > 0) > 5:
                continue
            value = (1 - part) * before[low, column, channel] + (part and part * before[low + 1, column, channel])
            pairs[channel].append((value, after[row, column, channel]))
        centred = np.concatenate([np.asarray(rows) - np.asarray(rows).mean(axis=0) for rows in pairs.values()])
        expected = (centred[:, 0] * centred[:, 1]).sum() / np.sqrt((centred**2).sum(axis=0).prod())
        assert _correlation(before, after, 0, move) == pytest.approx(expected, abs=1e-9)
        assert _correlation(before, after, 0, move + 1) != pytest.approx(expected, abs=1e-3)
    moved = np.roll(before, 2, axis=1)
    assert _correlation(before, moved, 1, Fraction(2)) == pytest.approx(1)
    assert np.isnan(_correlation(before, after, 0, Fraction(6)))
    assert np.isnan(_correlation(np.ones((4, 4, 1)), np.ones((4, 4, 1)), 0, Fraction(1)))


def test_pictures_move_as_they_are_said_to() -> None:
    picture = np.zeros((20, 20, 1), np.uint8)
    picture[9, 4] = 200
    model = Sequential([Input((20, 20, 1)), Flatten(), Dense(3, "softmax")])
    model.preprocessing = Preprocessing(scale=1 / 255)
    found = invariance(model, picture, shift=3, angles=(-90, 0, 90), scales=(1, 2))
    changes = {change.name: change for change in found.changes}
    assert [change.name for change in found.changes] == ["shift right", "shift down", "rotation", "scale"]
    assert changes["shift right"].pictures[-1][9, 7] == 200
    assert changes["shift down"].pictures[0][6, 4] == 200
    assert changes["shift right"].pictures.dtype == np.uint8
    turned = changes["rotation"].pictures
    np.testing.assert_array_equal(turned[2], np.rot90(picture))  # anticlockwise
    np.testing.assert_array_equal(turned[0], np.rot90(picture, -1))
    np.testing.assert_array_equal(turned[1], picture)
    np.testing.assert_array_equal(changes["scale"].pictures[0], picture)


def test_turning_and_scaling_against_scipy() -> None:
    picture = np.pad(np.random.default_rng(1).random((10, 10, 1)), ((5, 5), (5, 5), (0, 0))).astype(np.float32)
    found = invariance(dense(), picture, shift=1, angles=(30,), scales=(0.8,), ground=0.0)
    turned = next(change for change in found.changes if change.name == "rotation").pictures[0, ..., 0]
    expected = ndimage.rotate(picture[..., 0], 30, reshape=False, order=1, mode="grid-constant")
    np.testing.assert_allclose(turned, expected, atol=1e-4)
    assert not np.allclose(turned, ndimage.rotate(picture[..., 0], -30, reshape=False, order=1), atol=0.05)
    smaller = next(change for change in found.changes if change.name == "scale").pictures[0, ..., 0]
    expected = ndimage.affine_transform(picture[..., 0], np.eye(2) / 0.8, offset=9.5 - 9.5 / 0.8, order=1)
    np.testing.assert_allclose(smaller, expected, atol=1e-4)


def test_the_ground_is_that_of_the_border_unless_given() -> None:
    found = invariance(dense(), object_on_plain_ground(0.25), shift=3, angles=(45,), scales=(0.5,))
    for change in found.changes:
        np.testing.assert_allclose(change.pictures[:, 0, 0], 0.25, atol=1e-6)
    given = invariance(dense(), object_on_plain_ground(0.25), shift=3, angles=(), scales=(), ground=0.75)
    np.testing.assert_allclose(given.changes[0].pictures[-1][:, :3], 0.75)


def test_answers_are_those_of_predict() -> None:
    model, picture = convolutional(), object_on_plain_ground()
    found = model.invariance(picture, shift=5)
    for change in found.changes:
        curve = found.models[0].curve(change.name)
        np.testing.assert_allclose(curve.probabilities, model.predict(change.pictures), rtol=1e-5, atol=1e-6)
        assert curve.number == int(model.predict(picture[None]).argmax())


@pytest.mark.slow
def test_sequences_and_volumes_are_shifted(tmp_path) -> None:
    series = Sequential([Input((24, 2)), Conv1D(3, 5, name="c"), GlobalAveragePooling1D(), Dense(2, "softmax")], seed=0)
    found = series.invariance(np.random.default_rng(0).normal(size=(24, 2)))
    assert [change.name for change in found.changes] == ["shift along"]
    assert found.save(tmp_path / "s.png").exists()
    volume = Sequential([Input((6, 7, 8, 1)), Conv3D(2, 3), GlobalAveragePooling3D(), Dense(2, "softmax")], seed=0)
    found = volume.invariance(np.random.default_rng(0).random((6, 7, 8, 1)), shift=2)
    assert [change.name for change in found.changes] == ["shift in depth", "shift down", "shift right"]
    assert found.save(tmp_path / "v.png").exists()
    with pytest.raises(ArgumentError) as error:
        series.invariance(np.zeros((24, 2)), angles=(10,))
    assert str(error.value) == (
        "invariance: only pictures are turned and scaled. Received rotation of an input of shape (24, 2). "
        "Leave angles and scales out: shifts are made for sequences and volumes too."
    )


def test_mixed_precision_and_logits() -> None:
    model = Sequential([Input((20, 20, 1)), Conv2D(2, 3), MaxPooling2D(2), Flatten(), Dense(1, "sigmoid")], seed=0)
    model.policy = "mixed_bfloat16"
    found = model.invariance(object_on_plain_ground(), shift=2, class_=1)
    np.testing.assert_allclose(found.models[0].curves[0].probabilities.sum(axis=1), 1, atol=1e-6)


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.slow
def test_text_data_figure_and_notebook(tmp_path) -> None:
    networks = [convolutional("one"), convolutional("one"), dense()]
    found = invariance(networks, object_on_plain_ground(), shift=3)
    assert [model.name for model in found.models] == ["one 1", "one 2", "dense"]
    assert str(found).startswith("The probability of '")
    assert "How well the maps follow" in str(found)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["models"][0]["changes"][0]["amounts"] == list(range(-3, 4))
    figure = found.figure()
    assert "dense has no maps:\nno layer of it keeps positions" in texts(figure)
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels[1:5] == ["shift right, pixels", "shift down, pixels", "rotation, degrees", "scale, times"]
    assert found._repr_html_().startswith('<img alt="invariance" src="data:image/png;base64,')
    assert found.save(tmp_path / "i.png").read_bytes() == found.save(tmp_path / "again.png").read_bytes()


def test_nothing_is_compiled_again_for_another_picture(monkeypatch) -> None:
    model = convolutional()
    model.invariance(object_on_plain_ground(), shift=3)
    made = []
    original = equivariance.values

    def counted(*arguments):
        made.append(arguments[1].shape[0])
        return original(*arguments)

    monkeypatch.setattr(equivariance, "values", counted)
    model.invariance(object_on_plain_ground(0.1), shift=4)
    assert set(made) == {8}  # one size of batch, so one program


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": 20}, "invariance: a shift leaves a part of the picture. Received shift=20. At most 19."),
        ({"class_": 3}, "invariance: class_ is the name or the number of a class, 0…2. Received class_=3."),
        ({"scales": (0, 1)}, "invariance: scales are numbers above 0. Received (0, 1). "
         "For example scales=(0.5, 1, 2)."),
        ({"angles": (float("nan"),)}, "invariance: angles are numbers, in degrees. Received (nan,). "
         "For example angles=range(-30, 31, 5)."),
    ],
)  # fmt: skip
def test_what_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        convolutional().invariance(object_on_plain_ground(), **options)
    assert str(error.value) == message


def test_models_that_cannot_be_compared() -> None:
    with pytest.raises(ArgumentError, match="one to 4 models are looked at"):
        invariance([], object_on_plain_ground())
    two = Sequential([Input((20, 20, 1)), Flatten(), Dense(2)], seed=0)
    with pytest.raises(ArgumentError) as error:
        invariance([convolutional(), two], object_on_plain_ground())
    assert str(error.value) == (
        "invariance: models that are compared tell the same classes apart. Received 2 classes and 3 classes. "
        "Compare models that were trained on the same data."
    )
    flat = Sequential([Input((400,)), Dense(3)], seed=0)
    with pytest.raises(ShapeError, match="axes to move along"):
        invariance(flat, np.zeros(400, np.float32))
    maps = Sequential([Input((20, 20, 1)), Conv2D(3, 3)], seed=0, name="maps")
    with pytest.raises(ArgumentError, match="a model that is followed names classes"):
        maps.invariance(object_on_plain_ground())
    found = convolutional().invariance(object_on_plain_ground(), shift=1, angles=(), scales=())
    with pytest.raises(ArgumentError, match="there is no such change"):
        found.models[0].curve("shift left")
    with pytest.raises(ArgumentError, match="there is no such layer or shift"):
        found.models[0].following("third", "shift right")


def reading(invert: bool) -> Sequential:
    model = dense()
    model.preprocessing = Preprocessing(scale=1 / 255, invert=invert)
    return model


def test_every_network_sees_its_own_picture(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    options = {"shift": 1, "angles": (), "scales": (), "class_": 1}
    both = invariance([reading(False), reading(True)], tmp_path / "a.png", **options)
    alone = [invariance(reading(invert), tmp_path / "a.png", **options) for invert in (False, True)]
    for one, other in zip(both.models, alone, strict=True):
        np.testing.assert_array_equal(one.curves[0].probabilities, other.models[0].curves[0].probabilities)
    assert not np.allclose(both.models[0].curves[0].probabilities, both.models[1].curves[0].probabilities, atol=1e-3)
    with pytest.raises(ArgumentError) as error:
        invariance([reading(False), reading(True)], tmp_path / "a.png", ground=0, **options)
    assert str(error.value) == (
        "invariance: one ground is for networks that read the picture alike. Received ground=0 for networks whose "
        "preprocessing reads this file in different ways. Leave ground out: each takes the border of its own picture."
    )


@pytest.mark.parametrize(
    ("ground", "message"),
    [
        (256, "invariance: ground is one of the picture's values, from 0 to 255. Received ground=256. "
         "Leave it out for the median of the picture's border."),
        (-1, "invariance: ground is one of the picture's values, from 0 to 255. Received ground=-1. "
         "Leave it out for the median of the picture's border."),
        ("white", "invariance: ground is a finite number. Received ground='white'."),
        (float("nan"), "invariance: ground is a finite number. Received ground=nan."),
    ],
)  # fmt: skip
def test_a_ground_that_no_pixel_can_have(ground, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        invariance(reading(False), np.zeros((20, 20, 1), np.uint8), ground=ground)
    assert str(error.value) == message


def test_the_ground_is_rounded_once() -> None:
    picture = np.full((20, 20, 1), 7, np.uint8)
    found = invariance(reading(False), picture, shift=2, angles=(45,), scales=(0.5,), ground=99.6)
    for change in found.changes:
        assert change.pictures[0].max() == 100


@pytest.mark.parametrize("dtype", [bool, np.uint16, np.float16, np.float32])
def test_a_ground_for_pictures_of_every_dtype(dtype) -> None:
    found = invariance(dense(), np.zeros((20, 20, 1), dtype), shift=2, angles=(), scales=(), ground=1)
    assert found.changes[0].pictures[0].max() == 1
    with pytest.raises(ArgumentError, match="ground is one of the picture's values"):
        invariance(dense(), np.zeros((20, 20, 1), dtype), shift=2, ground=1.7e308)


def test_an_argument_that_is_not_there_and_a_second_network():
    model, other = convolutional(), dense()
    with pytest.raises(ArgumentError) as error:
        model.invariance(object_on_plain_ground(), angle=(10,))
    assert str(error.value) == (
        "invariance: there is no argument 'angle'. Received angle=(10,). Did you mean 'angles'? "
        "A second network is compared with convista.insight.invariance([a, b], x)."
    )
    with pytest.raises(ArgumentError) as error:
        model.invariance(object_on_plain_ground(), other)
    assert str(error.value) == (
        f"invariance: one network is asked, this one. Received shift={other!r}. "
        "A second network is compared with convista.insight.invariance([a, b], x)."
    )
