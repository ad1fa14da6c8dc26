"""A goal is met, not met, or cannot be told, and says by how much."""

from __future__ import annotations

import pytest
from figures import Measured
from goals import Equal, Faster, Linear, Share, Verdict, also_with_memory_kept


def outcome(**seconds: list[float] | None):
    """Cases ``a`` and ``b`` of 1 GFLOP, by configuration; ``None`` for one without times."""
    return {
        (case, name): Measured(1.0, 1e9, 1, seconds=[value] if value is not None else [])
        for name, values in seconds.items()
        for case, value in zip("ab", values or [None, None], strict=True)
    }


def test_faster_counts_the_best_peer_of_the_worst_case():
    goal = Faster("2×", 2.0, ("a", "b"), ("slow", "quick"))
    met = goal.judge(outcome(convista=[1.0, 1.0], slow=[9.0, 3.0], quick=[2.0, 8.0]), None)
    assert met == Verdict("2×", "2.00× quick at worst, a", True)
    short = goal.judge(outcome(convista=[1.0, 1.0], slow=[9.0, 3.0], quick=[1.9, 8.0]), None)
    assert short == Verdict("2×", "1.90× quick at worst, a; 1 of 2 fall short", False)


def test_faster_names_who_is_missing():
    goal = Faster("2×", 2.0, ("a",), ("slow", "gone"))
    assert goal.judge(outcome(convista=[1.0, 1.0], slow=[4.0, 4.0], gone=None), None) == Verdict(
        "2×", "4.00× slow; without gone", True
    )
    assert goal.judge(outcome(convista=None, slow=[4.0, 4.0]), None) == Verdict(
        "2×", "not known: no time of convista", None
    )
    assert goal.judge(outcome(convista=[1.0, 1.0]), None) == Verdict("2×", "not known: no time of a peer", None)


def test_a_goal_is_also_judged_where_freed_memory_is_kept():
    plain, kept = also_with_memory_kept(Faster("2×", 2.0, ("a",), ("other",)))
    kept_memory = {("a", "convista-malloc"): Measured(1.0, 1e9, 1, seconds=[1.0])}
    found = kept_memory | outcome(convista=[2.0, 2.0], other=[3.0, 3.0])
    assert plain.judge(found, None) == Verdict("2×", "1.50× other", False)
    assert kept.judge(found, None) == Verdict("2×, freed memory kept", "3.00× other", True)


def test_faster_without_a_factor_only_reports():
    goal = Faster("reported", None, ("a",), ("other",))
    assert goal.judge(outcome(convista=[2.0, 2.0], other=[1.0, 1.0]), None) == Verdict("reported", "0.50× other", None)


def test_faster_counts_only_cases_below_a_share_of_the_peak():
    goal = Faster("10× where it is naive", 10.0, ("a", "b"), ("xla",), below=0.02)
    # 1 GFLOP in 20 s and in 2 s, of a peak of 10 GFLOP/s: half a percent and five percent
    found = outcome(convista=[1.0, 1.0], xla=[20.0, 2.0])
    assert goal.judge(found, 10e9) == Verdict("10× where it is naive", "20.00× xla", True)
    assert goal.judge(found, 0.1e9) == Verdict("10× where it is naive", "no such case", None)


def test_share_of_the_peak():
    goal = Share("65 %", 0.65, ("a", "b"))
    assert goal.judge(outcome(convista=[1.0, 1.0]), 1.25e9) == Verdict("65 %", "80% at worst, a", True)
    short = goal.judge(outcome(convista=[1.0, 2.0]), 1.25e9)
    assert short == Verdict("65 %", "40% at worst, b; 1 of 2 fall short", False)
    assert goal.judge(outcome(convista=[1.0, 2.0]), None) == Verdict("65 %", "not known: no peak", None)


def amounts(*costs: float):
    return {(f"x{at}", "convista"): Measured(1.0, 1.0, 1, seconds=[cost]) for at, cost in enumerate(costs)}


@pytest.mark.parametrize(("costs", "met"), [((1.0, 2.0, 4.1), True), ((1.0, 2.0, 4.4), False)])
def test_proportional(costs, met):
    goal = Linear("5 %", 0.05, (("x0", 1), ("x1", 2), ("x2", 4)), through_zero=True)
    assert goal.judge(amounts(*costs), None).met is met


def test_on_a_line():
    goal = Linear("5 %", 0.05, (("x0", 1), ("x1", 2), ("x2", 4)), through_zero=False)
    assert goal.judge(amounts(0.012, 0.014, 0.018), None) == Verdict(
        "5 %", "0.0% from 10.00 ms + 2000.00 µs for each", True
    )
    assert goal.judge(amounts(0.012, 0.018, 0.018), None).met is False
    assert goal.judge({}, None) == Verdict("5 %", "not known: no time of convista", None)


def test_equal():
    goal = Equal("5 %", 0.05, ("a", "b"))
    assert goal.judge(outcome(convista=[1.04, 1.0]), None) == Verdict("5 %", "a takes +4.0% of b", True)
    assert goal.judge(outcome(convista=[0.9, 1.0]), None) == Verdict("5 %", "a takes -10.0% of b", False)
    assert goal.judge({}, None).met is None
