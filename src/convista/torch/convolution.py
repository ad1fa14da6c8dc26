"""`nn.Conv1d/2d/3d` and `nn.ConvTranspose1d/2d/3d`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from convista import arguments, layers
from convista.errors import ArgumentError
from convista.layers.base import Layer
from convista.torch import windows
from convista.torch.module import Place, Shape, SpatialModule, Step, check_channels, shown
from convista.torch.randomness import uniform


class _Convolution(SpatialModule):
    layer: ClassVar[Any]

    def _take(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, dilation: Any, groups: int
    ) -> None:
        where = type(self).__name__
        self.in_channels = arguments.integer(in_channels, "in_channels", where=where)
        self.out_channels = arguments.integer(out_channels, "out_channels", where=where)
        self.kernel_size = windows.numbers(kernel_size, self.rank, "kernel_size", where)
        self.stride = windows.numbers(stride, self.rank, "stride", where)
        self.dilation = windows.numbers(dilation, self.rank, "dilation", where)
        self.groups = arguments.integer(groups, "groups", where=where)
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                received = f"{name}={getattr(self, name)}, groups={groups}"
                raise ArgumentError(f"groups divides {name}", where=where, received=received)
        if max(self.stride) > 1 and max(self.dilation) > 1:
            raise ArgumentError(
                "PyTorch takes stride and dilation above 1 together; Convista does not yet",
                where=where,
                received=f"stride={stride!r}, dilation={dilation!r}",
                fix="Set one of them to 1",
            )

    def _draw(self, shape: tuple[int, ...], bias: bool) -> None:
        fan_in = math.prod(shape[1:])
        self._parameters["weight"] = uniform(shape, fan_in)
        self._parameters["bias"] = uniform((self.out_channels,), fan_in) if bias else None

    def _learning(self, layer: Layer) -> Step:
        order = (*range(2, self.rank + 2), 1, 0)
        places = (Place("weight", "kernel", order), Place("bias", "bias"))
        return Step(layer, places if self._parameters["bias"] is not None else places[:1])

    def _described(self, padding: str, output_padding: tuple[int, ...], padding_mode: str) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        parts += [padding] if padding else []
        parts += [f"dilation={self.dilation}"] if shown(self.dilation, 1) else []
        parts += [f"output_padding={output_padding}"] if shown(output_padding, 0) else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self._parameters["bias"] is None else []
        parts += [f"padding_mode={padding_mode}"] if padding_mode != "zeros" else []
        return ", ".join(parts)


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ):
        where = type(self).__name__
        self._take(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding_mode = arguments.one_of(padding_mode, ("zeros", *windows.BORDERS), "padding_mode", where=where)
        self.padding: Any = self._padding(padding, where)
        self._draw((self.out_channels, self.in_channels // self.groups, *self.kernel_size), bias)

    def _padding(self, padding: Any, where: str) -> str | tuple[int, ...]:
        if not isinstance(padding, str):
            return windows.numbers(padding, self.rank, "padding", where, minimum=0)
        name = arguments.one_of(padding, ("valid", "same"), "padding", where=where)
        if name == "same" and max(self.stride) > 1:
            spans = [(size - 1) * step for size, step in zip(self.kernel_size, self.dilation, strict=True)]
            half = tuple((span + 1) // 2 for span in spans)
            raise ArgumentError(
                'padding="same" keeps the sizes, which a stride above 1 does not; PyTorch refuses both together',
                where=where,
                received=f"padding='same', stride={self.stride}",
                fix=f"Write padding={half[0] if len(set(half)) == 1 else half}: output = (input + 2·padding − "
                "kernel) // stride + 1",
            )
        return name

    @property
    def pads(self) -> windows.Pads:
        """The cells ``(before, after)`` added along each axis; an odd one of ``"same"`` comes after."""
        if self.padding == "valid":
            return ((0, 0),) * self.rank
        if self.padding == "same":
            totals = [(size - 1) * step for size, step in zip(self.kernel_size, self.dilation, strict=True)]
            return tuple((total // 2, total - total // 2) for total in totals)
        return windows.both_sides(self.padding)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the convolution, after the border where this is not made of zeros."""
        check_channels(self, shape, self.in_channels, "in_channels")
        bordered = self.padding_mode != "zeros" and any(map(any, self.pads))
        before = [windows.border(self, self.padding_mode, self.pads, shape)] if bordered else []
        layer = self.layer(
            self.out_channels,
            self.kernel_size,
            self.stride,
            "valid" if bordered else self._keras_padding,
            dilation_rate=self.dilation,
            groups=self.groups,
            use_bias=self._parameters["bias"] is not None,
        )
        return [*before, self._learning(layer)]

    @property
    def _keras_padding(self) -> Any:
        """Keras's name for the padding where it has one: pairs of numbers are the same, but say less."""
        if not any(map(any, self.pads)):
            return "valid"
        spans = [(size - 1) * step for size, step in zip(self.kernel_size, self.dilation, strict=True)]
        same = tuple((span // 2, span - span // 2) for span in spans)
        return "same" if max(self.stride) == 1 and self.pads == same else self.pads

    def extra_repr(self) -> str:
        """Return the arguments, those after the stride only where they differ from the defaults."""
        named = isinstance(self.padding, str)
        text = f"padding={self.padding}" if named or shown(self.padding, 0) else ""
        return self._described("" if self.padding == "valid" and not named else text, (0,), self.padding_mode)


class Conv1d(_Conv):
    """Slide kernels along sequences ``(batch, in_channels, length)``.

    ``output = (input + 2·padding − dilation·(kernel_size − 1) − 1) // stride + 1``

    Args:
        in_channels: Channels that come in.
        out_channels: Kernels, each makes one channel.
        kernel_size: Length of the window.
        stride: Step of the window.
        padding: Cells added on both sides, or ``"same"`` or ``"valid"``.
        dilation: Distance between neighbouring taps.
        groups: The channels are split into this many groups that do not see each other.
        bias: Whether one number a kernel is added.
        padding_mode: What is added: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> conv = Conv1d(4, 16, kernel_size=5)
        >>> conv.weight.shape, conv(np.zeros((1, 4, 60))).shape
        ((16, 4, 5), (1, 16, 56))

    Source: PyTorch's documentation; lecture 001.
    """

    rank: ClassVar[int] = 1
    layer: ClassVar[Any] = layers.Conv1D


class Conv2d(_Conv):
    """Slide kernels over pictures ``(batch, in_channels, height, width)``.

    ``output = (input + 2·padding − dilation·(kernel_size − 1) − 1) // stride + 1``; the weight has the shape
    ``(out_channels, in_channels // groups, height, width)``. Weight and bias begin uniform between ``−1/√fan_in`` and
    ``1/√fan_in``, where ``fan_in = in_channels // groups · height · width``.

    Args:
        in_channels: Channels that come in: 3 for colour, 1 for grey.
        out_channels: Kernels, each makes one channel.
        kernel_size: Height and width of the window, one number or two.
        stride: Step of the window.
        padding: Cells added on both sides, one number or two; ``"same"`` adds what keeps the sizes, ``"valid"``
            nothing.
        dilation: Distance between neighbouring taps.
        groups: The channels are split into this many groups that do not see each other.
        bias: Whether one number a kernel is added.
        padding_mode: What is added: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> model = Conv2d(in_channels=3, out_channels=1, kernel_size=2)
        >>> model, model.weight.shape, model.bias.shape, model.count_params()
        (Conv2d(3, 1, kernel_size=(2, 2), stride=(1, 1)), (1, 3, 2, 2), (1,), 13)

    Source: PyTorch's documentation; lecture 001.
    """

    layer: ClassVar[Any] = layers.Conv2D


class Conv3d(_Conv):
    """Slide kernels through volumes ``(batch, in_channels, depth, height, width)``; see :class:`Conv2d`.

    Args:
        in_channels: Channels that come in.
        out_channels: Kernels, each makes one channel.
        kernel_size: Depth, height and width of the window, one number or three.
        stride: Step of the window.
        padding: Cells added on both sides, or ``"same"`` or ``"valid"``.
        dilation: Distance between neighbouring taps.
        groups: The channels are split into this many groups that do not see each other.
        bias: Whether one number a kernel is added.
        padding_mode: What is added: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> Conv3d(1, 8, 3, padding=1)(np.zeros((1, 1, 4, 6, 5))).shape
        (1, 8, 4, 6, 5)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 3
    layer: ClassVar[Any] = layers.Conv3D


class _ConvTranspose(_Convolution):
    cropping: ClassVar[Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
    ):
        where = type(self).__name__
        self._take(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding = windows.numbers(padding, self.rank, "padding", where, minimum=0)
        self.output_padding = windows.numbers(output_padding, self.rank, "output_padding", where, minimum=0)
        if self.groups > 1:
            rule = "PyTorch has transposed convolutions in groups; Convista has not yet"
            raise ArgumentError(rule, where=where, received=f"groups={groups}", fix="Leave groups out")
        if padding_mode != "zeros":
            rule = 'a transposed convolution has padding_mode "zeros" alone, in PyTorch too'
            raise ArgumentError(rule, where=where, received=f"padding_mode={padding_mode!r}")
        if any(extra >= step for extra, step in zip(self.output_padding, self.stride, strict=True)):
            raise ArgumentError(
                "output_padding is below stride: it chooses among the sizes that a stride brings to one",
                where=where,
                received=f"output_padding={output_padding!r}, stride={stride!r}",
            )
        self._draw((self.in_channels, self.out_channels, *self.kernel_size), bias)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the whole transposed convolution, and the cropping that PyTorch calls padding."""
        check_channels(self, shape, self.in_channels, "in_channels")
        layer = self.layer(
            self.out_channels,
            self.kernel_size,
            self.stride,
            output_padding=self.output_padding,
            dilation_rate=self.dilation,
            use_bias=self._parameters["bias"] is not None,
        )
        pads = windows.both_sides(self.padding)
        crop = [Step(self.cropping(pads[0] if self.rank == 1 else pads))] if any(self.padding) else []
        return [self._learning(layer), *crop]

    def extra_repr(self) -> str:
        """Return the arguments, those after the stride only where they differ from the defaults."""
        padding = f"padding={self.padding}" if shown(self.padding, 0) else ""
        return self._described(padding, self.output_padding, "zeros")


class ConvTranspose1d(_ConvTranspose):
    """Enlarge sequences ``(batch, in_channels, length)`` with learned kernels; see :class:`ConvTranspose2d`.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that come out.
        kernel_size: Length of the window.
        stride: Cells of the output from one input cell to the next.
        padding: Cells cut off at both ends of the result.
        output_padding: Cells added at the end, fewer than ``stride``.
        groups: 1.
        bias: Whether one number a channel is added.
        dilation: Distance between neighbouring taps.
        padding_mode: ``"zeros"``.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> ConvTranspose1d(1, 2, 2, stride=2)(np.zeros((1, 1, 7))).shape
        (1, 2, 14)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 1
    layer: ClassVar[Any] = layers.Conv1DTranspose
    cropping: ClassVar[Any] = layers.Cropping1D


class ConvTranspose2d(_ConvTranspose):
    """Enlarge pictures ``(batch, in_channels, height, width)`` with learned kernels.

    ``output = (input − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1``; the weight has the
    shape ``(in_channels, out_channels, height, width)``.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that come out.
        kernel_size: Height and width of the window, one number or two.
        stride: Cells of the output from one input cell to the next.
        padding: Cells cut off on all sides of the result.
        output_padding: Rows and columns added below and to the right, fewer than ``stride``.
        groups: 1.
        bias: Whether one number a channel is added.
        dilation: Distance between neighbouring taps.
        padding_mode: ``"zeros"``.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)(np.zeros((1, 8, 7, 7))).shape
        (1, 4, 14, 14)

    Source: PyTorch's documentation; lecture 002.
    """

    layer: ClassVar[Any] = layers.Conv2DTranspose
    cropping: ClassVar[Any] = layers.Cropping2D


class ConvTranspose3d(_ConvTranspose):
    """Enlarge volumes ``(batch, in_channels, depth, height, width)``; see :class:`ConvTranspose2d`.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that come out.
        kernel_size: Depth, height and width of the window, one number or three.
        stride: Cells of the output from one input cell to the next.
        padding: Cells cut off on all sides of the result.
        output_padding: Cells added at the end of each axis, fewer than ``stride``.
        groups: 1.
        bias: Whether one number a channel is added.
        dilation: Distance between neighbouring taps.
        padding_mode: ``"zeros"``.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> import numpy as np
        >>> ConvTranspose3d(1, 2, 2, stride=2)(np.zeros((1, 1, 2, 3, 4))).shape
        (1, 2, 4, 6, 8)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 3
    layer: ClassVar[Any] = layers.Conv3DTranspose
    cropping: ClassVar[Any] = layers.Cropping3D
