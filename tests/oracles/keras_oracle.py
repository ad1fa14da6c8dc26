"""Keras 3 on its JAX backend, the oracle of the numerics; its tests skip where it is missing."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import pytest

keras = pytest.importorskip("keras")

if keras.backend.backend() != "jax":
    pytest.skip("the oracle is Keras on its JAX backend: set KERAS_BACKEND=jax", allow_module_level=True)
