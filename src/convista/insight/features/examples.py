"""The examples of a user's data, a batch at a time: arrays, a data set, or a stream of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convista import arguments
from convista.errors import DataError
from convista.training import batches

if TYPE_CHECKING:
    from convista.models.model import Model


@dataclass(frozen=True, eq=False)
class Portion:
    """Some examples as they came, and as the network takes them.

    Args:
        first: The number of the first one in the data.
        examples: ``(n, …)``.
        x: float32 ``(size, …)``, prepared; the last portion is filled up with copies of its first row.
    """

    first: int
    examples: np.ndarray
    x: np.ndarray


def portions(model: Model, data: Any, batch_size: int, where: str) -> Iterator[Portion]:
    """Yield the examples of ``data`` in portions of one size, so that one compiled program serves all.

    Args:
        model: The model; its own preprocessing is applied.
        data: Inputs ``(N, …)``; a ``Split``; a ``Dataset`` or a folder's data, of which the training half is taken;
            ``(x, y)``; or an iterable of batches, of inputs alone or of ``(x, y)``. Nothing is kept of what was
            yielded.
        batch_size: Examples in a portion.
        where: The verb, for messages.

    Raises:
        DataError: There are no examples, or their values cannot be meant.
        ShapeError: They do not fit the model.
    """
    size = arguments.integer(batch_size, "batch_size", where=where)
    first = 0
    for taken in _pieces(model, data, size):
        model._feeding.check_inputs(taken, "data")
        missing = size - len(taken)
        filled = taken if missing == 0 else np.concatenate([taken, np.repeat(taken[:1], missing, axis=0)])
        yield Portion(first, taken, np.asarray(model._prepared(filled)))
        first += len(taken)
    if first == 0:
        raise DataError("there is at least one example", where=where, received="none")


def _pieces(model: Model, data: Any, size: int) -> Iterator[np.ndarray]:
    source = getattr(data, "train", data)
    if isinstance(source, tuple) and len(source) in (2, 3) and np.ndim(source[0]) == len(model.input_shape):
        source = source[0]  # (x, y), as ``fit`` calls validation_data
    if not batches.is_stream(source):
        source = getattr(source, "x", source)
        array = batches.as_array(source, "data")
        if array.ndim == 0:
            raise DataError("data is an array of examples", received=type(data).__name__)
        items: Any = [array]
    else:
        stream = batches.Stream(batches.in_file_order(source)).items()
        items = (item[0] if model._feeding.has_targets(item) else item for item in stream)
    for item in items:
        array = batches.as_array(item, "data")
        for first in range(0, len(array), size):
            yield np.asarray(array[first : first + size])
