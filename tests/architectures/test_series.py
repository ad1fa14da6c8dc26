"""The network for time series: its sizes, and what it makes of GunPoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convista import architectures
from convista.architectures.recipe import Recipe
from convista.architectures.series import RECIPE
from convista.data import load_series
from convista.errors import ShapeError

PROMISED = 0.98


@pytest.fixture(scope="module")
def gun_point(data_folder):
    return load_series("GunPoint")


def accuracy(recipe: Recipe, gun_point, seed: int) -> float:
    """Accuracy on the test file after training by a recipe."""
    model = architectures.series_convnet(gun_point.shape, len(gun_point.classes), seed=seed)
    model.compile(recipe.optimizer(len(gun_point.train)), recipe.loss, ["accuracy"])
    epochs, size = recipe.epochs, recipe.batch_size
    model.fit(gun_point.train.x, gun_point.train.y, epochs=epochs, batch_size=size, verbose=0)
    return model.evaluate(gun_point.test.x, gun_point.test.y, verbose=0)[1]


def test_sizes():
    model = architectures.series_convnet((40, 3), 7, seed=5)
    assert (model.name, model.seed, model.compiled) == ("series-convnet", 5, False)
    assert (model.input_shape, model.output_shape) == ((None, 40, 3), (None, 7))


def test_the_shortest_series_is_what_the_documentation_says():
    architectures.series_convnet((4, 1))
    with pytest.raises(ShapeError, match="does not fit"):
        architectures.series_convnet((3, 1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_recipe_keeps_its_promise(gun_point, seed):
    assert accuracy(RECIPE, gun_point, seed) >= PROMISED


def test_one_epoch_would_not(gun_point):
    assert accuracy(replace(RECIPE, epochs=1), gun_point, 0) < PROMISED
