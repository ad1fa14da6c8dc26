"""Shapes through a network before anything runs, and errors that teach."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers.base import Layer
from convista.layers.pooling import GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D
from convista.layers.preprocessing import Resizing
from convista.layers.reshaping import Flatten, Reshape
from convista.layers.transposed_convolution import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from convista.layers.upsampling import UpSampling2D
from convista.shapes import AXIS_NAMES, times

_SHRINKING = ("pool_size", "cropping")  # what has such an argument can be left out
_TRANSPOSED = (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
_DOUBLED = tuple(2**power for power in range(1, 13))  # sizes of inputs that are tried


@dataclass(frozen=True)
class Node:
    """One use of a layer in a network.

    Args:
        name: The layer's name in the model; two nodes of one name share weights.
        layer: The layer.
        inputs: Places of the nodes whose outputs it takes; empty for an input.
    """

    name: str
    layer: Layer
    inputs: tuple[int, ...]

    @property
    def where(self) -> str:
        """How messages call this node."""
        return f"{type(self.layer).__name__} {self.name!r}"

    def input_shape(self, shapes: Sequence[Shape]) -> Any:
        """Return the shape the layer takes, or the list of shapes of a merge."""
        if self.layer.merges:
            return [shapes[place] for place in self.inputs]
        return shapes[self.inputs[0]] if self.inputs else ()


def infer(nodes: Sequence[Node]) -> list[Shape]:
    """Return the output shape of every node.

    Raises:
        ShapeError: A layer cannot take its input. The message has the layer's name, the sizes so far, the formula
            with the user's numbers and a fix that was tried on these very layers.
    """
    shapes: list[Shape] = []
    for place, node in enumerate(nodes):
        try:
            shapes.append(node.layer.output_shape(node.input_shape(shapes)))
        except ShapeError as error:
            raise _explained(error, nodes, shapes, place) from None
    return shapes


def _explained(error: ShapeError, nodes: Sequence[Node], shapes: list[Shape], place: int) -> ShapeError:
    node = nodes[place]
    notes = [] if node.layer.merges or not node.inputs else [trail(nodes, shapes, node.inputs[0])]
    notes = [text for text in notes if "→" in text]
    if node.layer.window is not None and error.received is None:
        notes.append(_formula(node, shapes))
    verified = _verified_fix(nodes, place, known_cause=error.fix is not None)
    return ShapeError(
        f"{error.rule} ({'; '.join(notes)})" if notes else error.rule,
        where=node.where,
        received=error.received or f"input_shape={tuple(shapes[node.inputs[0]])}",
        fix=". ".join(text.removesuffix(".") for text in (error.fix, verified) if text) or None,
    )


def trail(nodes: Sequence[Node], shapes: Sequence[Shape], place: int) -> str:
    """Return the sizes from the input to a node, as people write them: ``28→26→13→11→5``."""
    path = [place]
    while nodes[path[-1]].inputs:
        path.append(nodes[path[-1]].inputs[0])
    sizes: list[str] = []
    for step in reversed(path):
        text = _size_text(shapes[step])
        if not sizes or sizes[-1] != text:
            sizes.append(text)
    return "→".join(sizes)


def _size_text(shape: Shape) -> str:
    spatial = shape[:-1] if len(shape) > 1 else shape
    return str(spatial[0]) if len(set(spatial)) == 1 and spatial[0] is not None else times(spatial)


def _formula(node: Node, shapes: Sequence[Shape]) -> str:
    """Return the worked line of the first axis along which the node's window does not fit."""
    window, sizes = node.layer.window, shapes[node.inputs[0]][:-1]
    for name, (axis, size) in zip(AXIS_NAMES[len(sizes)], enumerate(sizes), strict=True):
        if window is not None and size is not None and window.positions(axis, size) < 1:
            return window.formula(axis, size, f"output_{name}")
    return ""


def _verified_fix(nodes: Sequence[Node], place: int, *, known_cause: bool) -> str:
    """Return up to two changes with which the network does run, as a sentence."""
    candidates = itertools.chain(_candidates(nodes, place), () if known_cause else _other_inputs(nodes, place))
    text = " or ".join(itertools.islice((text for text, changed in candidates if _runs(changed)), 2))
    return text[:1].upper() + text[1:]


def _runs(nodes: Sequence[Node]) -> bool:
    shapes: list[Shape] = []
    try:
        for node in nodes:
            shapes.append(node.layer.output_shape(node.input_shape(shapes)))
    except ShapeError:
        return False
    return True


def _candidates(nodes: Sequence[Node], place: int) -> Iterator[tuple[str, list[Node]]]:
    """Yield changes that might help, each with the network it would make; the caller tries them."""
    node = nodes[place]
    yield from _channels_last(nodes)
    if _is_valid(node):
        yield f'use padding="same" in {node.name!r}', _replaced(nodes, {node.name: {"padding": "same"}})
    shrinking = [other.name for other in nodes[place::-1] if any(hasattr(other.layer, name) for name in _SHRINKING)]
    for name in shrinking[:1]:
        yield f"drop {name!r}", _swapped(nodes, name, Layer())
    yield from _padded_outputs(nodes, place)
    yield from _resized(nodes, place)
    valid = [other.name for other in nodes[: place + 1] if hasattr(other.layer, "kernel_size") and _is_valid(other)]
    if set(valid) - {node.name}:
        yield 'use padding="same" in every convolution', _replaced(nodes, {name: {"padding": "same"} for name in valid})
    yield from _larger_input(nodes, place)


