"""`convista train`, from digits to a run folder, and everything that can stop it."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image, ImageDraw

import convista.data
from convista import architectures
from convista.insight.runs import OURS
from convista.models import load_model
from convista.training.progress import Lines


def test_run_folder_has_everything_and_nothing_else(place):
    assert sorted(os.listdir("my run")) == sorted(OURS)
    with open("my run/history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    for name in ("curves", "confusion", "mistakes"):
        with Image.open(f"my run/{name}.png") as picture:
            assert picture.format == "PNG"


def test_record_repeats_and_explains_the_run(place):
    with open("my run/run.json", encoding="utf-8") as file:
        record = json.load(file)
    assert record["status"] == "done"
    assert record["command"].startswith("convista train digits --model ")
    assert shlex.split(record["command"])[-2:] == ["--out", "my run"]
    assert record["data"]["test_pictures"] == 360
    assert record["plan"]["learning_rate"] == 0.01
    assert record["epochs"] == len(record["history"]["loss"]) == 8
    assert set(record["versions"]) == {"convista", "python", "jax", "jaxlib", "numpy", "optax"}
    assert len(record["test"]["confusion"]) == 10


def test_text_ends_with_paths_and_three_commands(trained):
    _, done = trained
    assert done.out.startswith("Data: digits, 1,437 pictures to learn from and 360 held out, 8×8×1, 10 classes\n")
    assert "Total params:" in done.out
    assert re.search(r"Accuracy \d\d\.\d\d% \(\d+ of 360 held-out pictures\), loss 0\.\d{4}", done.out)
    assert "class  precision  recall      F1  support\n" in done.out
    for name in OURS:
        assert f"  my run/{name}" in done.out
    assert len(_commands(done.out)) == 3
    assert done.err.count("Epoch ") == 8


def _commands(out):
    return [line.strip() for line in out.partition("Try next:\n")[2].splitlines()]


@pytest.mark.slow
def test_printed_commands_run_as_printed(place, trained, convista):
    for command in _commands(trained[1].out):
        words = shlex.split(command)
        done = convista(*words[words.index("convista") + 1 :])
        assert done.code == 0, done.err
        assert done.out


def test_accuracy_is_that_of_the_saved_model(place):
    with open("my run/run.json", encoding="utf-8") as file:
        said = json.load(file)["test"]
    model, digits = load_model("my run/model.convista"), convista.data.load("digits")
    right = int((model.predict(digits.test.x).argmax(axis=1) == digits.test.y).sum())
    assert said["right"] == right > 300
    values = model.evaluate(digits.test.x, digits.test.y, verbose=0, return_dict=True)
    assert said["loss"] == pytest.approx(values["loss"], rel=1e-4)
    assert model.classes == digits.classes
    assert model.preprocessing.scale == 1 / 255


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_same_result_and_another_seed_another(place, tmp_path, models, convista, no_figures, seed):
    words = ("--epochs", 2, "--lr", "0.01", "--seed", seed, "--out", tmp_path / "a", "--json", "--quiet")
    done = convista("train", "digits", "--model", f"{models}:small", *words)
    assert done.err == ""
    with open("my run/run.json", encoding="utf-8") as file:
        first = json.load(file)["history"]
    same = {name: values[:2] for name, values in first.items()} == done.document["history"]
    assert same == (seed == 0)


def test_json_is_one_document(tmp_path, models, convista, no_figures):
    words = (
        "--epochs",
        1,
        "--optimizer",
        "sgd",
        "--schedule",
        "cosine",
        "--validation-split",
        0,
        "--out",
        tmp_path / "a",
        "--json",
    )
    done = convista("train", "digits", "--model", f"{models}:logits", *words)
    document = done.document
    assert document["run"] == str(tmp_path / "a")
    assert document["files"]["model"] == str(tmp_path / "a" / "model.convista")
    assert document["history"].keys() == {"loss", "accuracy"}
    assert 0 < document["test"]["accuracy"] < 1
    assert len(document["next"]) == 3
    assert done.err.startswith("Epoch 1/1 - ")


def test_the_policy_is_chosen_and_saved(tmp_path, models, convista, no_figures):
    words = ("--epochs", 1, "--policy", "mixed_bfloat16", "--out", tmp_path / "a", "--json", "--quiet")
    done = convista("train", "digits", "--model", f"{models}:small", *words)
    assert done.code == 0, done.err
    assert done.document["plan"]["policy"] == "mixed_bfloat16"
    assert load_model(tmp_path / "a" / "model.convista").policy == "mixed_bfloat16"


def test_an_unknown_policy_is_wrong_usage(models, convista):
    done = convista("train", "digits", "--model", f"{models}:small", "--policy", "mixed_bfloat")
    assert done.code == 2
    assert "'mixed_bfloat' is not one of 'float32', 'mixed_bfloat16'" in done.err


def test_a_saved_run_goes_on_learning(place, tmp_path, convista, no_figures):
    done = convista("train", "digits", "--model", "my run", "--epochs", 2, "--out", tmp_path / "a", "--json")
    with open("my run/run.json", encoding="utf-8") as file:
        before = json.load(file)["history"]["loss"]
    assert done.code == 0, done.err
    assert done.document["history"]["loss"][0] < before[1]


@pytest.mark.slow
def test_own_npz_file(tmp_path, models, convista, monkeypatch, no_figures):
    random = np.random.default_rng(0)
    y = np.sort(random.integers(0, 2, 64))
    x = (random.integers(0, 100, (64, 8, 8)) + 150 * y[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x[::3], y_test=y[::3])
    monkeypatch.chdir(tmp_path)
    done = convista("train", "./mine.npz", "--model", f"{models}:small", "--epochs", 20, "--batch-size", 16, "--json")
    assert done.code == 0, done.err
    assert re.fullmatch(r"runs/\d{8}-\d{6}-mine", done.document["run"])
    assert done.document["test"]["accuracy"] > 0.9
    assert [row["class"] for row in done.document["test"]["classes"]] == ["0", "1"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "smal",
            "after the colon stands the name of a model, or of a function that makes one. Received 'smal'. "
            "Did you mean 'small'?",
        ),
        (
            "number",
            "this is neither a convista model nor a function that returns one. Received int. "
            "Return convista.Sequential([...]) or convista.Model(inputs, outputs).",
        ),
        (
            "other",
            "this is neither a convista model nor a function that returns one. Received str. "
            "Return convista.Sequential([...]) or convista.Model(inputs, outputs).",
        ),
        (
            "fails",
            "fails(input_shape, classes) stopped with ZeroDivisionError: division by zero. "
            "Mend the file, or run the same command with --debug to see the traceback.",
        ),
    ],
)
def test_mistakes_in_the_users_own_file(tmp_path, models, convista, name, message):
    done = convista("train", "digits", "--model", f"{models}:{name}", "--out", tmp_path / "a")
    assert done.code == 2
    assert done.err.endswith(f": {message}\n")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "a").exists()


OWN = """
from convista import Sequential
from convista.layers import *

