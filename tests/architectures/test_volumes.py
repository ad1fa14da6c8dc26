"""The network for volumes: its sizes, and what it makes of synthetic solids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convista import architectures
from convista.architectures.volumes import RECIPE
from convista.data import synthetic_volumes
from convista.errors import ShapeError

REACHED = 0.9


def test_sizes_and_memory():
    model = architectures.volume_convnet((12, 16, 8, 2), 3, seed=5)
    assert (model.name, model.seed, model.compiled) == ("volume-convnet", 5, False)
    assert (model.input_shape, model.output_shape) == ((None, 12, 16, 8, 2), (None, 3))
    first = model.summary(detail=True, print_to=None).rows[0]
    assert first.activation_bytes == 12 * 16 * 8 * 8 * 4
    assert first.multiply_accumulates == 12 * 16 * 8 * 8 * 27 * 2


def test_the_smallest_volume_is_what_the_documentation_says():
    architectures.volume_convnet((4, 4, 4, 1))
    with pytest.raises(ShapeError, match="does not fit"):
        architectures.volume_convnet((4, 3, 4, 1))


@pytest.mark.slow
def test_solids_are_told_apart():
    train, test = (synthetic_volumes(count, size=12, noise=0.1, seed=count) for count in (600, 100))
    recipe = replace(RECIPE, epochs=10)
    model = architectures.volume_convnet(train.x.shape[1:], seed=0)
    model.compile(recipe.optimizer(len(train)), recipe.loss, ["accuracy"])
    assert model.evaluate(test.x, test.y, verbose=0)[1] < REACHED
    model.fit(train.x, train.y, epochs=recipe.epochs, batch_size=recipe.batch_size, verbose=0)
    assert model.evaluate(test.x, test.y, verbose=0)[1] >= REACHED
