"""The door for people who come from Keras: its names and conventions in front of Convista, and no mathematics."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convista.keras.names import absent

if TYPE_CHECKING:
    from convista.keras import (
        activations,
        callbacks,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        preprocessing,
        utils,
    )
    from convista.keras.layers import Input, Layer
    from convista.keras.losses import Loss
    from convista.keras.metrics import Metric
    from convista.keras.models import Model, Sequential
    from convista.keras.optimizers import Optimizer

_HOMES = {
    "Input": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Sequential": "models",
}

__all__ = [
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Sequential",
    "activations",
    "callbacks",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "utils",
]

_MODULES = [name for name in __all__ if name not in _HOMES]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that the door itself opens at once."""
    if name in _MODULES:
        return importlib.import_module(f"convista.keras.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"convista.keras.{_HOMES[name]}"), name)
    raise absent(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
