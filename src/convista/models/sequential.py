"""The sequential model: layers one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.base import Layer, automatic_names
from convista.layers.inference import Node, infer
from convista.layers.input import InputLayer
from convista.layers.symbolic import SymbolicTensor
from convista.models.graph import Graph
from convista.models.model import Model
from convista.models.summary import Summary, SummaryRow, summarize


class Sequential(Model):
    """Layers one after another; the summary is valid after every ``add``.

    Args:
        layers: Layers, the first of them perhaps ``Input(shape)`` or with ``input_shape=…``. Without either, the shape
            is taken from the first data.
        name: Shown in the summary.
        seed: See :class:`Model`.

    Raises:
        ArgumentError: Something is no layer, or two layers have one name.
        ShapeError: Sizes do not follow each other.

    Example:
        >>> from convista.layers import Conv2D
        >>> model = Sequential()
        >>> model.add(Conv2D(8, (3, 3), padding="same", activation="relu", input_shape=(28, 56, 3)))
        >>> model.count_params()
        224
        >>> model.add(Conv2D(5, (3, 2), strides=(2, 3)))
        >>> model.output_shape
        (None, 13, 19, 5)

    Source: lectures 000, 002 and 004.
    """

    def __init__(
        self,
        layers: Iterable[Layer | SymbolicTensor] | None = None,
        name: str | None = None,
        *,
        seed: int | None = None,
    ):
        if name is not None and not isinstance(name, str):
            raise ArgumentError(
                "name is a text",
                where="Sequential",
                received=f"name of {type(name).__name__}",
                fix="Put the layers into one list: Sequential([first, second])",
            )
        self._layers: list[Layer] = []
        self._input: InputLayer | None = None
        self._begin(None, name or "sequential", seed)
        if not isinstance(layers, Iterable):
            layers = [] if layers is None else [layers]
        for layer in layers:
            self._append(layer)
        self._rebuild()

    def add(self, layer: Layer | SymbolicTensor) -> None:
        """Append a layer; if its sizes do not fit, the model stays as it was.

        Raises:
            ArgumentError: It is no layer, or its name is taken.
            ShapeError: It cannot take what comes before it.
        """
        before, start = list(self._layers), self._input
        try:
            self._append(layer)
            self._rebuild()
        except Exception:
            self._layers, self._input = before, start
            raise

    def pop(self) -> None:
        """Remove the last layer.

        Raises:
            ArgumentError: There is none.
        """
        if not self._layers:
            raise ArgumentError("there is a layer to remove", where=f"Sequential {self.name!r}", received="no layers")
        self._layers.pop()
        self._rebuild()

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, each with its name in the model."""
        names = automatic_names(self._layers)
        return [self._with_name(layer, name) for layer, name in zip(self._layers, names, strict=True)]

    def _append(self, layer: Any) -> None:
        if isinstance(layer, SymbolicTensor) and isinstance(layer.layer, InputLayer):
            layer = layer.layer
        if not isinstance(layer, Layer):
            raise ArgumentError(
                "a Sequential is made of layers",
                where=f"Sequential {self.name!r}",
                received=f"{type(layer).__name__}" if not isinstance(layer, type) else f"the class {layer.__name__}",
                fix="Write Flatten() with parentheses, not Flatten"
                if isinstance(layer, type)
                else getattr(layer, "where_it_belongs", None),
            )
        layer = layer.original
        if layer.merges:
            raise ArgumentError(
                "a merge needs branches",
                where=f"{layer.where} in Sequential {self.name!r}",
                received="one input",
                fix="Build it with Model(inputs, outputs)",
            )
        if isinstance(layer, InputLayer):
            if self._layers or self._input is not None:
                raise ArgumentError(
                    "Input comes first, once", where=f"Sequential {self.name!r}", received="another Input"
                )
            self._input = layer
            return
        if any(layer is other for other in self._layers):
            raise ArgumentError(
                "a Sequential holds each layer once",
                where=f"Sequential {self.name!r}",
                received=f"the same {type(layer).__name__} object twice",
                fix="Make a second layer, or share weights with Model(inputs, outputs)",
            )
        if not self._layers and layer.input_shape is not None and self._input is None:
            self._input = InputLayer(shape=arguments.shape(layer.input_shape, "input_shape", where=layer.where))
        self._layers.append(layer)

    def _rebuild(self) -> None:
        names = automatic_names(self._layers)
        graph = None
        if self._input is not None:
            chain = [Node(self._input.name or "input_1", self._input, ())]
            chain += [
                Node(name, layer, (place,)) for place, (name, layer) in enumerate(zip(names, self._layers, strict=True))
            ]
            infer(chain)
            graph = Graph(tuple(chain), (0,), (len(chain) - 1,))
        self._replace_graph(graph)

    def _take_graph(self, graph: Graph) -> None:
        super()._take_graph(graph)
        self._layers = [node.layer for node in graph.nodes[1:]]

    def _take_chain(self, layers: list[Layer]) -> None:
        """Take the layers of a file, the first of them the input."""
        for layer in layers:
            self._append(layer)
        self._rebuild()

    def _replace_graph(self, graph: Graph | None) -> None:
        """Take a new graph and keep the weights of layers that stayed."""
        old = self._train
        self._graph, self._train = graph, None
        self._forget_programs()
        if old is not None and graph is not None:
            fresh = self.train_state
            kept = {name for name in old.params if _same_shapes(old.params[name], fresh.params.get(name))}
            self._train = fresh._replace(
                params=fresh.params | {name: old.params[name] for name in kept},
                state=fresh.state | {name: old.state[name] for name in kept if name in old.state},
            )

    def _build_for(self, x: Any) -> None:
        if self._graph is None:
            if not self._layers:
                raise ArgumentError("a model has layers", where=f"Sequential {self.name!r}", received="no layers")
            array = x[0] if isinstance(x, tuple) else x
            self._begin_with(tuple(array.shape[1:]))

    def _shaped_for(self, x: Any) -> Model:
        if self._graph is not None:
            return self
        twin = Sequential(self._layers, self.name, seed=self.seed)
        twin.classes, twin.preprocessing, twin.policy = self.classes, self.preprocessing, self.policy
        twin._compilation = self._compilation
        twin._build_for(x)
        return twin

    def build(self, input_shape: Shape) -> None:
        """Fix the input's shape, given with the batch axis first as in Keras."""
        sizes = arguments.shape(tuple(input_shape)[1:], "input_shape", where="build")
        self._begin_with(sizes)

    def _begin_with(self, shape: Shape) -> None:
        before = self._input
        self._input = InputLayer(shape=shape)
        try:
            self._rebuild()
        except Exception:
            self._input = before
            raise

    def _summary(self, detail: bool) -> Summary:
        if self._graph is not None:
            return summarize(self.name, self._graph, detail, hide_input=True)
        names = automatic_names(self._layers)
        rows = [
            SummaryRow(name, type(layer).__name__, None, None) for name, layer in zip(names, self._layers, strict=True)
        ]
        return Summary(self.name, tuple(rows), 0, 0, detail)


def _same_shapes(old: Any, new: Any) -> bool:
    return new is not None and {name: array.shape for name, array in old.items()} == {
        name: array.shape for name, array in new.items()
    }
