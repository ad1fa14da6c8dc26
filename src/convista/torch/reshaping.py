"""`nn.Flatten`, `nn.Identity` and `nn.ZeroPad1d/2d/3d`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax

from convista import arguments, layers
from convista.errors import ArgumentError, ShapeError
from convista.torch.module import LayerModule, Shape, SpatialModule, Step


class Flatten(LayerModule):
    """Write the axes from ``start_dim`` to ``end_dim`` in one: channel by channel, the order of PyTorch.

    Args:
        start_dim: The first axis, counted with the batch axis as 0.
        end_dim: The last axis.

    Raises:
        ArgumentError: They are no whole numbers.

    Example:
        >>> import numpy as np
        >>> Flatten()(np.zeros((5, 3, 28, 56))).shape
        (5, 4704)

    Source: PyTorch's documentation.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim = arguments.integer(start_dim, "start_dim", where="Flatten", minimum=None)
        self.end_dim = arguments.integer(end_dim, "end_dim", where="Flatten", minimum=None)

    def _span(self, rank: int) -> tuple[int, int]:
        first, last = (axis + rank if axis < 0 else axis for axis in (self.start_dim, self.end_dim))
        if not 0 <= first <= last < rank:
            raise ShapeError(
                f"start_dim and end_dim name axes 0…{rank - 1} in this order",
                where="Flatten",
                received=f"start_dim={self.start_dim}, end_dim={self.end_dim} for {rank} axes",
            )
        return first, last

    def steps(self, shape: Shape) -> list[Step]:
        """Return the flattening, after the channels were put first: exactly PyTorch's order."""
        if self._span(len(shape) + 1) != (1, len(shape)):
            rule = "a Flatten in a model makes one row of each example"
            raise ArgumentError(rule, where=repr(self), received=f"an input of shape {shape}", fix="Write nn.Flatten()")
        if math.prod(shape[1:]) == 1:
            return [Step(layers.Flatten())]
        rank = len(shape)
        return [Step(layers.Permute((rank, *range(1, rank)))), Step(layers.Flatten())]

    def forward(self, x: jax.Array) -> jax.Array:
        """Return the same values with fewer axes."""
        first, last = self._span(x.ndim)
        return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(LayerModule):
    """Return what comes in, whatever the arguments.

    Args:
        *args: Not used.
        **kwargs: Not used.

    Example:
        >>> import numpy as np
        >>> Identity(54, unused=True)(np.ones(2)).tolist()
        [1.0, 1.0]

    Source: PyTorch's documentation.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def steps(self, shape: Shape) -> list[Step]:
        """Return none."""
        return []

    def forward(self, x: jax.Array) -> jax.Array:
        """Return ``x``."""
        return x


class _ZeroPad(SpatialModule):
    layer: ClassVar[Any]

    def __init__(self, padding: int | tuple[int, ...]):
        where, count = type(self).__name__, 2 * self.rank
        given = padding if isinstance(padding, tuple | list) else (padding,)
        if any(isinstance(number, int) and number < 0 for number in given):
            raise ArgumentError(
                "PyTorch crops where padding is negative; Convista has a layer for that",
                where=where,
                received=f"padding={padding!r}",
                fix="Leave the cells out: x[:, :, 1:, :]",
            )
        self.padding = arguments.integers(padding, count, "padding", where=where, minimum=0)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the layer. PyTorch names the last axis first."""
        pairs = tuple(zip(self.padding[::2], self.padding[1::2], strict=True))[::-1]
        return [Step(self.layer(pairs[0] if self.rank == 1 else pairs))]

    def extra_repr(self) -> str:
        """Return the numbers."""
        return str(self.padding)


class ZeroPad1d(_ZeroPad):
    """Put zeros around sequences ``(batch, channels, length)``.

    Args:
        padding: One number, or ``(left, right)``.

    Raises:
        ArgumentError: It is something else, or negative.

    Example:
        >>> import numpy as np
        >>> ZeroPad1d((1, 2))(np.ones((1, 1, 2))).tolist()
        [[[0.0, 1.0, 1.0, 0.0, 0.0]]]

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 1
    layer: ClassVar[Any] = layers.ZeroPadding1D


class ZeroPad2d(_ZeroPad):
    """Put zeros around pictures ``(batch, channels, height, width)``.

    Args:
        padding: One number, or ``(left, right, top, bottom)``.

    Raises:
        ArgumentError: It is something else, or negative.

    Example:
        >>> import numpy as np
        >>> ZeroPad2d((1, 1, 2, 0))(np.ones((1, 3, 28, 28))).shape
        (1, 3, 30, 30)

    Source: PyTorch's documentation.
    """

    layer: ClassVar[Any] = layers.ZeroPadding2D


class ZeroPad3d(_ZeroPad):
    """Put zeros around volumes ``(batch, channels, depth, height, width)``.

    Args:
        padding: One number, or ``(left, right, top, bottom, front, back)``.

    Raises:
        ArgumentError: It is something else, or negative.

    Example:
        >>> import numpy as np
        >>> ZeroPad3d(1)(np.ones((1, 3, 4, 5, 6))).shape
        (1, 3, 6, 7, 8)

    Source: PyTorch's documentation.
    """

    rank: ClassVar[int] = 3
    layer: ClassVar[Any] = layers.ZeroPadding3D
