"""`convista report`: the page of a run, with the data that the run names or the user gives."""

from __future__ import annotations

import json
import shutil

import pytest

from convista.cli.program import run as run_program
from convista.insight.reports import report as module


@pytest.fixture(autouse=True)
def few_sections(monkeypatch):
    """The sections that tell what data there was; the others have their own tests."""
    monkeypatch.setattr(module, "SECTIONS", (module.story, module.hard_pictures, module.reproduction))


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of the finished run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVISTA_OFFLINE", "1")
    return shutil.copytree(trained[0] / "my run", tmp_path / "my run")


def test_the_page_lies_in_the_run_folder_and_the_data_is_found(run, convista):
    done = convista("report", "my run")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1:] == [
        *("  The story", "  The hardest pictures", "  How to repeat it"),
        *("", "Written: my run/report.html"),
    ]
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_nothing_is_overwritten_unless_it_is_named(run, convista):
    (run / "report.html").write_text("mine")
    done = convista("report", "my run")
    assert done.code == 2
    assert done.err == (
        "Error: --out: nothing is overwritten unless it is named. Received my run/report.html, which exists. "
        "Add --out 'my run/report.html' to replace it.\n"
    )
    assert (run / "report.html").read_text() == "mine"
    assert convista("report", "my run", "--out", "my run/report.html").code == 0
    assert (run / "report.html").read_text(encoding="utf-8") != "mine"


def test_a_page_is_no_pdf(run, convista):
    done = convista("report", "my run", "--out", "a.pdf")
    assert done.code == 2
    assert done.err == "Error: path: a page is written as an HTML file. Received 'a.pdf'. Write 'a.html'.\n"


def test_json(run, convista):
    document = convista("report", "my run", "digits", "--out", "a.html", "--json").document
    assert document["saved"] == "a.html"
    assert [section["made"] for section in document["sections"]] == [True, True, True]
    assert document["bytes"] == len((run.parent / "a.html").read_bytes())


def test_data_that_is_gone_is_said_and_the_page_is_made(run, convista):
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["data"]["name"] = "gone/pets"
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    done = convista("report", "my run")
    assert done.code == 0
    assert done.err.startswith("Note: the data of this run, gone/pets, could not be loaded again (")
    assert done.err.endswith("Give it: convista report RUN DATA, or in Python report(run, data).\n")
    assert "  The hardest pictures: not made, the data of this run, gone/pets, could not be loaded" in done.out
    given = convista("report", "my run", "digits", "--out", "b.html")
    assert (given.code, given.err) == (0, "")


def test_a_model_without_a_record(run, convista):
    (run / "run.json").unlink()
    done = convista("report", "my run/model.convista", "--out", "c.html")
    assert done.code == 0
    assert done.err == (
        "Note: the data that judges is not at hand, and there is no run.json that names it. "
        "Name it: convista report RUN DATA, or in Python report(run, data).\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["my rn"], 3, "Error: my rn: no such run folder or saved model. Did you mean 'my run'?\n"),
        (
            ["my run", "digit"],
            2,
            "Error: DATA: this is neither the name of a dataset, nor a folder of pictures, nor an .npz file. "
            "Received 'digit'. Did you mean 'digits'? Or give an .npz file, for example mine.npz.\n",
        ),
        (
            ["my run", "--out", "none/a.html"],
            2,
            "Error: --out: the folder of the file is there. Received none/a.html. Make it first: mkdir -p none.\n",
        ),
    ],
)
def test_mistakes(run, convista, words, code, message):
    done = convista("report", *words)
    assert (done.code, done.err, done.out) == (code, message, "")


def test_the_folder_is_checked_before_the_work(run, convista, monkeypatch):
    monkeypatch.setattr(module, "SECTIONS", (lambda material: pytest.fail("it began to work"),))
    assert convista("report", "my run", "--out", "none/a.html").code == 2


def test_a_folder_of_pictures_is_found_again(tmp_path, convista, monkeypatch, models, no_figures):
    import numpy as np
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for name in ("cats & dogs", "<b>birds</b>"):
        folder = tmp_path / "pets" / name.replace("/", "")
        folder.mkdir(parents=True)
        for number in range(10):
            Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    words = ("--model", f"{models}:small", "--epochs", 1, "--out", "run", "--quiet")
    assert convista("train", "pets", *words).code == 0
    done = convista("report", "run")
    assert (done.code, done.err) == (0, "")
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "is cats &amp; dogs, called" in text or "is &lt;b&gt;birds&lt;b&gt;, called" in text
    assert "<b>birds" not in text


def test_help_names_both_ways(capsys):
    assert run_program(["report", "--help"]) == 0
    out = capsys.readouterr().out
    assert "convista report runs/first\n" in out
    assert "convista report runs/first mnist --out first.html" in out
