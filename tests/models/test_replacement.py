"""A new head: the features stay to the bit, the answers are new."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Model, Sequential, architectures, layers
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
