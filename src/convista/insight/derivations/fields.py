"""Receptive fields step by step: how many input cells one cell sees, how far apart, and from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from convista.arguments import Shape
from convista.insight.derivations.arithmetic import Number, Worked, largest, number, smallest
from convista.insight.derivations.lines import Line, axis_names, line, listed, merged
from convista.insight.derivations.sizes import Use
from convista.layers import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Lambda,
    Permute,
    RandomCrop,
    RandomResizedCrop,
    Resizing,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from convista.ops.resampling import REACH
from convista.shapes import AXIS_NOUNS, ReceptiveField, Stairs, times

_Three: TypeAlias = "tuple[Worked | None, ...]"


@dataclass(frozen=True)
class Start:
    """The first cell of the network's input that cell ``i`` sees: ``at + step·⌊(offset + i·rate) / per⌋``.

    Below 0 it lies in the padding. Windows alone make a straight line (``per`` is 1); enlarging makes stairs, for its
    cells share what they see.
    """

    at: int
    step: int
    offset: int = 0
    rate: int = 1
    per: int = 1

    def of(self, cell: int) -> int:
        """Return the first cell that a cell sees."""
        return self.at + self.step * ((self.offset + cell * self.rate) // self.per)

    def gathered(self, before: int, stride: int) -> Start:
        """Return the starts after a window with so much padding before the first cell."""
        return replace(self, offset=self.offset - before * self.rate, rate=self.rate * stride)._level()

    def moved(self, cells: int) -> Start:
        """Return the starts where the first so many cells are cut off; below 0, where cells were put before them."""
        return self.gathered(-cells, 1)

    def laid_out(self, cut: int, span: int, stride: int) -> Start | None:
        """Return the starts after windows of ``span`` were laid out ``stride`` apart and ``cut`` cells cut off.

        ``None`` where a stride followed an enlargement before: then no single formula holds for all cells.
        """
        if self.rate != 1:
            return None
        offset = self.offset * stride + cut - span + stride
        return Start(self.at, self.step, offset, 1, self.per * stride)._level()

    def _level(self) -> Start:
        if self.rate % self.per:
            return self
        return Start(self.at + self.step * (self.offset // self.per), self.step * self.rate // self.per)


@dataclass(frozen=True)
class Sight:
    """What the cells of a layer see of the picture that the fields are counted in.

    Args:
        picture: The spatial sizes of that picture: the network's input, or what ``Resizing`` made of it.
        field: Size and stride of the field; ``None`` is all of it.
        starts: For each axis where fields begin; ``None`` where no single formula holds.
    """

    picture: Shape
    field: ReceptiveField | None
    starts: tuple[Start | None, ...] = ()

    @classmethod
    def of_input(cls, shape: Shape, field: ReceptiveField | None) -> Sight:
        """Return what the cells of an input see: themselves."""
        rank = len(shape) - 1 if field is not None else 0
        return cls(shape[:-1], field, (Start(0, 1),) * rank)

    @property
    def offset(self) -> tuple[int | None, ...] | None:
        """For each axis the first cell that cell 0 sees; below 0 lies padding."""
        if self.field is None:
            return None
        return tuple(None if start is None else start.of(0) for start in self.starts)

    def is_open(self, before: Sequence[Sight]) -> bool:
        """Return whether it is at this merge that no one knows any more where fields begin."""
        return len(before) > 1 and None in self.starts and not any(None in sight.starts for sight in before)

    def sentence(self) -> str:
        """Return which part of the input the first cell sees; empty where that is not known."""
        if self.field is None or None in self.starts or not self.starts:
            return ""
        nouns = AXIS_NOUNS.get(len(self.starts), ("cell",) * len(self.starts))
        firsts = [start.of(0) for start in self.starts if start is not None]
        lasts = [first + size - 1 for first, size in zip(firsts, self.field.size, strict=True)]
        parts = [
            f"{noun} {_signed(first)}" if first == last else f"{noun}s {_signed(first)} to {_signed(last)}"
            for noun, first, last in zip(nouns, firsts, lasts, strict=True)
        ]
        sizes = [size for size in self.picture if size is not None]
        over = any(last >= size for last, size in zip(lasts, sizes, strict=False))
        beyond = min(firsts) < 0 or (over and len(sizes) == len(lasts))
        whole = times(self.picture) if len(self.picture) > 1 else f"{self.picture[0] or '?'}-cell"
        outside = "; what lies outside is padding" if beyond else ""
        return f"Its first cell sees {listed(parts)} of the {whole} input{outside}."


def _signed(value: int) -> str:
    return str(value).replace("-", "−")


def looked(use: Use, before: Sequence[Sight], field: ReceptiveField | None) -> Sight:
    """Return what a layer's cells see.

    Args:
        use: The layer and its shapes.
        before: What the cells of its inputs see.
        field: Size and stride as the model says; ``None`` is all of the input.
    """
    picture = before[0].picture
    if isinstance(use.layer, Resizing):
        return Sight.of_input(use.output, field)
    if field is None:
        return Sight(picture, None)
    rank = len(field.size)
    if len(before) > 1:
        return Sight(picture, field, tuple(_of_all(before, axis, field.size[axis]) for axis in range(rank)))
    if isinstance(use.layer, Permute):
        order = [axis - 1 for axis in use.layer.dims[:-1]]
        sizes = tuple(picture[axis] for axis in order)
        return Sight(sizes, field, tuple(before[0].starts[axis] for axis in order))
    return Sight(picture, field, tuple(_step(use, axis, start) for axis, start in enumerate(before[0].starts)))


def _of_all(before: Sequence[Sight], axis: int, size: int) -> Start | None:
    """Return where the fields of a merge begin; ``None`` where its branches look at different places.

    The size of a merge's field is that of its widest branch. It holds as long as the others look at a part of the same.
    """
    fields = [(sight.starts[axis], sight.field.size[axis]) for sight in before if sight.field is not None]
    known = [(start, own) for start, own in fields if start is not None]
    if len(known) < len(before):
        return None
    first = min((start for start, _ in known), key=lambda start: (start.of(0), start.of(1)))
    beyond = max(start.of(0) + own for start, own in known)
    return first if beyond - first.of(0) <= size else None


def _step(use: Use, axis: int, start: Start | None) -> Start | None:
    """Return where fields begin after a layer, along one axis."""
    layer = use.layer
    if start is None:
        return None
    if layer.window is not None:
        padding = _padding_before(use, axis)
        return None if padding is None else start.gathered(padding, layer.window.strides[axis])
    spread = _spread(layer, axis)
    if spread is not None:
        return start.laid_out(*spread)
    if isinstance(layer, RandomCrop | RandomResizedCrop) and use.output != use.input:
        return None
    return start.moved(-_put_before(layer, axis))


def _padding_before(use: Use, axis: int) -> int | None:
    """Return the padding before the first cell; ``None`` where it depends on a size that varies."""
    window, size = use.layer.window, use.input[axis]
    if size is None and window.padding == "same" and window.strides[axis] > 1:
        return None
    return int(window.pads((size or 1,) * len(window.size))[axis][0])


def _spread(layer: Any, axis: int) -> tuple[int, int, int] | None:
    """Return what an enlarging layer cuts off before, the span of what it lays out, and how far apart."""
    if isinstance(layer, Conv1DTranspose | Conv2DTranspose | Conv3DTranspose):
        window = layer.transposed_window
        return window.pads()[axis][0], window.span[axis], window.strides[axis]
    if isinstance(layer, UpSampling1D | UpSampling2D | UpSampling3D):
        many, reach = layer.times[axis], REACH[getattr(layer, "interpolation", "nearest").lower()]
        # An interpolated cell lies between others: its weights reach half of `reach` cells to each side of its middle.
        return (reach // 2) * many - many // 2 if reach > 1 else 0, reach * many, many
    return None


def _put_before(layer: Any, axis: int) -> int:
    """Return how many cells a layer puts before the first one; below 0, how many it cuts off."""
    if isinstance(layer, ZeroPadding1D | ZeroPadding2D | ZeroPadding3D):
        return layer.pads[axis][0]
    if isinstance(layer, Cropping1D | Cropping2D | Cropping3D):
        return -layer.cuts[axis][0]
    if isinstance(layer, Lambda) and layer.function == "pad":
        return int(layer.arguments["widths"][axis][0]) if layer.arguments else 0
    return 0


def field_lines(use: Use, before: Sequence[Sight], after: Sight) -> tuple[Line, ...]:
    """Return the lines of the receptive field's size, stride and offset, where the layer changes any of them."""
    if after.field is None or any(sight.field is None for sight in before) or isinstance(use.layer, Permute | Resizing):
        return ()
    fields = [sight.field for sight in before if sight.field is not None]
    unchanged = all((field.size, field.stride) == (after.field.size, after.field.stride) for field in fields) and all(
        sight.starts == after.starts for sight in before
    )
    if unchanged and use.layer.window is None:
        return ()
    names = axis_names((*after.field.size, 1))
    columns = [_worked(use, axis, before, after.field, start) for axis, start in enumerate(after.starts)]
    return merged(
        [
            line("receptive_field", f"{kind}{name}", worked, note)
            for (kind, note), row in zip(_KINDS.items(), zip(*columns, strict=True), strict=True)
            for name, worked in zip(names, row, strict=False)
            if worked is not None
        ]
    )


