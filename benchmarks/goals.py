"""What a row is to reach, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from figures import Line, Measured, line, proportional_deviation, ratio

Outcome = Mapping[tuple[str, str], Measured]
"""What was measured, by case and configuration."""


@dataclass(frozen=True)
class Verdict:
    """A goal, what came out, and whether that reaches it: ``None`` where it cannot be told."""

    wanted: str
    found: str
    met: bool | None


@dataclass(frozen=True)
class Faster:
    """In each case the best of the peers takes at least ``factor`` times as long.

    Args:
        wanted: The goal in words.
        factor: How many times as long; ``None`` reports and does not judge.
        cases: Where.
        peers: Who.
        ours: Who is to be faster.
        below: Count only cases where no peer reaches this share of the peak.
    """

    wanted: str
    factor: float | None
    cases: tuple[str, ...]
    peers: tuple[str, ...]
    ours: str = "convista"
    below: float | None = None

    def judge(self, outcome: Outcome, peak: float | None) -> Verdict:
        """Compare the medians."""
        found: dict[str, tuple[float, str]] = {}
        missing: set[str] = set()
        for case in self.cases:
            own = _median(outcome, case, self.ours)
            times = {peer: _median(outcome, case, peer) for peer in self.peers}
            known = {peer: value for peer, value in times.items() if value is not None}
            missing |= times.keys() - known.keys()
            if own is None or not known:
                return Verdict(self.wanted, f"not known: no time of {self.ours if own is None else 'a peer'}", None)
            best = min(known, key=known.__getitem__)
            if self._counts(outcome, case, best, peak):
                found[case] = known[best] / own, best
        without = f"; without {', '.join(sorted(missing))}" if missing else ""
        if not found:
            return Verdict(self.wanted, f"no such case{without}", None)
        short = [case for case, (value, _) in found.items() if self.factor is not None and value < self.factor]
        worst = min(found, key=lambda case: found[case][0])
        value, peer = found[worst]
        text = f"{value:.2f}× {peer}{_where(worst, found)}{_short(short, found)}{without}"
        return Verdict(self.wanted, text, None if self.factor is None else not short)

    def _counts(self, outcome: Outcome, case: str, peer: str, peak: float | None) -> bool:
        if self.below is None:
            return True
        share = ratio(outcome[case, peer].speed, peak)
        return share is not None and share < self.below


@dataclass(frozen=True)
class Share:
    """In each case at least this share of the peak is reached.

    Args:
        wanted: The goal in words.
        share: Of the machine's float32 multiply-add peak.
        cases: Where.
        ours: Who.
    """

    wanted: str
    share: float
    cases: tuple[str, ...]
    ours: str = "convista"

    def judge(self, outcome: Outcome, peak: float | None) -> Verdict:
        """Compare the speeds with the peak."""
        measured = {case: outcome.get((case, self.ours)) for case in self.cases}
        found = {case: ratio(each.speed, peak) if each else None for case, each in measured.items()}
        known = {case: value for case, value in found.items() if value is not None}
        if len(known) < len(found):
            return Verdict(self.wanted, f"not known: no {'time' if peak else 'peak'}", None)
        short = [case for case, value in known.items() if value < self.share]
        worst = min(known, key=known.__getitem__)
        return Verdict(self.wanted, f"{known[worst]:.0%}{_where(worst, known)}{_short(short, known)}", not short)


Goal = TypeVar("Goal", Faster, Share)


def also_with_memory_kept(goal: Goal) -> tuple[Goal, Goal]:
    """Return the goal, and the same where freed memory is kept: peers that keep theirs are among the peers anyway."""
    return goal, replace(goal, wanted=f"{goal.wanted}, freed memory kept", ours="convista-malloc")


@dataclass(frozen=True)
class Linear:
    """The cost grows in a straight line.

    Args:
        wanted: The goal in words.
        tolerance: Largest relative distance from it.
        amounts: Cases and how much each of them does.
        through_zero: Whether twice as much costs twice as much; otherwise a call may have a fixed cost.
        ours: Who.
    """

    wanted: str
    tolerance: float
    amounts: tuple[tuple[str, float], ...]
    through_zero: bool
    ours: str = "convista"

    def judge(self, outcome: Outcome, peak: float | None) -> Verdict:
        """Lay a line through the medians."""
        costs = [(amount, _median(outcome, case, self.ours)) for case, amount in self.amounts]
        points = [(amount, cost) for amount, cost in costs if cost is not None]
        if len(points) < len(costs):
            return Verdict(self.wanted, f"not known: no time of {self.ours}", None)
        if self.through_zero:
            deviation = proportional_deviation(points)
            return Verdict(self.wanted, f"{deviation:.1%} from proportional", deviation <= self.tolerance)
        found: Line = line(points)
        text = f"{found.deviation:.1%} from {found.fixed * 1e3:.2f} ms + {found.slope * 1e6:.2f} µs for each"
        return Verdict(self.wanted, text, found.deviation <= self.tolerance)


@dataclass(frozen=True)
class Equal:
    """Two ways take the same time.

    Args:
        wanted: The goal in words.
        tolerance: Largest relative distance.
        cases: The two.
        ours: Who.
    """

    wanted: str
    tolerance: float
    cases: tuple[str, str]
    ours: str = "convista"

    def judge(self, outcome: Outcome, peak: float | None) -> Verdict:
        """Compare the medians."""
        first, second = self.cases
        value = ratio(_median(outcome, first, self.ours), _median(outcome, second, self.ours))
        if value is None:
            return Verdict(self.wanted, f"not known: no time of {self.ours}", None)
        return Verdict(self.wanted, f"{first} takes {value - 1:+.1%} of {second}", abs(value - 1) <= self.tolerance)


Goal = Faster | Share | Linear | Equal


def _median(outcome: Outcome, case: str, configuration: str) -> float | None:
    measured = outcome.get((case, configuration))
    return measured.median if measured else None


def _where(case: str, cases: Mapping[str, object]) -> str:
    return f" at worst, {case}" if len(cases) > 1 else ""


def _short(short: list[str], cases: Mapping[str, object]) -> str:
    return f"; {len(short)} of {len(cases)} fall short" if short and len(cases) > 1 else ""