def _padded_outputs(nodes: Sequence[Node], place: int) -> Iterator[tuple[str, list[Node]]]:
    """Yield the network with the cells back that a stride lost on the way down: transposed convolutions choose them."""
    for node in nodes[place::-1]:
        layer = node.layer
        if not nodes[place].layer.merges or not isinstance(layer, _TRANSPOSED):
            continue
        if layer.output_padding is None:
            most = max(layer.transposed_window.strides)
            for extra in range(1, most):
                yield (
                    f"give {node.name!r} output_padding={extra}",
                    _replaced(nodes, {node.name: {"output_padding": extra}}),
                )


def _resized(nodes: Sequence[Node], place: int) -> Iterator[tuple[str, list[Node]]]:
    """Yield the network with a size of its own in place of a factor: what upsampling by whole numbers cannot reach."""
    if not nodes[place].layer.merges:
        return
    shapes = infer(nodes[:place])
    wanted = [shapes[spot] for spot in nodes[place].inputs if len(shapes[spot]) == 3 and None not in shapes[spot]]
    for node in nodes[place::-1]:
        if not isinstance(node.layer, UpSampling2D):
            continue
        for height, width, _ in wanted:
            layer = Resizing(height or 1, width or 1, node.layer.interpolation)
            text = f"put Resizing({height}, {width}, {layer.interpolation!r}) in place of {node.name!r}"
            yield text, _swapped(nodes, node.name, layer)


def _is_valid(node: Node) -> bool:
    return str(getattr(node.layer, "padding", None)).lower() == "valid"


def _replaced(nodes: Sequence[Node], changes: Mapping[str, Mapping[str, Any]]) -> list[Node]:
    """Return the network with other arguments in some layers, wherever these are used."""
    return [
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, **changes[node.name]))
        if node.name in changes
        else node
        for node in nodes
    ]


def _swapped(nodes: Sequence[Node], name: str, layer: Layer) -> list[Node]:
    """Return the network with another layer in one's place; a bare ``Layer`` hands its input on unchanged."""
    return [dataclasses.replace(node, layer=layer) if node.name == name else node for node in nodes]


def _other_inputs(nodes: Sequence[Node], place: int) -> Iterator[tuple[str, list[Node]]]:
    """Yield changes for inputs with an axis too many or too few, or of unknown size."""
    node = nodes[place]
    if node.layer.merges or not node.inputs:
        return
    before = nodes[node.inputs[0]]
    if isinstance(before.layer, Flatten) and node.layer.window is not None:
        yield f"drop {before.name!r}", _swapped(nodes, before.name, Layer())
    elif isinstance(before.layer, Flatten):
        for pooling in (GlobalAveragePooling2D(), GlobalAveragePooling1D(), GlobalAveragePooling3D()):
            kind = type(pooling).__name__
            yield f"put {kind} in place of {before.name!r}", _swapped(nodes, before.name, pooling)
    if not before.inputs:
        yield from _other_shapes(nodes, before)
    elif isinstance(before.layer, Reshape):
        shape = (*before.layer.sizes, 1)
        changes = {before.name: {"target_shape": shape}}
        yield f"give {before.name!r} a channel axis: target_shape={shape}", _replaced(nodes, changes)


def _channels_last(nodes: Sequence[Node]) -> Iterator[tuple[str, list[Node]]]:
    """Yield the network for the same pictures with the channels at the end, if they look to be first."""
    roots = [node for node in nodes if not node.inputs]
    shape = roots[0].layer.output_shape(()) if len(roots) == 1 else ()
    if len(shape) != 3 or None in shape:
        return
    channels, height, width = (size or 0 for size in shape)
    if channels in (1, 3) and min(height, width) > 3:
        form = (height, width, channels)
        text = f"put the channels last: shape {form}, and x.transpose(0, 2, 3, 1) for the data"
        yield text, _replaced(nodes, {roots[0].name: {"shape": form}})


def _other_shapes(nodes: Sequence[Node], root: Node) -> Iterator[tuple[str, list[Node]]]:
    shape = root.layer.output_shape(())
    forms: dict[str, Shape] = {}
    if None not in shape:
        forms[f"give the input its channel axis: shape {(*shape, 1)}, and x[..., None] for the data"] = (*shape, 1)
    if len(shape) > 1 and None not in shape[1:]:
        forms[f"leave the batch axis out: shape {shape[1:]}"] = shape[1:]
    side = math.isqrt(shape[0] or 0) if len(shape) == 1 else 0
    if shape == (side * side,):
        form = (side, side, 1)
        data = f"x.reshape(-1, {side}, {side}, 1)"
        forms[f"give the input the shape of its pictures: shape {form}, and {data} for the data"] = form
    for text, sizes in forms.items():
        yield text, _replaced(nodes, {root.name: {"shape": sizes}})


def _larger_input(nodes: Sequence[Node], place: int) -> Iterator[tuple[str, list[Node]]]:
    roots = [spot for spot, node in enumerate(nodes) if not node.inputs]
    if len(roots) != 1 or nodes[place].layer.window is None:
        return
    shape = nodes[roots[0]].layer.output_shape(())
    if len(shape) < 2 or None in shape:
        return

    def sizes(least: int) -> Shape:
        return (*(max(least, own or 1) for own in shape[:-1]), shape[-1])

    def changed(least: int) -> list[Node]:
        return _replaced(nodes, {nodes[roots[0]].name: {"shape": sizes(least)}})

    too_small = min(size or 1 for size in shape[:-1])
    enough = next((size for size in _DOUBLED if size > too_small and _runs(changed(size))), None)
    if enough is None:
        return
    # A larger picture never has fewer window positions, so the border can be found by halving.
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        too_small, enough = (too_small, middle) if _runs(changed(middle)) else (middle, enough)
    yield f"give inputs of at least {times(sizes(enough)[:-1])}", changed(enough)