three = lambda input_shape, classes: Sequential([Input(input_shape), Flatten(), Dense(3)])
large = lambda input_shape, classes: Sequential([Input((28, 28, 1)), Flatten(), Dense(classes)])
flat = lambda input_shape, classes: Sequential([Input((64,)), Dense(classes)])
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("three", "the model tells 3 classes apart. Received 10 classes. Give its last layer 10 units."),
        ("large", "the model takes pictures of 28×28×1. Received pictures of 8×8×1. Begin it with Input((8, 8, 1))."),
        ("flat", "the model takes pictures of 64. Received pictures of 8×8×1. Begin the model with Flatten()."),
    ],
)
def test_own_models_that_do_not_fit_the_data(tmp_path, convista, name, message):
    (tmp_path / "own.py").write_text(OWN)
    done = convista("train", "digits", "--model", f"{tmp_path}/own.py:{name}", "--out", tmp_path / "a")
    assert done.err == f"Error: {tmp_path}/own.py:{name}: {message}\n"
    assert done.code == 3
    assert not (tmp_path / "a").exists()


def test_a_file_without_a_name_lists_what_it_defines_itself(tmp_path, convista):
    (tmp_path / "own.py").write_text(f"{OWN}\nready = flat(None, 10)\n")
    done = convista("train", "digits", "--model", f"{tmp_path}/own.py")
    assert done.err == (
        f"Error: {tmp_path}/own.py: after the colon stands the name of a model, or of a function that makes one. "
        "Received no name. Known: flat, large, ready, three.\n"
    )


