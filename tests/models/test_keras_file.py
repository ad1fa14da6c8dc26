"""Weight files of Keras: both layouts, and what a hostile HDF5 file may try."""

from __future__ import annotations

import sys

import h5py
import keras
import numpy as np
import pytest

from convista import Sequential, layers
from convista.errors import MissingDependencyError, ModelFileError
from convista.models.keras_file import read_keras_file
from oracles.applications import save_weights

NUMBERS = np.arange(6, dtype=np.float32).reshape(2, 3)


def network() -> keras.Model:
    return keras.Sequential(
        [
            keras.layers.Input((6, 6, 2)),
            keras.layers.Conv2D(4, 3, name="first"),
            keras.layers.BatchNormalization(name="norm"),
            keras.Sequential([keras.layers.DepthwiseConv2D(2, name="inner")], name="nested"),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="last"),
        ]
    )


def values(owner) -> list[np.ndarray]:
    return [np.asarray(variable.value) for variable in owner.weights]


def test_the_format_of_keras_3(tmp_path):
    model = network()
    save_weights(model, tmp_path / "a.weights.h5")
    found = {layer.name: layer for layer in read_keras_file(tmp_path / "a.weights.h5")}
    assert {name: layer.kind for name, layer in found.items()} == {
        "first": "conv2d",
        "norm": "batch_normalization",
        "inner": "depthwise_conv2d",
        "last": "dense",
    }
    for name in ("first", "norm", "last"):
        for ours, theirs in zip(found[name].arrays, values(model.get_layer(name)), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_format_of_keras_2(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"first", b"quiet", b"nested"]
        for layer, weights in (("first", ["first/kernel:0"]), ("quiet", []), ("nested", ["inner/kernel:0"])):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in weights])
            for name in weights:
                group[name] = NUMBERS
    found = read_keras_file(tmp_path / "a.h5")
    assert [(layer.name, layer.kind) for layer in found] == [("first", "first"), ("inner", "inner")]
    np.testing.assert_array_equal(found[0].arrays[0], NUMBERS)


def test_names_that_keras_cut_into_pieces(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for place, name in enumerate(("one", "two")):
            file.attrs[f"layer_names{place}"] = [name]
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel"]
            group[f"{name}/kernel"] = NUMBERS
    assert [layer.name for layer in read_keras_file(tmp_path / "a.h5")] == ["one", "two"]


def test_layers_that_keras_numbered_are_paired_in_their_order(tmp_path):
    for _ in range(2):  # the second model's layers are called conv2d_2 and so on
        model = keras.Sequential(
            [
                keras.layers.Input((9, 9, 1)),
                *(keras.layers.Conv2D(filters, 2) for filters in (3, 3, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(2),
            ]
        )
    save_weights(model, tmp_path / "a.weights.h5")
    ours = Sequential(
        [
            *(layers.Conv2D(filters, 2) for filters in (3, 3, 3)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    ours.build((None, 9, 9, 1))
    ours.load_weights(tmp_path / "a.weights.h5")
    for one, other in zip(ours.get_weights(), values(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_bfloat16(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        data = file.create_dataset("layers/dense/vars/0", data=np.array([0x3F80, 0x4000], np.uint16))
        data.attrs["dtype"] = "bfloat16"
    np.testing.assert_array_equal(read_keras_file(tmp_path / "a.weights.h5")[0].arrays[0].astype(float), [1, 2])


def giant(group: h5py.Group, folder) -> None:
    group.create_dataset("0", shape=(2**40, 2**20), dtype="f8", chunks=(1, 1024))


def outside(group: h5py.Group, folder) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = NUMBERS
    group["0"] = h5py.ExternalLink(str(folder / "other.h5"), "secret")


def external(group: h5py.Group, folder) -> None:
    (folder / "raw").write_bytes(bytes(64))
    group.create_dataset("0", shape=(16,), dtype="f4", external=[(str(folder / "raw"), 0, 64)])


def virtual(group: h5py.Group, folder) -> None:
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (2, 3))
    group.create_virtual_dataset("0", layout)


def words(group: h5py.Group, folder) -> None:
    group["0"] = "a text"


def circle(group: h5py.Group, folder) -> None:
    group.parent["again"] = group.parent


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (giant, "all arrays together fit the file"),
        (outside, "it lies in the file itself. Received ExternalLink"),
        (external, "a reference to another file"),
        (virtual, "a reference to another file"),
        (words, "it holds numbers"),
        (circle, "folders are nested at most 12 deep"),
    ],
)
def test_hostile_files(tmp_path, harm, message):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        harm(file.create_group("layers/dense/vars"), tmp_path)
    with pytest.raises(ModelFileError) as error:
        read_keras_file(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_damaged_files(tmp_path):
    save_weights(network(), tmp_path / "a.weights.h5")
    data = (tmp_path / "a.weights.h5").read_bytes()
    for length in range(0, len(data), 2_003):
        (tmp_path / "b.weights.h5").write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read_keras_file(tmp_path / "b.weights.h5")


def test_a_file_without_layers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["numbers"] = NUMBERS
    with pytest.raises(ModelFileError) as error:
        read_keras_file(tmp_path / "a.h5")
    assert str(error.value) == (
        f"{tmp_path / 'a.h5'}: a weight file of Keras has layers with weights. Received ['numbers']. "
        "The file is damaged: take another copy of it or save it again."
    )


def test_without_h5py(tmp_path, monkeypatch):
    save_weights(network(), tmp_path / "a.weights.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError) as error:
        read_keras_file(tmp_path / "a.weights.h5")
    assert str(error.value) == (
        f"{tmp_path / 'a.weights.h5'}: weight files of Keras are HDF5, which the package h5py reads. Received no h5py. "
        "pip install h5py."
    )
