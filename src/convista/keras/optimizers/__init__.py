"""`keras.optimizers`: the optimizers of Convista under Keras's names."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.keras.optimizers import schedules
from convista.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, get

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "get", "schedules"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
