"""What a lecture says beside what comes out: the table that the five scripts print."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convista.insight.tables import table

AGREES, SLIP, DIFFERS, SHOWN = "yes", "SLIP", "NO", "–"


@dataclass(frozen=True)
class Claim:
    """One number of a lecture and ours.

    Args:
        what: What is counted or computed.
        lecture: What the lecture says, or what its rule gives by hand.
        convista: What came out.
        verdict: One of the four above.
        remark: A sentence that is printed under the table.
    """

    what: str
    lecture: str
    convista: str
    verdict: str
    remark: str = ""


class Claims:
    """Collects the numbers of a lecture, prints them chapter by chapter, and counts what agrees.

    Args:
        title: Printed first.
    """

    def __init__(self, title: str):
        self.counts: Counter[str] = Counter()
        self._open: list[Claim] = []
        print(title)

    def chapter(self, heading: str, text: str = "") -> None:
        """Print the table of the chapter before, then begin another."""
        self._print_open()
        print(f"\n== {heading} ==")
        if text:
            print(text)

    def equal(self, what: str, lecture: Any, ours: Any) -> None:
        """The two are the same number, shape, list or word."""
        self._add(what, lecture, ours, AGREES if plain(lecture) == plain(ours) else DIFFERS)

    def worked(self, what: str, by_hand: Any, ours: Any) -> None:
        """The lecture has the rule and no number for it, or the number is in a figure: here it is worked by hand."""
        self._add(what, by_hand, ours, AGREES if plain(by_hand) == plain(ours) else DIFFERS, prefix="by hand: ")

    def near(self, what: str, lecture: float, ours: float, within: float) -> None:
        """The two differ by ``within`` at most: training draws its weights at random."""
        agrees = abs(lecture - ours) <= within
        self._add(what, lecture, ours, AGREES if agrees else DIFFERS, f"agrees within {within}")

    def slip(self, what: str, lecture: Any, right: Any, ours: Any, why: str) -> None:
        """The lecture is wrong here: ours is what is right, and it is not what the lecture says."""
        found = plain(right) == plain(ours) != plain(lecture)
        self._add(what, lecture, ours, SLIP if found else DIFFERS, why)

    def shown(self, what: str, lecture: Any, ours: Any, why: str) -> None:
        """Two numbers that are not compared, and why not."""
        self._add(what, lecture, ours, SHOWN, why)

    def finish(self) -> int:
        """Print the last table and the counts; return the exit code, 1 if a number that should agree does not."""
        self._print_open()
        print(
            f"\nagree: {self.counts[AGREES]}; slips of the lecture, put right: {self.counts[SLIP]}; "
            f"only shown: {self.counts[SHOWN]}; differ: {self.counts[DIFFERS]}"
        )
        return 1 if self.counts[DIFFERS] else 0

    def _add(self, what: str, lecture: Any, ours: Any, verdict: str, remark: str = "", prefix: str = "") -> None:
        self.counts[verdict] += 1
        self._open.append(Claim(what, prefix + text(lecture), text(ours), verdict, remark))

    def _print_open(self) -> None:
        if self._open:
            rows = [(claim.what, claim.lecture, claim.convista, claim.verdict) for claim in self._open]
            print("\n" + table(["", "the lecture", "Convista", "agree?"], rows, left=4))
        for claim in self._open:
            if claim.remark:
                print(f"  {claim.what}: {claim.remark}")
        self._open = []


def plain(value: Any) -> Any:
    """Return arrays and tuples as lists, so that they can be compared."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def text(value: Any) -> str:
    """Return a value as a cell of the table: thousands with spaces, matrices row by row."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ").replace("-", "−")
    if isinstance(value, float):
        return f"{value:g}".replace("-", "−") if value == round(value, 4) else f"{value:.7g}"
    if isinstance(value, tuple):
        return f"({', '.join(map(text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        rows = any(isinstance(part, list) for part in value)
        return (" | " if rows else " ").join(map(text, value))
    return str(value)


def options(description: str, arguments: Sequence[str] | None, **more: dict[str, Any]) -> argparse.Namespace:
    """Read the command line: ``--quick``, and what a script adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few pictures and one epoch: seconds, not minutes")
    for name, settings in more.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args(arguments)
