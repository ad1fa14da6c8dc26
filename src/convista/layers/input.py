"""Where a network begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convista import arguments
from convista.arguments import Shape
from convista.errors import ArgumentError
from convista.layers.base import Layer, register
from convista.layers.symbolic import SymbolicTensor


@register
@dataclass(frozen=True)
class InputLayer(Layer):
    """The place of one input in a functional model; made by :func:`Input`.

    Args:
        shape: Shape of one example, without the batch axis.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.
    """

    shape: Shape = ()

    automatic_name: ClassVar[str] = "input"
    first_number: ClassVar[int] = 1  # the lectures' summaries count inputs from 1, everything else from 0

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.shape(self.shape, "shape", where="Input")

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one example."""
        return arguments.shape(self.shape, "shape", where="Input")

    def apply(self, params, state, x, *, training, key):
        """Return ``x``."""
        return x, state


def Input(
    shape: Shape | int | None = None, *, name: str | None = None, batch_shape: Shape | None = None
) -> SymbolicTensor:
    """Begin a functional model: return a symbolic tensor to call layers on.

    Args:
        shape: Shape of one example, without the batch axis; ``None`` marks a size that varies.
        name: The input's name.
        batch_shape: The shape with the batch axis first, instead of ``shape``.

    Returns:
        A symbolic tensor.

    Raises:
        ArgumentError: Neither or both shapes are given, or they are not shapes.

    Example:
        >>> Input((28, 28, 1)).shape
        (None, 28, 28, 1)

    Source: lecture 000.
    """
    if (shape is None) == (batch_shape is None):
        raise ArgumentError(
            "Input takes the shape of one example",
            received=f"shape={shape!r}, batch_shape={batch_shape!r}",
            fix="For grey 28×28 pictures write Input(shape=(28, 28, 1))",
        )
    sizes = tuple(batch_shape)[1:] if batch_shape is not None else arguments.shape(shape, "shape", where="Input")
    layer = InputLayer(sizes, name=name)
    return SymbolicTensor(layer.output_shape(()), layer, ())
