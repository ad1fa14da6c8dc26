"""The float32 multiply-add peak of the machine, measured in every round: at the same clock as the kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BURSTS = 200


@dataclass
class Peak:
    """The best burst so far.

    Args:
        program: What ``build`` returned; ``None`` measures nothing.
        problem: Why there is no program.
        best: Operations per second.
    """

    program: Path | None
    problem: str | None = None
    best: float | None = None
    each: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Burst on all cores at once."""
        if self.program is None:
            return
        command = [str(self.program), str(len(os.sched_getaffinity(0))), str(_BURSTS)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60)
        self.each.append(float(done.stdout))
        self.best = max(self.each)


def build() -> Peak:
    """Compile native/tests/fma_peak.cc with the cmake of this environment, or else that of the system."""
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
    if cmake is None:
        return Peak(None, "there is no cmake")
    folder = ROOT / "build" / "bench"
    for arguments in (
        ["-S", str(ROOT / "native"), "-B", str(folder)],
        ["--build", str(folder), "--target", "fma_peak"],
    ):
        done = subprocess.run(
            [cmake, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600
        )
        if done.returncode:
            return Peak(None, f"cmake {arguments[0]}: {''.join(done.stdout.strip().splitlines()[-1:])}")
    return Peak(folder / "fma_peak")
