"""`convista prune` on a finished run."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from convista import Sequential, load_model
from convista.layers import Dense, Flatten
from convista.training.pruning import sparsity_of


@pytest.fixture
def out(tmp_path):
    return tmp_path / "small.convista"


def test_filters(place, convista, out):
    before = (place / "my run" / "model.convista").read_bytes()
    done = convista("prune", "my run", "digits", "--filters", 0.5, "--out", out)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["network", "before", "pruned", "fine-tuned"]
    assert lines[-1] == f"Saved {out}. Go on: convista evaluate {out} digits"
    small = load_model(out)
    assert small.get_layer("conv2d").filters == 4
    assert (place / "my run" / "model.convista").read_bytes() == before
    again = convista("evaluate", out, "digits", "--json").document
    assert f"{again['accuracy']:.2%}" in lines[3]
    assert again["accuracy"] > 0.8


def test_weights(place, convista, out):
    words = ("--weights", 0.75, "--finetune-epochs", 2, "--out", out, "--json", "--quiet")
    document = convista("prune", "my run", "digits", *words).document
    assert [row["name"] for row in document["networks"]] == ["before", "pruned"]
    first, second = document["networks"]
    assert first["parameters"] == second["parameters"]
    assert second["nonzero"] < 0.3 * first["parameters"]
    assert second["compressed_bytes"] < 0.5 * first["compressed_bytes"]
    assert second["accuracy"] > 0.8
    assert set(sparsity_of(load_model(out).params).values()) == {0.75}


def test_without_learning_and_both(place, convista, out, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = place / "my run"
    words = ("--filters", 0.5, "--finetune-epochs", 0, "--json")
    document = convista("prune", run, "digits", *words).document
    assert [row["name"] for row in document["networks"]] == ["before", "pruned"]
    assert document["saved"] == "my run-pruned.convista"
    words = ("--filters", 0.5, "--weights", 0.5, "--out", out, "--quiet", "--json")
    document = convista("prune", run, "digits", *words).document
    assert [row["name"] for row in document["networks"]] == ["before", "pruned", "fine-tuned"]
    assert set(sparsity_of(load_model(out).params).values()) == {0.5}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "convista prune: there is something to remove. Received none. Add --filters 0.5."),
        (
            ("--weights", "0.5", "--finetune-epochs", "0"),
            2,
            "--weights: weights are pruned while the network learns. Received --finetune-epochs 0. "
            "Use --finetune-epochs 1 or more.",
        ),
        (
            ("--filters", "0.5", "--out", "a.zip"),
            2,
            "--out: a model is saved to a file whose name ends in .convista. Received 'a.zip'. --out a.zip.convista.",
        ),
        (
            ("--filters", "0.5", "--out", "my run/model.convista"),
            2,
            "--out: nothing is overwritten. Received my run/model.convista, which exists. Name another with --out.",
        ),
        (
            ("--filters", "0.5", "--out", "no/a.convista"),
            2,
            "--out: the folder is there and may be written. Received no. Make it first, or name another.",
        ),
        (
            ("--filters", "0.5", "--keep", "conv"),
            2,
            "prune_filters: keep is a list of names of convolutions. Received 'conv'. Did you mean 'conv2d'?",
        ),
    ],
)
def test_what_cannot_be(place, convista, words, code, message):
    done = convista("prune", "my run", "digits", *words)
    assert (done.code, done.err, done.out) == (code, f"Error: {message}\n", "")


def test_a_model_that_was_not_compiled(place, convista, tmp_path):
    model = Sequential([Flatten(input_shape=(8, 8, 1)), Dense(10)])
    model.save(tmp_path / "plain.convista")
    done = convista("prune", tmp_path / "plain.convista", "digits", "--weights", "0.5", "--out", "x.convista")
    assert done.code == 2
    assert done.err == (
        "Error: MODEL: a network that goes on learning knows its loss. Received a saved model that was not compiled. "
        "Call model.compile(…) before model.save, or use --finetune-epochs 0.\n"
    )


def test_ctrl_c_saves_what_was_learned(place, convista, out, monkeypatch):
    model = load_model(place / "my run" / "model.convista")
    fit = type(model).fit

    def interrupted(self, *arguments, **options):
        fit(self, *arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(type(model), "fit", interrupted)
    done = convista("prune", "my run", "digits", "--filters", 0.5, "--quiet", "--out", out)
    assert (done.code, done.out) == (130, "")
    assert done.err == f"Interrupted. What was learned so far is in {out}\n"
    assert np.isfinite(load_model(out).get_weights()[0]).all()
