"""What an engine hands back: something to call, and what shows that it did the same work as the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS
from tasks import Convolution, Inference, Task, Training


class NotOffered(Exception):
    """This library, version or machine does not do this; the message says what is missing."""


@dataclass(frozen=True)
class Program:
    """A task, ready to run.

    Args:
        run: Does it once, and is back only when the result is there.
        parameters: How many numbers the engine learns here; all engines must agree.
        result: What ``run`` computed last, as NumPy arrays, where engines get the same numbers and can be compared.
    """

    run: Callable[[], Any]
    parameters: int | None = None
    result: Callable[[], list[np.ndarray]] | None = None


def pictures(task: Training | Inference, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 pictures ``(N, height, width, channels)`` in 0…1 and their int32 classes.

    Args:
        task: What they are for.
        folder: Where the driver has put MNIST.
    """
    network = NETWORKS[task.network]
    count = task.examples if isinstance(task, Training) else task.batch
    if isinstance(task, Training) and task.pictures == "mnist":
        return np.load(folder / "x.npy")[:count], np.load(folder / "y.npy")[:count].astype(np.int32)
    random = np.random.default_rng(0)
    x = random.random((count, *network.shape), dtype=np.float32)
    return x, random.integers(0, network.classes, count, dtype=np.int32)


def operands(task: Convolution) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the larger array, the kernel and the smaller array of a convolution, float32, channels last."""
    random = np.random.default_rng(0)
    large, kernel, small = (random.random(shape, dtype=np.float32) - 0.5 for shape in task.shapes())
    return large, kernel, small


def offered(task: Task, **engine: Callable[..., Program]) -> Callable[..., Program]:
    """Return the engine's function for a task.

    Raises:
        NotOffered: It has none.
    """
    name = type(task).__name__.lower()
    if name not in engine:
        raise NotOffered(f"does no {name}")
    return engine[name]
