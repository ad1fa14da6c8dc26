"""Weight files of Keras (.weights.h5, .h5): the arrays of each layer, in Keras's order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from convista.errors import MissingDependencyError, ModelFileError
from convista.models.files import Source, opened, show
from convista.models.kinds import expect
from convista.models.weights import TENSOR_LIMIT

if TYPE_CHECKING:
    import h5py

# Keras nests model/layer/sublayer; a hard link to a group above would never end.
_DEEPEST = 12
_NUMBER = re.compile(r"_\d+$")
_SKIPPED = ("optimizer", "seed_generator")
_DAMAGED = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, OverflowError, UnicodeError)


@dataclass(frozen=True)
class KerasLayer:
    """The arrays of one layer.

    Args:
        name: The layer's name.
        kind: Its class in snake case, such as ``conv2d``.
        arrays: Its weights, what is learned before what is kept.
    """

    name: str
    kind: str
    arrays: tuple[np.ndarray, ...]


def read_keras_file(path: str | os.PathLike[str]) -> list[KerasLayer]:
    """Read a file that Keras's ``save_weights`` or Keras 2's ``save`` wrote.

    Args:
        path: A ``.weights.h5`` file of Keras 3 or an ``.h5`` file of Keras 2, such as Keras Applications publishes.

    Returns:
        The layers that have weights, in the file's order.

    Raises:
        MissingDependencyError: h5py is not installed.
        ModelFileError: It is no such file, or is damaged.

    Example:
        >>> read_keras_file("nothing-here.weights.h5")
        Traceback (most recent call last):
        ...
        convista.models.files.MissingModelFileError: nothing-here.weights.h5: there is no such file...
    """
    with opened(path) as source:
        expect(source, "hdf5")
        h5py = _h5py(source)
        try:
            with h5py.File(source.file, "r") as file:
                return _Reader(source, h5py).layers(file)
        except ModelFileError:
            raise
        except _DAMAGED as error:
            rule = f"the HDF5 file is damaged or no weight file of Keras ({type(error).__name__}: {str(error)[:200]})"
            raise source.wrong(None, rule) from error


def _h5py(source: Source) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            "weight files of Keras are HDF5, which the package h5py reads",
            where=source.path,
            received="no h5py",
            fix="pip install h5py",
        ) from error
    return h5py


class _Reader:
    """Walks one open file; every link, size and type is checked before an array is read."""

    def __init__(self, source: Source, h5py: Any):
        self.source = source
        self.h5py = h5py
        self.read = 0
        self.tensors = 0

    def layers(self, file: h5py.File) -> list[KerasLayer]:
        root = self._child(file, "model_weights") if "model_weights" in file else file
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            found = list(self._by_attributes(root))
        else:
            found = list(self._by_folders(root, "", 0))
        if not found:
            raise self.source.wrong(None, "a weight file of Keras has layers with weights", show(list(file)[:5]))
        return found

    def _by_attributes(self, root: h5py.Group) -> Iterator[KerasLayer]:
        """Keras 2: the names of the layers, and for each those of its weights, are attributes."""
        for name in _listed(root, "layer_names"):
            group = self._child(root, name)
            paths = _listed(group, "weight_names")
            owners: dict[str, list[np.ndarray]] = {}
            for path in paths:
                owner = path.rsplit("/", 2)[-2] if "/" in path else name
                owners.setdefault(owner, []).append(self._array(group, path))
            for owner, arrays in owners.items():
                yield KerasLayer(owner, _NUMBER.sub("", owner), tuple(arrays))

    def _by_folders(self, group: h5py.Group, folder: str, depth: int) -> Iterator[KerasLayer]:
        """Keras 3: a folder for each layer by its class, with its name beside its weights."""
        if depth > _DEEPEST:
            raise self.source.wrong(folder, f"folders are nested at most {_DEEPEST} deep")
        for key in _in_order(list(group)):
            if key in _SKIPPED:
                continue
            item = self._child(group, key)
            if key != "vars":
                if isinstance(item, self.h5py.Group):
                    yield from self._by_folders(item, key, depth + 1)
                continue
            arrays = tuple(self._array(item, number) for number in _in_order(list(item)))
            if arrays:
                yield KerasLayer(str(item.attrs.get("name", folder)), _NUMBER.sub("", folder), arrays)

    def _child(self, group: h5py.Group, name: str) -> Any:
        """Return what a name stands for, if it lies in this very file."""
        where = group
        for part in name.split("/"):
            link = where.get(part, getlink=True)
            if not isinstance(link, self.h5py.HardLink):
                raise self.source.wrong(show(name), "it lies in the file itself", type(link).__name__)
            where = where[part]
        return where

    def _array(self, group: h5py.Group, name: str) -> np.ndarray:
        dataset = self._child(group, name)
        where = show(f"{group.name}/{name}")
        if not isinstance(dataset, self.h5py.Dataset) or dataset.shape is None:
            raise self.source.wrong(where, "it is an array", type(dataset).__name__)
        if dataset.is_virtual or dataset.external:
            raise self.source.wrong(where, "its numbers lie in the file itself", "a reference to another file")
        if dataset.dtype.kind not in "fiu":
            raise self.source.wrong(where, "it holds numbers", f"dtype {dataset.dtype}")
        size = dataset.size * dataset.dtype.itemsize
        self.read, self.tensors = self.read + size, self.tensors + 1
        if self.read > self.source.size or self.tensors > TENSOR_LIMIT:
            rule = f"all arrays together fit the file of {self.source.size} bytes"
            raise self.source.wrong(where, rule, f"shape {dataset.shape}")
        array = np.asarray(dataset[()])
        # HDF5 has no bfloat16; Keras writes its bits as whole numbers and says so beside them.
        return array.view(ml_dtypes.bfloat16) if dataset.attrs.get("dtype") == "bfloat16" else array


def _listed(group: h5py.Group, name: str) -> list[str]:
    """Return a list of texts among the attributes; Keras cuts a long one into pieces."""
    pieces = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(pieces)}" in group.attrs:
        pieces.append(group.attrs[f"{name}{len(pieces)}"])
    return [item.decode("utf-8") if isinstance(item, bytes) else str(item) for piece in pieces for item in piece]


def _in_order(keys: list[str]) -> list[str]:
    """Return names with the numbers at their ends counted, so that conv2d_10 comes after conv2d_9."""

    def place(key: str) -> tuple[str, int]:
        number = re.search(r"(\d+)$", key)
        stem = key[: number.start()] if number else f"{key}_"
        return stem, int(number.group()) if number else -1

    return sorted(keys, key=place)
