"""The kernels of a layer: their numbers, their colours, and how many are drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from convista import Input, Sequential
from convista.errors import ArgumentError
from convista.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    MaxPooling2D,
    Rescaling,
)


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def pictures(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def coloured() -> Sequential:
    return Sequential(
        [Input((8, 8, 3)), Rescaling(1 / 255), Conv2D(2, 3, name="first"), Conv2D(20, 3, name="second"), Flatten(),
         Dense(2)], seed=0,
    )  # fmt: skip


def test_the_numbers_are_the_weights_and_the_first_layer_is_asked_unless_named() -> None:
    model = coloured()
    np.testing.assert_array_equal(model.filters().values, model.params["first"]["kernel"])
    np.testing.assert_array_equal(model.filters("second").values, model.params["second"]["kernel"])
    assert model.filters().in_colour
    assert not model.filters("second").in_colour


def test_colours_stand_around_mid_grey_with_one_scale_for_all() -> None:
    model = coloured()
    weights = model.get_weights()
    weights[0][...] = 0
    weights[0][0, 0, 0, 0], weights[0][1, 1, 2, 1] = 2.0, -4.0
    model.set_weights(weights)
    figure = model.filters().figure()
    first, second = pictures(figure)
    np.testing.assert_allclose(first[0, 0], [0.75, 0.5, 0.5])  # half of the largest, in red
    np.testing.assert_allclose(second[1, 1], [0.5, 0.5, 0.0])
    np.testing.assert_allclose(first[2, 2], 0.5)
    assert "Red, green and blue around mid-grey (0), one scale for all filters: ±4." in texts(figure)


def test_one_channel_is_blue_below_zero_and_orange_above() -> None:
    model = Sequential([Input((6, 6, 1)), Conv2D(2, 2, use_bias=False), Flatten(), Dense(2)], seed=0)
    weights = model.get_weights()
    weights[0][:, :, 0, 0] = [[1.0, -1.0], [0.0, 0.5]]
    weights[0][:, :, 0, 1] = 0
    model.set_weights(weights)
    picture = pictures(model.filters().figure())[0].astype(int)
    assert picture[0, 0].sum() > picture[1, 1].sum() > picture[1, 0].sum() > picture[0, 1].sum()
    assert picture[0, 1, 2] > picture[0, 1, 0]  # blue
    assert picture[1, 1, 0] > picture[1, 1, 2]  # orange
    assert np.ptp(picture[1, 0]) <= 2  # grey


def test_deeper_layers_are_a_bounded_table_or_a_mean() -> None:
    model = Sequential([Input((8, 8, 1)), Conv2D(40, 3), Conv2D(50, 3, name="deep"), Flatten(), Dense(2)], seed=0)
    figure = model.filters("deep").figure()
    assert "Conv2D 'deep': 50 filters of 3×3×40, the first 16" in texts(figure)
    assert "input channel, the first 16 of 40" in texts(figure)
    assert len(pictures(figure)) == 16 * 16 + 1
    mean = model.filters("deep").figure("mean")
    assert len(pictures(mean)) == 50 + 1
    assert any(text.startswith("Mean over the input channels. One scale") for text in texts(mean))
    with pytest.raises(ArgumentError, match="inputs"):
        model.filters("deep").figure("some")


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv1D(3, 5), (20, 4), (5, 4, 3)),
        (Conv3D(2, 3), (5, 6, 7, 1), (3, 3, 3, 1, 2)),
        (DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 3), (3, 3, 1, 6)),
        (Conv2DTranspose(5, 3), (8, 8, 2), (3, 3, 2, 5)),
    ],
)
def test_other_kinds_of_convolution(layer, shape, expected, tmp_path) -> None:
    model = Sequential([Input(shape), layer, Flatten(), Dense(2)], seed=0)
    found = model.filters()
    assert found.values.shape == expected
    assert found.save(tmp_path / "f.png").exists()


def test_a_layer_that_mixes_channels_hides_the_pixels() -> None:
    model = Sequential([Input((9, 9, 3)), BatchNormalization(), MaxPooling2D(2), Conv2D(2, 3, name="c"), Flatten()])
    assert model.filters().in_colour
    model = Sequential([Input((9, 9, 1)), Conv2D(3, 1), Conv2D(2, 3, name="c"), Flatten()])
    assert not model.filters("c").in_colour


def test_text_data_and_notebook() -> None:
    found = coloured().filters()
    assert str(found).startswith("Conv2D 'first': 2 filters of 3×3×3\n\nfilter ")
    assert np.asarray(json.loads(json.dumps(found.to_dict()))["values"]).shape == (3, 3, 3, 2)
    assert found._repr_html_().startswith('<img alt="filters" src="data:image/png;base64,')


def test_what_cannot_be() -> None:
    with pytest.raises(ArgumentError) as error:
        Sequential([Input((4,)), Dense(2)], name="flat").filters()
    assert str(error.value) == (
        "filters: filters are the kernels of a convolution. Received 'flat', a model without any. "
        "model.params has the weights of every layer by name."
    )
    with pytest.raises(ArgumentError) as error:
        coloured().filters("fist")
    assert str(error.value) == (
        "filters: a layer is named as in model.summary(). Received layer='fist'. Did you mean 'first'? "
        "Known: first, second."
    )
