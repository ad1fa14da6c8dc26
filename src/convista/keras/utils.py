"""`keras.utils`: one-hot labels, pictures as arrays, and the seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from convista import arguments
from convista.data.image_arrays import array_to_img, img_to_array, load_img, save_img
from convista.errors import DataError
from convista.keras.names import absent
from convista.models import set_random_seed

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "set_random_seed", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return labels as one-hot rows: 1 at the place of the label, 0 elsewhere.

    Args:
        x: Whole numbers from 0, of any shape; a last axis of size 1 is dropped, as Keras does.
        num_classes: How many classes there are; ``None`` is the largest label + 1.

    Returns:
        float32, of the shape of ``x`` with the classes as its last axis.

    Raises:
        ArgumentError: ``num_classes`` is no whole number from 1 on.
        DataError: A label is no whole number, or is outside 0…num_classes − 1, or there is none to count classes by.

    Example:
        >>> to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)

    Source: lecture 004.
    """
    labels = _whole(np.asarray(x))
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None and not labels.size:
        raise DataError(
            "without num_classes there is a label to count the classes by",
            where="to_categorical",
            received="no labels",
            fix="Give num_classes=10",
        )
    classes = (
        int(labels.max()) + 1
        if num_classes is None
        else arguments.integer(num_classes, "num_classes", where="to_categorical")
    )
    _check_range(labels, classes, num_classes)
    one_hot = np.zeros((*labels.shape, classes), np.float32)
    np.put_along_axis(one_hot, labels[..., None].astype(np.int64), 1.0, axis=-1)
    return one_hot


def _whole(labels: np.ndarray) -> np.ndarray:
    if labels.dtype == bool or (labels.size == 0 and labels.dtype.kind == "f"):
        return labels.astype(np.int64)
    if labels.dtype.kind not in "iuf":
        raise DataError(
            "labels are whole numbers",
            where="to_categorical",
            received=f"dtype {labels.dtype}",
            fix="Number the classes first: names, numbers = numpy.unique(labels, return_inverse=True)",
        )
    wrong = labels != np.floor(labels) if labels.dtype.kind == "f" else np.zeros(labels.shape, bool)
    wrong |= ~np.isfinite(labels)
    if wrong.any():
        raise DataError("labels are whole numbers", where="to_categorical", received=_first(labels, wrong))
    return labels


def _check_range(labels: np.ndarray, classes: int, num_classes: int | None) -> None:
    outside = (labels < 0) | (labels >= classes)
    if not outside.any():
        return
    fix = None
    if labels.min() == 1 and labels.max() == classes:
        fix = "These labels begin at 1; pass x - 1"
    elif labels.min() >= 0:
        fix = f"Give num_classes={int(labels.max()) + 1}, or leave it out"
    raise DataError(
        f"labels run from 0 to {classes - 1}" if num_classes is not None else "labels run from 0",
        where="to_categorical",
        received=_first(labels, outside),
        fix=fix,
    )


def _first(labels: np.ndarray, wrong: np.ndarray) -> str:
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    return f"x[{', '.join(map(str, place))}]={labels[place]}" if place else f"x={labels}"


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
