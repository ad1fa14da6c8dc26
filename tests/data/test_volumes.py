"""Synthetic volumes: the same for a seed, of the right size and density, turned every way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from convista.data import synthetic_volumes
from convista.data.volumes import SOLIDS, _rotation
from convista.errors import ArgumentError

# Of a solid of radius 1: the ball's, the shell's, the cube's, the three bars' and the torus's formulas.
CONTENTS = {
    "ball": 4 / 3 * math.pi,
    "shell": 4 / 3 * math.pi * (1 - 0.6**3),
    "cube": 1.5**3,
    "cross": 3 * 2.2 * 0.6**2 - 2 * 0.6**3,
    "ring": 2 * math.pi**2 * 0.75 * 0.35**2,
}


def test_the_seed_decides_and_the_source_says_synthetic():
    volumes = synthetic_volumes(7, size=8, seed=3)
    assert (volumes.x.shape, volumes.x.dtype, volumes.y.dtype) == ((7, 8, 8, 8, 1), np.float32, np.int32)
    np.testing.assert_array_equal(volumes.x, synthetic_volumes(7, size=8, seed=3).x)
    assert (volumes.x != synthetic_volumes(7, size=8, seed=4).x).any()
    assert volumes.classes == ("ball", "shell", "cube", "cross", "ring")
    assert sorted(np.bincount(volumes.y, minlength=5)) == [1, 1, 1, 2, 2]
    assert volumes.source.startswith("synthetic-volumes: made by convista.data.synthetic_volumes, size=8, noise=0.25")
    assert len(volumes) == 7


@pytest.mark.parametrize("name", SOLIDS)
def test_each_solid_has_its_content(name):
    axis = (2 * np.arange(64) + 1) / 64 * 1.2 - 1.2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    content = SOLIDS[name](points).mean() * 2.4**3
    assert content == pytest.approx(CONTENTS[name], rel=0.03)
    assert content != pytest.approx(1.1 * CONTENTS[name], rel=0.03)


def test_rotations_keep_lengths_and_hands_and_reach_every_direction():
    generator = np.random.default_rng(0)
    rotations = [_rotation(generator) for _ in range(2000)]
    for rotation in rotations[:50]:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
    # Where the first axis goes: as often into each of the eight octants.
    octants = np.bincount([int(4 * (x > 0) + 2 * (y > 0) + (z > 0)) for x, y, z in (r[0] for r in rotations)])
    assert octants.min() > 200


def test_solids_lie_inside_with_a_density_near_one():
    volumes = synthetic_volumes(40, noise=0, seed=0)
    for row, name in itertools.product(range(len(volumes)), ["ball", "cube"]):
        if volumes.classes[volumes.y[row]] == name:
            values = np.unique(volumes.x[row])
            assert len(values) == 2
            assert values[0] == 0
            assert 0.7 <= values[1] <= 1.3
            assert not volumes.x[row, [0, -1], [0, -1]].any()


def test_noise_has_the_deviation_that_was_asked_for():
    clean, noisy = (synthetic_volumes(1, noise=noise, seed=5) for noise in (0, 2.0))
    assert (noisy.x - clean.x).std() == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count is a whole number from 1 on. Received count=0."),
        ({"count": True}, "count is a whole number from 1 on. Received count=True."),
        ({"count": 1, "size": 7}, "size is a whole number from 8 to 256. Received size=7."),
        ({"count": 1, "noise": -1}, "noise is a number, 0 or more. Received noise=-1."),
        ({"count": 1, "noise": math.nan}, "noise is a number, 0 or more. Received noise=nan."),
        (
            {"count": 1000, "size": 256},
            "volumes take at most 8 GiB. Received count=1000, size=256: 62.5 GiB. "
            "Make fewer at a time, each part with a seed of its own.",
        ),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        synthetic_volumes(**arguments)
    assert str(caught.value) == f"synthetic_volumes: {message}"
