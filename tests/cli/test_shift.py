"""`convista shift`: the curves it draws and the numbers it prints."""

from __future__ import annotations

import pytest
from PIL import Image


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return place


def test_one_network(here, convista):
    done = convista("shift", here / "my run", here / "my run" / "example.png")
    assert done.code == 0, done.err
    assert done.out.startswith("The probability of ")
    assert done.out.endswith("\n\nshift.png\n")
    with Image.open("shift.png") as image:
        assert image.size[0] == 1008


@pytest.mark.slow
def test_two_networks_and_json(here, convista):
    words = ("--against", here / "my run", "--pixels", 1, "--class", "3", "--ground", 0, "--out", "two.png", "--json")
    done = convista("shift", here / "my run", here / "my run" / "example.png", *words)
    assert done.code == 0, done.err
    assert done.document["class"] == "3"
    assert len(done.document["models"]) == 2
    assert done.document["models"][0]["changes"][0]["amounts"] == [-1, 0, 1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--pixels", "8"), 2, "a shift leaves a part of the picture. Received --pixels 8. At most 7."),
        (("--class", "ten"), 2, "--class is the name or the number of a class"),
        (("--out", "a.pdf"), 2, "a figure is written as a PNG file"),
        (("--against", "nothing"), 3, "nothing"),
    ],
)
def test_what_cannot_be(here, convista, words, code, message):
    done = convista("shift", here / "my run", here / "my run" / "example.png", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
