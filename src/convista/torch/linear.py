"""`nn.Linear`."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from convista import arguments, layers
from convista.errors import ShapeError
from convista.torch.module import LayerModule, Place, Shape, Step
from convista.torch.randomness import uniform


class Linear(LayerModule):
    """Connect every input with every output along the last axis: ``y = x · weightᵀ + bias``.

    The weight has the shape ``(out_features, in_features)``; weight and bias begin uniform between ``−1/√in_features``
    and ``1/√in_features``.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        bias: Whether one number an output is added.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> layer = Linear(4, 2)
        >>> layer, layer.weight.shape, layer(jnp.zeros((5, 4))).shape
        (Linear(in_features=4, out_features=2, bias=True), (2, 4), (5, 2))

    Source: PyTorch's documentation.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        self.in_features = arguments.integer(in_features, "in_features", where="Linear")
        self.out_features = arguments.integer(out_features, "out_features", where="Linear")
        self._parameters["weight"] = uniform((self.out_features, self.in_features), self.in_features)
        self._parameters["bias"] = uniform((self.out_features,), self.in_features) if bias else None

    def steps(self, shape: Shape) -> list[Step]:
        """Return the layer for examples that are one row of numbers."""
        return self.steps_after(shape, None)

    def steps_after(self, shape: Shape, pixels: Shape | None) -> list[Step]:
        """Return the layer for rows that were flattened from ``pixels``, channels first; None: from nothing."""
        if len(shape) != 1:
            raise ShapeError(
                "a Linear in a model takes rows of numbers, not pictures",
                where=repr(self),
                received=f"an input of shape {shape}, channels first",
                fix="Put nn.Flatten() before it",
            )
        self._check(shape)
        return [self._step(pixels)]

    def _check(self, shape: Shape) -> None:
        if shape[-1:] != (self.in_features,):
            raise ShapeError(
                f"the input has {self.in_features} features, as in_features says",
                where=repr(self),
                received=f"an input of shape {tuple(shape)}",
                fix=f"Write in_features={shape[-1]}" if shape else None,
            )

    def _step(self, pixels: Shape | None) -> Step:
        bias = self._parameters["bias"] is not None
        places = (Place("weight", "kernel", (1, 0), pixels=pixels), Place("bias", "bias"))
        return Step(layers.Dense(self.out_features, use_bias=bias), places if bias else places[:1])

    def forward(self, x: jax.Array) -> jax.Array:
        """Return ``x · weightᵀ + bias`` for ``(…, in_features)``."""
        self._check(x.shape)
        return self._step(None).run(self, x.astype(jnp.float32))[0]

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self._parameters['bias'] is not None}"
        )
