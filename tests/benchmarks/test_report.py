"""The printed table and its data."""

from __future__ import annotations

import argparse
import json

import pytest
import report
from figures import Measured
from goals import Faster, Verdict
from peak import Peak
from rows import Case, Row, Size
from table import ROWS, chosen
from tasks import Inference

CASE = Case("batch 1", Inference("lecture", 1), ("convista", "torch", "keras-jax"))
MEASURED = {
    "convista": Measured(1.0, 6e6, 1, [0.0012, 0.001, 0.0011], [0, 2, 1], 300 * 2**20),
    "torch": Measured(1.0, 6e6, 1, [0.0022], [4], 200 * 2**20),
    "keras-jax": Measured(1.0, 6e6, 1, problem="not installed: No module named 'keras'"),
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.154, "8.15s"), (227.3, "227s"), (0.01234, "12.3ms"), (1.0, "1.00s"), (4.2e-6, "4.20µs"), (2e-7, "0.20µs")],
)
def test_duration(seconds, text):
    assert report.duration(seconds) == text


def test_a_case_in_lines():
    assert report.case_lines(CASE, MEASURED, 60e9) == [
        "batch 1, per call              median vs first  GFLOP/s of peak   faults    MiB   each",
        "  convista                     1.10ms    1.00×      5.5      9%        1    300   1.20ms 1.00ms 1.10ms",
        "  torch                        2.20ms    2.00×      2.7      5%        4    200   2.20ms",
        "  keras-jax                not installed: No module named 'keras'",
    ]


def test_goals_in_lines():
    verdicts = [Verdict("2×", "2.1×", True), Verdict("3×", "2.1×", False), Verdict("4×", "?", None)]
    assert report.verdict_lines(verdicts) == [
        "  goal: 2×: met (2.1×)",
        "  goal: 3×: NOT MET (2.1×)",
        "  goal: 4×: not judged (?)",
    ]


def test_a_row_as_data_is_json():
    row = Row(6, "Inference", (CASE,), (Faster("2×", 2.0, ("batch 1",), ("torch", "keras-jax")),))
    outcome = {(CASE.name, name): measured for name, measured in MEASURED.items()}
    data = json.loads(json.dumps(report.row_data(row, outcome, 60e9)))
    assert data["goals"] == [{"wanted": "2×", "found": "2.00× torch; without keras-jax", "met": True}]
    entries = data["cases"][0]["configurations"]
    assert entries["torch"]["ratio_to_first"] == pytest.approx(2.0)
    assert entries["convista"]["share_of_peak"] == pytest.approx(6e6 / 0.0011 / 60e9)
    assert entries["keras-jax"]["problem"] == "not installed: No module named 'keras'"
    assert report.row_data(row, "no MNIST", None)["problem"] == "no MNIST"


def test_the_peak_is_the_best_burst(tmp_path):
    program = tmp_path / "bursts"
    program.write_text(f'#!/bin/sh\necho x >> {tmp_path}/count\nwc -l < {tmp_path}/count | sed "s/3/1.5/"\n')
    program.chmod(0o755)
    peak = Peak(program)
    for _ in range(3):
        peak.measure()
    assert peak.each == [1.0, 2.0, 1.5]
    assert peak.best == 2.0
    unknown = Peak(None, "there is no cmake")
    unknown.measure()
    assert report.peak_data(unknown) == {"gflops": None, "each": [], "problem": "there is no cmake"}


def options(**given):
    return argparse.Namespace(**({"only": None, "all": False, "quick": False} | given))


def test_who_is_measured():
    case = ROWS[3].row(Size()).cases[0]
    assert "torch-compile" in chosen(case, options(all=True))
    assert "torch-compile" not in chosen(case, options())
    assert chosen(case, options(quick=True)) == ["convista", "torch-last"]
    assert chosen(case, options(only=["torch", "onnxruntime"])) == ["torch"]
    assert "jax-no-ynn" in chosen(ROWS[1].row(Size(quick=True)).cases[0], options(quick=True))
