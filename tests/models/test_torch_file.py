"""PyTorch's files: what is read, and everything that is refused before it can do harm."""

from __future__ import annotations

import os
import pickle
import zipfile

import numpy as np
import pytest

from convista.errors import ModelFileError
from convista.models.torch_file import read_torch_file
from oracles.torch_files import dictionary, pickled, several, steps, tensor, text, whole, write_torch_file, write_zip

ARRAYS = {
    "conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "conv1.bias": np.array([1.5, -2.0], np.float16),
    "bn1.num_batches_tracked": np.array(7, np.int64),
}


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_what_was_written_is_read(tmp_path, wrapper):
    found = read_torch_file(write_torch_file(tmp_path / "a.pth", ARRAYS, wrapper))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_tensors_may_be_parts_and_turned_views_of_one_storage(tmp_path):
    data = np.arange(12, dtype=np.float32)
    items = {
        "turned": tensor("0", "FloatStorage", 12, (4, 3), (1, 4)),
        "part": tensor("0", "FloatStorage", 12, (2,), (3,), offset=5),
    }
    found = read_torch_file(write_zip(tmp_path / "a.pth", pickled(dictionary(items)), {"0": data.tobytes()}))
    np.testing.assert_array_equal(found["turned"], data.reshape(3, 4).T)
    np.testing.assert_array_equal(found["part"], [5, 8])


class Command:
    def __reduce__(self):
        return os.system, ("touch harm",)


def one(announced: bytes) -> bytes:
    return pickled(dictionary({"w": announced}))


# A tuple of two tuples of two tuples …: sixty instructions, and more parts than there are atoms in a gram.
TOWER = b")" + b"".join(b"q" + bytes([level]) + b"h" + bytes([level]) + b"\x86" for level in range(80))
STORAGE = {"0": bytes(16)}
HOSTILE = {
    "a command": (pickle.dumps({"w": Command()}, 2), "the name 'posix.system'"),
    "a command, newest protocol": (pickle.dumps({"w": Command()}), "the name 'posix.system'"),
    "builtins": (b"\x80\x02c__builtin__\neval\n" + text("1") + b"\x85R.", "the name '__builtin__.eval'"),
    "an instance": (b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00ao.", "the name 'os.system'"),
    "an old instance": (b"(ios\nsystem\n.", "the instruction INST"),
    "another persistent id": (b"\x80\x02X\x01\x00\x00\x00aQ.", "a reference to something else than a storage"),
    "a list": (b"\x80\x02].", "a list where a state dictionary is expected"),
    "no tensors": (b"\x80\x02}.", "a dictionary with 0 tensors"),
    "a giant shape": (one(tensor("0", "FloatStorage", 4, (2**31 - 1, 2**31 - 1), (1, 1))), "shape (2147483647"),
    "a size beyond all": (
        one(tensor("0", "FloatStorage", 4, (10**18,), (1,))),
        "shape, strides and offset",
    ),
    "one number repeated": (
        one(tensor("0", "FloatStorage", 4, (1000, 1000), (0, 0))),
        "(1000, 1000) of 4 numbers",
    ),
    "beyond the storage": (one(tensor("0", "FloatStorage", 4, (4,), (1,), offset=1)), "number 4 of 4"),
    "a negative stride": (one(tensor("0", "FloatStorage", 4, (4,), (-1,))), "shape, strides and offset"),
    "another count": (one(tensor("0", "FloatStorage", 5, (4,), (1,))), "5 numbers in 16 bytes"),
    "no such storage": (one(tensor("7", "FloatStorage", 4, (4,), (1,))), "KeyError"),
    "a path for a storage": (one(tensor("../0", "FloatStorage", 4, (4,), (1,))), "a storage of another kind"),
    "complex numbers": (one(tensor("0", "ComplexFloatStorage", 2, (2,), (1,))), "the name 'torch.ComplexFloatStorage'"),
    "cut": (one(tensor("0", "FloatStorage", 4, (4,), (1,)))[:-9], "the file is damaged"),
    "nothing": (b"", "the file is damaged"),
    "a key that takes for ever": (b"\x80\x02}" + TOWER + whole(1) + b"s.", "a key of type tuple"),
    "a reference that takes for ever": (b"\x80\x02" + TOWER + b"Q.", "a reference to something else"),
    "a storage that takes for ever": (b"\x80\x02(" + text("storage") + TOWER + b"NNNtQ.", "a storage of another kind"),
    "a shape that takes for ever": (
        one(tensor("0", "FloatStorage", 4, (4,), (1,)).replace(several((4,)), TOWER, 1)),
        "shape, strides and offset",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, text_ = HOSTILE[name]
    path = write_zip(tmp_path / "a.pth", content, STORAGE)
    with pytest.raises(ModelFileError) as error:
        read_torch_file(path)
    assert str(error.value).startswith(f"{path}: ")
    assert text_ in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["a.pth"]


def test_the_whole_message(tmp_path):
    path = write_zip(tmp_path / "a.pth", HOSTILE["a command"][0], STORAGE)
    with pytest.raises(ModelFileError) as error:
        read_torch_file(path)
    assert str(error.value) == (
        f"{path}: a file of weights holds tensors and plain data; nothing in it is executed. Received the name "
        "'posix.system'. In PyTorch, save the weights alone: torch.save(model.state_dict(), path), or with "
        "safetensors.torch."
    )


def test_packed_entries_and_files_cut_anywhere_are_refused(tmp_path):
    content = one(tensor("0", "FloatStorage", 4, (4,), (1,)))
    packed = write_zip(tmp_path / "packed.pth", content, {"0": bytes(16)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match="stored without compression"):
        read_torch_file(packed)
    data = write_zip(tmp_path / "whole.pth", content, STORAGE).read_bytes()
    assert read_torch_file(tmp_path / "whole.pth")["w"].shape == (4,)
    for length in range(0, len(data), 37):
        (tmp_path / "cut.pth").write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read_torch_file(tmp_path / "cut.pth")


def test_a_changed_byte_gives_the_same_arrays_or_an_error(tmp_path):
    data = write_zip(tmp_path / "a.pth", one(tensor("0", "FloatStorage", 4, (4,), (1,))), STORAGE).read_bytes()
    for place in range(0, len(data), 11):
        changed = bytearray(data)
        changed[place] ^= 0x55
        (tmp_path / "b.pth").write_bytes(bytes(changed))
        try:
            found = read_torch_file(tmp_path / "b.pth")
        except ModelFileError:
            continue
        assert all(array.nbytes <= len(data) for array in found.values())


def test_steps_are_those_of_numpy():
    assert steps((2, 3, 4)) == tuple(stride // 4 for stride in np.zeros((2, 3, 4), np.float32).strides)


def test_files_that_torch_writes(tmp_path):
    torch = pytest.importorskip("torch.serialization") and pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(network.state_dict(), tmp_path / "a.pth")
    found = read_torch_file(tmp_path / "a.pth")
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(found[name], value.numpy())
