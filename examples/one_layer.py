"""One layer at work on one picture, with weights that are written down."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from convista.layers import Layer


def output(layer: Layer, picture: Any, *weights: Any) -> np.ndarray:
    """Return what a layer makes of one picture.

    Args:
        layer: Any layer without moving averages.
        picture: ``(height, width)``, or ``(height, width, channels)``; for ``Conv1D`` a signal of numbers.
        weights: Its kernel and bias, as many as it has, in any shape that holds the same numbers.

    Returns:
        The result; what came without channels goes without channels if there is one.
    """
    picture = np.asarray(picture, np.float32)
    bare = picture.ndim == getattr(layer, "rank", 2)
    x = picture[..., None] if bare else picture
    parameters = layer.parameters(x.shape)
    params = {
        name: jnp.asarray(np.reshape(np.asarray(array, np.float32), parameters[name].shape))
        for name, array in zip(parameters, weights, strict=True)
    }
    y = np.asarray(layer.apply(params, {}, jnp.asarray(x)[None], training=False, key=None)[0][0])
    return y[..., 0] if bare and y.ndim == x.ndim and y.shape[-1] == 1 else y
