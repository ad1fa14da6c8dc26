"""State dictionaries in files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import safetensors.numpy

from convista.errors import ArgumentError, ModelFileError
from convista.torch import load, nn, save
from oracles.compare import EXACT, agree_all
from oracles.torch_files import write_torch_file


def test_a_file_brings_back_what_it_took(tmp_path):
    net, other = (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)) for _ in range(2))
    save(net.state_dict(), tmp_path / "net.safetensors")
    assert safetensors.numpy.load_file(tmp_path / "net.safetensors").keys() == net.state_dict().keys()
    assert repr(other.load_state_dict(tmp_path / "net.safetensors")) == "<All keys matched successfully>"
    agree_all(dict(other.named_parameters()), dict(net.named_parameters()), EXACT)


def test_a_file_of_another_program_is_read(tmp_path):
    arrays = {"weight": np.ones((1, 2), np.float16), "bias": np.zeros(1, np.float64)}
    safetensors.numpy.save_file(arrays, tmp_path / "linear.safetensors")
    net = nn.Linear(2, 1)
    net.load_state_dict(str(tmp_path / "linear.safetensors"))
    assert net.weight.tolist() == [[1.0, 1.0]]
    assert net.bias.dtype == np.float32


def test_what_is_refused(tmp_path):
    net = nn.Linear(2, 1)
    with pytest.raises(ArgumentError) as error:
        save(net, tmp_path / "net.safetensors")
    assert str(error.value) == (
        "save: what is saved is a dictionary of arrays. Received Linear. Write save(net.state_dict(), path)."
    )
    with pytest.raises(ArgumentError) as error:
        save(net.state_dict(), "net.pth")
    assert str(error.value) == (
        "save: a state_dict is written as .safetensors. Received 'net.pth'. Give the path this ending."
    )
    with pytest.raises(ArgumentError) as error:
        net.load_state_dict(net)
    assert str(error.value) == (
        "load: a state_dict is a dictionary of arrays, or the path of a file of them. Received Linear. Write "
        "net.state_dict() for a module's."
    )
    with pytest.raises(ModelFileError, match="there is no such file"):
        load(tmp_path / "nothing.safetensors")


def test_files_of_torch_save_are_read_without_executing_them(tmp_path):
    net, other = nn.Linear(4, 2), nn.Linear(4, 2)
    path = write_torch_file(tmp_path / "net.pth", {name: np.asarray(a) for name, a in net.state_dict().items()})
    assert repr(other.load_state_dict(path)) == "<All keys matched successfully>"
    np.testing.assert_array_equal(other.weight, net.weight)
    (tmp_path / "harm.pth").write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(ModelFileError):
        other.load_state_dict(tmp_path / "harm.pth")
