from __future__ import annotations

import os

import jax.numpy as jnp
import numpy as np
import pytest

from convista.training import table
from convista.training.history import History


def _history():
    history = History()
    history.set_params({"epochs": 2, "steps": 3, "verbose": 0})
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": jnp.float32(0.5)})
    history.on_epoch_end(1, {"loss": 0.25, "val_f1": np.array([0.5, 1.0])})
    return history


def test_it_has_plain_values_and_lists_as_long_as_the_epochs():
    history = _history()
    assert history.history == {"loss": [0.5, 0.25], "val_f1": [None, [0.5, 1.0]]}
    assert type(history.history["loss"][0]) is float
    assert history.epoch == [0, 1]
    assert history.params["steps"] == 3
    single = History()
    single.on_epoch_end(0, {"loss": 0.5})
    assert repr(single) == "History(1 epoch: loss)"
    assert repr(history) == "History(2 epochs: loss, val_f1)"


def test_a_new_training_starts_anew():
    history = _history()
    history.on_train_begin()
    assert (history.history, history.epoch) == ({}, [])


def test_the_table(tmp_path):
    path = _history().to_csv(tmp_path / "run" / "history.csv")
    assert path.read_text() == 'epoch,loss,val_f1\n0,0.5,\n1,0.25,"[0.5, 1.0]"\n'
    assert [entry.name for entry in path.parent.iterdir()] == ["history.csv"]


def test_an_interrupted_table_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    path.write_text("old")
    synced = []
    monkeypatch.setattr(table.os, "fsync", synced.append)

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(table.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _history().to_csv(path)
    assert len(synced) == 1
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["history.csv"]


@pytest.mark.skipif(os.name == "nt", reason="file modes are those of POSIX")
def test_the_table_has_the_mode_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert _history().to_csv(tmp_path / "history.csv").stat().st_mode == plain.stat().st_mode
