"""`convista maps`: the sheet it writes and the numbers it prints."""

from __future__ import annotations

import pytest
from PIL import Image


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return place


def test_a_sheet_is_written_and_the_numbers_are_printed(here, convista):
    done = convista("maps", here / "my run", here / "my run" / "example.png")
    assert done.code == 0, done.err
    assert done.out.startswith("Feature maps of ")
    assert done.out.endswith("\n\nmaps.png\n")
    with Image.open("maps.png") as image:
        assert image.size[0] == 1008
    again = convista("maps", here / "my run", here / "my run" / "example.png")
    assert again.code == 2
    assert again.err == (
        "Error: --out: nothing is overwritten unless it is named. Received maps.png, which exists. "
        "Add --out maps.png to replace it.\n"
    )


def test_options_and_json(here, convista):
    words = ("--layer", "conv2d", "--scale", "shared", "--data", "digits", "--out", "one.png", "--json")
    done = convista("maps", here / "my run", here / "my run" / "example.png", *words)
    assert done.code == 0, done.err
    assert done.document["saved"] == "one.png"
    assert done.document["examples_of_data"] == 1437
    assert [layer["layer"] for layer in done.document["layers"]] == ["conv2d"]
    assert len(done.document["layers"][0]["channels"]) == 8


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--layer", "conv"), 2, "Did you mean 'conv2d'?"),
        (("--layer", "dense"), 2, "Dense 'dense' cannot be asked for this"),
        (("--out", "maps.jpg"), 2, "a figure is written as a PNG file. Received maps.jpg. Write --out maps.png."),
        (
            ("--out", "no/maps.png"),
            2,
            "--out: the folder of the file is there. Received no/maps.png. Make it first: mkdir -p no.",
        ),
        (("--scale", "mine"), 2, "'mine' is not one of 'own', 'shared'"),
    ],
)
def test_what_cannot_be(here, convista, words, code, message):
    done = convista("maps", here / "my run", here / "my run" / "example.png", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Error inside" not in done.err


def test_files_that_are_not_there(here, convista):
    assert convista("maps", "nothing", "photo.png").code == 3
    assert convista("maps", here / "my run", "photo.png").code == 3
