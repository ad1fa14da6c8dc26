"""Thumbs and nearest neighbours, against loops and Pillow."""

from __future__ import annotations

import numpy as np
from PIL import Image

from convista.insight.doctor.likeness import digests, neighbours, thumbs


def test_thumbs_are_those_of_a_box():
    pictures = np.random.default_rng(0).random((3, 37, 50, 2)).astype(np.float32)
    found = thumbs(pictures).reshape(3, 16, 16, 2)
    for number in range(3):
        for channel in range(2):
            image = Image.fromarray(pictures[number, ..., channel]).resize((16, 16), Image.Resampling.BOX)
            # Pillow takes whole cells at the borders of a box; on these sizes that moves a mean by less than a tenth.
            assert np.abs(found[number, ..., channel] - np.asarray(image)).max() < 0.2
    halved = thumbs(pictures[:, :32, :32])
    expected = pictures[:, :32, :32].reshape(3, 16, 2, 16, 2, 2).mean(axis=(2, 4)).reshape(3, -1)
    np.testing.assert_allclose(halved, expected, atol=1e-6)
    assert not np.allclose(halved, expected + 1e-3, atol=1e-6)


def test_small_examples_are_their_own_thumbs():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(thumbs(x), x.reshape(2, 12))


def test_digests_tell_types_of_content_apart():
    x = np.zeros((3, 2, 2), np.uint8)
    x[1, 0, 0] = 1
    one, two, three = digests(x)
    assert one == three != two


def test_near_pairs_against_a_loop():
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(60, 5)).astype(np.float32)
    rows[59] = rows[10] + 0.01
    groups = np.zeros(60, np.int64)
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + np.diag(np.full(60, np.inf))
    usual = np.median(apart.min(axis=1))
    expected = [(one, int(apart[one].argmin())) for one in range(60) if apart[one].min() <= 0.3 * usual]
    found = neighbours(rows, rows, np.arange(60))
    assert found.near(found.usual(groups), groups, 0.3) == expected
    assert (10, 59) in expected
    wrong = neighbours(rows, rows, np.arange(60)[::-1].copy())
    assert wrong.near(wrong.usual(groups), groups, 0.3) != expected


def test_a_class_whose_members_are_all_alike_has_no_near_pairs():
    draw = np.random.default_rng(0)
    rows = np.concatenate([draw.normal(size=(40, 6)), 0.1 * draw.normal(size=(40, 6)) + 9]).astype(np.float32)
    found, groups, one = neighbours(rows, rows, np.arange(80)), np.repeat([0, 1], 40), np.zeros(80, np.int64)
    assert found.near(found.usual(groups), groups, 0.3) == []
    assert found.near(found.usual(one), one, 0.3) != []
