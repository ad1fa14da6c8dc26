"""A new head: the features stay to the bit, the answers are new. An input that is standardised first."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Model, Sequential, architectures, layers, load_model
from convista.errors import ArgumentError
from convista.models.provenance import Provenance
from convista.models.replacement import with_new_head


def test_the_backbone_is_kept_and_the_head_is_new():
    old = architectures.lenet5((20, 20, 1), 10, seed=3)
    old.provenance = Provenance("a.pth", "0" * 64, "torch")
    new = with_new_head(old, 4, dropout=0.3, seed=5)
    assert [layer.name for layer in new.layers] == [
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "flatten",
        "head_dropout",
        "head",
    ]
    assert (new.output_shape, new.preprocessing, new.provenance) == ((None, 4), old.preprocessing, old.provenance)
    for name in ("conv1", "conv2"):
        np.testing.assert_array_equal(new.params[name]["kernel"], old.params[name]["kernel"])
    assert old.output_shape == (None, 10)
    assert with_new_head(new, 6).output_shape == (None, 6)


@pytest.mark.slow
def test_feature_maps_are_averaged():
    features = architectures.resnet18((32, 32, 3), include_top=False, small_pictures=True)
    model = with_new_head(features, 3)
    assert [layer.name for layer in model.layers][-2:] == ["head_pooling", "head"]
    x = np.random.default_rng(0).uniform(0, 1, (1, 32, 32, 3)).astype(np.float32)
    means = np.asarray(features(x)).mean((1, 2))
    logits = means @ np.asarray(model.params["head"]["kernel"])
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(np.asarray(model(x)), expected, atol=1e-5)


def test_branches_that_lead_to_no_feature_are_left_out():
    x = layers.Input((8, 8, 1))
    used = layers.Conv2D(4, 3, name="used")(x)
    unused = layers.Conv2D(2, 3, name="unused")(x)
    pooled = layers.GlobalAveragePooling2D()(used)
    answer = layers.Dense(2)(layers.Concatenate()([pooled, layers.Flatten()(unused)]))
    model = with_new_head(Model(x, answer), 3)
    assert "used" not in model.params
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: with_new_head(architectures.lenet5(), 0),
            "with_new_head: classes is a whole number of at least 1. Received classes=0.",
        ),
        (
            lambda: with_new_head(Sequential([layers.Dense(3, input_shape=(4,))]), 2),
            "with_new_head: a backbone has weights. Received a model without weights before its last layer. "
            "Build a new model instead.",
        ),
    ],
)
def test_messages(make, message):
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.slow
def test_a_standardized_input_is_what_one_would_have_computed_by_hand(tmp_path):
    model = architectures.resnet18((16, 16, 3), 4, seed=2, small_pictures=True)
    model.classes = ("a", "b", "c", "d")
    made = architectures.with_standardized_input(model)
    x = np.random.default_rng(0).uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
    by_hand = (x - np.float32((0.485, 0.456, 0.406))) / np.float32((0.229, 0.224, 0.225))
    np.testing.assert_allclose(np.asarray(made(x)), np.asarray(model(by_hand)), rtol=1e-4, atol=1e-6)
    assert np.abs(np.asarray(made(x)) - np.asarray(model(x))).max() > 1e-3
    assert (made.classes, made.preprocessing, made.name) == (model.classes, model.preprocessing, model.name)
    made.save(tmp_path / "a.convista")
    np.testing.assert_array_equal(np.asarray(load_model(tmp_path / "a.convista")(x)), np.asarray(made(x)))


def test_an_input_is_standardized_once_and_in_its_channels():
    made = architectures.with_standardized_input(architectures.lenet5((20, 20, 3), 3))
    with pytest.raises(ArgumentError) as error:
        architectures.with_standardized_input(made)
    assert str(error.value) == (
        "with_standardized_input: an input is standardised once. Received a model whose 'standardization' does so. "
        "Use the model as it is."
    )
    with pytest.raises(ArgumentError) as error:
        architectures.with_standardized_input(architectures.lenet5((20, 20, 1), 3), (0.5,), (0.0,))
    assert str(error.value) == (
        "with_standardized_input: each of 1 channels has a mean and a deviation above 0. Received inputs of "
        "(20, 20, 1), 1 deviations. Give mean and deviation with one number for each channel of the one input."
    )
