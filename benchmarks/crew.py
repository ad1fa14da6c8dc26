"""The driver's side: worker processes, one for each configuration, that take turns."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from configurations import CONFIGURATIONS, Configuration
from figures import Measured
from machine import SETTINGS
from rows import Case
from tasks import to_message

HERE = Path(__file__).parent

# Thread pools of some libraries look for work a while before they sleep, and would take it from the next in turn.
_SETTLE_SECONDS = 0.1

_GONE = ""

# Mean sizes of results from the same numbers: float32 agrees to 1e-5, a wrong padding or stride changes percents.
_SAME = 2e-3


@dataclass(frozen=True)
class Pace:
    """How long is measured.

    Args:
        turns: Timed repetitions of each configuration.
        least: Seconds that a repetition takes at least; short tasks are called often enough.
        patience: Seconds for all turns of a configuration in a case; whoever is slower gets fewer turns, at least one.
        limit: Seconds after which an answer is no longer waited for.
    """

    turns: int = 5
    least: float = 0.2
    patience: float = 120.0
    limit: float = 900.0


class Process:
    """A worker process; what goes wrong with it is an answer with a ``problem``.

    Args:
        command: Its command line.
        environment: Its variables.
        limit: Seconds to wait for an answer.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], limit: float):
        self._limit = limit
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - until end()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.hello = self._hear()

    @property
    def fallen(self) -> bool:
        """Whether it was ready and is no more: the next case deserves a new one."""
        return "ready" in self.hello and self._process.poll() is not None

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and return the answer."""
        if self._process.poll() is not None:
            return self._ended()
        try:
            print(json.dumps(message), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return self._ended()
        return self._hear()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(_GONE)

    def _hear(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self._limit)
        except queue.Empty:
            self._process.kill()
            return {"problem": f"no answer in {self._limit:.0f} s"}
        return self._ended() if line == _GONE else json.loads(line)

    def _ended(self) -> dict[str, Any]:
        code = self._process.wait()
        self._log.seek(0)
        last = self._log.read().strip().splitlines()[-1:]
        return {"problem": f"its process ended with {code}: {''.join(last)[:200]}".rstrip(": ")}


@dataclass(frozen=True)
class Absent:
    """Stands for a worker that cannot be started.

    Args:
        hello: Says why.
    """

    hello: dict[str, Any]
    fallen = False

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Say it again."""
        return self.hello

    def end(self) -> None:
        """There is nothing to end."""


@dataclass
class Crew:
    """Starts workers when they are first needed and keeps them.

    Args:
        peers: The Python of the peers' environment.
        folder: Where the pictures are.
        pace: How long is measured.
        start: Makes the process of a configuration; tests put their own here.
    """

    peers: Path
    folder: Path
    pace: Pace
    start: Callable[[Crew, Configuration], Process | Absent] | None = None
    _processes: dict[str, Process | Absent] = field(default_factory=dict)

    def measure(self, case: Case, names: Sequence[str], between: Callable[[], None]) -> dict[str, Measured]:
        """Let the configurations prepare a case one after the other, then take turns, one repetition each.

        Args:
            case: What to do.
            names: Which of its configurations.
            between: Called once before every round.

        Returns:
            The times, or what kept a configuration from having any.
        """
        if not names:  # none of those that were asked for takes part
            return {}
        measured = {name: Measured(case.scale, case.task.operations(), case.task.steps) for name in names}
        turns = {name: self._prepare(name, case, measured[name]) for name in names}
        _compare(measured)
        for turn in range(self.pace.turns):
            between()
            # Nobody is always the one after the same neighbour's heat.
            for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
                if turn < turns[name]:
                    self._take_turn(name, measured[name])
        return measured

    def dismiss(self) -> None:
        """End all workers."""
        for process in self._processes.values():
            process.end()
        self._processes.clear()

    def _prepare(self, name: str, case: Case, measured: Measured) -> int:
        """Return how many turns the configuration gets."""
        if name in self._processes and self._processes[name].fallen:
            self._processes.pop(name).end()
        configuration = CONFIGURATIONS[name]
        message = {
            "do": "prepare",
            "task": to_message(case.task),
            "options": configuration.options,
            "folder": str(self.folder),
            "least": self.pace.least,
        }
        hello = self._process(name).hello
        answer = hello if "problem" in hello else self._process(name).ask(message)
        measured.details = hello.get("ready", {}) | answer
        measured.problem = answer.get("problem") or _other_work(answer, case)
        if measured.problem:
            return 0
        return max(1, min(self.pace.turns, int(self.pace.patience / answer["repetition"])))

    def _take_turn(self, name: str, measured: Measured) -> None:
        if measured.problem:
            return
        time.sleep(_SETTLE_SECONDS)
        answer = self._process(name).ask({"do": "run"})
        measured.problem = answer.get("problem")
        if not measured.problem:
            measured.seconds.append(answer["seconds"])
            measured.faults.append(answer["faults"])
            measured.peak_memory = answer["peak_memory"]

    def _process(self, name: str) -> Process | Absent:
        if name not in self._processes:
            start = self.start or start_worker
            self._processes[name] = start(self, CONFIGURATIONS[name])
        return self._processes[name]


def _compare(measured: dict[str, Measured]) -> None:
    """Take out whoever computes something else than the first that shows its results."""
    shown = {name: each.details["checks"] for name, each in measured.items() if each.details.get("checks")}
    for name, values in shown.items():
        expected = next(iter(shown.values()))
        pairs = zip(values, expected, strict=False)
        if len(values) != len(expected) or any(abs(value - other) > _SAME * other for value, other in pairs):
            measured[name].problem = f"it computes something else: {values} instead of {expected}"


def _other_work(answer: dict[str, Any], case: Case) -> str | None:
    expected = case.task.parameters()
    if answer["parameters"] == expected:
        return None
    return f"it builds another network: {answer['parameters']} parameters instead of {expected}"


def start_worker(crew: Crew, configuration: Configuration) -> Process | Absent:
    """Start the worker of a configuration in its environment, without the settings that are to be compared."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    python = sys.executable if configuration.ours else str(crew.peers)
    if not configuration.ours:
        environment.pop("PYTHONPATH", None)
        if not crew.peers.exists():
            return Absent({"problem": f"missing: there is no {crew.peers} (make bench-peers)"})
    command = [python, str(HERE / "worker.py"), configuration.engine, "--cores", str(configuration.cores)]
    return Process(command, environment | configuration.environment, crew.pace.limit)
