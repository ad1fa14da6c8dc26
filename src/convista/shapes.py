"""Output sizes, receptive fields, multiply–accumulates: integer arithmetic, no JAX."""

from __future__ import annotations

import math
from dataclasses import dataclass

from convista.arguments import Shape
from convista.errors import ShapeError


@dataclass(frozen=True)
class Window:
    """A window that slides over the spatial axes: the geometry shared by convolution and pooling.

    Args:
        size: Window size along each spatial axis.
        strides: Step along each axis.
        dilation: Distance between neighbouring taps along each axis; 1 means adjacent.
        padding: ``"valid"`` (none), ``"same"`` (output size = ⌈input / stride⌉) or one ``(before, after)`` an axis.
        noun: What the window is called in messages.

    Source: V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016; lectures 000–002.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str | tuple[tuple[int, int], ...] = "valid"
    noun: str = "kernel"

    @property
    def span(self) -> tuple[int, ...]:
        """Cells from the first tap to the last, along each axis: ``(size − 1)·dilation + 1``."""
        return tuple((size - 1) * dilation + 1 for size, dilation in zip(self.size, self.dilation, strict=True))

    def pads(self, sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Return the zeros added ``(before, after)`` each axis of an input of these sizes.

        With ``"same"`` the total is ``max((⌈size/stride⌉ − 1)·stride + span − size, 0)``, the odd one after: the rule
        of TensorFlow.
        """
        if not isinstance(self.padding, str):
            return self.padding
        if self.padding == "valid":
            return ((0, 0),) * len(sizes)
        totals = [
            max((-(-size // stride) - 1) * stride + span - size, 0)
            for size, stride, span in zip(sizes, self.strides, self.span, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)

    def output_sizes(self, sizes: Shape) -> Shape:
        """Return the number of window positions along each axis: ``(size + padding − span) // stride + 1``.

        Raises:
            ShapeError: The window is larger than the padded input.

        Example:
            >>> Window((3, 2), (2, 3), (1, 1)).output_sizes((28, 56))
            (13, 19)
        """
        result = tuple(None if size is None else self.positions(axis, size) for axis, size in enumerate(sizes))
        if any(size is not None and size < 1 for size in result):
            span = "" if self.span == self.size else f" (spanning {times(self.span)} with its dilation)"
            article = "an" if str(self.size[0]).startswith("8") or self.size[0] in (11, 18) else "a"
            raise ShapeError(f"{article} {times(self.size)} {self.noun}{span} does not fit a {times(sizes)} input")
        return result

    def positions(self, axis: int, size: int) -> int:
        """Return the number of window positions along one axis; below 1 where the window does not fit."""
        padding = 0 if self.padding == "valid" else self._total_padding(axis, size)
        return (size + padding - self.span[axis]) // self.strides[axis] + 1

    def _total_padding(self, axis: int, size: int) -> int:
        alone = Window((self.size[axis],), (self.strides[axis],), (self.dilation[axis],), self._padding_of(axis))
        return sum(alone.pads((size,))[0])

    def _padding_of(self, axis: int) -> str | tuple[tuple[int, int], ...]:
        return self.padding if isinstance(self.padding, str) else (self.padding[axis],)

    def formula(self, axis: int, size: int, name: str = "output") -> str:
        """Return the worked line for one axis, with the user's numbers.

        Example:
            >>> Window((3, 3), (1, 1), (1, 1), "same").formula(0, 28, "output_h")
            'output_h = (28 + 2 − 3) // 1 + 1 = 28'
        """
        padding = self._total_padding(axis, size)
        signed = str(self.positions(axis, size)).replace("-", "−")
        return f"{name} = ({size} + {padding} − {self.span[axis]}) // {self.strides[axis]} + 1 = {signed}"


@dataclass(frozen=True)
class ReceptiveField:
    """Which cells of the network's input one cell of a layer depends on.

    Args:
        size: Input cells seen along each axis.
        stride: Input cells between neighbouring cells of this layer, along each axis.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def start(cls, rank: int) -> ReceptiveField:
        """Return the field of an input cell: itself."""
        return cls((1,) * rank, (1,) * rank)

    def through(self, window: Window) -> ReceptiveField:
        """Return the field after a window: ``size + (span − 1)·stride``, ``stride·window stride``.

        Example:
            >>> ReceptiveField.start(1).through(Window((3,), (1,), (1,))).through(Window((2,), (2,), (1,)))
            ReceptiveField(size=(4,), stride=(2,))
        """
        return ReceptiveField(
            tuple(
                size + (span - 1) * step for size, span, step in zip(self.size, window.span, self.stride, strict=True)
            ),
            tuple(step * stride for step, stride in zip(self.stride, window.strides, strict=True)),
        )

    def union(self, other: ReceptiveField) -> ReceptiveField:
        """Return the field of a merge of two branches: the larger of both along each axis."""
        return ReceptiveField(
            tuple(map(max, self.size, other.size)),
            tuple(map(max, self.stride, other.stride)),
        )


def times(sizes: Shape) -> str:
    """Return sizes as people write them.

    Example:
        >>> times((26, 26, 32))
        '26×26×32'
    """
    return "×".join("?" if size is None else str(size) for size in sizes)


def count(shape: Shape) -> int:
    """Return the number of elements of a known shape (1 for the empty shape).

    Example:
        >>> count((22, 22, 128))
        61952
    """
    return math.prod(size for size in shape if size is not None)


def bytes_text(number: int) -> str:
    """Return a number of bytes as the lectures' summaries print it.

    Example:
        >>> bytes_text(104202 * 4), bytes_text(712202 * 4), bytes_text(0)
        ('407.04 KB', '2.72 MB', '0.00 Byte')
    """
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("KB", 1)):
        if number >= 1024**power:
            return f"{number / 1024**power:.2f} {unit}"
    return f"{number:.2f} Byte"
