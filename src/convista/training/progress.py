"""What a person sees while a network learns: a live bar, one line per epoch, or nothing."""

from __future__ import annotations

import atexit
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TextIO

from convista.errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

_SECONDS_BETWEEN_REDRAWS = 0.1
# What a bar may rest while slow steps run, several in one compiled call; and how long such a call may be where nobody
# looks, which is also how much an interruption can lose.
_SECONDS_AT_REST = 1.0
_SECONDS_OF_SILENCE = 5.0
_WIDEST_BAR = 30
_NARROWEST_BAR = 6


class Progress(Protocol):
    """What the training loop tells whoever draws; every display below has these five methods.

    The loop calls ``begin`` once, then for each epoch ``epoch_begin``, ``update`` any number of times and
    ``epoch_end``, and ``end`` in a ``finally``, so that the cursor comes back after an error or Ctrl-C as well.
    ``end`` may be called twice.

    Attributes:
        longest_wait: Seconds that may pass without an update: few where something moves meanwhile.
    """

    longest_wait: ClassVar[float]

    def begin(self, epochs: int, steps_per_epoch: int | None, examples: int | None) -> None:
        """Start. `steps_per_epoch` and `examples` (per epoch) are None where nobody knows, as with a generator."""

    def epoch_begin(self, epoch: int) -> None:
        """Start the epoch with this number, counted from 0."""

    def update(self, step: int, logs: Mapping[str, float], examples_seen: int) -> None:
        """Say that `step` steps and `examples_seen` examples of this epoch are done; `logs` holds the running means."""

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Finish the epoch; `logs` has the validation figures too."""

    def end(self) -> None:
        """Stop drawing and give the terminal back."""


def make_progress(verbose: int | str | bool = "auto", stream: TextIO | None = None) -> Progress:
    """Choose the display for a `verbose` argument and the place the text goes to.

    Args:
        verbose: 0 nothing; 1 or "auto" a live bar in a terminal, one updating line in a notebook, and one line per
            epoch anywhere else; 2 one line per epoch everywhere.
        stream: Where to write. None means standard error (standard output in a notebook, where standard error is red).

    Returns:
        A display with the methods of `Progress`.

    Raises:
        ArgumentError: `verbose` is none of these.

    Example:
        >>> type(make_progress(0)).__name__
        'Silent'
    """
    if verbose not in (0, 1, 2, "auto"):
        raise ArgumentError(
            'verbose is 0, 1, 2 or "auto"',
            received=f"verbose={verbose!r}",
            fix="Use 0 for silence, 1 for a bar, 2 for one line per epoch",
        )
    if verbose == 0:
        return Silent()
    notebook = _is_notebook(sys.stdout if stream is None else stream)
    if stream is None:
        stream = sys.stdout if notebook else sys.stderr
    if verbose == 2:
        return Lines(stream)
    if notebook:
        return NotebookLine(stream)
    if _is_terminal(stream):
        from rich.console import Console

        return Bar(Console(file=stream))
    return Lines(stream)


@dataclass(frozen=True)
class Silent:
    """Draws nothing."""

    longest_wait: ClassVar[float] = _SECONDS_OF_SILENCE

    def begin(self, epochs: int, steps_per_epoch: int | None, examples: int | None) -> None:
        pass

    def epoch_begin(self, epoch: int) -> None:
        pass

    def update(self, step: int, logs: Mapping[str, float], examples_seen: int) -> None:
        pass

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        pass

    def end(self) -> None:
        pass


@dataclass
class Pace:
    """Counts steps, examples and seconds, and says what they come to; shared by the displays.

    Args:
        clock: Returns seconds; a test gives its own.
    """

    clock: Callable[[], float] = time.perf_counter
    epochs: int = 0
    steps_per_epoch: int | None = None
    epoch: int = 0
    step: int = 0
    examples: int = 0
    logs: dict[str, float] = field(default_factory=dict)
    _began: float = 0.0
    _updated: float = 0.0
    _reference: tuple[int, float] | None = None
    _tail: float = math.inf
    _compiled: bool = False

    def begin(self, epochs: int, steps_per_epoch: int | None) -> None:
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self._began = self._updated = self.clock()

    def epoch_begin(self, epoch: int) -> None:
        self.epoch, self.step, self.examples, self.logs = epoch, 0, 0, {}
        self._began = self._updated = self.clock()
        self._reference = (0, self._began) if self._compiled else None

    def update(self, step: int, logs: Mapping[str, float], examples_seen: int) -> None:
        self.step, self.examples, self.logs = step, examples_seen, dict(logs)
        self._updated = self.clock()
        if self._reference is None:
            self._reference, self._compiled = (step, self._updated), True

    def epoch_end(self, logs: Mapping[str, float]) -> None:
        self.logs = dict(logs)
        self._tail = min(self._tail, self.clock() - self._updated)  # the first validation compiles too

    @property
    def seconds(self) -> float:
        """Seconds since this epoch began, validation included."""
        return self.clock() - self._began

    @property
    def images_per_second(self) -> float | None:
        """Examples of this epoch over the seconds its training steps took; None before the first of them."""
        spent = self._updated - self._began
        return self.examples / spent if self.examples and spent > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end of the last epoch; None while nothing can be said.

        The first update of all is left out of the rate, because compiling is in it.
        """
        if self.steps_per_epoch is None or self._reference is None:
            return None
        steps, spent = self.step - self._reference[0], self._updated - self._reference[1]
        if steps <= 0 or spent <= 0:
            return None
        epochs_after = max(self.epochs - self.epoch - 1, 0)
        steps_left = max(self.steps_per_epoch - self.step, 0) + epochs_after * self.steps_per_epoch
        validation = self._tail if math.isfinite(self._tail) else 0.0
        return steps_left * spent / steps + epochs_after * validation

    def line(self) -> str:
        """The line that stays when the epoch is over."""
        parts = [f"Epoch {self.epoch + 1}/{self.epochs}", f"{self.step} steps" if self.step != 1 else "1 step"]
        parts.append(f"{self.seconds:.1f}s" if self.seconds < 60 else format_seconds(self.seconds))
        if self.images_per_second is not None:
            parts.append(f"{self.images_per_second:.0f} images/s")
        parts += [f"{name}: {format_value(value)}" for name, value in _scalars(self.logs).items()]
        return " - ".join(parts)


