"""`convista predict` and `convista evaluate` on a finished run."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import convista.data
from convista.models import load_model


@pytest.fixture
def pictures(place, tmp_path):
    digits = convista.data.load("digits")
    paths = []
    for index in range(3):
        Image.fromarray(digits.test.x[index, :, :, 0]).save(tmp_path / f"digit {index}.png")
        paths.append(tmp_path / f"digit {index}.png")
    return paths, load_model("my run/model.convista").predict(digits.test.x[:3])


def test_labels_and_probabilities(pictures, convista):
    paths, expected = pictures
    done = convista("predict", "my run", *paths, "--json")
    found = done.document["pictures"]
    assert [one["picture"] for one in found] == [str(path) for path in paths]
    for one, row in zip(found, expected, strict=True):
        assert one["label"] == str(row.argmax())
        assert one["probability"] == pytest.approx(row.max(), abs=1e-5)
        assert [top["label"] for top in one["top"]] == [str(index) for index in np.argsort(-row)[:3]]
        assert one["top"][0]["probability"] >= one["top"][1]["probability"] >= one["top"][2]["probability"]


def test_table(pictures, convista):
    paths, expected = pictures
    done = convista("predict", "my run/model.convista", *paths)
    lines = done.out.splitlines()
    assert lines[0].split() == ["picture", "label", "probability", "next"]
    assert len(lines) == 4
    assert f"{expected[0].max():.2%}" in lines[1]


@pytest.mark.parametrize("content", [b"not a picture", b""])
def test_one_bad_picture_is_named(pictures, convista, tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    done = convista("predict", "my run", pictures[0][0], tmp_path / "bad.png")
    assert done.code == 3
    assert done.err.startswith(f"Error: {tmp_path}/bad.png: ")
    assert done.out == ""


def test_missing_picture_and_missing_run(place, convista):
    done = convista("predict", "my run", "none.png")
    assert done.code == 3
    assert "none.png" in done.err
    done = convista("predict", "my ran", "none.png")
    assert done.code == 3
    assert done.err == "Error: my ran: no such run folder or saved model. Did you mean 'my run'?\n"


def test_a_damaged_model(place, convista, tmp_path):
    content = bytearray((place / "my run" / "model.convista").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bad.convista").write_bytes(content)
    done = convista("predict", tmp_path / "bad.convista", "my run/example.png")
    assert done.code == 3
    assert "bad.convista" in done.err


def test_evaluate_repeats_what_training_found(place, trained, convista):
    done = convista("evaluate", "my run", "digits")
    assert done.code == 0
    assert done.out.strip() in trained[1].out
    document = convista("evaluate", "my run", "digits", "--json").document
    assert document["pictures"] == 360
    assert f"{document['accuracy']:.2%}" in trained[1].out
    assert convista("evaluate", "my run", "digits", "--split", "train", "--json").document["pictures"] == 1437


def test_evaluate_on_data_that_does_not_fit(place, convista, tmp_path):
    x, y = np.zeros((4, 9, 9), np.uint8), np.array([0, 1, 2, 9])
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    done = convista("evaluate", "my run", tmp_path / "mine.npz")
    assert done.code == 3
    assert done.err == (
        "Error: mine: the model takes pictures of 8×8×1. Received pictures of 9×9×1. "
        "Use the data it was trained on, or train a new model.\n"
    )
