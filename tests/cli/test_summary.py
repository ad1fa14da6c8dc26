"""`convista summary` of saved models and the user's own."""

from __future__ import annotations

import re
import shlex
import shutil

import pytest

from convista import architectures
from convista.cli.chosen_model import ARCHITECTURES
from convista.models import load_model


def test_saved_model_knows_its_size(place, convista):
    done = convista("summary", "my run")
    model = load_model("my run/model.convista")
    assert done.out == f"{model.summary(print_to=None)}\n"
    document = convista("summary", "my run/model.convista", "--json").document
    assert document["total_parameters"] == model.count_params()


def test_detail(place, convista):
    assert "Receptive field" in convista("summary", "my run", "--detail").out
    assert "Receptive field" not in convista("summary", "my run").out


@pytest.mark.parametrize("size", ["8,8,1", "8x8x1", "8×8×1", " 8, 8, 1"])
def test_own_file_with_a_size(models, convista, size):
    done = convista("summary", f"{models}:small", "--input", size, "--classes", 3)
    assert done.code == 0, done.err
    assert "(None, 3)" in done.out


def test_a_size_is_asked_for(models, convista):
    done = convista("summary", f"{models}:small")
    assert done.code == 2
    assert done.err.startswith("Error: --input: this model is built for a size of picture. Received none. Add height,")
    assert convista("summary", f"{models}:ready").code == 0


def test_an_example_of_a_size_is_one_that_the_network_takes(convista):
    done = convista("summary", "volume-convnet")
    assert done.err == (
        "Error: --input: this model is built for a size of volume. Received none. Add depth, height, width and "
        "channels, for example: convista summary volume-convnet --input 16,16,16,1.\n"
    )
    assert convista("summary", "volume-convnet", "--input", "16,16,16,1").code == 0
    done = convista("explain", "resnet18")
    assert done.err == (
        "Error: --input: this model is built for a size of picture. Received none. Add height, width and channels, "
        "for example: convista explain resnet18 --input 224,224,3.\n"
    )


@pytest.mark.parametrize("name", ["vgg11", "vgg16", "mobilenet-v1", "convnext-tiny"])
def test_the_least_size_is_advised(convista, name):
    words = ("explain", name, "--input")
    least = re.search(r"Write --input ((\d+),\d+,3) or larger", convista(*words, "2,2,3").err)
    assert least is not None
    assert convista(*words, least[1]).code == 0
    below = int(least[2]) - 1
    assert convista(*words, f"{below},{below},3").code == 2


@pytest.mark.parametrize("size", ["28,x", "0,8,1", "a,b,c", "8,8,-1", "8,,1", "8,8,99999999999"])
def test_sizes_that_cannot_be(convista, size):
    done = convista("summary", "lecture-dense", "--input", size)
    assert done.code in (1, 2)
    assert "Traceback" not in done.err
    assert "Error inside" not in done.err


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        (
            "lecture-convnet",
            "28,28",
            "--input: lecture-convnet takes pictures of height, width and channels. Received 28,28. "
            "Write all three, for example --input 28,28,1.",
        ),
        (
            "digits-convnet",
            "9,7",
            "--input: digits-convnet takes pictures of height, width and channels. Received 9,7. "
            "Write all three, for example --input 9,7,1.",
        ),
        (
            "lecture-convnet",
            "5,5",
            "--input: lecture-convnet takes pictures of height, width and channels. Received 5,5. "
            "Write all three, for example --input 28,28,1.",
        ),
        (
            "sequence-convnet",
            "60",
            "--input: sequence-convnet takes sequences of length and channels. Received 60. "
            "Write both, for example --input 60,4.",
        ),
        (
            "volume-convnet",
            "20,20,20",
            "--input: volume-convnet takes volumes of depth, height, width and channels. Received 20,20,20. "
            "Write all four, for example --input 20,20,20,1.",
        ),
        (
            "sequence-convnet",
            "28,28,1",
            "sequence-convnet: its data are sequences of length and channels. Received 28×28×1. "
            "Use digits-convnet, which takes such pictures.",
        ),
        (
            "volume-convnet",
            "28,28,1",
            "volume-convnet: its data are volumes of depth, height, width and channels. Received 28×28×1. "
            "Use digits-convnet, which takes such pictures.",
        ),
        (
            "lecture-convnet",
            "5,5,1",
            "lecture-convnet: pictures are large enough for its convolutions and poolings. Received 5×5×1. "
            "Write --input 18,18,1 or larger, or use digits-convnet, which takes such pictures.",
        ),
        (
            "lecture-small-convnet",
            "4,4,3",
            "lecture-small-convnet: pictures are large enough for its convolutions and poolings. Received 4×4×3. "
            "Write --input 6,6,3 or larger, or use lecture-dense, which takes such pictures.",
        ),
    ],
)
def test_pictures_that_an_architecture_cannot_take(convista, name, size, message):
    done = convista("summary", name, "--input", size)
    assert done.err == f"Error: {message}\n"
    assert done.code == 2
    shape, other = re.search(r"--input ([\d,]+)", done.err), re.search(r"Use ([\w-]+),", done.err)
    advised = convista("summary", other[1] if other else name, "--input", shape[1] if shape else size)
    assert advised.code == 0, advised.err


def test_a_sequence_of_one_letter(convista):
    assert convista("summary", "sequence-convnet", "--input", "1,4").err == (
        "Error: sequence-convnet: sequences are large enough for its convolutions and poolings. Received 1×4. "
        "Write --input 2,4 or larger.\n"
    )


def test_help_names_every_architecture(convista):
    assert architectures.names() == ARCHITECTURES
    listed = "\n".join(["Architectures:", *(f"    {name}" for name in ARCHITECTURES), ""])
    assert listed in convista("summary", "--help").out
    assert listed in convista("train", "--help").out


def test_a_folder_does_not_hide_an_architecture(trained, tmp_path, convista, monkeypatch):
    shutil.copytree(trained[0] / "my run", tmp_path / "lecture-dense")
    monkeypatch.chdir(tmp_path)
    assert convista("summary", "lecture-dense", "--input", "28,28,1", "--json").document["total_parameters"] == 407_050
    assert convista("summary", "./lecture-dense").out == convista("summary", trained[0] / "my run").out


def test_printed_commands_mean_the_run_and_not_an_architecture(tmp_path, models, convista, monkeypatch, no_figures):
    monkeypatch.chdir(tmp_path)
    words = ("--model", f"{models}:small", "--epochs", 1, "--out", "lecture-dense", "--json", "--quiet")
    last = convista("train", "digits", *words).document["next"][-1]
    assert last == "convista report ./lecture-dense"
    assert convista(*shlex.split(last)[1:]).code == 0
