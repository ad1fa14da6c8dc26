"""`convista trace`: the walk that it prints, draws and writes as JSON."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista import Input, Sequential
from convista.layers import Conv1D
from convista.models import load_model


def test_the_walk_is_printed_and_drawn(place, convista, tmp_path):
    words = ("trace", "my run", "my run/example.png", "--layer", "conv2d", "--row", 2, "--col", 3, "--channel", 1)
    done = convista(*words, "--out", tmp_path / "walk.png")
    assert done.code == 0, done.err
    found = load_model("my run/model.convista").trace("my run/example.png", "conv2d", 2, 3, 1)
    assert done.out == f"{found}\n"
    with Image.open(tmp_path / "walk.png") as image:
        assert image.width == 1267
    assert convista(*words, "--markdown").out == f"{found.to_markdown()}\n"


def test_json(place, convista):
    done = convista("trace", "my run", "my run/example.png", "--layer", "dense", "--channel", 3, "--json")
    document = done.document
    assert document["model"] == "my run"
    assert document["cell"] == {"channel": 3}
    assert [line["name"] for line in document["lines"]] == ["sum", "bias", "softmax"]
    assert document["difference"] <= document["tolerance"]


def test_numbers_of_a_sequence(convista, tmp_path):
    model = Sequential([Input((12, 3)), Conv1D(2, 3, name="line")], seed=0)
    model.save(tmp_path / "m.convista")
    x = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    words = ("trace", tmp_path / "m.convista", tmp_path / "x.npy", "--layer", "line", "--position", 4, "--channel", 1)
    assert convista(*words).out == f"{model.trace(x, 'line', 4, 1)}\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("--layer", "conv2d", "--row", 6, "--col", 0, "--channel", 0),
            2,
            "Error: trace, Conv2D 'conv2d': a cell of its 6×6×8 map is row, col, channel. Received row=6. "
            "Here they go row 0…5, col 0…5, channel 0…7.\n",
        ),
        (
            ("--layer", "conv2d"),
            2,
            "Error: trace, Conv2D 'conv2d': a cell of its 6×6×8 map is row, col, channel. Received no cell, without "
            "row and col and channel. Here they go row 0…5, col 0…5, channel 0…7: for example --row 0 --col 0 "
            "--channel 0.\n",
        ),
        (
            ("--layer", "conv"),
            2,
            "Error: trace: a layer is named as in model.summary(). Received layer='conv'. Did you mean 'conv2d'? "
            "Known: conv2d, max_pooling2d, flatten, dense.\n",
        ),
        (
            ("--layer", "conv2d", "--out", "walk.jpg"),
            2,
            "Error: --out: a figure is written as a PNG file. Received walk.jpg. Write --out walk.png.\n",
        ),
        (
            ("--layer", "conv2d", "--out", "my run/example.png"),
            2,
            "Error: --out: the picture itself is not overwritten. Received my run/example.png, which exists. "
            "Name another file with --out.\n",
        ),
    ],
)
def test_what_cannot_be(place, convista, words, code, message):
    done = convista("trace", "my run", "my run/example.png", *words)
    assert (done.code, done.out, done.err) == (code, "", message)


def test_files_that_are_not_there_or_no_numbers(place, convista, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY but no")
    for name in (tmp_path / "bad.npy", tmp_path / "none.npy", tmp_path / "none.png"):
        done = convista("trace", "my run", name, "--layer", "conv2d", "--row", 0, "--col", 0, "--channel", 0)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"Error: {name}: ")
        assert "Traceback" not in done.err
