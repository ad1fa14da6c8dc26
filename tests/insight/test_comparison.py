"""Networks side by side."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from convista import Sequential
from convista.data.dataset import Split
from convista.data.pictures import Preprocessing
from convista.errors import ArgumentError
from convista.insight.comparison import Comparison, Measured, compare_models
from convista.layers import Dense, Flatten


def network(units):
    model = Sequential([Flatten(input_shape=(4, 4, 1)), Dense(units, use_bias=False), Dense(2, use_bias=False)])
    model.preprocessing = Preprocessing(scale=1 / 255)
    return model


@pytest.fixture
def split():
    random = np.random.default_rng(0)
    return Split(random.integers(0, 256, (30, 4, 4, 1), dtype=np.uint8), random.integers(0, 2, 30))


def test_every_number(split, tmp_path):
    large, small = network(8), network(2)
    large.set_weights(
        [np.where(np.arange(16)[:, None] < 4, array, 0) if len(array) == 16 else array for array in large.get_weights()]
    )
    result = compare_models({"large": large, "small": small}, split, rounds=1)
    first, second = result.rows
    assert (first.name, second.name, result.pictures) == ("large", "small", 30)
    assert (first.parameters, first.nonzero, first.multiply_accumulates) == (144, 4 * 8 + 16, 144)
    assert (second.parameters, second.nonzero, second.multiply_accumulates) == (36, 36, 36)
    large.save_weights(tmp_path / "large.safetensors")
    content = (tmp_path / "large.safetensors").read_bytes()
    assert (first.file_bytes, first.compressed_bytes) == (len(content), len(zlib.compress(content, 6)))
    expected = np.mean(large.predict(split.x).argmax(axis=1) == split.y)
    assert first.accuracy == pytest.approx(expected)
    assert first.milliseconds > 0


def test_the_table():
    row = Measured("before", 0.98765, 104_202, 100_000, 3_100_032, 416_808, 2_000, 12.34)
    assert str(Comparison((row,), 10_000)).splitlines() == [
        "network  accuracy  parameters  not zero  multiply–adds       file   zipped  1,000 pictures",
        "before     98.77%     104,202   100,000      3,100,032  407.04 KB  1.95 KB         12.3 ms",
    ]
    assert Comparison((row,), 10_000).document()["networks"][0]["parameters"] == 104_202


def test_nothing_to_compare(split):
    with pytest.raises(ArgumentError) as caught:
        compare_models({}, split)
    assert str(caught.value) == "compare_models: there is a network to measure. Received none."