_KINDS = {
    "field": "input cells that one cell sees",
    "jump": "input cells from one cell to the next",
    "offset": "the first input cell that the first cell sees",
}


def _worked(use: Use, axis: int, before: Sequence[Sight], after: ReceptiveField, start: Start | None) -> _Three:
    """Return field, jump and offset along one axis, ``None`` for what is not worth a line.

    Where the rule and the layer disagree, as in a subclass with a rule of its own, the layer's number stands alone.
    """
    found = _of_branches(axis, before) if len(before) > 1 else _of_one(use, axis, before[0])
    truths = (after.size[axis], after.stride[axis], None if start is None else start.of(0))
    field = before[0].field
    kept = field is not None and (field.size[axis], field.stride[axis]) == truths[:2]
    return tuple(
        None
        if truth is None or (worked is None and kept)
        else worked
        if worked is not None and worked.value == truth
        else number(truth)
        for worked, truth in zip(found, truths, strict=True)
    )


def _of_branches(axis: int, before: Sequence[Sight]) -> _Three:
    fields = [sight.field for sight in before if sight.field is not None]
    starts = [sight.starts[axis] for sight in before]
    firsts = [start.of(0) for start in starts if start is not None]
    return (
        largest(*(field.size[axis] for field in fields)),
        largest(*(field.stride[axis] for field in fields)),
        smallest(*firsts) if len(firsts) == len(starts) else None,
    )


