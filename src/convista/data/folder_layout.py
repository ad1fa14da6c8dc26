"""Where the pictures of a folder are: its splits, its classes, and the files that are no pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convista.data.pictures import SUFFIXES
from convista.errors import ArgumentError, DataError, suggest

SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folders of the splits may be called."""

_NOT_CLASSES = ("__MACOSX", "lost+found")


@dataclass(frozen=True)
class Folder:
    """The files of one split.

    Args:
        paths: The pictures, class by class, sorted by name within a class.
        labels: The number of each picture's class.
    """

    paths: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """What was found in a folder of pictures.

    Args:
        root: The folder with the splits or the classes.
        classes: Their names; label ``k`` is ``classes[k]``.
        splits: ``"train"``, ``"validation"`` and ``"test"``, as far as there are folders for them; a folder without
            splits has ``"train"`` alone.
        is_split: Whether there were folders for the splits.
        others: Files that are no pictures by their names.
    """

    root: Path
    classes: tuple[str, ...]
    splits: dict[str, Folder]
    is_split: bool
    others: tuple[str, ...]


def find_pictures(folder: str | os.PathLike[str], class_names: Sequence[str] | None = None) -> Layout:
    """Look for ``train/CLASS/…``, ``val/CLASS/…`` and ``test/CLASS/…`` in a folder, or for ``CLASS/…``.

    Pictures are known by their suffixes. Hidden files and folders are passed over; folders inside a class belong to it.

    Args:
        folder: The folder.
        class_names: The classes in their order; None takes the names of the folders, sorted.

    Returns:
        What is there.

    Raises:
        DataError: There is no such folder, no class in it, a class without pictures, or a class that is only in one of
            the other splits.
        ArgumentError: ``class_names`` leaves out a folder.
    """
    root = Path(folder)
    if root.is_file():
        raise DataError(
            "a folder of pictures is needed, or a .tar of one, and this is another file",
            where=str(root),
            fix=f"Give the folder that holds the folders of the classes; {str(root.parent)!r} holds this file",
        )
    if not root.is_dir():
        raise DataError("there is no such folder", where=str(root), fix="Check the path")
    parts = _split_folders(root)
    found: dict[str, dict[str, list[str]]] = {}
    others: list[str] = []
    for split, place in parts.items():
        found[split] = _classes(place, others)
    classes = _class_names(root, found, class_names)
    numbers = {name: number for number, name in enumerate(classes)}
    splits = {split: _folder(by_class, numbers) for split, by_class in found.items()}
    return Layout(root, classes, splits, parts != {"train": root}, tuple(others))


def pictures_by_class(folder: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Return the pictures of each class of one split, ``CLASS/…``, both sorted by name; a class may have none.

    Args:
        folder: The folder whose folders are the classes.

    Raises:
        DataError: A folder may not be read.
    """
    return _classes(Path(folder), [])


def split_folder(folder: str | os.PathLike[str]) -> Path | None:
    """Return the folder ``train/CLASS/…`` of a folder that has splits, or None for one with classes."""
    parts = {entry.name.lower(): Path(entry.path) for entry in _entries(Path(folder)) if entry.is_dir()}
    train = next((parts[name] for name in SPLITS["train"] if name in parts), None)
    return train if train is not None and any(entry.is_dir() for entry in _entries(train)) else None


def _split_folders(root: Path) -> dict[str, Path]:
    here = {entry.name.lower(): Path(entry.path) for entry in _entries(root) if entry.is_dir()}
    parts: dict[str, Path] = {}
    for split, names in SPLITS.items():
        several = [here[name] for name in names if name in here]
        if len(several) > 1:
            raise DataError(
                f"there is one folder for {split}",
                where=str(root),
                received=" and ".join(path.name for path in several),
                fix="Keep one of them",
            )
        parts |= {split: several[0]} if several else {}
    if "train" in parts:
        return parts
    if parts and len(parts) == len(here):
        raise DataError(
            "beside test/ or val/ there is a folder train/",
            where=str(root),
            received=", ".join(sorted(here)),
            fix=f"Name the folder itself: {next(iter(parts.values()))}",
        )
    return {"train": root}


def _classes(place: Path, others: list[str]) -> dict[str, list[str]]:
    by_class: dict[str, list[str]] = {}
    for entry in sorted(_entries(place), key=lambda entry: entry.name):
        if entry.is_dir():
            if entry.name not in _NOT_CLASSES:
                by_class[entry.name] = sorted(_pictures(entry.path, others))
        else:
            others.append(entry.path)
    return by_class


def _pictures(folder: str, others: list[str]) -> list[str]:
    """Walk a class; links to folders inside it are not followed, since they may lead round in circles."""
    found: list[str] = []
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif is_picture(entry.name) and entry.is_file():
                found.append(entry.path)
            else:
                others.append(entry.path)
    return found


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except PermissionError as error:
        raise DataError("this folder may not be read", where=str(folder), fix="Check its permissions") from error


def is_picture(name: str) -> bool:
    """Return whether a file's name ends like a picture's.

    Example:
        >>> is_picture("cat.JPG"), is_picture("notes.txt")
        (True, False)
    """
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _class_names(
    root: Path, found: dict[str, dict[str, list[str]]], class_names: Sequence[str] | None
) -> tuple[str, ...]:
    here = sorted({name for by_class in found.values() for name in by_class})
    if not here:
        raise DataError(
            "a folder of pictures has one folder for each class, in train/ and test/ or directly",
            where=str(root),
            received="no folder in it",
            fix="Put the pictures into folders named after their classes, such as cat/0001.jpg",
        )
    if class_names is None:
        _check_classes(root, found)
        return tuple(here)
    names = tuple(class_names)
    if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(
            "class_names are different names", where="image_folder", received=f"class_names={class_names!r:.200}"
        )
    for name in here:
        if name not in names:
            raise ArgumentError(
                "class_names has every class that has a folder",
                where="image_folder",
                received=f"a folder {name!r} in {root}",
                fix=suggest(name, names),
            )
    return names


def _check_classes(root: Path, found: dict[str, dict[str, list[str]]]) -> None:
    """A class that has no pictures to learn from is a slip of a folder's name more often than it is meant."""
    for split, by_class in found.items():
        for name in by_class:
            if name not in found["train"]:
                known = suggest(name, found["train"])
                raise DataError(
                    f"{split} has no class that train lacks", where=str(root), received=repr(name), fix=known
                )
    for name, paths in found["train"].items():
        if not paths:
            raise DataError(
                "a class has at least one picture to learn from",
                where=str(root),
                received=f"an empty folder {name!r}",
                fix="Remove the folder, or put pictures with a known suffix into it, such as .jpg or .png",
            )


def _folder(by_class: dict[str, list[str]], numbers: dict[str, int]) -> Folder:
    ordered = sorted(by_class, key=lambda name: numbers[name])
    paths = tuple(path for name in ordered for path in by_class[name])
    return Folder(paths, tuple(numbers[name] for name in ordered for _ in by_class[name]))
