"""Signals during training."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from convista.cli.interruption import Interruption, Stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_block_and_tells_the_model(number):
    model, after = SimpleNamespace(stop_training=False), False
    before = signal.getsignal(number)
    with Interruption(model) as interruption:
        signal.raise_signal(number)
        after = True
    assert not after
    assert interruption.signal == number
    assert model.stop_training
    assert signal.getsignal(number) is before


@pytest.fixture
def interrupted_as_usual():
    """A shell that runs the tests in the background lets them ignore the first signal, and Python keeps that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_is_the_users_own(interrupted_as_usual):
    def twice():
        with Interruption(SimpleNamespace()):
            try:
                signal.raise_signal(signal.SIGTERM)
            except Stopped:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        twice()
    assert not isinstance(caught.value, Stopped)


def test_other_errors_pass_through():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), Interruption(SimpleNamespace()):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_happens_without_a_signal():
    with Interruption(SimpleNamespace(stop_training=False)) as interruption:
        pass
    assert interruption.signal is None
