"""The layers: what each computes, with which shapes and parameters."""

from __future__ import annotations

from convista.layers.activation import Activation, ReLU, Softmax
from convista.layers.augmentation import Augmentation
from convista.layers.base import Layer, Parameter, register
from convista.layers.coloring import (
    Cutout,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomErasing,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from convista.layers.convolution import Conv2D
from convista.layers.dense import Dense
from convista.layers.input import Input, InputLayer
from convista.layers.merging import Add, Concatenate
from convista.layers.normalization import BatchNormalization
from convista.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from convista.layers.preprocessing import Rescaling
from convista.layers.regularization import Dropout
from convista.layers.reshaping import Flatten, Reshape, ZeroPadding2D
from convista.layers.warping import (
    RandomAffine,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)

MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D

__all__ = [
    "Activation",
    "Add",
    "Augmentation",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Cutout",
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
    "Parameter",
    "RandomAffine",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHue",
    "RandomResizedCrop",
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
    "register",
]
