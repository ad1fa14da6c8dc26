"""How long one waits: for ``import convista``, for ``--help``, and for the first training step of the demo.

Run it with ``python benchmarks/startup.py``. Every figure is that of a new process, Python's own start included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine, write

RESULTS = Path(__file__).parent / "results" / "startup.json"

# Runs the real demo and leaves when the loop reports its first step.
FIRST_STEP = """
import os, sys
import convista.models.model as model
from convista.training.progress import Silent

class Leave(Silent):
    def update(self, *values):
        print("first step", flush=True)
        os._exit(0)

model.make_progress = lambda verbose: Leave()
from convista.cli import main
main(["demo", "--quiet", "--out", sys.argv[1]])
"""


def main() -> None:
    options = read_options()
    python = [sys.executable, "-c"]
    document = {"benchmark": "startup", "machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "python alone": repeated([*python, "pass"], options.repeats),
            "import convista": repeated([*python, "import convista"], options.repeats),
            "convista --help": repeated([sys.executable, "-m", "convista", "--help"], options.repeats),
            "import jax": repeated([*python, "import jax"], options.repeats),
            "demo's first step, empty cache": [first_step(folder, "cold")],
            "demo's first step, full cache": [first_step(folder, f"warm{turn}") for turn in range(options.repeats)],
        }
    document["figures"] = {name: {"seconds": statistics.median(each), "each": each} for name, each in figures.items()}
    on = document["machine"]
    print(f"{on['processor']}, {on['cores']} cores, load {on['load_before']}, jax {on['versions'].get('jax')}")
    for name, row in document["figures"].items():
        print(f"{name:<32} {row['seconds']:>7.3f} s")
    write(options.out, document)


def repeated(command: list[str], repeats: int) -> list[float]:
    """Return the seconds of some runs; one before them fills the file cache and is not counted."""
    return [run(command) for _ in range(repeats + 1)][1:]


def first_step(folder: str, name: str) -> float:
    """Return the seconds until the demo's first step, with a compilation cache of its own for this benchmark."""
    home = {"CONVISTA_HOME": os.path.join(folder, "home")}
    return run([sys.executable, "-c", FIRST_STEP, os.path.join(folder, name)], home, "first step\n")


def run(command: list[str], settings: dict[str, str] | None = None, says: str | None = None) -> float:
    """Return the seconds of a command, which must end well and, if ``says`` is given, must have said just that."""
    began = time.perf_counter()
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | (settings or {}), timeout=300
    )
    taken = time.perf_counter() - began
    if says is not None and done.stdout != says:
        sys.exit(f"{command[:2]} was to say {says!r} and said {done.stdout!r}")
    return taken


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
