"""The table on the terminal, and the same as data."""

from __future__ import annotations

from typing import Any

from figures import Measured, ratio
from goals import Outcome, Verdict
from peak import Peak
from rows import Case, Row

HEADER = ("", "median", "vs first", "GFLOP/s", "of peak", "faults", "MiB", "each")
WIDTHS = (26, 10, 8, 8, 7, 8, 6)
MARKS = {True: "met", False: "NOT MET", None: "not judged"}


def title(row: Row, peak: float | None) -> str:
    """Return the heading of a row."""
    known = f"{peak / 1e9:.0f} GFLOP/s" if peak else "not measured"
    return f"\n{row.number}. {row.title}\nfp32 multiply-add peak: {known}"


def case_lines(case: Case, measured: dict[str, Measured], peak: float | None) -> list[str]:
    """Return the lines of a case: the first configuration is what the others' times are compared with."""
    lines = [_line((f"{case.name}, per {case.per}", *HEADER[1:]))]
    reference = next((found.median for found in measured.values() if found.median is not None), None)
    return lines + [_entry(name, found, reference, peak) for name, found in measured.items()]


def verdict_lines(verdicts: list[Verdict]) -> list[str]:
    """Return a line for each goal."""
    return [f"  goal: {each.wanted}: {MARKS[each.met]} ({each.found})" for each in verdicts]


def _entry(name: str, found: Measured, reference: float | None, peak: float | None) -> str:
    if found.median is None:
        return f"  {name:<24} {found.problem}"
    share = ratio(found.speed, peak)
    cells = (
        f"  {name}",
        duration(found.median),
        f"{ratio(found.median, reference):.2f}×",
        f"{found.speed / 1e9:.1f}",
        "–" if share is None else f"{share:.0%}",
        f"{found.faults_per_step:.0f}",
        f"{found.peak_memory / 2**20:.0f}",
        " ".join(duration(value) for value in found.each) + (f"; {found.problem}" if found.problem else ""),
    )
    return _line(cells)


def _line(cells: tuple[str, ...]) -> str:
    first, *middle, last = cells
    fixed = [f"{cell:>{width}}" for cell, width in zip(middle, WIDTHS[1:], strict=True)]
    return f"{first:<{WIDTHS[0]}} {' '.join(fixed)}   {last}"


def duration(seconds: float) -> str:
    """Return a time with three digits and its unit.

    Example:
        >>> duration(0.01234), duration(8.154)
        ('12.3ms', '8.15s')
    """
    unit, factor = next(
        pair for pair in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)) if seconds * pair[1] >= 1 or pair[0] == "µs"
    )
    value = seconds * factor
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}{unit}"


def row_data(row: Row, outcome: Outcome | str, peak: float | None) -> dict[str, Any]:
    """Return a row as data.

    Args:
        row: Which.
        outcome: What was measured, or why nothing was.
        peak: Operations per second.
    """
    head: dict[str, Any] = {"row": row.number, "title": row.title}
    if isinstance(outcome, str):
        return head | {"problem": outcome}
    verdicts = [goal.judge(outcome, peak) for goal in row.goals]
    return head | {
        "cases": [_case_data(case, outcome, peak) for case in row.cases],
        "goals": [{"wanted": each.wanted, "found": each.found, "met": each.met} for each in verdicts],
    }


def peak_data(peak: Peak) -> dict[str, Any]:
    """Return the peak as data."""
    return {
        "gflops": peak.best and peak.best / 1e9,
        "each": [value / 1e9 for value in peak.each],
        "problem": peak.problem,
    }


def _case_data(case: Case, outcome: Outcome, peak: float | None) -> dict[str, Any]:
    measured = {name: outcome[case.name, name] for name in case.configurations if (case.name, name) in outcome}
    reference = next((found.median for found in measured.values() if found.median is not None), None)
    return {
        "case": case.name,
        "per": case.per,
        "operations": case.task.operations(),
        "configurations": {name: _entry_data(found, reference, peak) for name, found in measured.items()},
    }


def _entry_data(found: Measured, reference: float | None, peak: float | None) -> dict[str, Any]:
    return {
        "seconds": found.median,
        "each": found.each,
        "ratio_to_first": ratio(found.median, reference),
        "gflops": None if found.speed is None else found.speed / 1e9,
        "share_of_peak": ratio(found.speed, peak),
        "page_faults_per_step": found.faults_per_step,
        "peak_memory_bytes": found.peak_memory,
        "problem": found.problem,
        "details": found.details,
    }
