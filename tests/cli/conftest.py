"""One small network, trained once, for all tests of the verbs."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass

import pytest

from convista.cli.program import run
from convista.insight import figures

MODELS = """
import convista
from convista.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Rescaling

def small(input_shape, classes, seed):
    return convista.Sequential([
        Input(input_shape), Conv2D(8, 3, activation="relu"), MaxPooling2D(2), Flatten(),
        Dense(classes, activation="softmax"),
    ], seed=seed)

def logits(input_shape, classes):
    return convista.Sequential([Input(input_shape), Rescaling(1 / 255), Flatten(), Dense(classes)])

ready = small((8, 8, 1), 10, 0)
number = 3

def fails(input_shape, classes):
    return 1 / 0

def other(input_shape, classes):
    return "a model"
"""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


def call(*words):
    """Run a command in this process and keep what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def convista():
    return call


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    file = tmp_path_factory.mktemp("models") / "my models.py"
    file.write_text(MODELS)
    return file


@pytest.fixture(scope="session")
def trained(tmp_path_factory, models):
    """A finished run: where it was made, and what was printed."""
    place = tmp_path_factory.mktemp("place")
    before = os.getcwd()
    os.chdir(place)
    try:
        done = call("train", "digits", "--model", f"{models}:small", "--epochs", 8, "--lr", "0.01", "--out", "my run")
    finally:
        os.chdir(before)
    assert done.code == 0, done.err
    return place, done


@pytest.fixture
def no_figures(monkeypatch):
    """Leave the figures out of a test that is about something else."""
    for name in ("curves", "confusion", "mistakes"):
        monkeypatch.setattr(figures, name, lambda *arguments: None)


@pytest.fixture
def place(trained, monkeypatch):
    """The folder with the finished run in ``my run``."""
    monkeypatch.chdir(trained[0])
    return trained[0]
