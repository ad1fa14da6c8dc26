"""The network for the embedded digits and its recipe, which keeps its promise for every seed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convista import architectures
from convista.architectures.digits import RECIPE, Recipe
from convista.data import Dataset, load

PROMISED = 0.985


def accuracy(recipe: Recipe, digits: Dataset, seed: int) -> float:
    """Accuracy on the held-out digits after training by a recipe."""
    model = architectures.digits_convnet(digits.shape, seed=seed)
    model.compile(recipe.optimizer(len(digits.train)), recipe.loss, ["accuracy"])
    model.fit(digits.train.x, digits.train.y, epochs=recipe.epochs, batch_size=recipe.batch_size, verbose=0)
    return model.evaluate(digits.test.x, digits.test.y, verbose=0)[1]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_recipe_keeps_its_promise(digits: Dataset, seed: int) -> None:
    assert accuracy(RECIPE, digits, seed) >= PROMISED


def test_one_epoch_would_not(digits: Dataset) -> None:
    assert accuracy(replace(RECIPE, epochs=1), digits, 1) < PROMISED


def test_the_learning_rate_falls_to_zero_with_the_last_step() -> None:
    optimizer = RECIPE.optimizer(1437)
    steps = 45 * RECIPE.epochs
    assert float(optimizer.rate(0)) == pytest.approx(RECIPE.learning_rate)
    assert float(optimizer.rate(steps // 2)) == pytest.approx(RECIPE.learning_rate / 2, rel=1e-5)
    assert float(optimizer.rate(steps - 1)) > 1e-12
    assert float(optimizer.rate(steps)) == pytest.approx(0, abs=1e-12)
