"""From arrays and iterables to batches of one size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.errors import ArgumentError, DataError
from convista.training.step import Batch


@dataclass(frozen=True)
class Examples:
    """Arrays that fit in memory.

    Args:
        x: Inputs ``(N, …)`` or a tuple of such arrays.
        y: Targets ``(N, …)``; ``None`` where there are none.
        weight: How much each example counts, float32 ``(N,)``.
    """

    x: Any
    y: Any
    weight: Any

    @property
    def size(self) -> int:
        """The number of examples."""
        return len(jax.tree.leaves(self.x)[0])

    def part(self, first: int, last: int) -> Examples:
        """Return the examples from ``first`` to ``last``, the latter excluded."""
        return jax.tree.map(lambda array: array[first:last], self)


jax.tree_util.register_dataclass(Examples, ["x", "y", "weight"], [])


def as_array(values: Any, name: str) -> Any:
    """Return a NumPy or JAX array of numbers; float64 becomes float32, int64 becomes int32.

    Raises:
        DataError: The values are ragged or no numbers.

    Example:
        >>> as_array([[1.0, 2.0]], "x").dtype
        dtype('float32')
    """
    if isinstance(values, jax.Array):
        return values
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{name} is an array of numbers, all rows of one shape",
            received=f"{name} of {type(values).__name__} with dtype {array.dtype}",
            fix="Bring all pictures to one size, and encode texts as numbers",
        )
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype in (np.int64, np.uint64, np.uint32):
        if array.size and np.abs(array).max() > np.iinfo(np.int32).max:
            raise DataError(f"whole numbers in {name} fit 32 bits", received=f"{array.max()}")
        return array.astype(np.int32)
    return array


def examples(x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None) -> Examples:
    """Return arrays of equal length with one weight an example.

    Args:
        x: Inputs, or a tuple of inputs.
        y: Targets, or ``None``.
        sample_weight: One number an example; ``None`` is 1.
        class_weight: One factor a class, by class number; classes that are not named have 1.

    Raises:
        DataError: The lengths differ, or there are no examples.
        ArgumentError: A weight is negative or not a number, or ``class_weight`` names no class.
    """
    x, y, size = _aligned(x, y)
    return Examples(x, y, _weights(size, y, sample_weight, class_weight))


def inputs(x: Any) -> tuple[Any, int]:
    """Return inputs alone as arrays, and how many examples they are; checked as in :func:`examples`."""
    x, _, size = _aligned(x, None)
    return x, size


def _aligned(x: Any, y: Any) -> tuple[Any, Any, int]:
    """Return arrays of equal length and that length."""
    x = tuple(as_array(item, "x") for item in x) if isinstance(x, tuple) else as_array(x, "x")
    y = None if y is None else as_array(y, "y")
    first = x[0] if isinstance(x, tuple) and x else x
    if isinstance(first, tuple) or first.ndim == 0 or len(first) == 0:
        raise DataError("there is at least one example", received=f"x of shape {np.shape(first)}")
    size = len(first)
    arrays = {"x": first, "y": y} | {f"x[{place}]": item for place, item in enumerate(x) if isinstance(x, tuple)}
    for name, array in arrays.items():
        if array is not None and (array.ndim == 0 or len(array) != size):
            raise DataError(
                "x and y have one row an example",
                received=f"x with {size} rows, {name} of shape {tuple(array.shape)}",
                fix="Check that pictures and labels come from the same split",
            )
    return x, y, size


def _weights(size: int, y: Any, sample_weight: Any, class_weight: Mapping[int, float] | None) -> np.ndarray:
    weight = np.ones(size, np.float32) if sample_weight is None else _sample_weight(size, sample_weight)
    if class_weight is None:
        return weight
    check_class_weight(class_weight)
    labels = np.asarray(y)
    labels = labels.argmax(-1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    if len(labels) != size or (labels.dtype.kind == "f" and (labels != np.floor(labels)).any()):
        raise ArgumentError(
            "class_weight needs one class an example",
            received=f"targets of shape {np.shape(y)}, {labels.dtype}",
            fix="Give the factors of the examples with sample_weight",
        )
    found, places = np.unique(labels, return_inverse=True)
    factors = np.asarray([class_weight.get(int(label), 1.0) for label in found], np.float32)
    return weight * factors[places]


def _sample_weight(size: int, given: Any) -> np.ndarray:
    array = as_array(given, "sample_weight")
    weight = np.asarray(array, np.float32).reshape(-1)
    if len(weight) == size and np.all(np.isfinite(weight) & (weight >= 0)):
        return weight
    raise ArgumentError(
        "sample_weight has one number of at least 0 an example",
        received=f"shape {tuple(array.shape)} for {size} examples"
        if len(weight) != size
        else f"values from {weight.min()} to {weight.max()}",
    )


def check_class_weight(class_weight: Any, classes: int | None = None) -> None:
    """Check factors of classes, against the number of classes where it is known.

    Raises:
        ArgumentError: They are no mapping from class numbers to numbers of at least 0.
    """
    last = "" if classes is None else f" 0…{classes - 1}"
    known = isinstance(class_weight, Mapping) and all(
        isinstance(label, int | np.integer) and label >= 0 and (classes is None or label < classes)
        for label in class_weight
    )
    if known and all(_is_factor(factor) for factor in class_weight.values()):
        return
    fix = None if isinstance(class_weight, Mapping) else "For example class_weight={0: 1.0, 1: 5.0}"
    raise ArgumentError(
        f"class_weight maps class numbers{last} to factors of at least 0",
        where="fit",
        received=f"class_weight={class_weight!r}",
        fix=fix,
    )


def _is_factor(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and 0 <= float(value) < math.inf


def split(data: Examples, validation_split: float) -> tuple[Examples, Examples | None]:
    """Return the first part to train on and the last part, ``validation_split`` of all, to validate on.

    As in Keras, the split is made before any shuffling.

    Raises:
        ArgumentError: The fraction is not between 0 and 1, or leaves one part empty.
    """
    if not validation_split:
        return data, None
    if not isinstance(validation_split, int | float) or not 0 < validation_split < 1:
        raise ArgumentError(
            "validation_split is a fraction between 0 and 1", received=f"validation_split={validation_split!r}"
        )
    border = math.floor(data.size * (1.0 - validation_split))
    if border in (0, data.size):
        raise ArgumentError(
            "validation_split leaves examples on both sides",
            received=f"validation_split={validation_split} of {data.size} examples",
        )
    return data.part(0, border), data.part(border, data.size)


def padded(data: Examples, size: int) -> Batch:
    """Return a batch of ``size`` rows; rows beyond the data repeat the first and have mask 0."""
    mask = np.zeros(size, np.float32)
    mask[: data.size] = 1
    filled = jax.tree.map(lambda array: _filled(array, size), data)
    return Batch(filled.x, filled.y, filled.weight, mask)


def _filled(array: Any, size: int) -> Any:
    missing = size - len(array)
    if missing == 0:
        return array
    array = np.asarray(array)
    return np.concatenate([array, np.broadcast_to(array[:1], (missing, *array.shape[1:]))])


def in_order(data: Examples, batch_size: int) -> Iterator[Batch]:
    """Yield the examples in their order, in batches of one size; the last one is filled up."""
    for first in range(0, data.size, batch_size):
        yield padded(data.part(first, min(first + batch_size, data.size)), batch_size)


def inputs_in_order(x: Any, size: int, batch_size: int) -> Iterator[Any]:
    """Yield the rows of inputs alone, as :func:`in_order` does those of examples.

    Args:
        x: One array ``(N, …)`` or a tuple of such arrays.
        size: ``N``.
        batch_size: Rows of each batch.
    """

    def batch(first):
        return jax.tree.map(lambda array: _filled(array[first : first + batch_size], batch_size), x)

    return iter((x,)) if size == batch_size else map(batch, range(0, size, batch_size))


def is_stream(x: Any) -> bool:
    """Return whether ``x`` is a generator, another iterable of batches or a sequence of them, not an array."""
    if hasattr(x, "shape") or isinstance(x, list | tuple | str | bytes | Mapping):
        return False
    return isinstance(x, Iterable) or _is_sequence(x)


def _is_sequence(x: Any) -> bool:
    """Whether batches are asked for by number, as from Keras's ``Sequence``."""
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not isinstance(x, Iterable)


