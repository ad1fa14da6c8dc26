"""Does a model fit the memory of this machine? Said before anything is taken."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import jax

from convista.errors import MemoryLimitError
from convista.models.graph import Graph
from convista.shapes import bytes_text, count

_FLOAT_BYTES = 4


def check_weights(graph: Graph, where: str) -> None:
    """Check that the weights fit.

    Raises:
        MemoryLimitError: They do not; the message names the largest layer.
    """
    counts = {name: sum(both) for name, both in graph.parameter_counts().items()}
    needed, available = sum(counts.values()) * _FLOAT_BYTES, _machine()
    if needed > available:
        largest = max(counts, key=lambda name: counts[name])
        raise MemoryLimitError(
            "the weights fit the memory of this machine",
            where=where,
            received=f"{bytes_text(needed)} of weights, {bytes_text(available)} of memory; {largest!r} has most",
            fix=f"Make {largest!r} smaller, or shrink the picture before it with pooling",
        )


def check_activations(graph: Graph, where: str) -> None:
    """Check that the largest output of a layer fits, for one example.

    Raises:
        MemoryLimitError: It does not. XLA would end the whole process.
    """
    available = _machine()
    if graph.largest_output * _FLOAT_BYTES <= available:
        return
    for node, shape in zip(graph.nodes, graph.shapes(), strict=True):
        needed = 0 if None in shape else count(shape) * _FLOAT_BYTES
        if needed > available:
            raise MemoryLimitError(
                f"the output of {node.name!r} fits the memory of this machine",
                where=where,
                received=f"{bytes_text(needed)} for one example, {bytes_text(available)} of memory",
                fix=f"Make the output of {node.name!r} smaller",
            )


def _machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextlib.contextmanager
def explained(batch_size: Callable[[], int]) -> Iterator[None]:
    """Turn XLA's out-of-memory into an error that says what to do.

    Args:
        batch_size: Returns how many examples a step had.

    Raises:
        MemoryLimitError: The device has no memory for a step.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise MemoryLimitError(
            "a step fits the memory of the device",
            received=f"batch_size={batch_size()}",
            fix=f"Try batch_size={max(1, batch_size() // 2)}",
        ) from error
