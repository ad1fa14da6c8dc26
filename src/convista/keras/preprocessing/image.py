"""`keras.preprocessing.image`: picture files and arrays."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent

# Keras 2 has it here; Keras 3 has none, so it is not among the names that are compared with Keras 3.
from convista.keras.preprocessing.generator import ImageDataGenerator as ImageDataGenerator

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, [*__all__, "ImageDataGenerator"])
