"""The cells of a map that one cell of the next one is made of, each with the weight that it meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convista.shapes import TransposedWindow, Window


@dataclass(frozen=True, eq=False)
class Patch:
    """What a window sees.

    Args:
        name: Of which step, where a layer has several: ``"depthwise"`` and ``"pointwise"``; else empty.
        values: float64 ``(*window, channels)``, what is seen; 0 where ``inside`` is False.
        places: int64 ``(*window, axes)``, the input cell under each cell of the window; outside the map it may be
            negative or too large.
        inside: bool ``(*window,)``, False where no cell of the input lies: under a zero that padding added, or where a
            transposed convolution lays no window.
        channels: int64 ``(channels,)``, the input channel of each column of ``values``.
        kernel: float64 ``(*window, channels)``, the weight that each value meets; ``None`` for pooling.
        flattened: The shape that was flattened, where the window is a ``Dense`` layer's row behind ``Flatten``.

    Example:
        >>> seen, weights, places = np.array([[1.0], [2.0]]), np.array([[3.0], [-1.0]]), np.array([[0], [1]])
        >>> patch = Patch("", seen, places, np.array([True, True]), np.array([0]), weights)
        >>> patch.products.ravel().tolist(), patch.total
        ([3.0, -2.0], 1.0)
    """

    name: str
    values: np.ndarray
    places: np.ndarray
    inside: np.ndarray
    channels: np.ndarray
    kernel: np.ndarray | None = None
    flattened: tuple[int, ...] = ()

    @property
    def window(self) -> tuple[int, ...]:
        """Sizes of the window; empty for the row of a ``Dense`` layer."""
        return self.values.shape[:-1]

    @property
    def products(self) -> np.ndarray:
        """float64 ``(*window, channels)``: value times weight; the values themselves where there is no kernel."""
        return self.values if self.kernel is None else self.values * self.kernel

    @property
    def sums(self) -> np.ndarray:
        """float64 ``(channels,)``: the products of each input channel, added."""
        return self.products.reshape(-1, len(self.channels)).sum(0)

    @property
    def total(self) -> float:
        """All products, added."""
        return float(self.products.sum())

    @property
    def scale(self) -> float:
        """The sum of the products' absolute values: what rounding errors are measured by."""
        return float(np.abs(self.products).sum())

    def strongest(self, most: int) -> list[int]:
        """Return the columns whose sums are largest, whatever their sign, in the order of the channels."""
        order = np.argsort(-np.abs(self.sums), kind="stable")[:most]
        return sorted(int(column) for column in order)

    def largest(self, most: int) -> list[tuple[int, ...]]:
        """Return the indices into ``products`` of the largest, whatever their sign, the largest first."""
        order = np.argsort(-np.abs(self.products), axis=None, kind="stable")[:most]
        return [tuple(int(part) for part in np.unravel_index(flat, self.products.shape)) for flat in order]

    def place(self, index: Sequence[int]) -> tuple[int, ...]:
        """Return the input cell, with its channel, of an index into ``values``."""
        if self.flattened:
            return tuple(int(part) for part in np.unravel_index(self.channels[index[-1]], self.flattened))
        return (*map(int, self.places[tuple(index[:-1])]), int(self.channels[index[-1]]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "name": self.name,
            "values": self.values.tolist(),
            "kernel": None if self.kernel is None else self.kernel.tolist(),
            "products": None if self.kernel is None else self.products.tolist(),
            "sums": self.sums.tolist(),
            "places": self.places.tolist(),
            "inside": self.inside.tolist(),
            "channels": self.channels.tolist(),
        }


def gathered(window: Window, sizes: tuple[int, ...], spots: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(places, inside)`` of the cells that a window sees: ``spot·stride + k·dilation − padding``.

    Args:
        window: The window.
        sizes: Spatial sizes of its input.
        spots: Which of its positions.

    Example:
        >>> places, inside = gathered(Window((3,), (2,), (1,), "same"), (5,), (0,))
        >>> places.ravel().tolist(), inside.tolist()
        ([-1, 0, 1], [False, True, True])
    """
    lines = [
        spot * stride + np.arange(size) * dilation - before
        for spot, stride, size, dilation, (before, _) in zip(
            spots, window.strides, window.size, window.dilation, window.pads(sizes), strict=True
        )
    ]
    places = np.stack(np.meshgrid(*lines, indexing="ij"), -1)
    return places, _inside(places, sizes)


def scattered(window: TransposedWindow, sizes: tuple[int, ...], spots: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(places, inside)`` of the cells whose windows reach a spot: ``i·stride + k·dilation − cut = spot``.

    Under tap ``k`` lies the input cell ``(spot + cut − k·dilation) / stride``, if that is a whole number and a cell.

    Args:
        window: The window of a transposed convolution.
        sizes: Spatial sizes of its input.
        spots: A cell of its output.

    Example:
        >>> places, inside = scattered(TransposedWindow((3,), (2,), (1,)), (4,), (4,))
        >>> places[inside].ravel().tolist(), inside.tolist()
        ([2, 1], [True, False, True])
    """
    lines, whole = [], []
    for spot, stride, size, dilation, (cut, _) in zip(
        spots, window.strides, window.size, window.dilation, window.pads(), strict=True
    ):
        reached = spot + cut - np.arange(size) * dilation
        lines.append(reached // stride)
        whole.append(reached % stride == 0)
    places = np.stack(np.meshgrid(*lines, indexing="ij"), -1)
    fits: np.ndarray = np.all(np.stack(np.meshgrid(*whole, indexing="ij"), -1), -1)
    return places, np.logical_and(fits, _inside(places, sizes))


def _inside(places: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.all((places >= 0) & (places < sizes), -1))


def seen(x: np.ndarray, places: np.ndarray, inside: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Return float64 ``(*window, channels)``: the values of ``x`` at these places, 0 outside.

    Args:
        x: ``(*sizes, channels)``.
        places: int64 ``(*window, axes)``.
        inside: bool ``(*window,)``.
        channels: Which channels.
    """
    kept = np.where(inside[..., None], places, 0)
    values = x[tuple(np.moveaxis(kept, -1, 0))][..., channels].astype(np.float64)
    return np.where(inside[..., None], values, 0.0)
