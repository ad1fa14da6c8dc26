"""Does the data fit the model? Shapes, dtypes and ranges, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convista.arguments import Shape
from convista.errors import ArgumentError, DataError, ShapeError, suggest
from convista.layers import Augmentation, BatchNormalization, RandomErasing, Rescaling
from convista.layers.inference import Node
from convista.shapes import count, times

_ROWS_LOOKED_AT = 1024


@dataclass(frozen=True)
class Entrance:
    """What a network's own layers do with its inputs; found once for a network, for every ``predict`` asks.

    Args:
        rescaling: The first node that scales its input, if there is one.
        normalizes: Whether the first layer brings its inputs to mean 0 and variance 1 itself.
        augmenting: The augmenting layers that see the inputs as they come.
    """

    rescaling: Node | None
    normalizes: bool
    augmenting: tuple[Any, ...]

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Entrance:
        """Return the entrance of a network."""
        rescaling = next((node for node in nodes if isinstance(node.layer, Rescaling)), None)
        return cls(rescaling, _begins_with_normalization(nodes), tuple(_in_front(nodes)))


def arranged(x: Any, expected: Sequence[Shape | None], names: Sequence[str] = ()) -> Any:
    """Return what a user gave as inputs: a tuple for several inputs, in the model's order, and one item otherwise.

    Args:
        x: One item; a list or tuple of them; or a dictionary by the names of the inputs.
        expected: Shape of one example for each input, ``None`` where it is not known yet.
        names: Names of the inputs, where they are known.

    Raises:
        ArgumentError: A dictionary has other names.
    """
    if isinstance(x, Mapping):
        x = _by_name(x, names)
    several = len(expected) > 1
    if not isinstance(x, list | tuple):
        return x
    if several:
        return tuple(x)
    first = expected[0]
    if len(x) == 1 and first is not None and len(getattr(x[0], "shape", ())) == len(first) + 1:
        return x[0]
    return x


def _by_name(x: Mapping[Any, Any], names: Sequence[str]) -> tuple[Any, ...]:
    if set(x) != set(names):
        wrong = next((str(name) for name in x if name not in names), None)
        raise ArgumentError(
            f"a dictionary has one array for each input: {', '.join(map(repr, names))}"
            if names
            else "a dictionary needs the names of inputs, and this model's are not known yet",
            where="x",
            received=f"the names {', '.join(map(repr, x))}",
            fix=(suggest(wrong, names) if wrong is not None else None) if names else "Pass the array itself",
        )
    return tuple(x[name] for name in names)


def check_shapes(x: Any, expected: Sequence[Shape], name: str = "x") -> None:
    """Check the number of inputs and the shape of each.

    Raises:
        ShapeError: They are not those of the model.
    """
    arrays = x if isinstance(x, tuple) else (x,)
    if len(arrays) != len(expected):
        several = len(expected) > 1
        raise ShapeError(
            f"the model takes {len(expected)} inputs" if several else "the model takes one input",
            where=name,
            received=f"{len(arrays)}",
            fix="Give them as a list in the order of the model's inputs" if several else "Give one array",
        )
    for place, (array, shape) in enumerate(zip(arrays, expected, strict=True)):
        check_shape(array, shape, name if len(arrays) == 1 else f"{name}[{place}]")


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


def _variable(name: str) -> str:
    """What an array is called in code: ``x`` for "x of a batch"."""
    return name.split()[0]


def _text(shape: Sequence[int | None]) -> str:
    sizes = ["N" if place == 0 and size is None else str(size) for place, size in enumerate(shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _shape_fix(shape: tuple[int, ...], expected: Shape, name: str) -> str | None:
    name = _variable(name)

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


def check_values(x: Any, entrance: Entrance, scaled: bool, name: str = "x") -> None:
    """Check that the numbers can be meant for this model.

    Args:
        x: A batch.
        entrance: What the model does with it first.
        scaled: Whether the model's preprocessing scales integers.
        name: What to call the batch.

    Raises:
        DataError: NaN or infinite values; pixels 0…255 for a model that nothing scales; values 0…1 for one that scales.
    """
    values = np.asarray(x)
    if values.dtype.kind not in "iuf" or not values.size:
        return
    rows = values[:_ROWS_LOOKED_AT]
    low, high = rows.min(), rows.max()
    if rows.dtype.kind == "f":
        _check_finite(values, low, high, name)
        _check_float_values(rows, low, high, entrance, name)
    elif (rows.dtype == np.uint8 or rows.ndim == 4) and high > 1 and not scaled and entrance.rescaling is None:
        raise DataError(
            "pictures given as whole numbers 0…255 need a scale, or training is slow and poor",
            where=name,
            received=f"dtype {rows.dtype}, values {low}…{high}",
            fix="Put Rescaling(1 / 255) first in the model, or "
            + (
                "set model.preprocessing = convista.Preprocessing(scale=1 / 255)"
                if name.endswith("of a batch")
                else f"pass {_variable(name)}.astype('float32') / 255"
            ),
        )


def _check_float_values(rows: np.ndarray, low: Any, high: Any, entrance: Entrance, name: str) -> None:
    if entrance.rescaling is not None:
        if low >= 0 and 0 < high <= 1:
            _refuse_scaled_twice(rows, entrance.rescaling, name)
        return
    pictures = rows.ndim == 4 and rows.shape[-1] in (1, 3, 4)
    if pictures and low >= 0 and 127 < high <= 255 and not entrance.normalizes:
        raise DataError(
            "pictures given as floats 0…255 need a scale, or training is slow and poor",
            where=name,
            received=f"dtype {rows.dtype}, values {low:g}…{high:g}",
            fix=f"Pass {_variable(name)} / 255, or put Rescaling(1 / 255) first in the model; Rescaling(1) if so meant",
        )


def _begins_with_normalization(nodes: Sequence[Node]) -> bool:
    return any(
        isinstance(node.layer, BatchNormalization) and any(not nodes[place].inputs for place in node.inputs)
        for node in nodes
    )


def _in_front(nodes: Sequence[Node]) -> list[Any]:
    raw = {place for place, node in enumerate(nodes) if not node.inputs}
    found = []
    for place, node in enumerate(nodes):
        if node.inputs and raw.issuperset(node.inputs) and isinstance(node.layer, Augmentation):
            raw.add(place)
            found.append(node.layer)
    return found


def check_value_ranges(layers: Sequence[Any], x: Any, scale: float | None, name: str) -> None:
    """Check that augmenting layers were told the range that the values of pictures have.

    Args:
        layers: Layers that see the values; those without ``value_range`` are left out.
        x: Pictures.
        scale: The factor of whole numbers, if any.
        name: What to call them.

    Raises:
        ArgumentError: Values 0…1 for a layer that expects 0…255, or the other way round.
    """
    rows = np.asarray(x[:_ROWS_LOOKED_AT])
    if rows.size == 0 or rows.dtype.kind not in "iuf":
        return
    factor = scale if scale is not None and rows.dtype.kind in "iu" else 1.0
    low, high = float(rows.min()) * factor, float(rows.max()) * factor
    for layer in layers:
        expected = getattr(layer, "value_range", None)
        filled = isinstance(layer, RandomErasing) and layer.fill_value is not None
        if expected is None or filled or low < 0 or high == 0:
            continue
        if (high <= 1 and max(expected) > 2) or (high > 2 and max(expected) <= 1):
            top = 1 if high <= 1 else 255
            raise ArgumentError(
                f"{layer.where} expects values {min(expected):g}…{max(expected):g}",
                where=name,
                received=f"values {low:g}…{high:g}",
                fix=f"Write {type(layer).__name__}(…, value_range=(0, {top}))",
            )


def _check_finite(values: np.ndarray, low: Any, high: Any, name: str) -> None:
    """Check all values; the first rows lie between ``low`` and ``high``, which are NaN if one of them is."""
    start = _ROWS_LOOKED_AT if math.isfinite(low) and math.isfinite(high) else 0
    for first in range(start, len(values), _ROWS_LOOKED_AT):
        rows = values[first : first + _ROWS_LOOKED_AT]
        if not np.isfinite(rows).all():
            bad = np.argwhere(~np.isfinite(rows))[0]
            place = ", ".join(str(index) for index in (first + bad[0], *bad[1:]))
            raise DataError(
                "inputs are finite numbers",
                where=name,
                received=f"{rows[tuple(bad)]} at {name}[{place}]",
                fix=f"Replace missing values first, for example {_variable(name)} = np.nan_to_num({_variable(name)})",
            )


def _refuse_scaled_twice(rows: np.ndarray, node: Node, name: str) -> None:
    if isinstance(node.layer, Rescaling) and node.layer.scale <= 1 / 100 and node.layer.offset == 0:
        raise DataError(
            f"Rescaling {node.name!r} expects values 0…255 and divides them once more",
            where=name,
            received=f"dtype {rows.dtype}, values {rows.min():g}…{rows.max():g}",
            fix=f"Pass the raw pictures, or take {node.name!r} out of the model",
        )
