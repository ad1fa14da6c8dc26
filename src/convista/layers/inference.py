"""Shapes through a network before anything runs, and errors that teach."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convista.arguments import Shape
from convista.errors import ShapeError
from convista.layers.base import Layer
from convista.shapes import times

_AXES = {1: ("length",), 2: ("h", "w"), 3: ("d", "h", "w")}
_LARGEST_INPUT_TRIED = 1024


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
    window = node.layer.window
    rule = error.rule
    if window is not None and error.received is None:
        rule += f" ({trail(nodes, shapes, node.inputs[0])}; {_formula(node, shapes)})"
    elif node.inputs and "→" in trail(nodes, shapes, node.inputs[0]):
        rule += f" ({trail(nodes, shapes, node.inputs[0])})"
    return ShapeError(
        rule,
        where=node.where,
        received=error.received or f"input_shape={tuple(shapes[node.inputs[0]])}",
        fix=" ".join([*([_sentence(error.fix)] if error.fix else []), _verified_fix(nodes, place)]).strip() or None,
    )


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."


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
    window = node.layer.window
    sizes = shapes[node.inputs[0]][:-1]
    if window is None:
        return ""
    names = _AXES[len(sizes)]
    lost = [
        axis
        for axis, size in enumerate(sizes)
        if size is not None and int(window.formula(axis, size).rsplit("= ", 1)[1]) < 1
    ]
    return window.formula(lost[0], sizes[lost[0]] or 0, f"output_{names[lost[0]]}") if lost else ""


def _verified_fix(nodes: Sequence[Node], place: int) -> str:
    fixes = [text for text, changed in _candidates(nodes, place) if _runs(changed)]
    if not fixes:
        return ""
    return " or ".join(fixes[:2]) + "."


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
    layer = nodes[place].layer
    if getattr(layer, "padding", None) == "valid":
        yield f'Use padding="same" in {nodes[place].name!r}', _replaced(nodes, {place: {"padding": "same"}})
    pools = [spot for spot in range(place, -1, -1) if _is_pooling(nodes[spot].layer)]
    for spot in pools[:1]:
        yield _verb(f"drop {nodes[spot].name!r}", layer), _without(nodes, spot)
    valid = [
        spot
        for spot, node in enumerate(nodes[: place + 1])
        if hasattr(node.layer, "filters") and getattr(node.layer, "padding", None) == "valid"
    ]
    if valid:
        yield 'Use padding="same" in every convolution', _replaced(nodes, {spot: {"padding": "same"} for spot in valid})
    yield from _larger_input(nodes, place)


def _verb(text: str, layer: Layer) -> str:
    return text if getattr(layer, "padding", None) == "valid" else text[0].upper() + text[1:]


def _is_pooling(layer: Layer) -> bool:
    return hasattr(layer, "pool_size")


def _replaced(nodes: Sequence[Node], changes: dict[int, dict[str, Any]]) -> list[Node]:
    return [
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, **changes[place])) if place in changes else node
        for place, node in enumerate(nodes)
    ]


def _without(nodes: Sequence[Node], spot: int) -> list[Node]:
    """Return the network in which a node hands its input on unchanged."""
    passing = dataclasses.replace(nodes[spot], layer=Layer())
    return [passing if place == spot else node for place, node in enumerate(nodes)]


def _larger_input(nodes: Sequence[Node], place: int) -> Iterator[tuple[str, list[Node]]]:
    roots = [spot for spot, node in enumerate(nodes) if not node.inputs]
    if len(roots) != 1 or nodes[place].layer.window is None:
        return
    shape = nodes[roots[0]].layer.output_shape(())
    if len(shape) < 2 or None in shape:
        return
    smallest = max(size or 1 for size in shape[:-1])
    for size in range(smallest + 1, _LARGEST_INPUT_TRIED + 1):
        sizes = (*(max(size, own or 1) for own in shape[:-1]), shape[-1])
        changed = _replaced(nodes, {roots[0]: {"shape": sizes}})
        if _runs(changed):
            yield f"Give inputs of at least {times(sizes[:-1])}", changed
            return
