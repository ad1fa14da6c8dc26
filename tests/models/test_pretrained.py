"""Weights of other programs: the same answers as theirs, or an error that lists what does not fit."""

from __future__ import annotations

import functools
import hashlib

import keras
import numpy as np
import pytest
import safetensors.numpy

from convista import architectures, load_model
from convista.errors import ArgumentError, ModelFileError
from oracles import torch_networks
from oracles.applications import NETWORKS, same_answers
from oracles.compare import agree
from oracles.torch_files import write_torch_file
from oracles.torch_networks import State

CLASSES = 5
LOGITS = {"classifier_activation": None}

KERAS = {
    "vgg16": (keras.applications.VGG16, 32, 1.0, {"include_top": False, "pooling": "avg"}),
    "resnet50": (keras.applications.ResNet50, 33, 1.0, {}),
    "mobilenet-v1": (functools.partial(keras.applications.MobileNet, alpha=0.25), 33, 1.0, {}),
    "mobilenet-v2": (functools.partial(keras.applications.MobileNetV2, alpha=0.35), 35, 1.0, {}),
    "efficientnet-b0": (keras.applications.EfficientNetB0, 33, 255.0, {}),
    "convnext-tiny": (keras.applications.ConvNeXtTiny, 32, 255.0, {}),
}
WIDTHS = {"mobilenet-v1": {"alpha": 0.25}, "mobilenet-v2": {"alpha": 0.35}}


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
def test_keras_applications(name, tmp_path):
    make, size, scale, options = KERAS[name]
    shape = (size, size, 3)
    theirs = make(weights=None, input_shape=shape, classes=CLASSES, **LOGITS, **options)
    ours = architectures.get(name)(shape, CLASSES, **LOGITS, **options, **WIDTHS.get(name, {}))
    same_answers(theirs, ours, tmp_path, scale)


def test_the_comparison_rejects_one_wrong_kernel():
    ours = architectures.lenet5((20, 20, 1), 3, seed=4, **LOGITS)
    x = np.random.default_rng(0).uniform(0, 1, (1, 20, 20, 1)).astype(np.float32)
    wanted = np.asarray(ours(x))
    ours.params = {**ours.params, "conv2": {**ours.params["conv2"], "kernel": ours.params["conv2"]["kernel"][::-1]}}
    with pytest.raises(AssertionError, match="apart"):
        agree(np.asarray(ours(x)), wanted, NETWORKS)


