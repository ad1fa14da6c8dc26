"""Data: files, named datasets and pictures as NumPy arrays; nothing here knows JAX."""

from __future__ import annotations

from convista.data.catalogue import Description, describe, load, names
from convista.data.cifar import read_cifar
from convista.data.dataset import Dataset, Split
from convista.data.folder_check import FolderCheck, check_folder
from convista.data.idx import read_idx
from convista.data.image_arrays import array_to_img, img_to_array, load_img, save_img
from convista.data.image_folders import ImageFolder, image_folder
from convista.data.npz import read_npz
from convista.data.pictures import Preprocessing, read_picture

__all__ = [
    "Dataset",
    "Description",
    "FolderCheck",
    "ImageFolder",
    "Preprocessing",
    "Split",
    "array_to_img",
    "check_folder",
    "describe",
    "image_folder",
    "img_to_array",
    "load",
    "load_img",
    "names",
    "read_cifar",
    "read_idx",
    "read_npz",
    "read_picture",
    "save_img",
]
