"""Modules as models that learn, and their weights on the way back."""

from __future__ import annotations

import numpy as np
import pytest

from convista import load_model
from convista.errors import ArgumentError, ShapeError
from convista.layers import Dense, Input
from convista.models import Sequential
from convista.torch import copy_weights, manual_seed, nn, to_model
from oracles.compare import EXACT, LAYERS, agree, agree_all, numbers


def last(x):
    return np.moveaxis(x, 1, -1)


def first(x):
    return np.moveaxis(np.asarray(x), -1, 1)


CHAINS = {
    "flatten, linear": (
        lambda: [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(60, 4), nn.Softmax(dim=1)],
        (2, 5, 4),
    ),
    "elementwise between": (
        lambda: [nn.Flatten(), nn.Tanh(), nn.Dropout(), nn.Identity(), nn.Linear(40, 4), nn.ReLU(), nn.Linear(4, 2)],
        (2, 5, 4),
    ),
    "flatten at the end": (lambda: [nn.Conv2d(2, 3, 3), nn.Flatten()], (2, 5, 4)),
    "norm after flatten": (lambda: [nn.Flatten(), nn.BatchNorm1d(40), nn.Linear(40, 3)], (2, 5, 4)),
    "softmax after flatten": (lambda: [nn.Flatten(), nn.Softmax(dim=1)], (2, 3, 2)),
    "nested": (
        lambda: [nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))],
        (2, 6, 7),
    ),
    "transposed": (lambda: [nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), nn.Sigmoid()], (2, 3, 4)),
    "pools": (
        lambda: [
            nn.MaxPool2d(3, 2, 1),
            nn.AvgPool2d(2, 1, 1),
            nn.AvgPool2d(2, padding=1, divisor_override=3, ceil_mode=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(2, 3),
        ],
        (2, 9, 8),
    ),
    "borders": (
        lambda: [nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(2, 2, 3, padding=2, padding_mode="circular")],
        (2, 5, 4),
    ),
    "channels as probabilities": (lambda: [nn.Conv2d(2, 3, 1), nn.Softmax(dim=1), nn.Softmax(dim=-1)], (2, 3, 4)),
    "sequence": (
        lambda: [nn.Conv1d(4, 6, 3, padding="same"), nn.MaxPool1d(2), nn.Dropout1d(), nn.Flatten(), nn.Linear(24, 2)],
        (4, 9),
    ),
    "volume": (lambda: [nn.Conv3d(1, 2, 2), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(4, 2)], (1, 3, 5, 3)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_model_computes_what_the_modules_do(name, tmp_path):
    make, shape = CHAINS[name]
    manual_seed(5)
    net = nn.Sequential(*make())
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.weight = numbers(module.num_features)
            module.running_mean, module.running_var = numbers(module.num_features, seed=1), module.weight**2 + 1
    model = to_model(net, shape)
    x = numbers(3, *shape)
    expected = net.eval()(x)
    agree(first(model(last(x))), expected, LAYERS)
    assert sum(array.size for array in model.get_weights()) == sum(
        array.size for part, array in net.state_dict().items() if not part.endswith("tracked")
    )
    if name in ("flatten, linear", "borders"):
        model.save(tmp_path / "net.convista")
        model = load_model(tmp_path / "net.convista")
        agree(first(model(last(x))), expected, LAYERS)
    blank = nn.Sequential(*make()).eval()
    copy_weights(model, blank)
    agree(blank(x), expected, EXACT)


def test_rows_in_the_wrong_order_would_be_seen():
    net = nn.Sequential(nn.Flatten(), nn.Linear(40, 4))
    model, x = to_model(net, (2, 5, 4)), numbers(3, 2, 5, 4)
    agree(model(last(x)), net(x), LAYERS)
    model.set_weights([net[1].weight.T, net[1].bias])
    with pytest.raises(AssertionError):
        agree(model(last(x)), net(x), LAYERS)


def test_a_module_learns_through_its_model():
    manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 2),
        nn.Softmax(dim=1),
    )
    x = numbers(64, 1, 6, 6)
    y = (x.mean((1, 2, 3)) > 0).astype(np.int32)
    before = net.state_dict()
    model = to_model(net, (1, 6, 6), "small", seed=1)
    assert [layer.name for layer in model.layers] == [
        "conv2d_0",
        "batchnorm2d_1",
        "relu_2",
        "maxpool2d_3",
        "flatten_4",
        "linear_5",
        "softmax_6",
    ]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(last(x), y, batch_size=16, epochs=12, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    agree_all(net.state_dict()["0.weight"], before["0.weight"], EXACT)  # the model's weights are its own
    copy_weights(model, net)
    agree(net.eval()(x), model.predict(last(x), verbose=0), LAYERS)
    assert np.abs(net[0].weight - before["0.weight"]).max() > 1e-3


def test_one_module_is_a_model_too():
    conv = nn.Conv2d(3, 1, 2)
    model = to_model(conv, (3, 4, 4))
    assert (model.layers[0].name, model.count_params()) == ("conv2d", 13)


class Own(nn.Module):
    def forward(self, x):
        return x


SHARED = nn.Linear(4, 4)


@pytest.mark.parametrize(
    ("module", "shape", "kind", "message"),
    [
        (
            nn.Sequential(Own()),
            (4,),
            ArgumentError,
            "to_model: to_model lists the layers of a Sequential; a forward of one's own has none to list. Received "
            "Own. Write the network as nn.Sequential, or with convista.Model(inputs, outputs).",
        ),
        (
            nn.Sequential(SHARED, SHARED),
            (4,),
            ArgumentError,
            "to_model: each module of a Sequential that learns stands in it once. Received the same module twice. Make "
            "a second module, or share layers with convista.Model(inputs, outputs).",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(3, 3)),
            (1, 5, 5),
            ShapeError,
            "Linear(in_features=3, out_features=3, bias=True): a Linear in a model takes rows of numbers, not "
            "pictures. Received an input of shape (2, 3, 3), channels first. Put nn.Flatten() before it.",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(3, 3)),
            (1, 5, 5),
            ShapeError,
            "Linear(in_features=3, out_features=3, bias=True): the input has 3 features, as in_features says. Received "
            "an input of shape (25,). Write in_features=25.",
        ),
        (
            nn.Sequential(nn.ReLU()),
            (1, None, 5),
            ArgumentError,
            "to_model: the sizes of the input are known. Received input_shape=(1, None, 5). For example "
            "input_shape=(3, 32, 32).",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3)),
            (32, 1, 5, 5),
            ShapeError,
            "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1)): one input is (channels, height, width). Received shape "
            "(32, 1, 5, 5). Leave the batch axis out: (1, 5, 5).",
        ),
        (
            nn.Sequential(nn.Softmax(0)),
            (3,),
            ArgumentError,
            "Softmax: in a model each example is by itself, and dim=0 are the examples of a batch. Received dim=0. "
            "dim=1 are the channels.",
        ),
        (
            nn.Sequential(nn.Flatten(2)),
            (1, 5, 5),
            ArgumentError,
            "Flatten(start_dim=2, end_dim=-1): a Flatten in a model makes one row of each example. Received an input "
            "of shape (1, 5, 5). Write nn.Flatten().",
        ),
    ],
)
def test_what_is_no_model(module, shape, kind, message):
    with pytest.raises(kind) as error:
        to_model(module, shape)
    assert str(error.value) == message


def test_weights_of_another_model_are_refused():
    net = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(ArgumentError) as error:
        copy_weights(Sequential([Input((4,)), Dense(2)]), net)
    assert str(error.value) == (
        "copy_weights: the model was made from this module by to_model. Received other layers: dense, linear_0. Give "
        "the module that to_model took, or one that was built alike."
    )
    with pytest.raises(ArgumentError, match="the model has the module's sizes"):
        copy_weights(to_model(nn.Sequential(nn.Linear(4, 3)), (4,)), net)
    with pytest.raises(ArgumentError) as error:
        copy_weights(net, to_model(net, (4,)))
    assert str(error.value) == (
        "copy_weights: weights go from a model to a module. Received Sequential, Sequential. Write copy_weights(model, "
        "net)."
    )
