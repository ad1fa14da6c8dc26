"""A folder of pictures on the command line: train, evaluate, predict, data show and data check."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.layers import Dense, Input
from convista.models import Sequential, load_model
from oracles.cifar_files import tar

COLOURS = {"blue": (20, 40, 220), "red": (220, 40, 20)}


def pictures(root, count, seed=0):
    draw = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            noise = draw.integers(-20, 20, (12, 12, 3))
            image = Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))
            image.resize((12, 12 + number % 3 * 6)).save(root / name / f"{number:02}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("place") / "colours", 30)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory, models, convista):
    """A network trained on the folder, and what was said."""
    out = tmp_path_factory.mktemp("runs") / "first"
    words = ("--model", f"{models}:small", "--image-size", "12", "--epochs", 6, "--batch-size", 8, "--out", out)
    done = convista("train", folder, *words)
    assert done.code == 0, done.err
    return out, done


def test_train_holds_a_fifth_out(run, folder):
    out, done = run
    assert done.out.startswith("Data: colours, 48 pictures to learn from and 12 held out, 12×12×3, 2 classes\n")
    assert "Accuracy 100.00% (12 of 12 held-out pictures)" in done.out
    assert {path.name for path in out.iterdir()} >= {"mistakes.png", "confusion.png", "example.png", "history.csv"}
    network = load_model(out / "model.convista")
    assert network.classes == ("blue", "red")
    assert network.preprocessing.scale == 1 / 255


def test_evaluate_finds_the_same_pictures(run, folder, convista):
    out, _ = run
    held_out = convista("evaluate", out, folder, "--json").document
    assert (held_out["pictures"], held_out["right"]) == (12, 12)
    assert convista("evaluate", out, folder, "--split", "train", "--json").document["pictures"] == 48
    assert convista("evaluate", out, folder, "--split", "all", "--json").document["pictures"] == 60
    done = convista("evaluate", out, "digits", "--split", "all")
    assert done.code == 3
    assert "the model takes pictures of 12×12×3" in done.err


def test_prune_learns_and_measures_on_a_folder(run, folder, convista, tmp_path):
    out, _ = run
    target = tmp_path / "small.convista"
    done = convista("prune", out, folder, "--weights", 0.5, "--batch-size", 8, "--out", target, "--json")
    assert done.code == 0, done.err
    first, second = done.document["networks"]
    assert (done.document["pictures"], first["accuracy"], second["accuracy"]) == (12, 1.0, 1.0)
    assert second["nonzero"] < first["nonzero"]
    assert convista("evaluate", target, folder, "--json").document["right"] == 12


def test_training_goes_on_with_the_size_the_model_has(run, folder, convista, tmp_path, no_figures):
    out, _ = run
    (tmp_path / "big").mkdir()
    for name in COLOURS:
        (tmp_path / "big" / name).mkdir()
        for path in (folder / name).iterdir():
            with Image.open(path) as image:
                image.resize((50, 40)).save(tmp_path / "big" / name / path.name)
    done = convista("train", tmp_path / "big", "--model", out, "--epochs", 1, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    assert done.document["data"]["shape"] == [12, 12, 3]
    assert done.document["test"]["accuracy"] == 1.0


def test_a_model_that_takes_no_pictures(folder, convista, tmp_path):
    Sequential([Input((4,)), Dense(2, activation="softmax")]).save(tmp_path / "flat.convista")
    done = convista("evaluate", tmp_path / "flat.convista", folder)
    assert done.code == 3
    assert done.err == (
        f"Error: {folder}: a model that reads picture files takes pictures with 1 or 3 channels. "
        "Received input_shape=(None, 4). Use a model that begins with Input((height, width, channels)).\n"
    )


def test_classes_are_numbered_as_the_model_numbers_them(run, folder, convista, tmp_path):
    out, _ = run
    only_red = tmp_path / "some"
    only_red.mkdir()
    (only_red / "red").symlink_to(folder / "red")
    done = convista("evaluate", out, only_red, "--split", "all", "--json")
    assert (done.document["pictures"], done.document["right"]) == (30, 30)
    (only_red / "green").symlink_to(folder / "blue")
    done = convista("evaluate", out, only_red)
    assert done.code == 2
    assert done.err == (
        "Error: image_folder: class_names has every class that has a folder. "
        f"Received a folder 'green' in {only_red}. Known: blue, red.\n"
    )


@pytest.mark.slow
def test_splits_and_an_archive(run, tmp_path, models, convista, monkeypatch):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path / "home"))
    for seed, (split, count) in enumerate({"train": 10, "val": 4, "test": 5}.items()):
        pictures(tmp_path / "set" / split, count, seed)
    (tmp_path / "set" / "train" / "red" / "bad.jpg").write_bytes(b"")
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in (tmp_path / "set").rglob("*.*g")}
    path = tar(tmp_path / "set.tar.gz", files)
    words = ("--model", f"{models}:logits", "--color-mode", "grayscale", "--image-size", "10,9", "--epochs", 1)
    done = convista("train", path, *words, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert done.document["data"]["shape"] == [10, 9, 1]
    assert done.document["test"]["pictures"] == 10
    assert "bad.jpg: the picture file is empty" in done.err
    assert "val_accuracy" in done.document["history"]
    assert convista("evaluate", tmp_path / "run", path, "--json").document["pictures"] == 10
    done = convista("evaluate", tmp_path / "run", path, "--split", "all")
    assert done.code == 2
    assert done.err == (
        f"Error: --split: --split all is for a folder without train/ and test/. Received {str(path)!r}. "
        "Use --split test or --split train.\n"
    )


def test_predict_a_folder(run, folder, tmp_path, convista):
    out, _ = run
    done = convista("predict", out, folder, "--json")
    found = done.document["pictures"]
    assert [one["picture"] for one in found[:2]] == [str(folder / "blue" / f"{number:02}.png") for number in (0, 1)]
    assert [one["label"] for one in found] == ["blue"] * 30 + ["red"] * 30
    assert done.document["skipped"] == []
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.png").write_bytes((folder / "red" / "00.png").read_bytes())
    (tmp_path / "mixed" / "b.png").write_bytes(b"no picture")
    done = convista("predict", out, tmp_path / "mixed", "--json")
    assert [one["label"] for one in done.document["pictures"]] == ["red"]
    assert [one["picture"] for one in done.document["skipped"]] == [str(tmp_path / "mixed" / "b.png")]
    assert done.err.startswith(f"Skipped: {tmp_path / 'mixed' / 'b.png'}: this is not a picture that can be read.")
    (tmp_path / "none").mkdir()
    done = convista("predict", out, tmp_path / "none")
    assert done.code == 3
    assert done.err == (
        f"Error: {tmp_path / 'none'}: a folder to predict has pictures. "
        "Received none with a known suffix, such as .jpg.\n"
    )


def test_show_a_folder(folder, convista):
    done = convista("data", "show", folder)
    assert done.code == 0, done.err
    assert done.out.startswith("colours: pictures of 12×12×3, uint8 from ")
    assert "all          48    12" in done.out


def test_sizes_are_read(folder, convista):
    done = convista("train", folder, "--image-size", "12,0")
    assert done.code == 2
    assert "'12,0' is not a size. Write height and width in pixels, for example 64,64 or 64." in done.err


def test_check(folder, tmp_path, convista):
    done = convista("data", "check", folder)
    assert done.code == 0
    assert "blue      30    0     0" in done.out
    assert "note: pictures have 3 sizes: 12×12 (20), 18×12 (20), 24×12 (20)" in done.out
    good = pictures(tmp_path / "good" / "train", 1)
    assert convista("data", "check", good.parent).out.endswith("Nothing is wrong.\n")


def test_check_ends_with_3_when_there_are_errors(tmp_path, convista):
    root = pictures(tmp_path / "bad", 8)
    for number in range(8):
        (root / "red" / f"{number:02}.png").write_bytes(b"")
    done = convista("data", "check", root)
    assert done.code == 3
    assert done.err == ""
    assert "error: 8 files are empty\n  red/00.png\n" in done.out
    assert "  and 3 more (--all names them)" in done.out
    assert "red/07.png" in convista("data", "check", root, "--all").out
    document = convista("data", "check", root, "--json").document
    assert document["errors"] == 1
    assert len(document["findings"][0]["files"]) == 8
    done = convista("data", "check", tmp_path / "nowhere")
    assert done.code == 3
    assert done.err == f"Error: {tmp_path / 'nowhere'}: there is no such folder. Check the path.\n"
