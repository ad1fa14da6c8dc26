from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.training import callbacks
from oracles.keras_oracle import keras


class Model:
    """What callbacks ask of a model, without one."""

    def __init__(self, learning_rate=0.1):
        self.stop_training = False
        self.learning_rate = learning_rate
        self.weights = [np.zeros(1)]
        self.saved = []

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        self.weights = weights

    def save(self, filepath):
        self.saved.append(("model", str(filepath)))

    def save_weights(self, filepath):
        self.saved.append(("weights", str(filepath)))


def _fit(callback, logs, model=None, params=None, steps=0):
    """Train a model whose only weight is the number of the epoch."""
    model = model or Model()
    given = callbacks.CallbackList(callback, model, params or {"epochs": len(logs), "steps": steps, "verbose": 0})
    given.on_train_begin()
    epoch = -1
    for epoch, values in enumerate(logs):
        given.on_epoch_begin(epoch)
        model.weights = [np.full(1, float(epoch))]
        for step in range(steps):
            given.on_train_batch_end(step, values)
        given.on_epoch_end(epoch, dict(values))
        if model.stop_training:
            break
    given.on_train_end()
    return model, epoch


LOSSES = [1.0, 0.8, 0.79, 0.85, 0.7, 0.9, 0.9, 0.65, 0.9, 0.9, 0.9, 0.9]


class KerasModel(Model):
    """The same for Keras's callbacks, which look for an optimizer and metrics."""

    metrics = ()

    @property
    def optimizer(self):
        return self


@pytest.mark.parametrize("patience", [0, 1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"min_delta": 0.05}, {"baseline": 0.75}, {"start_from_epoch": 3}], ids=str)
def test_early_stopping_stops_where_keras_does(patience, options):
    ours = callbacks.EarlyStopping(patience=patience, **options)
    model, epoch = _fit(ours, [{"val_loss": value} for value in LOSSES])
    theirs = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True, mode="min", **options)
    other = KerasModel()
    theirs.set_model(other)
    theirs.on_train_begin()
    last = -1
    for last, value in enumerate(LOSSES):
        other.weights = [np.full(1, float(last))]
        theirs.on_epoch_end(last, {"val_loss": value})
        if other.stop_training:
            break
    theirs.on_train_end()
    assert epoch == last
    assert model.weights == other.weights


def test_early_stopping_keeps_the_last_weights_if_asked():
    model, epoch = _fit(callbacks.EarlyStopping("loss", patience=2, restore_best_weights=False), _logs(LOSSES[:7]))
    assert model.weights == [float(epoch)]


def _logs(values, name="loss"):
    return [{name: value} for value in values]


@pytest.mark.parametrize(
    ("monitor", "best"), [("val_accuracy", 2), ("val_f1_score", 2), ("auc", 2), ("loss", 0), ("x", 0)]
)
def test_auto_knows_what_is_better(monitor, best):
    stop = callbacks.EarlyStopping(monitor, patience=9)
    model, _ = _fit(stop, _logs([0.1, 0.5, 0.9, 0.4], monitor))
    assert stop.best_epoch == best
    assert model.weights == [float(best)]


def test_nan_is_never_the_best():
    stop = callbacks.EarlyStopping("loss", patience=9)
    _fit(stop, _logs([float("nan"), 0.5, 0.7]))
    assert (stop.best, stop.best_epoch) == (0.5, 1)


def test_a_second_training_starts_anew(capsys):
    stop = callbacks.EarlyStopping("loss", patience=1, verbose=1)
    assert _fit(stop, _logs([0.1, 0.2, 0.3]))[1] == 1
    assert _fit(stop, _logs([0.9, 0.8, 0.7]))[1] == 2
    assert capsys.readouterr() == (
        "",
        "Epoch 2: loss has stopped getting better, training ends.\nThe weights of the best epoch, 1, are back.\n"
        "The weights of the best epoch, 3, are back.\n",
    )


