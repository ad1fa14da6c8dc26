"""The table of Convista against its peers: rows 1 to 7, on the terminal and as JSON.

Run it with ``make bench`` after ``make bench-peers``; ``make bench ARGS="--rows 1 2"`` for some rows, ``ARGS=--quick``
for a smoke run whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import layer_speed
import lecture_inference
import lecture_training
import numpy as np
import report
import residual_training
import scaling
import separable_training
import sequences_and_volumes
from configurations import QUICK, QUICK_ON_SMALL, SLOW_TO_PREPARE
from crew import Crew, Pace
from figures import Measured
from goals import Outcome
from machine import machine, write
from peak import Peak, build
from rows import Case, Row, Size
from tasks import Training

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
ROWS = {
    1: lecture_training,
    2: layer_speed,
    3: residual_training,
    4: separable_training,
    5: sequences_and_volumes,
    6: lecture_inference,
    7: scaling,
}


def main() -> None:
    options = read_options()
    size = Size(options.quick, options.whole_epochs)
    rows = [ROWS[number].row(size) for number in options.rows]
    pace = Pace(2, 0.005, 5.0, 120.0) if options.quick else Pace(options.turns)
    on = machine()
    print(f"{on['processor']}, {on['cores']} cores, {on['memory_gib']} GiB; load before: {on['load_before']}")
    if options.quick:
        print("A smoke run: it shows that everything runs, and its figures mean nothing.")
    peak = build()
    if peak.problem:
        print(f"No peak is measured: {peak.problem}", file=sys.stderr)
    document: dict[str, Any] = {"benchmark": "table", "quick": options.quick, "machine": on}
    outcomes: list[tuple[Row, Outcome | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(options.peers, Path(folder), pace)
        try:
            for row in rows:
                outcomes.append((row, measure(row, crew, peak, options)))
                # Earlier rows once more: their shares are of the best peak that was found.
                document["rows"] = [report.row_data(*each, peak.best) for each in outcomes]
                document["peak"] = report.peak_data(peak)
                write(options.out, document)
                if not options.quick:
                    # Every row begins with new processes: what an allocator learned in one would change the next.
                    crew.dismiss()
        finally:
            crew.dismiss()


def measure(row: Row, crew: Crew, peak: Peak, options: argparse.Namespace) -> Outcome | str:
    """Measure a row, print it, and return what came out, or why nothing did."""
    peak.measure()
    print(report.title(row, peak.best), flush=True)
    missing = place_pictures(row, crew.folder)
    if missing:
        print(f"  not measured: {missing}")
        return missing
    outcome: dict[tuple[str, str], Measured] = {}
    for case in row.cases:
        measured = crew.measure(case, chosen(case, options), peak.measure)
        outcome |= {(case.name, name): found for name, found in measured.items()}
        print("\n".join(report.case_lines(case, measured, peak.best)), flush=True)
    print("\n".join(report.verdict_lines([goal.judge(outcome, peak.best) for goal in row.goals])), flush=True)
    return outcome


def chosen(case: Case, options: argparse.Namespace) -> list[str]:
    """Return which configurations are measured."""
    names = [name for name in case.configurations if not options.only or name in options.only]
    if options.only or options.all:
        return names
    if not options.quick:
        return [name for name in names if name not in SLOW_TO_PREPARE]
    large = isinstance(case.task, Training) and case.task.network != "lecture"
    return [name for name in names if name in QUICK or (name in QUICK_ON_SMALL and not large)]


def place_pictures(row: Row, folder: Path) -> str | None:
    """Put MNIST where the workers find it, if the row needs it; return what is missing."""
    tasks = (case.task for case in row.cases)
    if (folder / "x.npy").exists() or not any(
        isinstance(task, Training) and task.pictures == "mnist" for task in tasks
    ):
        return None
    import convista

    try:
        train = convista.data.load("mnist", offline=True).train
    except convista.ConvistaError as problem:
        return str(problem)
    np.save(folder / "x.npy", train.x.astype("float32") / 255)
    np.save(folder / "y.npy", train.y)
    return None


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", choices=list(ROWS), default=list(ROWS), help="default: all")
    parser.add_argument("--quick", action="store_true", help="a smoke run of less than two minutes")
    parser.add_argument("--all", action="store_true", help="also those that take minutes to compile: torch-compile")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these configurations, where they take part")
    parser.add_argument("--whole-epochs", action="store_true", help="row 1 times whole epochs instead of 100 steps")
    parser.add_argument("--turns", type=int, default=5, help="timed repetitions; the median counts; default: 5")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers" / "bin" / "python", help="the peers' Python")
    parser.add_argument("--out", type=Path, default=RESULTS / "table.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
