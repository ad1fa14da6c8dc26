"""Examples that are there twice: planted, and silent where nothing is planted."""

from __future__ import annotations

import numpy as np

from convista.data import load


def names(found):
    return [one.name for one in found]


def test_digits_have_none(only, sound, digits):
    assert only("duplicates", sound, digits.train, validation=digits.test) == []


def test_copies_within_the_data(only, sound, digits):
    x, y = np.concatenate([digits.x, digits.x[:30]]), np.concatenate([digits.y, digits.y[:30]])
    (found,) = only("duplicates", sound, (x, y))
    assert found.name == "duplicates"
    assert found.evidence.numbers["copies"] == 30
    assert found.evidence.numbers["groups"][0] == [0, 1437]
    assert found.fix.verified == "1,437 examples remain, and none is there twice."
    kept = np.sort(np.unique(x.reshape(len(x), -1), axis=0, return_index=True)[1])  # what the fix says
    np.testing.assert_array_equal(kept, np.arange(1437))


def test_a_few_copies_are_no_finding(only, sound, digits):
    assert (
        only("duplicates", sound, (np.concatenate([digits.x, digits.x[:3]]), np.append(digits.y, digits.y[:3]))) == []
    )


def test_equal_examples_with_different_labels(only, sound, digits):
    x, y = np.concatenate([digits.x, digits.x[7:8]]), np.append(digits.y, (digits.y[7] + 1) % 10)
    (found,) = only("duplicates", sound, (x, y))
    assert (found.name, found.severity) == ("equal examples with different labels", "error")
    assert found.evidence.numbers["groups"] == [[7, 1437]]


def test_copies_on_both_sides_of_the_split(only, sound, digits):
    test = np.concatenate([digits.test_x, digits.x[40:50]]), np.append(digits.test_y, digits.y[40:50])
    (found,) = only("duplicates", sound, digits.train, validation=test)
    assert (found.name, found.severity) == ("duplicates across training and validation", "error")
    assert found.evidence.numbers["pairs"] == [(40 + number, 360 + number) for number in range(10)]


def test_near_copies_within_and_across(only, sound, digits):
    noise = np.random.default_rng(0).normal(size=digits.x[:20].shape).astype(np.float32) * 0.02
    near = np.clip(digits.x[:20] + noise, 0, 1)
    inside = np.concatenate([digits.x[:900], near]), np.append(digits.y[:900], digits.y[:20])
    (found,) = only("duplicates", sound, inside)
    assert found.name == "near duplicates"
    assert {(place, 900 + place) for place in range(20)} == {tuple(pair) for pair in found.evidence.numbers["pairs"]}
    (found,) = only("duplicates", sound, digits.train, validation=(near, digits.y[:20]))
    assert found.name == "near duplicates across training and validation"


def test_folders_of_pictures_and_streams_are_sampled(only, sound):
    digits = load("digits")

    def batches():
        for _ in range(10):
            yield digits.train.x[:32] / np.float32(255), digits.train.y[:32]

    (found,) = only("duplicates", sound, iter(list(batches())))
    assert found.evidence.numbers["copies"] == 320 - 32