@pytest.mark.parametrize(
    "options", [{}, {"cooldown": 2}, {"min_delta": 0.12}, {"min_lr": 0.04, "factor": 0.5}], ids=str
)
@pytest.mark.parametrize("patience", [0, 1, 2])
def test_the_rate_falls_where_keras_lets_it(patience, options):
    rates, others = [], []
    model, other = Model(), KerasModel()
    ours = callbacks.ReduceLROnPlateau(patience=patience, **options)
    theirs = keras.callbacks.ReduceLROnPlateau(patience=patience, mode="min", **options)
    for callback, trained, seen in ((ours, model, rates), (theirs, other, others)):
        callback.set_model(trained)
        callback.on_train_begin()
        for epoch, value in enumerate(LOSSES):
            logs = {"val_loss": value}
            callback.on_epoch_end(epoch, logs)
            seen.append((logs["learning_rate"], trained.learning_rate))
    assert rates == others
    assert rates[-1][1] < 0.1


def test_checkpoints_of_every_epoch(tmp_path):
    path = tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.convista"
    model, _ = _fit(callbacks.ModelCheckpoint(path), _logs([0.5, np.float32(0.25)], "val_loss"))
    assert [Path(name).name for _, name in model.saved] == ["01-0.50.convista", "02-0.25.convista"]
    assert (tmp_path / "new").is_dir()


def test_checkpoints_of_the_best(tmp_path, capsys):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.safetensors", "accuracy", save_best_only=True, save_weights_only=True, verbose=1
    )
    model, _ = _fit(checkpoint, _logs([0.5, 0.4, 0.9], "accuracy"))
    assert model.saved == [("weights", str(tmp_path / "1.safetensors")), ("weights", str(tmp_path / "3.safetensors"))]
    assert (
        capsys.readouterr().err
        == f"Epoch 1: saved {tmp_path / '1.safetensors'}\nEpoch 3: saved {tmp_path / '3.safetensors'}\n"
    )


def test_checkpoints_beyond_a_threshold(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "x.convista", "loss", save_best_only=True, initial_value_threshold=0.5
    )
    assert len(_fit(checkpoint, _logs([0.9, 0.6, 0.4]))[0].saved) == 1


