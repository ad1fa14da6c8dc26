"""Row 3: training ResNet-18 on 32×32 pictures."""

from __future__ import annotations

from goals import Faster, also_with_memory_kept
from rows import BFLOAT16_TRAINERS, FLOAT32_TRAINERS, Row, Size, per_step
from tasks import Training


# Seconds of training a turn, as in an epoch. With less, memory that a turn gives back goes to the host of a virtual
# machine while the others have theirs, and the next turn waits for it: single steps of ResNet-18 took 1.1 to 1.9 s.
def row(size: Size) -> Row:
    task = Training("resnet18", 4, 4) if size.quick else Training("resnet18", 128, 768)
    cases = (
        per_step("fp32", task, ("convista", "convista-malloc", "convista-xla", *FLOAT32_TRAINERS)),
        per_step("bf16", task, ("convista-bf16", *BFLOAT16_TRAINERS)),
    )
    goals = also_with_memory_kept(
        Faster("≥ 1.4× faster than torch channels_last", 1.4, ("fp32",), ("torch-last", "torch-last-malloc"))
    )
    return Row(3, f"Training ResNet-18 on 32×32×3, batch {task.batch}", cases, goals)
