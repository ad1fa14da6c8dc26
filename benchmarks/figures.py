"""What is computed from the times: medians, ratios, speeds, and how far a cost is from a straight line."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Points = Sequence[tuple[float, float]]
"""Amounts and their costs."""


@dataclass
class Measured:
    """What one configuration did in one case.

    Args:
        scale: Factor from the seconds of a repetition to what is reported.
        operations: Floating-point operations of a repetition.
        steps: Training steps, or calls, in a repetition.
        seconds: Of each repetition.
        faults: Page faults in each repetition.
        peak_memory: Most resident memory, in bytes.
        problem: Why there are no times.
        details: Threads, versions, what else the worker said.
    """

    scale: float
    operations: float
    steps: int
    seconds: list[float] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    peak_memory: int | None = None
    problem: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def each(self) -> list[float]:
        """The reported time of each repetition."""
        return [value * self.scale for value in self.seconds]

    @property
    def median(self) -> float | None:
        """The reported time, if there is one."""
        return statistics.median(self.each) if self.seconds else None

    @property
    def speed(self) -> float | None:
        """Floating-point operations per second."""
        return self.operations / statistics.median(self.seconds) if self.seconds else None

    @property
    def faults_per_step(self) -> float | None:
        """Page faults of a training step or call, in the median."""
        return statistics.median(self.faults) / self.steps if self.faults else None


def ratio(value: float | None, reference: float | None) -> float | None:
    """Return how many times as large a value is, ``None`` where one of them is not known."""
    return None if value is None or not reference else value / reference


def proportional_deviation(points: Points) -> float:
    """Return the largest relative distance of the costs per unit from their median.

    Example:
        >>> round(proportional_deviation([(1, 1.0), (2, 2.0), (4, 4.4)]), 3)
        0.1
    """
    each = [cost / amount for amount, cost in points]
    middle = statistics.median(each)
    return max(abs(value / middle - 1) for value in each)


@dataclass(frozen=True)
class Line:
    """``cost = fixed + slope · amount``, and the largest relative distance of a cost from it."""

    fixed: float
    slope: float
    deviation: float


def line(points: Points) -> Line:
    """Return the straight line with the least squares of relative distances: small and large amounts count alike.

    Example:
        >>> line([(1, 3.0), (2, 5.0), (3, 7.0)])
        Line(fixed=1.0, slope=2.0, deviation=0.0)
    """
    weights = [1 / cost**2 for _, cost in points]
    total = sum(weights)
    mean_amount = sum(w * amount for w, (amount, _) in zip(weights, points, strict=True)) / total
    mean_cost = sum(w * cost for w, (_, cost) in zip(weights, points, strict=True)) / total
    spread = sum(w * (amount - mean_amount) ** 2 for w, (amount, _) in zip(weights, points, strict=True))
    together = sum(
        w * (amount - mean_amount) * (cost - mean_cost) for w, (amount, cost) in zip(weights, points, strict=True)
    )
    slope = together / spread
    fixed = mean_cost - slope * mean_amount
    deviation = max(abs((fixed + slope * amount) / cost - 1) for amount, cost in points)
    return Line(round(fixed, 12), round(slope, 12), round(deviation, 12))