def test_a_file_that_is_no_python(tmp_path, convista):
    (tmp_path / "broken.py").write_text("import convista\ndef small(:\n")
    done = convista("train", "digits", "--model", f"{tmp_path}/broken.py:small")
    assert done.code == 2
    assert done.err.startswith(f"Error: {tmp_path}/broken.py, line 2: the file stopped with SyntaxError: ")
    missing = convista("train", "digits", "--model", f"{tmp_path}/missing.py:small")
    assert missing.code == 3
    assert missing.err == f"Error: {tmp_path}/missing.py: there is no such file. Check the path before the colon.\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("digitz",),
            2,
            "DATA: this is neither the name of a dataset, nor a folder of pictures, nor an .npz file. "
            "Received 'digitz'. Did you mean 'digits'? "
            "Or give an .npz file, for example mine.npz.",
        ),
        (
            ("mine.py",),
            2,
            "DATA: this is neither the name of a dataset, nor a folder of pictures, nor an .npz file. "
            "Received 'mine.py'. "
            f"Known: {', '.join(sorted(convista.data.names()))}. Or give an .npz file, for example mine.npz.",
        ),
        (("./no.npz",), 3, "no.npz: there is no such file. Check the path."),
        (
            ("digits", "--model", "lecture-convnet"),
            2,
            "lecture-convnet: pictures are large enough for its convolutions and poolings. Received 8×8×1. "
            "Use digits-convnet, which takes such pictures.",
        ),
        (
            ("digits", "--model", "my run/model.convist"),
            3,
            "my run/model.convist: no such run folder or saved model. Train one first: convista demo.",
        ),
        (
            ("digits", "--model", "my run", "--out", "my run"),
            2,
            f"my run: the folder already holds a run, and runs are never overwritten. "
            f"Received a folder with {', '.join(OURS)}. Give another folder, for example --out 'my run-2'.",
        ),
        (
            ("digits", "--model", "my run", "--validation-split", "0.9999"),
            2,
            "--validation-split: some pictures are left to learn from. Received 0.9999 of 1437 pictures. "
            "Use a smaller share, for example --validation-split 0.1.",
        ),
    ],
)
def test_mistakes_on_the_command_line(place, convista, words, code, message):
    done = convista("train", *words)
    assert done.err == f"Error: {message}\n"
    assert done.code == code
    assert done.out == ""
    assert sorted(os.listdir()) == ["my run"]


@pytest.mark.parametrize(
    ("words", "received"),
    [(("--out", "file/a"), "'file/a'"), ((), "none, which means a new folder in runs/")],
)
def test_a_run_folder_that_cannot_be_made(tmp_path, models, convista, monkeypatch, words, received):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "runs").symlink_to("file/runs")
    done = convista("train", "digits", "--model", f"{models}:small", *words)
    assert re.sub(r"\(.*?\)", "(…)", done.err) == (
        f"Error: --out: the run folder cannot be made (…). Received {received}. "
        "Name a folder where you may write, with enough space.\n"
    )
    assert done.code == 2


def test_unknown_optimizer_is_suggested(place, tmp_path, convista):
    done = convista("train", "digits", "--model", "my run", "--optimizer", "adan", "--out", tmp_path / "a")
    assert done.code == 2
    assert "Did you mean 'adam'?" in done.err


