"""Picture files in batches: decoded by threads ahead of whoever trains, and kept while they fit a bound."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convista.data.picture_changes import Compose, changed_by
from convista.data.pictures import Preprocessing, read_picture, without_warnings
from convista.errors import ArgumentError, DataError

# Pictures that one task decodes: 82 µs of a core for one of 32×32. With 64 it is 72, but then a batch of 32 is one
# task, and beside a training step there is no difference.
_PIECE = 16
# Whole batches that wait, decoded, beside the one that is trained on.
_AHEAD = 2
_NAMED = 5


@dataclass(frozen=True)
class Skipped:
    """A file that was left out.

    Args:
        path: The file.
        reason: Why it cannot be a picture of this set.
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Reading:
    """How the pictures of a folder are read.

    Args:
        shape: (height, width, channels) of every picture.
        preprocessing: How a picture of another size is brought to it.
        batch_size: Pictures in a batch.
        classes: How many classes there are.
        label_mode: ``"int"``, ``"categorical"`` or ``"binary"``.
        seed: Of the order.
        errors: ``"skip"`` or ``"raise"``.
        workers: Threads that decode.
    """

    shape: tuple[int, int, int]
    preprocessing: Preprocessing
    batch_size: int
    classes: int
    label_mode: str
    seed: int
    errors: str
    workers: int


