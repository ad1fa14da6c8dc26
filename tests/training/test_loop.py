"""The loop: epochs, partial batches, streams, callbacks, divergence; the same bits however steps are cut into calls."""

from __future__ import annotations

import copy
import functools
import math
import signal
import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

from convista import Sequential, layers, load_model
from convista.errors import ArgumentError, DataError, DivergedError, ShapeError
from convista.training import callbacks, loop, losses, optimizers, progress
from convista.training.batches import Examples, is_stream
from convista.training.callbacks import Callback

RNG = np.random.default_rng(0)
X = RNG.random((10, 3), np.float32)
Y = RNG.integers(0, 2, 10)


@functools.cache
def built(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=("accuracy",)):
    model = Sequential(
        [
            layers.Dense(4, activation="tanh", input_shape=(3,)),
            layers.Dropout(0.25),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer, loss, list(metrics))
    _ = model.learning_rate  # starts the optimizer
    return model


@pytest.fixture
def interrupted_as_usual():
    """A shell that runs the tests in the background lets them ignore the signal, and Python keeps that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def net(*arguments, **named):
    """A model of its own at its beginning; compiled programs are shared, so that a test takes milliseconds."""
    return copy.copy(built(*arguments, **named))


def fit(model, x=X, y=Y, **named):
    sizes = {} if is_stream(x) else {"batch_size": 4}
    return model.fit(x, y, **{**sizes, "verbose": 0, **named})


def bits(model):
    return [leaf.tobytes() for leaf in model.get_weights()]


def same(first, second):
    assert first is not second
    return bits(first) == (second if isinstance(second, list) else bits(second))


def after(**named):
    model = net()
    fit(model, **named)
    return bits(model)


class Spy(Callback):
    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} begins")

    def on_train_batch_end(self, step, logs=None):
        self.calls.append(f"step {step}")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} ends")

    def on_train_end(self, logs=None):
        self.calls.append("train ends")


# --- steps, epochs, calls ------------------------------------------------------------------------------------------


def test_results_do_not_depend_on_how_many_steps_a_call_makes(monkeypatch):
    found = []
    for count in (1, 2, 3, 100):
        monkeypatch.setattr(loop._Arrays, "_count", lambda self, left, longest, count=count: min(left, count))
        model = net()
        history = fit(model, epochs=3)
        found.append((bits(model), history.history))
    assert all(other == found[0] for other in found)
    assert found[0][0] != bits(net())


@pytest.mark.parametrize(
    ("one", "longest", "left", "count"),
    [
        (0.0, 5.0, 100, 1),  # nobody knows yet
        (0.001, 1.0, 1000, 250),  # many short steps: a quarter of a second
        (0.001, 1.0, 7, 7),
        (0.04, 1.0, 100, 8),
        (0.3, 1.0, 100, 3),  # as many as a bar can wait for
        (0.3, 5.0, 100, 8),
        (2.2, 1.0, 100, 1),
        (2.2, 5.0, 100, 2),
        (60.0, 5.0, 100, 1),
    ],
)
def test_how_many_steps_a_call_makes(one, longest, left, count):
    trainer = loop.Trainer(built()._ready_trainer().objective)
    epoch = loop._Arrays(trainer, Examples(X, Y, np.ones(10, np.float32)), loop.Plan(batch_size=4))
    assert epoch.kind == (4, (3,), (), ())
    trainer.took((5, (3,), (), ()), 0.001)  # another batch size
    trainer.took((4, (9,), (), ()), 0.001)  # smaller pictures, where sizes are open
    trainer.took((4, (3,), (), ()), one)
    assert epoch._count(left, longest) == count
    assert count == 1 or count * one <= max(longest, 0.25)


def test_the_next_fit_knows_how_long_a_step_takes(monkeypatch):
    model = net()
    model._trainer = loop.Trainer(model._ready_trainer().objective)
    counts, count = [], loop._Arrays._count
    monkeypatch.setattr(
        loop._Arrays, "_count", lambda self, left, longest: counts.append(count(self, left, longest)) or counts[-1]
    )
    fit(model)
    assert counts[0] == 1
    model._trainer.took((4, (3,), (), ()), 0.1)
    fit(model)
    assert counts[-1] == 3


def test_displays_that_move_wait_for_a_second():
    assert {kind.longest_wait for kind in (progress.Bar, progress.NotebookLine)} == {1.0}
    assert {kind.longest_wait for kind in (progress.Silent, progress.Lines)} == {5.0}


class Later:
    """A result that is there after some naps."""

    def __init__(self, naps):
        self.naps = naps

    def is_ready(self):
        self.naps -= 1
        return self.naps < 0


def test_an_interruption_is_heard_while_a_call_runs(interrupted_as_usual):
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        loop._wait(Later(naps=10_000), 60.0)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(("naps", "expected", "asked"), [(3, 60.0, 4), (500, 0.2, 501), (9, 0.0, 0), (9, 0.1, 0)])
def test_a_result_is_waited_for_no_longer_than_it_takes(naps, expected, asked, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    later = Later(naps)
    loop._wait(later, expected)
    assert naps - later.naps == asked
    loop._wait(jnp.zeros(2) + 1, 60.0)  # what XLA returns answers, too


def test_a_callback_after_each_step_changes_no_bit():
    assert after(epochs=2) == after(epochs=2, callbacks=[Spy()])


def test_fit_twice_goes_on_where_it_stopped():
    model = net()
    fit(model, epochs=2)
    fit(model, epochs=4, initial_epoch=2)
    assert same(model, after(epochs=4))
    # Without initial_epoch the orders of the first epochs come again.
    model = net()
    fit(model, epochs=2)
    fit(model, epochs=2)
    assert not same(model, after(epochs=4))


def test_nothing_is_compiled_twice():
    model = net()
    fit(model, epochs=1)
    model.evaluate(X, Y, batch_size=4, verbose=0)
    trainer = model._ready_trainer()
    fit(model, epochs=3, validation_data=(X, Y))
    fit(model, x=X * 2)
    model.learning_rate = 0.5
    fit(model)
    programs = trainer._programs
    assert set(programs) >= {("run", 4), "evaluation", "results"}
    assert [programs[name]._cache_size() for name in (("run", 4), "evaluation", "results")] == [1, 1, 1]
    fit(model, x=X[:9], y=Y[:9])  # shows that the counter counts
    assert programs["run", 4]._cache_size() == 2


@pytest.mark.slow
def test_the_partial_last_batch_is_a_batch_of_exactly_these_rows():
    model = net("sgd")
    fit(model, x=X[:8], y=Y[:8], shuffle=False)
    model.train_on_batch(X[8:], Y[8:])
    by_hand = model.get_weights()
    model = net("sgd")
    fit(model, shuffle=False)
    for one, other in zip(model.get_weights(), by_hand, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    model = net("sgd")
    fit(model, x=X[:8], y=Y[:8], shuffle=False)
    assert not np.allclose(model.get_weights()[0], by_hand[0], rtol=1e-4, atol=1e-6)


def test_loss_and_metrics_of_an_epoch_weigh_every_example_once():
    model = net(optimizer=optimizers.SGD(0.0))
    logs = fit(model, shuffle=False).history
    batchwise = [model.test_on_batch(X[first : first + 4], Y[first : first + 4]) for first in (0, 4, 8)]
    accuracy = sum(rows * values[1] for rows, values in zip((4, 4, 2), batchwise, strict=True)) / 10
    # Dropout is on while training, so only the count of right answers of a net without it can be compared.
    assert 0 <= logs["accuracy"][0] <= 1
    assert model.evaluate(X, Y, batch_size=4, verbose=0)[1] == pytest.approx(accuracy)


def test_evaluate_does_not_depend_on_the_batch_size():
    model = net()
    fit(model)
    found = [model.evaluate(X, Y, batch_size=size, verbose=0) for size in (1, 3, 4, 10, 1000)]
    np.testing.assert_allclose(found, [found[0]] * 5, rtol=1e-5)
    weights = np.arange(10)
    weighted = [model.evaluate(X, Y, batch_size=size, verbose=0, sample_weight=weights) for size in (3, 10)]
    np.testing.assert_allclose(weighted[0], weighted[1], rtol=1e-5)
    assert abs(weighted[0][0] - found[0][0]) > 1e-3


def test_a_batch_larger_than_the_data_is_all_the_data():
    model = net("sgd")
    fit(model, batch_size=10, shuffle=False)
    large = net("sgd")
    fit(large, batch_size=10**9, shuffle=False)
    assert same(large, model)


@pytest.mark.parametrize(("steps", "epochs"), [(1, 6), (2, 3), (6, 1)])
def test_epochs_of_any_length_are_passes_one_after_the_other(steps, epochs):
    assert after(epochs=epochs, steps_per_epoch=steps) == after(epochs=2)


def test_more_steps_than_one_pass_count_every_example():
    history = fit(net(optimizer=optimizers.SGD(0.0)), epochs=1, steps_per_epoch=7)
    assert math.isfinite(history.history["loss"][0])
    assert history.params["steps"] == 7


def test_shuffling_sees_every_example_once_in_a_new_order_each_epoch():
    plan = loop.Plan(batch_size=4, shuffle_key=0)
    data = loop.Examples(X, Y, np.ones(10, np.float32))
    arrays = loop._Arrays(built()._ready_trainer(), data, plan)
    orders = [arrays._order(epoch).tolist() for epoch in range(3)]
    for order in orders:
        assert sorted(order[:10]) == list(range(10))
        assert order[10:] == [-1, -1]
    assert orders[0] != orders[1] != orders[2]
    still = loop._Arrays(built()._ready_trainer(), data, loop.Plan(batch_size=4, shuffle=False))
    assert still._order(5).tolist() == [*range(10), -1, -1]


# --- what fit takes ------------------------------------------------------------------------------------------------


def test_lists_and_jax_arrays_are_arrays():
    expected = after()
    assert after(x=X.tolist(), y=Y.tolist()) == expected
    assert after(x=jnp.asarray(X), y=jnp.asarray(Y)) == expected
    assert after(x={"input_1": X}) == expected
    assert after(x=[X]) == expected


def batches_of(x=X, y=Y, size=4):
    for first in range(0, len(x), size):
        yield x[first : first + size], y[first : first + size]


class ByNumber:
    def __len__(self):
        return 3

    def __getitem__(self, number):
        return X[number * 4 : number * 4 + 4], Y[number * 4 : number * 4 + 4]


def for_ever():
    while True:
        yield from batches_of()


class Again:
    def __iter__(self):
        return batches_of()


@pytest.mark.parametrize(("source", "steps"), [(ByNumber, None), (Again, None), (for_ever, 3)])
def test_streams_train_like_arrays(source, steps):
    model = net()
    history = fit(model, x=source(), y=None, epochs=2, steps_per_epoch=steps)
    arrays = net()
    expected = fit(arrays, epochs=2, shuffle=False)
    for one, other in zip(model.get_weights(), arrays.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(history.history["loss"], expected.history["loss"], rtol=1e-5)


def test_a_stream_brings_weights():
    model = net()
    weights = np.arange(10, dtype=np.float32)
    fit(model, x=iter([(X[:4], Y[:4], weights[:4])]), y=None)
    arrays = net()
    fit(arrays, x=X[:4], y=Y[:4], sample_weight=weights[:4], shuffle=False)
    for one, other in zip(model.get_weights(), arrays.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_generator_that_ends_early_is_an_error_and_what_was_learned_stays():
    model = net()
    with pytest.raises(DataError) as caught:
        fit(model, x=batches_of(), y=None, steps_per_epoch=5)
    assert str(caught.value) == (
        "the iterable yields 5 batches for epoch 1. Received 3. "
        "A generator ends once: give one that yields enough, or an object that can be iterated again."
    )
    assert not same(model, bits(net()))
    with pytest.raises(DataError) as caught:
        fit(net(), x=batches_of(), y=None, epochs=2)
    assert str(caught.value).startswith("the iterable yields at least 1 batch for epoch 2. Received 0.")
    with pytest.raises(DataError, match=r"^the iterable yields at least one batch\. Received none\.$"):
        fit(net(), x=iter([]), y=None)


def test_every_batch_of_a_stream_is_checked():
    with pytest.raises(ShapeError) as caught:
        fit(net(), x=iter([(X, Y), (X[:, :2], Y)]), y=None)
    assert str(caught.value) == (
        "x of a batch: the model takes batches of 3: an array of shape (N, 3). Received shape (10, 2). "
        "Resize the data, or build the model with input_shape=(2,)."
    )
    with pytest.raises(DataError, match=r"y\[0\] = 8"):
        fit(net(), x=iter([(X, Y), (X, Y + 7)]), y=None)
    with pytest.raises(DataError, match=r"nan at x of a batch\[1, 2\]"):
        fit(net(), x=iter([(X, Y), (np.where(np.arange(30).reshape(10, 3) == 5, np.nan, X), Y)]), y=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": None}, "fit: inputs and targets are both needed. Received y=None. model.fit(x, y)."),
        ({"epochs": 0}, "fit: epochs is a whole number of at least 1. Received epochs=0."),
        ({"epochs": 2.0}, "fit: epochs is a whole number of at least 1. Received epochs=2.0."),
        ({"batch_size": 0}, "fit: batch_size is a whole number of at least 1. Received batch_size=0."),
        ({"steps_per_epoch": -1}, "fit: steps_per_epoch is a whole number of at least 1. Received steps_per_epoch=-1."),
        (
            {"validation_steps": "x"},
            "fit: validation_steps is a whole number of at least 1. Received validation_steps='x'.",
        ),
        (
            {"epochs": 2, "initial_epoch": 3},
            "fit: epochs is the number of the last epoch, those before initial_epoch included. "
            "Received epochs=2, initial_epoch=3. For 2 more epochs write epochs=5.",
        ),
        ({"callbacks": 5}, "fit: callbacks is a list of callbacks. Received callbacks=5."),
        (
            {"x": {"pixels": X}},
            "x: a dictionary has one array for each input: 'input_1'. Received the names 'pixels'. Known: input_1.",
        ),
        (
            {"class_weight": {2: 1.0}},
            "fit: class_weight maps class numbers 0…1 to factors of at least 0. Received class_weight={2: 1.0}.",
        ),
        (
            {"validation_data": X},
            "fit: validation_data is (x, y), (x, y, sample_weight) or an iterable of batches. Received ndarray.",
        ),
        (
            {"validation_data": (X, Y, Y, Y)},
            "fit: validation_data is (x, y), (x, y, sample_weight) or an iterable of batches. Received 4 items.",
        ),
        (
            {"x": batches_of(), "y": Y},
            "fit: an iterable brings its own targets and weights. Received y beside an iterable.",
        ),
        (
            {"x": batches_of(), "y": None, "validation_split": 0.5},
            "fit: an iterable brings its own targets and weights. Received validation_split beside an iterable.",
        ),
        (
            {"verbose": "loud"},
            "verbose is 0, 1, 2 or \"auto\". Received verbose='loud'. "
            "Use 0 for silence, 1 for a bar, 2 for one line per epoch.",
        ),
    ],
)
def test_arguments_that_cannot_be_right(arguments, message):
    model = net()
    with pytest.raises(ArgumentError) as caught:
        fit(model, **arguments)
    assert str(caught.value) == message
    assert same(model, bits(net()))


# --- validation ----------------------------------------------------------------------------------------------------


def test_validation_split_is_the_last_part():
    model = net()
    history = fit(model, validation_split=0.2, epochs=2)
    expected = net()
    fit(expected, x=X[:8], y=Y[:8], epochs=2)
    assert same(model, expected)
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(X[8:], Y[8:], verbose=0)[0], rel=1e-5)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]


@pytest.mark.parametrize(
    "data",
    [(X[:6], Y[:6]), [X[:6], Y[:6]], (X[:6].tolist(), Y[:6].tolist()), (X[:6], Y[:6], np.ones(6))],
    ids=["tuple", "list", "lists", "weights"],
)
def test_validation_data(data):
    model = net()
    history = fit(model, validation_data=data)
    assert history.history["val_loss"][0] == pytest.approx(model.evaluate(X[:6], Y[:6], verbose=0)[0], rel=1e-5)


def test_validation_on_a_stream():
    model = net()
    history = fit(model, epochs=2, validation_data=Again())
    assert history.history["val_loss"][1] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    few = fit(net(), epochs=2, validation_data=for_ever(), validation_steps=1)
    assert few.history["val_loss"][0] == pytest.approx(
        fit(net(), epochs=1, validation_data=(X[:4], Y[:4])).history["val_loss"][0], rel=1e-5
    )


def test_a_validation_without_batches_is_no_loss_of_zero():
    with pytest.raises(DataError) as caught:
        fit(net(), epochs=2, validation_data=batches_of())
    assert str(caught.value) == (
        "an evaluation sees at least one batch. Received no batch. A generator ends once: give arrays, an object that "
        "can be iterated again, or an endless generator and the number of steps."
    )


def test_validation_frequency():
    history = fit(net(), epochs=4, validation_data=(X, Y), validation_freq=2).history["val_loss"]
    assert [value is None for value in history] == [True, False, True, False]


# --- weights -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_weights_weigh_the_loss():
    expected = after(sample_weight=np.where(Y == 1, 3.0, 1.0))
    assert after(class_weight={1: 3.0}) == expected
    assert after() != expected
    unseen = net()
    fit(unseen, x=X[:8], y=Y[:8], shuffle=False, batch_size=10)
    zero = net()
    fit(zero, sample_weight=[1] * 8 + [0] * 2, shuffle=False, batch_size=10)
    # Weight 0 takes an example out of the sum but, as in Keras, not out of the count.
    assert not same(zero, unseen)


# --- callbacks -----------------------------------------------------------------------------------------------------


def test_hooks_come_in_order_after_each_step():
    spy = Spy()
    fit(net(), epochs=2, callbacks=[spy])
    epoch = "epoch {0} begins|step 0|step 1|step 2|epoch {0} ends"
    assert spy.calls == ["train begins", *epoch.format(0).split("|"), *epoch.format(1).split("|"), "train ends"]
    assert spy.params["epochs"] == 2
    assert spy.params["steps"] == 3
    assert spy.params["verbose"] == 0


def test_a_stream_calls_the_same_hooks():
    arrays, stream = Spy(), Spy()
    fit(net(), epochs=2, callbacks=[arrays])
    fit(net(), x=Again(), y=None, epochs=2, callbacks=stream)
    assert arrays.calls == stream.calls


def test_a_callback_sees_the_weights_of_its_moment_and_may_stop():
    seen = []

    class Stop(Callback):
        def on_train_batch_end(self, step, logs=None):
            seen.append(bits(self.model))
            self.model.stop_training = len(seen) == 2

    model = net()
    history = fit(model, epochs=5, callbacks=Stop())
    assert len(seen) == 2
    assert seen[0] != seen[1] == bits(model)
    assert history.epoch == [0]
    assert fit(model, epochs=2).epoch == [0, 1]


def test_early_stopping_restores_the_best_weights():
    model = net(optimizer=optimizers.SGD(5.0))
    kept = {}

    class Keep(Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = (logs["val_loss"], bits(self.model))

    stopping = callbacks.EarlyStopping(patience=2)
    history = fit(model, epochs=30, validation_data=(X[:4], 1 - Y[:4]), callbacks=[Keep(), stopping])
    best = min(kept, key=lambda epoch: kept[epoch][0])
    assert len(history.epoch) < 30
    assert stopping.best_epoch == best
    assert same(model, kept[best][1])
    assert bits(model) != kept[max(kept)][1]


def test_checkpoints_can_be_loaded(tmp_path):
    model = net()
    fit(model, epochs=2, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{epoch}.convista")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.convista", "2.convista"]
    assert same(load_model(tmp_path / "2.convista"), model)
    assert not same(load_model(tmp_path / "1.convista"), model)


def test_rates_change_without_compiling():
    model = net()
    fit(model)
    program = model._ready_trainer()._programs["run", 4]
    size = program._cache_size()
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = fit(model, epochs=3, callbacks=[scheduler]).history
    np.testing.assert_allclose(history["learning_rate"], [5e-4, 2.5e-4, 1.25e-4])
    model.learning_rate = 1e-3
    plateau = callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=100)
    history = fit(model, epochs=3, callbacks=[plateau]).history
    np.testing.assert_allclose(history["learning_rate"], [1e-3, 1e-3, 1e-4])
    assert model.learning_rate == pytest.approx(1e-5)
    assert program._cache_size() == size


def test_a_rate_of_zero_learns_nothing():
    model = net()
    fit(model, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.0)])
    assert same(model, net())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_keeps_the_weights_and_the_history_so_far(error):
    class Interrupt(Callback):
        def on_train_batch_end(self, step, logs=None):
            if self.model.history.epoch == [0] and step == 1:
                raise error

    model = net()
    with pytest.raises(error):
        fit(model, epochs=3, callbacks=[Interrupt()])
    kept, steps = bits(model), int(model.train_state.step)
    assert steps == 5
    assert model.history.epoch == [0]
    expected = net()
    fit(expected, epochs=1, steps_per_epoch=5)
    assert kept == bits(expected)


def test_an_interruption_inside_a_call_keeps_the_weights_before_it(monkeypatch):
    def interrupt(result, expected):
        if next(calls) == 1:
            raise KeyboardInterrupt

    calls = iter(range(10))
    monkeypatch.setattr(loop, "_wait", interrupt)
    monkeypatch.setattr(loop._Arrays, "_count", lambda self, left, longest: min(left, 2))
    model = net()
    with pytest.raises(KeyboardInterrupt):
        fit(model, epochs=5)
    assert int(model.train_state.step) == 2
    expected = net()
    fit(expected, steps_per_epoch=2)
    assert same(model, expected)


# --- divergence ----------------------------------------------------------------------------------------------------


def bursts(at):
    """A loss that is NaN as soon as the first example of ``at`` is in the batch."""

    def loss(y_true, y_pred):
        value = jnp.mean((y_pred - y_true[:, :1]) ** 2, axis=-1)
        return jnp.where(jnp.any(y_true[:, 1] == at), jnp.nan, value)

    return loss


@functools.cache
def loss_that_bursts(at):
    return losses.FunctionLoss(bursts(at))


def fragile(at):
    return net("sgd", loss_that_bursts(at), ())


TARGETS = np.stack([RNG.random(10), np.arange(10)], axis=1).astype(np.float32)


@pytest.mark.parametrize("calls", [1, 2, 100])
def test_a_loss_that_is_nan_stops_with_the_last_good_weights(calls, monkeypatch):
    monkeypatch.setattr(loop._Arrays, "_count", lambda self, left, longest: min(left, calls))
    model = fragile(8)  # the third batch
    with pytest.raises(DivergedError) as caught:
        fit(model, y=TARGETS, shuffle=False, epochs=2)
    loss = model.evaluate(X[4:8], TARGETS[4:8], verbose=0)
    assert str(caught.value).startswith("the loss became NaN at step 3 of epoch 1. Received loss 0.")
    assert str(caught.value).endswith(
        " as the last good one; the weights of that time were kept. "
        "Try a learning rate ten times smaller, scale the inputs to 0…1, or set clipnorm=1.0 in the optimizer."
    )
    assert math.isfinite(loss)
    # The second step is the last with a finite loss, so its weights are those after the first.
    expected = fragile(8)
    fit(expected, y=TARGETS, shuffle=False, steps_per_epoch=1)
    assert same(model, expected)
    assert not same(model, fragile(8))


def test_a_stream_that_diverges_keeps_the_same_weights():
    model = fragile(8)
    with pytest.raises(DivergedError, match=r"^the loss became NaN at step 3 of epoch 1"):
        fit(model, x=batches_of(y=TARGETS), y=None)
    expected = fragile(8)
    fit(expected, y=TARGETS, shuffle=False, steps_per_epoch=1)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_first_loss_that_is_nan():
    model = fragile(0)
    with pytest.raises(DivergedError) as caught:
        fit(model, y=TARGETS, shuffle=False)
    assert str(caught.value) == (
        "the loss became NaN at step 1 of epoch 1. Received no finite loss before it. "
        "Try a learning rate ten times smaller, scale the inputs to 0…1, or set clipnorm=1.0 in the optimizer."
    )
    with pytest.raises(DivergedError, match="at step 1"):
        model.train_on_batch(X[:4], TARGETS[:4])
    assert same(model, fragile(0))


def test_a_huge_learning_rate_is_found_and_said():
    model = Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(1e12), "mse")
    with pytest.raises(DivergedError, match=r"^(the loss|a weight) became (NaN|infinite|NaN or infinite) "):
        fit(model, y=TARGETS[:, 0], epochs=20)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    assert model.history.epoch == list(range(len(model.history.epoch)))


# --- batches on their own ------------------------------------------------------------------------------------------


def test_train_on_batch_is_a_step_of_fit():
    model = net()
    values = model.train_on_batch(X[:4], Y[:4])
    expected = net()
    history = fit(expected, x=X[:4], y=Y[:4], shuffle=False).history
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert values == pytest.approx([history["loss"][0], history["accuracy"][0]], rel=1e-5)
    named = model.train_on_batch(X[:4], Y[:4], return_dict=True)
    assert list(named) == ["loss", "accuracy"]


def test_test_on_batch_is_evaluate():
    model = net()
    assert model.test_on_batch(X, Y) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert model.test_on_batch(X.tolist(), Y.tolist(), return_dict=True)["loss"] == pytest.approx(
        model.evaluate(X, Y, verbose=0, return_dict=True)["loss"], rel=1e-5
    )


def test_evaluate_says_what_it_found_on_standard_error(capsys):
    values = net().evaluate(X, Y)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"loss: {values[0]:.4f} - accuracy: {values[1]:.4f}\n"


@pytest.mark.parametrize("verb", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_without_targets_or_compile(verb):
    with pytest.raises(ArgumentError) as caught:
        getattr(net(), verb)(X, None)
    assert str(caught.value) == f"{verb}: inputs and targets are both needed. Received y=None. model.{verb}(x, y)."
    with pytest.raises(ArgumentError) as caught:
        getattr(Sequential([layers.Dense(2, input_shape=(3,))]), verb)(X, Y)
    assert str(caught.value) == (
        "Sequential 'sequential': compile comes before fit and evaluate. Received a model that was not compiled. "
        'model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]).'
    )
