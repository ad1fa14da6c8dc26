"""Where every number of a network comes from: sizes, parameters, products, memory and receptive fields, worked out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError, ShapeError, suggest
from convista.insight import drawing
from convista.insight.derivations import pages as pages
from convista.insight.derivations.arithmetic import number, spelled, total
from convista.insight.derivations.costs import Storage, memory_lines, multiplication_lines, parameter_lines, readable
from convista.insight.derivations.fields import Sight, field_lines, looked
from convista.insight.derivations.lines import Line, line
from convista.insight.derivations.sizes import Use, keeps_shape, loss_lines, size_lines
from convista.layers.inference import Node
from convista.layers.input import InputLayer
from convista.layers.preprocessing import Resizing
from convista.layers.reshaping import Flatten
from convista.models.graph import Graph
from convista.models.sequential import Sequential
from convista.shapes import count, times

if TYPE_CHECKING:
    from convista.models.model import Model

_FLOAT_BYTES, _HALF_BYTES = 4, 2
_MOST_TERMS = 16  # a sum of more layers than this is a wall of numbers, which nobody adds up
_LARGE_PART = 0.5


@dataclass(frozen=True)
class LayerDerivation:
    """One use of a layer with its worked lines.

    Args:
        name: Its name in the model.
        kind: Its class.
        inputs: Names of the layers that it takes.
        input_shapes: The shapes of what it takes, without the batch axis.
        output_shape: The shape of what it gives, without the batch axis.
        lines: What is worked out, in the order of ``TOPICS``.
        remarks: What is said in sentences.
        receptive_field: Input cells that one output cell sees, along each axis; ``None`` is all of them.
        jump: Input cells from one output cell to the next, along each axis.
        offset: The first input cell that the first output cell sees, along each axis, below 0 in the padding; ``None``
            for an axis where no single formula holds.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    lines: tuple[Line, ...]
    remarks: tuple[str, ...]
    receptive_field: tuple[int, ...] | None = None
    jump: tuple[int | Fraction, ...] | None = None
    offset: tuple[int | None, ...] | None = None

    @property
    def title(self) -> str:
        """Name, class and shapes in a line."""
        taken = " and ".join(times(shape) for shape in self.input_shapes)
        arrow = f"{taken} → " if taken else ""
        return f"{self.name} ({self.kind}): {arrow}{times(self.output_shape)}"

    def line(self, name: str) -> Line:
        """Return a line by its name; one that also holds for another axis is found by both.

        Raises:
            ArgumentError: There is none.
        """
        found = next((item for item in self.lines if name in (item.name, *item.also)), None)
        if found is None:
            known = [one for item in self.lines for one in (item.name, *item.also)]
            raise ArgumentError(
                f"the derivation of {self.name!r} has the lines {', '.join(known) or '(none)'}",
                where="line",
                received=f"{name!r}",
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "inputs": list(self.inputs),
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "output_shape": list(self.output_shape),
            "lines": [item.to_dict() for item in self.lines],
            "remarks": list(self.remarks),
            "receptive_field": None if self.receptive_field is None else list(self.receptive_field),
            "jump": None if self.jump is None else [float(step) for step in self.jump],
            "offset": None if self.offset is None else list(self.offset),
        }


