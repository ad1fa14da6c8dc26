"""`keras.preprocessing.image`: picture files and arrays."""

from __future__ import annotations

from typing import Any

from convista.data.image_arrays import array_to_img, img_to_array, load_img, save_img
from convista.keras.names import absent

# Keras 2 has it here; Keras 3 has none, so it is not among the names that are compared with Keras 3.
from convista.keras.preprocessing.generator import ImageDataGenerator as ImageDataGenerator

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, [*__all__, "ImageDataGenerator"])
