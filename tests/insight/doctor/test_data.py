"""Findings about what a network is given: planted, and silent where nothing is planted."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Sequential
from convista.data import Preprocessing, load
from convista.insight.doctor.findings import NotChecked
from convista.keras.preprocessing.image import ImageDataGenerator
from convista.layers import BatchNormalization, Conv2D, Dense, Flatten, Normalization, Rescaling

CHECKS = ("scale of the inputs", "balance of the classes", "augmented validation")


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_network(name, only, sound, digits):
    assert only(name, sound, digits.train, validation=digits.test) == []


def test_pixels_that_nothing_scales(only, copy):
    digits = load("digits").train
    (found,) = only("scale of the inputs", copy, (digits.x, digits.y))
    assert found.name == "inputs not scaled"
    assert found.evidence.numbers["high"] == 255
    assert found.fix.sentence == "Divide the pixels by 255, or put Rescaling(1 / 255) first in the model."
    after = digits.x[np.sort(np.random.default_rng(0).choice(1437, 1000, replace=False))][:200] / 255
    assert found.fix.verified == f"mean {after.mean():.2g} and deviation {after.std():.2g}."


@pytest.mark.parametrize("how", ["preprocessing", "layer", "normalised"])
def test_pixels_that_something_scales(how, only):
    digits = load("digits").train
    first = {"layer": [Rescaling(1 / 255)], "normalised": [BatchNormalization()]}.get(how, [])
    model = Sequential([Input((8, 8, 1)), *first, Conv2D(4, 3), Flatten(), Dense(10)], seed=0)
    if how == "preprocessing":
        model.preprocessing = Preprocessing(scale=1 / 255)
    assert only("scale of the inputs", model, (digits.x, digits.y)) == []


def test_pixels_that_are_scaled_twice(only, digits):
    model = Sequential([Input((8, 8, 1)), Rescaling(1 / 255), Conv2D(4, 3), Flatten(), Dense(10)], seed=0)
    (found,) = only("scale of the inputs", model, digits.train)
    assert found.fix.sentence.startswith("The pixels are divided twice")


def test_values_with_a_large_offset(only):
    x = np.random.default_rng(0).normal(1000, 1, (50, 6)).astype(np.float32)
    model = Sequential([Input((6,)), Dense(2)], seed=0)
    (found,) = only("scale of the inputs", model, x)
    assert found.fix.sentence.startswith("Put a Normalization layer first")
    assert found.fix.verified.endswith("and deviation 1.")


def test_data_unlike_that_of_training(only, digits):
    model = Sequential(
        [Input((8, 8, 1)), BatchNormalization(name="normed", momentum=0.5), Flatten(), Dense(10)], seed=0
    )
    model.compile("sgd", "mse")
    with pytest.raises(NotChecked, match="no layer remembers"):
        only("likeness to the training data", model, digits.train)
    model.fit(digits.x, np.eye(10, dtype=np.float32)[digits.y], verbose=0)
    assert only("likeness to the training data", model, digits.train) == []
    (found,) = only("likeness to the training data", model, (digits.x * 255, digits.y))
    assert found.layer == "normed"
    assert found.evidence.numbers["distance"] > 100
    assert found.fix.sentence.endswith("Here the values are to be divided by 255.")
    assert found.fix.verified.startswith("then the distance is 0.0")


def test_data_unlike_that_a_normalization_was_adapted_to(only, digits):
    layer = Normalization()
    layer.adapt(digits.x)
    model = Sequential([Input((8, 8, 1)), layer, Flatten(), Dense(10)], seed=0)
    assert only("likeness to the training data", model, digits.train) == []
    assert len(only("likeness to the training data", model, digits.x + 5)) == 1


class Shifting:
    """Batches that are other ones in each pass."""

    def __init__(self, x, y, change, shuffle=False):
        self.x_, self.y_, self.change, self.shuffle = x, y, change, shuffle
        self.draw = np.random.default_rng(0)

    def __iter__(self):
        order = self.draw.permutation(len(self.x_)) if self.shuffle else np.arange(len(self.x_))
        for first in range(0, len(order), 32):
            part = order[first : first + 32]
            noise = self.draw.normal(size=self.x_[part].shape).astype(np.float32) * self.change
            yield self.x_[part] + noise, self.y_[part]


@pytest.mark.parametrize("shuffle", [False, True])
def test_validation_that_changes_between_two_passes(shuffle, only, sound, digits):
    (found,) = only(
        "augmented validation", sound, digits.train, validation=Shifting(*digits.test, 0.01, shuffle=shuffle)
    )
    assert (found.name, found.severity) == ("augmentation on validation data", "error")
    assert found.evidence.sentence == ("Of 360 examples in one pass over Shifting, 360 were different in the next.")
    same = Shifting(*digits.test, 0.0, shuffle=shuffle)
    assert only("augmented validation", sound, digits.train, validation=same) == []


def test_validation_that_says_it_is_augmented(only, sound, digits):
    plain, changed = ImageDataGenerator(), ImageDataGenerator(rotation_range=20)
    (found,) = only("augmented validation", sound, digits.train, validation=changed.flow(*digits.test))
    assert found.evidence.sentence == "ArrayFlow says that it changes pictures at random."
    assert only("augmented validation", sound, digits.train, validation=plain.flow(*digits.test)) == []


def test_validation_that_can_be_seen_once(only, sound, digits):
    once = iter(list(Shifting(*digits.test, 0.0)))
    with pytest.raises(NotChecked, match="passed over only once"):
        only("augmented validation", sound, digits.train, validation=once)


def test_shuffled_validation_that_is_too_long_to_tell(only, sound, digits):
    from convista.insight.doctor.limits import Limits

    long = Shifting(*digits.train, 0.0, shuffle=True)
    with pytest.raises(NotChecked, match="shuffled and longer than 100 examples"):
        only("augmented validation", sound, digits.train, validation=long, limits=Limits(pass_examples=100))


def test_class_imbalance(only, sound, digits):
    few = np.flatnonzero((digits.y != 3) | (np.cumsum(digits.y == 3) <= 20))
    (found,) = only("balance of the classes", sound, (digits.x[few], digits.y[few]))
    numbers = found.evidence.numbers
    assert numbers["counts"][3] == 20
    weighted = [numbers["class_weight"][label] * count for label, count in enumerate(numbers["counts"])]
    np.testing.assert_allclose(weighted, len(few) / 10)
    assert found.fix.verified.endswith("each class counts as 131 to 131 examples.")


def test_a_class_without_examples(only, sound, digits):
    rest = digits.y != 3
    (found,) = only("balance of the classes", sound, (digits.x[rest], digits.y[rest]))
    assert "class 3 has 0" in found.evidence.sentence
    assert found.fix.sentence.startswith("Collect examples of the classes that have none")


def test_labels_the_network_does_not_have(only, sound, digits):
    with pytest.raises(NotChecked, match="the labels go up to 12"):
        only("balance of the classes", sound, (digits.x, digits.y + 3))
