"""Callbacks with Keras's names: what happens between epochs, from early stopping to checkpoints."""

from __future__ import annotations

import csv
import inspect
import math
import os
import re
import string
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from convista.errors import ArgumentError, suggest
from convista.training.configuration import number
from convista.training.table import cell, write_delimited

Logs = dict[str, Any]


class Trainee(Protocol):
    """What a callback may ask of the model in training."""

    stop_training: bool
    learning_rate: float

    def get_weights(self) -> list[Any]: ...

    def set_weights(self, weights: list[Any]) -> Any: ...

    def save(self, filepath: Any) -> Any: ...

    def save_weights(self, filepath: Any) -> Any: ...


class Callback:
    """Base of all callbacks; override the hooks you need.

    In a hook, ``self.model`` is the model in training and ``self.params`` is a dictionary with ``epochs``, ``steps``
    (per epoch) and ``verbose``. Set ``self.model.stop_training = True`` to stop after the epoch. ``logs`` maps names
    such as ``"loss"`` and ``"val_accuracy"`` to numbers. An exception raised in a hook ends the training and reaches
    the caller.

    Example:
        >>> class Tell(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(f"epoch {epoch}: loss {logs['loss']:.2f}")
        >>> Tell().on_epoch_end(0, {"loss": 0.5})
        epoch 0: loss 0.50
    """

    model: Any = None
    params: Mapping[str, Any] = {}

    def set_model(self, model: Any) -> None:
        """Take the model; called before training."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Take the run's parameters; called before training."""
        self.params = params

    def wants_batches(self) -> bool:
        """Return whether `on_train_batch_end` has anything to do; if no callback does, steps run in long chunks."""
        return type(self).on_train_batch_end is not Callback.on_train_batch_end

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Run before the first epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Run before an epoch; epochs count from 0."""

    def on_train_batch_end(self, step: int, logs: Logs | None = None) -> None:
        """Run after a step; steps count from 0 in each epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Run after an epoch and its validation."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Run after the last epoch."""


_HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))

_KERAS_HOOKS = frozenset(
    f"on_{part}_{when}"
    for part in ("batch", "train_batch", "test", "test_batch", "predict", "predict_batch")
    for when in ("begin", "end")
) - {*_HOOKS}


