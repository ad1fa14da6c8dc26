"""A picture beside what augmentation makes of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from convista import arguments
from convista.data.picture_changes import changed_by, is_compose
from convista.errors import ArgumentError, ShapeError
from convista.insight.drawing import new_figure, save, style

_MOST_ROWS = 12


def show_augmented(
    picture: Any, augmentation: Any, n: int = 7, path: str | os.PathLike[str] = "augmented.png", *, seed: int = 0
) -> Path:
    """Draw pictures, each at the left of its row, beside ``n`` variants that training might see.

    Look at them before you train: a variant that you would not name yourself teaches the network a mistake.

    Args:
        picture: ``(H, W, C)`` or a batch ``(N, H, W, C)`` of at most 12, C is 1, 3 or 4; whole numbers are 0…255, and
            other numbers 0…1 where none is larger, else 0…255.
        augmentation: As for ``model.fit``: a layer or a list of them, without ``MixUp``; or an
            ``albumentations.Compose``.
        n: Variants of each picture.
        path: The PNG file to write.
        seed: Of the draws.

    Returns:
        The path.

    Raises:
        ShapeError: These are no pictures.
        ArgumentError: These are no augmentations, or there are too many pictures.

    Example:
        >>> import tempfile
        >>> from convista.layers import RandomRotation
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "rotated.png"
        ...     show_augmented(np.eye(8)[..., None], RandomRotation(0.1), n=3, path=file).name
        'rotated.png'

    Source: lecture 004.
    """
    pictures = _batch(picture)
    count = arguments.integer(n, "n", where="show_augmented")
    chosen = arguments.integer(seed, "seed", where="show_augmented", minimum=0)
    # Not one array: a crop is smaller than its original.
    columns = [pictures, *(_variant(pictures, augmentation, chosen, number) for number in range(count))]
    rows = list(zip(*columns, strict=True))
    top = 255.0 if pictures.dtype.kind in "iu" or pictures.max(initial=0) > 1 else 1.0
    with style():
        width, height = 1.25 * (count + 1) + 0.2, 1.25 * len(rows) + 0.75
        figure = new_figure(width, height, layout=None)
        for row, variants in enumerate(rows):
            for column, shown in enumerate(variants):
                # Inches from the left and the bottom, with a gap after the original.
                left = 0.1 + 1.25 * column + (0.1 if column else 0.0)
                place = (left / width, (height - 0.7 - 1.25 * (row + 1)) / height, 1.1 / width, 1.1 / height)
                _draw(figure.add_axes(place), np.clip(shown / top, 0, 1), column == 0)
        for left, text in ((0.1, "original"), (1.45, "variants that training sees")):
            figure.text(left / width, 1 - 0.6 / height, text, ha="left", va="bottom", fontsize=10)
        figure.text(
            0.1 / width, 1 - 0.08 / height, _named(augmentation), ha="left", va="top", fontsize=9, color="#595959"
        )
        return save(figure, path)


def _batch(picture: Any) -> np.ndarray:
    array = np.asarray(picture)
    array = array[None] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[-1] not in (1, 3, 4) or not len(array) or array.dtype.kind not in "iuf":
        raise ShapeError(
            "a picture is height × width × channels with 1, 3 or 4 channels, or a batch of them",
            where="show_augmented",
            received=f"shape {np.shape(picture)}",
            fix="Add the channel axis of a grey picture: picture[..., None]" if np.ndim(picture) in (2, 3) else None,
        )
    if len(array) > _MOST_ROWS:
        raise ArgumentError(
            f"at most {_MOST_ROWS} pictures are drawn",
            where="show_augmented",
            received=f"{len(array)}",
            fix=f"Choose some: x[:{_MOST_ROWS}]",
        )
    return array


def _variant(pictures: np.ndarray, augmentation: Any, seed: int, number: int) -> np.ndarray:
    import jax

    from convista.training.augmentation import augment

    if is_compose(augmentation):
        return changed_by(augmentation, pictures, seed + number)
    key = jax.random.fold_in(jax.random.key(seed), number)
    return np.asarray(augment(augmentation, pictures, key))


def _named(augmentation: Any) -> str:
    layers = augmentation if isinstance(augmentation, list | tuple) else [augmentation]
    return ", ".join(type(layer).__name__ for layer in layers)


def _draw(axes: Any, shown: np.ndarray, original: bool) -> None:
    if shown.shape[-1] == 1:
        axes.imshow(shown[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.imshow(shown, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#0072B2" if original else "#BFBFBF")
    axes.spines[:].set_linewidth(2.0 if original else 0.8)
