"""`nn.BatchNorm1d/2d/3d`."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from convista import arguments, layers
from convista.errors import ArgumentError, ShapeError
from convista.torch.module import Place, Shape, SpatialModule, Step, check_channels, refuse_tracing


class _BatchNorm(SpatialModule):
    takes_single: ClassVar[bool] = False

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ):
        where = type(self).__name__
        self.num_features = arguments.integer(num_features, "num_features", where=where)
        self.eps = eps
        if not arguments.number(eps, "eps", where=where) > 0:
            raise ArgumentError("eps is above 0", where=where, received=f"eps={eps!r}")
        if momentum is None:
            rule = "PyTorch then averages over all batches; Convista does not yet"
            raise ArgumentError(rule, where=where, received="momentum=None", fix="Give a fraction: momentum=0.1")
        self.momentum = arguments.fraction(momentum, "momentum", where=where)
        if not track_running_stats:
            rule = "PyTorch then uses the batch's statistics always; Convista does not yet"
            raise ArgumentError(
                rule, where=where, received="track_running_stats=False", fix="Leave track_running_stats out"
            )
        self.affine, self.shifted = bool(affine), bool(affine and bias)
        size = self.num_features
        self._parameters["weight"] = np.ones(size, np.float32) if affine else None
        self._parameters["bias"] = np.zeros(size, np.float32) if self.shifted else None
        self._buffers["running_mean"] = np.zeros(size, np.float32)
        self._buffers["running_var"] = np.ones(size, np.float32)
        self._buffers["num_batches_tracked"] = np.array(0, np.int64)

    def steps(self, shape: Shape) -> list[Step]:
        """Return the normalisation. Keras's momentum is what is kept, PyTorch's what is taken."""
        check_channels(self, shape, self.num_features, "num_features")
        layer = layers.BatchNormalization(
            momentum=1.0 - self.momentum, epsilon=self.eps, center=self.shifted, scale=self.affine
        )
        places = [Place("weight", "gamma")] if self.affine else []
        places += [Place("bias", "beta")] if self.shifted else []
        places += [Place("running_mean", "moving_mean", kept=True), Place("running_var", "moving_variance", kept=True)]
        return [Step(layer, tuple(places))]

    def _batch(self, x: jax.Array) -> jax.Array:
        (step,), _ = self.checked_steps(x.shape[1:])
        y, state = step.run(self, jnp.moveaxis(x, 1, -1))
        if self.training:
            self._move(state, x.size // self.num_features)
        return jnp.moveaxis(y, -1, 1)

    def _move(self, state: dict[str, jax.Array], count: int) -> None:
        """Take the moved statistics; PyTorch keeps the variance divided by ``n − 1``, Keras that divided by ``n``."""
        refuse_tracing(self, state["moving_mean"], "changes its statistics")
        if count < 2:
            rule = "a batch has at least two values a channel while training"
            raise ShapeError(rule, where=repr(self), received="one", fix="Call net.eval() to use the module")
        stayed = self._buffers["running_var"] * np.float32(1.0 - self.momentum)
        moved = np.asarray(state["moving_variance"]) - stayed
        self.running_mean = np.asarray(state["moving_mean"])
        self.running_var = stayed + moved * np.float32(count / (count - 1))
        self.num_batches_tracked = self._buffers["num_batches_tracked"] + 1

    def extra_repr(self) -> str:
        """Return all arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.shifted}, track_running_stats=True"
        )


class BatchNorm1d(_BatchNorm):
    """Bring each channel of ``(batch, channels)`` or ``(batch, channels, length)`` to mean 0 and variance 1.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: How much of the batch's statistics the running ones take; Keras's ``momentum`` is 1 minus this.
        affine: Whether a weight multiplies and a bias is added.
        track_running_stats: True.
        bias: Whether a bias is added.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> BatchNorm1d(2)(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]

    Source: S. Ioffe, C. Szegedy, «Batch normalization», 2015; PyTorch's documentation.
    """

    rank: ClassVar[int] = 1

    @property
    def _lengths(self) -> tuple[int, ...]:
        return (1, 2)

    def _checked(self, x: jax.Array) -> jax.Array:
        return x.astype(jnp.float32) if x.ndim == 2 else super()._checked(x)


class BatchNorm2d(_BatchNorm):
    """Bring each channel of ``(batch, channels, height, width)`` to mean 0 and variance 1, then scale and shift it.

    ``y = weight · (x − mean) / √(variance + eps) + bias``. While training, mean and variance are those of the batch and
    ``running = running·(1 − momentum) + batch·momentum``, with the batch's variance divided by ``n − 1``.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: How much of the batch's statistics the running ones take; Keras's ``momentum`` is 1 minus this.
        affine: Whether a weight multiplies and a bias is added.
        track_running_stats: True.
        bias: Whether a bias is added.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> list(BatchNorm2d(16).state_dict())
        ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']

    Source: S. Ioffe, C. Szegedy, «Batch normalization», 2015; PyTorch's documentation; lecture 001.
    """


class BatchNorm3d(_BatchNorm):
    """Bring each channel of ``(batch, channels, depth, height, width)`` to mean 0 and variance 1.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: How much of the batch's statistics the running ones take; Keras's ``momentum`` is 1 minus this.
        affine: Whether a weight multiplies and a bias is added.
        track_running_stats: True.
        bias: Whether a bias is added.

    Raises:
        ArgumentError: An argument is out of its range.

    Example:
        >>> BatchNorm3d(2)(np.ones((1, 2, 2, 2, 2))).shape
        (1, 2, 2, 2, 2)

    Source: S. Ioffe, C. Szegedy, «Batch normalization», 2015; PyTorch's documentation.
    """

    rank: ClassVar[int] = 3
