"""Data: files, named datasets, pictures, sequences and volumes as NumPy arrays; nothing here knows JAX."""

from __future__ import annotations

from convista.data.catalogue import Description, describe, load, names
from convista.data.cifar import read_cifar
from convista.data.dataset import Dataset, Split
from convista.data.folder_check import FolderCheck, check_folder
from convista.data.folds import stratified_folds
from convista.data.idx import read_idx
from convista.data.image_arrays import array_to_img, img_to_array, load_img, save_img
from convista.data.image_folders import ImageFolder, image_folder
from convista.data.npz import read_npz
from convista.data.pictures import Preprocessing, read_picture
from convista.data.sequences import LabelledSequences, encode_dna, encode_letters, load_sequences, read_sequences
from convista.data.series import Series, SeriesDataset, load_series, read_ucr
from convista.data.volumes import Volumes, synthetic_volumes

__all__ = [
    "Dataset",
    "Description",
    "FolderCheck",
    "ImageFolder",
    "LabelledSequences",
    "Preprocessing",
    "Series",
    "SeriesDataset",
    "Split",
    "Volumes",
    "array_to_img",
    "check_folder",
    "describe",
    "encode_dna",
    "encode_letters",
    "image_folder",
    "img_to_array",
    "load",
    "load_img",
    "load_sequences",
    "load_series",
    "names",
    "read_cifar",
    "read_idx",
    "read_npz",
    "read_picture",
    "read_sequences",
    "read_ucr",
    "save_img",
    "stratified_folds",
    "synthetic_volumes",
]