@pytest.mark.parametrize("rate", ["nan", "-1", "0", "fast"])
def test_a_learning_rate_that_cannot_be(convista, rate):
    assert convista("train", "digits", "--lr", rate).code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "Interrupted"), (signal.SIGTERM, 143, "Asked to end")]
)
def test_a_signal_keeps_what_was_learned(tmp_path, models, convista, monkeypatch, number, code, word):
    finish = Lines.epoch_end

    def interrupt(self, epoch, logs):
        finish(self, epoch, logs)
        if epoch == 2:
            signal.raise_signal(number)

    monkeypatch.setattr(Lines, "epoch_end", interrupt)
    out = tmp_path / "a run"
    done = convista("train", "digits", "--model", f"{models}:small", "--epochs", 50, "--out", out)
    assert done.code == code
    assert f"{word} after 2 of 50 epochs. What was learned is in {out}/model.convista\n" in done.err
    assert f"Go on with: convista train digits --model '{out}'" in done.err
    assert "Trained" not in done.out
    with open(out / "run.json", encoding="utf-8") as file:
        record = json.load(file)
    assert record["status"] == "interrupted"
    assert record["epochs"] == len((out / "history.csv").read_text().splitlines()) - 1 == 2
    assert load_model(out / "model.convista").predict(np.zeros((1, 8, 8, 1), np.uint8)).shape == (1, 10)


