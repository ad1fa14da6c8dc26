"""Keras 3 on its JAX backend, the oracle of the numerics; its tests skip where it is missing."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import pytest

keras = pytest.importorskip("keras")

if keras.backend.backend() != "jax":
    pytest.skip("the oracle is Keras on its JAX backend: set KERAS_BACKEND=jax", allow_module_level=True)


def weights_of(model: Any) -> list[np.ndarray]:
    """Return what ``get_weights`` returns; Keras's own warns with NumPy 2."""
    return [np.asarray(variable.value) for variable in model.weights]


def pure(layer: Any, training: bool = False) -> Callable[..., Any]:
    """Return a built layer of Keras as ``apply(params, state, x) -> (y, state)``, arrays by name."""
    learned = [variable.name for variable in layer.trainable_variables]
    kept = [variable.name for variable in layer.non_trainable_variables]
    extra = {"training": training} if layer._call_has_training_arg else {}

    def apply(params: Mapping[str, Any], state: Mapping[str, Any], x: Any):
        with jax.numpy_dtype_promotion("standard"):
            y, moved = layer.stateless_call(
                [params[name] for name in learned], [state[name] for name in kept], x, **extra
            )
        return y, dict(zip(kept, moved, strict=True))

    return apply
