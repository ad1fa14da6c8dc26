"""What is wrong with a folder of pictures, before anything is trained on it."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from convista.data.archive_folder import LARGEST_PICTURE, is_archive, unpack_pictures
from convista.data.files import regular_file
from convista.data.folder_layout import Layout, find_pictures
from convista.data.pictures import DAMAGED, MOST_PIXELS, SUFFIXES, drawn_small, opened, without_warnings
from convista.errors import DataError

SEVERITIES = ("error", "warning", "note")

_PIECE = 16
_THUMB = 16
_GREY_LEVELS = 4
_IMBALANCE = 3
_TINY_SIDE = 8
_TINY_SHARE = 4
# Two pictures look the same when at most this many of the 64 bits of their hashes differ and their 16×16 thumbs lie at
# most this many levels apart on average. In CIFAR-10 that finds 970 pairs, 271 of them across the splits; of 36 that
# were looked at, one was two different ships. With 3 bits it found 48 across, with 6 levels none; what 30 levels add
# are different pictures in about half of the cases.
_BITS_APART = 10
_LEVELS_APART = 20.0
_BANDS = 8
# Pictures with one equal band that are compared with each other: all that CIFAR-10 has, and a bound for a set with one
# blank page a hundred thousand times.
_NEIGHBOURS = 2000
_PAIRS_AT_A_TIME = 1 << 14


@dataclass(frozen=True)
class Finding:
    """One kind of trouble and the files that have it.

    Args:
        kind: Its short name, such as ``"duplicate across splits"``.
        severity: ``"error"``, ``"warning"`` or ``"note"``.
        message: What it is, in a sentence.
        files: The files, relative to the folder; for duplicates each line has those that are alike.
    """

    kind: str
    severity: str
    message: str
    files: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ClassCount:
    """How many pictures a class has.

    Args:
        name: The class.
        train: In train/, or in a folder without splits.
        validation: In val/.
        test: In test/.
    """

    name: str
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class FolderCheck:
    """What was found in a folder of pictures.

    Args:
        folder: The folder.
        pictures: How many files have a picture's suffix.
        classes: The classes with their counts, unreadable files included.
        sizes: (height, width, how many), the most frequent first.
        findings: What is wrong or worth knowing, errors first.
    """

    folder: Path
    pictures: int
    classes: tuple[ClassCount, ...]
    sizes: tuple[tuple[int, int, int], ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make results wrong: files that are no pictures, and pictures that are in two places."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def document(self) -> dict[str, object]:
        """Return everything as plain data."""
        return {**asdict(self), "folder": str(self.folder), "errors": len(self.errors)}


@dataclass(frozen=True)
class _Look:
    """What one file is."""

    trouble: str = ""
    reason: str = ""
    digest: bytes = b""
    size: tuple[int, int] = (0, 0)
    kind: str = ""
    is_grey: bool = False
    bits: int = 0
    thumb: bytes = b""


@dataclass(frozen=True)
class _Gallery:
    """All files of a folder, side by side."""

    root: Path
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray
    splits: tuple[str, ...]
    looks: tuple[_Look, ...]

    def named(self, places: Iterable[int]) -> tuple[str, ...]:
        return tuple(os.path.relpath(self.paths[place], self.root) for place in places)

    def one_each(self, places: Iterable[int]) -> tuple[tuple[str, ...], ...]:
        return tuple((name,) for name in self.named(places))

    @property
    def readable(self) -> list[int]:
        return [place for place, look in enumerate(self.looks) if not look.trouble]


def check_folder(
    directory: str | os.PathLike[str], *, watch: Callable[[int, int], None] | None = None, workers: int | None = None
) -> FolderCheck:
    """Look at every picture of a folder and say what is wrong.

    Errors: files that are empty, damaged or far too large; the same picture in two splits or in two classes. Warnings:
    pictures in two splits that look the same; the same picture twice in a class; classes of very different sizes or
    without test pictures; grey pictures among coloured ones; tiny pictures; suffixes that are wrong. Notes: several
    sizes; files that are no pictures.

    Pictures look the same when their difference hashes (64 bits: is a cell of 9×8 brighter than the one to its left?)
    differ in at most 10 bits and their 16×16 thumbs by at most 20 of 255 levels on average. Most such pairs are found.

    Args:
        directory: The folder, as for ``image_folder``, or an archive of it.
        watch: Called with the number of files seen and of all files.
        workers: Threads that decode; None takes one for each core, at most 8.

    Returns:
        What was found.

    Raises:
        DataError: There is no such folder, or it has no such layout.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> for split in ("train", "test"):
        ...     (root / split / "cat").mkdir(parents=True)
        ...     Image.new("RGB", (40, 30), "orange").save(root / split / "cat" / f"{split}.png")
        >>> for finding in check_folder(root).findings:
        ...     print(finding.severity, finding.message, finding.files)
        error 1 picture is in several splits (('train/cat/train.png', 'test/cat/test.png'),)

    Source:
        N. Krawetz: Kind of Like That, 2013 (the difference hash). B. Barz, J. Denzler: Do We Train on Test Data?
        Purging CIFAR of Near-Duplicates, 2020.
    """
    root = Path(directory)
    layout = find_pictures(unpack_pictures(root) if is_archive(root) else root)
    gallery = _look_at_all(layout, watch, workers or min(8, os.cpu_count() or 1))
    sizes = Counter(gallery.looks[place].size for place in gallery.readable)
    findings = [
        *_unreadable(gallery),
        *_duplicates(gallery),
        *_balance(gallery, layout),
        *_grey(gallery),
        *_tiny(gallery),
        *_suffixes(gallery),
        *_sizes(sizes),
        *_others(gallery, layout),
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return FolderCheck(
        folder=root,
        pictures=len(gallery.paths),
        classes=_counts(gallery),
        sizes=tuple((*size, count) for size, count in sizes.most_common()),
        findings=tuple(findings),
    )


def _look_at_all(layout: Layout, watch: Callable[[int, int], None] | None, workers: int) -> _Gallery:
    paths = tuple(path for folder in layout.splits.values() for path in folder.paths)
    labels = np.array([label for folder in layout.splits.values() for label in folder.labels], np.int64)
    splits = tuple(split for split, folder in layout.splits.items() for _ in folder.paths)
    looks: list[_Look] = []
    with ThreadPoolExecutor(workers, thread_name_prefix="convista-check") as pool:
        for part in _in_pieces(pool, paths, workers):
            looks += part
            if watch is not None:
                watch(len(looks), len(paths))
    return _Gallery(layout.root, layout.classes, paths, labels, splits, tuple(looks))


def _in_pieces(pool: ThreadPoolExecutor, paths: tuple[str, ...], workers: int) -> Iterator[list[_Look]]:
    """Look at files in order; only a few pieces wait at a time, so that an interruption is heard at once."""
    pieces = iter(range(0, len(paths), _PIECE))
    waiting = [pool.submit(_look_at_some, paths[first : first + _PIECE]) for first in islice(pieces, 2 * workers)]
    while waiting:
        done = waiting.pop(0).result()
        waiting += [pool.submit(_look_at_some, paths[first : first + _PIECE]) for first in islice(pieces, 1)]
        yield done


def _look_at_some(paths: tuple[str, ...]) -> list[_Look]:
    with without_warnings:
        return [_look_at(Path(path)) for path in paths]


def _look_at(path: Path) -> _Look:
    try:
        size = regular_file(path).stat().st_size
        if size == 0:
            return _Look("empty", "the picture file is empty")
        if size > LARGEST_PICTURE:
            return _Look("too large", f"{size} bytes")
        return _seen(path.read_bytes())
    except DataError as error:
        pixels = error.rule.startswith("a picture has at most")
        return _Look("too large", f"{error.received} pixels") if pixels else _Look("unreadable", error.rule)
    except DAMAGED as error:
        return _Look("unreadable", f"{type(error).__name__}: {error}")


def _seen(content: bytes) -> _Look:
    from PIL import Image

    with opened(io.BytesIO(content)) as image:
        size, kind = (image.height, image.width), image.format or ""
        thumb = drawn_small(image, (_THUMB, _THUMB))
    levels = np.asarray(thumb, np.int16)
    cells = np.asarray(thumb.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes()
    return _Look(
        digest=hashlib.sha256(content).digest(),
        size=size,
        kind="JPEG" if kind == "MPO" else kind,
        is_grey=int(np.ptp(levels, axis=-1).max()) <= _GREY_LEVELS,
        bits=int.from_bytes(bits, "big"),
        thumb=thumb.tobytes(),
    )


def _unreadable(gallery: _Gallery) -> list[Finding]:
    found = []
    for trouble, said in (
        ("empty", "empty"),
        ("unreadable", "no picture that can be read"),
        ("too large", f"too large: a picture has at most {MOST_PIXELS} pixels and {LARGEST_PICTURE} bytes"),
    ):
        places = [place for place, look in enumerate(gallery.looks) if look.trouble == trouble]
        if places:
            message = f"{_count(places, 'file is', 'files are')} {said}"
            found.append(Finding(trouble, "error", message, gallery.one_each(places)))
    return found


def _duplicates(gallery: _Gallery) -> list[Finding]:
    by_digest: dict[bytes, list[int]] = {}
    for place in gallery.readable:
        by_digest.setdefault(gallery.looks[place].digest, []).append(place)
    same = [places for places in by_digest.values() if len(places) > 1]
    near = list(_near_pairs(gallery, [places[0] for places in by_digest.values()]))
    across = [places for places in same if len({gallery.splits[place] for place in places}) > 1]
    classes = [places for places in same if len({int(gallery.labels[place]) for place in places}) > 1]
    inside = [places for places in same if places not in across and places not in classes]
    near_across = [pair for pair in near if gallery.splits[pair[0]] != gallery.splits[pair[1]]]
    near_inside = [pair for pair in near if gallery.splits[pair[0]] == gallery.splits[pair[1]]]
    kinds = (
        ("duplicate across splits", "error", across, "picture is in several splits", "pictures are in several splits"),
        ("duplicate across classes", "error", classes, "picture has several classes", "pictures have several classes"),
        ("duplicate", "warning", inside, "picture is there more than once", "pictures are there more than once"),
        (
            "near duplicate across splits",
            "warning",
            near_across,
            "pair of pictures in different splits looks the same",
            "pairs of pictures in different splits look the same",
        ),
        (
            "near duplicate",
            "warning",
            near_inside,
            "pair of pictures in one split looks the same",
            "pairs of pictures in one split look the same",
        ),
    )
    return [
        Finding(kind, severity, _count(groups, one, several), tuple(gallery.named(places) for places in groups))
        for kind, severity, groups, one, several in kinds
        if groups
    ]


def _near_pairs(gallery: _Gallery, places: list[int]) -> Iterator[list[int]]:
    """Yield pairs that look the same; of two hashes that differ little, one band of 8 bits at least is mostly equal."""
    if len(places) < 2:
        return
    where = np.array(places)
    thumbs = np.array([np.frombuffer(gallery.looks[place].thumb, np.uint8) for place in places])
    pairs = _near_hashes(np.array([gallery.looks[place].bits for place in places], np.uint64))
    for first in range(0, len(pairs), _PAIRS_AT_A_TIME):
        some = pairs[first : first + _PAIRS_AT_A_TIME]
        apart = np.abs(thumbs[some[:, 0]].astype(np.int16) - thumbs[some[:, 1]]).mean(axis=1)
        yield from where[some[apart <= _LEVELS_APART]].tolist()


def _near_hashes(bits: np.ndarray) -> np.ndarray:
    """Return pairs of places, (pairs, 2), whose hashes share a band and differ in few bits."""
    width, pairs = np.uint64(64 // _BANDS), [np.zeros((0, 2), np.int64)]
    for band in range(_BANDS):
        key = (bits >> (width * np.uint64(band))) & ((np.uint64(1) << width) - np.uint64(1))
        order = np.lexsort((bits, key))
        key, ordered = key[order], bits[order]
        for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
            alike = key[:-step] == key[step:]
            if not alike.any():
                break
            alike &= np.bitwise_count(ordered[:-step] ^ ordered[step:]) <= _BITS_APART
            found = np.flatnonzero(alike)
            pairs.append(np.sort(np.stack([order[found], order[found + step]], axis=1), axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _counts(gallery: _Gallery) -> tuple[ClassCount, ...]:
    counts = Counter(zip(gallery.labels.tolist(), gallery.splits, strict=True))
    return tuple(
        ClassCount(name, *(counts[label, split] for split in ("train", "validation", "test")))
        for label, name in enumerate(gallery.classes)
    )


def _balance(gallery: _Gallery, layout: Layout) -> Iterator[Finding]:
    counts = {row.name: row.train for row in _counts(gallery)}
    most, least = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    if counts[most] >= _IMBALANCE * counts[least]:
        message = (
            f"classes differ in size: {most!r} has {counts[most]} pictures to learn from, {least!r} {counts[least]}"
        )
        yield Finding("class imbalance", "warning", message)
    for split in ("validation", "test"):
        absent = [row.name for row in _counts(gallery) if not getattr(row, split)] if split in layout.splits else []
        if absent:
            message = f"{_count(absent, 'class has', 'classes have')} no {split} pictures: {', '.join(absent)}"
            yield Finding("absent class", "warning", message)


def _grey(gallery: _Gallery) -> Iterator[Finding]:
    grey = [place for place in gallery.readable if gallery.looks[place].is_grey]
    colour = [place for place in gallery.readable if not gallery.looks[place].is_grey]
    if not grey or not colour:
        return
    rarer = min(grey, colour, key=len)
    word, other = ("grey", "coloured") if rarer is grey else ("coloured", "grey")
    message = f"{_count(rarer, 'picture is', 'pictures are')} {word} among {max(len(grey), len(colour))} {other} ones"
    yield Finding("mixed colour", "warning", message, gallery.one_each(rarer))


def _tiny(gallery: _Gallery) -> Iterator[Finding]:
    sides = {place: min(gallery.looks[place].size) for place in gallery.readable}
    if not sides:
        return
    border = max(_TINY_SIDE, float(np.median(list(sides.values()))) / _TINY_SHARE)
    places = [place for place, side in sides.items() if side < border]
    if places:
        message = f"{_count(places, 'picture is', 'pictures are')} tiny: a side of less than {border:g} pixels"
        yield Finding("tiny", "warning", message, gallery.one_each(places))


def _suffixes(gallery: _Gallery) -> Iterator[Finding]:
    wrong = [
        place
        for place in gallery.readable
        if SUFFIXES[os.path.splitext(gallery.paths[place])[1].lower()] != gallery.looks[place].kind
    ]
    if wrong:
        kinds = ", ".join(sorted({gallery.looks[place].kind for place in wrong}))
        message = f"{_count(wrong, 'file has', 'files have')} the suffix of another format; inside: {kinds}"
        yield Finding("wrong suffix", "warning", message, gallery.one_each(wrong))


def _sizes(sizes: Counter[tuple[int, int]]) -> Iterator[Finding]:
    if len(sizes) > 1:
        listed = ", ".join(f"{height}×{width} ({count})" for (height, width), count in sizes.most_common(5))
        more = f" and {len(sizes) - 5} more" if len(sizes) > 5 else ""
        yield Finding("several sizes", "note", f"pictures have {len(sizes)} sizes: {listed}{more}")


def _others(gallery: _Gallery, layout: Layout) -> Iterator[Finding]:
    if layout.others:
        files = tuple((os.path.relpath(path, layout.root),) for path in layout.others)
        yield Finding("other files", "note", f"{_count(files, 'file is', 'files are')} no picture by name", files)


def _count(items: list[int] | list[list[int]] | list[str] | tuple[object, ...], one: str, several: str) -> str:
    return f"{len(items)} {one if len(items) == 1 else several}"
