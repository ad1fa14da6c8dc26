"""`keras.callbacks`: the callbacks of Convista under Keras's names."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.training.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from convista.training.history import History

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
