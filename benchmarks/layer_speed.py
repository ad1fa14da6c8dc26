"""Row 2: forward, gradient by the input and gradient by the kernel of single convolutions."""

from __future__ import annotations

from goals import Faster, Share, also_with_memory_kept
from rows import Case, Row, Size
from tasks import Convolution

BATCH = 32

SHAPES = {
    "32² 3→64 3×3": (32, 3, 64, 3, 1, 1),
    "56² 64→64 3×3": (56, 64, 64, 3, 1, 1),
    "28² 128→128 3×3": (28, 128, 128, 3, 1, 1),
    "14² 256→256 3×3": (14, 256, 256, 3, 1, 1),
    "7² 512→512 3×3": (7, 512, 512, 3, 1, 1),
    "4² 512→512 3×3": (4, 512, 512, 3, 1, 1),
    "28² 128→256 3×3 stride 2": (28, 128, 256, 3, 2, 1),
    "14² 256→512 1×1": (14, 256, 512, 1, 1, 0),
    "28² 128→256 1×1 stride 2": (28, 128, 256, 1, 2, 0),
    "14² 64→96 5×5": (14, 64, 96, 5, 1, 2),
    "112² 3→64 7×7 stride 2": (112, 3, 64, 7, 2, 3),
    "28² 64→64 7×7": (28, 64, 64, 7, 1, 3),
    "14² 100→100 3×3": (14, 100, 100, 3, 1, 1),
}
"""Side, channels, filters, kernel, stride, padding. With batches of 1 to 16, as these were measured once, most calls
took one or two milliseconds, and the figures were those of handing over arguments and waking threads."""

PEERS = ("torch-last", "torch-last-malloc")


def row(size: Size) -> Row:
    shapes = dict(list(SHAPES.items())[:2]) if size.quick else SHAPES
    cases = tuple(
        Case(f"{name} {direction}", _task(shape, direction), ("convista", "convista-malloc", *PEERS))
        for name, shape in shapes.items()
        for direction in ("forward", "dx", "dw")
    )
    names = tuple(case.name for case in cases)
    goals = (
        *also_with_memory_kept(Share("each ≥ 70 % of the fp32 peak", 0.70, names)),
        *also_with_memory_kept(Faster("none slower than torch channels_last (oneDNN)", 1.0, names, PEERS)),
    )
    return Row(2, "Single convolutions through jax.jit", cases, goals)


def _task(shape: tuple[int, ...], direction: str) -> Convolution:
    side, channels, filters, kernel, stride, pad = shape
    return Convolution(BATCH, (side, side), channels, filters, kernel, stride, pad, passes=(direction,))
