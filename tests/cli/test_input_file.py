"""What PICTURE may be: a picture file, whose changes are told, or a .npy file with one input."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista import Input, Sequential
from convista.layers import Conv1D, Dense, GlobalMaxPooling1D

PREPARED = "Save one input, prepared as it was for the training, with numpy.save, and name the .npy file."


@pytest.fixture
def sequence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layers = [Input((12, 3)), Conv1D(2, 3, name="line"), GlobalMaxPooling1D(), Dense(2, activation="softmax")]
    model = Sequential(layers, seed=0)
    model.save("m.convista")
    np.save("x.npy", np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32))
    return model


@pytest.mark.parametrize(
    "words",
    [
        ("trace", "m.convista", "x.npy", "--layer", "line", "--position", 4, "--channel", 1),
        ("maps", "m.convista", "x.npy"),
        ("attribute", "m.convista", "x.npy", "--method", "saliency"),
        ("shift", "m.convista", "x.npy", "--pixels", 1),
        ("maximize", "m.convista", "--class", 0, "--start", "x.npy", "--value-range", "-1,1", "--steps", 2),
    ],
    ids=lambda words: words[0],
)
def test_the_numbers_of_a_sequence(sequence, convista, words):
    done = convista(*words)
    assert (done.code, done.err) == (0, "")


def test_a_picture_file_for_a_model_that_takes_none(sequence, convista):
    Image.new("L", (12, 3)).save("a.png")
    done = convista("maps", "m.convista", "a.png")
    assert (done.code, done.err) == (
        1,
        "Error: Sequential 'sequential': a model that reads picture files takes pictures of one known size. "
        f"Received input_shape=(None, 12, 3). {PREPARED}\n",
    )


def test_a_model_that_does_not_say_how_files_are_scaled(tmp_path, monkeypatch, convista):
    monkeypatch.chdir(tmp_path)
    from convista.layers import Flatten

    Sequential([Input((4, 4, 1)), Flatten(), Dense(2, activation="softmax")], seed=0).save("m.convista")
    Image.new("L", (4, 4)).save("a.png")
    done = convista("attribute", "m.convista", "a.png", "--method", "saliency")
    assert (done.code, done.err) == (
        3,
        "Error: Sequential 'sequential': a model that reads picture files knows how their values 0…255 are scaled. "
        "Received a model that was not trained on values 0…1, without Rescaling and without preprocessing. "
        f"{PREPARED}\n",
    )


def test_another_size_and_mode_are_told(place, tmp_path, convista):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (31, 20), (200, 10, 90)).save(photo)
    words = ("trace", "my run", photo, "--layer", "conv2d", "--row", 2, "--col", 3, "--channel", 1)
    done = convista(*words)
    assert done.code == 0
    assert done.err == f"{photo}: 31×20 RGB, brought to 8×8 grey as the model's preprocessing says\n"
    Image.new("L", (8, 8)).save(photo)
    assert convista(*words).err == ""


def test_nan_is_named_as_the_picture(sequence, convista):
    bad = np.zeros((12, 3), np.float32)
    bad[2, 1] = np.nan
    np.save("bad.npy", bad)
    done = convista("maps", "m.convista", "bad.npy")
    assert (done.code, done.err) == (
        3,
        "Error: picture: inputs are finite numbers. Received nan at picture[0, 2, 1]. "
        "Replace missing values first, for example picture = np.nan_to_num(picture).\n",
    )


def test_files_without_numbers(sequence, convista):
    np.save("words.npy", np.array(["a", "b"]))
    assert convista("maps", "m.convista", "words.npy").err == (
        "Error: words.npy: a .npy file holds one array of numbers. Received dtype <U1. "
        "Save one array of numbers with numpy.save.\n"
    )
    with open("x.npy", "r+b") as file:
        file.truncate(200)
    done = convista("maps", "m.convista", "x.npy")
    assert done.code == 3
    assert done.err.startswith("Error: x.npy: a .npy file holds one array of numbers (")
    assert convista("maps", "m.convista", "none.npy").err == "Error: none.npy: there is no such file.\n"
