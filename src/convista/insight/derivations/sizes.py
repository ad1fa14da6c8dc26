"""Output sizes worked out with a layer's own numbers, what padding adds, and what a stride or a pool throws away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convista.arguments import Shape
from convista.insight.derivations.arithmetic import Worked, largest, number, product, total
from convista.insight.derivations.lines import Line, axis_names, line, merged
from convista.layers import (
    Add,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Filter2D,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    Lambda,
    Layer,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Minimum,
    Multiply,
    Permute,
    RandomCrop,
    RandomResizedCrop,
    Reshape,
    Resizing,
    SeparableConv1D,
    SeparableConv2D,
    Subtract,
    SumPooling1D,
    SumPooling2D,
    SumPooling3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from convista.shapes import AXIS_NOUNS, Window, count, times

_CONVOLUTIONS = (Conv1D, Conv2D, Conv3D)
_SEPARABLE = (SeparableConv1D, SeparableConv2D)
_DEPTHWISE = (DepthwiseConv1D, DepthwiseConv2D)
_TRANSPOSED = (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
_MAXIMA = (MaxPooling1D, MaxPooling2D, MaxPooling3D)
_MEANS = (AveragePooling1D, AveragePooling2D, AveragePooling3D)
_POOLINGS = (*_MAXIMA, *_MEANS, SumPooling1D, SumPooling2D, SumPooling3D)
_UPSAMPLINGS = (UpSampling1D, UpSampling2D, UpSampling3D)
_PADDINGS = (ZeroPadding1D, ZeroPadding2D, ZeroPadding3D)
_CROPPINGS = (Cropping1D, Cropping2D, Cropping3D)
_GLOBAL_MAXIMA = (GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D)
_GLOBAL_MEANS = (GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D)
_VALUE_BY_VALUE = (Add, Subtract, Multiply, Average, Maximum, Minimum)
_RESIZING = (Resizing, RandomCrop, RandomResizedCrop)


@dataclass(frozen=True)
class Use:
    """One use of a layer, with the shapes it has there.

    Args:
        layer: The layer.
        inputs: The shapes of what it takes; one unless it merges.
        output: The shape of what it gives.
    """

    layer: Any  # a Layer; a rule reads the fields of the class that it was chosen for
    inputs: tuple[Shape, ...]
    output: Shape

    @property
    def input(self) -> Shape:
        """The shape of its first input; an input of the network takes none."""
        return self.inputs[0] if self.inputs else ()

    @property
    def declared(self) -> Any:
        """What the layer's own methods take for the shape."""
        return list(self.inputs) if self.layer.merges else self.input


Sizes = list[tuple[Worked | None, str]]
"""For each axis of the output how its size comes about and what that means; ``None``: the layer's own affair."""


def size_lines(use: Use) -> tuple[Line, ...]:
    """Return the lines for every size of the output that the layer changes, or that its window works out.

    A size whose rule is not known here, or where the rule and the layer disagree, as in a subclass with a rule of its
    own, is told as the layer says it.
    """
    before: list[Line] = []
    rule = _rule(use.layer)
    sizes = rule(use) if rule is not None else []
    if use.layer.window is not None:
        before = list(_before_window(use, use.layer.window))
    lines = []
    for axis, (name, size) in enumerate(zip(axis_names(use.output), use.output, strict=True)):
        worked, note = sizes[axis] if axis < len(sizes) else (None, "")
        if size is None or (worked is None and _kept(use, axis)):
            continue
        if worked is None or worked.value != size:
            worked, note = number(size), "by the layer's own rule"
        lines.append(line("output", f"output{name}", worked, note))
    return merged([*before, *lines])


def keeps_shape(use: Use) -> bool:
    """Return whether what comes out surely has the shape of what came in."""
    same = all(shape == use.output for shape in use.inputs)
    return same and (None not in use.output or _rule(use.layer) is None)