class CallbackList:
    """Calls the hooks of several callbacks in their order; what one of them raises passes through unchanged.

    Args:
        callbacks: `Callback` instances.
        model: Becomes their ``self.model``.
        params: Becomes their ``self.params``.

    Raises:
        ArgumentError: Something is not a callback, or has a hook that would never be called.

    Example:
        >>> CallbackList([EarlyStopping("loss")], None, {"epochs": 1}).wants_batches
        False
    """

    def __init__(self, callbacks: Iterable[Callback] | Callback | None, model: Any, params: Mapping[str, Any]):
        given = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        self.callbacks = [_checked(callback) for callback in given]
        for callback in self.callbacks:
            callback.set_model(model)
            callback.set_params(params)

    @property
    def wants_batches(self) -> bool:
        """Whether any callback has something to do after each step."""
        return any(callback.wants_batches() for callback in self.callbacks)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call the hook of each callback."""
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the hook of each callback."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, step: int, logs: Logs | None = None) -> None:
        """Call the hook of each callback."""
        for callback in self.callbacks:
            callback.on_train_batch_end(step, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the hook of each callback; all get the same ``logs``, so a callback may add to them."""
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call the hook of each callback."""
        for callback in self.callbacks:
            callback.on_train_end(logs)


class _Monitor(Callback):
    # Follows one number of the logs and knows when it got better.
    def __init__(self, monitor: str, mode: str, min_delta: float):
        name = type(self).__name__
        if mode not in ("auto", "min", "max"):
            fix = suggest(str(mode), ("auto", "min", "max"))
            raise ArgumentError('mode is "auto", "min" or "max"', where=name, received=f"mode={mode!r}", fix=fix)
        if not isinstance(monitor, str):
            fix = 'Use the name of a log, such as "val_loss".'
            raise ArgumentError("monitor is a name", where=name, received=f"monitor={monitor!r}", fix=fix)
        if not number(min_delta):
            raise ArgumentError("min_delta is a number", where=name, received=f"min_delta={min_delta!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = min_delta
        self._highest = mode == "max" or (mode == "auto" and _larger_is_better(monitor))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        # A loop that knows the names beforehand spares the user a whole epoch before the error.
        known = self.params.get("metrics")
        if known is not None and self._follows() and self.monitor not in known:
            raise _no_such_log(type(self).__name__, self.monitor, known)

    def _follows(self) -> bool:
        return True

    def _value(self, logs: Logs | None) -> float:
        available = logs or {}
        if self.monitor not in available:
            raise _no_such_log(type(self).__name__, self.monitor, available)
        value = available[self.monitor]
        if getattr(value, "shape", ()) != () or isinstance(value, (list, tuple)):
            rule = f"{self.monitor!r} has one value per class, and only a single number can be followed"
            fix = 'Give the metric an average, such as F1Score(average="macro").'
            raise ArgumentError(rule, where=type(self).__name__, fix=fix)
        return float(value)

    def _better(self, value: float, than: float | None) -> bool:
        if math.isnan(value):
            return False
        if than is None:
            return True
        margin = abs(self.min_delta)
        return value - margin > than if self._highest else value + margin < than


class EarlyStopping(_Monitor):
    """Stop when a number has not got better for ``patience`` epochs, and go back to the best weights.

    Args:
        monitor: Name of the log that is followed.
        min_delta: A smaller change does not count as better.
        patience: Epochs without getting better after which training stops.
        verbose: 1 writes a line to stderr when it stops.
        mode: ``"min"``, ``"max"``, or ``"auto"``: names that end in acc, accuracy, auc, precision, recall, f1 or
            f1_score are better when larger, all others when smaller.
        baseline: Getting better only counts beyond this value.
        restore_best_weights: At the end, put the weights of the best epoch back. (Keras's default is False.)
        start_from_epoch: Epochs (from 0) before this one are not looked at.

    Raises:
        ArgumentError: An argument is out of range; in training, ``monitor`` is not among the logs.

    Example:
        >>> EarlyStopping(monitor="val_accuracy", patience=3).patience
        3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = True,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience = _count(self, "patience", patience)
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = _count(self, "start_from_epoch", start_from_epoch)
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.best_weights: list[Any] | None = None
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self._better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._better(value, self.baseline):
                self.wait = 0
            return
        # Keras: the very first epoch never stops a run, whatever the patience.
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.verbose and self.stopped_epoch is not None:
            _tell(f"Epoch {self.stopped_epoch + 1}: {self.monitor} has stopped getting better, training ends.")
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose and self.best_epoch is not None:
                _tell(f"The weights of the best epoch, {self.best_epoch + 1}, are back.")


class ModelCheckpoint(_Monitor):
    """Save the model after each epoch, or only when a number got better.

    Args:
        filepath: Where to; may hold ``{epoch}`` (from 1), ``{batch}`` and any log, as in
            ``"runs/{epoch:02d}-{val_loss:.2f}.convista"``. Folders are made.
        monitor: Name of the log that is followed with ``save_best_only``.
        verbose: 1 writes a line to stderr for each file.
        save_best_only: Save only when ``monitor`` is better than ever.
        save_weights_only: Save with ``model.save_weights`` instead of ``model.save``.
        mode: As for `EarlyStopping`.
        save_freq: ``"epoch"``, or a number of steps.
        initial_value_threshold: With ``save_best_only``, better only counts beyond this value.

    Raises:
        ArgumentError: ``filepath`` has a placeholder that cannot be filled in, or does not end in ``.convista``
            (``.safetensors`` with ``save_weights_only``); in training, a log is missing.

    Example:
        >>> ModelCheckpoint("best.convista", monitor="val_accuracy", save_best_only=True).save_freq
        'epoch'
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, 0.0)
        self.filepath = os.fspath(filepath)
        self._fields = _placeholders(self.filepath)
        _check_ending(self.filepath, save_weights_only)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        if save_freq != "epoch":
            _count(self, "save_freq", save_freq, least=1, other='"epoch" or ')
        self.save_freq = save_freq
        self.initial_value_threshold = initial_value_threshold
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = self.initial_value_threshold
        self._epoch = 0
        self._steps = 0

    def _follows(self) -> bool:
        return self.save_best_only

    def wants_batches(self) -> bool:
        """Return whether checkpoints are taken every few steps."""
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()
        known = self.params.get("metrics")
        if known is not None:
            self._check_fields([*known, "learning_rate"])

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, step: int, logs: Logs | None = None) -> None:
        if isinstance(self.save_freq, int):
            self._steps += 1
            if self._steps % self.save_freq == 0:
                self._save(self._epoch, step, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, int(self.params.get("steps") or 1) - 1, logs or {})

    def _save(self, epoch: int, step: int, logs: Logs) -> None:
        if self.save_best_only:
            value = self._value(logs)
            if not self._better(value, self.best):
                return
            self.best = value
        path = Path(self._path(epoch, step, logs))
        path.parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path)
        if self.verbose:
            _tell(f"Epoch {epoch + 1}: saved {path}")

    def _path(self, epoch: int, step: int, logs: Logs) -> str:
        self._check_fields(logs)
        values = {name: value.item() if hasattr(value, "item") else value for name, value in logs.items()}
        try:
            return self.filepath.format(**{**values, "epoch": epoch + 1, "batch": step + 1})
        except (ValueError, TypeError) as error:
            fix = "Formats are as in {epoch:02d} and {val_loss:.2f}."
            raise ArgumentError(str(error), where="ModelCheckpoint", received=self._received(), fix=fix) from error

    def _check_fields(self, names: Iterable[str]) -> None:
        known = sorted({"epoch", "batch", *names})
        for field in self._fields:
            if field not in known:
                rule = f"{{{field}}} in the path is not among {', '.join(known)}"
                close = suggest(field, known)
                fix = close if close.startswith("Did") else "Use one of these names."
                raise ArgumentError(rule, where="ModelCheckpoint", received=self._received(), fix=fix)

    def _received(self) -> str:
        return f"filepath={self.filepath!r}"


class ReduceLROnPlateau(_Monitor):
    """Multiply the learning rate by ``factor`` when a number has not got better for ``patience`` epochs.

    Args:
        monitor: Name of the log that is followed.
        factor: Between 0 and 1.
        patience: Epochs without getting better after which the rate falls.
        verbose: 1 writes a line to stderr when it does.
        mode: As for `EarlyStopping`.
        min_delta: A smaller change does not count as better.
        cooldown: Epochs after a fall during which none are counted.
        min_lr: The rate never falls below this.

    Raises:
        ArgumentError: An argument is out of range; in training, ``monitor`` is not among the logs, or the rate
            follows a schedule.

    Example:
        >>> ReduceLROnPlateau(patience=2).factor
        0.1
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        if not number(factor) or not 0 < factor < 1:
            rule = "factor is a number between 0 and 1"
            raise ArgumentError(rule, where="ReduceLROnPlateau", received=f"factor={factor!r}", fix="Use 0.1 or 0.5.")
        if not number(min_lr) or min_lr < 0:
            raise ArgumentError("min_lr is at least 0", where="ReduceLROnPlateau", received=f"min_lr={min_lr!r}")
        self.factor = factor
        self.patience = _count(self, "patience", patience)
        self.verbose = verbose
        self.cooldown = _count(self, "cooldown", cooldown)
        self.min_lr = min_lr
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if logs is not None:
            logs["learning_rate"] = float(self.model.learning_rate)
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._better(value, self.best):
            self.best = value
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = float(self.model.learning_rate)
        if old <= self.min_lr:
            return
        new = max(old * self.factor, self.min_lr)
        self.model.learning_rate = new
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose:
            _tell(f"Epoch {epoch + 1}: {self.monitor} has stopped getting better, the learning rate is now {new:g}.")


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch.

    Args:
        schedule: A function of ``(epoch, learning_rate)``, or of ``epoch`` alone, that returns the new rate.
        verbose: 1 writes a line to stderr each time.

    Raises:
        ArgumentError: ``schedule`` is not a function; in training, it did not return a finite number of at least 0.

    Example:
        >>> LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9).verbose
        0
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        if not callable(schedule):
            rule = "schedule is a function of (epoch, learning_rate)"
            fix = "Use, for example, lambda epoch, rate: rate * 0.9."
            raise ArgumentError(rule, where="LearningRateScheduler", received=f"schedule={schedule!r}", fix=fix)
        self.schedule = schedule
        self.verbose = verbose
        # Asked of the signature: calling and catching TypeError, as Keras does, hides mistakes inside the function.
        self._takes_rate = _positional(schedule) != 1

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        arguments = (epoch, float(self.model.learning_rate)) if self._takes_rate else (epoch,)
        rate: Any = self.schedule(*arguments)
        rate = rate.item() if hasattr(rate, "item") else rate
        if not number(rate) or rate < 0:
            rule = "schedule returns the learning rate, a finite number of at least 0"
            received = f"{rate!r} for epoch {epoch}"
            fix = "Let every path through the function return a number."
            raise ArgumentError(rule, where="LearningRateScheduler", received=received, fix=fix)
        self.model.learning_rate = float(rate)
        if self.verbose:
            _tell(f"Epoch {epoch + 1}: the learning rate is {rate:g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.learning_rate)


class CSVLogger(Callback):
    r"""Write a row of logs to a file after each epoch; the file is readable at any moment, also after a crash.

    The first column is ``epoch``, from 0 as in `History.epoch`; the others are in the order of the logs. A log that
    shows up later gets a new column, and the earlier rows an empty cell.

    Args:
        filename: The file; its folder is made.
        separator: One character.
        append: Go on with the file of an earlier training instead of starting a new one.

    Raises:
        ArgumentError: ``separator`` is not one character; in training, the file to go on with is not such a table.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     logger = CSVLogger(folder + "/log.csv")
        ...     logger.on_train_begin()
        ...     logger.on_epoch_end(0, {"loss": 0.5})
        ...     Path(folder, "log.csv").read_text()
        'epoch,loss\n0,0.5\n'
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False):
        if not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"':
            rule = "separator is one character that is neither a quote nor a new line"
            raise ArgumentError(rule, where="CSVLogger", received=f"separator={separator!r}", fix='Use ",".')
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._columns: list[str] = []
        self._rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._columns, self._rows = ["epoch"], []
        if self.append and Path(self.filename).exists():
            self._read()
        self._rewrite()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        row = {"epoch": epoch, **{key: cell(value) for key, value in (logs or {}).items()}}
        self._rows.append(row)
        new = [key for key in row if key not in self._columns]
        if new:
            self._columns += new
            self._rewrite()
            return
        # Opened for each row, so that nothing is left open or unwritten when a training is interrupted.
        with open(self.filename, "a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._columns, restval="", delimiter=self.separator, lineterminator="\n")
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self) -> None:
        write_delimited(Path(self.filename), self._columns, self._rows, self.separator)

    def _read(self) -> None:
        with open(self.filename, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter=self.separator, restkey="", restval="")
            columns = list(reader.fieldnames or ["epoch"])
            if columns[0] != "epoch":
                rule = "append=True goes on with a table whose first column is epoch"
                received = f"{self.filename!r} with the columns {', '.join(columns)}"
                fix = "Use another filename or separator, or append=False to start anew."
                raise ArgumentError(rule, where="CSVLogger", received=received, fix=fix)
            self._columns = columns
            self._rows = [{key: row[key] for key in columns} for row in reader]


def _checked(callback: object) -> Callback:
    if isinstance(callback, type):
        name = callback.__name__
        rule = "a callback is an instance, not a class"
        raise ArgumentError(rule, where="callbacks", received=name, fix=f"Write {name}(...), with brackets.")
    if not isinstance(callback, Callback):
        rule = "a callback is an instance of convista.callbacks.Callback"
        fix = "Let its class inherit from convista.callbacks.Callback."
        raise ArgumentError(rule, where="callbacks", received=repr(callback), fix=fix)
    for name in dir(type(callback)):
        if name in _KERAS_HOOKS and callable(getattr(callback, name)):
            rule = f"Keras has {name}; Convista does not call it yet"
            fix = f"The hooks are {', '.join(_HOOKS)}."
            raise ArgumentError(rule, where=type(callback).__name__, fix=fix)
        if name.startswith("on_") and name not in _HOOKS and callable(getattr(callback, name)):
            rule = f"{name} is not a hook and would never be called"
            where = type(callback).__name__
            raise ArgumentError(rule, where=where, fix=suggest(name, _HOOKS) + f" The hooks are {', '.join(_HOOKS)}.")
    return callback


def _larger_is_better(monitor: str) -> bool:
    return monitor.endswith(("acc", "accuracy", "auc", "precision", "recall", "f1", "f1_score"))


def _no_such_log(where: str, monitor: str, available: Iterable[str]) -> ArgumentError:
    names = list(available)
    rule = f"the logs have no {monitor!r}; they have {', '.join(names) or 'nothing'}"
    if monitor.startswith("val_") and not any(name.startswith("val_") for name in names):
        fix = "Pass validation_data or validation_split to fit"
        rest = monitor.removeprefix("val_")
        fix += f", or use monitor={rest!r}." if rest in names else "."
    else:
        close = suggest(monitor, names)
        fix = close if close.startswith("Did") else "Use one of these names as monitor."
    return ArgumentError(rule, where=where, received=f"monitor={monitor!r}", fix=fix)


def _placeholders(path: str) -> list[str]:
    try:
        parts = list(string.Formatter().parse(path))
    except ValueError as error:
        fix = "Write {{ and }} for braces that are part of the name."
        raise ArgumentError(str(error), where="ModelCheckpoint", received=f"filepath={path!r}", fix=fix) from error
    fields = [field for _, field, _, _ in parts if field is not None]
    for field in fields:
        # Names only: "{epoch.real}" or "{loss[0]}" would reach into objects, and "{}" has no name.
        if not field.isidentifier():
            rule = f"{{{field}}} in the path is not the name of a log"
            fix = "Use names such as {epoch} and {val_loss:.2f}."
            raise ArgumentError(rule, where="ModelCheckpoint", received=f"filepath={path!r}", fix=fix)
    return fields


def _check_ending(path: str, weights: bool) -> None:
    # Refused here, not at the end of the first epoch, when the model would refuse it.
    ending = ".safetensors" if weights else ".convista"
    if path.endswith(ending):
        return
    rule = f"filepath ends in {ending}" + (" with save_weights_only=True" if weights else "")
    stem = re.sub(r"(\.weights)?\.[A-Za-z]\w*$", "", path)
    fix = f"Write filepath={stem + ending!r}."
    raise ArgumentError(rule, where="ModelCheckpoint", received=f"filepath={path!r}", fix=fix)


def _count(callback: Callback, name: str, value: Any, least: int = 0, other: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        rule = f"{name} is {other}an integer of at least {least}"
        raise ArgumentError(rule, where=type(callback).__name__, received=f"{name}={value!r}")
    return value


def _positional(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2  # Some builtins have no signature; Keras's documented form has two arguments.
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