@dataclass
class Lines:
    """One plain line per epoch, for log files and pipes.

    Args:
        stream: Where to write.
        clock: Returns seconds.

    Example:
        >>> lines = Lines(sys.stdout, clock=iter([0.0, 0.0, 2.0, 2.0, 2.0, 2.0]).__next__)
        >>> lines.begin(epochs=1, steps_per_epoch=4, examples=512)
        >>> lines.epoch_begin(0)
        >>> lines.update(4, {"loss": 0.25}, 512)
        >>> lines.epoch_end(0, {"loss": 0.25, "val_loss": 0.5})
        Epoch 1/1 - 4 steps - 2.0s - 256 images/s - loss: 0.2500 - val_loss: 0.5000
    """

    stream: TextIO
    clock: Callable[[], float] = time.perf_counter
    longest_wait: ClassVar[float] = _SECONDS_OF_SILENCE

    def __post_init__(self) -> None:
        self._pace = Pace(self.clock)

    def begin(self, epochs: int, steps_per_epoch: int | None, examples: int | None) -> None:
        self._pace.begin(epochs, steps_per_epoch)

    def epoch_begin(self, epoch: int) -> None:
        self._pace.epoch_begin(epoch)

    def update(self, step: int, logs: Mapping[str, float], examples_seen: int) -> None:
        self._pace.update(step, logs, examples_seen)

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._pace.epoch_end(logs)
        print(self._pace.line(), file=self.stream, flush=True)

    def end(self) -> None:
        pass


@dataclass
class NotebookLine:
    """One line under the cell that is rewritten in place while an epoch runs and stays when it is over.

    Args:
        stream: Where to write; a carriage return must go back to the start of the line.
        clock: Returns seconds.
    """

    stream: TextIO
    clock: Callable[[], float] = time.perf_counter
    longest_wait: ClassVar[float] = _SECONDS_AT_REST

    def __post_init__(self) -> None:
        self._pace = Pace(self.clock)
        self._drawn = -math.inf
        self._length = 0

    def begin(self, epochs: int, steps_per_epoch: int | None, examples: int | None) -> None:
        self._pace.begin(epochs, steps_per_epoch)

    def epoch_begin(self, epoch: int) -> None:
        self._pace.epoch_begin(epoch)
        self._drawn = -math.inf

    def update(self, step: int, logs: Mapping[str, float], examples_seen: int) -> None:
        self._pace.update(step, logs, examples_seen)
        now = self.clock()
        if now - self._drawn >= 2 * _SECONDS_BETWEEN_REDRAWS:
            self._drawn = now
            self._write(" - ".join(text for text, _ in _live_parts(self._pace)))

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._pace.epoch_end(logs)
        self._write(self._pace.line())
        self._close()

    def end(self) -> None:
        self._close()

    def _write(self, text: str) -> None:
        self.stream.write("\r" + text.ljust(self._length))
        self.stream.flush()
        self._length = len(text)

    def _close(self) -> None:
        if self._length:
            self.stream.write("\n")
            self.stream.flush()
            self._length = 0


