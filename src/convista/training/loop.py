"""The loop: epochs, batches, callbacks, history; it trains anything that has an ``apply``."""

from __future__ import annotations

import functools
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from convista.errors import DataError, DivergedError
from convista.kernels.compiler import compile_function
from convista.training.batches import Examples, Stream, in_order, on_device
from convista.training.callbacks import Callback, CallbackList
from convista.training.history import History
from convista.training.progress import Progress
from convista.training.step import Batch, Objective, TrainState, make_evaluation, make_step

# How long one compiled call of many short steps runs before the bar moves.
_CALL_SECONDS = 0.25

# Steps that a call has at least, if the display can wait for them. XLA takes memory for a call and gives it back to the
# system, which clears every page that is taken again. One step a call, three, six and twelve, in processor time a step:
# a depthwise-separable network with 128 pictures 485, 414, 402 and 384 ms; ResNet-18, one, two and four: 4.01, 3.73 and
# 3.53 s, of them 0.59, 0.29 and 0.09 s in the system (2 cores, AVX-512, huge pages).
_STEPS_WORTH_A_CALL = 8

# How long Ctrl-C may wait while a call runs, and how long a call that is due may be kept waiting.
_NAP_SECONDS = 0.05
_SHORT_NAP_SECONDS = 0.002


class Trainee(Protocol):
    """What the loop trains: the owner of the numbers."""

    train_state: Any
    stop_training: bool
    history: Any


@dataclass(frozen=True)
class Plan:
    """How long and in which order to train.

    Args:
        epochs: Number of the last epoch.
        initial_epoch: Number of epochs done before.
        batch_size: Examples a step.
        steps_per_epoch: Steps after which an epoch ends; ``None`` sees all data once.
        shuffle: Whether arrays are seen in a new random order each epoch.
        shuffle_key: Where the stream of those orders begins.
        validation_freq: Epochs between validations.
        verbose: What the user asked to see; callbacks are told.
    """

    epochs: int = 1
    initial_epoch: int = 0
    batch_size: int = 32
    steps_per_epoch: int | None = None
    shuffle: bool = True
    shuffle_key: int = 0
    validation_freq: int = 1
    verbose: int | str = "auto"


@dataclass
class Trainer:
    """Compiled programs for one objective; kept between calls so that nothing is compiled twice.

    Args:
        objective: What is trained and watched.
    """

    objective: Objective
    _programs: dict[Any, Callable] = field(default_factory=dict)
    _seconds: dict[Any, float] = field(default_factory=dict)

    def run(self, batch_size: int) -> Callable:
        """Return the program that trains many steps on arrays in one call."""
        return self._program(("run", batch_size), lambda: _many_steps(self.objective, batch_size))

    def seconds(self, kind: Any) -> float:
        """Return how long one step on such batches took in the last call of ``run``; 0 where nobody knows."""
        return self._seconds.get(kind, 0.0)

    def took(self, kind: Any, seconds: float) -> None:
        """Remember how long one step on such batches took."""
        self._seconds[kind] = seconds

    @property
    def step(self) -> Callable:
        """The program of a single step."""
        return self._program("step", lambda: make_step(self.objective))

    @property
    def evaluation(self) -> Callable:
        """The program that evaluates one batch."""
        return self._program("evaluation", lambda: make_evaluation(self.objective))

    def results(self, totals: dict[str, Any]) -> dict[str, Any]:
        """Return loss and metrics, in the order of compilation, from their sums."""
        found = host(self._program("results", lambda: self.objective.results)(totals))
        return {name: found[name] for name in ("loss", *(metric.name for metric in self.objective.metrics))}

    def _program(self, name: Any, make: Callable[[], Callable]) -> Callable:
        if name not in self._programs:
            self._programs[name] = compile_function(make())
        return self._programs[name]

    def evaluate(self, train: TrainState, batches: Iterable[Batch]) -> dict[str, Any]:
        """Return loss and metrics over batches, without learning."""
        totals, seen = self.objective.totals(), 0
        for batch in batches:
            totals, seen = self.evaluation(train.params, train.state, totals, batch), seen + 1
        if not seen:
            raise DataError(
                "an evaluation sees at least one batch",
                received="no batch",
                fix="A generator ends once: give arrays, an object that can be iterated again, or an endless generator "
                "and the number of steps",
            )
        return self.results(totals)


