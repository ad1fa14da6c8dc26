"""The layer of classic filters: kernels that people designed, with nothing to learn."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from convista import arguments
from convista.arguments import Shape
from convista.layers.base import Layer, register
from convista.ops import filters
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.shapes import Window, count

_BORDERS = {"nearest": "edge", "reflect": "reflect", "same": "constant"}


@register
@dataclass(frozen=True)
class Filter2D(Layer):
    """Filter each channel with a classic kernel; the weights are fixed and the channels do not mix.

    ``y[i, j, c] = Σ x[i + k − pad, j + l − pad, c] · kernel[k, l]``; for ``sobel``, ``prewitt`` and ``scharr`` the
    length ``√(x² + y²)`` of the slope that the two kernels ``…_x`` and ``…_y`` find.

    Args:
        kernel: ``identity``, ``sobel``, ``prewitt``, ``scharr`` (each also with ``_x`` and ``_y``), ``laplace``,
            ``laplace_diagonal``, ``sharpen``, ``emboss``, ``box_blur`` or ``gaussian_blur``.
        size: Odd side of the blurs in pixels; the others are 3×3. ``None`` is 3, or what ``sigma`` asks for.
        sigma: Standard deviation of ``gaussian_blur`` in pixels; ``None`` follows from ``size``.
        padding: ``"nearest"`` continues the picture with its border pixels, ``"reflect"`` mirrors it, ``"same"`` puts
            zeros around (a frame that edge filters see as an edge), ``"valid"`` lets the picture shrink.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.

    Raises:
        ArgumentError: A name or a number is not one of these.

    Example:
        >>> x = jnp.arange(3.0) * jnp.ones((1, 3, 3)) # brighter by 1 a pixel to the right
        >>> y, _ = Filter2D("sobel_x", padding="valid").apply({}, {}, x[..., None], training=False, key=None)
        >>> y.tolist()
        [[[[8.0]]]]

    Source: R. Gonzalez, R. Woods, «Digital Image Processing», 2018; lectures 000 and 003.
    """

    kernel: str
    size: int | None = None
    sigma: float | None = None
    padding: str = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.one_of(self.padding, ("valid", *_BORDERS), "padding", where=self.where)
        _ = self.kernels

    @property
    def kernels(self) -> tuple[np.ndarray, ...]:
        """The fixed weights, ``(side, side)``: one kernel, or two whose results are joined to a length."""
        return filters.kernels(self.kernel, self.size, self.sigma, where=self.where)

    @property
    def window(self) -> Window:
        """The kernel's geometry; what is put around the picture keeps its size."""
        side = len(self.kernels[0])
        return Window((side, side), (1, 1), (1, 1), "valid" if self.padding.lower() == "valid" else "same")

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape, smaller by ``size − 1`` with ``"valid"``."""
        self._check_rank(input_shape, 3, "(height, width, channels)")
        return (*self.window.output_sizes(input_shape[:-1]), input_shape[-1])

    def multiply_accumulates(self, input_shape: Shape) -> int:
        """Return ``positions · channels · weights that are not zero``."""
        weights = sum(np.count_nonzero(kernel) for kernel in self.kernels)
        return count(self.output_shape(input_shape)) * int(weights)

    def apply(self, params, state, x, *, training, key):
        """Return the filtered pictures."""
        border = self.padding.lower()
        if border != "valid":
            reach = len(self.kernels[0]) // 2
            x = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode=_BORDERS[border])
        found = [_each_channel(x, kernel) for kernel in self.kernels]
        return found[0] if len(found) == 1 else _length(found), state


def _each_channel(x: jax.Array, kernel: np.ndarray) -> jax.Array:
    # Channels as pictures of their own: a convolution of one channel is what the kernels and XLA both do best.
    weights = jnp.asarray(kernel[:, :, None, None], x.dtype)
    alone = jnp.moveaxis(x, -1, 1).reshape(-1, *x.shape[1:-1], 1)
    y = convolution(alone, weights, ConvolutionGeometry((1, 1), ((0, 0), (0, 0)), (1, 1)))
    return jnp.moveaxis(y.reshape(x.shape[0], x.shape[-1], *y.shape[1:-1]), 1, -1)


def _length(parts: list[jax.Array]) -> jax.Array:
    squares = parts[0] * parts[0] + parts[1] * parts[1]
    # The slope of √ at 0 is infinite, and its gradient times 0 would be NaN on every even patch of a picture.
    flat = squares == 0
    return jnp.where(flat, jnp.zeros_like(squares), jnp.sqrt(jnp.where(flat, jnp.ones_like(squares), squares)))


__all__ = ["Filter2D"]
