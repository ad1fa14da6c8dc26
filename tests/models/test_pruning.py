"""Filters removed: the smaller network computes what the large one does when nobody listens to those filters."""

from __future__ import annotations

import numpy as np
import pytest

import convista
from convista import Model, Sequential, load_model
from convista.architectures import lecture_convnet
from convista.errors import ArgumentError
from convista.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GroupNormalization,
    Input,
    LayerNormalization,
    MaxPooling2D,
    PReLU,
    ReLU,
    Reshape,
    SeparableConv2D,
    ZeroPadding2D,
)
from convista.layers.scaling import LayerScale
from convista.models.pruning import prune_filters
from oracles.compare import EXACT, LAYERS, agree, agree_all, numbers


def with_random_weights(model):
    """Weights, statistics too, that differ everywhere."""
    random = np.random.default_rng(5)
    model.set_weights(
        [
            random.uniform(0.1, 1.0, array.shape) * random.choice([-1, 1], array.shape)
            if array.ndim > 1
            else random.uniform(0.5, 1.5, array.shape)
            for array in model.get_weights()
        ]
    )
    return model


def chain():
    return Sequential(
        [
            Conv2D(6, 3, activation="relu", input_shape=(12, 11, 2)),
            BatchNormalization(),
            MaxPooling2D(2),
            ZeroPadding2D(1),
            Conv2D(8, (3, 2), padding="same", use_bias=False),
            ReLU(),
            Dropout(0.3),
            Flatten(),
            BatchNormalization(),
            Dense(5, activation="relu"),
            Dense(3, activation="softmax"),
        ]
    )


def residual():
    x = Input((8, 8, 3))
    a = Conv2D(8, 3, padding="same", activation="relu", name="a")(x)
    b = BatchNormalization()(Conv2D(8, 3, padding="same", name="b")(a))
    b = Conv2D(8, 1, name="c")(Activation("tanh")(b))
    total = ReLU()(Add()([a, b]))
    return Model(x, Dense(3)(GlobalAveragePooling2D()(Conv2D(6, 3, name="d")(total))))


def branches():
    x = Input((8, 8, 3))
    a = Conv2D(6, 1, name="a", activation="relu")(x)
    b = Conv2D(4, 3, padding="same", name="b")(AveragePooling2D(3, 1, padding="same")(x))
    joined = BatchNormalization()(Concatenate()([a, x, b]))
    return Model(x, Dense(2)(Flatten()(Conv2D(4, 3, name="c", activation="relu")(joined))))


def depthwise():
    """Every channel by itself, a doubling of the channels, and what follows them."""
    return Sequential(
        [
            Conv2D(6, 3, name="a", input_shape=(9, 9, 2)),
            PReLU(shared_axes=(1, 2)),
            DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu"),
            BatchNormalization(),
            SeparableConv2D(8, 3, depth_multiplier=2, name="b"),
            GroupNormalization(8),
            PReLU(),
            LayerScale(0.5),
            Conv2D(4, 1, name="c"),
            GroupNormalization(-1),
            LayerNormalization(axis=(1, 2)),
            PReLU(shared_axes=(1, 2, 3)),
            Flatten(),
            PReLU(),
            Dense(3),
        ]
    )


def enlarging():
    """A transposed convolution takes what is left, and is cut itself."""
    x = Input((5, 5, 2))
    a = Conv2D(4, 3, padding="same", activation="relu", name="a")(x)
    b = Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu", name="b")(a)
    c = Conv2DTranspose(6, 2, strides=2, name="c")(Conv2D(4, 1, name="d")(a))
    return Model(x, Conv2DTranspose(2, 3, padding="same", name="e")(Add()([b, c])))


NETWORKS = {
    "chain": chain,
    "residual": residual,
    "branches": branches,
    "depthwise": depthwise,
    "enlarging": enlarging,
}


def by_filter(model, layer):
    """The kernel in which a convolution's filters are told apart, filters last."""
    arrays = {name: np.asarray(array) for name, array in model.params[layer.name].items()}
    if isinstance(layer, Conv2DTranspose):
        return np.moveaxis(arrays["kernel"], -2, -1)
    return arrays["pointwise_kernel" if isinstance(layer, SeparableConv2D) else "kernel"]


def removed(large, small):
    """Find by their weights which filters of each convolution are gone."""
    gone = {}
    for layer in large.layers:
        if isinstance(layer, Conv2D | SeparableConv2D | Conv2DTranspose):
            before, after = by_filter(large, layer), by_filter(small, layer)
            # Largest weights are all different, and survive a cut of the inputs often enough to be told apart.
            kept = [
                next(
                    place
                    for place in range(before.shape[-1])
                    if np.isin(np.abs(after[..., number]), np.abs(before[..., place])).all()
                )
                for number in range(after.shape[-1])
            ]
            gone[layer.name] = sorted(set(range(before.shape[-1])) - set(kept))
    return gone


