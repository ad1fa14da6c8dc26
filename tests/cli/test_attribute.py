"""`convista attribute`: the figure it writes and the words it prints."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.cli.attribute import METHODS
from convista.insight import attribute
from convista.insight.attributions import methods as attribution_methods
from convista.models import load_model


def test_names_are_those_of_the_methods():
    assert set(METHODS) == set(attribution_methods.METHODS)


def test_a_figure_is_written_and_the_answer_explained(place, convista, tmp_path):
    out = tmp_path / "why.png"
    done = convista("attribute", "my run", "my run/example.png", "--out", out)
    assert done.code == 0, done.err
    found = attribute(load_model("my run/model.convista"), "my run/example.png")
    assert done.out == f"{out}\n{found}\n"
    with Image.open(out) as image:
        assert image.size[0] == 1080


def test_an_empty_map_names_commands_that_show_more(place, convista, tmp_path):
    model = load_model("my run/model.convista")
    *before, kernel, bias = model.get_weights()
    model.set_weights([*map(np.abs, before), -np.abs(kernel), bias])  # all that is seen speaks against every class
    model.save(tmp_path / "against.convista")
    words = (tmp_path / "against.convista", "my run/example.png", "--class", "3", "--out", tmp_path / "why.png")
    done = convista("attribute", *words)
    assert done.code == 0, done.err
    command = f"  convista attribute {tmp_path / 'against.convista'} 'my run/example.png' --class 3 --method"
    assert "\nnothing in the map speaks for this class: try the method grad_cam_plus_plus or occlusion, or " in done.out
    assert done.out.endswith(f"\n{command} grad_cam_plus_plus\n{command} occlusion\n")


def test_options_and_json(place, convista, tmp_path):
    words = ("my run", "my run/example.png", "--method", "score_cam", "--class", "3", "--layer", "conv2d")
    document = convista("attribute", *words, "--out", tmp_path / "a.png", "--json").document
    found = attribute(load_model("my run/model.convista"), "my run/example.png", "score_cam", "3", "conv2d")
    assert (document["method"], document["label"], document["settings"]) == ("score_cam", "3", {"layer": "conv2d"})
    assert document["saved"] == str(tmp_path / "a.png")
    np.testing.assert_allclose(document["map"], found.map, rtol=1e-6)


def test_nothing_is_lost(place, convista, tmp_path, monkeypatch):
    run = place / "my run"
    monkeypatch.chdir(tmp_path)
    assert convista("attribute", run, run / "example.png", "--method", "saliency").code == 0
    again = convista("attribute", run, run / "example.png", "--method", "saliency")
    assert again.code == 2
    assert again.err == (
        "Error: --out: nothing is overwritten unless it is named. Received example-saliency.png, which exists. "
        "Add --out example-saliency.png to replace it.\n"
    )
    itself = convista("attribute", run, run / "example.png", "--out", run / "example.png")
    assert itself.code == 2
    assert "the picture itself is not overwritten" in itself.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--method", "grad_kam"), 2, "'grad_kam' is no method. Did you mean 'grad_cam'?"),
        (("--method", "gradcam"), 2, "'gradcam' is no method. Did you mean 'grad_cam'?"),
        (("--method", "xyz"), 2, "'xyz' is no method. Known: grad_cam, "),
        (("--class", "12"), 2, "--class is the name or the number of a class, 0…9. Received --class 12."),
        (("--class", "cat"), 2, "--class is the name or the number of a class. Received --class cat."),
        (("--layer", "conv"), 2, "Did you mean 'conv2d'?"),
        (("--method", "saliency", "--layer", "conv2d"), 2, "saliency looks at the input"),
        (
            ("--out", "no/why.png"),
            2,
            "--out: the folder of the file is there. Received no/why.png. Make it first: mkdir -p no.",
        ),
    ],
)
def test_what_cannot_be(place, convista, tmp_path, words, code, message):
    out = () if "--out" in words else ("--out", tmp_path / "why.png")
    done = convista("attribute", "my run", "my run/example.png", *words, *out)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_files_that_are_not_there(place, convista, tmp_path):
    done = convista("attribute", "my run", "none.png", "--out", tmp_path / "a.png")
    assert done.code == 3
    assert "none.png" in done.err
    assert convista("attribute", "no run", "my run/example.png", "--out", tmp_path / "a.png").code == 3
