"""The walk as tables: for the terminal, as Markdown, as HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from convista import Input, Sequential
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL
from convista.layers import Conv2D, Conv2DTranspose, Conv3D, Dense, Flatten, MaxPooling2D, SeparableConv2D

LAST = """\
Conv2D 'edges': row 2, col 2, channel 0 of 3×3×1
y = relu(Σ patch · kernel + bias)

input channel 0, row 2…4, col 2…4
patch      kernel        products
5  1  0    −1   0   1    −5   0   0
5  5  0    −1   0   1    −5   0   0
0  0  0    −1   0   1     0   0   0

step     value  calculation
sum        −10  5·(−1) + 1·0 + 0·1 + 5·(−1) + 5·0 + 0·1 + 0·(−1) + 0·0 + 0·1
bias        −8  −10 + 2
relu         0  max(−8, 0)
network      0  the same"""

CORNER = """\
Conv2D 'edges': row 0, col 0, channel 0 of 5×5×1
y = Σ patch · kernel

input channel 0, row 0…1, col 0…1
patch      kernel        products
·  ·  ·    −1   0   1    0  0  0
·  3  0    −1   0   1    0  0  0
·  4  2    −1   0   1    0  0  2

step     value  calculation
sum          2  0·(−1) + 0·0 + 0·1 + 0·(−1) + 3·0 + 0·1 + 0·(−1) + 4·0 + 2·1
network      2  the same

· a zero that padding added"""


def lecture(**settings) -> Sequential:
    model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, name="edges", **settings)])
    kernel = np.float32(LECTURE_KERNEL).reshape(3, 3, 1, 1)
    model.set_weights([kernel, np.float32([2])][: 1 + settings.get("use_bias", True)])
    return model


def test_the_last_cell_of_lecture_001():
    assert str(lecture(activation="relu").trace(np.float32(LECTURE_INPUT), "edges", 2, 2)) == LAST


def test_zeros_of_the_padding_are_marked():
    model = lecture(padding="same", use_bias=False)
    assert str(model.trace(np.float32(LECTURE_INPUT), "edges", 0, 0)) == CORNER


def test_markdown_has_as_many_cells_in_each_row():
    text = lecture(activation="relu").trace(np.float32(LECTURE_INPUT), "edges", 2, 2).to_markdown()
    assert text.startswith("**Conv2D 'edges': row 2, col 2, channel 0 of 3×3×1**")
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    for block in tables:
        assert len({line.count("|") for line in block.splitlines()}) == 1
    assert "| 5 | 1 | 0 | −1 | 0 | 1 | −5 | 0 | 0 |" in text
    assert "| bias | −8 | −10 + 2 |" in text


class Reader(HTMLParser):
    """Counts open elements, keeps the texts, and notes what a page asks for."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.outside = [], [], []

    def handle_starttag(self, tag, attrs):
        self.outside += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("br", "meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_html_is_whole_and_names_are_escaped():
    model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, name="<script>&")], seed=0)
    page = model.trace(np.float32(LECTURE_INPUT), "<script>&", 2, 2)._repr_html_()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.outside == []
    assert "<script>" not in page
    assert "&lt;script&gt;&amp;" in page


def test_html_marks_padding_and_winner():
    model = Sequential([Input((4, 4, 1)), MaxPooling2D(3, strides=2, padding="same", name="pool")])
    page = model.trace(np.arange(16.0).reshape(4, 4, 1), "pool", 1, 1)._repr_html_()
    winner = re.findall(r'<td style="[^"]*outline[^"]*">(.*?)</td>', page)
    hatched = re.findall(r'<td style="[^"]*repeating[^"]*">(.*?)</td>', page)
    assert winner == ["15"]
    assert hatched == ["·"] * 5


def test_the_winner_has_a_star():
    model = Sequential([Input((4, 4, 1)), MaxPooling2D(2, name="pool")])
    text = str(model.trace(np.arange(16.0).reshape(4, 4, 1), "pool", 0, 1))
    assert "2  3\n6  7*\n" in text
    assert "maximum      7  max(2, 3, 6, 7), at (1, 3, 0)" in text


def test_many_channels_show_the_strongest_and_the_rest_together():
    model = Sequential([Input((6, 6, 16)), Conv2D(2, 3, name="conv")], seed=0)
    found = model.trace(np.random.default_rng(0).normal(size=(6, 6, 16)).astype(np.float32), "conv", 1, 1, 0)
    text = str(found)
    strongest = np.sort(np.argsort(-np.abs(found.patches[0].sums))[:3])
    assert re.findall(r"input channel (\d+),", text) == [str(channel) for channel in strongest]
    sums = dict(re.findall(r"^(\d+|\d+ others|all) +(\S+)$", text, flags=re.MULTILINE))
    assert len(sums) == 12
    listed = [float(value.replace("−", "-")) for name, value in sums.items() if name != "all"]
    assert sum(listed) == pytest.approx(float(sums["all"].replace("−", "-")), abs=2e-3)


def test_both_steps_of_a_separable_convolution():
    model = Sequential([Input((6, 6, 2)), SeparableConv2D(3, 3, depth_multiplier=2, name="both")], seed=0)
    text = str(model.trace(np.ones((6, 6, 2), np.float32), "both", 1, 1, 0))
    assert "depthwise, input channel 0 → 1, row 1…3, col 1…3" in text or "depthwise, input channel 1 → 2" in text
    assert "pointwise: products of the channels" in text
    assert len(re.findall(r"^all ", text, flags=re.MULTILINE)) == 1  # what the first step makes is mixed, not added


def test_dense_lists_the_largest_contributions_before_flatten():
    model = Sequential([Input((4, 4, 2)), Flatten(), Dense(3, name="answer")], seed=0)
    x = np.zeros((4, 4, 2), np.float32)
    x[2, 3, 1] = 5
    found = model.trace(x, "answer", 1)
    weight = model.get_weights()[0][(2 * 4 + 3) * 2 + 1, 1]
    first = str(found).split("product\n")[1].splitlines()[0].split()
    assert "(cells of the 4×4×2 map before Flatten)" in str(found)
    assert " ".join(first[:3]) == "(2, 3, 1)"
    assert float(first[4].replace("−", "-")) == pytest.approx(weight, rel=1e-3)


@pytest.mark.slow
def test_slices_of_a_volume_and_taps_of_a_transposed_convolution():
    volume = Sequential([Input((3, 3, 3, 1)), Conv3D(1, 2, name="box")], seed=0)
    text = str(volume.trace(np.ones((3, 3, 3, 1), np.float32), "box", 0, 0, 0))
    assert "depth 0…1, row 0…1, col 0…1; slice 1 of the window" in text
    larger = Sequential([Input((3, 3, 1)), Conv2DTranspose(1, 2, strides=2, name="larger")], seed=0)
    text = str(larger.trace(np.ones((3, 3, 1), np.float32), "larger", 0, 0))
    assert text.endswith("· no input cell lays this tap of its kernel here")


def test_a_wide_window_lists_its_largest_products():
    model = Sequential([Input((12, 12, 1)), Conv2D(1, 9, name="wide")], seed=0)
    assert "the largest of 81 contributions, row 1…9, col 2…10" in str(
        model.trace(np.ones((12, 12, 1), np.float32), "wide", 1, 2)
    )


def test_names_do_not_format_markdown():
    model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, name="a~b$c#d[e]")], seed=0)
    first = model.trace(np.float32(LECTURE_INPUT), "a~b$c#d[e]", 2, 2).to_markdown().splitlines()[0]
    assert "a\\~b\\$c\\#d\\[e\\]" in first
