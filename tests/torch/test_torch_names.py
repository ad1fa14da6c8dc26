"""The door's names: what is there opens late, what is not says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

import convista
from convista import torch
from convista.torch import nn
from convista.torch.names import in_torch


def test_every_name_is_there_and_none_is_called_absent():
    for module in (torch, nn):
        for name in module.__all__:
            getattr(module, name)
    assert not set(nn.__all__) & in_torch()
    assert convista.torch is torch


def test_the_door_opens_without_loading_anything_heavy():
    code = "import convista.torch, sys; print(sorted({'jax', 'numpy', 'optax', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "[]\n"


ABSENT = [
    (nn, "Conv2D", "convista.torch.nn has no 'Conv2D'. Did you mean 'Conv2d'?"),
    (
        nn,
        "CrossEntropyLoss",
        "PyTorch has nn.CrossEntropyLoss, Convista has not. End the network with nn.Softmax(dim=1). Give the loss to "
        "compile: to_model(net, (1, 28, 28)).compile(loss='sparse_categorical_crossentropy').",
    ),
    (torch, "no_grad", "PyTorch has no_grad, Convista has not. A module keeps no gradients: leave it out."),
    (
        torch,
        "sav",
        "convista.torch has no 'sav'. Did you mean 'save'?",
    ),
]


@pytest.mark.parametrize(("module", "name", "message"), ABSENT)
def test_a_name_that_is_absent_says_so(module, name, message):
    with pytest.raises(AttributeError) as error:
        getattr(module, name)
    assert str(error.value) == message
    with pytest.raises(ImportError) as raised:
        exec(f"from {module.__name__} import {name}", {})  # noqa: S102
    assert str(raised.value) == message


def test_a_name_of_pytorch_is_called_so():
    with pytest.raises(AttributeError, match=r"^PyTorch has nn\.LSTM, but Convista does not have it yet\. convista"):
        _ = nn.LSTM
