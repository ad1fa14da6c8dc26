"""Does the data fit the model? Shapes, dtypes and ranges, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convista.arguments import Shape
from convista.errors import DataError, ShapeError
from convista.layers import Rescaling
from convista.layers.inference import Node
from convista.shapes import count, times

_ROWS_LOOKED_AT = 1024


def check_shape(x: Any, expected: Shape, name: str = "x") -> None:
    """Check that a batch has the shape that the model was built for.

    Raises:
        ShapeError: It has not; the message says whether the batch axis, the channel axis or a size is wrong.
    """
    shape = tuple(x.shape)
    if len(shape) == len(expected) + 1 and all(
        wanted in (None, size) for size, wanted in zip(shape[1:], expected, strict=True)
    ):
        return
    raise ShapeError(
        f"the model takes batches of {times(expected)}: an array of shape {_text((None, *expected))}",
        where=name,
        received=f"shape {_text(shape)}",
        fix=_shape_fix(shape, expected, name),
    )


def _text(shape: Sequence[int | None]) -> str:
    sizes = ["N" if place == 0 and size is None else str(size) for place, size in enumerate(shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _shape_fix(shape: tuple[int, ...], expected: Shape, name: str) -> str | None:
    def fits(candidate: tuple[int, ...]) -> bool:
        return len(candidate) == len(expected) and all(
            wanted in (None, size) for size, wanted in zip(candidate, expected, strict=True)
        )

    if fits(shape):
        return f"Add the batch axis: {name}[None]"
    if fits((*shape[1:], 1)):
        return f"Add the channel axis: {name}[..., None]"
    if fits((*shape, 1)):
        return f"Add the batch and the channel axis: {name}[None, ..., None]"
    if len(shape) == 4 and fits((shape[2], shape[3], shape[1])):
        return f"Move the channels to the end: {name}.transpose(0, 2, 3, 1)"
    if len(shape) > 2 and None not in expected and len(expected) == 1 and count(shape[1:]) == expected[0]:
        return f"Write each example in one row: {name}.reshape(len({name}), -1)"
    if None not in expected and len(shape) == 2 and len(expected) > 1 and shape[1] == count(expected):
        return f"Restore the pictures: {name}.reshape(-1, {', '.join(map(str, expected))})"
    if len(shape) > 1:
        return f"Resize the data, or build the model with input_shape={tuple(shape[1:])}"
    return None


def check_values(x: Any, nodes: Sequence[Node], scaled: bool, name: str = "x") -> None:
    """Check that the numbers can be meant for this model.

    Args:
        x: A batch.
        nodes: The model's nodes.
        scaled: Whether the model's preprocessing scales integers.
        name: What to call the batch.

    Raises:
        DataError: NaN or infinite values; or pixels 0…255 for a model that nothing scales.
    """
    rows = np.asarray(x[:_ROWS_LOOKED_AT])
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        bad = np.argwhere(~np.isfinite(rows))[0]
        raise DataError(
            "inputs are finite numbers",
            where=name,
            received=f"{rows[tuple(bad)]} at {name}[{', '.join(map(str, bad))}]",
            fix=f"Replace missing values first, for example {name} = np.nan_to_num({name})",
        )
    rescaled = any(isinstance(node.layer, Rescaling) for node in nodes)
    if rescaled and rows.dtype.kind == "f" and rows.size and 0 < rows.max() <= 1 and rows.min() >= 0:
        _refuse_scaled_twice(rows, nodes, name)
    if rows.dtype == np.uint8 and rows.size and rows.max() > 1 and not scaled and not rescaled:
        raise DataError(
            "pictures given as whole numbers 0…255 need a scale, or training is slow and poor",
            where=name,
            received=f"dtype uint8, values {rows.min()}…{rows.max()}",
            fix=f"Put Rescaling(1 / 255) first in the model, or pass {name}.astype('float32') / 255",
        )


def _refuse_scaled_twice(rows: np.ndarray, nodes: Sequence[Node], name: str) -> None:
    first = next(node for node in nodes if isinstance(node.layer, Rescaling))
    if isinstance(first.layer, Rescaling) and first.layer.scale <= 1 / 100 and first.layer.offset == 0:
        raise DataError(
            f"Rescaling {first.name!r} expects values 0…255 and divides them once more",
            where=name,
            received=f"dtype {rows.dtype}, values {rows.min():g}…{rows.max():g}",
            fix=f"Pass the raw pictures, or take {first.name!r} out of the model",
        )
