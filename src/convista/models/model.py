"""The functional model: a graph of layers, the numbers it owns, and the verbs people know."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convista import arguments
from convista.errors import ArgumentError, DataError, suggest
from convista.kernels.compiler import compile_function
from convista.layers.symbolic import SymbolicTensor
from convista.models import memory, saving
from convista.models.feeding import CheckedStream, Feeding, no_rows, only_stream, picture_paths
from convista.models.graph import Graph
from convista.models.network import Network
from convista.models.pretrained import Loaded
from convista.models.questions import Questions
from convista.models.seed import Streams
from convista.training import batches, loop
from convista.training.augmentation import Augmentations, refuse_augmented
from convista.training.batches import Examples, Stream
from convista.training.callbacks import Callback
from convista.training.compilation import Compilation
from convista.training.history import History
from convista.training.progress import make_progress
from convista.training.step import TrainState

_PREDICTION_BATCH = 256


class Model(Questions, Network):
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
        super()._begin(graph, name, seed)
        self.history: History | None = None
        self.stop_training = False
        self._compilation: Compilation | None = None
        self._trainer: loop.Trainer | None = None
        self._augmented: tuple[tuple[Any, ...], loop.Trainer] | None = None
        self._forward: Any = None
        self._forward_in_training: Any = None
        self._asked: _Asked | None = None
        self._inspections: dict[Hashable, Any] = {}
        self._feeding = Feeding(self)

    def _forget_programs(self) -> None:
        self._trainer, self._augmented = None, None
        self._forward, self._forward_in_training, self._asked = None, None, None
        self._inspections = {}

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return the network's output for a batch of arrays, as a JAX array."""
        if isinstance(x, SymbolicTensor):
            raise ArgumentError(
                "a model is called on arrays",
                where=self._where,
                received="a symbolic tensor",
                fix="Call its layers one by one: for layer in model.layers: x = layer(x)",
            )
        x = self._feeding.arranged(x)
        x = tuple(batches.as_array(item, "x") for item in x) if isinstance(x, tuple) else batches.as_array(x, "x")
        self._build_for(x)
        self._feeding.check_shapes(x, "x")
        train = self.train_state
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((train.params, train.state, x))):
            # Inside a user's jit, grad or vmap the network becomes a part of that program.
            return self._answer(train, x, training)
        with jax.ensure_compile_time_eval():  # nor can a program with options of its own be called inside another one
            if training:
                return self._noisy_program(train._replace(opt_state=None), x)
            return self._program(train.params, train.state, x)

    def _answer(self, train: TrainState, x: Any, training: bool) -> Any:
        key = jax.random.fold_in(train.key, train.step) if training else None
        return self.apply(train.params, train.state, x, training=training, key=key)[0]

    @property
    def _program(self) -> Callable:
        """The program of ``predict``; operations one by one take lecture 000's convnet 1.4 ms, not 0.3, a picture."""
        if self._forward is None:
            self._forward = compile_function(lambda params, state, x: self.apply(params, state, x)[0])
        return self._forward

    @property
    def _noisy_program(self) -> Callable:
        if self._forward_in_training is None:
            self._forward_in_training = compile_function(lambda train, x: self._answer(train, x, True))
        return self._forward_in_training

    def _build_for(self, x: Any) -> None:
        """Let a model without input shape take that of the data; a functional model always has one."""

    def _shaped_for(self, x: Any) -> Model:
        """Return this model; in the place of one without input shape a copy that has that of the data."""
        return self

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | None = None,
        policy: str | None = None,
        **unknown: Any,
    ) -> None:
        """Say how to learn.

        Args:
            optimizer: Name, optimizer, or an optax transformation.
            loss: Name, loss, or a function ``(y_true, y_pred) -> (N,)``.
            metrics: Names or metrics to watch.
            policy: In which precision to compute, ``"float32"`` or ``"mixed_bfloat16"``; ``None`` leaves it as it is.
            **unknown: Refused with a suggestion.

        Raises:
            ArgumentError: An unknown name, or a loss that does not fit the last activation.

        Source: lecture 000.
        """
        if unknown:
            name = next(iter(unknown))
            raise ArgumentError(
                "compile takes optimizer, loss, metrics and policy",
                received=f"{name}={unknown[name]!r}",
                fix=suggest(name, ("optimizer", "loss", "metrics", "policy")),
            )
        if policy is not None:
            self.policy = policy
        self._compilation = Compilation.of(optimizer, loss, metrics or ())
        self._forget_programs()
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
            objective = self._compiled().objective(
                self.apply, self.output_shape[1:], last.activation_name, self.graph.frozen
            )
            self._trainer = loop.Trainer(objective)
        return self._trainer

    def _trainer_with(self, augmentation: Any, source: Examples | Stream) -> loop.Trainer:
        """Return the trainer whose steps augment; kept, so that the next fit with the same compiles nothing."""
        if augmentation is None:
            return self._ready_trainer()
        layers = self._feeding.augmentations(augmentation, source)
        if self._augmented is None or self._augmented[0] != layers:
            augment = Augmentations(layers, self._prepared)
            self._augmented = (
                layers,
                loop.Trainer(dataclasses.replace(self._ready_trainer().objective, augment=augment)),
            )
        return self._augmented[1]

    def _start_optimizer(self) -> None:
        if self.train_state.opt_state is None:
            objective = self._ready_trainer().objective
            self._train = objective.start(self.params, self.state, self.train_state.key)

    def _trainability_changed(self) -> None:
        """Let the optimizer begin anew with the layers that learn now; the count of steps and the rate stay."""
        self._forget_programs()
        before = self._train
        if before is not None and before.opt_state is not None:
            self._train = before._replace(opt_state=None)
            self._start_optimizer()
            self._train = self.train_state._replace(step=before.step, learning_rate=before.learning_rate)

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
        augmentation: Any = None,
    ) -> History:
        """Train on arrays or on a stream of batches.

        Args:
            x: Inputs ``(N, …)`` (NumPy, JAX, lists); for several inputs a list of them, or a dictionary by the inputs'
                names; or an iterable or sequence of batches ``(x, y)`` or ``(x, y, sample_weight)``. uint8 pictures
                stay uint8 on the device.
            y: Targets; none for an iterable.
            batch_size: Examples a step; 32 unless given, and none for an iterable, whose batches have their sizes.
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
            augmentation: Layers that change pictures at random, such as ``[RandomRotation(0.05), MixUp()]``, applied to
                the batches of training inside the compiled step; validation sees the pictures as they are.

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
        if batches.is_stream(x):
            only_stream("fit", {"batch_size": batch_size})
        held = x.in_memory() if y is None and hasattr(x, "in_memory") else None
        if held is not None:
            only_stream("fit", {"sample_weight": sample_weight, "validation_split": validation_split or None})
            x, y, sample_weight, shuffle = held.x, held.y, held.sample_weight, held.shuffle
            batch_size = held.batch_size
            augmentation = held.augmentation if augmentation is None else augmentation
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
        source, validation = self._feeding.sources(x, y, sample_weight, class_weight, validation_split, validation_data)
        self._check_learns("fit")
        self._start_optimizer()
        trainer = self._trainer_with(augmentation, source)
        with memory.explained(lambda: source.largest if isinstance(source, Stream) else plan.batch_size):
            self.history = loop.fit(
                self,
                trainer,
                source,
                plan,
                validation=None if validation is None else lambda: loop.validation_batches(validation, size, rounds),
                callbacks=watchers,
                progress=progress,
            )
        return self.history

    def fit_generator(
        self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, **options: Any
    ) -> History:
        """Train on a generator, as ``fit`` does: the name it had in Keras 2.

        Args:
            generator: An iterable of batches, such as ``ImageDataGenerator(…).flow(x, y)``.
            steps_per_epoch: Steps after which an epoch ends.
            epochs: The last epoch's number.
            **options: Of ``fit``; ``workers``, ``max_queue_size`` and ``use_multiprocessing`` change nothing.

        Returns:
            The history.

        Raises:
            ArgumentError: An argument that a generator cannot have, such as ``validation_split``.

        Source: lecture 004.
        """
        if options.get("validation_split"):
            raise ArgumentError(
                "a generator cannot be split, for nobody knows how long it is",
                where="fit_generator",
                received=f"validation_split={options['validation_split']!r}",
                fix="Write ImageDataGenerator(…, validation_split=0.1), then generator.flow(x, y, "
                'subset="training") and validation_data=generator.flow(x, y, subset="validation")',
            )
        known = inspect.signature(self.fit).parameters
        ignored = ("workers", "max_queue_size", "use_multiprocessing")
        given = {name: value for name, value in options.items() if name not in ignored}
        for name, value in given.items():
            if name not in known:
                raise ArgumentError(
                    "fit_generator takes what fit takes",
                    where="fit_generator",
                    received=f"{name}={value!r}",
                    fix=suggest(name, known),
                )
        return self.fit(generator, steps_per_epoch=steps_per_epoch, epochs=epochs, **given)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        return_dict: bool = False,
        **unknown: Any,
    ) -> Any:
        """Return loss and metrics on data, without learning.

        Args:
            x: As for ``fit``.
            y: As for ``fit``.
            batch_size: Examples at a time; 32 unless given. The result does not depend on it, but for last bits.
            verbose: 0 prints nothing, otherwise one line.
            sample_weight: Factor of each example in the loss.
            steps: Batches after which to stop.
            return_dict: Return a dictionary instead of a list.
            **unknown: Refused with what to do instead.

        Returns:
            ``[loss, metric, …]``, the loss alone where no metrics were compiled, or a dictionary.

        Raises:
            DataError: Labels outside the classes, NaN, pixels that nothing scales.
            ShapeError: The data does not fit the model.

        Source: lecture 000.
        """
        self._compiled()
        _only_in_fit("evaluate", unknown)
        refuse_augmented(x, "evaluate")
        size = arguments.integer(32 if batch_size is None else batch_size, "batch_size", where="evaluate")
        rounds = _steps(steps, "steps", "evaluate")
        if batches.is_stream(x):
            only_stream("evaluate", {"y": y, "sample_weight": sample_weight})
            stream = CheckedStream(batches.in_file_order(x), None, self._feeding)
            self._build_for(stream.first().x)
            data: Examples | Stream = stream
        else:
            data = self._feeding.examples(x, y, sample_weight, None, "evaluate")
        trainer = self._ready_trainer()
        with memory.explained(lambda: size):
            values = trainer.evaluate(self.train_state, loop.validation_batches(data, size, rounds))
        if verbose not in (0, False):
            line = " - ".join(f"{name}: {value:.4f}" for name, value in loop.scalars(values).items())
            print(line, file=loop.error_stream())
        return _reported(values, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        **unknown: Any,
    ) -> Any:
        """Return the network's output for arrays, for an iterable of batches, or for picture files.

        Args:
            x: Inputs as for ``fit``, also none at all; a path or a list of paths to pictures of any size and mode,
                which the model's own preprocessing brings to its input; or an iterable of batches, of inputs alone or
                of ``(x, y)`` as for ``fit``.
            batch_size: Examples at a time. The result does not depend on it, but for last bits.
            verbose: Accepted for Keras's sake; nothing is printed.
            steps: Batches after which to stop, for an iterable.
            **unknown: Refused with what to do instead.

        Returns:
            A NumPy array ``(N, …)``, or a list with one for each output.

        Raises:
            ShapeError: The data does not fit the model.
            DataError: A picture cannot be read.

        Source: lecture 000.
        """
        if not unknown and self._asked is not None and self._asked.again(x, batch_size):
            return self._predict_arrays(x, len(x), self._asked.size, lambda: self._feeding.check_numbers(x, "x"))
        _only_in_fit("predict", unknown)
        refuse_augmented(x, "predict")
        wanted = arguments.integer(
            _PREDICTION_BATCH if batch_size is None else batch_size, "batch_size", where="predict"
        )
        if batches.is_stream(x):
            return self._predict_stream(x, wanted, _steps(steps, "steps", "predict"))
        paths = picture_paths(x)
        x = self._feeding.pictures(paths) if paths else self._feeding.arranged(x)
        if self.built and no_rows(x):
            return self._feeding.nothing(x)
        given = x
        x, rows = batches.inputs(x)
        self._build_for(x)
        self._feeding.check_inputs(x, "x")
        size = min(wanted, 1 << (rows - 1).bit_length())
        self._asked = _Asked(x.shape, x.dtype, batch_size, size) if x is given and type(x) is np.ndarray else None
        return self._predict_arrays(x, rows, size)

    def _predict_arrays(self, x: Any, rows: int, size: int, meanwhile: Callable[[], None] = lambda: None) -> Any:
        """Return the answers to checked inputs; ``meanwhile`` is called while the network runs, and may refuse them."""
        train, forward = self.train_state, self._program
        with memory.explained(lambda: size), jax.ensure_compile_time_eval():  # as in __call__, and its program
            parts = [forward(train.params, train.state, batch) for batch in batches.inputs_in_order(x, rows, size)]
            meanwhile()
            if isinstance(parts[0], tuple):
                return [_joined(column, rows) for column in zip(*parts, strict=True)]
            return _joined(parts, rows)

    def _predict_stream(self, source: Any, size: int, steps: int | None) -> Any:
        items = itertools.islice(Stream(batches.in_file_order(source)).items(), steps)
        parts = [self.predict(item[0] if self._feeding.has_targets(item) else item, size) for item in items]
        if not parts:
            raise DataError("the iterable yields at least one batch", where="predict", received="none")
        return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)

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
        data = self._feeding.examples(x, y, sample_weight, class_weight, "train_on_batch")
        self._check_learns("train_on_batch")
        self._start_optimizer()
        values = loop.single_step(self, self._ready_trainer(), batches.padded(data, data.size))
        return _reported(values, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return loss and metrics of one batch, without learning."""
        self._compiled()
        data = self._feeding.examples(x, y, sample_weight, None, "test_on_batch")
        values = self._ready_trainer().evaluate(self.train_state, [batches.padded(data, data.size)])
        return _reported(values, return_dict)

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

    def load_weights(self, path: str | Path, *, head: bool = True, offline: bool = False) -> Loaded:
        """Read the weights of a file: one that Convista wrote, or one of Keras or PyTorch for the same architecture.

        What a file is, is seen from its first bytes. Layouts are brought to ours, names to those of the layers; either
        every weight finds its place and none is left over, or nothing is changed and the error lists what does not fit.

        Args:
            path: A ``.convista`` or ``.safetensors`` file; ``.weights.h5`` or ``.h5`` of Keras (needs h5py);
                ``.safetensors`` or ``.pth`` of PyTorch, of which nothing is executed. ``hf://OWNER/REPOSITORY/FILE``
                is such a file on the Hugging Face hub (needs huggingface_hub), kept in the cache.
            head: Whether the classifier is taken too; False keeps the one that the model has, for other classes.
            offline: Never ask the network for a file of the hub; ``CONVISTA_OFFLINE=1`` does the same.

        Returns:
            What was loaded and what was left; the file's name and SHA-256 are also ``model.provenance``.

        Raises:
            ModelFileError: The file is damaged, or its weights are not those of this model.
            ArgumentError: The model pads and normalises otherwise than the file's program does.
            MissingDependencyError: h5py or huggingface_hub is needed and not installed.
            DataError: The hub has no such file, or cannot be reached.

        Source: lecture 004.
        """
        return saving.load_weights(self, path, head=head, offline=offline)

    def to_json(self) -> str:
        """Return the architecture, without weights, as JSON."""
        return saving.to_json(self)

    @staticmethod
    def from_json(text: str) -> Model:
        """Return a model with new weights from what ``to_json`` returned."""
        return saving.from_json(text)


