"""The picture of where a network's numbers are: what is drawn is what was derived."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista import Sequential, architectures, layers
from convista.errors import ArgumentError
from convista.insight.derivations.figure import draw


def widths(figure):
    return [[bar.get_width() for bar in axis.patches] for axis in figure.axes]


def test_bars_are_the_numbers_of_the_derivation():
    explanation = architectures.get("lecture-convnet")((28, 28, 1), 10).explain()
    figure = draw(explanation)
    come_out, parameters, products = widths(figure)
    assert come_out == [784, 21632, 5408, 7744, 1600, 1152, 1152, 10]
    assert parameters == [0, 320, 0, 18496, 0, 73856, 0, 11530]
    assert products == [0, 194688, 0, 2230272, 0, 663552, 0, 11520]
    assert figure.axes[1].get_title(loc="left") == "parameters\n104 202 in all"
    assert [text.get_text() for text in figure.axes[1].texts][:2] == ["–", "320"]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[1] == "conv2d  26×26×32"


def test_of_many_layers_the_largest_are_drawn_and_the_sums_are_whole():
    explanation = architectures.get("resnet50")((64, 64, 3), 10).explain()
    figure = draw(explanation)
    _, parameters, _ = widths(figure)
    assert len(parameters) == 40
    every = sorted(line.value for layer in explanation.layers for line in layer.lines if line.name == "parameters")
    assert max(parameters) == every[-1]
    assert figure.axes[1].get_title(loc="left") == f"parameters\n{sum(every):,} in all".replace(",", " ")
    assert (
        figure.get_suptitle()
        == f"resnet50, for one example ({len(explanation.layers) - 40} smaller layers are left out)"
    )


def test_a_picture_is_written_and_nothing_is_drawn_over_its_edge(tmp_path):
    explanation = Sequential(
        [layers.Input((None, 9, 3)), layers.Conv2D(4, 3, name="a_very_long_name_for_a_convolution"), layers.ReLU()]
    ).explain()
    path = explanation.save(tmp_path / "where.png")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape[1] == 1200
    assert pixels.min() < 100
    edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    assert all((edge == 255).all() for edge in edges)
    with pytest.raises(ArgumentError, match="a picture is saved into a folder that exists"):
        explanation.save(tmp_path / "none" / "where.png")
