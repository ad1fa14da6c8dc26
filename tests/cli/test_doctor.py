"""`convista doctor`."""

from __future__ import annotations

import numpy as np


def test_a_run_with_its_data(convista, place):
    before = sorted(path.name for path in (place / "my run").iterdir())
    done = convista("doctor", "my run", "digits", "--quick")
    assert done.code == 0, done.err
    assert done.out.startswith("Diagnosis of 'sequential': ")
    assert "Checked on 1,000 examples: " in done.out
    assert "overfitting" in done.out  # the history of the run is read
    assert "learning rate: left out by quick" in done.out
    assert sorted(path.name for path in (place / "my run").iterdir()) == before


def test_without_data(convista):
    done = convista("doctor", "lecture-convnet-without-pooling", "--input", "28,28,1", "--json")
    assert done.code == 0
    (found,) = done.document["findings"]
    assert (found["name"], found["layer"]) == ("Flatten too wide", "flatten")
    assert found["evidence"]["numbers"]["width"] == 61_952
    assert "to 1 152 values" in found["fix"]["verified"]
    assert done.document["model"] == "lecture-convnet-without-pooling"
    assert {"check": "duplicates", "reason": "needs data"} in done.document["skipped"]


def test_strict_makes_findings_an_exit_code(convista):
    words = ("--input", "28,28,1", "--strict")
    assert convista("doctor", "lecture-convnet-without-pooling", *words).code == 1
    assert convista("doctor", "lecture-convnet", *words).code == 0  # a note only


def test_a_new_network_with_data_is_scaled_as_train_does_it(convista, models):
    done = convista("doctor", f"{models}:small", "digits", "--quick", "--examples", 200, "--json")
    assert done.code == 0, done.err
    assert "inputs not scaled" not in [found["name"] for found in done.document["findings"]]
    assert done.document["examples"] == 200


def test_the_page(convista, place, tmp_path):
    page = tmp_path / "diagnosis.html"
    done = convista("doctor", "my run", "digits", "--quick", "--out", page)
    assert done.code == 0, done.err
    assert done.out.endswith(f"\nWritten: {page}\n")
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 1  # quick tries no learning rates
    assert "Diagnosis of &#x27;sequential&#x27;" in text


def test_a_page_into_a_folder_that_is_not_there(convista, tmp_path):
    done = convista("doctor", "lecture-dense", "--input", "8,8,1", "--out", tmp_path / "none" / "page.html")
    assert done.code == 2
    assert done.err == (
        f"Error: --out: the folder of the file is there. Received {tmp_path}/none/page.html. "
        f"Make it first: mkdir -p {tmp_path}/none.\n"
    )
    done = convista("doctor", "lecture-dense", "--input", "8,8,1", "--out", "d.pdf")
    assert (done.code, done.err) == (
        2,
        "Error: --out: a diagnosis is written as a .html or .htm file. Received d.pdf. Write --out d.html.\n",
    )


def test_data_that_does_not_fit(convista, place, tmp_path):
    x, y = np.zeros((20, 9, 9, 1), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "other.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    done = convista("doctor", "my run", tmp_path / "other.npz")
    assert done.code == 3
    assert "the model takes pictures of 8×8×1" in done.err


def test_a_run_that_is_not_there(convista):
    done = convista("doctor", "runs/none", "digits")
    assert done.code == 3
    assert "no such run folder or saved model" in done.err
