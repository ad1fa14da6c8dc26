"""What excites a channel: planted pictures are found, against all pictures at once in NumPy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from convista import Input, Preprocessing, Sequential
from convista.data.dataset import Split
from convista.errors import ArgumentError, DataError
from convista.insight import excitations
from convista.insight.features import excitation
from convista.insight.inspection import values
from convista.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Flatten,
    MaxPooling2D,
    ReLU,
    ZeroPadding2D,
)

DATA = np.random.default_rng(0).random((70, 9, 10, 1)).astype(np.float32)


def network() -> Sequential:
    return Sequential(
        [
            Input((9, 10, 1)),
            Conv2D(3, 3, padding="same", activation="relu", name="first"),
            MaxPooling2D(2, name="smaller"),
            Conv2D(4, 2, use_bias=False, name="second"),
            BatchNormalization(name="norm"),
            ReLU(name="relu"),
            Flatten(name="flat"),
            Dense(3, activation="softmax", name="answer"),
        ],
        seed=2,
        name="small",
    )


@pytest.mark.parametrize("layer", ["first", "smaller", "relu", "answer"])
def test_the_strongest_are_those_of_all_pictures_at_once(layer: str) -> None:
    model = network()
    place = next(place for place, node in enumerate(model.graph.nodes) if node.name == layer)
    whole = values(model, DATA, (place,))[0]
    peaks = whole.reshape(len(DATA), -1, whole.shape[-1]).max(axis=1)
    found = excitations(model, DATA, layer, n=4, batch_size=16)
    for channel in range(whole.shape[-1]):
        order = np.argsort(-peaks[:, channel], kind="stable")[:4]
        best = list(found[layer][channel].found)
        expected = [number for number in order if peaks[number, channel] != 0]
        assert [one.example for one in best] == expected
        assert best == [] or best[0].example != int(np.argmin(peaks[:, channel]))
        np.testing.assert_allclose([one.activation for one in best], peaks[expected, channel], rtol=1e-5)
        for one in best:
            np.testing.assert_allclose(whole[(one.example, *one.cell)][..., channel], one.activation, rtol=1e-5)
            np.testing.assert_array_equal(found.pictures[one.example], DATA[one.example])
        assert found[layer][channel].share == pytest.approx((peaks[:, channel] > 0).mean())


def planted() -> tuple[Sequential, np.ndarray]:
    model = Sequential([Input((8, 8, 1)), Conv2D(2, 3, padding="same", activation="relu", name="cross")], seed=0)
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    kernel[1, :, 0, 0] = kernel[:, 1, 0, 0] = 1
    kernel[..., 1] = -1
    model.set_weights([kernel, np.zeros(2, np.float32)])
    pictures = np.random.default_rng(3).random((40, 8, 8, 1)).astype(np.float32) * 0.3
    pictures[17, 4, 2:5, 0] = pictures[17, 3:6, 3, 0] = 1
    pictures[25, 0, 6:8, 0] = pictures[25, 1, 7, 0] = 1  # a cross that the corner cuts off
    return model, pictures


def test_a_planted_cross_is_found_with_its_patch_and_a_silent_channel_is_named() -> None:
    model, pictures = planted()
    found = model.excitations(pictures, "cross", n=2)
    first, second = found["cross"][0].found
    assert (first.example, first.cell, first.patch.inside) == (17, (4, 3), ((3, 6), (2, 5)))
    np.testing.assert_array_equal(found.patch(first), pictures[17, 3:6, 2:5])
    assert (second.example, second.cell, second.patch.inside) == (25, (0, 7), ((0, 2), (6, 8)))
    assert second.patch.size == (3, 3)
    assert found["cross"][1].found == ()
    assert found["cross"][1].share == 0
    assert sorted(found.pictures) == [17, 25]
    assert "nothing excites it" in str(found)


def test_of_equals_the_earlier_comes_first_and_the_filling_of_the_last_batch_does_not_count() -> None:
    model, pictures = planted()
    same = np.repeat(pictures[17:18], 5, axis=0)
    found = excitations(model, same, "cross", 0, n=9, batch_size=4)
    assert [one.example for one in found["cross"][0].found] == [0, 1, 2, 3, 4]
    assert found.examples == 5


def test_data_in_each_of_its_forms() -> None:
    model, pictures = planted()
    pixels = np.round(pictures * 255).astype(np.uint8)
    model.preprocessing = Preprocessing(scale=1 / 255)
    labels = np.zeros(40, np.int64)
    batches = [(pixels[:25], labels[:25]), (pixels[25:], labels[25:])]
    for data in (pixels, Split(pixels, labels), iter(batches), (x for x, _ in batches)):
        found = excitations(model, data, "cross", [0], n=2, batch_size=16)
        assert [one.example for one in found["cross"][0].found] == [17, 25]
        assert found.pictures[17].dtype == np.uint8


def test_each_depth_with_its_normalisation_and_activation() -> None:
    found = network().excitations(DATA[:20])
    assert [(layer.layer, layer.field) for layer in found.layers] == [("first", (3, 3)), ("relu", (6, 6))]
    assert [one.channel for one in found["relu"].channels] == [0, 1, 2, 3]
    strengths = [one.strongest for one in found["relu"].liveliest]
    assert strengths == sorted(strengths, reverse=True)


def test_no_more_pictures_are_kept_than_are_named() -> None:
    found = excitations(network(), (DATA for _ in range(10)), "first", n=2, batch_size=8)
    assert found.examples == 700
    assert len(found.pictures) <= 3 * 2


def test_padding_is_drawn_in_a_colour_that_no_grey_pixel_has_and_a_huge_field_is_not_drawn_whole() -> None:
    model, pictures = planted()
    found = model.excitations(pictures, "cross", n=2)
    inner, corner = (excitation._framed(found, one) for one in found["cross"][0].found)
    assert inner.shape == corner.shape == (3, 3, 3)
    blue = np.ptp(corner, axis=-1) > 0.1
    np.testing.assert_array_equal(blue, [[True] * 3, [False, False, True], [False, False, True]])
    assert not (np.ptp(inner, axis=-1) > 0.1).any()
    deep = Sequential([Input((8, 8, 1)), *(Conv2D(1, 5, padding="same") for _ in range(4))], seed=0)
    wide = deep.excitations(pictures, "conv2d_3", n=1)
    assert wide["conv2d_3"].field == (17, 17)
    one = wide["conv2d_3"][0].found[0]
    assert excitation._framed(wide, one).shape[:2] == tuple(b - a for a, b in one.patch.inside)


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.slow
def test_figures_say_what_they_show(tmp_path) -> None:
    model, pictures = planted()
    said = texts(model.excitations(pictures, "cross").figure())
    assert "What excites Conv2D 'cross' most" in said
    assert "nothing\nexcites it" in said
    assert any("The strongest of 40 examples with the patch outlined" in text for text in said)
    depths = network().excitations(DATA[:20])
    said = texts(depths.figure())
    assert "What each depth of 'small' responds to" in said
    assert "Conv2D 'first': a cell sees 3×3; 3 of 3 channels" in said
    assert depths.save(tmp_path / "e.png").read_bytes() == depths.save(tmp_path / "again.png").read_bytes()


def test_sequences_and_volumes(tmp_path) -> None:
    random = np.random.default_rng(0)
    series = Sequential([Input((20, 2)), Conv1D(2, 5, name="c")], seed=0)
    found = series.excitations(random.normal(size=(6, 20, 2)), "c", n=2)
    assert found["c"][0].found[0].patch.cut(np.zeros((20, 2))).shape == (5, 2)
    volumes = Sequential([Input((5, 6, 7, 1)), Conv3D(2, 3, name="c")], seed=0)
    both = volumes.excitations(random.random((4, 5, 6, 7, 1)), "c", n=2)
    assert len(both["c"][0].found[0].cell) == 3
    for number, one in enumerate((found, both)):
        assert one.save(tmp_path / f"{number}.png").exists()


def test_text_data_and_notebook() -> None:
    model, pictures = planted()
    found = model.excitations(pictures)
    assert str(found).startswith("What excites 'sequential' most, of 40 examples\n\nConv2D 'cross', a cell sees 3×3:\n")
    document = json.loads(json.dumps(found.to_dict()))
    assert document["layers"][0]["channels"][0]["found"][0]["patch"] == [[3, 6], [2, 5]]
    assert found._repr_html_().startswith('<img alt="excitations" src="data:image/png;base64,')


def test_what_cannot_be() -> None:
    model, pictures = planted()
    with pytest.raises(ArgumentError) as error:
        model.excitations(pictures, "crosses")
    assert str(error.value) == (
        "excitations: a layer is named as in model.summary(). Received layer='crosses'. Did you mean 'cross'? "
        "Known: cross."
    )
    with pytest.raises(ArgumentError) as error:
        model.excitations(pictures, "cross", 2)
    assert str(error.value) == (
        "excitations: 'cross' has the channels 0 to 1. Received channel=2. Leave channel out for all of them."
    )
    with pytest.raises(ArgumentError) as error:
        Sequential([Input((4,)), Dense(2, name="d")], name="flat").excitations(np.zeros((3, 4)))
    assert str(error.value) == (
        "excitations: without a layer, the convolutions are asked. Received 'flat', a model without any. "
        "Name a layer: layer='d'."
    )
    with pytest.raises(ArgumentError, match="n is at most 100"):
        model.excitations(pictures, n=1000)
    with pytest.raises(DataError, match="there is at least one example"):
        model.excitations(iter([]))
    with pytest.raises(ArgumentError, match="found by the layer's name"):
        model.excitations(pictures)["cros"]
    with pytest.raises(ArgumentError, match="found by their numbers"):
        model.excitations(pictures)["cross"][7]


def all_sizes(*layers, bias: float = 0.0) -> Sequential:
    model = Sequential([Input((None, None, 1)), *layers, Conv2D(1, 2, name="sum")], seed=0)
    model.set_weights([np.ones((2, 2, 1, 1), np.float32), np.full(1, bias, np.float32)])
    return model


def test_what_is_not_above_nothing_excites_nothing() -> None:
    pictures = np.zeros((4, 5, 5, 1), np.float32)
    pictures[1], pictures[3] = -1, 2
    one = all_sizes().excitations(pictures, "sum", n=4)["sum"][0]
    assert [(item.example, item.activation) for item in one.found] == [(3, 8.0)]
    assert one.share == 0.25
    broken = all_sizes(bias=np.nan).excitations(pictures, "sum", n=4)["sum"][0]
    assert (broken.found, broken.share) == ((), 0.0)


def test_pictures_of_several_sizes() -> None:
    random = np.random.default_rng(0)
    pictures = [random.random((1, *size, 1)).astype(np.float32) for size in ((6, 7), (9, 5), (6, 7), (4, 4))]
    found = all_sizes().excitations(iter(pictures), "sum", n=4)["sum"][0].found
    assert len(found) == 4
    for item in found:
        picture = pictures[item.example][0, ..., 0]
        sums = picture[:-1, :-1] + picture[:-1, 1:] + picture[1:, :-1] + picture[1:, 1:]
        assert item.cell == np.unravel_index(sums.argmax(), sums.shape)
        assert item.activation == pytest.approx(sums.max(), rel=1e-5)
        assert item.patch.start == item.cell


def test_a_cell_that_sees_padding_alone_is_drawn(tmp_path) -> None:
    pictures = np.full((2, 5, 5, 1), -1, np.float32)
    found = all_sizes(ZeroPadding2D(2), bias=1.0).excitations(pictures, "sum", n=1)
    assert found["sum"][0].found[0].patch.inside == ((0, 0), (0, 0))
    assert found.save(tmp_path / "a.png").exists()


def test_of_examples_with_labels_the_examples_are_taken() -> None:
    model = Sequential([Input((6, 6, 1)), Conv2D(1, 2, kernel_initializer="ones", name="sum")])
    x = np.random.default_rng(0).random((5, 6, 6, 1), np.float32)
    labelled, alone = (excitations(model, data, "sum", n=2).to_dict() for data in ((x, np.arange(5)), x))
    assert labelled == alone