def _kept(use: Use, axis: int) -> bool:
    return len(use.output) == len(use.input) and use.output[axis] == use.input[axis]


def _rule(layer: Layer) -> Callable[[Use], Sizes] | None:
    if layer.window is not None:
        return _through_window
    return next((rule for kinds, rule in _RULES if isinstance(layer, kinds)), None)


def _each(use: Use, work: Callable[[int, int], Worked]) -> Sizes:
    """Return the worked sizes of the spatial axes; one that varies stays open."""
    return [(None if size is None else work(axis, size), "") for axis, size in enumerate(use.input[:-1])]


def _through_window(use: Use) -> Sizes:
    window = use.layer.window
    if window is None:
        return []
    pooling = isinstance(use.layer, _POOLINGS) and window.padding == "valid"

    def worked(axis: int, size: int) -> Worked:
        padded = number(size) if pooling else _padded(size, _pads(window, axis, size))
        return (padded - window.span[axis]) // window.strides[axis] + 1

    return [*_each(use, worked), _channels(use)]


def _pads(window: Window, axis: int, size: int) -> tuple[int, int]:
    return window.pads((size,) * len(window.size))[axis]


def _padded(size: int, pads: tuple[int, int]) -> Worked:
    before, after = pads
    return number(size) + number(2) * before if before == after else number(size) + before + after


def _channels(use: Use) -> tuple[Worked | None, str]:
    layer = use.layer
    if isinstance(layer, (*_CONVOLUTIONS, *_SEPARABLE, *_TRANSPOSED)):
        return number(int(layer.filters)), "one for each filter"
    if isinstance(layer, _DEPTHWISE):
        worked = number(use.input[-1] or 0) * int(layer.depth_multiplier)
        return worked, f"{_of(int(layer.depth_multiplier), 'kernel')} for each channel"
    return None, ""


def _of(many: int, noun: str) -> str:
    return f"{many} {noun}" if many == 1 else f"{many} {noun}s"


def _before_window(use: Use, window: Window) -> Iterator[Line]:
    """Yield what the sizes are made of: the span of a dilated window, and what padding is."""
    sizes = list(zip(axis_names(use.output), use.input[:-1], strict=False))
    for axis, (name, _) in enumerate(sizes):
        if window.dilation[axis] > 1:
            worked = (number(window.size[axis]) - 1) * window.dilation[axis] + 1
            yield line(
                "output", f"span{name}", worked, f"{window.size[axis]} taps, {window.dilation[axis]} cells apart"
            )
    if window.padding == "same":
        for axis, (name, size) in enumerate(sizes):
            if size is not None and window.strides[axis] > 1:
                stride = window.strides[axis]
                worked = (number(size) + stride - 1) // stride
                yield line("padding", f"same{name}", worked, f'⌈{size} / {stride}⌉, what padding="same" asks for')
    for axis, (name, size) in enumerate(sizes):
        if size is not None and window.padding != "valid":
            yield line("padding", f"padding{name}", *_padding(window, axis, size))


def _padding(window: Window, axis: int, size: int) -> tuple[Worked, str]:
    before, after = _pads(window, axis, size)
    sides = f"{before} before, {after} after"
    if window.padding != "same":
        return number(before) + after, sides
    positions = window.positions(axis, size)
    return largest((number(positions) - 1) * window.strides[axis] + window.span[axis] - size, 0), sides


def _transposed(use: Use) -> Sizes:
    window = use.layer.transposed_window
    extra = window.output_padding

    def worked(axis: int, size: int) -> Worked:
        stride, span = window.strides[axis], window.span[axis]
        if extra is None and window.padding == "same":
            return number(size) * stride
        last = largest(span, stride) if extra is None else number(span if window.padding == "valid" else span % 2)
        result = (number(size) - 1) * stride + last
        return result if extra is None else result + extra[axis]

    return [*_each(use, worked), _channels(use)]


