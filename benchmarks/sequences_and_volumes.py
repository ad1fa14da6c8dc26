"""Row 5: convolutions along one axis, dilated and transposed, and along three; forward and both gradients."""

from __future__ import annotations

from goals import Faster, also_with_memory_kept
from rows import Case, Row, Size
from tasks import Convolution

ALL = ("forward", "dx", "dw")
TORCH = ("torch", "torch-last", "torch-last-malloc")
XLA = ("jax", "jax-no-ynn")
NAIVE = 0.005
"""XLA's naive loop reaches a twentieth of a percent of the peak, its convolution through Eigen several percent."""


def row(size: Size) -> Row:
    length, side = (600, 8) if size.quick else (60_000, 64)
    tasks = {
        "1-D dilation 16, 64→64, 3": Convolution(1, (length,), 64, 64, 3, pad=16, dilation=16, passes=ALL),
        "1-D dilation 64, 64→64, 3": Convolution(1, (length,), 64, 64, 3, pad=64, dilation=64, passes=ALL),
        "1-D transposed stride 4, 64→32, 8": Convolution(
            1, (length,), 32, 64, 8, stride=4, pad=2, passes=ALL, transposed=True
        ),
        "3-D 16→32, 3×3×3": Convolution(1, (side,) * 3, 16, 32, 3, pad=1, passes=ALL),
    }
    cases = tuple(
        Case(name, task, ("convista", "convista-malloc", *TORCH, "convista-xla", *XLA)) for name, task in tasks.items()
    )
    goals = (
        *also_with_memory_kept(Faster("≥ 1.5× faster than torch", 1.5, tuple(tasks), TORCH)),
        Faster("≥ 10× faster than XLA where it falls to its naive loop", 10.0, tuple(tasks), XLA, below=NAIVE),
    )
    return Row(5, f"Sequences of {length} and volumes of {side}³, forward and both gradients", cases, goals)