def test_checkpoints_every_few_steps(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.convista", save_freq=3)
    assert checkpoint.wants_batches()
    model, _ = _fit(checkpoint, _logs([0.5, 0.5]), steps=4)
    assert [Path(name).name for _, name in model.saved] == ["1-3.convista", "2-2.convista"]


def test_only_who_looks_at_steps_wants_them():
    class Steps(callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            pass

    assert not callbacks.CallbackList(
        [callbacks.Callback(), callbacks.ModelCheckpoint("x.convista")], None, {}
    ).wants_batches
    assert callbacks.CallbackList([callbacks.Callback(), Steps()], None, {}).wants_batches


@pytest.mark.parametrize("schedule", [lambda epoch, rate: rate / 2, lambda epoch: 0.1 / 2 ** (epoch + 1)])
def test_the_schedule_sets_the_rate(schedule, capsys):
    model, _ = _fit(callbacks.LearningRateScheduler(schedule, verbose=1), _logs([1, 1]))
    assert model.learning_rate == 0.025
    assert capsys.readouterr().err == "Epoch 1: the learning rate is 0.05.\nEpoch 2: the learning rate is 0.025.\n"


def test_an_error_inside_the_schedule_is_not_hidden():
    def broken(epoch, rate):
        return rate + "1"

    with pytest.raises(TypeError, match="unsupported operand"):
        _fit(callbacks.LearningRateScheduler(broken), _logs([1]))


def test_the_log_is_readable_after_every_epoch(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "sub" / "log.csv")
    logger.on_train_begin()
    for epoch in range(3):
        logger.on_epoch_end(epoch, {"loss": 0.5, "f1": np.array([0.5, 1.0])})
        rows = list(csv.DictReader((tmp_path / "sub" / "log.csv").read_text().splitlines()))
        assert len(rows) == epoch + 1
        assert rows[-1] == {"epoch": str(epoch), "loss": "0.5", "f1": "[0.5, 1.0]"}


def test_a_log_that_shows_up_later_gets_a_column(tmp_path):
    path = tmp_path / "log.csv"
    logger = callbacks.CSVLogger(path, separator=";")
    _fit(logger, [{"a": 1}, {"a": 2, "b": 3}, {"b": 4}])
    assert path.read_text() == "epoch;a;b\n0;1;\n1;2;3\n2;;4\n"


def test_a_log_is_continued(tmp_path):
    path = tmp_path / "log.csv"
    _fit(callbacks.CSVLogger(path), [{"a": 1}])
    with path.open("a") as file:
        file.write("1")  # a training that was killed in the middle of a row
    _fit(callbacks.CSVLogger(path, append=True), [{"a": 5}])
    assert path.read_text() == "epoch,a\n0,1\n1,\n0,5\n"
    _fit(callbacks.CSVLogger(path), [{"a": 6}])
    assert path.read_text() == "epoch,a\n0,6\n"


def test_an_exception_of_a_callback_comes_through():
    class Broken(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _fit(Broken(), _logs([1]))


def test_callbacks_get_the_model_and_the_parameters_and_one_dictionary_of_logs():
    seen = []

    class Add(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = self.params["epochs"]

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.model.learning_rate, logs))

    _fit([Add(), Look()], _logs([1.0]))
    assert seen == [(0.1, {"loss": 1.0, "mine": 1})]


class Tested(callbacks.Callback):
    def on_test_end(self, logs=None):
        pass


class Typo(callbacks.Callback):
    def on_epoch_ends(self, epoch, logs=None):
        pass


AVAILABLE = [{"loss": 1.0, "accuracy": 0.5}]
KNOWN = {"epochs": 1, "steps": 1, "verbose": 0, "metrics": ["loss", "accuracy"]}
MISTAKES = [
    (
        lambda: _fit(callbacks.EarlyStopping(), AVAILABLE),
        "EarlyStopping: the logs have no 'val_loss'; they have loss, accuracy. Received monitor='val_loss'. "
        "Pass validation_data or validation_split to fit, or use monitor='loss'.",
    ),
    (
        lambda: _fit(callbacks.EarlyStopping(), [], params=KNOWN),
        "EarlyStopping: the logs have no 'val_loss'; they have loss, accuracy. Received monitor='val_loss'. "
        "Pass validation_data or validation_split to fit, or use monitor='loss'.",
    ),
    (
        lambda: _fit(callbacks.ReduceLROnPlateau("acuracy"), AVAILABLE),
        "ReduceLROnPlateau: the logs have no 'acuracy'; they have loss, accuracy. Received monitor='acuracy'. "
        "Did you mean 'accuracy'?",
    ),
    (
        lambda: _fit(callbacks.ModelCheckpoint("x.convista", save_best_only=True, monitor="f2"), AVAILABLE),
        "ModelCheckpoint: the logs have no 'f2'; they have loss, accuracy. Received monitor='f2'. "
        "Use one of these names as monitor.",
    ),
    (
        lambda: _fit(callbacks.EarlyStopping("f1"), [{"f1": np.ones(3)}]),
        "EarlyStopping: 'f1' has one value per class, and only a single number can be followed. "
        'Give the metric an average, such as F1Score(average="macro").',
    ),
    (
        lambda: _fit(callbacks.ModelCheckpoint("{epoch}-{val_los:.2f}.convista"), [{"loss": 1.0, "val_loss": 1.0}]),
        "ModelCheckpoint: {val_los} in the path is not among batch, epoch, loss, val_loss. "
        "Received filepath='{epoch}-{val_los:.2f}.convista'. Did you mean 'val_loss'?",
    ),
    (
        lambda: _fit(callbacks.ModelCheckpoint("{zzz}.convista"), [], params=KNOWN),
        "ModelCheckpoint: {zzz} in the path is not among accuracy, batch, epoch, learning_rate, loss. "
        "Received filepath='{zzz}.convista'. Use one of these names.",
    ),
    (
        lambda: callbacks.ModelCheckpoint("{epoch"),
        "ModelCheckpoint: expected '}' before end of string. Received filepath='{epoch'. "
        "Write {{ and }} for braces that are part of the name.",
    ),
    (
        lambda: callbacks.ModelCheckpoint("{epoch.__class__}"),
        "ModelCheckpoint: {epoch.__class__} in the path is not the name of a log. Received "
        "filepath='{epoch.__class__}'. "
        "Use names such as {epoch} and {val_loss:.2f}.",
    ),
    (
        lambda: _fit(callbacks.ModelCheckpoint("{epoch:s}.convista"), AVAILABLE),
        "ModelCheckpoint: Unknown format code 's' for object of type 'int'. Received filepath='{epoch:s}.convista'. "
        "Formats are as in {epoch:02d} and {val_loss:.2f}.",
    ),
    (
        lambda: callbacks.ModelCheckpoint("x.convista", save_freq="batch"),
        "ModelCheckpoint: save_freq is \"epoch\" or an integer of at least 1. Received save_freq='batch'.",
    ),
    (
        lambda: callbacks.EarlyStopping(patience=-1),
        "EarlyStopping: patience is an integer of at least 0. Received patience=-1.",
    ),
    (
        lambda: callbacks.EarlyStopping(mode="minimum"),
        'EarlyStopping: mode is "auto", "min" or "max". Received mode=\'minimum\'. Did you mean \'min\'?',
    ),
    (
        lambda: callbacks.ReduceLROnPlateau(factor=2),
        "ReduceLROnPlateau: factor is a number between 0 and 1. Received factor=2. Use 0.1 or 0.5.",
    ),
    (
        lambda: callbacks.LearningRateScheduler(0.1),
        "LearningRateScheduler: schedule is a function of (epoch, learning_rate). Received schedule=0.1. "
        "Use, for example, lambda epoch, rate: rate * 0.9.",
    ),
    (
        lambda: _fit(callbacks.LearningRateScheduler(lambda epoch, rate: None), AVAILABLE),
        "LearningRateScheduler: schedule returns the learning rate, a finite number of at least 0. Received None for "
        "epoch 0. Let every path through the function return a number.",
    ),
    (
        lambda: callbacks.CSVLogger("x", separator=", "),
        "CSVLogger: separator is one character that is neither a quote nor a new line. Received separator=', '. "
        'Use ",".',
    ),
    (
        lambda: callbacks.CallbackList([callbacks.EarlyStopping], None, {}),
        "callbacks: a callback is an instance, not a class. Received EarlyStopping. Write EarlyStopping(...), with "
        "brackets.",
    ),
    (
        lambda: callbacks.CallbackList([3], None, {}),
        "callbacks: a callback is an instance of convista.callbacks.Callback. Received 3. "
        "Let its class inherit from convista.callbacks.Callback.",
    ),
    (
        lambda: callbacks.ModelCheckpoint("runs/best.keras"),
        "ModelCheckpoint: filepath ends in .convista. Received filepath='runs/best.keras'. "
        "Write filepath='runs/best.convista'.",
    ),
    (
        lambda: callbacks.ModelCheckpoint("{epoch}-{loss:.2f}"),
        "ModelCheckpoint: filepath ends in .convista. Received filepath='{epoch}-{loss:.2f}'. "
        "Write filepath='{epoch}-{loss:.2f}.convista'.",
    ),
    (
        lambda: callbacks.ModelCheckpoint("best.weights.h5", save_weights_only=True),
        "ModelCheckpoint: filepath ends in .safetensors with save_weights_only=True. Received "
        "filepath='best.weights.h5'. Write filepath='best.safetensors'.",
    ),
    (
        lambda: callbacks.CallbackList([Tested()], None, {}),
        "Tested: Keras has on_test_end; Convista does not call it yet. The hooks are "
        "on_train_begin, on_epoch_begin, on_train_batch_end, on_epoch_end, on_train_end.",
    ),
    (
        lambda: callbacks.CallbackList([Typo()], None, {}),
        "Typo: on_epoch_ends is not a hook and would never be called. Did you mean 'on_epoch_end'? The hooks are "
        "on_train_begin, on_epoch_begin, on_train_batch_end, on_epoch_end, on_train_end.",
    ),
]


@pytest.mark.parametrize(("make", "message"), MISTAKES)
def test_mistakes_are_explained(make, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_a_log_of_another_kind_is_not_continued(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(ArgumentError) as caught:
        _fit(callbacks.CSVLogger(path, append=True), AVAILABLE)
    assert str(caught.value) == (
        f"CSVLogger: append=True goes on with a table whose first column is epoch. Received {str(path)!r} with "
        f"the columns "
        "my notes. Use another filename or separator, or append=False to start anew."
    )
    assert path.read_text() == "my notes\n"


def test_every_hook_of_keras_is_called_or_named():
    theirs = {name for name in dir(keras.callbacks.Callback) if name.startswith("on_")}
    assert theirs == callbacks._KERAS_HOOKS | set(callbacks._HOOKS)