def deaf(model, gone, listeners):
    """The same network, in which nobody listens to some channels: zeros in the kernels that would take them."""
    params = {name: dict(arrays) for name, arrays in model.params.items()}
    for name, places in listeners(gone).items():
        layer = model.get_layer(name)
        which = "depthwise_kernel" if isinstance(layer, SeparableConv2D) else "kernel"
        kernel = np.array(params[name][which])
        if isinstance(layer, Conv2DTranspose):
            kernel[..., places] = 0
        else:
            kernel[..., places, :] = 0
        params[name][which] = kernel
    twin = load_copy(model)
    twin.params = params
    return twin


def load_copy(model):
    twin = Model.from_json(model.to_json())
    twin.set_weights(model.get_weights())
    return twin


def every_position(places, channels, positions):
    return [position * channels + place for position in range(positions) for place in places]


LISTENERS = {
    "chain": lambda gone: {
        "conv2d_1": gone["conv2d"],
        "dense": every_position(gone["conv2d_1"], 8, 7 * 6),
    },
    "residual": lambda gone: {"b": gone["a"], "c": gone["b"], "d": gone["a"], "dense": gone["d"]},
    "branches": lambda gone: {
        "c": [*gone["a"], *[6 + 3 + place for place in gone["b"]]],
        "dense": every_position(gone["c"], 4, 36),
    },
    "depthwise": lambda gone: {
        "b": [2 * place + second for place in gone["a"] for second in (0, 1)],
        "c": gone["b"],
        "dense": every_position(gone["c"], 4, 25),
    },
    "enlarging": lambda gone: {"b": gone["a"], "d": gone["a"], "c": gone["d"], "e": gone["b"]},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_it_computes_what_the_large_one_does_when_nobody_listens(name):
    model = with_random_weights(NETWORKS[name]())
    small = prune_filters(model, 0.5)
    gone = removed(model, small)
    for layer, places in gone.items():
        output = layer == model.layers[-1].name
        assert len(places) == (0 if output else model.get_layer(layer).filters // 2)
    x = numbers(4, *model.input_shape[1:])
    expected = deaf(model, gone, LISTENERS[name]).predict(x)
    agree(small.predict(x), expected, LAYERS)
    with pytest.raises(AssertionError, match="apart"):
        agree(small.predict(x), model.predict(x), LAYERS)


def test_what_stands_between_is_cut_to_fit():
    small = prune_filters(with_random_weights(depthwise()), 0.5)
    shapes = {name: {key: array.shape for key, array in group.items()} for name, group in small.params.items()}
    assert shapes["depthwise_conv2d"] == {"kernel": (3, 3, 3, 2), "bias": (6,)}
    assert shapes["b"] == {"depthwise_kernel": (3, 3, 6, 2), "pointwise_kernel": (1, 1, 12, 4), "bias": (4,)}
    assert shapes["p_re_lu"] == {"alpha": (1, 1, 3)}
    assert shapes["p_re_lu_1"] == {"alpha": (5, 5, 4)}
    assert shapes["p_re_lu_2"] == {"alpha": (1, 1, 1)}
    assert shapes["p_re_lu_3"] == {"alpha": (50,)}
    assert small.get_layer("group_normalization").groups == 4
    assert small.get_layer("group_normalization_1").groups == -1


def test_the_weakest_go():
    model = with_random_weights(chain())
    strengths = np.abs(np.asarray(model.params["conv2d"]["kernel"])).sum(axis=(0, 1, 2))
    gone = removed(model, prune_filters(model, 0.34))["conv2d"]
    assert gone == sorted(np.argsort(strengths)[:2].tolist())


def test_added_branches_lose_the_same_filters_by_their_common_strength():
    model = with_random_weights(residual())
    gone = removed(model, prune_filters(model, 0.25))
    strengths = sum(np.abs(np.asarray(model.params[name]["kernel"])).sum(axis=(0, 1, 2)) for name in ("a", "c"))
    assert gone["a"] == gone["c"] == sorted(np.argsort(strengths)[:2].tolist())


def test_the_lecture_convnet_is_really_smaller():
    model = lecture_convnet()
    small = prune_filters(model, 0.5)
    assert [layer.filters for layer in small.layers if isinstance(layer, Conv2D)] == [16, 32, 64]
    assert (model.count_params(), small.count_params()) == (104_202, 29_066)
    macs = [sum(network.graph.multiply_accumulates()) for network in (model, small)]
    assert macs == [3_100_032, 826_560]
    assert (small.name, small.preprocessing, type(small)) == (model.name, model.preprocessing, Model)


def test_nothing_removed_is_the_same_network():
    model = with_random_weights(chain())
    agree_all(prune_filters(model, 0.0).get_weights(), model.get_weights(), EXACT)


def test_one_filter_always_stays_and_kept_ones_do():
    model = with_random_weights(chain())
    small = prune_filters(model, 0.99, keep=["conv2d_1"])
    assert [layer.filters for layer in small.layers if isinstance(layer, Conv2D)] == [1, 8]


def test_what_cannot_be_cut_stays_whole():
    x = Input((6, 6, 4))
    a = Conv2D(4, 3, padding="same", name="before_groups")(x)
    b = Conv2D(4, 3, padding="same", groups=2, name="grouped")(a)
    c = Conv2D(4, 3, padding="same", name="before_softmax", activation="softmax")(b)
    d = Conv2D(4, 3, padding="same", name="free")(c)
    e = Conv2D(4, 3, padding="same", name="before_reshape")(d)
    f = Reshape((36, 2, 2))(e)
    y = Conv2D(2, 1, name="output")(f)
    small = prune_filters(Model(x, y), 0.5)
    filters = {layer.name: layer.filters for layer in small.layers if isinstance(layer, Conv2D)}
    expected = {"before_groups": 4, "grouped": 4, "before_softmax": 4, "free": 2, "before_reshape": 4, "output": 2}
    assert filters == expected


@pytest.mark.parametrize(
    "mixing",
    [LayerNormalization(), LayerNormalization(axis=(1, 2, 3)), GroupNormalization(2), GroupNormalization(4, axis=1)],
)
def test_filters_before_a_mean_over_channels_stay_for_it_would_be_another(mixing):
    x = Input((4, 4, 2))
    a = Conv2D(4, 1, name="before")(x)
    b = Conv2D(4, 1, name="after")(mixing(a))
    small = prune_filters(with_random_weights(Model(x, Conv2D(2, 1, name="output")(b))), 0.5)
    assert {layer.name: layer.filters for layer in small.layers if isinstance(layer, Conv2D)} == {
        "before": 4,
        "after": 2,
        "output": 2,
    }


def test_batch_normalization_over_rows_keeps_its_numbers():
    x = Input((5, 6, 3))
    a = BatchNormalization(axis=1)(Conv2D(8, 1, name="before")(x))
    small = prune_filters(Model(x, Conv2D(2, 1, name="output")(Conv2D(4, 1, name="after")(a))), 0.5)
    assert (small.get_layer("before").filters, small.get_layer("after").filters) == (8, 2)
    assert small.params["batch_normalization"]["gamma"].shape == (5,)


@pytest.mark.slow
def test_it_saves_loads_and_learns_like_any_other(tmp_path):
    model = with_random_weights(chain())
    model.classes = ("a", "b", "c")
    model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    small = prune_filters(model, 0.5)
    small.save(tmp_path / "small.convista")
    again = load_model(tmp_path / "small.convista")
    x = numbers(8, 12, 11, 2)
    agree(again.predict(x), small.predict(x), EXACT)
    assert (again.classes, type(again), again.compiled) == (("a", "b", "c"), Sequential, True)
    small.fit(x, np.arange(8) % 3, verbose=0)
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]


def shared():
    x, layer = Input((8, 8, 3)), Conv2D(3, 3, padding="same", name="twice")
    return Model(x, Flatten()(layer(layer(x))))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            (chain, 1.0),
            "prune_filters: fraction is a fraction at least 0 and below 1. Received fraction=1.0.",
        ),
        (
            (chain, 0.5, ["conv"]),
            "prune_filters: keep is a list of names of convolutions. Received 'conv'. Did you mean 'conv2d'?",
        ),
        (
            (chain, 0.5, "conv2d"),
            "prune_filters: keep is a list of names of convolutions. Received 'conv2d'. keep=['conv2d'].",
        ),
        (
            (shared, 0.5),
            "prune_filters: each layer is used once, so that cutting it changes one place. Received 'twice', which is "
            "used 2 times. Prune single weights instead: compile(convista.pruning.Pruned('adam', 0.8), …).",
        ),
        (
            (lambda: Sequential([Conv2D(4, 3, input_shape=(5, 5, 1))], name="one"), 0.5),
            "prune_filters: there are filters that can be removed. Received 'one', in which every convolution makes "
            "the output, is kept, or stands before a layer that may mix channels. Prune single weights "
            "instead: compile(convista.pruning.Pruned('adam', 0.8), …).",
        ),
    ],
)
def test_what_cannot_be(given, message):
    with pytest.raises(ArgumentError) as caught:
        prune_filters(given[0](), *given[1:])
    assert str(caught.value) == message


def test_all_names_of_pruning_are_in_one_place():
    assert set(convista.pruning.__all__) == {
        "ConstantSparsity", "PolynomialSparsity", "Pruned", "prune_filters", "sparsity_of",
    }  # fmt: skip
    assert convista.pruning.prune_filters is prune_filters
    assert convista.pruning.Pruned is convista.training.pruning.Pruned
    assert convista.augmentation.MixUp is convista.training.augmentation.MixUp
