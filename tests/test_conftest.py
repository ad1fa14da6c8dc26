"""The promise about real data: skipped with a reason at home, never in CI where the data is at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

CONFTEST = Path(__file__).parent / "conftest.py"
TESTS = """
import os
import pytest

def test_with_data(mnist_folder):
    assert mnist_folder.name == "mnist"

@pytest.mark.skipif("SKIP_ANYWAY" in os.environ, reason="CONVISTA_DATA is not wanted")
def test_that_skips_by_itself():
    pass
"""


def run(folder: Path, **variables: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_data.py").write_text(TESTS, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if name not in {"CI", "CONVISTA_DATA"}}
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "--color=no", "test_data.py"]
    done = subprocess.run(command, cwd=folder, env=clean | variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_without_the_variable_data_tests_skip_and_say_so(tmp_path: Path) -> None:
    code, output = run(tmp_path, CI="true")
    assert code == 0
    assert "CONVISTA_DATA: not set, tests on real data will be skipped" in output
    assert "set CONVISTA_DATA to the folder with the data sets to run this test" in output


def test_missing_files_skip_at_home_and_fail_in_ci(tmp_path: Path) -> None:
    code, output = run(tmp_path, CONVISTA_DATA=str(tmp_path))
    assert code == 0
    assert "CONVISTA_DATA has no mnist/train-images-idx3-ubyte.gz" in output
    code, output = run(tmp_path, CONVISTA_DATA=str(tmp_path), CI="true")
    assert code == 1
    assert "CONVISTA_DATA has no mnist/train-images-idx3-ubyte.gz; in CI the data has to be there" in output


def test_in_ci_no_data_test_may_skip_on_its_own(tmp_path: Path, mnist_folder: Path) -> None:
    data = str(mnist_folder.parent)
    assert run(tmp_path, CONVISTA_DATA=data, CI="true")[0] == 0
    code, output = run(tmp_path, CONVISTA_DATA=data, CI="true", SKIP_ANYWAY="1")
    assert code == 1
    assert "skipped although CONVISTA_DATA is set" in output
    assert "test_data.py::test_that_skips_by_itself" in output


def test_mixed_types_are_an_error() -> None:
    with pytest.raises(jax.dtypes.TypePromotionError, match="strict"):
        jnp.ones(2, jnp.float32) + jnp.ones(2, jnp.int32)
