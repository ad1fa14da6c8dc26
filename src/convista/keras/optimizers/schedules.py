"""`keras.optimizers.schedules`: learning rates that change with the step."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.training.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, Schedule

LearningRateSchedule = Schedule

__all__ = ["CosineDecay", "ExponentialDecay", "LearningRateSchedule", "PiecewiseConstantDecay", "PolynomialDecay"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
