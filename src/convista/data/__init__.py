"""Data: files, named datasets and pictures as NumPy arrays; nothing here knows JAX."""

from __future__ import annotations

from convista.data.catalogue import Description, describe, load, names
from convista.data.cifar import read_cifar
from convista.data.dataset import Dataset, Split
from convista.data.idx import read_idx
from convista.data.npz import read_npz
from convista.data.pictures import Preprocessing, read_picture

__all__ = [
    "Dataset",
    "Description",
    "Preprocessing",
    "Split",
    "describe",
    "load",
    "names",
    "read_cifar",
    "read_idx",
    "read_npz",
    "read_picture",
]
