"""One seed, the same bits, in this process and in a fresh one; and streams that leave each other alone."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from convista import Sequential, set_random_seed
from convista.errors import ArgumentError
from convista.kernels import selection
from convista.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from convista.models import seed as seeds
from convista.models.seed import Streams
from convista.training import loop

RNG = np.random.default_rng(0)
X = RNG.random((40, 14, 14, 1), np.float32)
Y = RNG.integers(0, 10, 40)


@pytest.fixture(autouse=True)
def seed_of_the_process():
    yield
    set_random_seed(0)


def net(seed=3, optimizer="adam", convolution=True):
    picture = [Conv2D(8, 3, activation="relu"), MaxPooling2D(), BatchNormalization()] if convolution else []
    rest = [Flatten(), Dense(32, activation="relu"), Dropout(0.3), Dense(10, activation="softmax")]
    model = Sequential([Input((14, 14, 1)), *picture, *rest], seed=seed)
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    return model


def fingerprint(model):
    return hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights())).hexdigest()


def trained(**named):
    model = net(**named)
    history = model.fit(X, Y, batch_size=16, epochs=2, validation_split=0.1, verbose=0).history
    return {"weights": fingerprint(model), "history": history}


@functools.cache
def here(convolution=True):
    return trained(convolution=convolution)


def in_a_fresh_process(processors=None):
    code = (
        "import json, os, runpy, sys\n"
        "if sys.argv[2] != '-': os.sched_setaffinity(0, [int(sys.argv[2])])\n"
        "trained = runpy.run_path(sys.argv[1])['trained']\n"
        "print(json.dumps([trained(), trained(convolution=False)]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, __file__, "-" if processors is None else str(processors)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_same_seed_gives_the_same_bits_and_another_others():
    assert trained() == here()
    assert trained(seed=4) != here()


@pytest.mark.slow
def test_the_same_bits_in_a_fresh_process():
    assert in_a_fresh_process() == [here(), here(convolution=False)]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind a process to a processor")
def test_on_one_processor_the_same_bits():
    # XLA's own convolutions on a CPU split their sums by the number of threads, so without the native kernels the last
    # bits of a network with convolutions depend on it; those of all other layers do not.
    picture, dense = in_a_fresh_process(processors=min(os.sched_getaffinity(0)))
    assert dense == here(convolution=False)
    if selection.describe().native:
        assert picture == here()
    for name, values in picture["history"].items():
        np.testing.assert_allclose(values, here()["history"][name], rtol=1e-4)


def test_weights_do_not_depend_on_the_optimizer_or_on_when_they_are_asked_for():
    expected = fingerprint(net())
    assert fingerprint(net(optimizer="sgd")) == expected
    model = net()
    model.evaluate(X, Y, verbose=0)
    assert fingerprint(model) == expected
    assert fingerprint(net(seed=4)) != expected


def test_more_dropout_leaves_the_shuffle_as_it_was(monkeypatch):
    orders = []
    order_of = loop._Arrays._order

    def order(self, epoch):
        found = order_of(self, epoch)
        orders.append(found.tolist())
        return found

    monkeypatch.setattr(loop._Arrays, "_order", order)
    for extra in ([], [Dropout(0.5), Dropout(0.1)]):
        model = Sequential([Flatten(input_shape=(14, 14, 1)), *extra, Dense(10, activation="softmax")], seed=3)
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(X, Y, epochs=2, verbose=0)
    assert orders[:2] == orders[2:]
    assert orders[0] != orders[1]


def test_two_dropouts_drop_different_places_and_each_step_others():
    model = Sequential([Dropout(0.5, input_shape=(64,)), Dropout(0.5)])
    ones = np.ones((1, 64), np.float32)
    key = Streams(0).dropout
    both = np.asarray(model.apply({}, {}, ones, training=True, key=key)[0])
    # One mask twice would keep a half of the values, two different ones a quarter.
    assert 5 <= (both > 0).sum() <= 27
    np.testing.assert_array_equal(both, model.apply({}, {}, ones, training=True, key=key)[0])
    assert not np.array_equal(both, model.apply({}, {}, ones, training=True, key=Streams(1).dropout)[0])


def test_the_seed_of_the_process():
    set_random_seed(9)
    assert seeds.default_seed() == 9
    assert Sequential().seed == 9
    assert Sequential(seed=2).seed == 2
    assert fingerprint(net(seed=None)) == fingerprint(net(seed=9))


def test_the_streams_of_a_seed_differ():
    streams = [Streams(0), Streams(1)]
    keys = [str(key) for stream in streams for key in (stream.weights, stream.shuffle, stream.dropout)]
    assert len(set(keys)) == 6


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (-1, "seed is a whole number of at least 0. Received seed=-1."),
        (1.5, "seed is a whole number of at least 0. Received seed=1.5."),
        ("a", "seed is a whole number of at least 0. Received seed='a'."),
        (2**32, "seed is a whole number from 0 to 2**32 - 1. Received seed=4294967296."),
    ],
)
def test_what_is_no_seed(seed, message):
    for take in (set_random_seed, lambda seed: Sequential(seed=seed)):
        with pytest.raises(ArgumentError) as caught:
            take(seed)
        assert str(caught.value) == message


def test_the_largest_seed():
    assert fingerprint(net(seed=2**32 - 1)) != fingerprint(net(seed=2**31 - 1))
