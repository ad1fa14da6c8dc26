"""The walk of one output cell: every number that it is made of, and that the network computed the same."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import ArgumentError
from convista.insight.inspection import inspected, place_of, values
from convista.insight.walks.formulas import Line
from convista.insight.walks.patches import Patch
from convista.insight.walks.steps import Question, walk
from convista.layers.reshaping import Flatten
from convista.shapes import Window, times

if TYPE_CHECKING:
    from convista.models.model import Model

AXES = {0: (), 1: ("position",), 2: ("row", "col"), 3: ("depth", "row", "col")}
# Half of the last place, relative to the number. Accelerators round what they multiply to the 11 bits of TF32, unless
# they are told not to.
_UNITS = {"float32": 2.0**-24, "TF32": 2.0**-11, "bfloat16": 2.0**-9}


class TraceMismatchError(RuntimeError):
    """The written-out arithmetic and the network disagree: a mistake in Convista, not the user's."""


@dataclass(frozen=True, eq=False)
class Trace:
    """How one cell of a layer's output came about.

    It prints as a table, shows as HTML in a notebook, and draws itself with ``save``.

    Args:
        layer: The layer's name.
        kind: Its class.
        axes: What the indices of ``cell`` are called: ``("row", "col", "channel")``.
        cell: The indices of the output cell.
        shape: Shape of the layer's output, without the batch axis.
        rule: The formula.
        taken: float32, the layer's input as it was computed, without the batch axis; several for a merge.
        sources: The names of the layers that the inputs come from.
        patches: What the window saw, with kernel, places and products; none for layers without a window.
        lines: The calculation, a line for each step; the last has the result.
        computed: What the network computed, in its own arithmetic.
        tolerance: How far its precision may lead away from the exact result of these numbers.
        winner: The input cell, with its channel, that was taken over: max pooling, reshaping.
        precision: In which the network computed it: ``"float32"``, ``"bfloat16"``, or ``"TF32"`` on accelerators.
        pads: Cells that the layer's padding lays before and behind each axis of its input; empty without a window.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Input((5, 5, 1)), Conv2D(1, 3, name="edges")])
        >>> kernel = np.float32([[-1, 0, 1]] * 3).reshape(3, 3, 1, 1)
        >>> model.set_weights([kernel, np.float32([2])])
        >>> picture = [[3, 0, 0, 1, 1], [4, 2, 2, 1, 1], [1, 2, 5, 1, 0], [1, 4, 5, 5, 0], [3, 4, 0, 0, 0]]
        >>> cell = model.trace(np.float32(picture), "edges", row=2, col=2, channel=0)
        >>> for line in cell.lines:
        ...     print(line)
        sum = 5·(−1) + 1·0 + 0·1 + 5·(−1) + 5·0 + 0·1 + 0·(−1) + 0·0 + 0·1 = −10
        bias = −10 + 2 = −8
        >>> cell.computed
        -8.0

    Source: lectures 000 and 001; V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016.
    """

    layer: str
    kind: str
    axes: tuple[str, ...]
    cell: tuple[int, ...]
    shape: tuple[int, ...]
    rule: str
    taken: tuple[np.ndarray, ...]
    sources: tuple[str, ...]
    patches: tuple[Patch, ...]
    lines: tuple[Line, ...]
    computed: float
    tolerance: float
    winner: tuple[int, ...] | None = None
    precision: str = "float32"
    pads: tuple[tuple[int, int], ...] = ()

    @property
    def value(self) -> float:
        """What the written-out arithmetic arrives at, in float64."""
        return self.lines[-1].value

    @property
    def difference(self) -> float:
        """How far what the network computed is from it."""
        with np.errstate(over="ignore"):
            kept = float(np.float32(self.value))  # beyond float32 there is only infinity
        if kept == self.computed or (math.isnan(kept) and math.isnan(self.computed)):
            return 0.0
        return abs(self.value - self.computed)

    @property
    def title(self) -> str:
        """Layer and cell in words."""
        where = ", ".join(f"{axis} {spot}" for axis, spot in zip(self.axes, self.cell, strict=True))
        return f"{self.kind} {self.layer!r}: {where} of {times(self.shape)}"

    def __str__(self) -> str:
        from convista.insight.walks.tables import text

        return text(self)

    def __repr__(self) -> str:
        return f"<Trace of {self.title}: {self.value:g}>"

    def to_markdown(self) -> str:
        """Return the tables as Markdown."""
        from convista.insight.walks.tables import markdown

        return markdown(self)

    def _repr_html_(self) -> str:
        from convista.insight.walks.tables import page

        return page(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; the whole input, ``taken``, is left out."""
        return {
            "layer": self.layer,
            "kind": self.kind,
            "cell": dict(zip(self.axes, self.cell, strict=True)),
            "shape": list(self.shape),
            "rule": self.rule,
            "sources": list(self.sources),
            "patches": [patch.to_dict() for patch in self.patches],
            "lines": [{"name": line.name, "formula": line.formula, "value": line.value} for line in self.lines],
            "winner": None if self.winner is None else list(self.winner),
            "value": self.value,
            "computed": self.computed,
            "difference": self.difference,
            "tolerance": self.tolerance,
            "precision": self.precision,
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draw the walk as a PNG file: the input with the patch framed, patch, kernel, products and the sums.

        Args:
            path: The file; its folder has to exist.

        Returns:
            The path.

        Raises:
            ArgumentError: The name does not end in .png, or the folder does not exist.
        """
        from convista.insight.walks.figure import draw

        return draw(self, path)


def trace(
    model: Model,
    picture: Any,
    layer: str,
    *cell: int,
    row: int | None = None,
    col: int | None = None,
    channel: int | None = None,
    position: int | None = None,
    depth: int | None = None,
) -> Trace:
    """Walk through the arithmetic behind one cell of a layer's output, and hold it against the network.

    The layer's input is taken from the network as it computed it; patch, products, sums, bias and activation are then
    worked out in float64 by NumPy, and the result must be what the network computed, but for float32's rounding.

    Args:
        model: The model.
        picture: One input: a picture file; an array, with or without batch and channel axis.
        layer: The layer's name, as in ``model.summary()``; of a layer that is used twice, the last use.
        *cell: The cell's indices, without names: ``(row, col, channel)`` of a picture's map, ``(position, channel)``
            of a sequence's, ``(depth, row, col, channel)`` of a volume's, ``(channel,)`` behind ``Flatten``. The
            channel may be left out where there is one, or be named. All count from 0.
        row: Instead of its place among the indices.
        col: The same.
        channel: The same; for ``Dense``, the unit.
        position: The same, for sequences.
        depth: The same, for volumes.

    Returns:
        The walk.

    Raises:
        ArgumentError: There is no such layer, its arithmetic is not written out, or the cell lies outside its map.
        ShapeError: The picture is of another size.
        DataError: The picture cannot be read.
        TraceMismatchError: The walk and the network disagree: please report it.

    Example:
        >>> from convista import architectures, data
        >>> model = architectures.get("digits-convnet")((8, 8, 1), 10, seed=0)
        >>> walk = trace(model, data.load("digits").test.x[0], "conv2d", row=0, col=0, channel=3)
        >>> walk.patches[0].inside.astype(int).tolist()  # a frame of zeros lies around the picture
        [[0, 0, 0], [0, 1, 1], [0, 1, 1]]
        >>> walk.difference <= walk.tolerance
        True
    """
    found = inspected(model, picture, "trace")
    nodes = model.graph.nodes
    place = place_of(model, layer, "trace", among=[node.name for node in nodes if node.inputs])
    node = nodes[place]
    *taken, output = (array[0] for array in values(model, found.x, (*node.inputs, place)))
    named = {"depth": depth, "row": row, "col": col, "position": position, "channel": channel}
    where, precision = f"trace, {node.where}", _precision(model, place)
    axes, spots = _cell(cell, {name: spot for name, spot in named.items() if spot is not None}, output.shape, where)
    question = Question(
        node.layer,
        node.where,
        _arrays(model.params, node.name),
        _arrays(model.state, node.name),
        tuple(taken),
        tuple(nodes[spot].name for spot in node.inputs),
        spots,
        output.shape,
        _UNITS[precision],
        _flattened(nodes, node),
    )
    steps = walk(question)
    result = Trace(
        node.name,
        type(node.layer).__name__,
        axes,
        spots,
        output.shape,
        steps.rule,
        question.taken,
        question.sources,
        steps.patches,
        steps.lines,
        float(output[spots]),
        steps.error,
        steps.winner,
        precision,
        _pads(node.layer, question.x.shape),
    )
    _check(result)
    return result


def _pads(layer: Any, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    window = getattr(layer, "window", None)
    return window.pads(shape[:-1]) if isinstance(window, Window) else ()


def _arrays(tree: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    return {key: np.asarray(array) for key, array in tree.get(name, {}).items()}


def _precision(model: Model, place: int) -> str:
    import jax

    layer = model.graph.nodes[place].layer
    if model.policy == "mixed_bfloat16" and place not in model.graph.outputs and not layer.in_float32:
        return "bfloat16"
    return "float32" if jax.default_backend() == "cpu" else "TF32"


def _flattened(nodes: Sequence[Any], node: Any) -> tuple[int, ...]:
    """Return the shape that a Flatten before a layer took, if it is known; dropout between changes no place."""
    before = nodes[node.inputs[0]]
    while before.layer.only_in_training and before.inputs:
        before = nodes[before.inputs[0]]
    if not isinstance(before.layer, Flatten):
        return ()
    from convista.layers.inference import infer

    shape = infer(nodes)[before.inputs[0]]
    return tuple(size or 0 for size in shape) if None not in shape else ()


def _check(result: Trace) -> None:
    if result.difference != 0 and not result.difference <= result.tolerance:
        raise TraceMismatchError(
            f"{result.title}: the network computed {result.computed!r}, the walk arrives at {result.value!r}; they "
            f"differ by {result.difference:.3g}, more than {result.tolerance:.3g}. This is a mistake in Convista, or "
            "the layer has a function of your own that looks at other cells; please report it with the model"
        )


def _cell(
    given: Sequence[int], named: Mapping[str, int], shape: tuple[int, ...], where: str
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return what the axes are called, and the index along each."""
    spatial = AXES.get(len(shape) - 1, tuple(f"axis {axis}" for axis in range(1, len(shape))))
    axes = (*spatial, "channel")
    free = [axis for axis in axes if axis not in named]
    if len(given) > len(free):
        twice = [(axis, spot) for axis, spot in zip(axes, given, strict=False) if axis in named]
        words = [f"{axis} twice, {spot!r} and {axis}={named[axis]!r}" for axis, spot in twice]
        raise _outside(axes, shape, where, ", ".join(words) or f"{len(given) + len(named)} numbers")
    spots = {**named, **dict(zip(free, given, strict=False))}
    if "channel" not in spots and shape[-1] == 1:
        spots["channel"] = 0
    sizes = dict(zip(axes, shape, strict=True))
    wrong = [f"{name}={spot!r}" for name, spot in spots.items() if not _lies(spot, sizes.get(name, 0))]
    missing = [axis for axis in axes if axis not in spots]
    if missing:
        right = {axis: spots[axis] for axis in axes if axis in spots and _lies(spots[axis], sizes[axis])}
        told = wrong or [f"{axis}={spot!r}" for axis, spot in right.items()] or ["no cell"]
        example = ", ".join(f"{axis}={right.get(axis, 0)}" for axis in axes)
        raise _outside(axes, shape, where, f"{', '.join(told)}, without {' and '.join(missing)}", example)
    if wrong:
        raise _outside(axes, shape, where, ", ".join(wrong))
    return axes, tuple(int(spots[axis]) for axis in axes)


def _lies(spot: Any, size: int) -> bool:
    return not isinstance(spot, bool) and hasattr(spot, "__index__") and 0 <= spot < size


def _outside(axes: Sequence[str], shape: Sequence[int], where: str, received: str, example: str = "") -> ArgumentError:
    ranges = ", ".join(
        f"{axis} 0…{size - 1}" if size > 1 else f"{axis} 0" for axis, size in zip(axes, shape, strict=True)
    )
    fix = f"Here they go {ranges}" if len(axes) > 1 else f"Here it goes {ranges.removeprefix('channel ')}"
    return ArgumentError(
        f"a cell of its {times(tuple(shape))} map is {', '.join(axes)}" if len(axes) > 1 else "a cell is its channel",
        where=where,
        received=received,
        fix=f"{fix}: for example {example}" if example else fix,
    )
