"""The names of the architectures."""

from __future__ import annotations

from typing import Protocol

from convista.architectures import convnext, digits, efficientnet, lecture, lenet, mobilenet, resnet, vgg
from convista.arguments import Shape
from convista.errors import ArgumentError, suggest
from convista.models import Model


class Architecture(Protocol):
    """A function that makes a network which is not compiled yet.

    Args:
        input_shape: Height, width and channels of one picture.
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


def names() -> tuple[str, ...]:
    """Return the names that ``get`` knows.

    Example:
        >>> names()[:2]
        ('lecture-dense', 'lecture-convnet')
    """
    return tuple(_ARCHITECTURES)


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
