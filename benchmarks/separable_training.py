"""Row 4: training a network of depthwise-separable convolutions, like MobileNet."""

from __future__ import annotations

from goals import Faster, also_with_memory_kept
from rows import BFLOAT16_TRAINERS, FLOAT32_TRAINERS, Row, Size, per_step
from tasks import Training

TORCH = ("torch", "torch-last", "torch-last-malloc", "torch-compile")


# Seconds of training a turn, as in an epoch. With less, memory that a turn gives back goes to the host of a virtual
# machine while the others have theirs, and the next turn waits for it: single steps of ResNet-18 took 1.1 to 1.9 s.
def row(size: Size) -> Row:
    task = Training("separable", 4, 4) if size.quick else Training("separable", 128, 5120)
    cases = (
        per_step("fp32", task, ("convista", "convista-malloc", "convista-xla", *FLOAT32_TRAINERS)),
        per_step("bf16", task, ("convista-bf16", *BFLOAT16_TRAINERS)),
    )
    goals = also_with_memory_kept(Faster("≥ 1.5× faster than torch", 1.5, ("fp32",), TORCH))
    return Row(4, f"Training a depthwise-separable network on 32×32×3, batch {task.batch}", cases, goals)
