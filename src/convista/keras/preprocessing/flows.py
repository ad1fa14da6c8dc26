"""What `ImageDataGenerator` makes: batches of pictures that are changed at random, by number."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convista import arguments
from convista.data.archive_folder import is_archive, unpack_pictures
from convista.data.folder_layout import pictures_by_class, split_folder
from convista.data.image_folders import KEEP_BYTES
from convista.data.picture_batches import Library, Reading
from convista.data.picture_changes import changed_by
from convista.data.pictures import SUFFIXES, Preprocessing
from convista.data.standardization import Standardization
from convista.errors import ArgumentError, DataError, ShapeError, suggest
from convista.training.augmentation import InMemory

_CLASS_MODES = ("categorical", "sparse", "binary")


@dataclass(frozen=True)
class Source:
    """How a generator turns pictures into those of a batch.

    Args:
        augmentation: Layers that change them at random; empty for validation.
        compose: An ``albumentations.Compose`` that changes them before, one by one, or ``None``.
        function: The user's own, for one picture, or ``None``.
        standardization: What follows.
        seed: What orders and changes are drawn from.
        ready: Raises where the generator must be fitted first.
    """

    augmentation: tuple[Any, ...]
    compose: Any
    function: Callable[[np.ndarray], np.ndarray] | None
    standardization: Standardization
    seed: int
    ready: Callable[[], None]

    def order(self, count: int, number: int, shuffle: bool) -> np.ndarray:
        """Return the order of pass ``number`` over ``count`` pictures."""
        places = np.arange(count)
        return np.random.default_rng((self.seed, number)).permutation(places) if shuffle else places

    def changed(self, x: np.ndarray, number: int, batch: int) -> np.ndarray:
        """Return other pictures for those of a batch of a pass, float32."""
        if self.compose is not None:
            drawn = np.random.default_rng((self.seed, number, batch)).integers(2**31)
            x = changed_by(self.compose, x, int(drawn))
        x = np.asarray(x, np.float32)
        if not self.augmentation:
            return x
        return np.asarray(_changed(self.augmentation, x, self.seed, number, batch))

    def standardized(self, x: np.ndarray) -> np.ndarray:
        """Return pictures on the scale that the network sees."""
        self.ready()
        if self.function is not None:
            x = np.stack([_checked(self.function(picture), picture.shape) for picture in np.asarray(x, np.float32)])
        return self.standardization(x)


def _checked(picture: Any, shape: tuple[int, ...]) -> np.ndarray:
    result = np.asarray(picture)
    if result.shape != shape:
        raise ShapeError(
            "preprocessing_function returns a picture of the shape it was given",
            where="ImageDataGenerator",
            received=f"{result.shape} for {shape}",
        )
    return result


def _changed(layers: tuple[Any, ...], x: np.ndarray, seed: int, number: int, batch: int) -> Any:
    import jax

    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), number), batch)
    return _program(layers)(x, key)


@functools.lru_cache(maxsize=16)
def _program(layers: tuple[Any, ...]) -> Callable[..., Any]:
    """Return the compiled changes; those of the generators used last are kept."""
    from convista.kernels.compiler import compile_function
    from convista.training.augmentation import augment

    return compile_function(lambda x, key: augment(layers, x, key))


def _fills(layer: Any) -> bool:
    """Whether a layer writes values of its own into pictures, so that a factor for all values cannot come before it."""
    reading = getattr(layer, "reading", {"fill_value": 1.0})
    return reading is not None and bool(reading["fill_value"])


class Flow:
    """Batches by number; ``next`` goes on for ever.

    Attributes:
        n: How many pictures there are.
        batch_size: Pictures a batch; the last one may have fewer.
        augments: Whether pictures are changed at random, so that they are for training only.
    """

    def __init__(self, source: Source, count: int, batch_size: int, shuffle: bool):
        self.source = source
        self.n = count
        self.batch_size = arguments.integer(batch_size, "batch_size", where="ImageDataGenerator")
        self.shuffle = bool(shuffle)
        self.reset()

    @property
    def augments(self) -> bool:
        """Whether pictures are changed at random."""
        return bool(self.source.augmentation) or self.source.compose is not None

    def __len__(self) -> int:
        """Batches of one pass."""
        return math.ceil(self.n / self.batch_size)

    def __getitem__(self, number: int) -> Any:
        """Return batch ``number`` of this pass."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        number %= len(self)
        places = self._order[number * self.batch_size : (number + 1) * self.batch_size]
        return self._batch(places, lambda x: self.source.standardized(self.source.changed(x, self._pass, number)))

    def _batch(self, places: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> Any:
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """Begin the next pass: another order, other changes."""
        self._pass += 1
        self._order = self.source.order(self.n, self._pass, self.shuffle)

    def reset(self) -> None:
        """Begin again with the first pass."""
        self._pass, self._next = -1, 0
        self.on_epoch_end()

    def __next__(self) -> Any:
        """Return the next batch; after the last one of a pass comes the first of the next."""
        if self._next == len(self):
            self.on_epoch_end()
            self._next = 0
        self._next += 1
        return self[self._next - 1]


class ArrayFlow(Flow):
    """Batches of pictures that are in memory."""

    def __init__(self, source: Source, x: np.ndarray, y: Any, sample_weight: Any, batch_size: int, shuffle: bool):
        self.x, self.y, self.sample_weight = x, y, sample_weight
        source.ready()
        super().__init__(source, len(x), batch_size, shuffle)

    def _batch(self, places, change):
        x = change(self.x[places])
        if self.y is None:
            return x
        rest = () if self.sample_weight is None else (self.sample_weight[places],)
        return (x, self.y[places], *rest)

    def in_memory(self) -> InMemory | None:
        """Return the arrays and the changes, for a ``fit`` that makes the changes inside its compiled steps.

        ``None`` where the order of changes and scale matters, or the user's own function is among them.
        """
        scale = self.source.standardization
        commutes = scale == Standardization(scale.rescale)
        constant = any(_fills(layer) for layer in self.source.augmentation)
        host = self.source.function is not None or self.source.compose is not None
        if self.y is None or host or not commutes or constant:
            return None
        x = scale(self.x) if scale.rescale is not None else self.x
        return InMemory(x, self.y, self.sample_weight, self.batch_size, self.shuffle, self.source.augmentation or None)


class DirectoryFlow(Flow):
    """Batches of pictures that are read from files as they are needed, as ``image_folder`` reads them.

    Files that are no pictures are left out of their batch and named on stderr.

    Attributes:
        class_indices: The number of each class by its name.
        classes: int32, the class of every picture.
        filenames: The names of the files below the folder.
    """

    def __init__(self, source: Source, folder: Path, shape: tuple[int, int, int], how: Preprocessing, mode: str | None):
        self.directory, self.image_shape, self.class_mode = folder, shape, mode
        self._how = how
        self._source = source

    @classmethod
    def reading(
        cls,
        source: Source,
        directory: str | os.PathLike[str],
        target_size: tuple[int, ...],
        color_mode: str,
        classes: Sequence[str] | None,
        class_mode: str | None,
        interpolation: str,
    ) -> DirectoryFlow:
        """Return a flow that knows its files; ``arranged`` makes it ready."""
        where = "ImageDataGenerator.flow_from_directory"
        height, width = arguments.integers(target_size, 2, "target_size", where=where)
        channels = {"rgb": 3, "grayscale": 1}[
            arguments.one_of(color_mode, ("rgb", "grayscale"), "color_mode", where=where)
        ]
        if class_mode is not None:
            arguments.one_of(class_mode, _CLASS_MODES, "class_mode", where=where)
        flow = cls(
            source,
            Path(directory),
            (height, width, channels),
            Preprocessing(interpolation=interpolation),
            class_mode,
        )
        flow._find(classes, where)
        return flow

    def _find(self, classes: Sequence[str] | None, where: str) -> None:
        given = self.directory
        if is_archive(given):
            self.directory = unpack_pictures(given)
        if not self.directory.is_dir():
            raise DataError(
                "there is a folder with one folder for each class", where=where, received=f"{self.directory}"
            )
        train = split_folder(self.directory)
        if classes is None and train is not None:
            raise DataError(
                "a flow reads one split",
                where=where,
                received=f"{given} with a folder {train.name}",
                fix=f"Write flow_from_directory({str(train)!r}), or train on "
                f"convista.data.image_folder({str(given)!r})",
            )
        found = pictures_by_class(self.directory)
        names = list(found) if classes is None else list(classes)
        missing = [name for name in names if name not in found]
        if missing:
            raise DataError(
                "every class is a folder", where=where, received=f"{missing[0]!r}", fix=suggest(missing[0], found)
            )
        self.class_indices = {name: number for number, name in enumerate(names)}
        self._by_class = [found[name] for name in names]
        if not any(self._by_class):
            raise DataError(
                "there are pictures in folders, one for each class",
                where=where,
                received=f"{given} with {len(names)} folders and no picture in them",
                fix=f"Put them there as CLASS/NAME with one of the endings {', '.join(sorted(SUFFIXES))}",
            )
        if self.class_mode == "binary" and len(names) != 2:
            raise ArgumentError(
                'class_mode="binary" is for two classes',
                where=where,
                received=f"{len(names)} classes",
                fix='Use class_mode="categorical" or "sparse"',
            )

    def arranged(self, part: Callable[[int], slice], batch_size: int, shuffle: bool) -> DirectoryFlow:
        """Return the flow with a part of each class, ready to give batches.

        Args:
            part: Returns which of a number of rows are wanted.
            batch_size: Pictures a batch.
            shuffle: Whether each pass has an order of its own.
        """
        chosen = [files[part(len(files))] for files in self._by_class]
        paths = tuple(path for files in chosen for path in files)
        self.filenames = [os.path.relpath(path, self.directory) for path in paths]
        self.classes = np.repeat(np.arange(len(chosen), dtype=np.int32), [len(files) for files in chosen])
        self._source.ready()
        super().__init__(self._source, len(paths), batch_size, shuffle)
        self._library = Library(paths, self.classes, self._reading(), KEEP_BYTES)
        return self

    def _reading(self) -> Reading:
        return Reading(
            shape=self.image_shape,
            preprocessing=self._how,
            batch_size=self.batch_size,
            classes=len(self.class_indices),
            label_mode="int",
            seed=self._source.seed,
            errors="skip",
            workers=min(8, os.cpu_count() or 1),
        )

    def _batch(self, places, change):
        read = list(self._library.batches(places))
        self._library.report(places)
        if not read:
            raise DataError(
                "a batch has at least one picture that can be read",
                where="ImageDataGenerator.flow_from_directory",
                received=", ".join(self.filenames[place] for place in places[:5]),
                fix="Remove these files, or use a larger batch_size",
            )
        ((pictures, places),) = read
        x = change(pictures)
        if self.class_mode is None:
            return x
        labels = self.classes[places]
        if self.class_mode.lower() == "categorical":
            return x, np.eye(len(self.class_indices), dtype=np.float32)[labels]
        return x, labels.astype(np.float32) if self.class_mode.lower() == "binary" else labels
