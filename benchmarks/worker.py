"""One engine in a process of its own: it reads one JSON message a line and answers each with one.

``{"do": "prepare", "task": …, "options": …, "folder": …, "least": seconds}`` builds the task, warms it up and finds how
many calls one repetition has; ``{"do": "run"}`` times one repetition; the end of the input ends the process.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import math
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import tasks
from engines.program import NotOffered, Program


class Worker:
    """Answers messages for one engine.

    Args:
        engine: A module with ``prepare(task, options, folder)`` and ``describe()``.
    """

    def __init__(self, engine: Any):
        self._engine = engine
        self._program: Program | None = None
        self._calls = 1

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a message; what this library cannot do is an answer, too."""
        try:
            return self._run() if message["do"] == "run" else self._prepare(message)
        except NotOffered as problem:
            return {"problem": str(problem)}
        except Exception as problem:  # whatever a library throws is this configuration's result
            first = str(problem).strip().splitlines()[:1]
            return {"problem": f"{type(problem).__name__}: {''.join(first)[:200]}"}

    def _prepare(self, message: dict[str, Any]) -> dict[str, Any]:
        self._program = None
        gc.collect()
        forget_peak_memory()
        task = tasks.from_message(message["task"])
        program = self._engine.prepare(task, message["options"], Path(message["folder"]))
        compilation = seconds_of(program, 1)
        once = seconds_of(program, 1)
        self._calls = max(1, math.ceil(message["least"] / once))
        if self._calls > 1:
            once = seconds_of(program, self._calls) / self._calls
            self._calls = max(1, math.ceil(message["least"] / once))
        self._program = program
        checks = [float(np.mean(np.abs(array))) for array in program.result()] if program.result else []
        return {
            "parameters": program.parameters,
            "checks": checks,
            "first_call": compilation,
            "repetition": once * self._calls,
        }

    def _run(self) -> dict[str, Any]:
        if self._program is None:
            return {"problem": "nothing was prepared"}
        before = page_faults()
        taken = seconds_of(self._program, self._calls) / self._calls
        return {
            "seconds": taken,
            "faults": (page_faults() - before) / self._calls,
            "peak_memory": peak_memory(),
        }


def seconds_of(program: Program, calls: int) -> float:
    """Return the seconds of some calls."""
    began = time.perf_counter()
    for _ in range(calls):
        program.run()
    return time.perf_counter() - began


def page_faults() -> int:
    """Return how often this process asked for memory that the system had to give first."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def forget_peak_memory() -> None:
    """Start to look for the most resident memory anew, where the system can (Linux)."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5", encoding="ascii")


def peak_memory() -> int:
    """Return the most resident memory in bytes since it was forgotten; since the start where it cannot be."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    marks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    # macOS counts bytes
    return marks[0] if marks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def serve(engine: Any, questions: TextIO, answers: TextIO) -> None:
    """Say that the engine is here, then answer until the questions end."""
    worker = Worker(engine)
    print(json.dumps({"ready": engine.describe()}), file=answers, flush=True)
    for line in questions:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", help="file in engines/, without its ending")
    parser.add_argument("--cores", type=int, default=0, help="how many processor cores it may use; default: all")
    options = parser.parse_args()
    if options.cores:
        # Before any library counts them. XLA, PyTorch and ONNX Runtime make as many threads as they may use cores.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    # Some libraries print: the answers get a channel of their own, and what is printed goes to the log.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        engine = importlib.import_module(f"engines.{options.engine}")
    except ImportError as problem:
        print(json.dumps({"problem": f"not installed: {problem}"}), file=answers, flush=True)
        sys.exit(0)
    serve(engine, sys.stdin, answers)


if __name__ == "__main__":
    main()
