"""Networks by name: one family a file, and the registry that finds them."""

from __future__ import annotations

from convista.architectures.convnext import convnext_tiny
from convista.architectures.digits import digits_convnet
from convista.architectures.efficientnet import efficientnet_b0
from convista.architectures.lecture import (
    lecture_convnet,
    lecture_convnet_without_pooling,
    lecture_dense,
    lecture_small_convnet,
)
from convista.architectures.lenet import lenet5
from convista.architectures.mobilenet import mobilenet_v1, mobilenet_v2
from convista.architectures.registry import Architecture, axes_of, get, names
from convista.architectures.resnet import resnet18, resnet34, resnet50
from convista.architectures.sequences import sequence_convnet
from convista.architectures.series import series_convnet
from convista.architectures.vgg import vgg11, vgg16
from convista.architectures.volumes import volume_convnet
from convista.architectures.weight_files import fetch_weights
from convista.models.replacement import with_new_head, with_standardized_input

__all__ = [
    "Architecture",
    "axes_of",
    "convnext_tiny",
    "digits_convnet",
    "efficientnet_b0",
    "fetch_weights",
    "get",
    "lecture_convnet",
    "lecture_convnet_without_pooling",
    "lecture_dense",
    "lecture_small_convnet",
    "lenet5",
    "mobilenet_v1",
    "mobilenet_v2",
    "names",
    "resnet18",
    "resnet34",
    "resnet50",
    "sequence_convnet",
    "series_convnet",
    "vgg11",
    "vgg16",
    "volume_convnet",
    "with_new_head",
    "with_standardized_input",
]
