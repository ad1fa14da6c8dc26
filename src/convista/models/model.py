"""The functional model: a graph of layers, the numbers it owns, and the verbs people know."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convista import arguments
from convista.data.pictures import Preprocessing, read_picture
from convista.errors import ArgumentError, DataError, ShapeError, suggest
from convista.kernels.compiler import compile_function, use_cache
from convista.layers.base import Layer
from convista.layers.symbolic import SymbolicTensor
from convista.models import inputs as input_checks
from convista.models import memory, saving
from convista.models.graph import Graph, Tree
from convista.models.seed import Streams, checked_seed, default_seed
from convista.models.summary import Summary, summarize
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
        history: Of the last ``fit``, also while it runs and after it was interrupted.
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
        self._begin(Graph.between(_listed(inputs), _listed(outputs)), name or "model", seed)

    def _begin(self, graph: Graph | None, name: str, seed: int | None) -> None:
        self._graph = graph
        self.name = name
        self.seed = default_seed() if seed is None else checked_seed(seed)
        self.classes: tuple[str, ...] | None = None
        self._preprocessing: Preprocessing | None = None
        self.history: History | None = None
        self.stop_training = False
        self._train: TrainState | None = None
        self._compilation: Compilation | None = None
        self._trainer: loop.Trainer | None = None
        self._forward: Any = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How pictures and whole numbers become inputs, saved with the model."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, value: Preprocessing | None) -> None:
        # Compiled programs hold the scale as a constant.
        if value != self._preprocessing:
            self._trainer, self._forward = None, None
        self._preprocessing = value

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
                where=self._where,
                received="a symbolic tensor",
                fix="Call its layers one by one: for layer in model.layers: x = layer(x)",
            )
        x = self._arranged(x)
        arrays = [jnp.asarray(batches.as_array(item, "x")) for item in (x if isinstance(x, tuple) else (x,))]
        x = tuple(arrays) if isinstance(x, tuple) else arrays[0]
        self._build_for(x)
        self._check_shapes(x, "x")
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
                where=self._where,
                received="a model that was not compiled",
                fix='model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])',
            )
        return self._compilation

    def _ready_trainer(self) -> loop.Trainer:
        if self._trainer is None:
            if len(self.graph.outputs) != 1:
                raise ArgumentError(
                    "a model that is trained has one output",
                    where=self._where,
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
            self._train = objective.start(self.params, self.state, self.train_state.key)

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
            x: Inputs ``(N, …)`` (NumPy, JAX, lists); for several inputs a list of them, or a dictionary by the inputs'
                names; or an iterable or sequence of batches ``(x, y)`` or ``(x, y, sample_weight)``. uint8 pictures
                stay uint8 on the device.
            y: Targets; none for an iterable.
            batch_size: Examples a step; 32 unless given.
            epochs: The last epoch's number, counted from 1.
            verbose: 0 silent, 1 or ``"auto"`` a bar, 2 a line an epoch.
            callbacks: Called while training.
            validation_split: The last part of the arrays, kept for validation.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or an iterable to validate on after each epoch.
            shuffle: Whether arrays are seen in a new random order each epoch.
            class_weight: Factor of each class in the loss, by class number.
            sample_weight: Factor of each example in the loss.
            initial_epoch: Epochs done before.
            steps_per_epoch: Steps after which an epoch ends; needed for a generator without end. The next epoch goes on
                from there: passes over the data follow each other, each in an order of its own.
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
        plan = loop.Plan(
            arguments.integer(epochs, "epochs", where="fit"),
            _epochs_before(initial_epoch, epochs),
            arguments.integer(32 if batch_size is None else batch_size, "batch_size", where="fit"),
            _steps(steps_per_epoch, "steps_per_epoch", "fit"),
            bool(shuffle),
            Streams(self.seed).shuffle,
            arguments.integer(validation_freq, "validation_freq", where="fit"),
            verbose,
        )
        progress = make_progress(verbose)
        watchers = _watchers(callbacks)
        size = _steps(validation_batch_size, "validation_batch_size", "fit") or plan.batch_size
        rounds = _steps(validation_steps, "validation_steps", "fit")
        source, validation = self._sources(x, y, sample_weight, class_weight, validation_split, validation_data)
        self._start_optimizer()
        with memory.explained(plan.batch_size):
            self.history = loop.fit(
                self,
                self._ready_trainer(),
                source,
                plan,
                validation=None if validation is None else lambda: loop.validation_batches(validation, size, rounds),
                callbacks=watchers,
                progress=progress,
            )
        return self.history

    def _sources(self, x, y, sample_weight, class_weight, validation_split, validation_data):
        if batches.is_stream(x):
            given = {"y": y, "sample_weight": sample_weight, "validation_split": validation_split or None}
            _only_stream("fit", given)
            stream = _CheckedStream(x, class_weight, self)
            self._build_for(stream.first().x)
            self._check_class_weight(class_weight)
            return stream, self._validation(validation_data)
        data = self._examples(x, y, sample_weight, class_weight, "fit")
        data, held_out = batches.split(data, validation_split if validation_data is None else 0.0)
        return data, held_out if validation_data is None else self._validation(validation_data)

    def _examples(self, x, y, sample_weight, class_weight, verb: str, name: str = "x") -> Examples:
        if x is None or y is None:
            missing = " and ".join(f"{key}=None" for key, value in (("x", x), ("y", y)) if value is None)
            raise ArgumentError(
                f"{verb} takes inputs and targets", where=verb, received=missing, fix=f"model.{verb}(x, y)"
            )
        data = batches.examples(self._arranged(x), y, sample_weight, class_weight)
        self._check(data, name)
        self._check_class_weight(class_weight)
        return data

    def _check_class_weight(self, class_weight: Any) -> None:
        if class_weight is not None:
            units = self.output_shape[-1]
            batches.check_class_weight(class_weight, 2 if units == 1 else units)

    def _validation(self, data: Any) -> Examples | Stream | None:
        if data is None:
            return None
        if batches.is_stream(data):
            return _CheckedStream(data, None, self)
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ArgumentError(
                "validation_data is (x, y), (x, y, sample_weight) or an iterable of batches",
                where="fit",
                received=f"{len(data)} items" if isinstance(data, tuple | list) else type(data).__name__,
            )
        return self._examples(
            data[0], data[1], data[2] if len(data) == 3 else None, None, "fit", "x of validation_data"
        )

    def _arranged(self, x: Any) -> Any:
        """Return inputs as a tuple for several, and as one array otherwise."""
        if self._graph is None:
            return input_checks.arranged(x, [None])
        shapes = self.graph.shapes()
        expected = [shapes[place] for place in self.graph.inputs]
        return input_checks.arranged(x, expected, [self.graph.nodes[place].name for place in self.graph.inputs])

    def _check(self, data: Examples, name: str) -> None:
        self._build_for(data.x)
        self._check_inputs(data.x, name)
        if data.y is not None:
            self._compiled().loss.check(data.y, self.output_shape[1:])
        self._learn_scale(data.x)

    def _check_inputs(self, x: Any, name: str) -> None:
        self._check_shapes(x, name)
        scaled = self.preprocessing is not None and self.preprocessing.scale is not None
        for array in x if isinstance(x, tuple) else (x,):
            input_checks.check_values(array, self.graph.nodes, scaled, name)

    def _check_shapes(self, x: Any, name: str) -> None:
        shapes = self.graph.shapes()
        input_checks.check_shapes(x, [shapes[place] for place in self.graph.inputs], name)
        memory.check_activations(self.graph, self._where)

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
        size = arguments.integer(32 if batch_size is None else batch_size, "batch_size", where="evaluate")
        rounds = _steps(steps, "steps", "evaluate")
        if batches.is_stream(x):
            _only_stream("evaluate", {"y": y, "sample_weight": sample_weight})
            stream = _CheckedStream(x, None, self)
            self._build_for(stream.first().x)
            data: Examples | Stream = stream
        else:
            data = self._examples(x, y, sample_weight, None, "evaluate")
        trainer = self._ready_trainer()
        with memory.explained(size):
            values = trainer.evaluate(self.train_state, loop.validation_batches(data, size, rounds))
        if verbose not in (0, False):
            line = " - ".join(f"{name}: {value:.4f}" for name, value in loop.scalars(values).items())
            print(line, file=loop.error_stream())
        return _reported(values, return_dict)

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0, steps: int | None = None) -> Any:
        """Return the network's output for arrays, for an iterable of batches, or for picture files.

        Args:
            x: Inputs as for ``fit``, also none at all; a path or a list of paths to pictures of any size and mode,
                which the model's own preprocessing brings to its input; or an iterable of batches, of inputs alone or
                of ``(x, y)`` as for ``fit``.
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
        wanted = arguments.integer(
            _PREDICTION_BATCH if batch_size is None else batch_size, "batch_size", where="predict"
        )
        if batches.is_stream(x):
            return self._predict_stream(x, wanted, _steps(steps, "steps", "predict"))
        paths = _picture_paths(x)
        x = self._pictures(paths) if paths else self._arranged(x)
        if self.built and _no_rows(x):
            return self._nothing(x)
        data = batches.examples(x, None)
        self._build_for(data.x)
        self._check_inputs(data.x, "x")
        return self._predict_arrays(data, min(wanted, 1 << (data.size - 1).bit_length()))

    def _nothing(self, x: Any) -> Any:
        if not isinstance(x, list):
            self._check_shapes(x, "x")
        shapes = self.graph.shapes()
        none = [np.zeros((0, *(size or 0 for size in shapes[place])), np.float32) for place in self.graph.outputs]
        return none if len(none) > 1 else none[0]

    def _predict_arrays(self, data: Examples, size: int) -> Any:
        if self._forward is None:
            self._forward = compile_function(lambda params, state, x: self.apply(params, state, x)[0])
        with memory.explained(size):
            outputs = [self._forward(self.params, self.state, batch.x) for batch in batches.in_order(data, size)]
        joined = jax.tree.map(
            lambda *parts: np.concatenate([np.asarray(part) for part in parts])[: data.size], *outputs
        )
        return list(joined) if isinstance(joined, tuple) else joined

    def _predict_stream(self, source: Any, size: int, steps: int | None) -> Any:
        items = itertools.islice(Stream(source).items(), steps)
        parts = [self.predict(item[0] if self._has_targets(item) else item, size) for item in items]
        if not parts:
            raise DataError("the iterable yields at least one batch", where="predict", received="none")
        return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)

    def _has_targets(self, item: Any) -> bool:
        """Whether a batch is ``(x, y)`` or ``[x, y]``, as ``fit`` takes it, and not a list of rows or of inputs."""
        if isinstance(item, list) and len(item) in (2, 3) and self.built and len(self.graph.inputs) == 1:
            return np.ndim(item[0]) == len(self.input_shape)
        return isinstance(item, tuple)

    def _pictures(self, paths: Sequence[Path]) -> np.ndarray:
        shape = self.graph.shapes()[self.graph.inputs[0]]
        if len(self.graph.inputs) != 1 or len(shape) != 3 or None in shape:
            raise ShapeError(
                "a model that reads picture files takes pictures of one known size",
                where=self._where,
                received=f"input_shape={self.input_shape}",
                fix="Read the pictures yourself and pass arrays",
            )
        how = self.preprocessing or Preprocessing()
        if how.scale is None and not input_checks.rescales(self.graph.nodes):
            raise DataError(
                "a model that reads picture files knows how their values 0…255 are scaled",
                where=self._where,
                received="a model that was not trained on values 0…1, without Rescaling and without preprocessing",
                fix="Set model.preprocessing = convista.Preprocessing(scale=1 / 255) if that is how it was trained",
            )
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
        data = self._examples(x, y, sample_weight, class_weight, "train_on_batch")
        self._start_optimizer()
        values = loop.single_step(self, self._ready_trainer(), batches.padded(data, data.size))
        return _reported(values, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return loss and metrics of one batch, without learning."""
        self._compiled()
        data = self._examples(x, y, sample_weight, None, "test_on_batch")
        values = self._ready_trainer().evaluate(self.train_state, [batches.padded(data, data.size)])
        return _reported(values, return_dict)

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
    """A stream whose batches are checked against the model as they come."""

    def __init__(self, source: Any, class_weight: Mapping[int, float] | None, model: Model):
        super().__init__(source, class_weight)
        self._model = model
        self._kept: list[Examples] = []

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

    def arranged(self, x: Any) -> Any:
        """Return a batch's inputs in the model's order."""
        return self._model._arranged(x)

    def _verified(self, item: Examples) -> Examples:
        self._model._check(item, "x of a batch")
        return item


def _reported(values: dict[str, Any], as_dictionary: bool) -> Any:
    if as_dictionary:
        return values
    return list(values.values()) if len(values) > 1 else values["loss"]


def _steps(value: Any, name: str, where: str) -> int | None:
    return None if value is None else arguments.integer(value, name, where=where)


def _epochs_before(initial_epoch: Any, epochs: int) -> int:
    before = arguments.integer(initial_epoch, "initial_epoch", where="fit", minimum=0)
    if before > epochs:
        raise ArgumentError(
            "epochs is the number of the last epoch, those before initial_epoch included",
            where="fit",
            received=f"epochs={epochs}, initial_epoch={before}",
            fix=f"For {epochs} more epochs write epochs={before + epochs}",
        )
    return before


def _watchers(callbacks: Any) -> list[Callback]:
    if callbacks is None or isinstance(callbacks, Callback):
        return [] if callbacks is None else [callbacks]
    if not isinstance(callbacks, Iterable):
        raise ArgumentError("callbacks is a list of callbacks", where="fit", received=f"callbacks={callbacks!r}")
    return list(callbacks)


def _only_stream(verb: str, given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(
                "an iterable brings its own targets and weights", where=verb, received=f"{name} beside an iterable"
            )


def _no_rows(x: Any) -> bool:
    items = x if isinstance(x, tuple) else (x,)
    return all(len(item) == 0 if isinstance(item, list) else getattr(item, "shape", ())[:1] == (0,) for item in items)


def _picture_paths(x: Any) -> list[Path]:
    if isinstance(x, str | Path):
        return [Path(x)]
    if isinstance(x, list | tuple) and x and all(isinstance(item, str | Path) for item in x):
        return [Path(item) for item in x]
    return []
