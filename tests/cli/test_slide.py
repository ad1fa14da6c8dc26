"""`convista slide`: what it prints and which file it writes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.insight import slide
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_options_it_is_lecture_001(convista):
    done = convista("slide")
    assert done.code == 0, done.err
    assert done.out == f"{slide(LECTURE_INPUT, LECTURE_KERNEL)}\nslide.gif\n"
    assert done.out.splitlines()[-2].endswith("= −10")
    with Image.open("slide.gif") as image:
        assert image.n_frames == 9
    again = convista("slide")
    assert again.code == 2
    assert again.err == (
        "Error: --out: nothing is overwritten unless it is named. Received slide.gif, which exists. "
        "Add --out slide.gif to replace it.\n"
    )
    assert convista("slide", "--out", "slide.gif").code == 0


def test_sizes_settings_and_json(convista):
    words = ("slide", "--input", "5,5", "--kernel", "3x3", "--stride", 2, "--padding", "same", "--bias", 1)
    document = convista(*words, "--out", "slide.html", "--json").document
    assert document["saved"] == "slide.html"
    assert (np.array(document["input"]).shape, np.array(document["kernel"]).shape) == ((5, 5), (3, 3))
    expected = slide(document["input"], document["kernel"], strides=2, padding="same", bias=1)
    assert document == {"saved": "slide.html", **expected.to_dict()}
    other = convista(*words, "--out", "slide.html", "--json", "--seed", 1).document
    assert other["input"] != document["input"]


def test_rows_of_numbers(convista):
    document = convista("slide", "--input", "1 2 3.5/ −4,5,6", "--kernel", "1 -1 /", "--json").document
    assert document["input"] == [[1, 2, 3.5], [-4, 5, 6]]
    assert document["output"] == [[-1, -1.5], [-9, -1]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "30,30"), "'30,30' is neither a size of at most 16,16 nor rows of numbers."),
        (("--input", "1 2 / 3"), "'1 2 / 3' is not rows of as many numbers each."),
        (("--kernel", "a b / c d"), "is not rows of as many numbers each."),
        (("--kernel", "7,7"), "slide: a 7×7 kernel does not fit a 5×5 input."),
        (
            ("--out", "slide.mp4"),
            "--out: a slide is written as a .gif, .html or .png file. Received slide.mp4.",
        ),
        (("--input", "2,2", "--kernel", "3,3"), "Use --padding same, or a smaller kernel or dilation."),
        (("--padding", "sane"), "'sane' is not one of 'valid', 'same'"),
        (("--stride", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_cannot_be(convista, words, message):
    done = convista("slide", *words)
    assert done.code in (1, 2)
    assert done.out == ""
    assert message in done.err
    assert "Traceback" not in done.err
