"""The embedded digits: the same bytes, the same division, always."""

from __future__ import annotations

import hashlib

import numpy as np

from convista.data import load, read_idx
from convista.data.digits import EMBEDDED, IMAGES, LABELS, SHA256


def test_the_embedded_files_are_the_recorded_ones():
    for file in (IMAGES, LABELS):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == SHA256[file.name]
    assert sum(file.stat().st_size for file in EMBEDDED.iterdir()) <= 60_000


def test_values_are_scaled_by_the_documented_formula():
    stored = read_idx(IMAGES)
    assert stored.shape == (1797, 8, 8)
    assert stored.min() == 0
    assert stored.max() == 16
    digits = load("digits")
    values = np.unique(np.concatenate([digits.train.x, digits.test.x]))
    expected = [int(np.floor(value * 255 / 16 + 0.5)) for value in range(17)]
    np.testing.assert_array_equal(values, expected)
    assert values[-1] == 255
    assert values[8] == 128


def test_the_division_is_fixed_and_stratified():
    digits = load("digits")
    assert digits.train.x.shape == (1437, 8, 8, 1)
    assert digits.test.x.shape == (360, 8, 8, 1)
    assert digits.train.x.dtype == np.uint8
    assert digits.train.y.dtype == np.int32
    assert np.bincount(digits.test.y).tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]
    assert np.bincount(digits.train.y).tolist() == [142, 146, 141, 147, 144, 146, 145, 143, 139, 144]
    assert digits.train.y[:8].tolist() == [1, 3, 5, 6, 7, 8, 9, 0]
    both = sorted(picture.tobytes() for picture in (*digits.train.x, *digits.test.x))
    stored = sorted(((p.astype(int) * 255 + 8) // 16).astype(np.uint8).tobytes() for p in read_idx(IMAGES))
    assert both == stored


def test_the_labels_belong_to_the_pictures():
    """The nearest training picture has the same label: shifted labels would bring this down to a tenth."""
    digits = load("digits")
    train, test = (half.x.reshape(len(half), -1).astype(np.float32) for half in (digits.train, digits.test))
    distance = (test**2).sum(1)[:, None] - 2 * test @ train.T + (train**2).sum(1)[None]
    nearest = digits.train.y[distance.argmin(1)]
    assert (nearest == digits.test.y).mean() > 0.98
    assert (np.roll(nearest, 1) == digits.test.y).mean() < 0.3


def test_it_names_its_source():
    digits = load("digits")
    assert "E. Alpaydin, C. Kaynak" in digits.source
    assert "CC BY 4.0" in digits.source
    assert digits.classes == tuple("0123456789")
    assert len(read_idx(LABELS)) == 1797
