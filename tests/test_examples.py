"""The examples run as they stand, on a few real pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_lecture_mnist_prints_our_numbers_beside_the_lectures(mnist_folder):
    run = subprocess.run(
        [sys.executable, "examples/lecture_mnist.py", "--examples", "256", "--epochs", "1", "--seeds", "1"],
        cwd=ROOT,
        env={**os.environ, "CONVISTA_DATA": str(mnist_folder.parent), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "98.17" in run.stdout
    assert "99.11" in run.stdout


@pytest.mark.slow
def test_transfer_cifar10_prints_scratch_beside_transfer(data_folder):
    if not (data_folder / "cifar10").is_dir():
        pytest.skip("CONVISTA_DATA has no cifar10")
    run = subprocess.run(
        [sys.executable, "examples/transfer_cifar10.py", "--quick", "--seeds", "1"],
        cwd=ROOT,
        env={**os.environ, "CONVISTA_DATA": str(data_folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].split() == ["seed", "scratch", "transfer", "gain", "seconds"]
    assert run.stdout.splitlines()[-1].startswith("mean")
