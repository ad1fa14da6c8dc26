"""A folder of pictures, one folder a class, as something to train, evaluate and predict on."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convista.data.archive_folder import is_archive, unpack_pictures
from convista.data.folder_layout import Layout, find_pictures
from convista.data.picture_batches import Library, PictureBatches, Reading, Skipped
from convista.data.picture_changes import Compose, is_compose
from convista.data.pictures import DAMAGED, MOST_PIXELS, Preprocessing, opened, without_warnings
from convista.errors import ArgumentError, ConvistaError, suggest

CHANNELS = {"grayscale": 1, "rgb": 3}
LABEL_MODES = ("int", "categorical", "binary")
KEEP_BYTES = 1 << 30
"""How much memory decoded pictures take unless told otherwise: 350 000 of 32×32×3, 7 100 of 224×224×3."""

_LOOKED_AT = 100
_LARGEST_SIDE = 256
_ROTATED = range(5, 9)
_ORIENTATION = 0x0112


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The pictures of a folder; itself an iterable of batches of the training pictures.

    Args:
        name: The folder's name.
        classes: The names of the classes; label ``k`` is ``classes[k]``.
        train: The pictures to learn from, in a new order each pass.
        validation: Those of ``val/`` or of ``validation_split``, in the order of their files, or None.
        test: Those of ``test/``, or None.
        source: Where they are.
        preprocessing: How pictures are brought to one size; a model that is given it treats files in the same way.
        is_split: Whether the folder has train/.
    """

    name: str
    classes: tuple[str, ...]
    train: PictureBatches
    validation: PictureBatches | None
    test: PictureBatches | None
    source: str
    preprocessing: Preprocessing
    is_split: bool

    def __len__(self) -> int:
        """The number of training batches."""
        return len(self.train)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training batches of one pass."""
        return iter(self.train)

    def set_epoch(self, number: int) -> None:
        """Say which pass comes next."""
        self.train.set_epoch(number)

    def in_order(self) -> PictureBatches:
        """Return the training pictures in the order of their files, and not changed at random."""
        return self.train.in_order()

    @property
    def augments(self) -> bool:
        """Whether the training pictures are changed at random."""
        return self.train.augments

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every picture."""
        return self.train.image_shape

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files of all splits that turned out to be no pictures so far."""
        parts = (self.train, self.validation, self.test)
        return tuple(one for part in parts if part is not None for one in part.skipped)


def image_folder(
    directory: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = None,
    color_mode: str = "rgb",
    batch_size: int = 32,
    validation_split: float | None = None,
    shuffle: bool = True,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    label_mode: str = "int",
    resize: str = "stretch",
    interpolation: str = "bilinear",
    invert: bool = False,
    errors: str = "skip",
    workers: int | None = None,
    keep_bytes: int = KEEP_BYTES,
    augmentation: Compose | None = None,
) -> ImageFolder:
    """Read a folder of pictures: ``train/CLASS/…``, ``val/CLASS/…`` and ``test/CLASS/…``, or ``CLASS/…``.

    Nothing is decoded yet. Threads decode batches ahead of the training step; what was decoded is kept in memory up to
    ``keep_bytes``, and what does not fit is decoded again in each pass, so memory is bounded whatever the folder has.
    Pictures are treated as ``read_picture`` does.

    Args:
        directory: The folder, or a ``.tar``, ``.tar.gz`` or ``.tar.xz`` of it, which is unpacked into the cache once.
        image_size: (height, width) that all pictures are brought to, or one number for both. None takes the size that
            is most frequent among 100 of them if it is at most 256×256, and 256×256 otherwise.
        color_mode: ``"rgb"`` or ``"grayscale"``.
        batch_size: Pictures in a batch.
        validation_split: The share of each class's training pictures that is kept for validation, drawn by the seed.
        shuffle: Whether training pictures come in a new order each pass.
        seed: Of the order and of the split: same seed, same batches, whatever the number of threads.
        class_names: The classes in their order, also ones without pictures; None takes the folders' names, sorted.
        label_mode: ``"int"``: int32 (N,); ``"categorical"``: float32 (N, classes), one-hot; ``"binary"``: float32
            (N, 1), for two classes.
        resize: ``"stretch"``, ``"pad"`` (with white) or ``"crop"`` (to the centre), for pictures of other proportions.
        interpolation: As in ``Preprocessing``.
        invert: As in ``Preprocessing``.
        errors: ``"skip"`` leaves out files that are corrupt, truncated, empty or far too large, names them on stderr
            after the pass and in ``.skipped``; ``"raise"`` stops at the first.
        workers: Threads that decode; None takes one for each core, at most 8.
        keep_bytes: How much memory decoded pictures may take; 0 keeps none.
        augmentation: An ``albumentations.Compose``, or what is called like one, that changes the uint8 pictures of
            ``.train`` at random, one by one and anew in each pass; never those of validation and test. Layers that
            augment go to ``fit(augmentation=[…])``.

    Returns:
        The pictures.

    Raises:
        ArgumentError: An argument is not one of these.
        DataError: There is no such folder, or it has no such layout; an archive that is damaged or leaves its folder.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp()) / "pets"
        >>> for name in ("cat", "dog"):
        ...     (root / name).mkdir(parents=True)
        ...     for number in range(4):
        ...         Image.new("RGB", (40, 30)).save(root / name / f"{number}.jpg")
        >>> pets = image_folder(root, image_size=(16, 16), batch_size=4, validation_split=0.25)
        >>> pets.classes, pets.train.size, pets.validation.size
        (('cat', 'dog'), 6, 2)
        >>> [x.shape for x, y in pets]
        [(4, 16, 16, 3), (2, 16, 16, 3)]

    Source: lecture 004.
    """
    _check_choice("color_mode", color_mode, tuple(CHANNELS))
    _check_choice("label_mode", label_mode, LABEL_MODES)
    _check_choice("errors", errors, ("skip", "raise"))
    preprocessing = Preprocessing(scale=1 / 255, invert=invert, resize=resize, interpolation=interpolation)
    sizes = {"batch_size": batch_size, "seed": seed, "keep_bytes": keep_bytes}
    sizes |= {} if workers is None else {"workers": workers}
    for name, value in sizes.items():
        _check_whole(name, value, 1 if name in ("batch_size", "workers") else 0)
    _check_augmentation(augmentation)
    root = Path(directory)
    layout = find_pictures(unpack_pictures(root) if is_archive(root) else root, class_names)
    _check_split(layout, validation_split)
    _check_label_mode(label_mode, layout.classes)
    size = _commonest_size(layout) if image_size is None else _checked_size(image_size)
    reading = Reading(
        shape=(*size, CHANNELS[color_mode]),
        preprocessing=preprocessing,
        batch_size=batch_size,
        classes=len(layout.classes),
        label_mode=label_mode,
        seed=seed,
        errors=errors,
        workers=workers or min(8, os.cpu_count() or 1),
    )
    parts = _parts(layout, Library(*_files(layout), reading, keep_bytes), shuffle, augmentation)
    train, validation = parts["train"], parts.get("validation")
    if validation_split:
        train, validation = train.parted(validation_split, seed)
    return ImageFolder(
        name=root.name.split(".")[0] if is_archive(root) else root.resolve().name,
        classes=layout.classes,
        train=train,
        validation=validation,
        test=parts.get("test"),
        source=f"The folder {root}",
        preprocessing=preprocessing,
        is_split=layout.is_split,
    )


def _files(layout: Layout) -> tuple[tuple[str, ...], np.ndarray]:
    paths = tuple(path for folder in layout.splits.values() for path in folder.paths)
    return paths, np.array([label for folder in layout.splits.values() for label in folder.labels], np.int32)


def _parts(layout: Layout, library: Library, shuffle: bool, compose: Compose | None) -> dict[str, PictureBatches]:
    parts, first = {}, 0
    for split, folder in layout.splits.items():
        places, learns = np.arange(first, first + len(folder.paths)), split == "train"
        parts[split] = PictureBatches(library, places, shuffle and learns, compose if learns else None)
        first += len(folder.paths)
    return parts


def _commonest_size(layout: Layout) -> tuple[int, int]:
    paths = layout.splits["train"].paths
    chosen = [paths[place] for place in np.linspace(0, len(paths) - 1, min(_LOOKED_AT, len(paths))).astype(int)]
    sizes = Counter(size for path in chosen if (size := _size_of(path)) is not None)
    height, width = sizes.most_common(1)[0][0] if sizes else (_LARGEST_SIDE, _LARGEST_SIDE)
    small = max(height, width) <= _LARGEST_SIDE
    return (height, width) if small else (_LARGEST_SIDE, _LARGEST_SIDE)


def _size_of(path: str) -> tuple[int, int] | None:
    """Return (height, width) as the picture is seen, or None for what is none; that is reported when it is read."""
    try:
        with without_warnings, opened(Path(path)) as image:
            turned = image.getexif().get(_ORIENTATION) in _ROTATED
            return (image.width, image.height) if turned else (image.height, image.width)
    except (ConvistaError, *DAMAGED):
        return None


def _check_split(layout: Layout, share: float | None) -> None:
    if not share:
        return
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not is_number or not math.isfinite(share) or not 0 < share < 1:
        raise ArgumentError(
            "validation_split is a fraction between 0 and 1",
            where="image_folder",
            received=f"validation_split={share!r:.100}",
        )
    if "validation" in layout.splits:
        raise ArgumentError(
            "a folder with val/ brings its own validation pictures",
            where="image_folder",
            received=f"validation_split={share}",
            fix="Leave validation_split out",
        )


def _check_augmentation(given: Any) -> None:
    if given is not None and not is_compose(given):
        raise ArgumentError(
            'augmentation is called as augmentation(image=picture)["image"], as an albumentations.Compose is',
            where="image_folder",
            received=f"augmentation={given!r:.100}",
            fix="Layers that augment go into the compiled step: model.fit(folder, augmentation=[RandomRotation(0.05)])",
        )


def _check_label_mode(label_mode: str, classes: tuple[str, ...]) -> None:
    if label_mode == "binary" and len(classes) != 2:
        raise ArgumentError(
            'label_mode="binary" is for two classes',
            where="image_folder",
            received=f"{len(classes)} classes",
            fix='Use label_mode="int" or "categorical"',
        )


def _checked_size(size: Any) -> tuple[int, int]:
    both = (size, size) if type(size) is int else size
    right = isinstance(both, tuple | list) and len(both) == 2 and all(type(one) is int and one > 0 for one in both)
    if not right or both[0] * both[1] > MOST_PIXELS:
        raise ArgumentError(
            "image_size is (height, width) in pixels",
            where="image_folder",
            received=f"image_size={size!r:.100}",
            fix="For example image_size=(64, 64)",
        )
    return both[0], both[1]


def _check_whole(name: str, value: object, least: int) -> None:
    if type(value) is not int or value < least:
        raise ArgumentError(
            f"{name} is a whole number of at least {least}", where="image_folder", received=f"{name}={value!r:.100}"
        )


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise ArgumentError(
            f"{name} is one of {', '.join(map(repr, known))}",
            where="image_folder",
            received=f"{name}={value!r:.100}",
            fix=suggest(value, known) if isinstance(value, str) else None,
        )
