"""The walk as a picture: what is drawn, and that the file is whole."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from convista import Input, Sequential
from convista.errors import ArgumentError
from convista.insight.drawing import style
from convista.insight.walks.figure import figure_of
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL
from convista.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)


def texts(figure):
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    return titles, inside, [text.get_text() for text in figure.texts]


@pytest.fixture(scope="module")
def corner():
    model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, padding="same", use_bias=False, name="edges")])
    model.set_weights([np.float32(LECTURE_KERNEL).reshape(3, 3, 1, 1)])
    return model.trace(np.float32(LECTURE_INPUT), "edges", 0, 0)


def test_patch_kernel_products_and_sums_are_written(corner):
    with style():
        titles, inside, lines = texts(figure_of(corner))
    assert titles == ["input_1, 5×5×1", "patch, channel 0", "× kernel", "= products, sum 2"]
    assert inside == ["3", "0", "4", "2", *["−1", "0", "1"] * 3, "0", "0", "0", "2"]  # hatched cells have no number
    assert lines[0] == "Conv2D 'edges': row 0, col 0, channel 0 of 5×5×1"
    assert lines[-2:] == ["network = 2 (the same)", "hatched: a zero that padding added"]


def test_the_frame_lies_where_the_kernel_does(corner):
    with style():
        axes = figure_of(corner).axes[0]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    assert {(frame.get_xy(), frame.get_width(), frame.get_height()) for frame in frames} == {((-1.5, -1.5), 3, 3)}
    assert axes.get_xlim() == (-1.5, 5.5)  # the padding lies on all four sides, also where the kernel is not
    assert axes.get_ylim() == (5.5, -1.5)
    margins = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    assert [(one.get_xy(), one.get_width(), one.get_height()) for one in margins] == [((-1.5, -1.5), 7, 7)]


def test_padding_is_drawn_and_named_where_the_kernel_does_not_reach_it(corner):
    model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, padding="same", name="edges")], seed=0)
    with style():
        figure = figure_of(model.trace(np.float32(LECTURE_INPUT), "edges", 2, 2))
    assert figure.axes[0].get_xlim() == (-1.5, 5.5)
    assert texts(figure)[2][-1] == "hatched: a zero that padding added"


def test_patch_and_input_have_one_scale(corner):
    with style():
        given, patch, *_ = figure_of(corner).axes
    assert given.images[0].get_clim() == patch.images[0].get_clim() == (0.0, 5.0)  # the patch's own largest is 4
    model = Sequential([Input((5, 6, 6, 1)), Conv3D(1, 3, name="box")], seed=0)
    x = np.random.default_rng(0).normal(size=(5, 6, 6, 1)).astype(np.float32)
    with style():
        given, patch, *_ = figure_of(model.trace(x, "box", 1, 2, 3)).axes
    assert given.images[0].get_clim() == patch.images[0].get_clim()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shape", "cell", "drawn"),
    [
        (Conv2D(3, 3, dilation_rate=2, padding="same"), (12, 12, 5), (0, 11, 1), 12),
        (Conv2D(1, 11), (12, 12, 1), (0, 1, 0), 4),
        (Conv1D(2, 5, padding="same"), (20, 2), (0, 1), 8),
        (Conv3D(1, 3), (5, 6, 7, 1), (1, 2, 3, 0), 4),
        (Conv2DTranspose(2, 3, strides=2), (6, 6, 1), (0, 0, 1), 4),
        (MaxPooling2D(2), (6, 6, 3), (1, 2, 0), 2),
        (GlobalAveragePooling2D(), (6, 6, 3), (2,), 2),
        (BatchNormalization(), (6, 6, 3), (1, 2, 0), 1),
        (Flatten(), (6, 6, 3), (50,), 1),
        (Dense(4), (30,), (2,), 1),
        (BatchNormalization(), (30,), (2,), 1),
    ],
)
def test_every_kind_of_layer_is_drawn(tmp_path, layer, shape, cell, drawn):
    model = Sequential([Input(shape), layer], seed=0)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = model.trace(x, model.graph.nodes[-1].name, *cell)
    with style():
        figure = figure_of(found)
    assert len(figure.axes) == drawn
    path = found.save(tmp_path / "walk.png")
    with Image.open(path) as image:
        assert image.size == tuple(int(120 * side + 1e-6) for side in figure.get_size_inches())
        assert len(image.convert("L").getcolors(1 << 20)) > 10
    before = path.read_bytes()
    assert found.save(path).read_bytes() == before


def test_a_folder_that_is_not_there(corner, tmp_path):
    with pytest.raises(ArgumentError, match="a picture is saved into a folder that exists"):
        corner.save(tmp_path / "no" / "walk.png")
