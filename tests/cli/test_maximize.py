"""`convista maximize`: the picture it writes and what it says of it."""

from __future__ import annotations

import pytest
from PIL import Image

from convista import Input, Sequential
from convista.layers import Dense, Flatten


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return place


def test_one_class(here, convista):
    done = convista("maximize", here / "my run", "--class", "7", "--steps", 20)
    assert done.code == 0, done.err
    assert done.out.startswith("class 7: ")
    assert done.out.endswith("\n\nmaximized.png\n")
    with Image.open("maximized.png") as image:
        assert image.size == (1008, 396)


def test_several_channels_and_json(here, convista):
    words = ("--layer", "conv2d", "--channel", 0, "--channel", 3, "--cell", "middle", "--steps", 20, "--json")
    done = convista("maximize", here / "my run", *words, "--start", here / "my run" / "example.png", "--out", "a.png")
    assert done.code == 0, done.err
    found = done.document["found"]
    assert [one["target"] for one in found] == ["conv2d, channel 0, cell 3, 3", "conv2d, channel 3, cell 3, 3"]
    assert found[0]["settings"]["steps"] == 20


def test_a_model_that_does_not_say_its_range(tmp_path, monkeypatch, convista):
    monkeypatch.chdir(tmp_path)
    Sequential([Input((6, 6, 1)), Flatten(), Dense(2, activation="softmax")], seed=0).save("m.convista")
    done = convista("maximize", "m.convista", "--class", 1, "--steps", 2)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: maximize: a picture stays in the range of the inputs. Received a model without preprocessing and "
        "without Rescaling, which does not say that range. Give it: --value-range 0,1, or the least and the greatest "
        "value of your data.\n"
    )
    done = convista("maximize", "m.convista", "--class", 1, "--steps", 2, "--value-range", "-1,1", "--json")
    assert done.document["found"][0]["value_range"] == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Received neither. Write --class NAME, or --layer NAME --channel NUMBER."),
        (("--layer", "conv2d"), "Received --layer conv2d. Write"),
        (("--layer", "conv2d", "--channel", "0", "--class", "1"), "Received --class 1 --layer conv2d --channel 0."),
        (("--class", "ten"), "--class is the name or the number of a class"),
        (("--class", "1", "--blur", "3"), "3.0 is not in the range 0<=x<=1.5"),
        (
            ("--class", "1", "--value-range", "1,0"),
            "'1,0' is not a range. Write the least and the greatest value: 0,1 or",
        ),
        (("--class", "1", "--out", "a.gif"), "a figure is written as a PNG file"),
    ],
)
def test_what_cannot_be(here, convista, words, message):
    done = convista("maximize", here / "my run", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
