from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.training.configuration import Configurable, build, number


@dataclass(frozen=True)
class Part(Configurable):
    value: Any


REGISTRY = {"Part": Part}


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "name", [1, [2]]])
def test_plain_values_come_back_through_json(value):
    assert build(json.loads(json.dumps(Part(value).to_config())), REGISTRY, "part") == Part(value)


def test_parts_and_scalars_become_plain():
    config = Part((Part(np.float32(0.5)), np.int64(3))).to_config()["config"]
    assert config == {"value": [{"class_name": "Part", "config": {"value": 0.5}}, 3]}


def test_a_function_cannot_be_saved():
    with pytest.raises(ArgumentError) as caught:
        Part(len).to_config()
    assert str(caught.value) == (
        "Part: value cannot be saved: only numbers, names and Convista's own classes can. "
        "Received value=<built-in function len>. "
        "Use one of the classes that Convista brings, or leave this out of the saved configuration."
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"class_name": "Part"},
            'a saved part is a dictionary with the keys "class_name" and "config". '
            "Received {'class_name': 'Part'}. Pass what to_config() returned.",
        ),
        (
            {"class_name": ["x"], "config": {}},
            "a saved part has a known class. Received class_name=['x']. Known: Part.",
        ),
        (
            {"class_name": "Part", "config": 3},
            "Part: config is a dictionary. Received 3. Pass what to_config() returned.",
        ),
        ({"class_name": "Part", "config": {}}, "Part: value is needed. Received only an empty config. Give value."),
        (
            {"class_name": "Part", "config": {3: 4}},
            "Part: not an argument. Received 3. Known: value.",
        ),
    ],
)
def test_a_foreign_configuration_is_explained(config, message):
    with pytest.raises(ArgumentError) as caught:
        build(config, REGISTRY, "part")
    assert str(caught.value) == message


def test_what_a_number_is():
    assert all(number(value) for value in (0, 1.5, np.float32(2), np.int8(1)))
    assert not any(number(value) for value in (True, "1", None, float("nan"), float("inf"), [1], 1j))
