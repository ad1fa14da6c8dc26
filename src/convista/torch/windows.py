"""How PyTorch writes windows: one number or one an axis, padding as numbers on both sides, borders by name."""

from __future__ import annotations

from convista import arguments
from convista.errors import ShapeError
from convista.layers import Lambda
from convista.torch.module import Module, Shape, Step

Pads = tuple[tuple[int, int], ...]

# What PyTorch's padding_mode is called in numpy.pad.
BORDERS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def numbers(value: object, rank: int, name: str, where: str, minimum: int = 1) -> tuple[int, ...]:
    """Return one whole number an axis; a sequence of one number is that number for all axes.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    return arguments.integers(value, rank, name, where=where, minimum=minimum)


def both_sides(padding: tuple[int, ...]) -> Pads:
    """Return ``(before, after)`` for numbers that count on both sides."""
    return tuple((number, number) for number in padding)


def border(module: Module, mode: str, pads: Pads, shape: Shape) -> Step:
    """Return the layer that puts copies of the picture's own cells around it.

    Raises:
        ShapeError: The picture has fewer cells than are asked for.
    """
    for size, pair in zip(shape[1:], pads, strict=True):
        most = {"reflect": size - 1, "circular": size}.get(mode, max(pair))
        if max(pair) > most:
            raise ShapeError(
                f"padding_mode={mode!r} copies at most {most} of {size} cells",
                where=repr(module),
                received=f"padding {max(pair)} for an input of shape {tuple(shape)}, channels first",
                fix='Pad less, or with padding_mode="zeros" or "replicate"',
            )
    return Step(Lambda("pad", {"widths": pads, "mode": BORDERS[mode]}))
