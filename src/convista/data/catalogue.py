"""Datasets by name: from the user's folder, then the cache, then a download."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from convista.data.cifar import cifar_is_in, read_cifar
from convista.data.dataset import Dataset, Split
from convista.data.digits import EMBEDDED, read_digits
from convista.data.download import fetch
from convista.data.entries import ENTRIES, IDX_FILES, Entry
from convista.data.idx import read_idx
from convista.data.image_archive import read_image_archive
from convista.data.npz import read_npz
from convista.errors import ArgumentError, DataError, suggest
from convista.folders import cache_folder, data_folder, must_stay_offline

_CIFAR_FOLDERS = {
    10: ("cifar-10-batches-bin", "cifar-10-batches-py"),
    100: ("cifar-100-binary", "cifar-100-python"),
}
_CIFAR_ARCHIVES = {
    10: ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"),
    100: ("cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"),
}
_CIFAR_PICTURES = "cifar10-images.tar.xz"

# What has no pictures, and what reads it instead.
_ELSEWHERE = {
    "splice": 'load_sequences("splice")',
    "GunPoint": 'load_series("GunPoint")',
    "synthetic-volumes": "synthetic_volumes(count)",
}

Halves = tuple[Split, Split]


@dataclass(frozen=True)
class Description:
    """What is known of a dataset without reading it.

    Args:
        name: The name to load it by.
        title: What it shows.
        shape: The shape of a picture: (height, width, channels).
        train_count: How many pictures there are to train.
        test_count: How many there are to test.
        classes: The names of the classes.
        licence: The licence, or what is known of it.
        citation: What to cite.
        download_bytes: How large its download is; 0 when it is inside the package.
        available: Whether it can be loaded now without the network.
        location: Where it would be read from, when available.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    train_count: int
    test_count: int
    classes: tuple[str, ...]
    licence: str
    citation: str
    download_bytes: int
    available: bool
    location: str | None


@dataclass(frozen=True)
class _Find:
    """Files of a dataset that were found: where, how to read them, and what to say of it in ``source``."""

    path: Path
    read: Callable[[], Halves]
    remark: str = ""


def names(*, entries: Mapping[str, Entry] = ENTRIES) -> tuple[str, ...]:
    """Return the names that ``load`` knows.

    Example:
        >>> names()
        ('digits', 'mnist', 'fashion_mnist', 'kmnist', 'cifar10', 'cifar100')
    """
    return tuple(entries)


def describe(name: str, *, entries: Mapping[str, Entry] = ENTRIES) -> Description:
    """Tell what a dataset is, and whether it can be loaded without the network.

    Args:
        name: One of ``names()``.
        entries: The datasets that are known.

    Returns:
        Its description. Files are looked for and not read.

    Raises:
        ArgumentError: The name is not known.

    Example:
        >>> describe("digits").shape, describe("digits").available
        ((8, 8, 1), True)
    """
    entry = _entry(name, entries)
    find = _find(entry)
    return Description(
        name=entry.name,
        title=entry.title,
        shape=entry.shape,
        train_count=entry.counts[0],
        test_count=entry.counts[1],
        classes=entry.classes,
        licence=entry.licence,
        citation=entry.citation,
        download_bytes=sum(download.size for download in entry.downloads),
        available=find is not None,
        location=None if find is None else str(find.path),
    )


def load(name: str, *, offline: bool = False, entries: Mapping[str, Entry] = ENTRIES) -> Dataset:
    """Load a dataset by its name.

    It is looked for in ``$CONVISTA_DATA`` (in ``$CONVISTA_DATA/NAME/``, or directly there), then in the cache
    (``$CONVISTA_HOME``, else ``~/.cache/convista``), and then downloaded into the cache and checked. ``"digits"`` is
    inside the package.

    Args:
        name: ``"digits"``, ``"mnist"``, ``"fashion_mnist"``, ``"kmnist"``, ``"cifar10"`` or ``"cifar100"``.
        offline: Never ask the network; ``CONVISTA_OFFLINE=1`` does the same.
        entries: The datasets that are known; give another table to load from mirrors.

    Returns:
        The dataset: uint8 pictures ``(count, height, width, channels)`` and int32 labels.

    Raises:
        ArgumentError: The name is not known.
        DataError: The files are damaged or are not this dataset, or they were not found and could not be downloaded.

    Example:
        >>> digits = load("digits")
        >>> digits.train.x.shape, digits.train.y[:3]
        ((1437, 8, 8, 1), array([1, 3, 5], dtype=int32))
    """
    entry = _entry(name, entries)
    find = _find(entry)
    if find is None:
        find = _downloaded(entry, offline=offline or must_stay_offline())
    train, test = find.read()
    _check_whole(entry, find, train, test)
    place = "inside the package" if entry.family == "embedded" else str(find.path)
    source = f"{entry.citation}. Licence: {entry.licence}. Read from {place}.{find.remark}"
    return Dataset(entry.name, train, test, entry.classes, source)


def _entry(name: str, entries: Mapping[str, Entry]) -> Entry:
    if not isinstance(name, str) or name not in entries:
        other = _ELSEWHERE.get(str(name))
        fix = suggest(str(name), entries) if other is None else f"These are no pictures: convista.data.{other}"
        raise ArgumentError("there is no dataset of this name", where="load", received=repr(name), fix=fix)
    return entries[name]


def _folders(entry: Entry) -> list[Path]:
    own = data_folder()
    in_data = [] if own is None else [own / entry.name, own]
    return [*in_data, _cache(entry)]


