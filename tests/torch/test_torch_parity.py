"""PyTorch itself as the oracle, where it is installed."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from convista.torch import load, manual_seed, nn, save
from convista.torch.names import in_torch
from oracles.compare import LAYERS, SUMS, agree, numbers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    # This folder's name makes a bare `import torch` succeed without PyTorch; its nn is there only with it.
    pytest.importorskip("torch.nn", reason="PyTorch is not installed: pip install torch==2.13.0")
    import torch

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

CASES = [
    ("Conv2d", (3, 1, 2), {}, (2, 3, 6, 5)),
    ("Conv2d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, (2, 4, 6, 5)),
    ("Conv2d", (2, 3, (2, 4)), {"padding": "same", "dilation": (1, 2)}, (2, 2, 6, 9)),
    ("Conv2d", (2, 3, 3), {"padding": 2, "padding_mode": "reflect", "bias": False}, (2, 2, 6, 5)),
    ("Conv2d", (2, 3, 4), {"padding": "same", "padding_mode": "circular"}, (2, 2, 6, 5)),
    ("Conv2d", (2, 3, 3), {"padding": (3, 1), "padding_mode": "replicate", "stride": (1, 2)}, (2, 2, 6, 5)),
    ("Conv2d", (2, 3, 3), {"padding": 1}, (2, 6, 5)),
    ("Conv1d", (4, 3, 5), {"padding": 2, "stride": 3}, (2, 4, 11)),
    ("Conv3d", (2, 3, (1, 2, 3)), {"padding": (0, 1, 1)}, (2, 2, 3, 4, 5)),
    ("ConvTranspose1d", (3, 2, 4), {"stride": 2, "padding": 1}, (2, 3, 5)),
    ("ConvTranspose2d", (2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 2, 4, 3)),
    ("ConvTranspose2d", (2, 3, 2), {"stride": (3, 4), "output_padding": (2, 0), "bias": False}, (2, 2, 4, 3)),
    ("ConvTranspose2d", (1, 2, 3), {"dilation": 2, "padding": (2, 1)}, (2, 1, 4, 3)),
    ("ConvTranspose3d", (2, 1, 2), {"stride": 2}, (1, 2, 2, 3, 2)),
    *(
        ("MaxPool2d", (3,), {"stride": stride, "padding": padding, "ceil_mode": ceil}, (2, 3, 7, 8))
        for stride in (None, 1, 2)
        for padding in (0, 1)
        for ceil in (False, True)
    ),
    *(
        (
            "AvgPool2d",
            (3,),
            {"stride": 2, "padding": padding, "ceil_mode": ceil, "count_include_pad": counted},
            (2, 3, 8, 6),
        )
        for padding in (0, 1)
        for ceil in (False, True)
        for counted in (False, True)
    ),
    ("AvgPool2d", (2,), {"padding": 1, "divisor_override": 3, "ceil_mode": True}, (2, 3, 8, 7)),
    ("MaxPool1d", (2,), {"padding": 1, "ceil_mode": True}, (2, 3, 3)),
    ("MaxPool3d", ((1, 2, 3),), {"padding": (0, 1, 1)}, (2, 3, 3, 4, 5)),
    ("AvgPool1d", (3, 2, 1, True), {}, (2, 3, 8)),
    ("AvgPool3d", (2,), {"padding": 1}, (2, 3, 3, 4, 5)),
    ("AdaptiveAvgPool1d", (2,), {}, (2, 3, 8)),
    ("AdaptiveAvgPool2d", ((1, 1),), {}, (2, 3, 5, 4)),
    ("AdaptiveAvgPool2d", ((None, 2),), {}, (2, 3, 5, 4)),
    ("AdaptiveAvgPool3d", (1,), {}, (2, 3, 2, 3, 4)),
    ("BatchNorm1d", (3,), {"momentum": 0.3}, (5, 3)),
    ("BatchNorm1d", (3,), {"affine": False}, (5, 3, 4)),
    ("BatchNorm2d", (3,), {}, (2, 3, 4, 5)),
    ("BatchNorm2d", (3,), {"eps": 1e-3, "bias": False}, (2, 3, 4, 5)),
    ("BatchNorm3d", (3,), {}, (2, 3, 2, 3, 2)),
    ("Linear", (4, 3), {}, (2, 5, 4)),
    ("Linear", (4, 3), {"bias": False}, (2, 4)),
    ("ReLU", (), {"inplace": True}, (2, 3)),
    ("ReLU6", (), {}, (2, 3)),
    ("Sigmoid", (), {}, (2, 3)),
    ("Tanh", (), {}, (2, 3)),
    ("LeakyReLU", (), {}, (2, 3)),
    ("LeakyReLU", (0.2,), {"inplace": True}, (2, 3)),
    ("ELU", (), {"alpha": 0.5}, (2, 3)),
    ("GELU", (), {}, (2, 3)),
    ("GELU", ("tanh",), {}, (2, 3)),
    ("SiLU", (), {}, (2, 3)),
    ("Softmax", (), {"dim": 1}, (2, 3, 4, 5)),
    ("Softmax", (-1,), {}, (2, 3, 4)),
    ("Identity", (7,), {}, (2, 3)),
    ("Flatten", (), {}, (2, 3, 4, 5)),
    ("Flatten", (0, 2), {}, (2, 3, 4, 5)),
    ("ZeroPad1d", ((1, 2),), {}, (2, 3, 4)),
    ("ZeroPad2d", ((1, 2, 0, 3),), {}, (2, 3, 4, 5)),
    ("ZeroPad3d", ((1, 2, 0, 3, 1, 0),), {}, (1, 2, 3, 4, 5)),
    ("Dropout", (), {}, None),
    ("Dropout1d", (0.25,), {}, None),
    ("Dropout2d", (), {"inplace": True}, None),
    ("Dropout3d", (), {}, None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2]}")
def test_module_is_that_of_pytorch(case):
    name, args, options, shape = case
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    assert repr(ours) == repr(theirs)
    assert {key: tuple(array.shape) for key, array in ours.state_dict().items()} == {
        key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()
    }
    ours.load_state_dict(theirs.state_dict())
    if shape is None:
        return
    for training in (True, False):
        x = numbers(*shape) * 3
        y = theirs.train(training)(torch.from_numpy(x.copy())).detach().numpy()
        agree(ours.train(training)(x), y, LAYERS)
    for key, tensor in theirs.state_dict().items():
        agree(ours.state_dict()[key].astype(np.float32), tensor.float().numpy(), SUMS, name=key)


@pytest.mark.parametrize("name", sorted(set(nn.__all__) - {"Module", "Sequential", "Identity"}))
def test_arguments_and_defaults_are_those_of_pytorch(name):
    def arguments(kind):
        found = inspect.signature(kind).parameters.values()
        return [(item.name, item.default, item.kind) for item in found if item.name not in ("device", "dtype")]

    assert arguments(getattr(nn, name)) == arguments(getattr(torch.nn, name))


def test_each_name_of_pytorch_is_there_or_known_to_be_absent():
    public = {name for name in dir(torch.nn) if not name.startswith("_")}
    assert set(nn.__all__) | in_torch() == public


def test_a_network_is_that_of_pytorch(tmp_path):
    def build(source):
        return source.Sequential(
            source.Conv2d(3, 8, 3, padding=1),
            source.BatchNorm2d(8),
            source.ReLU(inplace=True),
            source.MaxPool2d(3, stride=2, padding=1),
            source.Conv2d(8, 4, 2, padding="same"),
            source.GELU(),
            source.Flatten(),
            source.Linear(64, 5),
            source.Softmax(dim=1),
        )

    ours, theirs, x = build(nn), build(torch.nn), numbers(2, 3, 8, 8)
    assert repr(ours) == repr(theirs)
    save({name: tensor.numpy() for name, tensor in theirs.state_dict().items()}, tmp_path / "theirs.safetensors")
    assert repr(ours.load_state_dict(tmp_path / "theirs.safetensors")) == repr(
        theirs.load_state_dict(theirs.state_dict())
    )
    expected = theirs.eval()(torch.from_numpy(x)).detach().numpy()
    agree(ours.eval()(x), expected, LAYERS)
    from convista.torch import to_model

    agree(to_model(ours, (3, 8, 8))(x.transpose(0, 2, 3, 1)), expected, LAYERS)
    manual_seed(1)
    save(build(nn).state_dict(), tmp_path / "ours.safetensors")
    arrays = load(tmp_path / "ours.safetensors")
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def test_first_weights_have_pytorchs_spread():
    for make in (lambda m: m.Conv2d(16, 64, 3), lambda m: m.ConvTranspose2d(64, 32, 3), lambda m: m.Linear(64, 128)):
        for ours, theirs in zip(make(nn).parameters(), make(torch.nn).parameters(), strict=True):
            spread = theirs.detach().numpy()
            if spread.size > 1000:
                assert abs(ours.std() / spread.std() - 1) < 0.05
                assert abs(np.abs(ours).max() / np.abs(spread).max() - 1) < 0.02