def in_file_order(source: Any) -> Any:
    """Return a source without its shuffling where it can leave that out, as an image folder can."""
    return source.in_order() if hasattr(source, "in_order") else source


class Stream:
    """Batches from a generator, a list-like object or any iterable of ``(x, y)`` or ``(x, y, sample_weight)``.

    An object that can be iterated again starts anew each epoch; a generator goes on where it stopped. As in Keras, an
    object whose batches are asked for by number may have ``on_epoch_end``, called after each pass.

    Args:
        source: The iterable.
        class_weight: One factor a class.
    """

    def __init__(self, source: Any, class_weight: Mapping[int, float] | None = None):
        self.source = source
        self.class_weight = class_weight
        self._iterator = source if isinstance(source, Iterator) else None
        self._batch_size = 0

    @property
    def largest(self) -> int:
        """Examples in the largest batch so far."""
        return self._batch_size

    @property
    def steps(self) -> int | None:
        """Batches in an epoch, if the source knows."""
        return len(self.source) if hasattr(self.source, "__len__") else None

    def items(self) -> Iterator[Any]:
        """Yield what the source yields in one pass."""
        if not _is_sequence(self.source):
            for item in self.source:  # noqa: UP028 - `yield from` would close the user's generator with this one
                yield item
            return
        for number in range(len(self.source)):
            yield self.source[number]
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def begin(self, epoch: int) -> None:
        """Tell a source that can be told, as an image folder, which pass comes next."""
        if hasattr(self.source, "set_epoch"):
            self.source.set_epoch(epoch)

    def arranged(self, x: Any) -> Any:
        """Return a batch's inputs in the network's order; here as they come."""
        return x

    def examples(self) -> Iterator[Examples]:
        """Yield the batches of one pass as they come, checked."""
        for item in self.items():
            if not isinstance(item, tuple | list) or len(item) not in (2, 3):
                sized = f" of {len(item)}" if isinstance(item, tuple | list) else ""
                raise DataError(
                    "an iterable of batches yields (x, y) or (x, y, sample_weight)",
                    received=f"{type(item).__name__}{sized}",
                )
            weight = item[2] if len(item) == 3 else None
            yield examples(self.arranged(item[0]), item[1], weight, self.class_weight)

    def endless(self) -> Iterator[Examples]:
        """Yield the batches of one pass after another; a generator has only one."""
        while True:
            some = False
            for item in self.examples():
                some = True
                yield item
            if not some:
                return

    def pad(self, data: Examples) -> Batch:
        """Return the batch filled up to the largest size seen, so that one compiled step serves all."""
        self._batch_size = max(self._batch_size, data.size)
        return padded(data, self._batch_size)


def on_device(data: Examples) -> Examples:
    """Return the examples as device arrays, in their own dtypes: uint8 pictures stay uint8."""
    return jax.tree.map(jnp.asarray, data)
