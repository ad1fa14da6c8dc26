"""What a row of the table consists of."""

from __future__ import annotations

from dataclasses import dataclass

from goals import Goal
from tasks import Task, Training

FLOAT32_TRAINERS = (
    *("torch", "torch-last", "torch-last-malloc", "torch-compile"),
    *("keras-tensorflow", "keras-jax", "keras-jax-no-ynn", "jax-no-ynn"),
)
"""All that train in float32, besides Convista."""

BFLOAT16_TRAINERS = ("torch-last-bf16", "torch-last-bf16-malloc")
"""All that train in bfloat16, besides Convista."""


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Args:
        quick: As little as shows that everything runs.
        whole_epochs: Whether row 1 times epochs of 60 000 pictures, not a part that is scaled.
    """

    quick: bool = False
    whole_epochs: bool = False


@dataclass(frozen=True)
class Case:
    """One task for some configurations.

    Args:
        name: Shown in the table.
        task: What they do.
        configurations: Who; the others' times are compared with that of the first.
        scale: Factor from the seconds of a repetition to the time that is reported.
        per: What that time is for.
    """

    name: str
    task: Task
    configurations: tuple[str, ...]
    scale: float = 1.0
    per: str = "call"


@dataclass(frozen=True)
class Row:
    """A question and its cases.

    Args:
        number: As in the table of goals.
        title: The question.
        cases: What is measured.
        goals: What is to be reached.
    """

    number: int
    title: str
    cases: tuple[Case, ...]
    goals: tuple[Goal, ...]


def per_step(name: str, task: Training, configurations: tuple[str, ...]) -> Case:
    """Return a case of training that reports the time of a step."""
    return Case(name, task, configurations, 1 / task.steps, "step")
