"""Medians, ratios, speeds, and distances from a straight line."""

from __future__ import annotations

import numpy as np
import pytest
from figures import Measured, line, proportional_deviation, ratio


def test_the_median_and_the_speed_are_of_the_seconds():
    measured = Measured(
        scale=10.0, operations=6e9, steps=5, seconds=[3.0, 1.0, 2.0, 50.0, 2.0], faults=[10, 0, 5, 5, 7]
    )
    assert measured.median == 20.0
    assert measured.each == [30.0, 10.0, 20.0, 500.0, 20.0]
    assert measured.speed == 3e9
    assert measured.faults_per_step == 1.0


def test_without_times_there_are_no_figures():
    measured = Measured(1.0, 1.0, 1, problem="missing")
    assert (measured.median, measured.speed, measured.faults_per_step) == (None, None, None)


def test_a_ratio_needs_both():
    assert ratio(6.0, 2.0) == 3.0
    assert ratio(None, 2.0) is None
    assert ratio(6.0, None) is None


def test_proportional_costs_have_no_deviation_and_a_fixed_cost_shows():
    amounts = (1, 2, 4, 8, 16)
    assert proportional_deviation([(n, 3.0 * n) for n in amounts]) == pytest.approx(0)
    assert proportional_deviation([(n, 3.0 * n + 1.0) for n in amounts]) == pytest.approx((3 + 1) / (3 + 1 / 4) - 1)


def test_the_line_is_that_of_numpys_weighted_fit():
    points = [(1, 1.3), (16, 5.1), (128, 30.0), (1024, 260.0)]
    amounts, costs = np.array(points).T
    slope, fixed = np.polyfit(amounts, costs, 1, w=1 / costs)
    found = line(points)
    assert (found.fixed, found.slope) == pytest.approx((fixed, slope))
    assert found.deviation == pytest.approx(np.max(np.abs((fixed + slope * amounts) / costs - 1)))


def test_a_cost_beside_the_line_is_seen():
    straight = [(n, 2.0 + 0.5 * n) for n in (1, 4, 16, 64)]
    assert line(straight).deviation < 1e-9
    assert line([*straight, (256, 1.5 * 130.0)]).deviation > 0.05
