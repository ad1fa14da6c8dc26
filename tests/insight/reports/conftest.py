"""One small network, trained once by the command line, for all tests of reports."""

from __future__ import annotations

import contextlib
import io
import json
import shutil

import numpy as np
import pytest

from convista.cli.program import run
from convista.insight import report

MODELS = """
import convista
from convista.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D

def small(input_shape, classes, seed):
    return convista.Sequential([
        Input(input_shape), Conv2D(8, 3, activation="relu"), MaxPooling2D(2), Flatten(),
        Dense(classes, activation="softmax"),
    ], seed=seed)
"""
NASTY = "<script>document.title='taken'</script><img src=http://example.invalid/x.png onerror=alert(1)>\"'&"


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run on the embedded digits."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "small.py").write_text(MODELS, encoding="utf-8")
    words = ["train", "digits", "--model", f"{folder}/small.py:small", "--epochs", "3", "--lr", "0.01", "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the run that a test may spoil."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="session")
def page(finished):
    """The report of that run."""
    return report(finished)


@pytest.fixture(scope="session")
def page_file(page, tmp_path_factory):
    """The same as a file."""
    return page.save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="session")
def nasty_file(finished, tmp_path_factory):
    """A report in which everything that a user names has the name of an attack."""
    from convista.data import Dataset, load
    from convista.models import load_model

    digits = load("digits")
    folder = tmp_path_factory.mktemp("nasty")
    classes = tuple(f"{NASTY}{number}" for number in range(10))
    model = load_model(finished / "model.convista")
    model.classes = classes
    model.save(folder / "model.convista")
    record = json.loads((finished / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(poisoned(record)), encoding="utf-8")
    data = Dataset(NASTY, digits.train, digits.test, classes, NASTY)
    return report(folder, data).save(folder / "report.html")


def poisoned(value):
    """Put the attack into every text and every name of a tree but the status, which is compared."""
    if isinstance(value, dict):
        known = {"data", "plan", "versions", "machine", "history", "test", "weights"}
        fields = {"name", "source", "command", "began", "validation_split", "batch_size", "training_pictures"}
        kept = known | fields | {"test_pictures", "seed", "epochs", "seconds", "system", "processor", "cores", "frozen"}
        return {(key if key in kept else f"{key}{NASTY}"): poisoned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part) for part in value]
    return f"{value}{NASTY}" if isinstance(value, str) else value


@pytest.fixture
def noise():
    return np.random.default_rng(0)
