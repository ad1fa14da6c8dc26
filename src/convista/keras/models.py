"""`keras.models`: `Sequential`, `Model`, and models from files."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.models import Model, Sequential, load_model

__all__ = ["Model", "Sequential", "load_model"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
