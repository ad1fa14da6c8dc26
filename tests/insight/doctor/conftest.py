"""One sound network, trained once, and the digits as it takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from convista import Input, Sequential
from convista.data import load
from convista.insight.doctor.examination import CHECKS, _patient
from convista.insight.doctor.limits import Limits
from convista.layers import Conv2D, Dense, Flatten


@dataclass(frozen=True)
class Digits:
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray

    @property
    def train(self):
        return self.x, self.y

    @property
    def test(self):
        return self.test_x, self.test_y


@pytest.fixture(scope="session")
def digits() -> Digits:
    data = load("digits")
    scaled = [split.x.astype(np.float32) / 255 for split in (data.train, data.test)]
    return Digits(scaled[0], data.train.y, scaled[1], data.test.y)


def network(seed: int = 0) -> Sequential:
    layers = [
        Input((8, 8, 1)),
        Conv2D(16, 3, padding="same", activation="relu", name="first"),
        Conv2D(32, 3, activation="relu", name="second"),
        Flatten(),
        Dense(10, activation="softmax", name="answer"),
    ]
    model = Sequential(layers, seed=seed)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="session")
def sound(digits: Digits) -> Sequential:
    """Nothing is wrong with it."""
    model = network()
    model.fit(*digits.train, epochs=8, validation_data=digits.test, verbose=0)
    return model


@pytest.fixture
def copy(sound: Sequential) -> Sequential:
    """The sound network again, to be spoiled."""
    model = network()
    model.set_weights(sound.get_weights())
    return model


@pytest.fixture(scope="session")
def patient():
    """Return a patient; arguments as for `check`."""

    def make(model: Any, data: Any = None, *, validation=None, history=None, limits=None, quick=False, seed=0):
        return _patient(model, data, validation, history, limits or Limits(), quick, seed)

    return make


@pytest.fixture(scope="session")
def only(patient):
    """Return the findings of one check by its name."""

    def make(name: str, model: Any, *data: Any, **how: Any):
        check = next(one for one in CHECKS if one.name == name)
        return list(check.examine(patient(model, *data, **how)))

    return make