TORCH = {
    "resnet18": (
        lambda state, x: torch_networks.resnet(state, x, (2, 2, 2, 2), CLASSES, False),
        architectures.resnet18,
        33,
    ),
    "resnet50": (
        lambda state, x: torch_networks.resnet(state, x, (3, 4, 6, 3), CLASSES, True),
        functools.partial(architectures.resnet50, convention="torch"),
        33,
    ),
    "vgg11": (lambda state, x: torch_networks.vgg(state, x, (1, 1, 2, 2, 2), CLASSES), architectures.vgg11, 64),
    "mobilenet-v2": (
        lambda state, x: torch_networks.mobilenet_v2(state, x, CLASSES),
        functools.partial(architectures.mobilenet_v2, convention="torch"),
        35,
    ),
    "efficientnet-b0": (
        lambda state, x: torch_networks.efficientnet_b0(state, x, CLASSES),
        functools.partial(architectures.efficientnet_b0, convention="torch"),
        34,
    ),
    "convnext-tiny": (
        lambda state, x: torch_networks.convnext_tiny(state, x, CLASSES),
        functools.partial(architectures.convnext_tiny, convention="torch"),
        33,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH)
def test_torchvision(name, tmp_path):
    forward, make, size = TORCH[name]
    x = np.random.default_rng(3).uniform(0, 1, (2, size, size, 3)).astype(np.float32)
    state = State()
    wanted = forward(state, np.moveaxis(x, -1, 1).astype(np.float64))
    ours = make((size, size, 3), CLASSES, **LOGITS)
    if name in ("resnet18", "mobilenet-v2"):
        loaded = ours.load_weights(write_torch_file(tmp_path / "a.pth", state))
    else:
        safetensors.numpy.save_file(dict(state), tmp_path / "a.safetensors")
        loaded = ours.load_weights(tmp_path / "a.safetensors")
    assert loaded.loaded == sum(1 for key in state if not key.endswith("num_batches_tracked"))
    assert loaded.provenance.format == "torch"
    agree(np.asarray(ours(x)), wanted, NETWORKS)


# --- a small network, for everything but the answers ----------------------------------------------------------------


def small(classes: int = 3):
    return architectures.lenet5((20, 20, 1), classes, seed=4)


def torch_state(classes: int = 3) -> dict[str, np.ndarray]:
    """LeNet as one writes it in PyTorch, its modules called as our layers are."""
    generator = np.random.default_rng(0)
    shapes = {
        "conv1.weight": (6, 1, 5, 5),
        "conv1.bias": (6,),
        "conv2.weight": (16, 6, 5, 5),
        "conv2.bias": (16,),
        "fc1.weight": (120, 64),
        "fc1.bias": (120,),
        "fc2.weight": (84, 120),
        "fc2.bias": (84,),
        "predictions.weight": (classes, 84),
        "predictions.bias": (classes,),
    }
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write(state, path):
    safetensors.numpy.save_file({name: np.ascontiguousarray(array) for name, array in state.items()}, path)
    return path


def test_layouts_of_pytorch(tmp_path):
    state, model = torch_state(), small()
    model.load_weights(write(state, tmp_path / "a.safetensors"))
    params = model.params
    np.testing.assert_array_equal(params["conv2"]["kernel"][1, 2, 3, 4], state["conv2.weight"][4, 3, 1, 2])
    np.testing.assert_array_equal(params["fc2"]["kernel"], state["fc2.weight"].T)
    # The 64 inputs of fc1 are 16 channels of 2×2 cells: channel by channel in PyTorch, cell by cell here.
    row, column, channel, unit = 1, 0, 9, 77
    assert (
        params["fc1"]["kernel"][(row * 2 + column) * 16 + channel, unit]
        == state["fc1.weight"][unit, channel * 4 + row * 2 + column]
    )


def test_where_weights_come_from_is_kept_and_saved(tmp_path):
    model = small()
    assert model.provenance is None
    path = write(torch_state(), tmp_path / "a.safetensors")
    model.load_weights(path)
    assert model.provenance is not None
    assert model.provenance.to_config() == {
        "source": "a.safetensors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": "torch",
    }
    model.save(tmp_path / "b.convista")
    assert load_model(tmp_path / "b.convista").provenance == model.provenance


def test_missing_wrong_and_left_over(tmp_path):
    state, model = torch_state(), small()
    before = model.get_weights()
    state["fc2.weight"] = state["fc2.weight"][:, :7]
    state["extra.weight"] = state.pop("conv1.bias")
    path = write(state, tmp_path / "a.safetensors")
    with pytest.raises(ModelFileError) as error:
        model.load_weights(path)
    assert str(error.value) == (
        f"{path}: every weight of the model is in the file, and no other. Received missing: conv1.bias (6,); "
        "of another shape: fc2.weight (84, 7) for (120, 84); left over: extra.weight (6,). Build the architecture that "
        'the file was made for (for torchvision with convention="torch" where there is one), with as many classes; '
        "head=False takes the backbone alone."
    )
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_backbone_alone(tmp_path):
    model = small(classes=3)
    head = {name: model.params[name] for name in ("fc1", "fc2", "predictions")}
    state = torch_state(classes=1000)
    loaded = model.load_weights(write(state, tmp_path / "a.safetensors"), head=False)
    assert (loaded.loaded, loaded.new) == (4, ("fc1", "fc2", "predictions"))
    assert set(loaded.left) == {name for name in state if not name.startswith("conv")}
    np.testing.assert_array_equal(model.params["conv1"]["bias"], state["conv1.bias"])
    for name, group in head.items():
        np.testing.assert_array_equal(model.params[name]["kernel"], group["kernel"])


def test_the_backbone_of_our_own_file(tmp_path):
    first, second = small(7), small(3)
    first.save(tmp_path / "a.convista")
    first.save_weights(tmp_path / "a.safetensors")
    for name in ("a.convista", "a.safetensors"):
        loaded = second.load_weights(tmp_path / name, head=False)
        assert loaded.provenance.format == "convista"
        np.testing.assert_array_equal(second.params["conv2"]["kernel"], first.params["conv2"]["kernel"])


def test_conventions_are_not_mixed(tmp_path):
    path = write(torch_state(), tmp_path / "a.safetensors")
    with pytest.raises(ArgumentError) as error:
        architectures.mobilenet_v2((32, 32, 3), 3, alpha=0.35).load_weights(path)
    assert str(error.value) == (
        f"{path}: weights of PyTorch were learned with epsilon=1e-05. Received a model whose 'bn_Conv1' has "
        'epsilon=0.001. Build the architecture with convention="torch".'
    )
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    with pytest.raises(ArgumentError) as error:
        architectures.mobilenet_v2((32, 32, 3), 3, alpha=0.35, convention="torch").load_weights(tmp_path / "b.h5")
    assert str(error.value) == (
        f"{tmp_path / 'b.h5'}: weights of Keras were learned with Keras's padding. Received a model built with "
        "convention=\"torch\", whose 'Conv1_torch_pad' pads as PyTorch does. Build the architecture without convention."
    )


@pytest.mark.slow
def test_files_of_torchvision_itself(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch = pytest.importorskip("torch.nn") and pytest.importorskip("torch")
    theirs = torchvision.models.resnet18(num_classes=CLASSES).eval()
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    ours = architectures.resnet18((40, 40, 3), CLASSES, **LOGITS)
    ours.load_weights(tmp_path / "a.pth")
    x = np.random.default_rng(3).uniform(0, 1, (2, 40, 40, 3)).astype(np.float32)
    with torch.no_grad():
        wanted = theirs(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
    agree(np.asarray(ours(x)), wanted, NETWORKS)
