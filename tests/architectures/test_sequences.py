"""The network for sequences: its sizes, and what it makes of real DNA."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convista import architectures
from convista.architectures.recipe import Recipe
from convista.architectures.sequences import RECIPE
from convista.data import encode_dna, load_sequences, stratified_folds
from convista.errors import ShapeError

PROMISED = 0.95


@pytest.fixture(scope="module")
def splice(data_folder):
    return load_sequences("splice")


def accuracy(recipe: Recipe, splice, held_out: int) -> float:
    """Accuracy on a fold of the example's division."""
    x, y = encode_dna(splice.sequences), splice.y
    fold = stratified_folds(y, 5, groups=splice.sequences)
    learned, judged = fold != held_out, fold == held_out
    model = architectures.sequence_convnet(seed=held_out)
    model.compile(recipe.optimizer(int(learned.sum())), recipe.loss, ["accuracy"])
    model.fit(x[learned], y[learned], epochs=recipe.epochs, batch_size=recipe.batch_size, verbose=0)
    return model.evaluate(x[judged], y[judged], verbose=0)[1]


def test_sizes():
    model = architectures.sequence_convnet((40, 21), 7, seed=5)
    assert (model.name, model.seed, model.compiled) == ("sequence-convnet", 5, False)
    assert (model.input_shape, model.output_shape) == ((None, 40, 21), (None, 7))


def test_the_shortest_sequence_is_what_the_documentation_says():
    architectures.sequence_convnet((2, 4))
    with pytest.raises(ShapeError, match="does not fit"):
        architectures.sequence_convnet((1, 4))


def test_the_place_of_a_pattern_counts():
    model = architectures.sequence_convnet((8, 4), seed=0)
    early, late = encode_dna(["GTAAAAAA", "AAAAAAGT"])
    assert np.abs(model.predict(early[None]) - model.predict(late[None])).max() > 1e-3


@pytest.mark.slow
def test_the_recipe_keeps_its_promise_on_a_fold(splice):
    assert accuracy(RECIPE, splice, 0) >= PROMISED


def test_one_epoch_of_small_steps_would_not(splice):
    assert accuracy(replace(RECIPE, epochs=1, learning_rate=1e-5), splice, 0) < PROMISED
