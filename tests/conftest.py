"""What holds for every test: strict types, Keras on JAX, and where the real data is."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")

# A deadline fails on a busy machine; the same examples every time make a red build one that can be repeated.
hypothesis.settings.register_profile("convista", deadline=None, derandomize=True)
hypothesis.settings.load_profile("convista")

VARIABLE = "CONVISTA_DATA"
MNIST_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def pytest_report_header(config: pytest.Config) -> str:
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return f"{VARIABLE}: not set, tests on real data will be skipped"
    return f"{VARIABLE}: {folder}{'' if Path(folder).is_dir() else ' (no such folder)'}"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the real data sets."""
    value = os.environ.get(VARIABLE)
    if value is None:
        pytest.skip(f"set {VARIABLE} to the folder with the data sets to run this test")
    folder = Path(value).resolve()
    if not folder.is_dir():
        _missing(f"{VARIABLE}={value} is not a folder")
    return folder


@pytest.fixture(scope="session")
def mnist_folder(data_folder: Path) -> Path:
    """The folder with the four files of MNIST."""
    folder = data_folder / "mnist"
    absent = [name for name in MNIST_FILES if not (folder / name).is_file()]
    if absent:
        _missing(f"{VARIABLE} has no mnist/{absent[0]}")
    return folder


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


def _missing(message: str) -> None:
    if _in_ci():
        pytest.fail(f"{message}; in CI the data has to be there", pytrace=False)
    pytest.skip(message)


class DataTestsRun:
    """In CI with data at hand, a test that was skipped for want of data turns the run red."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and VARIABLE in str(report.longrepr):
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section(f"skipped although {VARIABLE} is set", red=True)
            for nodeid in self.skipped:
                terminalreporter.line(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    if _in_ci() and VARIABLE in os.environ:
        config.pluginmanager.register(DataTestsRun(), "convista-data-tests-run")