def _of_one(use: Use, axis: int, before: Sight) -> _Three:
    if before.field is None:
        return None, None, None
    stairs, start = before.field.along(axis), before.starts[axis]
    jump = before.field.stride[axis]
    window = use.layer.window
    spread = _spread(use.layer, axis)
    if window is not None:
        padding = _padding_before(use, axis)
        begins = None if start is None or padding is None else _begins(start, padding)
        return _gathered(stairs, window.span[axis]), number(jump) * window.strides[axis], begins
    if spread is not None:
        cut, span, stride = spread
        begins = None if start is None else _spread_begins(start, cut, span, stride)
        return _enlarged(stairs, span, stride), number(jump) / stride, begins
    begins = None if start is None else _begins(start, _put_before(use.layer, axis))
    return None, None, begins


def _gathered(stairs: Stairs, span: int) -> Worked:
    """Return ``size + (span − 1)·jump``, or on stairs how many steps so many cells climb."""
    if (stairs.offset, stairs.rate, stairs.per) == (0, 1, 1):
        return number(stairs.first) + (number(span) - 1) * stairs.step
    further = _times(number(span) - 1, stairs.rate)
    climbed = (number(stairs.offset) + further if stairs.offset else further) // stairs.per
    return number(stairs.first) + _times(climbed, stairs.step)


def _enlarged(stairs: Stairs, span: int, stride: int) -> Worked | None:
    if (stairs.offset, stairs.rate, stairs.per) == (0, 1, 1):
        return number(stairs.first) + ((number(span) - 1) // stride) * stairs.step
    offset = number(stairs.offset) * stride + _times(number(span) - 1, stairs.rate)
    return number(stairs.first) + _times(offset // (stairs.per * stride), stairs.step)


def _begins(start: Start, before: int) -> Worked:
    """Return ``offset − padding·jump``, or on stairs where cell ``−padding`` begins."""
    if (start.offset, start.rate, start.per) == (0, 1, 1):
        return _moved(number(start.at), before, start.step, always=True)
    return number(start.at) + _times(_moved(number(start.offset), before, start.rate) // start.per, start.step)


def _moved(begin: Worked, before: int, step: int, *, always: bool = False) -> Worked:
    if before < 0:
        return begin + (number(-before) * step if always else _times(-before, step))
    return begin - (number(before) * step if always else _times(before, step))


def _spread_begins(start: Start, cut: int, span: int, stride: int) -> Worked:
    first = number(cut) - span + stride
    inside = first if (start.offset, start.per) == (0, 1) else number(start.offset) * stride + first
    return number(start.at) + _times(inside // (start.per * stride), start.step)


def _times(worked: Number, factor: int) -> Worked:
    return number(worked) if factor == 1 else number(worked) * factor
