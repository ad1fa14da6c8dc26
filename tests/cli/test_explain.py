"""`convista explain` of architectures, saved models and the user's own."""

from __future__ import annotations

import json

from convista import Sequential, architectures, layers
from convista.models import load_model


def test_a_saved_model_knows_its_size(place, convista):
    done = convista("explain", "my run")
    model = load_model("my run/model.convista")
    assert done.code == 0, done.err
    assert done.out == f"{model.explain()}\n"
    assert convista("explain", "my run/model.convista", "--json").document == model.explain().to_dict()


def test_an_architecture_with_a_size(convista):
    done = convista("explain", "lecture-convnet", "--input", "28,28,1")
    assert done.code == 0, done.err
    assert done.out == f"{architectures.get('lecture-convnet')((28, 28, 1), 10, seed=0).explain()}\n"
    assert "  output_h = (28 + 2·0 − 3) // 1 + 1 = 26, output_w the same\n" in done.out


def test_one_layer_and_a_batch(convista):
    done = convista("explain", "lecture-convnet", "--input", "28,28,1", "--layer", "conv2d_1", "--batch-size", 128)
    assert done.out.startswith('Model "lecture-convnet"\n\nconv2d_1 (Conv2D): 13×13×32 → 11×11×64\n')
    assert "2·7 744·4·128 + 18 496·4" in done.out
    assert "The whole network" not in done.out
    done = convista("explain", "lecture-convnet", "--input", "28,28,1", "--layer", "conv2d_7")
    assert done.code == 2
    assert done.err.startswith(
        "Error: explain: a layer is named as in model.summary(). Received --layer conv2d_7. Did you mean 'conv2d"
    )


def test_forms(models, convista):
    words = ("explain", f"{models}:small", "--input", "8,8,1")
    model = convista(*words, "--format", "json").document
    assert model == convista(*words, "--json").document
    assert model["layers"][1]["lines"][0]["formula"] == "(8 + 2·0 − 3) // 1 + 1"
    assert convista(*words, "--format", "markdown").out.startswith("## Model sequential\n")
    assert convista(*words, "--format", "html").out.startswith("<!doctype html>\n")


def test_out_is_written_in_the_form_that_its_name_says(models, convista, tmp_path):
    words = ("explain", f"{models}:small", "--input", "8,8,1")
    begins = {"a.txt": 'Model "', "a.md": "## Model ", "a.HTML": "<!doctype html>", "a.json": "{\n"}
    for name, begin in begins.items():
        done = convista(*words, "--out", tmp_path / name)
        assert (done.code, done.out) == (0, f"{tmp_path / name}\n"), done.err
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begin)
    done = convista(*words, "--out", tmp_path / "a.txt", "--format", "json", "--json")
    assert done.document["saved"] == str(tmp_path / "a.txt")
    assert json.loads((tmp_path / "a.txt").read_text(encoding="utf-8"))["name"] == "sequential"


def test_mistakes(models, place, convista, tmp_path):
    done = convista("explain", "my run", "--json", "--format", "html")
    assert done.code == 2
    assert done.err.endswith(
        "Error: --json prints JSON. Leave out --json or --format html, or write the other to --out.\n"
    )
    done = convista("explain", "my run/model.convista", "--out", "my run/model.convista")
    assert done.code == 2
    assert done.err == (
        "Error: --out: the model itself is not overwritten. Received my run/model.convista. "
        "Name another file with --out.\n"
    )
    assert convista("explain", "my run").code == 0
    source = models if str(models).endswith(".py") else f"{models}.py"
    assert "not overwritten" in convista("explain", f"{source}:ready", "--out", source).err
    done = convista("explain", f"{models}:ready", "--input", "28,28,1")
    assert done.err == ("Error: explain: the model takes 8×8×1. Received --input 28,28,1. Leave --input out.\n")
    done = convista("explain", "lecture-convnet", "--input", "28,28,1", "--out", tmp_path / "none" / "a.md")
    assert done.code == 2
    assert done.err == (
        f"Error: --out: the folder of the file is there. Received {tmp_path}/none/a.md. "
        f"Make it first: mkdir -p {tmp_path}/none.\n"
    )
    done = convista("explain", "lecture-convnet", "--input", "28,28,1", "--out", "e.pdf")
    assert (done.code, done.err) == (
        2,
        "Error: --out: an explanation is written as a .html, .htm, .md, .markdown, .txt or .json file. Received e.pdf. "
        "Write --out e.html.\n",
    )


def test_a_saved_model_of_any_size_takes_one(convista, tmp_path):
    model = Sequential([layers.Input((None, None, 1)), layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()])
    model.save(tmp_path / "any.convista")
    done = convista("explain", tmp_path / "any.convista", "--input", "12,9,1")
    assert "conv2d (Conv2D): 12×9×1 → 10×7×2\n" in done.out
    assert "?×?×1 → ?×?×2" in convista("explain", tmp_path / "any.convista").out
