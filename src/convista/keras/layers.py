"""`keras.layers`: the layers of Convista under Keras's names."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.layers import (
    Activation,
    Add,
    AveragePooling2D,
    AvgPool2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GlobalMaxPooling2D,
    Input,
    InputLayer,
    Layer,
    MaxPool2D,
    MaxPooling2D,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGrayscale,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    ZeroPadding2D,
)
from convista.training.augmentation import MixUp

Convolution2D = Conv2D

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "MaxPool2D",
    "MaxPooling2D",
    "MixUp",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHue",
    "RandomRotation",
    "RandomSaturation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "ZeroPadding2D",
    "add",
    "concatenate",
]


def add(inputs: Any, **options: Any) -> Any:
    """Return ``Add(**options)(inputs)``.

    Args:
        inputs: Symbolic tensors of one shape.
        **options: Of ``Add``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> add([x, x]).shape
        (None, 8, 8, 1)
    """
    return Add(**options)(inputs)


def concatenate(inputs: Any, axis: int = -1, **options: Any) -> Any:
    """Return ``Concatenate(axis, **options)(inputs)``.

    Args:
        inputs: Symbolic tensors whose shapes differ at most along ``axis``.
        axis: Counted with the batch axis, as in Keras.
        **options: Of ``Concatenate``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> concatenate([x, x]).shape
        (None, 8, 8, 2)
    """
    return Concatenate(axis=axis, **options)(inputs)


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
