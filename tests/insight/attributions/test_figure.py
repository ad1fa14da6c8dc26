"""Figures of attributions: what stands where, and that colours mean the same on both sides of zero."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from convista import Input, Sequential
from convista.insight import Attribution, attribute, sanity_check
from convista.insight.attributions.figure import figure_of, sanity_figure
from convista.insight.drawing import encoded
from convista.layers import Conv1D, Conv2D, Conv3D, Dense, Flatten


@functools.cache
def network(shape: tuple[int, ...]) -> Sequential:
    convolution = {2: Conv1D, 3: Conv2D, 4: Conv3D}[len(shape)]
    return Sequential([Input(shape), convolution(3, 3, activation="relu"), Flatten(), Dense(2)], seed=0)


def found(shape: tuple[int, ...], method: str, name: str = "a") -> Attribution:
    model = network(shape)
    model.classes = (name, "b")
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    return attribute(model, x, method, target=0)


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_a_picture_its_map_and_both() -> None:
    one = found((9, 8, 1), "saliency")
    figure = figure_of(one)
    assert titles(figure) == ["picture", "map", "map over the picture"]
    shown = figure.axes[1].images[0]
    np.testing.assert_array_equal(np.asarray(shown.get_array()), one.map)
    assert shown.get_clim() == (0.0, pytest.approx(one.map.max()))
    heading = figure.get_suptitle().splitlines()
    assert heading[0].startswith("Why 'a'?  probability ")
    assert "logit" in heading[0]
    assert heading[1].startswith("saliency: change of the score per change of the input, ")


def test_zero_is_in_the_middle_of_maps_with_signs() -> None:
    one = found((9, 8, 3), "occlusion")
    figure = figure_of(one)
    least, most = figure.axes[1].images[0].get_clim()
    assert least == -most == -np.abs(one.map).max()
    assert figure.axes[-1].get_ylabel() == "− against, + for"
    assert figure.axes[0].images[0].get_array().shape == (9, 8, 3)


@pytest.mark.slow
def test_sequences_have_lines_or_a_strip() -> None:
    few, many = (figure_of(found((30, channels), "occlusion")) for channels in (2, 5))
    assert len(few.axes[0].lines) == 2
    assert not few.axes[0].images
    assert many.axes[0].images[0].get_array().shape == (5, 30)
    assert [text.get_text() for text in few.axes[1].get_legend().get_texts()] == ["for", "against"]


def test_volumes_are_cut_through_the_strongest_place() -> None:
    one = found((7, 6, 5, 1), "integrated_gradients")
    slice_, row, column = one.strongest
    expected = [f"slice {slice_}", f"row {row}", f"column {column}"]
    shown = titles(figure_of(one))
    assert shown == [*expected, *(f"{name}, map over it" for name in expected)]


def test_a_map_of_nothing_and_a_long_name_are_drawn() -> None:
    one = found((9, 8, 1), "saliency", name="$ a class with a name that is far too long for a heading")
    empty = Attribution(**{**vars(one), "map": np.zeros_like(one.map)})
    figure = figure_of(empty)
    assert figure.get_suptitle().startswith("Why '$ a class with a name t…'?")
    assert encoded(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(("shape", "axes"), [((9, 8, 1), 3), ((7, 6, 5, 1), 6)])
def test_an_empty_map_has_no_scale_and_names_what_to_ask_instead(shape, axes: int) -> None:
    one = found(shape, "grad_cam")
    empty = Attribution(**{**vars(one), "map": np.zeros_like(one.map)})
    figure = figure_of(empty)
    assert len(figure.axes) == axes
    advice = (
        "nothing in the map speaks for this class: try the method grad_cam_plus_plus or occlusion, or an earlier layer"
    )
    assert advice in figure.get_suptitle().splitlines()
    full = Attribution(**{**vars(one), "map": np.ones_like(one.map)})
    assert len(figure_of(full).axes) == axes + 1
    assert (full.alternatives, full.advice) == ((), "")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.full((9, 8, 1), 200, np.uint8), "picture"),
        (np.linspace(-2, 2, 72, dtype=np.float32).reshape(9, 8, 1), "picture, its range stretched"),
    ],
)
def test_what_is_no_picture_is_stretched_and_said_to_be(values, name: str) -> None:
    one = found((9, 8, 1), "saliency")
    figure = figure_of(Attribution(**{**vars(one), "picture": values}))
    assert titles(figure)[0] == name
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert 0 <= shown.min() <= shown.max() <= 1
    if values.dtype == np.uint8:
        np.testing.assert_allclose(shown, 200 / 255)


@pytest.mark.slow
def test_the_same_bytes_twice() -> None:
    assert encoded(figure_of(found((9, 8, 1), "saliency"))) == encoded(figure_of(found((9, 8, 1), "saliency")))


def test_a_sanity_check_has_a_map_for_each_step() -> None:
    model = Sequential([Input((9, 8, 1)), Conv2D(3, 3, name="seen"), Flatten(), Dense(2, name="answer")], seed=0)
    check = sanity_check(model, np.random.default_rng(0).random((9, 8, 1)).astype(np.float32), "saliency")
    figure = sanity_figure(check)
    assert [title.split("\n")[0] for title in titles(figure)] == ["as learned", "answer", "seen"]
    assert f"{check.correlations[0]:+.2f}".replace("-", "−") in titles(figure)[1]
    np.testing.assert_array_equal(np.asarray(figure.axes[2].images[0].get_array()), check.maps[1])


@pytest.mark.parametrize("value", [-3.0, 0.5, 900.0])
def test_a_picture_of_one_value_is_drawn(value: float) -> None:
    x = np.full((6, 7, 1), value, np.float32)
    shown = np.asarray(figure_of(attribute(network((6, 7, 1)), x, "saliency", target=0)).axes[0].images[0].get_array())
    assert np.isfinite(shown).all()
    assert 0 <= shown.min() == shown.max() <= 1