@dataclass(frozen=True)
class Explanation:
    """What ``model.explain()`` returns: it prints as text, shows as HTML in a notebook, and exports as data.

    Args:
        title: The model's name.
        layers: One for each use of a layer, the inputs first.
        totals: The sums over the whole network.
        remarks: What is said of the whole network in sentences.
    """

    title: str
    layers: tuple[LayerDerivation, ...]
    totals: tuple[Line, ...]
    remarks: tuple[str, ...] = ()

    def layer(self, name: str) -> LayerDerivation:
        """Return the derivation of a layer by its name; of one that is used twice, the first.

        Raises:
            ArgumentError: There is none.
        """
        found = next((item for item in self.layers if item.name == name), None)
        if found is None:
            raise ArgumentError(
                f"layers are {', '.join(dict.fromkeys(item.name for item in self.layers))}",
                where="layer",
                received=f"{name!r}",
            )
        return found

    def __str__(self) -> str:
        return pages.text(self)

    def __repr__(self) -> str:
        return str(self)

    def markdown(self) -> str:
        """Return the same as Markdown: a heading for each layer, a list of its lines."""
        return pages.markdown(self)

    def html(self) -> str:
        """Return the same as a page of its own, which needs no network."""
        return pages.page(self)

    def _repr_html_(self) -> str:
        return pages.fragment(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a picture (PNG) of where the numbers are: what comes out of each layer, its parameters, its products.

        Args:
            path: Where; what is there is replaced.

        Returns:
            The path.

        Raises:
            ArgumentError: The name does not end in .png, or the folder does not exist.
        """
        from convista.insight.derivations.figure import draw

        drawing.check_picture(path)
        return drawing.save(draw(self), path)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "name": self.title,
            "layers": [item.to_dict() for item in self.layers],
            "totals": [item.to_dict() for item in self.totals],
            "remarks": list(self.remarks),
        }


def explain(
    model: Model, layer: str | None = None, *, batch_size: int = 32, input_shape: Shape | None = None
) -> Explanation:
    """Work out every number of a network: ``output_h = (28 + 2·1 − 3) // 1 + 1 = 28``.

    For each layer: its output's sizes; what padding adds, and what no window sees; its parameters; its
    multiply–accumulates for one example; the memory of its output, and what training a batch adds; the size, stride
    (``jump``) and offset of its receptive field. ``//`` rounds down, as in Python.

    Args:
        model: The model.
        layer: Only this layer; the totals are left out then.
        batch_size: Examples of a step, for the memory of training.
        input_shape: The shape of one example, without the batch axis: for a model that leaves sizes open.

    Returns:
        The explanation: ``str()`` is text, ``markdown()``, ``html()`` and ``to_dict()`` the same in other forms.

    Raises:
        ArgumentError: There is no such layer, or ``batch_size`` is no whole number of at least 1.
        ShapeError: ``input_shape`` is not what the model takes, or it is needed and missing.

    Example:
        >>> from convista import Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Conv2D(8, 3, padding="same", input_shape=(28, 56, 3))])
        >>> print(explain(model).layer("conv2d").line("output_h"))
        output_h = (28 + 2·1 − 3) // 1 + 1 = 28
        >>> print(explain(model).layer("conv2d").line("parameters").equation)
        parameters = 3·3·3·8 + 8 = 224

    Source: lectures 000 and 002; V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016;
    A. Araujo et al., «Computing receptive fields of convolutional neural networks», Distill, 2019.
    """
    batch_size = arguments.integer(batch_size, "batch_size", where="explain")
    graph = _graph(model, input_shape)
    network = _Network(graph, model.policy, batch_size)
    derived = [network.derived(place) for place in range(len(graph.nodes))]
    if layer is None:
        return Explanation(model.name, tuple(derived), network.totals(derived), network.remarks(derived))
    _check_name(layer, [item.name for item in derived])
    return Explanation(model.name, tuple(item for item in derived if item.name == layer), ())


def _check_name(layer: str, names: Sequence[str]) -> None:
    if layer not in names:
        raise ArgumentError(
            "a layer is named as in model.summary()",
            where="explain",
            received=f"layer={layer!r}",
            fix=suggest(str(layer), names),
        )


def _graph(model: Model, input_shape: Shape | None) -> Graph:
    if input_shape is None:
        return model.graph
    shape = arguments.shape(input_shape, "input_shape", where="explain")
    if isinstance(model, Sequential) and not model.built:
        return Sequential([InputLayer(shape=shape), *(layer.original for layer in model.layers)]).graph
    graph = model.graph
    if len(graph.inputs) != 1:
        raise ArgumentError(
            "input_shape is for a model with one input",
            where="explain",
            received=f"{len(graph.inputs)} inputs",
            fix="Leave input_shape out, and give the sizes to each Input",
        )
    place = graph.inputs[0]
    wanted = graph.shapes()[place]
    if len(wanted) != len(shape) or any(own not in (None, size) for own, size in zip(wanted, shape, strict=False)):
        raise ShapeError(
            f"the model takes {times(wanted)}",
            where="explain",
            received=f"input_shape={shape}",
            fix="Leave input_shape out" if None not in wanted else "Give numbers for the sizes marked ?",
        )
    nodes = list(graph.nodes)
    nodes[place] = dataclasses.replace(nodes[place], layer=InputLayer(shape=shape))
    return Graph(tuple(nodes), graph.inputs, graph.outputs)


class _Network:
    """A graph with everything that is known about it before anything runs."""

    def __init__(self, graph: Graph, policy: str, batch_size: int):
        self._graph, self._policy, self._batch_size = graph, policy, batch_size
        self._shapes = graph.shapes()
        self._counts = graph.parameter_counts()
        fields = graph.receptive_fields()
        self._first = {node.name: place for place, node in reversed(list(enumerate(graph.nodes)))}
        self._frozen = graph.frozen
        self._learns = self._learning()
        self._kept = self._needed_again()
        self._sights: list[Sight] = []
        for place, node in enumerate(graph.nodes):
            before = [self._sights[spot] for spot in node.inputs]
            field = fields[place]
            sight = looked(self._use(place), before, field) if before else Sight.of_input(self._shapes[place], field)
            self._sights.append(sight)

    def _use(self, place: int) -> Use:
        node = self._graph.nodes[place]
        return Use(node.layer, tuple(self._shapes[spot] for spot in node.inputs), self._shapes[place])

    def _learned(self, node: Node) -> int:
        """How many numbers of a layer training changes."""
        return 0 if node.name in self._frozen else self._counts.get(node.name, (0, 0))[0]

    def _learning(self) -> list[bool]:
        """For each node whether weights that learn lie in it or before it: then its output has a gradient."""
        result: list[bool] = []
        for node in self._graph.nodes:
            result.append(self._learned(node) > 0 or any(result[spot] for spot in node.inputs))
        return result

    def _needed_again(self) -> set[int]:
        """The nodes whose output training keeps: it has a gradient, or a layer that takes it learns."""
        kept = {place for place, learns in enumerate(self._learns) if learns}
        return kept.union(*(node.inputs for place, node in enumerate(self._graph.nodes) if place in kept))

    def _shared(self, place: int) -> bool:
        return self._first[self._graph.nodes[place].name] < place

    def _storage(self, place: int) -> Storage:
        node = self._graph.nodes[place]
        whole = self._policy == "float32" or not node.inputs or node.layer.in_float32 or place in self._graph.outputs
        return Storage(
            self._batch_size,
            _FLOAT_BYTES if whole else _HALF_BYTES,
            place in self._kept,
            self._learns[place],
            0 if self._shared(place) else self._learned(node),
        )

    def derived(self, place: int) -> LayerDerivation:
        """Return the derivation of one node."""
        node, use, sight = self._graph.nodes[place], self._use(place), self._sights[place]
        before = [self._sights[spot] for spot in node.inputs]
        lines: tuple[Line, ...] = memory_lines(use, self._storage(place))
        if node.inputs:
            sizes = (*size_lines(use), *loss_lines(use))
            costs = (*parameter_lines(use, shared=self._shared(place)), *multiplication_lines(use))
            lines = (*sizes, *costs, *lines, *field_lines(use, before, sight))
        return LayerDerivation(
            node.name,
            type(node.layer).__name__,
            tuple(self._graph.nodes[spot].name for spot in node.inputs),
            use.inputs,
            use.output,
            lines,
            tuple(self._said(place, lines)),
            None if sight.field is None else sight.field.size,
            None if sight.field is None else sight.field.stride,
            sight.offset,
        )

    def _said(self, place: int, lines: Sequence[Line]) -> list[str]:
        """Return what is said of one node in sentences."""
        node, use = self._graph.nodes[place], self._use(place)
        if not node.inputs:
            return ["It is what the network takes."]
        topics = {item.topic for item in lines}
        said = [f"It keeps the shape {times(use.output)}."] if "output" not in topics and keeps_shape(use) else []
        if self._shared(place):
            said.append("Its weights are those of its first use and were counted there.")
        elif "parameters" not in topics:
            said.append("It has no parameters.")
        if node.name in self._frozen and "parameters" in topics:
            said.append("It is frozen: training leaves its parameters as they are.")
        if isinstance(node.layer, Flatten) and None not in use.output:
            said.append(
                f"{spelled(count(use.output))} numbers go on: so many weights for each unit of a Dense after it."
            )
        if node.layer.only_in_training:
            said.append("It acts in training only.")
        if None in use.output:
            said.append("Sizes marked ? vary; give input_shape to work them out.")
        return [*said, *self._seen(place, topics)]

    def _seen(self, place: int, topics: set[str]) -> list[str]:
        node, sight = self._graph.nodes[place], self._sights[place]
        if isinstance(node.layer, Resizing):
            return [f"From here on receptive fields are counted in cells of this {times(sight.picture)} picture."]
        if sight.is_open([self._sights[spot] for spot in node.inputs]):
            return [
                "Its inputs see different places: together they see more than the widest of them, which is counted."
            ]
        if sight.field is not None:
            sentence = sight.sentence() if "receptive_field" in topics else ""
            return [sentence] if sentence else []
        if any(self._sights[spot].field is not None for spot in node.inputs):
            return ["Each number that comes out sees the whole input."]
        return []

    def totals(self, derived: Sequence[LayerDerivation]) -> tuple[Line, ...]:
        """Return the sums over all layers."""
        rows = (
            ("parameters", "parameters", ""),
            ("multiply_accumulates", "multiply–accumulates", ""),
            ("memory", "memory", "bytes"),
            ("memory", "memory_training", "bytes"),
        )
        notes = {
            "multiply–accumulates": "for one example, forward",
            "memory": "the input and all outputs for one example",
            "memory_training": f"outputs and all gradients at once, for a batch of {self._batch_size}",
        }
        result = []
        for topic, name, unit in rows:
            terms = [item.value for layer in derived for item in layer.lines if item.name == name]
            if not terms or (topic != "parameters" and self._varies):
                continue
            worked = total(terms) if len(terms) <= _MOST_TERMS else total([sum(terms)])
            size = readable(worked) if unit else ""
            over = f"the sum over {len(terms)} layers" if len(terms) > _MOST_TERMS else ""
            note = ", ".join(part for part in (size, notes.get(name, ""), over) if part)
            result.append(line(topic, name, worked, note, unit))
            if name == "parameters":
                weights = number(worked.value) * _FLOAT_BYTES
                result.append(line("memory", "memory_parameters", weights, readable(weights), "bytes"))
        return tuple(result)

    @property
    def _varies(self) -> bool:
        return any(None in shape for shape in self._shapes)

    def remarks(self, derived: Sequence[LayerDerivation]) -> tuple[str, ...]:
        """Return which single layer has more than half of the parameters or products, and what varies."""
        said = []
        for name, what in (("parameters", "parameters"), ("multiply–accumulates", "multiply–accumulates")):
            parts = {layer.name: item.value for layer in derived for item in layer.lines if item.name == name}
            whole = sum(parts.values())
            largest = max(parts, key=lambda key: parts[key], default="")
            if len(parts) > 1 and parts[largest] > _LARGE_PART * whole:
                share = f"{100 * float(parts[largest] / whole):.1f} %"
                said.append(f"{largest} has {share} of all {what}: {spelled(parts[largest])} of {spelled(whole)}.")
        if self._varies:
            said.append("Sizes marked ? vary, and with them products and memory; give input_shape to work them out.")
        return tuple(said)
