"""Row 7: what decides the cost of training the lecture convnet: pictures, batch, threads, and the kind of loop."""

from __future__ import annotations

from goals import Equal, Faster, Linear
from rows import Case, Row, Size, per_step
from tasks import Training

OURS = ("convista",)


def row(size: Size) -> Row:
    unit = 1 if size.quick else 50
    factors = (1, 2, 4) if size.quick else (1, 2, 4, 8, 16)
    sizes = (1, 16, 128) if size.quick else (1, 4, 16, 64, 128, 256, 512, 1024)
    pictures = {f"pictures ×{factor}": Training("lecture", 128, 128 * unit * factor) for factor in factors}
    # At least eight steps, and as many pictures as make about a tenth of a second.
    batches = {
        f"batch {batch}": Training("lecture", batch, batch * max(unit * 64 // batch, 8), form="loop") for batch in sizes
    }
    steps = Training("lecture", 128, 128 * unit)
    forms = {form: Training("lecture", 128, 128 * unit, form=form) for form in ("loop", "scan")}
    cases = (
        *(Case(name, task, OURS, 1.0, "pass") for name, task in pictures.items()),
        *(per_step(name, task, OURS) for name, task in batches.items()),
        per_step("threads", steps, ("convista-1-thread", "convista-2-threads")),
        *(
            per_step(name, task, OURS if size.quick else (*OURS, "convista-xla", "jax-no-ynn"))
            for name, task in forms.items()
        ),
    )
    amounts = tuple((name, float(factor)) for name, factor in zip(pictures, factors, strict=True))
    by_batch = tuple((name, float(batch)) for name, batch in zip(batches, sizes, strict=True))
    one = ("convista-1-thread",)
    goals = (
        Linear("pictures ×1…16: proportional within 5 %", 0.05, amounts, through_zero=True),
        Linear("batch 1…1024: on a straight line within 5 %", 0.05, by_batch, through_zero=False),
        Faster("2 threads ≥ 1.8× of 1", 1.8, ("threads",), one, "convista-2-threads"),
        Equal("scan = loop within 5 %", 0.05, ("scan", "loop")),
    )
    return Row(7, "What the cost of training the lecture convnet grows with", cases, goals)
