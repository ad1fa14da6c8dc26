"""Output sizes, receptive fields, multiply–accumulates: integer arithmetic, no JAX."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from convista.arguments import Shape
from convista.errors import ShapeError

AXIS_NAMES = {1: ("length",), 2: ("h", "w"), 3: ("d", "h", "w")}
"""What the spatial axes are called in formulas, by their number: ``output_h``."""

AXIS_NOUNS = {1: ("cell",), 2: ("row", "column"), 3: ("slice", "row", "column")}
"""What one step along each axis is called in sentences."""


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
            if len(sizes) == 1:
                raise ShapeError(f"a {self.noun} of {self.size[0]}{span} does not fit an input of {sizes[0]}")
            article = "an" if str(self.size[0]).startswith("8") or self.size[0] in (11, 18) else "a"
            raise ShapeError(f"{article} {times(self.size)} {self.noun}{span} does not fit a {times(sizes)} input")
        return result

    def positions(self, axis: int, size: int) -> int:
        """Return the number of window positions along one axis; below 1 where the window does not fit."""
        padding = 0 if self.padding == "valid" else self._total_padding(axis, size)
        return (size + padding - self.span[axis]) // self.strides[axis] + 1

    def unseen(self, sizes: Shape) -> tuple[int, ...]:
        """Return how many cells at the end of each axis no position of the window touches.

        Example:
            >>> Window((2, 2), (2, 2), (1, 1)).unseen((15, 14))
            (1, 0)
        """
        left = []
        for axis, size in enumerate(sizes):
            padding = 0 if size is None or self.padding == "valid" else self._total_padding(axis, size)
            rest = 0 if size is None else (size + padding - self.span[axis]) % self.strides[axis]
            left.append(max(rest - self._padding_after(axis, size), 0))
        return tuple(left)

    def touched(self, axis: int, size: int) -> int:
        """Return how many of the cells along one axis at least one position of the window has a tap on.

        Fewer than all are touched where the last cells do not fill a step, and where a step is longer than the window.

        Example:
            >>> Window((2,), (2,), (1,)).touched(0, 15), Window((1,), (2,), (1,)).touched(0, 14)
            (14, 7)
        """
        before = self.pads((size,) * len(self.size))[axis][0]
        positions, taps = self.positions(axis, size), self.size[axis]
        stride, dilation = self.strides[axis], self.dilation[axis]
        if stride > 1 and dilation > 1:
            places = {place * stride + tap * dilation - before for place in range(positions) for tap in range(taps)}
            return sum(0 <= place < size for place in places)
        # Rows of touching cells: one a position, or, where the window itself has holes, one a tap.
        rows = (positions, stride, taps) if dilation == 1 else (taps, dilation, positions)
        return _covered(before + size, *rows) - _covered(before, *rows)

    def _padding_after(self, axis: int, size: int | None) -> int:
        if size is None or self.padding == "valid":
            return 0
        alone = Window((self.size[axis],), (self.strides[axis],), (self.dilation[axis],), self._padding_of(axis))
        return alone.pads((size,))[0][1]

    def _total_padding(self, axis: int, size: int) -> int:
        return sum(self._padding_pair(axis, size))

    def _padding_pair(self, axis: int, size: int) -> tuple[int, int]:
        alone = Window((self.size[axis],), (self.strides[axis],), (self.dilation[axis],), self._padding_of(axis))
        return alone.pads((size,))[0]

    def _padding_of(self, axis: int) -> str | tuple[tuple[int, int], ...]:
        return self.padding if isinstance(self.padding, str) else (self.padding[axis],)

    def formula(self, axis: int, size: int, name: str = "output") -> str:
        """Return the worked line for one axis, with the user's numbers.

        Example:
            >>> Window((3, 3), (1, 1), (1, 1), "same").formula(0, 28, "output_h")
            'output_h = (28 + 2·1 − 3) // 1 + 1 = 28'
        """
        before, after = self._padding_pair(axis, size)
        padding = f"2·{before}" if before == after else f"{before} + {after}"
        signed = str(self.positions(axis, size)).replace("-", "−")
        return f"{name} = ({size} + {padding} − {self.span[axis]}) // {self.strides[axis]} + 1 = {signed}"


def _covered(cells: int, rows: int, step: int, length: int) -> int:
    """Return how many of the first cells lie in one of the rows, which begin ``step`` apart and have this length."""
    if length >= step:
        return min(cells, (rows - 1) * step + length)
    whole, rest = divmod(cells, step)
    return rows * length if whole >= rows else whole * length + min(rest, length)


@dataclass(frozen=True)
class TransposedWindow:
    """A window laid out once for each cell of its input: the geometry of a transposed convolution.

    Args:
        size: Window size along each spatial axis.
        strides: Cells of the output from one cell of the input to the next, along each axis.
        dilation: Distance between neighbouring taps.
        padding: ``"valid"`` keeps all that the windows touch; ``"same"`` makes ``input · stride``.
        output_padding: Cells added at the end; ``None`` fills up to the sizes above.

    Source: V. Dumoulin, F. Visin, «A guide to convolution arithmetic for deep learning», 2016; Keras's rules.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str = "valid"
    output_padding: tuple[int, ...] | None = None

    @property
    def span(self) -> tuple[int, ...]:
        """Cells from the first tap to the last, along each axis."""
        return tuple((size - 1) * dilation + 1 for size, dilation in zip(self.size, self.dilation, strict=True))

    def _extra(self, axis: int) -> int:
        """Return what the size has beyond ``(input − 1)·stride``: the last window, or what is kept of it."""
        span, stride = self.span[axis], self.strides[axis]
        if self.output_padding is None:
            return max(span, stride) if self.padding == "valid" else stride
        return (span if self.padding == "valid" else span % 2) + self.output_padding[axis]

    def output_sizes(self, sizes: Shape) -> Shape:
        """Return the sizes that come out.

        ``(input − 1)·stride + span + output_padding`` where nothing is cut off; with ``"same"``, ``input · stride`` or,
        if ``output_padding`` is given, ``(input − 1)·stride + span % 2 + output_padding``.

        Raises:
            ShapeError: Nothing is left.

        Example:
            >>> TransposedWindow((2, 2), (2, 2), (1, 1)).output_sizes((7, 7))
            (14, 14)
            >>> TransposedWindow((2, 2), (2, 2), (1, 1), output_padding=(1, 1)).output_sizes((7, 7))
            (15, 15)
        """
        result = tuple(
            None if size is None else (size - 1) * self.strides[axis] + self._extra(axis)
            for axis, size in enumerate(sizes)
        )
        if any(size is not None and size < 1 for size in result):
            raise ShapeError(
                f"nothing is left of a {times(sizes)} input: (input − 1)·stride + size % 2 + output_padding = "
                f"{times(result)}",
                fix="Leave output_padding out",
            )
        return result

    def pads(self) -> tuple[tuple[int, int], ...]:
        """Return the zeros ``(before, after)`` of the convolution that leads back: the cells cut off on each side.

        Where the size is larger than what the windows touch, the rest lies at the end and nothing is cut off there.
        """
        result = []
        for axis, span in enumerate(self.span):
            cut = span - self._extra(axis)
            before = span - 1 if self.padding == "same" else 0
            if self.padding == "same":
                total = span - 2 + self._extra(axis)
                before = span - 1 - min(total // 2 + total % 2, span - 1)
            result.append((before, max(cut - before, 0)))
        return tuple(result)


@dataclass(frozen=True)
class ReceptiveField:
    """Which cells of the network's input one cell of a layer depends on.

    Args:
        size: Input cells seen along each axis.
        stride: Input cells between neighbouring cells of this layer, along each axis; below 1 after enlarging.
        stairs: For each axis that was enlarged, what ``m`` neighbouring cells see together; see :class:`Stairs`.
    """

    size: tuple[int, ...]
    stride: tuple[int | Fraction, ...]
    stairs: tuple[Stairs, ...] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def start(cls, rank: int) -> ReceptiveField:
        """Return the field of an input cell: itself."""
        return cls((1,) * rank, (1,) * rank)

    @classmethod
    def _of(cls, stairs: Iterable[Stairs]) -> ReceptiveField:
        stairs = tuple(stairs)
        return cls(tuple(axis.seen(1) for axis in stairs), tuple(axis.slope for axis in stairs), stairs)

    def along(self, axis: int) -> Stairs:
        """Return what neighbouring cells see together along one axis."""
        return self._stairs[axis]

    @property
    def _stairs(self) -> tuple[Stairs, ...]:
        if self.stairs is not None:
            return self.stairs
        return tuple(Stairs(size, int(stride)) for size, stride in zip(self.size, self.stride, strict=True))

    def through(self, window: Window) -> ReceptiveField:
        """Return the field after a window: ``size + (span − 1)·stride``, ``stride·window stride``.

        Example:
            >>> ReceptiveField.start(1).through(Window((3,), (1,), (1,))).through(Window((2,), (2,), (1,)))
            ReceptiveField(size=(4,), stride=(2,))
        """
        return self._of(
            axis.gathered(span, stride)
            for axis, span, stride in zip(self._stairs, window.span, window.strides, strict=True)
        )

    def enlarged(self, span: tuple[int, ...], strides: tuple[int, ...]) -> ReceptiveField:
        """Return the field after windows of ``span`` were laid out ``strides`` apart.

        Repeating each cell ``n`` times is a span and a stride of ``n``.

        Example:
            >>> ReceptiveField.start(1).enlarged((2,), (2,)).through(Window((3,), (1,), (1,)))
            ReceptiveField(size=(2,), stride=(Fraction(1, 2),))
        """
        return self._of(axis.laid_out(*pair) for axis, *pair in zip(self._stairs, span, strides, strict=True))

    def union(self, other: ReceptiveField) -> ReceptiveField:
        """Return the field of a merge of two branches: the larger of both along each axis."""
        return self._of(one.union(two) for one, two in zip(self._stairs, other._stairs, strict=True))

    def permuted(self, order: tuple[int, ...]) -> ReceptiveField:
        """Return the field with its axes in another order."""
        return self._of(self._stairs[axis] for axis in order)


@dataclass(frozen=True)
class Stairs:
    """How many input cells ``m`` neighbouring cells see together: ``first + step·⌊(offset + (m − 1)·rate) / per⌋``.

    Windows alone make a straight line (``per`` is 1); enlarging makes stairs, for its cells share what they see.
    """

    first: int
    step: int
    offset: int = 0
    rate: int = 1
    per: int = 1

    def seen(self, cells: int) -> int:
        """Return the number of input cells that so many neighbours see, at the most."""
        return self.first + self.step * ((self.offset + (cells - 1) * self.rate) // self.per)

    @property
    def slope(self) -> int | Fraction:
        """Input cells from one cell to the next, on the average."""
        slope = Fraction(self.step * self.rate, self.per)
        return int(slope) if slope.denominator == 1 else slope

    def gathered(self, span: int, stride: int) -> Stairs:
        """Return the stairs after a window."""
        return Stairs(
            self.first, self.step, self.offset + (span - 1) * self.rate, self.rate * stride, self.per
        )._level()

    def _level(self) -> Stairs:
        if self.rate % self.per:
            return self
        return Stairs(self.first + self.step * (self.offset // self.per), self.step * self.rate // self.per)

    def laid_out(self, span: int, stride: int) -> Stairs:
        """Return the stairs after windows of ``span`` were laid out ``stride`` apart."""
        if (self.rate, self.per) == (1, 1):
            return Stairs(self.first + self.step * self.offset, self.step, span - 1, 1, stride)._level()
        # Exact for rate 1. Otherwise the floor inside the floor is left out: at least as many cells, never fewer.
        return Stairs(
            self.first, self.step, self.offset * stride + self.rate * (span - 1), self.rate, self.per * stride
        )._level()

    def union(self, other: Stairs) -> Stairs:
        """Return the larger of both."""
        if self.per == other.per == 1:
            return Stairs(max(self.first, other.first), max(self.step, other.step))
        return max(self, other, key=lambda stairs: (stairs.seen(1), stairs.slope))


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
