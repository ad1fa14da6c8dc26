"""A figure's file is called so."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Sequential
from convista.errors import ArgumentError
from convista.insight.drawing import check_picture, write_picture
from convista.layers import Conv2D, Dense, Flatten


@pytest.mark.parametrize(
    ("name", "fix"),
    [("x.pdf", "x.png"), ("plots/x.bmp", "plots/x.png"), ("x", "x.png"), ("", "figure.png")],
)
def test_what_is_no_png_file(name, fix):
    with pytest.raises(ArgumentError) as error:
        check_picture(name)
    assert str(error.value) == f"path: a figure is written as a PNG file. Received {name!r}. Write {fix!r}."


def test_png_in_any_case_and_a_folder_that_is_there(tmp_path):
    assert write_picture(b"picture", tmp_path / "a.PNG").read_bytes() == b"picture"
    with pytest.raises(ArgumentError, match="a picture is saved into a folder that exists"):
        check_picture(tmp_path / "none" / "a.png")


def test_what_draws_itself_refuses_other_endings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layers = [Input((6, 6, 1)), Conv2D(2, 3, name="edges"), Flatten(), Dense(2, activation="softmax")]
    model = Sequential(layers, seed=0)
    x = np.ones((6, 6, 1), np.float32)
    saves = (model.explain().save, model.attribute(x, "saliency").save, model.trace(x, "edges", 0, 0, 0).save)
    for save in saves:
        with pytest.raises(ArgumentError) as error:
            save("x.gif")
        assert str(error.value) == "path: a figure is written as a PNG file. Received 'x.gif'. Write 'x.png'."
    assert not list(tmp_path.iterdir())