def _only_in_fit(verb: str, unknown: Mapping[str, Any]) -> None:
    """Refuse arguments that a verb does not take, ``augmentation`` with the reason."""
    for name, value in unknown.items():
        if name == "augmentation":
            raise ArgumentError(
                "only the pictures of training are augmented: a score on changed pictures tells about no picture",
                where=verb,
                received="augmentation",
                fix="Leave it out here; fit takes it",
            )
        raise ArgumentError(f"{verb} has no argument {name!r}", where=verb, received=f"{name}={value!r}")


def _listed(tensors: Any) -> list[SymbolicTensor]:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]


def _reported(values: dict[str, Any], as_dictionary: bool) -> Any:
    if as_dictionary:
        return values
    return list(values.values()) if len(values) > 1 else values["loss"]


@dataclasses.dataclass(frozen=True)
class _Asked:
    """An array that ``predict`` took as it was: the next one like it needs only its numbers looked at.

    Right after a network has run, the processor's caches hold nothing of Python, and every line costs several times
    what it does in a row: without this, 128 pictures took lecture 000's convnet 0.2 ms more, of 4.

    Args:
        shape: Of the array.
        dtype: Of the array.
        batch_size: As it was given.
        size: Rows of one call of the program.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    batch_size: Any
    size: int

    def again(self, x: Any, batch_size: Any) -> bool:
        """Return whether ``predict`` is asked the same again, about other numbers."""
        return (
            type(x) is np.ndarray
            and x.shape == self.shape
            and x.dtype == self.dtype
            and batch_size is self.batch_size  # True is no 1
        )


def _joined(parts: Sequence[Any], rows: int) -> np.ndarray:
    """Return the rows of several arrays on the device as one array that the user may write to."""
    if len(parts) == 1:
        return np.array(np.asarray(parts[0])[:rows])
    return np.concatenate([np.asarray(part) for part in parts])[:rows]


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
