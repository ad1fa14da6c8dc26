"""Pictures brought to a common scale: a factor, mean 0 and variance 1, whitening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TINY = 1e-6


@dataclass(frozen=True)
class Standardization:
    """What is done to pictures, the same to every one, in this order.

    ``x · rescale``, minus its own mean, divided by its own deviation, minus the mean of all, divided by the deviation
    of all, and multiplied by the whitening matrix; what is not asked for is left out.

    Args:
        rescale: A factor, or ``None``.
        samplewise_center: Whether each picture loses its mean.
        samplewise_std_normalization: Whether it is divided by its standard deviation.
        mean: Of each channel, ``(1, 1, C)``, or ``None``.
        std: Standard deviation of each channel, ``(1, 1, C)``, or ``None``.
        whitening: ``(H·W·C, H·W·C)``, or ``None``.
    """

    rescale: float | None = None
    samplewise_center: bool = False
    samplewise_std_normalization: bool = False
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    whitening: np.ndarray | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return pictures ``(N, H, W, C)`` as float32, standardized.

        Example:
            >>> Standardization(rescale=1 / 255)(np.full((1, 1, 1, 1), 255, np.uint8)).ravel()
            array([1.], dtype=float32)
        """
        x = np.asarray(x, np.float32)
        if self.rescale is not None:
            x = x * np.float32(self.rescale)
        if self.samplewise_center:
            x = x - x.mean(axis=(1, 2, 3), keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (x.std(axis=(1, 2, 3), keepdims=True) + np.float32(_TINY))
        if self.mean is not None:
            x = x - self.mean
        if self.std is not None:
            x = x / (self.std + np.float32(_TINY))
        if self.whitening is not None:
            x = (x.reshape(len(x), -1) @ self.whitening).reshape(x.shape)
        return x


def statistics(
    x: np.ndarray, *, center: bool, deviation: bool, whitening: bool, epsilon: float = _TINY
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Return mean, standard deviation and whitening matrix of pictures, those that are asked for.

    The whitening matrix is ``U · diag(√N / (s + ε)) · Uᵀ`` with the singular values ``s`` and left vectors ``U`` of the
    pictures as columns: it makes pixels uncorrelated and changes pictures as little as that can be done with.

    Args:
        x: float32 ``(N, H, W, C)``.
        center: Whether the mean of each channel is wanted; it is taken off before the next ones are computed.
        deviation: Whether the standard deviation of each channel is wanted.
        whitening: Whether the matrix is wanted; its size is the square of a picture's.
        epsilon: ε.

    Source: A. Krizhevsky, «Learning multiple layers of features from tiny images», 2009, appendix A.
    """
    mean = x.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32).reshape(1, 1, -1) if center else None
    x = x if mean is None else x - mean
    std = x.std(axis=(0, 1, 2), dtype=np.float64).astype(np.float32).reshape(1, 1, -1) if deviation else None
    if not whitening:
        return mean, std, None
    flat = x if std is None else x / (std + np.float32(_TINY))
    vectors, values, _ = np.linalg.svd(flat.reshape(len(x), -1).T, full_matrices=False)
    matrix = (vectors * (np.sqrt(len(x)) / (values + epsilon))) @ vectors.T
    return mean, std, matrix.astype(np.float32)
