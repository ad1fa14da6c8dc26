"""`convista excite`: the sheet it writes and what it names."""

from __future__ import annotations

import pytest
from PIL import Image


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return place


def test_every_depth(here, convista):
    done = convista("excite", here / "my run", "digits")
    assert done.code == 0, done.err
    assert "of 1,437 examples" in done.out
    assert done.out.endswith("\n\nexcite.png\n")
    with Image.open("excite.png") as image:
        assert image.size[0] == 1008


def test_one_channel_and_json(here, convista):
    words = ("--layer", "conv2d", "--channel", "3", "--count", "2", "--out", "three.png", "--json")
    done = convista("excite", here / "my run", "digits", *words)
    assert done.code == 0, done.err
    (layer,) = done.document["layers"]
    assert [one["channel"] for one in layer["channels"]] == [3]
    assert len(layer["channels"][0]["found"]) <= 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("digits", "--layer", "conv"), 2, "Did you mean 'conv2d'?"),
        (("digits", "--layer", "conv2d", "--channel", "8"), 2, "'conv2d' has the channels 0 to 7"),
        (("digit",), 2, "Did you mean 'digits'?"),
        (("digits", "--out", "a.svg"), 2, "a figure is written as a PNG file"),
    ],
)
def test_what_cannot_be(here, convista, words, code, message):
    done = convista("excite", here / "my run", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
