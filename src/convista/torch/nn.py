"""`torch.nn`: the modules of the door."""

from __future__ import annotations

from typing import Any

from convista.torch.activation import ELU, GELU, LeakyReLU, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Tanh
from convista.torch.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from convista.torch.linear import Linear
from convista.torch.module import Module
from convista.torch.names import absent
from convista.torch.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from convista.torch.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from convista.torch.regularization import Dropout, Dropout1d, Dropout2d, Dropout3d
from convista.torch.reshaping import Flatten, Identity, ZeroPad1d, ZeroPad2d, ZeroPad3d
from convista.torch.sequential import Sequential

__all__ = [
    "ELU",
    "GELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Flatten",
    "Identity",
    "LeakyReLU",
    "Linear",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Module",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
