"""Modules as trees of arrays: names, state dictionaries, training and use."""

from __future__ import annotations

import copy
from collections import OrderedDict

import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.torch import nn
from oracles.compare import EXACT, SUMS, agree, agree_all, numbers


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.top = nn.Linear(4, 2)
        self.scale = 2.0

    def forward(self, x):
        return self.top(self.features(x).mean((2, 3))) * self.scale


NAMES = [
    "features.0.weight",
    "features.0.bias",
    "features.1.weight",
    "features.1.bias",
    "features.1.running_mean",
    "features.1.running_var",
    "features.1.num_batches_tracked",
    "top.weight",
    "top.bias",
]


def test_a_class_of_ones_own():
    net = Net()
    assert list(net.state_dict()) == NAMES
    assert net(numbers(2, 1, 5, 5)).shape == (2, 2)
    assert net.count_params() == 40 + 8 + 10 == sum(array.size for array in net.parameters())
    assert [name for name, _ in net.named_modules()] == [
        "",
        "features",
        "features.0",
        "features.1",
        "features.2",
        "top",
    ]
    assert repr(net) == (
        "Net(\n  (features): Sequential(\n    (0): Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))\n"
        "    (1): BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
        "    (2): ReLU()\n  )\n  (top): Linear(in_features=4, out_features=2, bias=True)\n)"
    )


def test_state_goes_from_one_to_another():
    net, other, x = Net(), Net(), numbers(2, 1, 5, 5)
    net(x)  # moves the statistics
    result = other.load_state_dict(net.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    agree(other.eval()(x), net.eval()(x), EXACT)
    agree_all(other.state_dict() | {NAMES[6]: np.float32(0)}, net.state_dict() | {NAMES[6]: np.float32(0)}, EXACT)
    assert other.features[1].num_batches_tracked.dtype == np.int64


def test_a_state_dict_is_a_copy():
    net = nn.Linear(2, 1)
    state = net.state_dict()
    state["weight"][:] = 7.0
    assert net.weight.max() < 1.0
    twin = copy.deepcopy(net)
    twin.weight[:] = 7.0
    assert net.weight.max() < 1.0


def test_what_does_not_match_is_listed_and_nothing_is_taken():
    net = Net()
    before = net.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    state["top.weight"] = np.zeros((2, 5), np.float32)
    del state["features.0.bias"]
    state["head.bias"] = np.zeros(2, np.float32)
    with pytest.raises(ArgumentError) as error:
        net.load_state_dict(state)
    assert str(error.value) == (
        "Net.load_state_dict: the names and shapes of a state_dict are those of the module. Received missing: "
        "features.0.bias; left over: head.bias; of another shape: top.weight (2, 5) for (2, 4). Build the module with "
        "the sizes of the file."
    )
    with pytest.raises(ArgumentError, match=r"Received of another shape: top\.weight"):
        net.load_state_dict(state, strict=False)
    agree_all(net.state_dict()["top.weight"], before["top.weight"], EXACT)
    del state["top.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result == (["features.0.bias", "top.weight"], ["head.bias"])
    assert repr(result) == (
        "IncompatibleKeys(missing_keys=['features.0.bias', 'top.weight'], unexpected_keys=['head.bias'])"
    )
    agree(net.state_dict()["top.bias"], before["top.bias"] + 1, EXACT)


def test_names_of_a_parallel_model_get_their_advice():
    net = nn.Linear(2, 1)
    with pytest.raises(ArgumentError) as error:
        net.load_state_dict({f"module.{name}": array for name, array in net.state_dict().items()})
    assert str(error.value).endswith(
        'Take the prefix off: {name.removeprefix("module."): array for name, array in state_dict.items()}.'
    )


def test_training_and_use_reach_every_module():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())


def test_weights_can_be_set_in_their_shape():
    net = nn.Conv2d(1, 1, 2)
    net.weight = np.ones((1, 1, 2, 2))
    assert net.weight.dtype == np.float32
    with pytest.raises(ShapeError) as error:
        net.weight = np.ones((2, 2, 1, 1))
    where = "Conv2d(1, 1, kernel_size=(2, 2), stride=(1, 1))"
    assert str(error.value) == f"{where}: weight has shape (1, 1, 2, 2). Received shape (2, 2, 1, 1)."
    with pytest.raises(ArgumentError, match="this module has no bias"):
        nn.Conv2d(1, 1, 2, bias=False).bias = [1.0]


def test_what_modules_have_not():
    net = nn.Linear(2, 1)
    with pytest.raises(AttributeError) as error:
        _ = net.wieght
    assert str(error.value) == "Linear has no 'wieght'. Did you mean 'weight'?"
    with pytest.raises(AttributeError) as error:
        net.cuda()
    assert str(error.value) == "Linear has no 'cuda'. JAX chooses the device: leave it out."
    with pytest.raises(ArgumentError) as raised:
        type("Empty", (nn.Module,), {})()(np.zeros(1))
    assert str(raised.value) == (
        "Empty: a module says in forward what it computes. Received a class without forward. Write def forward(self, "
        "x): … in it."
    )


def test_a_sequential_is_a_list_of_modules():
    net = nn.Sequential(OrderedDict([("conv", nn.Conv2d(1, 2, 3)), ("act", nn.ReLU())])).append(nn.Flatten())
    assert len(net) == 3
    assert net.conv is net[0]
    assert [type(module).__name__ for module in net] == ["Conv2d", "ReLU", "Flatten"]
    net[1] = nn.ReLU(inplace=True)
    assert repr(net.act) == "ReLU(inplace=True)"
    assert list(net[:1].state_dict()) == ["conv.weight", "conv.bias"]
    x = numbers(2, 1, 4, 4)
    agree(net(x), np.maximum(net.conv(x), 0).reshape(2, 8), SUMS)
    with pytest.raises(IndexError, match=r"Sequential: this Sequential has the modules 0…2\. Received \[5\]\."):
        _ = net[5]
    with pytest.raises(ArgumentError) as error:
        nn.Sequential(nn.ReLU)
    assert str(error.value) == (
        "Sequential: a Sequential is made of modules. Received the class ReLU. Write nn.Flatten() with parentheses, "
        "not nn.Flatten."
    )
