"""Changes of single pictures by other people's code: an `albumentations.Compose` or what is called like one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from convista.errors import ArgumentError, ShapeError

Compose: TypeAlias = Callable[..., Mapping[str, Any]]
"""What is called as ``compose(image=picture)["image"]``."""


def is_compose(item: Any) -> bool:
    """Return whether something is called as ``item(image=picture)["image"]``, as albumentations' transforms are.

    Example:
        >>> is_compose(np.flip)
        False
    """
    if isinstance(item, type) or not callable(item):
        return False
    try:
        parameters = inspect.signature(item).parameters
    except (TypeError, ValueError):  # code in C that does not say what it takes
        return False
    named = parameters.get("image")
    if named is not None:
        return named.kind is not named.POSITIONAL_ONLY
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def changed_by(compose: Compose, pictures: np.ndarray, seed: int) -> np.ndarray:
    """Return pictures as ``compose(image=picture)["image"]`` makes them, one after the other.

    Args:
        compose: An ``albumentations.Compose``, or an object of its protocol. Where it has ``set_random_seed``, its
            draws come from ``seed``.
        pictures: ``(N, H, W, C)``; albumentations takes uint8, and float32 between 0 and 1.
        seed: A whole number; another one for each batch.

    Returns:
        ``(N, H, W, C)`` of the dtype that ``compose`` returns.

    Raises:
        ArgumentError: What it returns is no mapping with a picture.
        ShapeError: A picture has another shape than before.

    Example:
        >>> def upside_down(image):
        ...     return {"image": image[::-1]}
        >>> changed_by(upside_down, np.arange(2.0).reshape(1, 2, 1, 1), seed=0).ravel()
        array([1., 0.])

    Source: A. Buslaev et al., «Albumentations: fast and flexible image augmentations», 2020; lecture 001.
    """
    if hasattr(compose, "set_random_seed"):
        compose.set_random_seed(seed)
    return np.stack([_changed(compose, picture) for picture in pictures])


def _changed(compose: Compose, picture: np.ndarray) -> np.ndarray:
    result = compose(image=picture)
    if not isinstance(result, Mapping) or "image" not in result:
        raise ArgumentError(
            'an augmentation of single pictures returns {"image": picture}',
            where=type(compose).__name__,
            received=f"{type(result).__name__}",
        )
    image = np.asarray(result["image"])
    if image.ndim == 2 and picture.shape[-1] == 1:
        image = image[..., None]  # several transforms drop the one channel of a grey picture
    if image.shape != picture.shape:
        raise ShapeError(
            "augmentation keeps the shape of the pictures, or use would differ from training",
            where=type(compose).__name__,
            received=f"{picture.shape} made {image.shape}",
            fix="End it with a Resize to the size it began with, and leave ToTensorV2 and Normalize out",
        )
    return image