def _upsampled(use: Use) -> Sizes:
    return _each(use, lambda axis, size: number(size) * use.layer.times[axis])


def _with_zeros(use: Use) -> Sizes:
    return _each(use, lambda axis, size: _padded(size, use.layer.pads[axis]))


def _cropped(use: Use) -> Sizes:
    return _each(use, lambda axis, size: number(size) - use.layer.cuts[axis][0] - use.layer.cuts[axis][1])


def _resized(use: Use) -> Sizes:
    return [(number(size), "asked for") if size is not None else (None, "") for size in use.output[:-1]]


def _flattened(use: Use) -> Sizes:
    return [(None if None in use.input else product(size or 0 for size in use.input), "all in one row")]


def _reshaped(use: Use) -> Sizes:
    asked = use.layer.sizes
    known = [size for size in asked if size != -1]

    def worked(size: int) -> tuple[Worked | None, str]:
        if size != -1:
            return number(size), "asked for"
        if None in use.input:
            return None, ""
        values = product(size or 0 for size in use.input)
        return (values // product(known) if known else values), "what is left"

    return [worked(size) for size in asked]


def _permuted(use: Use) -> Sizes:
    sizes = [use.input[axis - 1] for axis in use.layer.dims]
    return [
        (None if size is None else number(size), f"axis {axis} of the input")
        for axis, size in zip(use.layer.dims, sizes, strict=True)
    ]


def _pooled_away(use: Use) -> Sizes:
    ones: Sizes = [(number(1), "keepdims") for _ in use.output[:-1]]
    return [*ones, (number(use.output[-1] or 0), "one for each channel")]


def _units(use: Use) -> Sizes:
    kept: Sizes = [(None, "") for _ in use.output[:-1]]
    return [*kept, (number(int(use.layer.units)), "one for each unit")]


def _repeated(use: Use) -> Sizes:
    """Return the sizes of a merge value by value: an axis of size 1 is repeated."""
    if len(set(use.inputs)) == 1:
        return []
    columns = [list(column) for column in zip(*use.inputs, strict=True)]
    return [
        (None, "") if None in column or len(set(column)) == 1 else (largest(*_known(column)), "a size of 1 is repeated")
        for column in columns
    ]


def _joined(use: Use) -> Sizes:
    axis = use.layer.axis % (len(use.output) + 1) - 1
    column = [shape[axis] for shape in use.inputs]
    sizes: Sizes = [(None, "") for _ in use.output]
    if None not in column:
        sizes[axis] = (total(_known(column)), "side by side")
    return sizes


def _known(sizes: Sequence[int | None]) -> list[int]:
    return [size for size in sizes if size is not None]


def _padded_by_function(use: Use) -> Sizes:
    if use.layer.function != "pad":
        return []
    return _each(use, lambda axis, size: _padded(size, tuple(use.layer.arguments["widths"][axis])))


_RULES: tuple[tuple[tuple[type[Layer], ...], Callable[[Any], Sizes]], ...] = (
    (_TRANSPOSED, _transposed),
    (_UPSAMPLINGS, _upsampled),
    (_PADDINGS, _with_zeros),
    (_CROPPINGS, _cropped),
    (_RESIZING, _resized),
    ((Flatten,), _flattened),
    ((Reshape,), _reshaped),
    ((Permute,), _permuted),
    ((*_GLOBAL_MAXIMA, *_GLOBAL_MEANS), _pooled_away),
    ((Dense,), _units),
    (_VALUE_BY_VALUE, _repeated),
    ((Concatenate,), _joined),
    ((Lambda,), _padded_by_function),
)


def loss_lines(use: Use) -> tuple[Line, ...]:
    """Return what padding added around the input, and which of its cells no window sees."""
    if not use.inputs or None in use.input:
        return ()
    spatial = _known(use.input[:-1])
    window = use.layer.window
    if window is not None:
        return (*_border(use, window, spatial), *_unseen(use, window, spatial))
    lines: list[Line] = []
    if isinstance(use.layer, _PADDINGS):
        outside = product(_known(use.output[:-1])) - product(spatial)
        lines.append(
            line("padding", "added", outside, f"zeros around each channel{_part_of(outside, use.output[:-1])}")
        )
    if isinstance(use.layer, _CROPPINGS):
        cut = product(spatial) - product(_known(use.output[:-1]))
        lines.append(line("loss", "cut", cut, f"cells of each channel{_part_of(cut, spatial)}"))
    if isinstance(use.layer, (*_GLOBAL_MAXIMA, *_GLOBAL_MEANS)):
        what = "mean" if isinstance(use.layer, _GLOBAL_MEANS) else "largest"
        lines.append(line("loss", "cells", product(spatial), f"of each channel, of which only the {what} is kept"))
    return tuple(lines)


def _border(use: Use, window: Window, spatial: Sequence[int]) -> Iterator[Line]:
    pads = window.pads(tuple(spatial))
    if not any(map(sum, pads)):
        return
    whole = [size + sum(pair) for size, pair in zip(spatial, pads, strict=True)]
    worked = product(whole) - product(spatial)
    if isinstance(use.layer, (*_MAXIMA, *_MEANS)):
        what = "places outside each channel, which never count"
    elif isinstance(use.layer, Filter2D) and use.layer.padding.lower() != "same":
        what = f"cells around each channel, filled by {use.layer.padding.lower()!r}"
    else:
        what = "zeros around each channel"
    yield line("padding", "added", worked, f"{what}{_part_of(worked, whole)}")


def _part_of(part: Worked, whole: Sequence[int | None]) -> str:
    return f", {100 * part.value / count(tuple(whole)):.1f} % of {times(tuple(whole))}"


def _unseen(use: Use, window: Window, spatial: Sequence[int]) -> Iterator[Line]:
    seen = [window.touched(axis, size) for axis, size in enumerate(spatial)]
    if seen == list(spatial):
        return
    lines = [
        line("loss", f"seen{name}", _touched(window, axis, size), f"of {size}")
        for axis, (name, size) in enumerate(zip(axis_names(use.output), spatial, strict=False))
        if seen[axis] < size
    ]
    yield from merged(lines)
    worked = product(spatial) - product(seen)
    what = f"cells of each channel that no window sees{_part_of(worked, spatial)}{_at_the_end(window, spatial, seen)}"
    yield line("loss", "unseen", worked, what)


def _at_the_end(window: Window, spatial: Sequence[int], seen: Sequence[int]) -> str:
    """Return which rows and columns these are, where they are the last ones."""
    last = window.unseen(tuple(spatial))
    if any(size - part != end for size, part, end in zip(spatial, seen, last, strict=True)):
        return ""
    nouns = AXIS_NOUNS.get(len(spatial), ("cell",) * len(spatial))
    parts = [
        f"the last {noun}" if end == 1 else f"the last {end} {noun}s"
        for noun, end in zip(nouns, last, strict=True)
        if end
    ]
    return f": {' and '.join(parts)}"


def _touched(window: Window, axis: int, size: int) -> Worked:
    """Return the number of cells with a tap on them along one axis, worked out where the windows are whole."""
    positions, before = window.positions(axis, size), _pads(window, axis, size)[0]
    stride, span, taps = window.strides[axis], window.span[axis], window.size[axis]
    if window.dilation[axis] == 1 and stride <= span:
        worked = (number(positions) - 1) * stride + span
        worked = worked - before if before else worked
    elif window.dilation[axis] == 1:
        outside = positions * taps - window.touched(axis, size)
        worked = number(positions) * taps
        worked = worked - outside if outside else worked
    else:
        return number(window.touched(axis, size))
    return worked if worked.value == window.touched(axis, size) else number(window.touched(axis, size))
