"""Row 1: one epoch of the lecture convnet on MNIST, batch 128, in float32 and in bfloat16."""

from __future__ import annotations

from goals import Faster, Share
from rows import BFLOAT16_TRAINERS, FLOAT32_TRAINERS, Case, Row, Size
from tasks import Training

EXAMPLES = 60_000


def row(size: Size) -> Row:
    batch = 128
    examples = EXAMPLES if size.whole_epochs else batch * (5 if size.quick else 100)
    task = Training("lecture", batch, examples, pictures="mnist")
    scale = EXAMPLES / examples
    cases = (
        Case("fp32", task, ("convista", "convista-xla", *FLOAT32_TRAINERS), scale, "epoch"),
        Case("bf16", task, ("convista-bf16", *BFLOAT16_TRAINERS), scale, "epoch"),
    )
    goals = (
        Faster("fp32: ≥ 2× faster than the best fp32 peer", 2.0, ("fp32",), FLOAT32_TRAINERS),
        Share("fp32: ≥ 65 % of the fp32 peak", 0.65, ("fp32",)),
        Faster("bf16: ≥ 1.8× faster than torch bf16", 1.8, ("bf16",), BFLOAT16_TRAINERS, "convista-bf16"),
    )
    part = "whole epochs" if size.whole_epochs else f"{task.steps} steps, scaled to an epoch of 60 000"
    return Row(1, f"Training the lecture convnet on MNIST, batch {batch}: {part}", cases, goals)
