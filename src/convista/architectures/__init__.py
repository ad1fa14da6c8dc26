"""Networks by name: one family a file, and the registry that finds them."""

from __future__ import annotations

from convista.architectures.digits import digits_convnet
from convista.architectures.lecture import (
    lecture_convnet,
    lecture_convnet_without_pooling,
    lecture_dense,
    lecture_small_convnet,
)
from convista.architectures.registry import Architecture, axes_of, get, names
from convista.architectures.sequences import sequence_convnet
from convista.architectures.series import series_convnet
from convista.architectures.volumes import volume_convnet

__all__ = [
    "Architecture",
    "axes_of",
    "digits_convnet",
    "get",
    "lecture_convnet",
    "lecture_convnet_without_pooling",
    "lecture_dense",
    "lecture_small_convnet",
    "names",
    "sequence_convnet",
    "series_convnet",
    "volume_convnet",
]