def _cache(entry: Entry) -> Path:
    return cache_folder() / "data" / entry.name


def _find(entry: Entry) -> _Find | None:
    if entry.family == "embedded":
        return _Find(EMBEDDED, read_digits)
    look = _find_idx if entry.family == "idx" else _find_cifar
    return next((find for folder in _folders(entry) if (find := look(entry, folder)) is not None), None)


def _find_idx(entry: Entry, folder: Path) -> _Find | None:
    packed = folder / f"{entry.name}.npz"
    if packed.is_file():
        return _Find(packed, partial(read_npz, packed))
    files = _idx_files(folder)
    # Four files of these names directly in the data folder could be any of three datasets.
    if folder.name != entry.name or not all(files):
        return None
    images, labels, test_images, test_labels = (file for file in files if file is not None)
    return _Find(folder, lambda: (_idx_split(images, labels), _idx_split(test_images, test_labels)))


def _idx_files(folder: Path) -> list[Path | None]:
    return [
        next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None) for name in IDX_FILES
    ]


def _idx_split(images: Path, labels: Path) -> Split:
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or x.dtype != np.uint8:
        raise DataError(
            "pictures are uint8 of shape (count, height, width)",
            where=str(images),
            received=f"{x.dtype} of shape {x.shape}",
        )
    if y.ndim != 1 or y.dtype != np.uint8:
        raise DataError(
            "labels are uint8 of shape (count,)", where=str(labels), received=f"{y.dtype} of shape {y.shape}"
        )
    if len(x) != len(y):
        raise DataError(
            "there is one label for each picture",
            where=str(images),
            received=f"{len(x)} pictures and {len(y)} labels in {labels}",
            fix="Check that both files are of the same half, train or t10k",
        )
    return Split(x[..., None], y.astype(np.int32))


def _find_cifar(entry: Entry, folder: Path) -> _Find | None:
    classes = len(entry.classes)
    places = [folder / name for name in _CIFAR_FOLDERS[classes]]
    places += [folder] if folder.name == entry.name else []
    for place in places:
        if cifar_is_in(place, classes=classes):
            return _Find(place, partial(read_cifar, place, classes=classes))
    for archive in (folder / name for name in _CIFAR_ARCHIVES[classes]):
        if archive.is_file():
            return _Find(archive, partial(read_cifar, archive, classes=classes))
    packed = folder / f"{entry.name}.npz"
    if packed.is_file():
        return _Find(packed, partial(read_npz, packed))
    pictures = folder / _CIFAR_PICTURES
    if classes == 10 and pictures.is_file():
        remark = " These are JPEG pictures: JPEG is lossy, so accuracies differ a little from the published set's."
        return _Find(pictures, partial(read_image_archive, pictures, entry.classes, kept=_cache(entry)), remark)
    return None


def _downloaded(entry: Entry, *, offline: bool) -> _Find:
    if offline:
        raise _not_found(entry)
    for download in entry.downloads:
        # Earlier downloads were checked before they got their name.
        if not (_cache(entry) / download.file).is_file():
            fetch(download, _cache(entry))
    find = _find(entry)
    if find is None:
        raise _not_found(entry)
    return find


def _not_found(entry: Entry) -> DataError:
    looked = ", ".join(str(folder) for folder in _folders(entry))
    if data_folder() is None:
        looked += " (CONVISTA_DATA is not set)"
    if some := [str(file) for folder in _folders(entry) for file in _some_files(entry, folder)]:
        looked += f"; there is only {', '.join(some)}"
    files = ", ".join(download.file for download in entry.downloads)
    return DataError(
        f"the files were not found, and offline nothing is downloaded. Looked in {looked}",
        where=f"dataset {entry.name!r}",
        fix=f"Put {files} into one of these folders, or load it once with the network",
    )


def _some_files(entry: Entry, folder: Path) -> list[Path]:
    if entry.family != "idx" or folder.name != entry.name:
        return []
    return [file for file in _idx_files(folder) if file is not None]


def _check_whole(entry: Entry, find: _Find, train: Split, test: Split) -> None:
    shapes = tuple((len(split), *split.x.shape[1:]) for split in (train, test))
    published = tuple((count, *entry.shape) for count in entry.counts)
    if shapes != published:
        raise DataError(
            f"{entry.name} has training and test pictures of shapes {published[0]} and {published[1]}",
            where=str(find.path),
            received=f"{shapes[0]} and {shapes[1]}",
            fix="Put the published files there",
        )
    for half, split in (("training", train), ("test", test)):
        largest = int(split.y.max())
        if largest >= len(entry.classes) or int(split.y.min()) < 0:
            raise DataError(
                f"{entry.name} has labels from 0 to {len(entry.classes) - 1}",
                where=str(find.path),
                received=f"{half} labels from {int(split.y.min())} to {largest}",
                fix="Put the published files there",
            )
    for name, values, digest in zip(IDX_FILES, (train.x, train.y, test.x, test.y), entry.contents, strict=False):
        found = _idx_digest(values)
        if found != digest:
            raise DataError(
                f"these are not the published values of {entry.name}",
                where=str(find.path),
                received=f"{name} with the SHA-256 {found} and not {digest}",
                fix="Put the published files there",
            )


def _idx_digest(values: np.ndarray) -> str:
    """Return the SHA-256 that the values have as an unpacked IDX file, whatever format they were read from."""
    shape = values.shape[:3] if values.ndim == 4 else values.shape
    digest = hashlib.sha256(struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape))
    digest.update(np.ascontiguousarray(values, np.uint8).data)
    return digest.hexdigest()
