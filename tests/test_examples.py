"""The examples run as they stand, on few pictures, and a number that should agree and does not is noticed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SLIPS = {"000": 7, "001": 4, "002": 8, "003": 1, "004": 6}


def run(script: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    here = {name: value for name, value in os.environ.items() if name != "CONVISTA_DATA"}
    return subprocess.run(
        [sys.executable, script, "--quick"],
        env={**here, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def slips(output: str) -> int:
    """The number of slips in the last line, if nothing differs."""
    found = re.search(r"^agree: \d+; slips of the lecture, put right: (\d+); only shown: \d+; differ: 0$", output, re.M)
    assert found, output
    return int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize("lecture", ["000", "004"])
def test_lectures_on_the_real_mnist(lecture, mnist_folder):
    ran = run(EXAMPLES / f"lecture_{lecture}.py", CONVISTA_DATA=str(mnist_folder.parent))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert slips(ran.stdout) == SLIPS[lecture]
    assert "MNIST is not on this machine" not in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize("lecture", ["001", "002", "003"])
def test_lectures_that_need_no_data(lecture):
    ran = run(EXAMPLES / f"lecture_{lecture}.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert slips(ran.stdout) == SLIPS[lecture]


@pytest.mark.slow
def test_without_mnist_the_rest_is_done(tmp_path):
    ran = run(EXAMPLES / "lecture_000.py", CONVISTA_HOME=str(tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert slips(ran.stdout) == SLIPS["000"]
    assert "MNIST is not on this machine, so this part is left out. Set CONVISTA_DATA to a folder" in ran.stdout
    assert "99.11" not in ran.stdout


@pytest.mark.slow
def test_a_wrong_number_turns_the_run_red(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    script = tmp_path / "examples" / "lecture_002.py"
    text = script.read_text(encoding="utf-8")
    assert text.count("120000") == 1
    script.write_text(text.replace("120000", "120002"), encoding="utf-8")
    ran = run(script)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert re.search(r"^weights of one neuron on 200×200×3 +120 002 +120 000 +NO$", ran.stdout, re.M)
    assert ran.stdout.endswith("; differ: 1\n")


# --- on other data ---------------------------------------------------------------------------------------------------


def output_of(script: str, *arguments: str, folder: Path | None = None) -> str:
    """What an example prints; its errors fail the test."""
    data = {} if folder is None else {"CONVISTA_DATA": str(folder)}
    run = subprocess.run(
        [sys.executable, f"examples/{script}", *arguments],
        cwd=EXAMPLES.parent,
        env={**os.environ, **data, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
def test_genome_tells_of_repeats_and_prints_folds_beside_the_target(data_folder):
    printed = output_of("genome.py", "--folds", "1", "--epochs", "1", folder=data_folder).splitlines()
    assert printed[0] == (
        "3190 sequences, 3005 different: 125 stand there more than once, in 310 rows; 1 of them in two classes"
    )
    assert printed[2].split()[:6] == ["0", "2551", "639", "154", "154", "331"]
    assert printed[-1].startswith("mean ")
    assert printed[-1].endswith(" %, target 95 %")


@pytest.mark.slow
@pytest.mark.parametrize("choosing", [False, True])
def test_time_series_prints_seeds_beside_the_target(data_folder, choosing):
    arguments = ["--seeds", "1", "--epochs", "1", *(["--cross-validate"] if choosing else [])]
    printed = output_of("time_series.py", *arguments, folder=data_folder).splitlines()
    assert printed[0].startswith("folds of seed 0: " if choosing else "seed 0: ")
    assert choosing or printed[-1].endswith(" %, target 98 %")


@pytest.mark.slow
def test_volumes_prints_memory_and_accuracy_beside_the_target():
    arguments = ("--size", "8", "--examples", "40", "--test-examples", "20", "--epochs", "1")
    printed = output_of("volumes.py", *arguments)
    activations = re.search(r"activations of one volume: ([\d.]+) KB, of a batch of 32: ([\d.]+) MB", printed)
    assert float(activations[2]) == pytest.approx(32 * float(activations[1]) / 1024, abs=0.01)
    before, _, after, _ = re.search(r"([\d.]+) (MB|GB) before training, ([\d.]+) (MB|GB) after it", printed).groups()
    assert float(before) > 0
    assert float(after) > 0
    assert printed.splitlines()[-1].endswith("target 95 %")


@pytest.mark.slow
def test_transfer_cifar10_prints_scratch_beside_transfer(data_folder):
    printed = output_of("transfer_cifar10.py", "--quick", "--seeds", "1", folder=data_folder).splitlines()
    assert printed[0].split() == ["seed", "scratch", "transfer", "gain", "seconds"]
    assert printed[-1].startswith("mean")


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module():
    """`examples/claims.py`: examples are scripts beside each other, no package."""
    specification = importlib.util.spec_from_file_location("claims_of_examples", EXAMPLES / "claims.py")
    found = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = found  # dataclasses look their module up
    specification.loader.exec_module(found)
    yield found
    del sys.modules[specification.name]


RIGHT = [
    ("equal", ("size", (26, 26), [26, 26])),
    ("equal", ("labels", [5, 0], np.array([5, 0], np.uint8))),
    ("worked", ("means", [0.5, 1.0], np.array([0.5, 1.0]))),
    ("near", ("accuracy", 98.17, 98.0, 0.4)),
    ("slip", ("last value", 10, -10, np.int64(-10), "the minus got lost")),
]
WRONG = [
    ("equal", ("size", (26, 26), (26, 25))),
    ("equal", ("labels", [5, 0], np.array([5, 0, 4], np.uint8))),
    ("worked", ("means", [0.5, 1.0], np.array([0.5, 1.5]))),
    ("near", ("accuracy", 98.17, 97.7, 0.4)),
    ("near", ("accuracy", 98.17, float("nan"), 0.4)),
    ("slip", ("last value", 10, -10, 9, "ours is neither")),
    ("slip", ("last value", 10, -10, 10, "ours is the lecture's")),
    ("slip", ("last value", -10, -10, -10, "the lecture is right")),
]


@pytest.mark.parametrize(("kind", "arguments"), RIGHT)
def test_what_agrees(module, kind, arguments):
    claims = module.Claims("a lecture")
    getattr(claims, kind)(*arguments)
    assert claims.finish() == 0


@pytest.mark.parametrize(("kind", "arguments"), WRONG)
def test_what_differs(module, kind, arguments, capsys):
    claims = module.Claims("a lecture")
    getattr(claims, kind)(*arguments)
    assert claims.finish() == 1
    assert capsys.readouterr().out.endswith("slips of the lecture, put right: 0; only shown: 0; differ: 1\n")


def test_the_table(module, capsys):
    claims = module.Claims("Lecture 009")
    claims.chapter("Sizes")
    claims.equal("Total params", 104202, 104202)
    claims.slip("the last value", 10, -10, -10, "the minus got lost")
    claims.chapter("Training")
    claims.worked("padding", (5, 5), (5, 5))
    claims.shown("accuracy", 99.11, 65.03, "a quick look")
    assert claims.finish() == 0
    assert (
        capsys.readouterr().out
        == """\
Lecture 009

== Sizes ==

                the lecture  Convista  agree?
Total params    104 202      104 202   yes
the last value  10           −10       SLIP
  the last value: the minus got lost

== Training ==

          the lecture      Convista  agree?
padding   by hand: (5, 5)  (5, 5)    yes
accuracy  99.11            65.03     –
  accuracy: a quick look

agree: 2; slips of the lecture, put right: 1; only shown: 1; differ: 0
"""
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (61952, "61 952"),
        (True, "yes"),
        (0.9999036, "0.9999036"),
        (-2.5, "−2.5"),
        ((1152,), "(1 152,)"),
        (np.array([[4.0, 2.0], [2.0, 8.0]]), "4 2 | 2 8"),
        ("valid", "valid"),
    ],
)
def test_cells(module, value, text):
    assert module.text(value) == text