@pytest.mark.slow
def test_a_signal_to_the_real_program(tmp_path, models):
    words = ["train", "digits", "--model", f"{models}:small", "--epochs", "100000", "--out", "a"]
    process = subprocess.Popen(
        [sys.executable, "-m", "convista", *words], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    first = process.stderr.readline()
    assert first.startswith(b"Epoch 1/100000")
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert b"Traceback" not in err
    load_model(tmp_path / "a" / "model.convista")


def test_divergence_keeps_the_last_good_weights(tmp_path, models, convista):
    out = tmp_path / "a"
    words = ("--model", f"{models}:logits", "--optimizer", "sgd", "--lr", "1e38", "--out", out)
    done = convista("train", "digits", *words)
    assert done.code == 4
    assert done.err.startswith(f"The last good weights are in {out}/model.convista\nError: the loss became ")
    with open(out / "run.json", encoding="utf-8") as file:
        assert json.load(file)["status"] == "diverged"
    assert all(np.isfinite(array).all() for array in load_model(out / "model.convista").get_weights())


def test_training_begins_with_weights_and_leaves_the_frozen_alone(place, convista, models, no_figures):
    done = convista(
        "train", "digits", "--model", f"{models}:small", "--weights", "my run/model.convista",
        "--freeze", "backbone", "--epochs", 1, "--out", "tuned",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "Weights: 2 arrays of model.convista (convista, SHA-256 " in done.err
    assert "; new: dense\n" in done.err
    assert "Trainable params: 730 (2.85 KB)" in done.out
    before, after = load_model("my run/model.convista"), load_model("tuned/model.convista")
    np.testing.assert_array_equal(before.params["conv2d"]["kernel"], after.params["conv2d"]["kernel"])
    assert not np.array_equal(before.params["dense"]["kernel"], after.params["dense"]["kernel"])
    with open("tuned/run.json", encoding="utf-8") as file:
        record = json.load(file)
    assert (record["weights"]["source"], record["frozen"]) == (
        "model.convista",
        ["conv2d", "flatten", "max_pooling2d"],
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--weights", "none.pth"), 3, "none.pth: there is no such file."),
        (("--freeze", "convv*"), 2, "which fits no layer. "),
    ],
)
def test_weights_and_layers_that_are_not_there(place, convista, models, words, code, message):
    done = convista("train", "digits", "--model", f"{models}:small", *words)
    assert done.code == code
    assert message in done.err


# --- a folder, a published network, its weights ---------------------------------------------------------------------

_STATISTICS = {"moving_mean": "running_mean", "moving_variance": "running_var", "gamma": "weight", "beta": "bias"}


def torchvision_name(layer, array):
    """What torchvision calls an array of our ResNet-18, written out by hand."""
    suffix = _STATISTICS.get(array, {"kernel": "weight", "bias": "bias"}.get(array))
    if layer in ("conv1_conv", "conv1_bn", "predictions"):
        return f"{ {'conv1_conv': 'conv1', 'conv1_bn': 'bn1', 'predictions': 'fc'}[layer] }.{suffix}"
    stage, block, place, kind = re.fullmatch(r"conv(\d)_block(\d)_(\d)_(conv|bn)", layer).groups()
    part = {"conv": "downsample.0", "bn": "downsample.1"}[kind] if place == "0" else f"{kind}{place}"
    return f"layer{int(stage) - 1}.{int(block) - 1}.{part}.{suffix}"


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """A ResNet-18 for 1000 classes as torchvision would write it, with random weights and statistics."""
    model, draw, tensors = architectures.resnet18((32, 32, 3), 1000, seed=3), np.random.default_rng(0), {}
    for layer, group in [*model.params.items(), *model.state.items()]:
        for name, values in group.items():
            array = np.asarray(values)
            if name in _STATISTICS:
                low = 0.5 if name in ("moving_variance", "gamma") else -0.1
                array = draw.uniform(low, low + 0.2, array.shape).astype(np.float32)
            if name == "kernel":
                array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
            tensors[torchvision_name(layer, name)] = np.ascontiguousarray(array)
    assert len(tensors) == 102
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return path, tensors


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder with pictures of discs, squares and stripes."""
    root, draw = tmp_path_factory.mktemp("pictures") / "shapes", np.random.default_rng(0)
    for split, count in (("train", 16), ("test", 4)):
        for name in ("disc", "square", "stripe"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (40, 36), tuple(draw.integers(0, 80, 3).tolist()))
                pencil, colour = ImageDraw.Draw(image), tuple(draw.integers(150, 255, 3).tolist())
                x, y = draw.integers(0, 12, 2).tolist()
                if name == "stripe":
                    for left in range(x, 40, 8):
                        pencil.line((left, 0, left, 36), fill=colour, width=3)
                else:
                    paint = pencil.ellipse if name == "disc" else pencil.rectangle
                    paint((x, y, x + 20, y + 20), fill=colour)
                image.save(folder / f"{number}.png")
    return root


@pytest.mark.slow
def test_a_folder_trains_the_head_on_a_published_backbone(tmp_path, monkeypatch, resnet, shapes, convista):
    monkeypatch.chdir(tmp_path)
    path, tensors = resnet
    words = (
        "--freeze",
        "backbone",
        "--standardize",
        "imagenet",
        "--image-size",
        "32,32",
        "--batch-size",
        8,
        "--epochs",
        2,
        "--out",
        "run",
    )
    done = convista("train", shapes, "--model", "resnet18", "--weights", path, *words)
    assert done.code == 0, done.err
    assert "Weights: 100 arrays of resnet18.safetensors (torch, SHA-256 " in done.err
    assert "; new: predictions\n" in done.err
    assert "Trainable params: 1539 (6.01 KB)" in done.out
    assert sorted(os.listdir("run")) == sorted(OURS)
    model = load_model("run/model.convista")
    assert (model.layers[0].name, model.layers[0].mean) == ("standardization", (0.485, 0.456, 0.406))
    for layer, group in [*model.params.items(), *model.state.items()]:
        for name, values in group.items():
            kept, key = np.asarray(values), torchvision_name(layer, name)
            if layer == "predictions":
                assert kept.shape == {"kernel": (512, 3), "bias": (3,)}[name]
                continue
            theirs = tensors[key].transpose(2, 3, 1, 0) if name == "kernel" else tensors[key]
            np.testing.assert_array_equal(kept, theirs, err_msg=key)
    assert np.abs(np.asarray(model.params["predictions"]["bias"])).max() > 0  # begins at zero
    with open("run/run.json", encoding="utf-8") as file:
        record = json.load(file)
    assert (record["weights"]["source"], record["weights"]["format"]) == ("resnet18.safetensors", "torch")
    assert "predictions" not in record["frozen"]
    assert record["history"]["loss"][1] < record["history"]["loss"][0]
    shown = convista("predict", "run", shapes / "test" / "disc" / "0.png", "--json")
    assert shown.code == 0, shown.err
    assert {answer["label"] for answer in shown.document["pictures"][0]["top"]} == {"disc", "square", "stripe"}


@pytest.mark.slow
def test_a_folder_goes_on_from_a_run_only_with_its_classes(tmp_path, monkeypatch, shapes, models, convista, no_figures):
    monkeypatch.chdir(tmp_path)
    words = ("--image-size", 16, "--epochs", 1, "--quiet")
    assert convista("train", shapes, "--model", f"{models}:small", *words, "--out", "run").code == 0
    assert convista("train", shapes, "--model", "./run", "--epochs", 1, "--quiet", "--out", "again").code == 0
    shutil.copytree(shapes, "four")
    for split in ("train", "test"):
        shutil.copytree(f"four/{split}/disc", f"four/{split}/zebra")
    done = convista("train", "four", "--model", "./run", "--out", "other")
    assert done.code == 3
    assert done.err == (
        "Error: four: the model tells 3 classes apart. Received 4 classes. "
        "Use the data it was trained on, or train a new model.\n"
    )


WRONG = (
    'Build the architecture that the file was made for (for torchvision with convention="torch" where there is one).'
)


@pytest.mark.parametrize("case", ["names", "network", "picture", "text"])
def test_weights_that_do_not_fit_the_network(tmp_path, resnet, shapes, convista, case):
    path, tensors = resnet
    chosen = tmp_path / "other.safetensors"
    if case == "names":
        renamed = {key.replace("layer1.0.conv1", "layer1.0.kernel"): value for key, value in tensors.items()}
        safetensors.numpy.save_file(renamed, chosen)
    elif case == "network":
        chosen = path
    else:
        chosen = shapes / "test" / "disc" / "0.png" if case == "picture" else tmp_path / "weights.txt"
        (tmp_path / "weights.txt").write_text("conv1 0.1 0.2 0.3")
    model = "vgg11" if case == "network" else "resnet18"
    done = convista("train", shapes, "--model", model, "--weights", chosen, "--image-size", 32, "--out", tmp_path / "a")
    assert done.code == 3
    assert not (tmp_path / "a").exists()
    rule = f"Error: {chosen}: every weight of the backbone is in the file. Received missing: "
    kinds = "Weights come from .convista, .safetensors, .pth of PyTorch and .h5 of Keras."
    if case == "names":
        assert done.err == (
            f"{rule}layer1.0.conv1.weight (3, 3, 64, 64); in the file, not taken: fc.bias (1000,), fc.weight "
            f"(1000, 512), layer1.0.kernel.weight (64, 64, 3, 3). {WRONG}\n"
        )
    elif case == "network":
        assert done.err.startswith(f"{rule}block1_conv1.weight (3, 3, 3, 64), block1_conv1.bias (64,), ")
        assert "; in the file, not taken: bn1.bias (64,), bn1.running_mean (64,), " in done.err
        assert done.err.endswith(f" and 94 more. {WRONG}\n")
    else:
        first = chosen.read_bytes()[:16]
        assert done.err == (
            f"Error: {chosen}: this is not a weight file. Received a file that starts with {first!r}. {kinds}\n"
        )


def test_grey_pictures_have_no_colours_to_standardize(models, convista):
    done = convista("train", "digits", "--model", f"{models}:small", "--standardize", "imagenet")
    assert done.code == 2
    assert done.err == (
        "Error: --standardize: each of 3 channels has a mean and a deviation above 0. Received inputs of (8, 8, 1), "
        "3 deviations. Leave --standardize out.\n"
    )


def test_something_is_left_to_learn(place, tmp_path, models, convista):
    done = convista("train", "digits", "--model", f"{models}:small", "--freeze", "backbone", "--freeze", "head")
    assert done.code == 2
    assert done.err == (
        "Error: --freeze: some layer with weights is left to learn. Received backbone head. "
        "Freeze less, for example --freeze backbone alone.\n"
    )


def test_the_published_names_of_this_test_are_the_ones_it_stands_on():
    assert torchvision_name("conv3_block1_0_bn", "moving_mean") == "layer2.0.downsample.1.running_mean"
    assert torchvision_name("conv2_block2_1_conv", "kernel") == "layer1.1.conv1.weight"
