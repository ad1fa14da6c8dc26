"""A recipe: its rate falls to zero with the last step, its loss smooths the labels."""

from __future__ import annotations

import pytest

from convista.architectures import digits, sequences, series, volumes
from convista.architectures.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=10, learning_rate=0.01, weight_decay=0.2, label_smoothing=0.05)


def test_the_rate_falls_along_half_a_cosine():
    optimizer = RECIPE.optimizer(25)  # 3 steps an epoch, the last one smaller
    assert float(optimizer.rate(0)) == pytest.approx(0.01)
    assert float(optimizer.rate(9)) == pytest.approx(0, abs=1e-12)
    assert float(optimizer.rate(8)) > 1e-5
    assert optimizer.weight_decay == 0.2


def test_the_loss_smooths_the_labels():
    assert RECIPE.loss.label_smoothing == 0.05


def test_every_family_has_one():
    assert all(isinstance(family.RECIPE, Recipe) for family in (digits, sequences, series, volumes))
