"""State dictionaries in files: read without executing anything, written as safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from convista.errors import ArgumentError
from convista.models.torch_file import read_torch_file
from convista.models.weights import read_weights, write_weights
from convista.torch.module import Arrays, Module, as_array

_PICKLED = (".pth", ".pt", ".bin")


def load(path: str | os.PathLike[str]) -> Arrays:
    """Read a state dictionary.

    Args:
        path: A ``.safetensors`` file, or what ``torch.save`` wrote (``.pth``, ``.pt``, ``.bin``), of which nothing is
            executed.

    Returns:
        The arrays by name.

    Raises:
        ArgumentError: It is no path.
        ModelFileError: The file is missing, damaged or of another kind.

    Example:
        >>> import os, tempfile
        >>> from convista.torch import nn
        >>> path = os.path.join(tempfile.mkdtemp(), "linear.safetensors")
        >>> net = nn.Linear(4, 2)
        >>> save(net.state_dict(), path)
        >>> net.load_state_dict(load(path))
        <All keys matched successfully>
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(
            "a state_dict is a dictionary of arrays, or the path of a file of them",
            where="load",
            received=type(path).__name__,
            fix="Write net.state_dict() for a module's",
        )
    name = os.fspath(path)
    if name.lower().endswith(_PICKLED):
        return read_torch_file(name)
    return read_weights(name)


def save(state_dict: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a state dictionary as a ``.safetensors`` file, which PyTorch reads with ``safetensors.torch.load_file``.

    Args:
        state_dict: Arrays by name.
        path: The file; an existing one is replaced, whole or not at all.

    Raises:
        ArgumentError: It is no dictionary of arrays, or the name has another ending.
        ModelFileError: The file cannot be written here.

    Example:
        See :func:`load`.
    """
    if isinstance(state_dict, Module) or not isinstance(state_dict, Mapping):
        rule, received = "what is saved is a dictionary of arrays", type(state_dict).__name__
        raise ArgumentError(rule, where="save", received=received, fix="Write save(net.state_dict(), path)")
    if not os.fspath(path).lower().endswith(".safetensors"):
        rule, received = "a state_dict is written as .safetensors", f"{os.fspath(path)!r}"
        raise ArgumentError(rule, where="save", received=received, fix="Give the path this ending")
    arrays = {
        name: array if isinstance(array, np.ndarray) else as_array(array, name) for name, array in state_dict.items()
    }
    write_weights(path, arrays)
