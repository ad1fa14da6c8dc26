"""`keras.layers`: the layers of Convista under Keras's names."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.layers import (
    ELU,
    Activation,
    Add,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    GroupNormalization,
    Input,
    InputLayer,
    Lambda,
    Layer,
    LayerNormalization,
    LeakyReLU,
    Maximum,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Minimum,
    Multiply,
    Normalization,
    Permute,
    PReLU,
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
    Resizing,
    SeparableConv1D,
    SeparableConv2D,
    Softmax,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    Subtract,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from convista.training.augmentation import MixUp

Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "Minimum",
    "MixUp",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
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
    "Resizing",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Subtract",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
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


def average(inputs: Any, **options: Any) -> Any:
    """Return ``Average(**options)(inputs)``.

    Args:
        inputs: Symbolic tensors of one shape.
        **options: Of ``Average``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> average([x, x]).shape
        (None, 8, 8, 1)
    """
    return Average(**options)(inputs)


def maximum(inputs: Any, **options: Any) -> Any:
    """Return ``Maximum(**options)(inputs)``.

    Args:
        inputs: Symbolic tensors of one shape.
        **options: Of ``Maximum``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> maximum([x, x]).shape
        (None, 8, 8, 1)
    """
    return Maximum(**options)(inputs)


def minimum(inputs: Any, **options: Any) -> Any:
    """Return ``Minimum(**options)(inputs)``.

    Args:
        inputs: Symbolic tensors of one shape.
        **options: Of ``Minimum``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> minimum([x, x]).shape
        (None, 8, 8, 1)
    """
    return Minimum(**options)(inputs)


def multiply(inputs: Any, **options: Any) -> Any:
    """Return ``Multiply(**options)(inputs)``.

    Args:
        inputs: Symbolic tensors of one shape.
        **options: Of ``Multiply``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> multiply([x, x]).shape
        (None, 8, 8, 1)
    """
    return Multiply(**options)(inputs)


def subtract(inputs: Any, **options: Any) -> Any:
    """Return ``Subtract(**options)(inputs)``.

    Args:
        inputs: Two symbolic tensors of one shape.
        **options: Of ``Subtract``.

    Example:
        >>> x = Input((8, 8, 1))
        >>> subtract([x, x]).shape
        (None, 8, 8, 1)
    """
    return Subtract(**options)(inputs)


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
