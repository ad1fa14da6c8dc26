"""The names of the architectures."""

from __future__ import annotations

from typing import Protocol

from convista.architectures import (
    convnext,
    digits,
    efficientnet,
    lecture,
    lenet,
    mobilenet,
    resnet,
    sequences,
    series,
    vgg,
    volumes,
)
from convista.arguments import Shape
from convista.errors import ArgumentError, suggest
from convista.models import Model


class Architecture(Protocol):
    """A function that makes a network which is not compiled yet.

    Args:
        input_shape: Height, width and channels of one picture; for other data length and channels, or depth, height,
            width and channels.
        classes: How many classes to tell apart.
        seed: Of the weights; ``None`` is the process's seed.
    """

    def __call__(self, input_shape: Shape = ..., classes: int = ..., *, seed: int | None = ...) -> Model:
        """Return the network."""


_ARCHITECTURES: dict[str, Architecture] = {
    "lecture-dense": lecture.lecture_dense,
    "lecture-convnet": lecture.lecture_convnet,
    "lecture-convnet-without-pooling": lecture.lecture_convnet_without_pooling,
    "lecture-small-convnet": lecture.lecture_small_convnet,
    "digits-convnet": digits.digits_convnet,
    "sequence-convnet": sequences.sequence_convnet,
    "series-convnet": series.series_convnet,
    "volume-convnet": volumes.volume_convnet,
    "lenet5": lenet.lenet5,
    "vgg11": vgg.vgg11,
    "vgg16": vgg.vgg16,
    "resnet18": resnet.resnet18,
    "resnet34": resnet.resnet34,
    "resnet50": resnet.resnet50,
    "mobilenet-v1": mobilenet.mobilenet_v1,
    "mobilenet-v2": mobilenet.mobilenet_v2,
    "efficientnet-b0": efficientnet.efficientnet_b0,
    "convnext-tiny": convnext.convnext_tiny,
}
_PICTURE_AXES = 2
_AXES = {"sequence-convnet": 1, "series-convnet": 1, "volume-convnet": 3}


def names(axes: int | None = None) -> tuple[str, ...]:
    """Return the names that ``get`` knows.

    Args:
        axes: Of these only networks for data of so many axes, channels not counted: 1 for sequences and series, 2 for
            pictures, 3 for volumes.

    Example:
        >>> names()[:2], names(axes=3)
        (('lecture-dense', 'lecture-convnet'), ('volume-convnet',))
    """
    return tuple(name for name in _ARCHITECTURES if axes in (None, axes_of(name)))


def axes_of(name: str) -> int:
    """Return how many axes the data of an architecture has, channels not counted.

    Args:
        name: One of ``names()``.

    Raises:
        ArgumentError: There is none of this name.

    Example:
        >>> axes_of("lecture-convnet"), axes_of("sequence-convnet")
        (2, 1)
    """
    get(name)
    return _AXES.get(name, _PICTURE_AXES)


def get(name: str) -> Architecture:
    """Return the function that makes an architecture.

    Args:
        name: One of ``names()``.

    Returns:
        A function of ``(input_shape, classes, seed=None)``.

    Raises:
        ArgumentError: There is none of this name.

    Example:
        >>> get("lecture-convnet")((28, 28, 1), 10).count_params()
        104202
    """
    if not isinstance(name, str) or name not in _ARCHITECTURES:
        raise ArgumentError(
            "there is no architecture of this name",
            where="architectures.get",
            received=repr(name),
            fix=suggest(str(name), _ARCHITECTURES),
        )
    return _ARCHITECTURES[name]
