"""Run folders: made once, never overwritten, found again by what people type."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from convista.errors import ArgumentError, DataError
from convista.insight import runs
from convista.insight.doctor.training import epochs_of
from convista.insight.runs import OURS, RunFolder


def make_run(path):
    path.mkdir(parents=True)
    (path / "model.convista").write_bytes(b"model")
    return path


def test_default_name_says_when_and_what(tmp_path):
    run = RunFolder.create(None, "fashion_mnist", tmp_path / "runs")
    assert re.fullmatch(r"\d{8}-\d{6}-fashion_mnist", run.path.name)
    assert run.path.is_dir()
    assert list(run.path.iterdir()) == []
    paths = (run.model, run.history, run.curves, run.confusion, run.mistakes, run.example, run.record)
    assert tuple(path.name for path in paths) == OURS


def test_two_runs_in_one_second_get_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.time, "strftime", lambda form: "20260102-030405")
    names = [RunFolder.create(None, "digits", tmp_path).path.name for _ in range(3)]
    assert names == ["20260102-030405-digits", "20260102-030405-digits-2", "20260102-030405-digits-3"]


@pytest.mark.parametrize(
    ("name", "end"), [("../../etc", "etc"), ("my data/é.npz", "my-data-.npz"), ("...", "run"), ("", "run")]
)
def test_a_name_never_leaves_the_parent(tmp_path, name, end):
    run = RunFolder.create(None, name, tmp_path)
    assert run.path.parent == tmp_path
    assert run.path.name[16:] == end


def test_out_may_be_new_empty_or_hold_other_things(tmp_path):
    assert RunFolder.create(tmp_path / "a" / "b", "digits").path.is_dir()
    assert RunFolder.create(tmp_path / "a" / "b", "digits").path.is_dir()
    (tmp_path / "a" / "b" / "notes.txt").write_text("mine")
    RunFolder.create(tmp_path / "a" / "b", "digits")
    assert (tmp_path / "a" / "b" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("held", OURS)
def test_out_with_a_run_in_it_is_refused_and_the_fix_works(tmp_path, held):
    (tmp_path / "my run").mkdir()
    (tmp_path / "my run" / held).write_text("precious")
    with pytest.raises(ArgumentError) as caught:
        RunFolder.create(tmp_path / "my run", "digits")
    assert str(caught.value) == (
        f"{tmp_path}/my run: the folder already holds a run, and runs are never overwritten. "
        f"Received a folder with {held}. Give another folder, for example --out '{tmp_path}/my run-2'."
    )
    assert (tmp_path / "my run" / held).read_text() == "precious"
    RunFolder.create(tmp_path / "my run-2", "digits")


def test_out_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError) as caught:
        RunFolder.create(tmp_path / "file", "digits")
    assert str(caught.value) == (
        f"{tmp_path}/file: a run needs a folder, and this is a file. "
        f"Give another folder, for example --out {tmp_path}/file-2."
    )


def test_open_takes_a_folder_or_a_model(tmp_path):
    folder = make_run(tmp_path / "first")
    assert RunFolder.open(folder) == RunFolder.open(folder / "model.convista")
    (tmp_path / "best.convista").write_bytes(b"model")
    assert RunFolder.open(tmp_path / "best.convista") == RunFolder(tmp_path, tmp_path / "best.convista")


def test_open_what_is_not_there(tmp_path):
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path / "runs" / "first")
    assert str(caught.value) == (
        f"{tmp_path}/runs/first: no such run folder or saved model. Train one first: convista demo."
    )
    make_run(tmp_path / "runs" / "20260102-030405-digits")
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path / "runs" / "20260102-030405-digit")
    assert str(caught.value).endswith("Did you mean '20260102-030405-digits'?")
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path / "runs" / "zzz")
    assert str(caught.value).endswith(f"The newest run there is {tmp_path}/runs/20260102-030405-digits.")


def test_open_a_folder_without_a_model(tmp_path):
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: the folder holds no model.convista, so it is not a run. Train one first: convista demo."
    )
    (tmp_path / "best.convista").write_bytes(b"model")
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path)
    assert str(caught.value).endswith(f"Name the model itself: {tmp_path}/best.convista.")
    make_run(tmp_path / "old")
    time.sleep(0.02)
    make_run(tmp_path / "new")
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path)
    assert str(caught.value).endswith(f"Name one of the runs in it; the newest is {tmp_path}/new.")


def test_record_is_strict_json(tmp_path):
    run = RunFolder.create(tmp_path / "first", "digits")
    run.write_record({"loss": float("nan"), "accuracy": np.float32(0.5), "counts": np.array([1, 2]), "name": "цифри"})
    text = run.record.read_text(encoding="utf-8")
    assert "цифри" in text

    def refuse(constant):
        raise AssertionError(constant)

    record = json.loads(text, parse_constant=refuse)
    assert record == {"loss": None, "accuracy": 0.5, "counts": [1, 2], "name": "цифри"}


SPOILED = {
    "no text": (b"epoch,loss\n0,\xff\xfe\n", "'utf-8' codec can't decode byte 0xff in position 13: invalid start byte"),
    "no table": (b"epoch,loss\n0," + b"1" * 200_000 + b"\n", "field larger than field limit (131072)"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_history_that_cannot_be_read(kind, tmp_path):
    content, reason = SPOILED[kind]
    run = RunFolder(tmp_path, tmp_path / "model.convista")
    run.history.write_bytes(content)
    for read in (run.read_history, lambda: epochs_of(run.history)):
        with pytest.raises(DataError) as error:
            read()
        assert str(error.value) == (
            f"{run.history}: the table of epochs cannot be read ({reason}). Put the file back as it was, or move it "
            "away: what it tells is then left out."
        )


def test_a_history_column_by_column(tmp_path):
    run = RunFolder(tmp_path, tmp_path / "model.convista")
    assert run.read_history() == {}
    run.history.write_text("epoch,loss,accuracy\n0,0.5,0.25,9\n1,0.4\n", encoding="utf-8")
    assert run.read_history() == {"epoch": ["0", "1"], "loss": ["0.5", "0.4"], "accuracy": ["0.25", None]}
    assert epochs_of(run.history) == {"loss": [0.5, 0.4], "accuracy": [0.25, None]}
