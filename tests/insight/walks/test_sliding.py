"""A kernel that slides: values against SciPy and loops, formulas that add up, the lectures' examples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.signal import correlate

from convista.errors import ArgumentError, ShapeError
from convista.insight import slide
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL
from convista.layers import Conv2D

RANDOM = np.random.default_rng(0).integers(-9, 10, (7, 6)).astype(float)


def test_lecture_001_with_its_last_value_put_right():
    done = slide(LECTURE_INPUT, LECTURE_KERNEL)
    printed = np.array([[-1, -1, -5], [6, -1, -11], [5, -4, 10]])
    assert np.argwhere(done.output != printed).tolist() == [[2, 2]]
    assert done.output[2, 2] == -10
    np.testing.assert_array_equal(done.output, correlate(LECTURE_INPUT, LECTURE_KERNEL, "valid"))


@pytest.mark.parametrize(
    ("settings", "places", "sizes"),
    [({}, 9, (3, 3)), ({"padding": "same"}, 25, (5, 5)), ({"strides": 2}, 4, (2, 2))],
)
def test_the_patches_of_lecture_000(settings, places, sizes):
    done = slide(LECTURE_INPUT, LECTURE_KERNEL, **settings)
    assert len(done.frames) == places
    assert done.sizes == sizes == done.output.shape
    assert [frame.cell for frame in done.frames] == list(np.ndindex(*sizes))


def test_padding_against_scipy():
    kernel = np.array([[1.0, -2, 0], [3, 0, 1], [0, 5, -1]])
    np.testing.assert_array_equal(slide(RANDOM, kernel, padding="same").output, correlate(RANDOM, kernel, "same"))


@pytest.mark.parametrize(
    "settings",
    [
        {"strides": (2, 3)},
        {"strides": 2, "padding": "same"},
        {"dilation": 2},
        {"dilation": (1, 3), "padding": "same"},
        {"padding": ((2, 0), (1, 3)), "strides": 2},
    ],
)
def test_every_setting_against_the_layer(settings):
    kernel = np.arange(6.0).reshape(3, 2) - 2
    done = slide(RANDOM, kernel, **settings, bias=0.5)
    names = {"dilation": "dilation_rate"}
    layer = Conv2D(1, (3, 2), **{names.get(name, name): value for name, value in settings.items()})
    params = {"kernel": np.float32(kernel)[..., None, None], "bias": np.float32([0.5])}
    y, _ = layer.apply(params, {}, np.float32(RANDOM)[None, ..., None], training=False, key=None)
    np.testing.assert_array_equal(done.output, np.asarray(y)[0, ..., 0])


def test_a_frame_holds_what_it_shows():
    done = slide(RANDOM, LECTURE_KERNEL, strides=2, padding="same", bias=-1.5)
    for frame in done.frames:
        for tap in np.ndindex(3, 3):
            row, col = frame.places[tap]
            inside = 0 <= row < 7 and 0 <= col < 6
            assert frame.inside[tap] == inside
            assert frame.patch[tap] == (RANDOM[row, col] if inside else 0)
        assert frame.value == (frame.patch * np.array(LECTURE_KERNEL)).sum() - 1.5


def python(text):
    return text.replace("−", "-").replace("·", "*")


@pytest.mark.parametrize("settings", [{}, {"padding": "same", "bias": 2}, {"strides": 2, "bias": -0.5}])
def test_every_formula_adds_up(settings):
    for frame in slide(LECTURE_INPUT, LECTURE_KERNEL, **settings).frames:
        left, right = python(frame.formula).rsplit(" = ", 1)
        assert eval(left) == float(right) == frame.value  # noqa: S307 - our own numbers


def test_the_worked_sizes_add_up():
    for settings in ({}, {"padding": "same"}, {"strides": 2}, {"dilation": 2}):
        done = slide(LECTURE_INPUT, LECTURE_KERNEL, **settings)
        for formula, size in zip(done.formulas, done.sizes, strict=True):
            _, middle, last = python(formula).split(" = ")
            assert eval(middle) == int(last) == size  # noqa: S307 - our own numbers


def test_a_sequence_is_one_row():
    done = slide([1, 2, 3, 4, 5], [1, 0, -1], strides=2, padding="same")
    assert done.output.tolist() == [[-2, -2, 4]]
    assert done.formulas == ("output = (5 + 2·1 − 3) // 2 + 1 = 3",)


def test_text_and_plain_data():
    done = slide(LECTURE_INPUT, LECTURE_KERNEL, strides=2)
    assert str(done) == (
        "5×5 input, 3×3 kernel, stride 2, padding valid: 2×2\n"
        "output_h = (5 + 2·0 − 3) // 2 + 1 = 2\n"
        "output_w = (5 + 2·0 − 3) // 2 + 1 = 2\n"
        "(0, 0)  3·(−1) + 0·0 + 0·1 + 4·(−1) + 2·0 + 2·1 + 1·(−1) + 2·0 + 5·1 = −1\n"
        "(0, 1)  0·(−1) + 1·0 + 1·1 + 2·(−1) + 1·0 + 1·1 + 5·(−1) + 1·0 + 0·1 = −5\n"
        "(1, 0)  1·(−1) + 2·0 + 5·1 + 1·(−1) + 4·0 + 5·1 + 3·(−1) + 4·0 + 0·1 = 5\n"
        "(1, 1)  5·(−1) + 1·0 + 0·1 + 5·(−1) + 5·0 + 0·1 + 0·(−1) + 0·0 + 0·1 = −10"
    )
    document = done.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["output"] == [[-1, -5], [5, -10]]


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (
            (np.ones((20, 8)), np.ones((3, 3))),
            ArgumentError,
            "slide: a slide is at most 16 cells high and wide, padding included. Received 20×8. "
            "Cut a piece out: input[:8, :8].",
        ),
        (
            (np.ones((15, 15)), np.ones((3, 3))),
            ArgumentError,
            "slide: a slide has at most 144 frames, one for each cell of the result. Received 13×13 = 169. "
            "Cut a piece out, input[:8, :8], or use a larger stride.",
        ),
        (
            (np.ones((2, 5)), np.ones((3, 3))),
            ShapeError,
            "slide: a 3×3 kernel does not fit a 2×5 input. Received output = (2 + 2·0 − 3) // 1 + 1 = 0. "
            'Use padding="same", or a smaller kernel or dilation.',
        ),
        (
            (np.ones((5, 5, 3)), np.ones((3, 3))),
            ShapeError,
            "slide: input is rows of finite numbers. Received input of shape (5, 5, 3). "
            "Take one channel of a picture: input[..., 0].",
        ),
        (
            ("a picture", np.ones((3, 3))),
            ShapeError,
            "slide: input is rows of finite numbers. Received input='a picture'. For example [[1, 2], [3, 4]].",
        ),
        (
            (np.ones((5, 5)), np.ones(3)),
            ShapeError,
            "slide: input and kernel have as many axes. Received input of shape (5, 5), kernel of shape (3,). "
            "Write a row as [[1, 2, 3]].",
        ),
        (
            (np.ones((5, 5)), np.ones((3, 3)), 0),
            ArgumentError,
            "slide: strides is one whole number or 2 of them, each at least 1. Received strides=0. "
            "For example strides=2 or strides=(2, 2).",
        ),
        (
            (np.ones((5, 5)), np.ones((3, 3)), 1, "sane"),
            ArgumentError,
            "slide: padding is 'valid' or 'same'. Received padding='sane'. Did you mean 'same'?",
        ),
    ],
)
def test_what_cannot_slide(given, kind, message):
    with pytest.raises(kind) as error:
        slide(*given)
    assert str(error.value) == message


def test_other_endings_and_missing_folders(tmp_path):
    done = slide(LECTURE_INPUT, LECTURE_KERNEL)
    with pytest.raises(ArgumentError) as error:
        done.save(tmp_path / "slide.mp4")
    assert str(error.value).endswith("Write 'slide.gif'.")
    with pytest.raises(ArgumentError, match="a picture is saved into a folder that exists"):
        done.save(tmp_path / "no" / "slide.gif")
