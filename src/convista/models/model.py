"""The functional model: a graph of layers, the numbers it owns, and the verbs people know."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convista import arguments
from convista.data.pictures import Preprocessing, read_picture
from convista.errors import ArgumentError, DataError, MemoryLimitError, ShapeError, suggest
from convista.kernels.compiler import compile_function, use_cache
from convista.layers.base import Layer
from convista.layers.symbolic import SymbolicTensor
from convista.models import inputs as input_checks
from convista.models import saving
from convista.models.graph import Graph, Tree
from convista.models.seed import Streams, default_seed
from convista.models.summary import Summary, summarize
from convista.shapes import bytes_text
from convista.training import batches, loop
from convista.training.batches import Examples, Stream
from convista.training.callbacks import Callback
from convista.training.compilation import Compilation
from convista.training.history import History
from convista.training.progress import make_progress
from convista.training.step import TrainState

_PREDICTION_BATCH = 256


class Model:
    """A network between symbolic inputs and outputs, with branches and merges.

    Args:
        inputs: What ``Input`` returned, one or a list.
        outputs: What layers returned, one or a list.
        name: Shown in the summary.
        seed: Of weights, shuffling and dropout, each with a stream of its own; ``None`` is the process's seed,
            0 unless ``set_random_seed`` was called.

    Attributes:
        classes: Names of the classes, saved with the model; ``None`` if they have none.
        preprocessing: How pictures become inputs, saved with the model.
        history: What the last ``fit`` returned.
        stop_training: Set it in a callback to end training after the epoch.

    Raises:
        ArgumentError: An output depends on an input that is not named.
        ShapeError: Sizes do not follow each other.

    Example:
        >>> from convista.layers import Conv2D, Dense, Flatten, Input
        >>> x = Input((28, 28, 1))
        >>> y = Dense(10, activation="softmax")(Flatten()(Conv2D(8, 3, activation="relu")(x)))
        >>> Model(inputs=x, outputs=y).count_params()
        54170

    Source: lecture 000.
    """

    def __init__(
        self,
        inputs: SymbolicTensor | Sequence[SymbolicTensor],
        outputs: SymbolicTensor | Sequence[SymbolicTensor],
        name: str | None = None,
        *,
        seed: int | None = None,
    ):
        self._several_inputs = isinstance(inputs, list | tuple)
        self._begin(Graph.between(_listed(inputs), _listed(outputs)), name or "model", seed)

    def _begin(self, graph: Graph | None, name: str, seed: int | None) -> None:
        self._graph = graph
        self.name = name
        self.seed = default_seed() if seed is None else arguments.integer(seed, "seed", minimum=0)
        self.classes: tuple[str, ...] | None = None
        self.preprocessing: Preprocessing | None = None
        self.history: History | None = None
        self.stop_training = False
        self._train: TrainState | None = None
        self._compilation: Compilation | None = None
        self._trainer: loop.Trainer | None = None
        self._forward: Any = None

    # --- structure -------------------------------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The network as data.

        Raises:
            ShapeError: The input's shape is not known yet.
        """
        if self._graph is None:
            raise ShapeError(
                "the shape of the input is known before the first number is",
                where=f"{type(self).__name__} {self.name!r}",
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
        """The layers in the order in which they run, each once."""
        return list(self.graph.layers.values())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by name or by place.

        Raises:
            ArgumentError: There is none.
        """
        layers = self.graph.layers
        if name is not None and name in layers:
            return layers[name]
        if name is None and index is not None and -len(layers) <= index < len(layers):
            return list(layers.values())[index]
        wanted = f"{name!r}" if name is not None else f"index={index}"
        raise ArgumentError(f"{self.name!r} has this layer", received=wanted, fix=suggest(str(name), layers))

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

    # --- numbers ---------------------------------------------------------------------------------------------------

    @property
    def train_state(self) -> TrainState:
        """All numbers that change while the network learns."""
        if self._train is None:
            self._check_memory()
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

    def _check_memory(self) -> None:
        needed = self.count_params() * 4
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if needed > available:
            largest = max(self.graph.parameter_counts().items(), key=lambda item: sum(item[1]))[0]
            raise MemoryLimitError(
                "the weights fit the memory of this machine",
                where=f"{type(self).__name__} {self.name!r}",
                received=f"{bytes_text(needed)} of weights, {bytes_text(available)} of memory; {largest!r} has most",
                fix=f"Make {largest!r} smaller, or shrink the picture before it with pooling",
            )

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
                f"{self.name!r} has {len(places)} arrays of weights", where="set_weights", received=f"{len(weights)}"
            )
        trees: dict[str, Tree] = {"params": {}, "state": {}}
        for (part, layer, name, shape), array in zip(places, weights, strict=True):
            if tuple(np.shape(array)) != shape:
                raise ShapeError(
                    f"{name} of {layer!r} has shape {shape}", where="set_weights", received=f"{tuple(np.shape(array))}"
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
        return self.graph.apply(params, state, self._prepared(x), training=training, key=key, mask=mask)

    def _prepared(self, x: Any) -> Any:
        scale = self.preprocessing.scale if self.preprocessing is not None else None

        def prepare(array: jax.Array) -> jax.Array:
            if not jnp.issubdtype(array.dtype, jnp.floating):
                array = array.astype(jnp.float32)
                return array * jnp.float32(scale) if scale is not None else array
            return array.astype(jnp.float32)

        return jax.tree.map(prepare, x)

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return the network's output for a batch of arrays, as a JAX array."""
        if isinstance(x, SymbolicTensor):
            raise ArgumentError(
                "a model is called on arrays",
                where=f"{type(self).__name__} {self.name!r}",
                received="a symbolic tensor",
                fix="Call its layers one by one: for layer in model.layers: x = layer(x)",
            )
        x = jax.tree.map(jnp.asarray, tuple(x) if self._several_inputs else x)
        self._build_for(x)
        return self.apply(self.params, self.state, x, training=training)[0]

    # --- verbs -----------------------------------------------------------------------------------------------------

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Sequence[Any] | None = None, **unknown: Any
    ) -> None:
        """Say how to learn.

        Args:
            optimizer: Name, optimizer, or an optax transformation.
            loss: Name, loss, or a function ``(y_true, y_pred) -> (N,)``.
            metrics: Names or metrics to watch.
            **unknown: Refused with a suggestion.

        Raises:
            ArgumentError: An unknown name, or a loss that does not fit the last activation.

        Source: lecture 000.
        """
        if unknown:
            name = next(iter(unknown))
            raise ArgumentError(
                "compile takes optimizer, loss and metrics",
                received=f"{name}={unknown[name]!r}",
                fix=suggest(name, ("optimizer", "loss", "metrics")),
            )
        self._compilation = Compilation.of(optimizer, loss, metrics or ())
        self._trainer = None
        if self._train is not None:
            self._train = self._train._replace(opt_state=None)
        if self.built:
            self._ready_trainer()

    @property
    def compiled(self) -> bool:
        """Whether the model was told how to learn."""
        return self._compilation is not None

    @property
    def optimizer(self) -> Any:
        """The optimizer given to ``compile``."""
        return self._compiled().optimizer

    @property
    def loss(self) -> Any:
        """The loss given to ``compile``."""
        return self._compiled().loss

    def _compiled(self) -> Compilation:
        if self._compilation is None:
            raise ArgumentError(
                "compile comes before fit and evaluate",
                where=f"{type(self).__name__} {self.name!r}",
                received="a model that was not compiled",
                fix='model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])',
            )
        return self._compilation

    def _ready_trainer(self) -> loop.Trainer:
        if self._trainer is None:
            if len(self.graph.outputs) != 1:
                raise ArgumentError(
                    "a model that is trained has one output",
                    where=f"{type(self).__name__} {self.name!r}",
                    received=f"{len(self.graph.outputs)} outputs",
                    fix="Train on one of them, or write the loss with model.apply",
                )
            last = self.graph.nodes[self.graph.outputs[0]].layer
            objective = self._compiled().objective(self.apply, self.output_shape[1:], last.activation_name)
            self._trainer = loop.Trainer(objective)
        return self._trainer

    def _start_optimizer(self) -> None:
        if self.train_state.opt_state is None:
            objective = self._ready_trainer().objective
            fresh = objective.start(self.params, self.state, self.train_state.key)
            self._train = fresh._replace(step=self.train_state.step)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; setting it never recompiles.

        Raises:
            ArgumentError: Set while a schedule decides.
        """
        optimizer = self._compiled().optimizer
        self._start_optimizer()
        if callable(optimizer.learning_rate):
            return float(optimizer.rate(self.train_state.step))
        return float(self.train_state.learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        rate = self._compiled().optimizer.accept_rate(value)
        self._start_optimizer()
        self._train = self.train_state._replace(learning_rate=jnp.float32(rate))

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train on arrays or on a stream of batches.

        Args:
            x: Inputs ``(N, …)`` (NumPy, JAX, lists), a tuple of them for several inputs, or an iterable of
                ``(x, y)`` or ``(x, y, sample_weight)``. uint8 pictures stay uint8 on the device.
            y: Targets; none for an iterable.
            batch_size: Examples a step; 32 unless given.
            epochs: The last epoch's number.
            verbose: 0 silent, 1 or ``"auto"`` a bar, 2 a line an epoch.
            callbacks: Called while training.
            validation_split: The last part of the arrays, kept for validation.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or an iterable to validate on after each epoch.
            shuffle: Whether arrays are seen in a new random order each epoch.
            class_weight: Factor of each class in the loss, by class number.
            sample_weight: Factor of each example in the loss.
            initial_epoch: Epochs done before.
            steps_per_epoch: Steps after which an epoch ends; needed for a generator without end.
            validation_steps: Batches of one validation.
            validation_batch_size: ``batch_size`` unless given.
            validation_freq: Epochs between validations.

        Returns:
            The history: ``.history`` has the values of every epoch.

        Raises:
            ArgumentError: Arguments that contradict each other.
            DataError: Labels outside the classes, NaN, pixels that nothing scales.
            ShapeError: The data does not fit the model.
            DivergedError: The loss became NaN or infinite; the last good weights are kept.

        Source: lecture 000.
        """
        self._compiled()
        if isinstance(x, list) and self._several_inputs:
            x = tuple(x)
        plan = loop.Plan(
            arguments.integer(epochs, "epochs", where="fit"),
            arguments.integer(initial_epoch, "initial_epoch", where="fit", minimum=0),
            arguments.integer(32 if batch_size is None else batch_size, "batch_size", where="fit"),
            None if steps_per_epoch is None else arguments.integer(steps_per_epoch, "steps_per_epoch", where="fit"),
            bool(shuffle),
            Streams(self.seed).shuffle,
            arguments.integer(validation_freq, "validation_freq", where="fit"),
        )
        source, validation = self._sources(x, y, sample_weight, class_weight, validation_split, validation_data)
        self._start_optimizer()
        size = validation_batch_size or plan.batch_size
        watchers = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        with _memory_errors(plan.batch_size):
            self.history = loop.fit(
                self,
                self._ready_trainer(),
                source,
                plan,
                validation=None
                if validation is None
                else lambda: loop.validation_batches(validation, size, validation_steps),
                callbacks=watchers,
                progress=make_progress(verbose),
            )
        return self.history

    def _sources(self, x, y, sample_weight, class_weight, validation_split, validation_data):
        if batches.is_stream(x):
            given = {"y": y, "sample_weight": sample_weight, "validation_split": validation_split or None}
            wrong = [name for name, value in given.items() if value is not None]
            if wrong:
                raise ArgumentError(
                    "an iterable brings its own targets and weights",
                    where="fit",
                    received=f"{wrong[0]} beside an iterable",
                )
            stream = _CheckedStream(x, class_weight, self)
            self._build_for(stream.first().x)
            return stream, self._validation(validation_data)
        if y is None:
            raise ArgumentError("fit takes inputs and targets", where="fit", received="y=None", fix="model.fit(x, y)")
        data = batches.examples(x, y, sample_weight, class_weight)
        self._check(data, "x")
        data, held_out = batches.split(data, validation_split if validation_data is None else 0.0)
        return data, held_out if validation_data is None else self._validation(validation_data)

    def _validation(self, data: Any) -> Examples | Stream | None:
        if data is None:
            return None
        if isinstance(data, tuple | list):
            if len(data) not in (2, 3):
                raise ArgumentError(
                    "validation_data is (x, y) or (x, y, sample_weight)", where="fit", received=f"{len(data)} items"
                )
            found = batches.examples(data[0], data[1], data[2] if len(data) == 3 else None)
            self._check(found, "validation x")
            return found
        return _CheckedStream(data, None, self)

    def _check(self, data: Examples, name: str) -> None:
        self._build_for(data.x)
        self._check_inputs(data.x, name)
        if data.y is not None:
            self._compiled().loss.check(data.y, self.output_shape[1:])
        self._learn_scale(data.x)

    def _check_inputs(self, x: Any, name: str) -> None:
        expected = self.graph.shapes()
        arrays = x if isinstance(x, tuple) else (x,)
        if len(arrays) != len(self.graph.inputs):
            raise ShapeError(
                f"the model takes {len(self.graph.inputs)} inputs",
                where=name,
                received=f"{len(arrays)}",
                fix="Give them as a list in the order of the model's inputs",
            )
        scaled = self.preprocessing is not None and self.preprocessing.scale is not None
        for place, array in zip(self.graph.inputs, arrays, strict=True):
            input_checks.check_shape(array, expected[place], name)
            input_checks.check_values(array, self.graph.nodes, scaled, name)

    def _learn_scale(self, x: Any) -> None:
        """Remember that pictures were given as 0…1, so that ``predict("photo.jpg")`` treats files the same way."""
        if self.preprocessing is None and not isinstance(x, tuple) and x.ndim == 4 and x.shape[-1] in (1, 3):
            sample = np.asarray(x[:1024])
            if sample.dtype.kind == "f" and sample.min() >= 0 and 0 < sample.max() <= 1:
                self.preprocessing = Preprocessing(scale=1 / 255)

    def _build_for(self, x: Any) -> None:
        """Let a model without input shape take that of the data; a functional model always has one."""

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics on data, without learning.

        Args:
            x: As for ``fit``.
            y: As for ``fit``.
            batch_size: Examples at a time; 32 unless given. The result does not depend on it.
            verbose: 0 prints nothing, otherwise one line.
            sample_weight: Factor of each example in the loss.
            steps: Batches after which to stop.
            return_dict: Return a dictionary instead of a list.

        Returns:
            ``[loss, metric, …]``, the loss alone where no metrics were compiled, or a dictionary.

        Raises:
            DataError: Labels outside the classes, NaN, pixels that nothing scales.
            ShapeError: The data does not fit the model.

        Source: lecture 000.
        """
        self._compiled()
        if isinstance(x, list) and self._several_inputs:
            x = tuple(x)
        if batches.is_stream(x):
            data: Examples | Stream = _CheckedStream(x, None, self)
        else:
            if y is None:
                raise ArgumentError("evaluate takes inputs and targets", where="evaluate", received="y=None")
            data = batches.examples(x, y, sample_weight)
            self._check(data, "x")
        size = arguments.integer(32 if batch_size is None else batch_size, "batch_size", where="evaluate")
        trainer = self._ready_trainer()
        with _memory_errors(size):
            values = trainer.evaluate(self.train_state, loop.validation_batches(data, size, steps))
        if verbose not in (0, False):
            line = " - ".join(f"{name}: {value:.4f}" for name, value in loop.scalars(values).items())
            print(line, file=loop.error_stream())
        if return_dict:
            return values
        return list(values.values()) if len(values) > 1 else values["loss"]

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0, steps: int | None = None) -> Any:
        """Return the network's output for arrays, for an iterable of batches, or for picture files.

        Args:
            x: Inputs ``(N, …)``; a path or a list of paths to pictures of any size and mode, which the model's own
                preprocessing brings to its input; or an iterable of batches.
            batch_size: Examples at a time. The result does not depend on it.
            verbose: Accepted for Keras's sake; nothing is printed.
            steps: Batches after which to stop, for an iterable.

        Returns:
            A NumPy array ``(N, …)``, or a list with one for each output.

        Raises:
            ShapeError: The data does not fit the model.
            DataError: A picture cannot be read.

        Source: lecture 000.
        """
        if batches.is_stream(x) and not isinstance(x, Path):
            parts = [
                self.predict(item[0] if isinstance(item, tuple) else item)
                for item, _ in zip(x, _count(steps), strict=False)
            ]
            return np.concatenate(parts)
        paths = _picture_paths(x)
        if paths:
            x = self._pictures(paths)
        elif isinstance(x, list) and self._several_inputs:
            x = tuple(x)
        data = batches.examples(x, None)
        self._build_for(data.x)
        self._check_inputs(data.x, "x")
        wanted = (
            _PREDICTION_BATCH if batch_size is None else arguments.integer(batch_size, "batch_size", where="predict")
        )
        size = min(wanted, 1 << (data.size - 1).bit_length())
        if self._forward is None:
            self._forward = compile_function(lambda params, state, x: self.apply(params, state, x)[0])
        with _memory_errors(size):
            outputs = [self._forward(self.params, self.state, batch.x) for batch in batches.in_order(data, size)]
        joined = jax.tree.map(
            lambda *parts: np.concatenate([np.asarray(part) for part in parts])[: data.size], *outputs
        )
        return list(joined) if isinstance(joined, tuple) else joined

    def _pictures(self, paths: Sequence[Path]) -> np.ndarray:
        shape = self.graph.shapes()[self.graph.inputs[0]]
        if len(self.graph.inputs) != 1 or len(shape) != 3 or None in shape:
            raise ShapeError(
                "a model that reads picture files takes pictures of one known size",
                where=f"{type(self).__name__} {self.name!r}",
                received=f"input_shape={self.input_shape}",
                fix="Read the pictures yourself and pass arrays",
            )
        how = self.preprocessing or Preprocessing()
        return np.stack([read_picture(path, (shape[0] or 0, shape[1] or 0, shape[2] or 0), how) for path in paths])

    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one step on one batch and return its loss and metrics.

        Args:
            x: One batch of inputs.
            y: Its targets.
            sample_weight: Factor of each example in the loss.
            class_weight: Factor of each class in the loss.
            return_dict: Return a dictionary instead of a list.

        Raises:
            DivergedError: The loss is NaN or infinite; the weights are those before the step.
        """
        self._compiled()
        data = batches.examples(tuple(x) if self._several_inputs else x, y, sample_weight, class_weight)
        self._check(data, "x")
        self._start_optimizer()
        values = loop.single_step(self, self._ready_trainer(), batches.padded(data, data.size))
        if return_dict:
            return values
        return list(values.values()) if len(values) > 1 else values["loss"]

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return loss and metrics of one batch, without learning."""
        rows = len(jax.tree.leaves(x)[0])
        return self.evaluate(x, y, batch_size=rows, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    # --- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, overwrite: bool = True) -> None:
        """Write the model to one file: layers, weights, classes, preprocessing and the optimizer's memory.

        The file is written beside its place and renamed, so that an interruption leaves the old one.

        Args:
            path: A name that ends in ``.convista``.
            overwrite: Whether an existing file may be replaced.

        Raises:
            ArgumentError: Another ending, an existing file, or a layer with a function of your own.
        """
        saving.save(self, path, overwrite)

    def save_weights(self, path: str | Path) -> None:
        """Write the weights alone, as safetensors."""
        saving.save_weights(self, path)

    def load_weights(self, path: str | Path) -> None:
        """Read weights that ``save_weights`` or ``save`` wrote for a model of this architecture.

        Raises:
            ModelFileError: The file is damaged, or its weights are not those of this model.
        """
        saving.load_weights(self, path)

    def to_json(self) -> str:
        """Return the architecture, without weights, as JSON."""
        return saving.to_json(self)

    @staticmethod
    def from_json(text: str) -> Model:
        """Return a model with new weights from what ``to_json`` returned."""
        return saving.from_json(text)


def _listed(tensors: Any) -> list[SymbolicTensor]:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]


class _CheckedStream(Stream):
    """A stream whose first batch is checked against the model, and whose labels are checked always."""

    def __init__(self, source: Any, class_weight: Mapping[int, float] | None, model: Model):
        super().__init__(source, class_weight)
        self._model = model
        self._kept: list[Examples] = []
        self._checked = False

    def first(self) -> Examples:
        """Return the first batch; a generator will give it again.

        Raises:
            DataError: There is no batch.
        """
        found = next(super().examples(), None)
        if found is None:
            raise DataError("the iterable yields at least one batch", received="none")
        if self._iterator is not None:
            self._kept.append(found)
        return found

    def examples(self) -> Iterator[Examples]:
        """Yield the batches as they come, checked."""
        while self._kept:
            yield self._verified(self._kept.pop())
        for item in super().examples():
            yield self._verified(item)

    def _verified(self, item: Examples) -> Examples:
        model = self._model
        if not self._checked:
            model._check(item, "x of the iterable's first batch")
            self._checked = True
        else:
            model._compiled().loss.check(item.y, model.output_shape[1:])
        return item


class _memory_errors:
    """Turns XLA's out-of-memory into an error that says what to do."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error):
            raise MemoryLimitError(
                "a step fits the memory of the device",
                received=f"batch_size={self.batch_size}",
                fix=f"Try batch_size={max(1, self.batch_size // 2)}",
            ) from error


def _count(steps: int | None) -> Iterator[int]:
    return iter(range(steps)) if steps is not None else iter(int, 1)


def _picture_paths(x: Any) -> list[Path]:
    if isinstance(x, str | Path):
        return [Path(x)]
    if isinstance(x, list | tuple) and x and all(isinstance(item, str | Path) for item in x):
        return [Path(item) for item in x]
    return []