@dataclass(eq=False)
class Library:
    """All pictures of a folder, those decoded before, and those that turned out to be none.

    Args:
        paths: The files of every split.
        labels: int32, their classes.
        reading: How they are read.
        keep_bytes: How much memory decoded pictures may take; the first that fit are kept.
        bad: The places of files that are no pictures, with the reason.
        told: Those that were named on stderr.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    reading: Reading
    keep_bytes: int
    bad: dict[int, str] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        count = min(len(self.paths), self.keep_bytes // int(np.prod(self.reading.shape)))
        # The system gives these pages when they are first written.
        self._kept = np.empty((count, *self.reading.shape), np.uint8)
        self._is_kept = np.zeros(len(self.paths), bool)

    def has(self, places: np.ndarray) -> bool:
        """Return whether all these pictures are in memory."""
        return bool(self._is_kept[places].all())

    def kept(self, places: np.ndarray) -> np.ndarray:
        """Return a copy of pictures that are in memory."""
        return self._kept[places]

    def read(self, place: int) -> np.ndarray:
        """Return one picture.

        Raises:
            DataError: It cannot be decoded.
        """
        if self._is_kept[place]:
            return self._kept[place]
        picture = read_picture(self.paths[place], self.reading.shape, self.reading.preprocessing)
        if place < len(self._kept):
            self._kept[place] = picture
            self._is_kept[place] = True
        return picture

    def read_into(self, places: np.ndarray, pictures: np.ndarray) -> list[tuple[int, DataError]]:
        """Fill rows with pictures and return which could not be read."""
        failed: list[tuple[int, DataError]] = []
        with without_warnings:
            for row, place in enumerate(places):
                try:
                    pictures[row] = self.read(int(place))
                except DataError as error:
                    failed.append((row, error))
        return failed

    def good(self, places: np.ndarray) -> np.ndarray:
        """Return the places without those that are known to be bad."""
        if not self.bad:
            return places
        return places[[int(place) not in self.bad for place in places]]

    def report(self, places: np.ndarray) -> None:
        """Name on stderr which of these turned out to be no pictures since the last time."""
        new = [place for place in places.tolist() if place in self.bad and place not in self.told]
        self.told.update(new)
        if new:
            skipped = tuple(Skipped(Path(self.paths[place]), self.bad[place]) for place in new)
            print(f"Skipped {_listed(skipped)}", file=sys.stderr)

    def batches(self, places: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the pictures at these places in this order, in batches, with the places that they are from.

        A batch is smaller by those of its files that are skipped.

        Raises:
            DataError: A file cannot be read, and errors are to be raised.
        """
        size, shape = self.reading.batch_size, self.reading.shape
        # Bad files are taken out of batches that were cut with them, so it does not matter which were known before.
        cuts = (self.good(places[first : first + size]) for first in range(0, len(places), size))
        waiting: deque[_Decoding] = deque()
        ahead = max(_AHEAD, -(-self.reading.workers * _PIECE // size))
        pool = ThreadPoolExecutor(self.reading.workers, thread_name_prefix="convista-pictures")
        try:
            for cut in cuts:
                waiting.append(_Decoding.begin(self, cut, shape, pool))
                if len(waiting) > ahead:
                    yield from self._finished(waiting.popleft())
            while waiting:
                yield from self._finished(waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _finished(self, decoding: _Decoding) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        failed = decoding.wait()
        if failed and self.reading.errors == "raise":
            raise failed[0][1]
        for row, error in failed:
            self.bad[int(decoding.places[row])] = _reason(error)
        pictures, places = decoding.pictures, decoding.places
        if failed:
            whole = np.ones(len(places), bool)
            whole[[row for row, _ in failed]] = False
            pictures, places = pictures[whole], places[whole]
        if len(places):
            yield pictures, places


@dataclass(frozen=True)
class _Decoding:
    """A batch that threads are filling."""

    places: np.ndarray
    pictures: np.ndarray
    parts: list[tuple[int, Future[list[tuple[int, DataError]]]]]

    @classmethod
    def begin(
        cls, library: Library, places: np.ndarray, shape: tuple[int, int, int], pool: ThreadPoolExecutor
    ) -> _Decoding:
        if library.has(places):
            return cls(places, library.kept(places), [])
        pictures = np.empty((len(places), *shape), np.uint8)
        firsts = range(0, len(places), _PIECE)
        parts = [
            (first, pool.submit(library.read_into, places[first : first + _PIECE], pictures[first : first + _PIECE]))
            for first in firsts
        ]
        return cls(places, pictures, parts)

    def wait(self) -> list[tuple[int, DataError]]:
        return [(first + row, error) for first, part in self.parts for row, error in part.result()]


def _reason(error: DataError) -> str:
    return error.rule if error.received is None else f"{error.rule}, received {error.received}"


class PictureBatches:
    """The pictures of one split as an iterable of batches ``(x, y)``, for ``fit``, ``evaluate`` and ``predict``.

    ``x`` is uint8 ``(N, height, width, channels)``. Each pass that is shuffled has an order of its own, which depends
    on the seed and on the number of the pass alone, never on the threads. ``evaluate``, ``predict`` and validation take
    the pictures in the order of ``paths``.

    Args:
        library: The pictures of the whole folder.
        places: Which of them are these.
        shuffle: Whether passes are shuffled.
        compose: What changes the pictures at random, one by one, such as an ``albumentations.Compose``; for training.
    """

    def __init__(self, library: Library, places: np.ndarray, shuffle: bool, compose: Compose | None = None):
        self._library = library
        self._all = places
        self._shuffle = shuffle
        self._compose = compose
        self._pass = 0

    def __repr__(self) -> str:
        return f"<PictureBatches: {self.size} pictures of {'×'.join(map(str, self._library.reading.shape))}>"

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self._all) // self._library.reading.batch_size)

    @property
    def augments(self) -> bool:
        """Whether pictures are changed at random, so that they are for training only."""
        return self._compose is not None

    @property
    def _places(self) -> np.ndarray:
        return self._library.good(self._all)

    @property
    def size(self) -> int:
        """The number of pictures, without the files that turned out to be none."""
        return len(self._places)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every picture."""
        return self._library.reading.shape

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of ``evaluate`` and ``predict``, without those that turned out to be no pictures."""
        return [Path(self._library.paths[place]) for place in self._places]

    @property
    def y(self) -> np.ndarray:
        """int32, the class of each of ``paths``."""
        return self._library.labels[self._places]

    @property
    def x(self) -> Pictures:
        """The pictures of ``paths``, read when they are asked for by number."""
        return Pictures(self._library, self._places)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that turned out to be no pictures so far; after one pass, all of them."""
        bad, paths = self._library.bad, self._library.paths
        return tuple(Skipped(Path(paths[place]), bad[place]) for place in self._all.tolist() if place in bad)

    def set_epoch(self, number: int) -> None:
        """Say which pass comes next, so that training that is taken up again sees the same order."""
        self._pass = number

    def in_order(self) -> PictureBatches:
        """Return the same pictures in the order of ``paths``, and not changed at random."""
        return PictureBatches(self._library, self._all, False)

    def parted(self, share: float, seed: int) -> tuple[PictureBatches, PictureBatches]:
        """Divide the pictures at random, the same share of each class.

        Args:
            share: Of the second part, between 0 and 1.
            seed: Same seed, same parts.

        Returns:
            The rest, and the part, the latter neither shuffled nor changed at random.

        Raises:
            DataError: One of them would be empty.
        """
        chosen = np.zeros(len(self._all), bool)
        labels = self._library.labels[self._all]
        draw = np.random.Generator(np.random.Philox(key=seed))
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            chosen[draw.permutation(places)[: round(share * len(places))]] = True
        if chosen.all() or not chosen.any():
            raise DataError(
                "a split leaves pictures on both sides",
                where="image_folder",
                received=f"a share of {share:g} of {len(chosen)} pictures in {len(np.unique(labels))} classes",
                fix="Choose a share nearer to 0.5, or collect more pictures",
            )
        rest, part = self._all[~chosen], self._all[chosen]
        return (
            PictureBatches(self._library, rest, self._shuffle, self._compose),
            PictureBatches(self._library, part, False),
        )

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches of one pass."""
        number, some, places = self._pass, False, self._all
        if self._shuffle:
            draw = np.random.Generator(np.random.Philox(key=[self._library.reading.seed, number]))
            places = draw.permutation(places)
        for batch, (pictures, found) in enumerate(self._library.batches(places)):
            some = True
            yield self._changed(pictures, number, batch), self._targets(found)
        self._pass = number + 1
        self._library.report(self._all)
        if not some:
            raise DataError(
                "a split has at least one picture",
                where="image_folder",
                received=_listed(self.skipped) if len(self._all) else "no file with a picture's suffix, such as .jpg",
            )

    def _changed(self, pictures: np.ndarray, number: int, batch: int) -> np.ndarray:
        if self._compose is None:
            return pictures
        drawn = np.random.default_rng((self._library.reading.seed, number, batch)).integers(2**31)
        changed = changed_by(self._compose, pictures, int(drawn))
        if changed.dtype != pictures.dtype:
            raise ArgumentError(
                "augmentation keeps uint8 pictures, or use would differ from training",
                where=type(self._compose).__name__,
                received=f"pictures of {changed.dtype}",
                fix="Leave ToFloat and Normalize out; Rescaling is a layer of the model",
            )
        return changed

    def _targets(self, places: np.ndarray) -> Any:
        labels, reading = self._library.labels[places], self._library.reading
        if reading.label_mode == "categorical":
            return np.eye(reading.classes, dtype=np.float32)[labels]
        return labels.astype(np.float32)[:, None] if reading.label_mode == "binary" else labels


def _listed(skipped: tuple[Skipped, ...]) -> str:
    named = "; ".join(f"{one.path}: {one.reason}" for one in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more, see .skipped" if len(skipped) > _NAMED else ""
    return f"{len(skipped)} file{'' if len(skipped) == 1 else 's'}: {named}{more}"


class Pictures:
    """Pictures that are read when they are asked for by number, as if they were one array.

    Args:
        library: The pictures of the whole folder.
        places: Which of them are these.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, library: Library, places: np.ndarray):
        self._library, self._places = library, places
        self.shape = (len(places), *library.reading.shape)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: Any) -> np.ndarray:
        """Return one picture, or those of a slice or of an array of numbers.

        Raises:
            DataError: One of them cannot be decoded.
        """
        places = self._places[number]
        if places.ndim == 0:
            return self._library.read(int(places)).copy()
        found = np.empty((len(places), *self.shape[1:]), np.uint8)
        failed = self._library.read_into(places, found)
        if failed:
            raise failed[0][1]
        return found
