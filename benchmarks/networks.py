"""The networks that all engines build alike: what they are made of, their parameters and their arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A square convolution; ``filters=None`` is one filter per channel (depthwise).

    Args:
        filters: Output channels.
        kernel: Width of the window.
        stride: Its step.
        same: Whether the picture is padded, so that stride 1 keeps its size.
        bias: Whether a number per filter is added.
    """

    filters: int | None
    kernel: int
    stride: int = 1
    same: bool = False
    bias: bool = True


@dataclass(frozen=True)
class Normalization:
    """Batch normalization."""


@dataclass(frozen=True)
class Relu:
    """``max(x, 0)``."""


@dataclass(frozen=True)
class MaxPooling:
    """The largest of each ``size``×``size`` block."""

    size: int = 2


@dataclass(frozen=True)
class GlobalAverage:
    """The mean of each channel."""


@dataclass(frozen=True)
class Flatten:
    """All numbers of a picture in a row."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer."""

    units: int


@dataclass(frozen=True)
class Residual:
    """``body(x) + shortcut(x)``; an empty shortcut is ``x`` itself."""

    body: tuple[Node, ...]
    shortcut: tuple[Node, ...] = ()


Node = Convolution | Normalization | Relu | MaxPooling | GlobalAverage | Flatten | Dense | Residual


@dataclass(frozen=True)
class Network:
    """A classifier of pictures.

    Args:
        nodes: From the picture to the logits; the softmax belongs to the loss or comes after.
        shape: Height, width and channels of a picture.
    """

    nodes: tuple[Node, ...]
    shape: Shape

    @property
    def classes(self) -> int:
        """How many logits come out."""
        return after(self.nodes, self.shape)[-1]

    def parameters(self) -> int:
        """Return how many numbers are learned."""
        return sum(_parameters(node, shape) for node, shape in _leaves(self.nodes, self.shape))

    def operations(self, training: bool) -> float:
        """Return the floating-point operations for one picture: two for each product of a convolution or dense layer.

        Products with padding are not counted. Training has three passes, but nobody needs the gradient by the picture.
        """
        each = [_operations(node, shape) for node, shape in _leaves(self.nodes, self.shape)]
        return 3 * sum(each) - each[0] if training else sum(each)


def after(nodes: tuple[Node, ...], shape: Shape) -> Shape:
    """Return the shape of one picture after some layers."""
    for node in nodes:
        shape = _after(node, shape)
    return shape


def _after(node: Node, shape: Shape) -> Shape:
    match node:
        case Convolution():
            sides = (out_size(size, node.kernel, node.stride, node.same) for size in shape[:-1])
            return (*sides, node.filters or shape[-1])
        case MaxPooling():
            return (*(size // node.size for size in shape[:-1]), shape[-1])
        case GlobalAverage():
            return shape[-1:]
        case Flatten():
            return (math.prod(shape),)
        case Dense():
            return (node.units,)
        case Residual():
            return after(node.body, shape)
        case _:
            return shape


def out_size(size: int, kernel: int, stride: int, same: bool) -> int:
    """Return how often a window fits along an axis."""
    return -(-size // stride) if same else (size - kernel) // stride + 1


def _leaves(nodes: tuple[Node, ...], shape: Shape) -> Iterator[tuple[Node, Shape]]:
    """Yield every layer inside with the shape that it sees."""
    for node in nodes:
        if isinstance(node, Residual):
            yield from _leaves(node.body, shape)
            yield from _leaves(node.shortcut, shape)
        else:
            yield node, shape
        shape = _after(node, shape)


def _parameters(node: Node, shape: Shape) -> int:
    match node:
        case Convolution(filters=None):
            return shape[-1] * (node.kernel**2 + node.bias)
        case Convolution():
            return node.filters * (node.kernel**2 * shape[-1] + node.bias)
        case Normalization():
            return 2 * shape[-1]
        case Dense():
            return node.units * (shape[0] + 1)
        case _:
            return 0


def _operations(node: Node, shape: Shape) -> float:
    match node:
        case Convolution():
            taps = math.prod(_taps(size, node) for size in shape[:-1])
            return 2.0 * taps * shape[-1] * (node.filters or 1)
        case Dense():
            return 2.0 * shape[0] * node.units
        case _:
            return 0.0


def _taps(size: int, node: Convolution) -> int:
    out = out_size(size, node.kernel, node.stride, node.same)
    before = max((out - 1) * node.stride + node.kernel - size, 0) // 2 if node.same else 0
    return inside(size, out, node.kernel, node.stride, before)


def inside(size: int, out: int, kernel: int, stride: int, before: int, dilation: int = 1) -> int:
    """Return the pairs of window position and tap along an axis whose input is no padding."""
    places = (at * stride - before for at in range(out))
    return sum(0 <= place + tap * dilation < size for place in places for tap in range(kernel))


def _lecture() -> Network:
    nodes = (
        *(Convolution(32, 3), Relu(), MaxPooling()),
        *(Convolution(64, 3), Relu(), MaxPooling()),
        *(Convolution(128, 3), Relu(), Flatten(), Dense(10)),
    )
    return Network(nodes, (28, 28, 1))


def _normalized(filters: int | None, kernel: int, stride: int = 1) -> tuple[Node, ...]:
    return Convolution(filters, kernel, stride, same=True, bias=False), Normalization()


def _block(filters: int, stride: int, widens: bool) -> tuple[Node, ...]:
    body = (*_normalized(filters, 3, stride), Relu(), *_normalized(filters, 3))
    return Residual(body, _normalized(filters, 1, stride) if widens else ()), Relu()


def _resnet18() -> Network:
    nodes: list[Node] = [*_normalized(64, 3), Relu()]
    for filters in (64, 128, 256, 512):
        nodes += _block(filters, 1 if filters == 64 else 2, widens=filters > 64)
        nodes += _block(filters, 1, widens=False)
    return Network((*nodes, GlobalAverage(), Dense(10)), (32, 32, 3))


def _separable() -> Network:
    nodes: list[Node] = [*_normalized(32, 3), Relu()]
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        nodes += [*_normalized(None, 3, stride), Relu(), *_normalized(filters, 1), Relu()]
    return Network((*nodes, GlobalAverage(), Dense(10)), (32, 32, 3))


NETWORKS = {"lecture": _lecture(), "resnet18": _resnet18(), "separable": _separable()}
"""The lectures' convnet; ResNet-18 as for 32×32 pictures (3×3 stem, no pooling); a MobileNet-like one for the same."""
