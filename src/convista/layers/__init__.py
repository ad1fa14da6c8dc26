"""The layers: what each computes, with which shapes and parameters."""

from __future__ import annotations

from convista.layers.activation import ELU, GELU, Activation, LeakyReLU, PReLU, ReLU, SiLU, Softmax
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
from convista.layers.convolution import Conv1D, Conv2D, Conv3D
from convista.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from convista.layers.dense import Dense
from convista.layers.depthwise_convolution import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from convista.layers.filtering import Filter2D
from convista.layers.function import Lambda, register_function
from convista.layers.input import Input, InputLayer
from convista.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from convista.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from convista.layers.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from convista.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    SumPooling1D,
    SumPooling2D,
    SumPooling3D,
)
from convista.layers.preprocessing import Normalization, Rescaling, Resizing, StoredNormalization
from convista.layers.regularization import Dropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from convista.layers.reshaping import Flatten, Permute, Reshape
from convista.layers.scaling import LayerScale
from convista.layers.transposed_convolution import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from convista.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
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

MaxPool1D = MaxPooling1D
AvgPool1D = AveragePooling1D
SumPool1D = SumPooling1D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalAvgPool1D = GlobalAveragePooling1D
MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
SumPool2D = SumPooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
MaxPool3D = MaxPooling3D
AvgPool3D = AveragePooling3D
SumPool3D = SumPooling3D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool3D = GlobalAveragePooling3D
Swish = SiLU

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "Add",
    "Augmentation",
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
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Cutout",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "Filter2D",
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
    "LayerScale",
    "LeakyReLU",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Parameter",
    "Permute",
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
    "Resizing",
    "SeparableConv1D",
    "SeparableConv2D",
    "SiLU",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "StoredNormalization",
    "Subtract",
    "SumPool1D",
    "SumPool2D",
    "SumPool3D",
    "SumPooling1D",
    "SumPooling2D",
    "SumPooling3D",
    "Swish",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "register",
    "register_function",
]
