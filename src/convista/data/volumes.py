"""Synthetic volumes: solids turned at random in a cube of cells with noise, made from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convista.errors import ArgumentError

SYNTHETIC_VOLUMES = "synthetic-volumes"
_SMALLEST, _LARGEST = 8, 256
_MOST_BYTES = 8 << 30


@dataclass(frozen=True, eq=False)
class Volumes:
    """Volumes with their labels.

    Args:
        x: Densities, float32, shape ``(count, size, size, size, 1)``.
        y: Labels, int32, shape ``(count,)``; label ``k`` is ``classes[k]``.
        classes: The names of the classes.
        source: Where they came from.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.x)


def _ball(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points, axis=0) <= 1


def _shell(points: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(points, axis=0)
    return (distance <= 1) & (distance >= 0.6)


def _cube(points: np.ndarray) -> np.ndarray:
    return np.abs(points).max(axis=0) <= 0.75


def _cross(points: np.ndarray) -> np.ndarray:
    middle, longest = np.sort(np.abs(points), axis=0)[1:]
    return (middle <= 0.3) & (longest <= 1.1)


def _ring(points: np.ndarray) -> np.ndarray:
    around = np.hypot(points[0], points[1])
    return np.hypot(around - 0.75, points[2]) <= 0.35


SOLIDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ball": _ball,
    "shell": _shell,
    "cube": _cube,
    "cross": _cross,
    "ring": _ring,
}
"""Each solid's name, and which points belong to it: ``(3, …)`` of about −1…1 to booleans ``(…)``."""


def synthetic_volumes(count: int, *, size: int = 16, noise: float = 0.25, seed: int = 0) -> Volumes:
    """Make volumes with one solid each: ball, shell (hollow ball), cube, cross (three bars) or ring (torus).

    They are synthetic and stand for no measurement. Each solid has a random rotation, a radius of 0.28 to 0.4 of the
    volume's edge, a centre up to 0.1 of it away from the middle, and a density of 0.7 to 1.3 in a surrounding of 0;
    then normal noise is added to every cell. The classes take turns and are shuffled, so that each has the same share.

    Args:
        count: How many volumes.
        size: Cells along each edge, 8 to 256.
        noise: The standard deviation of the noise, 0 or more.
        seed: Of everything random; other seeds give other volumes of the same kind, to test on.

    Returns:
        The volumes.

    Raises:
        ArgumentError: A value that cannot be, or more than 8 GiB.

    Example:
        >>> volumes = synthetic_volumes(10, size=8, seed=1)
        >>> volumes.x.shape, np.bincount(volumes.y).tolist(), volumes.classes[0]
        ((10, 8, 8, 8, 1), [2, 2, 2, 2, 2], 'ball')
    """
    _check(count, size, noise)
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.arange(count) % len(SOLIDS)).astype(np.int32)
    solids = list(SOLIDS.values())
    x = np.empty((count, size, size, size, 1), np.float32)
    # Cells' centres, −1 to 1 along each edge.
    axis = (2 * np.arange(size) + 1) / size - 1
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)
    for row, label in enumerate(y):
        x[row, ..., 0] = _volume(solids[label], grid, generator).reshape(size, size, size)
        x[row] += noise * generator.standard_normal((size, size, size, 1), np.float32)
    source = f"{SYNTHETIC_VOLUMES}: made by convista.data.synthetic_volumes, size={size}, noise={noise}, seed={seed}."
    return Volumes(x, y, tuple(SOLIDS), source)


def _volume(solid: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    radius = generator.uniform(0.56, 0.8)
    centre = generator.uniform(-0.2, 0.2, (3, 1))
    density = generator.uniform(0.7, 1.3)
    return density * solid(_rotation(generator) @ (grid - centre) / radius)


def _rotation(generator: np.random.Generator) -> np.ndarray:
    """Return a rotation that is as likely as any other: four normal numbers are the quaternion's direction."""
    w, x, y, z = _unit(generator.standard_normal(4))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _check(count: int, size: int, noise: float) -> None:
    for name, value, rule, right in (
        ("count", count, "is a whole number from 1 on", _whole(count) and count >= 1),
        (
            "size",
            size,
            f"is a whole number from {_SMALLEST} to {_LARGEST}",
            _whole(size) and _SMALLEST <= size <= _LARGEST,
        ),
        ("noise", noise, "is a number, 0 or more", _is_number(noise) and 0 <= noise < math.inf),
    ):
        if not right:
            raise ArgumentError(f"{name} {rule}", where="synthetic_volumes", received=f"{name}={value!r}")
    if (needed := 4 * count * size**3) > _MOST_BYTES:
        raise ArgumentError(
            f"volumes take at most {_MOST_BYTES >> 30} GiB",
            where="synthetic_volumes",
            received=f"count={count}, size={size}: {needed / 2**30:.1f} GiB",
            fix="Make fewer at a time, each part with a seed of its own",
        )


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
