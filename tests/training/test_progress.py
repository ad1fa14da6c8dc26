"""The progress display in a terminal, a pipe, a notebook, and when things go wrong."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.console import Console

from convista.errors import ArgumentError
from convista.training.progress import (
    Bar,
    Lines,
    NotebookLine,
    Pace,
    Silent,
    bar_line,
    format_seconds,
    format_value,
    make_progress,
)

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def console(width=100):
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)


def train(progress, clock, epochs=2, steps=4, batch=32, logs=None, known=True):
    """Play the part of the training loop: every step takes half a second, every validation a quarter."""
    progress.begin(epochs=epochs, steps_per_epoch=steps if known else None, examples=steps * batch if known else None)
    for epoch in range(epochs):
        progress.epoch_begin(epoch)
        for step in range(1, steps + 1):
            clock.now += 0.5
            progress.update(step, logs or {"loss": 0.26334, "accuracy": 0.92391}, step * batch)
        clock.now += 0.25
        progress.epoch_end(epoch, {**(logs or {"loss": 0.26334, "accuracy": 0.92391}), "val_loss": 0.125})
    progress.end()


def test_plain_stream_gets_one_line_per_epoch():
    clock, stream = Clock(), io.StringIO()
    train(Lines(stream, clock), clock)
    assert stream.getvalue() == (
        "Epoch 1/2 - 4 steps - 2.2s - 64 images/s - loss: 0.2633 - accuracy: 0.9239 - val_loss: 0.1250\n"
        "Epoch 2/2 - 4 steps - 2.2s - 64 images/s - loss: 0.2633 - accuracy: 0.9239 - val_loss: 0.1250\n"
    )


def test_silent_writes_nothing(capsys):
    train(make_progress(0), Clock())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, "auto", True])
def test_a_pipe_is_given_lines_and_never_loads_rich(verbose):
    assert isinstance(make_progress(verbose, io.StringIO()), Lines)
    code = (
        "import io, sys; from convista.training.progress import make_progress;"
        f"make_progress({verbose!r}, io.StringIO()); sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env=os.environ).returncode == 0


def test_choice_by_verbose_and_stream(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_progress(0), Silent)
    assert isinstance(make_progress(False), Silent)
    assert isinstance(make_progress(1, Terminal()), Bar)
    assert isinstance(make_progress("auto", Terminal()), Bar)
    assert isinstance(make_progress(2, Terminal()), Lines)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(1, Terminal()), Lines)


def test_notebook_is_known_by_its_stream():
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    assert isinstance(make_progress("auto", stream), NotebookLine)
    assert isinstance(make_progress(2, stream), Lines)


def test_notebook_line_is_rewritten_and_stays():
    clock, stream = Clock(), io.StringIO()
    train(NotebookLine(stream, clock), clock, epochs=1)
    shown = stream.getvalue().split("\r")
    assert shown[1] == "Epoch 1/1 - 1/4 - loss 0.2633 - accuracy 0.9239 - 64 images/s"
    assert shown[-1].startswith("Epoch 1/1 - 4 steps - 2.2s - 64 images/s - loss: 0.2633")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_notebook_line_leaves_nothing_of_a_longer_line_behind():
    clock, stream = Clock(), io.StringIO()
    line = NotebookLine(stream, clock)
    line.begin(1, 100, None)
    line.epoch_begin(0)
    line.update(1, {"loss": 1.0, "a_metric_with_a_long_name": 1.0}, 1)
    clock.now += 1
    line.update(2, {"loss": 1.0}, 2)
    first, second = stream.getvalue().split("\r")[1:]
    assert len(second) >= len(first.rstrip())


@pytest.mark.parametrize("verbose", [3, -1, "loud", 1.5])
def test_unknown_verbose_is_refused(verbose):
    with pytest.raises(ArgumentError) as caught:
        make_progress(verbose)
    assert str(caught.value) == (
        f'verbose is 0, 1, 2 or "auto". Received verbose={verbose!r}. '
        "Use 0 for silence, 1 for a bar, 2 for one line per epoch."
    )


def test_bar_shows_everything_and_leaves_one_line_per_epoch():
    clock, screen = Clock(), console(120)
    train(Bar(screen, clock), clock)
    text = screen.file.getvalue()
    assert "Epoch 1/2" in text
    assert "2/4  loss 0.2633  accuracy 0.9239  64 images/s  0:03 left" in text
    stayed = [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text).splitlines() if " - " in line]
    assert len(stayed) == 2
    assert all("val_loss: 0.1250" in line for line in stayed)


def test_bar_gives_the_cursor_back_after_an_error_and_only_once():
    clock, screen = Clock(), console()
    bar = Bar(screen, clock)
    bar.begin(1, 10, 320)
    bar.epoch_begin(0)
    bar.update(1, {"loss": 1.0}, 32)
    assert screen.file.getvalue().count(SHOW) == 0
    bar.end()
    bar.end()
    assert screen.file.getvalue().count(HIDE) == screen.file.getvalue().count(SHOW) == 1


@pytest.mark.parametrize("width", [12, 20, 40, 60, 80, 200])
def test_bar_line_never_wraps(width):
    pace = Pace(Clock())
    pace.begin(5, 469)
    pace.epoch_begin(1)
    for step in (1, 217):
        pace.clock.now += 1
        pace.update(step, {"loss": 0.0632, "accuracy": 0.98, "sparse_top_k_categorical_accuracy": 0.5}, step * 128)
    line = bar_line(pace, width)
    assert line.cell_len <= width
    assert "Epoch 2/5" in line.plain
    if width >= 40:
        assert "217/469" in line.plain
        assert "loss 0.0632" in line.plain
    if width >= 80:
        assert "━" in line.plain
        assert "left" in line.plain


def test_bar_grows_with_the_steps():
    pace = Pace(Clock())
    pace.begin(1, 10)
    pace.epoch_begin(0)
    lengths = []
    for step in range(1, 11):
        pace.update(step, {"loss": 1.0}, step)
        lengths.append(bar_line(pace, 80).plain.count("━"))
    assert lengths == [3 * step for step in range(1, 11)]
    assert "#" in bar_line(pace, 80, "#-").plain


def test_unknown_number_of_steps_counts_without_a_bar():
    clock, screen = Clock(), console()
    train(Bar(screen, clock), clock, known=False)
    text = screen.file.getvalue()
    assert "step 3" in text
    assert "━" not in text
    assert "left" not in text


def test_first_line_says_what_takes_so_long():
    clock, screen = Clock(), console()
    bar = Bar(screen, clock)
    bar.begin(1, 10, 320)
    bar.epoch_begin(0)
    bar.end()
    assert "preparing the first step" in screen.file.getvalue()


def test_nan_infinite_and_array_values():
    clock, stream = Clock(), io.StringIO()
    logs = {"loss": float("nan"), "f1": np.array([0.5, 1.0]), "top": np.float32(0.5), "other": float("-inf")}
    train(Lines(stream, clock), clock, epochs=1, logs=logs)
    assert stream.getvalue().endswith("loss: nan - top: 0.5000 - other: -inf - val_loss: 0.1250\n")
    assert "loss nan" in bar_line(_after_one_step(logs), 80).plain


def test_time_left_leaves_compilation_out_and_counts_later_epochs():
    pace = Pace(Clock())
    pace.begin(2, 11)
    pace.epoch_begin(0)
    assert pace.seconds_left is None
    pace.clock.now += 20.0  # the first step compiles
    pace.update(1, {}, 1)
    assert pace.seconds_left is None
    for step in (2, 3):
        pace.clock.now += 1.0
        pace.update(step, {}, step)
    assert pace.seconds_left == pytest.approx(8 + 11)
    pace.clock.now += 8.0
    pace.update(11, {}, 11)
    pace.clock.now += 2.0  # the validation
    pace.epoch_end({})
    pace.begin(3, 11)
    pace.epoch_begin(1)
    assert pace.seconds_left is None
    pace.clock.now += 1.5
    pace.update(1, {}, 1)
    assert pace.seconds_left == pytest.approx(21 * 1.5 + 2)


def test_no_division_by_zero_when_no_time_passes():
    pace = _after_one_step({"loss": 1.0})
    assert pace.images_per_second is None
    assert pace.seconds_left is None
    assert "0.0s" in pace.line()


def test_an_epoch_without_updates_still_has_a_line():
    stream = io.StringIO()
    lines = Lines(stream, Clock())
    lines.begin(1, None, None)
    lines.epoch_begin(0)
    lines.epoch_end(0, {})
    assert stream.getvalue() == "Epoch 1/1 - 0 steps - 0.0s\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.26334, "0.2633"),
        (0.0, "0.0000"),
        (1e-5, "1.00e-05"),
        (-2e7, "-2.00e+07"),
        (float("inf"), "inf"),
        (12.5, "12.5000"),
    ],
)
def test_values(value, text):
    assert format_value(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599.9, "1:00:00"), (7322, "2:02:02")])
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


SCRIPT = """
import sys, time
from convista.training.progress import make_progress
progress = make_progress(1)
try:
    progress.begin(1, 1000, 1000)
    progress.epoch_begin(0)
    for step in range(1, 1000):
        progress.update(step, {"loss": 1.0}, step)
        print("from the program") if step == 5 else None
        time.sleep(0.01)
except KeyboardInterrupt:
    pass
finally:
    progress.end()
"""


def test_interrupt_in_a_real_terminal_restores_the_cursor_and_leaves_stdout_alone():
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "40"},
    )
    os.close(slave)
    seen = b""
    deadline = time.monotonic() + 20
    while b"loss" not in seen and time.monotonic() < deadline:
        seen += os.read(master, 4096)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:
        pass  # Linux answers so when the other side of a terminal is closed
    os.close(master)
    assert process.returncode == 0
    assert out == b"from the program\n"
    assert seen.decode().count(HIDE) == seen.decode().count(SHOW) == 1


def _after_one_step(logs):
    pace = Pace(Clock())
    pace.begin(1, 4)
    pace.epoch_begin(0)
    pace.update(1, logs, 32)
    return pace
