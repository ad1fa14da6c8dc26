"""Ctrl-C and SIGTERM during training: nothing learned is lost, and a second signal stops at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """Raised where a signal reaches a training, in place of Python's own interruption."""


class Interruption:
    """Turns the first SIGINT or SIGTERM of a training into `Stopped` and remembers which it was.

    The trainer keeps the weights of the last finished call whatever ends it, so the exception costs the steps of the
    running call at most. An exception raised while Python collects garbage is swallowed; therefore the model is told to
    stop as well.

    Args:
        model: Its ``stop_training`` is set.

    Example:
        >>> from types import SimpleNamespace
        >>> model = SimpleNamespace(stop_training=False)
        >>> with Interruption(model) as interruption:
        ...     signal.raise_signal(signal.SIGTERM)
        >>> interruption.signal == signal.SIGTERM, model.stop_training
        (True, True)
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._release()
        return kind is Stopped

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self.model.stop_training = True
        self._release()
        raise Stopped

    def _release(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
