"""Tasks travel as JSON, count their operations, and the rows ask for what exists."""

from __future__ import annotations

import itertools
import json

import pytest
from configurations import CONFIGURATIONS
from goals import Equal, Linear
from rows import Size
from table import ROWS
from tasks import Convolution, Inference, Training, from_message, to_message

SIZES = [Size(), Size(quick=True), Size(whole_epochs=True)]


@pytest.mark.parametrize(
    "task",
    [
        Training("lecture", 128, 640, form="scan"),
        Inference("lecture", 1),
        Convolution(2, (9, 9), 3, 4, 3, 2, 1, passes=("dx", "dw")),
    ],
)
def test_a_task_survives_json(task):
    assert from_message(json.loads(json.dumps(to_message(task)))) == task


def test_operations_of_a_convolution_are_counted_one_by_one():
    task = Convolution(2, (7,), 3, 5, 3, stride=2, pad=2, dilation=2, passes=("forward", "dx", "dw"))
    assert task.shapes() == ((2, 7, 3), (3, 3, 5), (2, 4, 5))
    inside = sum(0 <= 2 * at + 2 * tap - 2 < 7 for at, tap in itertools.product(range(4), range(3)))
    assert task.operations() == 3 * 2 * inside * 2 * 3 * 5
    assert task.operations() != 3 * 2 * 12 * 2 * 3 * 5
    assert task.parameters() == 3 * 3 * 5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", ROWS)
def test_goals_speak_of_cases_and_configurations_that_are_measured(number, size):
    row = ROWS[number].row(size)
    assert row.number == number
    present = {(case.name, name) for case in row.cases for name in case.configurations}
    assert {name for _, name in present} <= CONFIGURATIONS.keys()
    assert len({case.name for case in row.cases}) == len(row.cases)
    for goal in row.goals:
        cases = [case for case, _ in goal.amounts] if isinstance(goal, Linear) else goal.cases
        assert {(case, goal.ours) for case in cases} <= present
        assert {(case, peer) for case in cases for peer in getattr(goal, "peers", ())} <= present
        assert isinstance(goal, Equal | Linear) or cases


@pytest.mark.parametrize("number", ROWS)
def test_the_first_configuration_of_a_case_is_convistas(number):
    assert all(case.configurations[0].startswith("convista") for case in ROWS[number].row(Size()).cases)


def test_an_epoch_is_sixty_thousand_pictures():
    for size in SIZES:
        case = ROWS[1].row(size).cases[0]
        assert case.scale * case.task.examples == pytest.approx(60_000)
    whole = ROWS[1].row(Size(whole_epochs=True)).cases[0]
    assert (whole.scale, whole.task.examples, whole.task.steps) == (1.0, 60_000, 469)
