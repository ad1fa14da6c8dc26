"""What a model is before it learns: a graph of layers and the numbers it owns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.data.pictures import Preprocessing
from convista.errors import ArgumentError, ShapeError, suggest
from convista.kernels.compiler import use_cache
from convista.layers.base import Layer
from convista.models import freezing, memory
from convista.models.graph import Graph, Tree
from convista.models.policy import checked_policy, global_policy
from convista.models.provenance import Provenance
from convista.models.seed import Streams, checked_seed, default_seed
from convista.models.summary import Summary, summarize
from convista.training.step import TrainState

_LIKE_GET_WEIGHTS = "Give the arrays in the order and shapes of get_weights()"


class Network:
    """Structure and numbers; the base of :class:`Model`, which adds the verbs.

    Attributes:
        classes: Names of the classes, saved with the model; ``None`` if they have none.
        provenance: The file that ``load_weights`` read last, saved with the model.
    """

    def _begin(self, graph: Graph | None, name: str, seed: int | None) -> None:
        self._graph = graph
        self.name = name
        self.seed = default_seed() if seed is None else checked_seed(seed)
        self.classes: tuple[str, ...] | None = None
        self._preprocessing: Preprocessing | None = None
        self._policy = global_policy()
        self.provenance: Provenance | None = None
        self._train: TrainState | None = None
        self._named: dict[int, Layer] = {}

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How pictures and whole numbers become inputs, saved with the model."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, value: Preprocessing | None) -> None:
        if value != self._preprocessing:
            self._forget_programs()
        self._preprocessing = value

    @property
    def policy(self) -> str:
        """In which precision the model computes: ``"float32"`` or ``"mixed_bfloat16"``; saved with the model.

        Raises:
            ArgumentError: Set to another policy.
        """
        return self._policy

    @policy.setter
    def policy(self, value: str) -> None:
        policy = checked_policy(value, where=self._where)
        if policy != self._policy:
            self._forget_programs()
        self._policy = policy

    def _forget_programs(self) -> None:
        """Drop compiled programs: what they hold as a constant, the graph or a scale, has changed."""

    @property
    def graph(self) -> Graph:
        """The network as data.

        Raises:
            ShapeError: The input's shape is not known yet.
        """
        if self._graph is None:
            raise ShapeError(
                "the shape of the input is known before the first number is",
                where=self._where,
                received="no input_shape",
                fix="Give the first layer input_shape=(28, 28, 1), begin with Input((28, 28, 1)), or call fit first",
            )
        return self._graph

    @property
    def built(self) -> bool:
        """Whether all shapes are known."""
        return self._graph is not None

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order in which they run, each once and with its name in the model."""
        return [self._with_name(layer, name) for name, layer in self.graph.layers.items()]

    def _with_name(self, layer: Layer, name: str) -> Layer:
        # The same object each time; a copy keeps its original alive, so no id is used again.
        known = self._named.get(id(layer))
        if known is None or known.name != name:
            known = self._named[id(layer)] = layer.named(name)
        return known

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by name or by place.

        Raises:
            ArgumentError: There is none.
        """
        layers = self.graph.layers
        if name is not None and name in layers:
            return self._with_name(layers[name], name)
        if name is None and index is not None and -len(layers) <= index < len(layers):
            return self.layers[index]
        wanted = f"{name!r}" if name is not None else f"index={index}"
        raise ArgumentError(f"{self.name!r} has no such layer", received=wanted, fix=suggest(str(name), layers))

    def freeze(self, *layers: str) -> None:
        """Let layers keep their weights while the others learn.

        They get no gradients, and batch normalisation among them uses its moving statistics in training too. The
        optimizer begins anew with what is left to learn; the learning rate stays.

        Args:
            *layers: Names, patterns such as ``"conv1_*"``, ``"backbone"`` (all before the classifier) or ``"head"``
                (the classifier); without any, all layers.

        Raises:
            ArgumentError: A name or pattern fits no layer.

        Example:
            >>> from convista import architectures
            >>> model = architectures.lenet5()
            >>> model.freeze("backbone")
            >>> model.summary(print_to=None).trainable, model.get_layer("conv1").trainable
            (59134, False)

        Source: lecture 004.
        """
        self._set_trainable(layers, False)

    def unfreeze(self, *layers: str) -> None:
        """Let layers learn again; see :meth:`freeze`."""
        self._set_trainable(layers, True)

    def _set_trainable(self, layers: Sequence[str], trainable: bool) -> None:
        names = freezing.chosen(self.graph, layers, where=self._where)
        changed = freezing.with_trainable(self.graph, names, trainable)
        if changed is not self.graph:
            self._take_graph(changed)
            self._trainability_changed()

    def _take_graph(self, graph: Graph) -> None:
        """Take the same network with other settings of its layers."""
        self._graph = graph

    def _trainability_changed(self) -> None:
        """Prepare anew what depends on which layers learn."""

    def _check_learns(self, where: str) -> None:
        frozen = self.graph.frozen
        counts = self.graph.parameter_counts()
        if frozen and not any(learned for name, (learned, _) in counts.items() if name not in frozen):
            raise ArgumentError(
                "training changes the weights of at least one layer",
                where=where,
                received="a model whose layers are all frozen",
                fix='model.unfreeze("head")',
            )

    @property
    def input_shape(self) -> Any:
        """The input's shape with the batch axis first, as in Keras; a list of shapes for several inputs."""
        return self._ends(self.graph.inputs)

    @property
    def output_shape(self) -> Any:
        """The output's shape with the batch axis first; a list of shapes for several outputs."""
        return self._ends(self.graph.outputs)

    def _ends(self, places: Sequence[int]) -> Any:
        shapes = self.graph.shapes()
        found = [(None, *shapes[place]) for place in places]
        return found[0] if len(found) == 1 else found

    def summary(self, detail: bool = False, *, print_to: Any = print) -> Summary:
        """Print the table of layers, shapes and parameters, and return it.

        Args:
            detail: Also kernels, multiply–accumulates, activation memory and receptive fields.
            print_to: Called with the text; ``None`` prints nothing.

        Returns:
            The summary: ``str()`` is the table, a notebook shows HTML, ``to_dict()`` is data.
        """
        result = self._summary(detail)
        if print_to is not None:
            print_to(str(result))
        return result

    def _summary(self, detail: bool) -> Summary:
        return summarize(self.name, self.graph, detail)

    def count_params(self) -> int:
        """Return the number of parameters, learned and kept."""
        return sum(learned + kept for learned, kept in self.graph.parameter_counts().values())

    @property
    def train_state(self) -> TrainState:
        """All numbers that change while the network learns."""
        if self._train is None:
            memory.check_weights(self.graph, self._where)
            use_cache()
            # Not compiled as a whole: XLA unrolls every draw, and a network of four layers took 8 s instead of 3.
            params, state = self.graph.init(Streams(self.seed).weights)
            return self._take_weights(params, state)
        return self._train

    @train_state.setter
    def train_state(self, value: TrainState) -> None:
        self._train = value

    @property
    def params(self) -> Tree:
        """What is learned: ``{layer: {name: array}}``."""
        return self.train_state.params

    @params.setter
    def params(self, value: Tree) -> None:
        self._train = self.train_state._replace(params=value)

    @property
    def state(self) -> Tree:
        """What is kept but not learned, such as moving averages: ``{layer: {name: array}}``."""
        return self.train_state.state

    def _take_weights(self, params: Tree, state: Tree) -> TrainState:
        """Take given weights without drawing any first."""
        fresh = TrainState(params, state, None, jnp.int32(0), Streams(self.seed).dropout, jnp.float32(0))
        self._train = fresh if self._train is None else self._train._replace(params=params, state=state)
        return self._train

    @property
    def _where(self) -> str:
        return f"{type(self).__name__} {self.name!r}"

    def _weight_places(self) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
        for layer, (learned, kept) in self.graph.parameters().items():
            for part, group in (("params", learned), ("state", kept)):
                for name, parameter in group.items():
                    yield part, layer, name, parameter.shape

    def get_weights(self) -> list[np.ndarray]:
        """Return all weights in Keras's order: layer by layer, what is learned before what is kept."""
        trees = {"params": self.params, "state": self.state}
        return [np.array(trees[part][layer][name]) for part, layer, name, _ in self._weight_places()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights.

        Args:
            weights: Arrays in the order and shapes of ``get_weights``.

        Raises:
            ShapeError: Their number or shapes differ.
        """
        places = list(self._weight_places())
        if len(weights) != len(places):
            raise ShapeError(
                f"{self.name!r} has {len(places)} arrays of weights",
                where="set_weights",
                received=f"{len(weights)}",
                fix=_LIKE_GET_WEIGHTS,
            )
        trees: dict[str, Tree] = {"params": {}, "state": {}}
        for (part, layer, name, shape), array in zip(places, weights, strict=True):
            if tuple(np.shape(array)) != shape:
                raise ShapeError(
                    f"{name} of {layer!r} has shape {shape}",
                    where="set_weights",
                    received=f"{tuple(np.shape(array))}",
                    fix=_LIKE_GET_WEIGHTS,
                )
            trees[part].setdefault(layer, {})[name] = jnp.array(array, jnp.float32)
        self._take_weights(trees["params"], trees["state"])

    def apply(
        self,
        params: Tree,
        state: Tree,
        x: Any,
        *,
        training: bool = False,
        key: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[Any, Tree]:
        """Return ``(y, state)`` for a batch: the network as a pure function, for people who write their own JAX.

        Args:
            params: As ``model.params``.
            state: As ``model.state``.
            x: One array ``(N, …)``, or a tuple with one for each input. Whole numbers are scaled by
                ``model.preprocessing.scale`` where that is set.
            training: Whether dropout drops and batch statistics are used.
            key: Random key for dropout.
            mask: ``(N,)``, 0 for rows that only fill up the batch.
        """
        x = self._prepared(x)
        return self.graph.apply(params, state, x, training=training, key=key, mask=mask, policy=self.policy)

    def _prepared(self, x: Any) -> Any:
        scale = self.preprocessing.scale if self.preprocessing is not None else None

        def prepare(array: jax.Array) -> jax.Array:
            if not jnp.issubdtype(array.dtype, jnp.floating):
                array = array.astype(jnp.float32)
                return array * jnp.float32(scale) if scale is not None else array
            return array.astype(jnp.float32)

        return jax.tree.map(prepare, x)
