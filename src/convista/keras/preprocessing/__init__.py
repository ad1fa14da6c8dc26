"""`keras.preprocessing`: pictures as arrays."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.keras.preprocessing import image

__all__ = ["image"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
