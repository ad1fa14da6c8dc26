"""The examples run as they stand, on a few real pictures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def output_of(script: str, *arguments: str, folder: Path | None = None) -> str:
    """What an example prints; its errors fail the test."""
    data = {} if folder is None else {"CONVISTA_DATA": str(folder)}
    run = subprocess.run(
        [sys.executable, f"examples/{script}", *arguments],
        cwd=ROOT,
        env={**os.environ, **data, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
def test_lecture_mnist_prints_our_numbers_beside_the_lectures(mnist_folder):
    arguments = ("--examples", "256", "--epochs", "1", "--seeds", "1")
    printed = output_of("lecture_mnist.py", *arguments, folder=mnist_folder.parent)
    assert "98.17" in printed
    assert "99.11" in printed


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
    before, after = re.search(r"([\d.]+) MB before training, ([\d.]+) MB after it", printed).groups()
    assert 50 < float(before) < float(after)
    assert printed.splitlines()[-1].endswith("target 95 %")
