"""Networks by name: one family a file, and the registry that finds them."""

from __future__ import annotations

from convista.architectures.digits import digits_convnet
from convista.architectures.lecture import (
    lecture_convnet,
    lecture_convnet_without_pooling,
    lecture_dense,
    lecture_small_convnet,
)
from convista.architectures.registry import Architecture, get, names

__all__ = [
    "Architecture",
    "digits_convnet",
    "get",
    "lecture_convnet",
    "lecture_convnet_without_pooling",
    "lecture_dense",
    "lecture_small_convnet",
    "names",
]