class Bar:
    """A live bar at the bottom of the terminal; every finished epoch leaves one line above it.

    Epoch, step and loss are always shown; the bar shrinks and the other figures give way on a narrow terminal.

    Args:
        console: The rich console to draw on.
        clock: Returns seconds.
    """

    longest_wait: ClassVar[float] = _SECONDS_AT_REST

    def __init__(self, console: Console, clock: Callable[[], float] = time.perf_counter):
        self.console = console
        self.clock = clock
        self._pace = Pace(clock)
        self._live: Live | None = None
        self._drawn = -math.inf

    def begin(self, epochs: int, steps_per_epoch: int | None, examples: int | None) -> None:
        from rich.live import Live

        self._pace.begin(epochs, steps_per_epoch)
        # A thread that redraws would take time from the kernels, so updates redraw. Standard output stays where it is
        # unless it is this very terminal: a pipe behind it must get what the program prints.
        self._live = Live(
            console=self.console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=_is_terminal(sys.stdout),
            redirect_stderr=_is_terminal(sys.stderr),
        )
        atexit.register(self.end)
        self._live.start()

    def epoch_begin(self, epoch: int) -> None:
        self._pace.epoch_begin(epoch)
        self._draw()

    def update(self, step: int, logs: Mapping[str, float], examples_seen: int) -> None:
        self._pace.update(step, logs, examples_seen)
        last = step == self._pace.steps_per_epoch
        if last or self.clock() - self._drawn >= _SECONDS_BETWEEN_REDRAWS:
            self._draw()

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._pace.epoch_end(logs)
        self.console.print(self._pace.line(), highlight=False, markup=False, soft_wrap=True)

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self.end)

    def _draw(self) -> None:
        self._drawn = self.clock()
        if self._live is not None:
            self._live.update(bar_line(self._pace, self.console.width - 1, self._characters()), refresh=True)

    def _characters(self) -> str:
        return "━─" if (self.console.encoding or "").lower().startswith("utf") else "#-"


def bar_line(pace: Pace, width: int, characters: str = "━─") -> Text:
    """Lay one line of a bar out for a terminal of `width` columns.

    Args:
        pace: Where the epoch stands.
        width: Columns to fill at most.
        characters: What is drawn for the done part and for the rest.

    Returns:
        A line of at most `width` columns that never wraps.
    """
    from rich.text import Text

    parts = _live_parts(pace)
    room = 0 if pace.steps_per_epoch is None else _NARROWEST_BAR + 2
    kept = {0}
    used = len(parts[0][0]) + room
    for index in sorted(range(1, len(parts)), key=lambda number: parts[number][1]):
        if used + 2 + len(parts[index][0]) > width:
            break
        kept.add(index)
        used += 2 + len(parts[index][0])
    line = Text(parts[0][0], style="bold", no_wrap=True, overflow="ellipsis", end="")
    if pace.steps_per_epoch and used <= width:
        length = min(_NARROWEST_BAR + width - used, _WIDEST_BAR)
        done = min(length * pace.step // pace.steps_per_epoch, length)
        line.append("  ")
        line.append(characters[0] * done, style="not bold cyan")
        line.append(characters[1] * (length - done), style="not bold dim")
    for index in sorted(kept - {0}):
        line.append("  " + parts[index][0], style="not bold")
    line.truncate(width, overflow="ellipsis")
    return line


def format_value(value: float) -> str:
    """Write a loss or a metric with four decimals, and very small or large ones with an exponent.

    Example:
        >>> format_value(0.26331), format_value(3.2e-5), format_value(float("nan"))
        ('0.2633', '3.20e-05', 'nan')
    """
    value = float(value)
    if math.isfinite(value) and value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:.4f}"


def format_seconds(seconds: float) -> str:
    """Write a duration as minutes and seconds, with hours when there are any.

    Example:
        >>> format_seconds(7.4), format_seconds(65), format_seconds(3723)
        ('0:07', '1:05', '1:02:03')
    """
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _live_parts(pace: Pace) -> list[tuple[str, int]]:
    """The pieces of the line in the order they are shown, each with its rank: the lowest ranks stay longest."""
    parts = [(f"Epoch {pace.epoch + 1}/{pace.epochs}", 0)]
    total = pace.steps_per_epoch
    if pace.step == 0:
        return [*parts, ("preparing the first step" if pace.epoch == 0 else "starting", 1)]
    parts.append((f"{pace.step}/{total}" if total else f"step {pace.step}", 1))
    for index, (name, value) in enumerate(_scalars(pace.logs).items()):
        parts.append((f"{name} {format_value(value)}", 2 if index == 0 else 4 + index))
    if pace.images_per_second is not None:
        parts.append((f"{pace.images_per_second:.0f} images/s", 90))
    if pace.seconds_left is not None:
        parts.append((f"{format_seconds(pace.seconds_left)} left", 3))
    return parts


def _scalars(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items() if getattr(value, "ndim", 0) == 0 and _is_number(value)}


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__")


def _is_notebook(stream: TextIO) -> bool:
    return type(stream).__module__.partition(".")[0] == "ipykernel"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