def host(values: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as Python floats and arrays as NumPy arrays."""
    fetched = jax.device_get(values)
    return {name: float(fetched[name]) if np.ndim(fetched[name]) == 0 else np.asarray(fetched[name]) for name in values}


def _many_steps(objective: Objective, batch_size: int) -> Callable:
    """Return ``run(train, totals, data, order, span)``: the steps ``span[0]`` to ``span[1]`` of an epoch.

    The bounds are data, not shapes, so calls of any length share one program. The loop ends early where the loss is no
    longer a finite number. ``order`` has the place of each example, and -1 where a smaller batch is filled up.
    """
    step = make_step(objective)

    def run(train: TrainState, totals: Any, data: Examples, order: jax.Array, span: jax.Array):
        def unfinished(carry):
            number, _, _, loss, _ = carry
            return (number < span[1]) & jnp.isfinite(loss)

        def body(carry):
            number, train, totals, loss, _ = carry
            places = lax.dynamic_slice(order, (number * batch_size,), (batch_size,))
            mask = (places >= 0).astype(jnp.float32)
            chosen = jax.tree.map(lambda array: array[jnp.maximum(places, 0)], data)
            train, totals, new = step(train, totals, Batch(chosen.x, chosen.y, chosen.weight, mask))
            return number + 1, train, totals, new, loss

        start = (span[0], train, totals, jnp.float32(0), jnp.float32(0))
        return lax.while_loop(unfinished, body, start)

    return run


@dataclass
class _Watch:
    """Remembers the last weights whose loss was finite, so that a divergence loses nothing.

    Within a call of many steps they are made again, from the state before the call: the same steps give the same bits.
    """

    good: Callable[[], TrainState]
    last_loss: float = math.nan

    def check(self, again: Callable[[int], TrainState], steps: int, loss: float, previous: float, place: str) -> None:
        """Note that ``steps`` were made, the last with ``loss``, the one before it with ``previous``.

        Args:
            again: Returns the state after as many of these steps as it is told.
            steps: Their number.
            loss: Of the last step, computed with the weights before it.
            previous: Of the step before it in the same call.
            place: The last step in words.

        Raises:
            DivergedError: ``loss`` is not a finite number.
        """
        if math.isfinite(loss):
            self.good, self.last_loss = functools.partial(again, steps - 1), loss
            return
        if steps > 1:
            self.good, self.last_loss = functools.partial(again, steps - 2), previous
        self._stop(f"the loss became {'NaN' if math.isnan(loss) else 'infinite'} {place}")

    def check_weights(self, train: TrainState, place: str) -> None:
        """Look at weights that no loss has been computed with yet.

        Raises:
            DivergedError: One of them is not a finite number.
        """
        if train.params and not bool(_all_finite(train.params)):
            self._stop(f"a weight became NaN or infinite {place}")

    def _stop(self, rule: str) -> None:
        raise DivergedError(
            rule,
            received="no finite loss before it"
            if math.isnan(self.last_loss)
            else f"loss {self.last_loss:.4g} as the last good one; the weights of that time were kept",
            fix="Try a learning rate ten times smaller, scale the inputs to 0…1, or set clipnorm=1.0 in the optimizer",
        )


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))


def single_step(owner: Trainee, trainer: Trainer, batch: Batch) -> dict[str, Any]:
    """Make one step on one batch and return its loss and metrics.

    Raises:
        DivergedError: The loss is NaN or infinite; ``owner.train_state`` is as before.
    """
    before = owner.train_state
    train, totals, loss = trainer.step(before, trainer.objective.totals(), batch)
    _Watch(_always(before)).check(_always(before), 1, float(loss), math.nan, f"at step {int(before.step) + 1}")
    owner.train_state = train
    return trainer.results(totals)


def error_stream() -> Any:
    """Return where progress is written: the standard error stream of this moment."""
    return sys.stderr


def fit(
    owner: Trainee,
    trainer: Trainer,
    source: Examples | Stream,
    plan: Plan,
    *,
    validation: Callable[[], Iterable[Batch]] | None = None,
    callbacks: Sequence[Callback] = (),
    progress: Progress,
) -> History:
    """Train the owner's numbers on a source of examples.

    Args:
        owner: Holds ``train_state``; it is up to date whenever a callback runs, and after any kind of end.
        trainer: Compiled programs of the objective.
        source: Arrays or a stream.
        plan: Epochs, batch size, order.
        validation: Makes the batches to validate on after an epoch.
        callbacks: Called after each epoch, and after each batch where they ask for it.
        progress: Shows what happens.

    Returns:
        The values of every epoch.

    Raises:
        DivergedError: The loss became NaN or infinite; ``owner.train_state`` holds the last good weights.
    """
    steps = _steps(source, plan)
    history = History()
    names = ["loss", *(metric.name for metric in trainer.objective.metrics)]
    names += [f"val_{name}" for name in names] if validation is not None else []
    parameters: dict[str, Any] = {
        "epochs": plan.epochs,
        "steps": steps,
        "batch_size": plan.batch_size,
        "metrics": names,
    }
    parameters |= {"verbose": plan.verbose}
    watchers = CallbackList([*callbacks, history], owner, parameters)
    run_epoch = _Arrays(trainer, source, plan) if isinstance(source, Examples) else _Streamed(trainer, source, plan)
    owner.stop_training, owner.history = False, history
    watch = _Watch(_always(owner.train_state))
    progress.begin(plan.epochs, steps, source.size if isinstance(source, Examples) else None)
    try:
        watchers.on_train_begin()
        for epoch in range(plan.initial_epoch, plan.epochs):
            progress.epoch_begin(epoch)
            watchers.on_epoch_begin(epoch)
            logs = run_epoch(owner, epoch, watch, watchers, progress)
            watch.check_weights(owner.train_state, f"after epoch {epoch + 1}")
            if validation is not None and (epoch + 1) % plan.validation_freq == 0:
                values = trainer.evaluate(owner.train_state, validation())
                logs |= {f"val_{name}": value for name, value in values.items()}
            progress.epoch_end(epoch, scalars(logs))
            watchers.on_epoch_end(epoch, logs)
            if owner.stop_training:
                break
        watchers.on_train_end()
    except DivergedError:
        owner.train_state = watch.good()
        raise
    finally:
        progress.end()
    return history


def scalars(logs: dict[str, Any]) -> dict[str, float]:
    """Return the values that are single numbers."""
    return {name: value for name, value in logs.items() if isinstance(value, float)}


def _steps(source: Examples | Stream, plan: Plan) -> int | None:
    if plan.steps_per_epoch is not None:
        return plan.steps_per_epoch
    return math.ceil(source.size / plan.batch_size) if isinstance(source, Examples) else source.steps


@dataclass
class _Arrays:
    """An epoch over arrays on the device, many steps a call."""

    trainer: Trainer
    source: Examples
    plan: Plan

    def __post_init__(self) -> None:
        self.data = on_device(self.source)
        self.batch_size = min(self.plan.batch_size, self.source.size)
        self.per_pass = math.ceil(self.source.size / self.batch_size)
        self.kind = (self.batch_size, *(leaf.shape[1:] for leaf in jax.tree.leaves(self.data)))

    def __call__(
        self, owner: Trainee, epoch: int, watch: _Watch, watchers: CallbackList, progress: Progress
    ) -> dict[str, Any]:
        totals, run = self.trainer.objective.totals(), self.trainer.run(self.batch_size)
        done, steps, order = 0, self._steps, self._order(epoch)
        while done < steps:
            count = 1 if watchers.wants_batches else self._count(steps - done, progress.longest_wait)
            before, began = owner.train_state, time.perf_counter()
            call = functools.partial(self._call, run, before, totals, order, done)
            number, train, totals, loss, previous = call(count)
            _wait(loss, count * self.trainer.seconds(self.kind))
            made = int(number) - done
            place = f"at step {int(number)} of epoch {epoch + 1}"
            watch.check(_again(before, call), made, float(loss), float(previous), place)
            owner.train_state = train
            done += made
            self.trainer.took(self.kind, (time.perf_counter() - began) / made)
            logs = self.trainer.results(totals)
            progress.update(done, scalars(logs), self._seen(epoch * steps + done) - self._seen(epoch * steps))
            if watchers.wants_batches:
                watchers.on_train_batch_end(done - 1, logs)
                if owner.stop_training:
                    break
        return self.trainer.results(totals)

    @property
    def _steps(self) -> int:
        return self.per_pass if self.plan.steps_per_epoch is None else self.plan.steps_per_epoch

    def _call(self, run: Callable, before: TrainState, totals: Any, order: jax.Array, first: int, count: int) -> Any:
        return run(before, totals, self.data, order, jnp.asarray([first, first + count], jnp.int32))

    def _seen(self, batches: int) -> int:
        """Examples in so many batches from the very first."""
        passes, rest = divmod(batches, self.per_pass)
        return passes * self.source.size + min(rest * self.batch_size, self.source.size)

    def _count(self, left: int, longest: float) -> int:
        """Return the steps of the next call, which takes no more than ``longest`` seconds if it has several."""
        one = self.trainer.seconds(self.kind)
        if not one:
            return 1  # this call compiles; what it takes says nothing about speed, and the next one is short, too
        return min(left, max(1, int(_CALL_SECONDS / one), min(_STEPS_WORTH_A_CALL, int(longest / one))))

    def _order(self, epoch: int) -> jax.Array:
        """Return the places of an epoch's examples: passes over the data follow each other."""
        begun, within = divmod(epoch * self._steps, self.per_pass)
        whole = self._steps % self.per_pass == 0
        touched = self._steps // self.per_pass if whole else (self._steps - 1) // self.per_pass + 2
        places = np.concatenate([self._pass(number) for number in range(begun, begun + touched)])
        first = within * self.batch_size
        return jnp.asarray(places[first : first + self._steps * self.batch_size])

    def _pass(self, number: int) -> np.ndarray:
        """Return the order of one pass, with -1 where its last batch is filled up."""
        places = np.arange(self.source.size, dtype=np.int32)
        if self.plan.shuffle:
            # On the host: XLA takes longer to compile a sort than NumPy to shuffle 60 000 places.
            places = np.random.Generator(np.random.Philox(key=self.plan.shuffle_key + number)).permutation(places)
        return np.pad(places, (0, self.per_pass * self.batch_size - len(places)), constant_values=-1)


class _Result(Protocol):
    """An array that may not be computed yet."""

    def is_ready(self) -> bool: ...


def _wait(result: _Result, expected: float) -> None:
    """Sleep through a long call: while Python waits for a result it hears no signal, between naps it does."""
    due = time.perf_counter() + 0.9 * expected
    while expected > 2 * _NAP_SECONDS and not result.is_ready():
        time.sleep(_NAP_SECONDS if due - time.perf_counter() > _NAP_SECONDS else _SHORT_NAP_SECONDS)


def _again(before: TrainState, call: Callable[[int], Any]) -> Callable[[int], TrainState]:
    return lambda steps: before if steps == 0 else call(steps)[1]


def _always(state: TrainState) -> Callable[..., TrainState]:
    return lambda *_: state


@dataclass
class _Streamed:
    """An epoch over batches that come one by one."""

    trainer: Trainer
    source: Stream
    plan: Plan

    def __post_init__(self) -> None:
        self.endless = None if self.plan.steps_per_epoch is None else self.source.endless()

    def __call__(
        self, owner: Trainee, epoch: int, watch: _Watch, watchers: CallbackList, progress: Progress
    ) -> dict[str, Any]:
        objective = self.trainer.objective
        totals, done, seen = objective.totals(), 0, 0
        for examples in self._epoch(epoch):
            before = owner.train_state
            train, totals, loss = self.trainer.step(before, totals, self.source.pad(examples))
            watch.check(_always(before), 1, float(loss), math.nan, f"at step {done + 1} of epoch {epoch + 1}")
            owner.train_state = train
            done, seen = done + 1, seen + examples.size
            logs = self.trainer.results(totals)
            progress.update(done, scalars(logs), seen)
            watchers.on_train_batch_end(done - 1, logs)
            if owner.stop_training:
                break
        wanted = self.plan.steps_per_epoch or 1
        if done < wanted and not owner.stop_training:
            at_least = "" if self.plan.steps_per_epoch else "at least "
            raise DataError(
                f"the iterable yields {at_least}{wanted} batch{'es' if wanted > 1 else ''} for epoch {epoch + 1}",
                received=f"{done}",
                fix="A generator ends once: give one that yields enough, or an object that can be iterated again",
            )
        return self.trainer.results(totals)

    def _epoch(self, epoch: int) -> Iterator[Examples]:
        if self.endless is None:
            self.source.begin(epoch)
            return self.source.examples()
        return itertools.islice(self.endless, self.plan.steps_per_epoch)


def validation_batches(data: Examples | Stream, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
    """Yield the batches of one validation, in order."""
    if isinstance(data, Examples):
        return itertools.islice(in_order(data, min(batch_size, data.size)), steps)
    return (data.pad(item) for item in itertools.islice(data.examples(), steps))
