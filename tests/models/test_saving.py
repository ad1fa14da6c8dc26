"""Saved models: the same model comes back, training goes on bit for bit, and nothing else is ever believed."""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import time
import zipfile

import numpy as np
import pytest

import convista
from convista import Input, Model, Preprocessing, Sequential, load_model
from convista.errors import ArgumentError, ModelFileError
from convista.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPool2D,
    Reshape,
)
from convista.models import archive
from convista.training import metrics, optimizers, schedules

RNG = np.random.default_rng(0)
X = RNG.random((10, 6, 6, 1), np.float32)
Y = RNG.integers(0, 3, 10)


def chain(**named):
    model = Sequential(
        [
            Conv2D(2, 3, activation="relu", input_shape=(6, 6, 1)),
            BatchNormalization(),
            MaxPool2D(),
            Dropout(0.3),
            Flatten(),
            Dense(3, activation="softmax", name="last"),
        ],
        name="chain",
        seed=7,
        **named,
    )
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy", metrics.F1Score(average="macro")])
    return model


def branched():
    first, second = Input((3,), name="first"), Input((3,))
    shared = Dense(2, activation="tanh")
    joined = Concatenate()([shared(first), shared(second)])
    return Model([first, second], [Dense(1)(joined), Add()([joined, joined])], name="branched")


def bits(model):
    return [array.tobytes() for array in model.get_weights()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.convista"


# --- round trips ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_chain_comes_back_whole(path):
    model = chain()
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    model.classes = ("a", "b", "ї")
    model.preprocessing = Preprocessing(scale=1 / 255, invert=True, resize="pad")
    model.save(path)
    loaded = load_model(path)
    assert isinstance(loaded, Sequential)
    assert (loaded.name, loaded.seed, loaded.classes) == ("chain", 7, ("a", "b", "ї"))
    assert loaded.preprocessing == model.preprocessing
    assert loaded.layers == model.layers
    assert bits(loaded) == bits(model)
    assert str(loaded.summary(print_to=None)) == str(model.summary(print_to=None))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)
    moving = np.asarray(loaded.state["batch_normalization"]["moving_mean"])
    assert np.abs(moving).max() > 0
    loaded.add(Dense(2))
    assert loaded.output_shape == (None, 2)


def test_shared_layers_and_several_ends_come_back(path):
    model = branched()
    model.save(path)
    loaded = load_model(path)
    assert type(loaded) is Model
    x = [RNG.random((4, 3), np.float32), RNG.random((4, 3), np.float32)]
    for one, other in zip(loaded.predict(x), model.predict(x), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.count_params() == model.count_params() == 8 + 5
    assert loaded.graph == model.graph
    assert loaded.predict({"first": x[0], "input_1": x[1]})[0].shape == (4, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        optimizers.RMSprop(schedules.ExponentialDecay(0.01, 3, 0.5)),
        optimizers.AdamW(0.01, amsgrad=True),
    ],
    ids=["adam", "sgd", "rmsprop with a schedule", "adamw"],
)
def test_training_goes_on_bit_for_bit(path, optimizer):
    def begin():
        model = Sequential(
            [Dense(4, input_shape=(3,)), BatchNormalization(), Dropout(0.3), Dense(3, activation="softmax")]
        )
        model.compile(optimizer, "sparse_categorical_crossentropy")
        return model

    x = X[:, 0, :3, 0]
    whole = begin()
    whole.fit(x, Y, batch_size=4, epochs=4, verbose=0)
    half = begin()
    half.fit(x, Y, batch_size=4, epochs=2, verbose=0)
    half.save(path)
    loaded = load_model(path)
    assert int(loaded.train_state.step) == 6
    assert loaded.learning_rate == half.learning_rate
    loaded.fit(x, Y, batch_size=4, epochs=4, initial_epoch=2, verbose=0)
    assert bits(loaded) == bits(whole)
    # Without the optimizer's memory it would not be the same.
    forgetful = load_model(path)
    forgetful.compile(optimizer, "sparse_categorical_crossentropy")
    forgetful.fit(x, Y, batch_size=4, epochs=4, initial_epoch=2, verbose=0)
    assert bits(forgetful) != bits(whole)


def test_a_changed_learning_rate_comes_back(path):
    model = chain()
    model.learning_rate = 0.125
    model.save(path)
    assert load_model(path).learning_rate == 0.125


def test_a_loss_of_your_own_is_left_out_and_the_network_saved(path):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile("sgd", lambda y_true, y_pred: (y_true - y_pred) ** 2)
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(path)
    loaded = load_model(path)
    assert bits(loaded) == bits(model)
    assert not loaded.compiled


def test_a_layer_with_a_function_of_your_own_cannot_be_saved(path):
    model = Sequential([Dense(2, activation=lambda x: x * 2, name="own", input_shape=(3,))])
    with pytest.raises(ArgumentError, match=r"^Dense 'own': a saved model holds names, not functions of your own"):
        model.save(path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["optimizer", "a/b", "params", "слой", "optimizer/0000", "../up", "x y"])
def test_a_layer_may_have_any_name(path, name):
    model = Sequential([Dense(2, name=name, input_shape=(3,)), Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    model.save(path)
    loaded = load_model(path)
    assert bits(loaded) == bits(model)
    assert loaded.get_layer(name).units == 2


def test_a_subclass_comes_back_as_what_it_is_made_of(path):
    class Mine(Sequential):
        pass

    model = Mine([Dense(2, input_shape=(3,))])
    model.save(path)
    assert type(load_model(path)) is Sequential
    assert bits(load_model(path)) == bits(model)


def test_saving_twice_gives_the_same_bytes(tmp_path):
    model = chain()
    model.save(tmp_path / "a.convista")
    model.save(str(tmp_path / "b.convista"))
    assert (tmp_path / "a.convista").read_bytes() == (tmp_path / "b.convista").read_bytes()


# --- weights and architecture alone --------------------------------------------------------------------------------


def test_weights_alone(tmp_path, path):
    model = chain()
    model.fit(X, Y, verbose=0)
    model.save_weights(tmp_path / "w.safetensors")
    model.save(path)
    for file in (tmp_path / "w.safetensors", path):
        other = chain()
        other.load_weights(file)
        assert bits(other) == bits(model)
    with pytest.raises(ModelFileError) as caught:
        branched().load_weights(tmp_path / "w.safetensors")
    rule = "every weight of the model is in the file, and no other. Received missing: "
    assert str(caught.value).startswith(f"{tmp_path / 'w.safetensors'}: {rule}")
    wider = Sequential([Conv2D(3, 3, input_shape=(6, 6, 1))])
    Sequential([Conv2D(2, 3, input_shape=(6, 6, 1))]).save_weights(tmp_path / "v.safetensors")
    with pytest.raises(ModelFileError) as caught:
        wider.load_weights(tmp_path / "v.safetensors")
    assert str(caught.value) == (
        f"{tmp_path / 'v.safetensors'}: every weight of the model is in the file, and no other. "
        "Received of another shape: conv2d/kernel (3, 3, 1, 2) for (3, 3, 1, 3), conv2d/bias (2,) for (3,). "
        "Build the architecture that the file was made for, with as many classes; head=False takes the backbone alone."
    )


def test_json():
    model = chain()
    other = Model.from_json(model.to_json())
    assert other.layers == model.layers
    assert bits(other) == bits(model)  # the same seed draws the same weights
    assert other.compiled
    assert branched().graph == Model.from_json(branched().to_json()).graph


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "from_json, class: it is there. Received nothing."),
        ("5", "from_json, class: it is there. Received nothing."),
        (
            "{",
            "from_json: the text is what to_json returned. Received JSONDecodeError: Expecting property name enclosed ",
        ),
        (None, "from_json: the text is what to_json returned. Received TypeError: the JSON object must be str"),
        ("[" * 100_000, "from_json: the text is what to_json returned. Received RecursionError"),
    ],
)
def test_texts_that_are_no_model(text, message):
    with pytest.raises(ModelFileError) as caught:
        Model.from_json(text)
    assert str(caught.value).startswith(message)


# --- names of files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "received", "fix"),
    [
        ("m.keras", "'m.keras'", "model.save('m.convista')"),
        ("m", "'m'", "model.save('m.convista')"),
        ("", "''", "model.save('name.convista')"),
        (None, "None", 'model.save("name.convista")'),
    ],
)
def test_the_ending_says_what_a_file_is(name, received, fix):
    with pytest.raises(ArgumentError) as caught:
        chain().save(name)
    assert str(caught.value) == (
        f"save: a model is saved to a file whose name ends in .convista. Received {received}. {fix}."
    )


def test_weights_have_their_own_ending():
    with pytest.raises(ArgumentError) as caught:
        chain().save_weights("m.weights.h5")
    assert str(caught.value) == (
        "save_weights: weights are saved to a file whose name ends in .safetensors. Received 'm.weights.h5'. "
        "model.save_weights('m.weights.safetensors')."
    )


def test_overwrite(path):
    chain().save(path)
    before = path.read_bytes()
    with pytest.raises(ArgumentError) as caught:
        branched().save(path, overwrite=False)
    assert str(caught.value) == (
        f"save: the file is new when overwrite=False. Received {str(path)!r}, which exists. "
        "Choose another name or overwrite=True."
    )
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_model_without_shapes_is_not_saved(path):
    with pytest.raises(Exception, match="the shape of the input is known before"):
        Sequential([Dense(2)]).save(path)


# --- files that are not what they say ------------------------------------------------------------------------------


def test_foreign_files(tmp_path):
    cases = {
        "keras.keras": "a Keras model (.keras)",
        "torch.pt": "a PyTorch file",
        "plain.zip": "config.json",
        "text.convista": "this is not a saved model",
        "empty.convista": "",
    }
    for name, entry in (("keras.keras", "model.weights.h5"), ("torch.pt", "archive/data.pkl"), ("plain.zip", "a.txt")):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr(entry, "x")
    (tmp_path / "text.convista").write_text("hello")
    (tmp_path / "empty.convista").write_bytes(b"")
    for name, text in cases.items():
        with pytest.raises(ModelFileError) as caught:
            load_model(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert text in str(caught.value)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.convista")


def test_a_changed_byte_or_a_cut_anywhere(path):
    model = chain()
    model.save(path)
    data = path.read_bytes()
    draw = random.Random(0)
    for _ in range(150):
        damaged = bytearray(data)
        damaged[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged if draw.random() < 0.8 else data[: draw.randrange(len(data))])
        with pytest.raises(ModelFileError, match=r"^/.*model\.convista[:,] "):
            load_model(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved model, its configuration and tensors."""
    file = tmp_path_factory.mktemp("saved") / "m.convista"
    x = Input((6, 6, 1))
    y = BatchNormalization()(Conv2D(2, 3, padding="same", activation="relu")(x))
    y = Add()([MaxPool2D(2, strides=1, padding="same")(y), y])
    y = Reshape((2,))(Activation("tanh")(Dropout(0.2)(GlobalAveragePooling2D()(y))))
    model = Model(x, Dense(3, activation="softmax")(y))
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy", "precision"])
    model.classes = ("a", "b", "c")
    model.preprocessing = Preprocessing(scale=1 / 255)
    assert model.learning_rate > 0  # starts the optimizer, so that its memory is saved
    model.save(file)
    return archive.read(file)


def put(config, place, value):
    config = copy.deepcopy(config)
    spot = config
    for key in place[:-1]:
        spot = spot[key]
    if value is KeyError:
        del spot[place[-1]]
    else:
        spot[place[-1]] = value
    return config


_CONV = ("nodes", 1, "config")


@pytest.mark.parametrize(
    ("place", "value", "field", "reason"),
    [
        (("class",), "Dense", "class", "it is Model or Sequential. Received 'Dense'."),
        (("name",), 5, "name", "it is a text. Received 5."),
        (("seed",), -1, "seed", "it is a seed. Received seed is a whole number of at least 0. Received seed=-1."),
        (("nodes",), [], "nodes", "it is a list of 1 to 2000 nodes. Received []."),
        (("nodes",), KeyError, "nodes", "it is there. Received nothing."),
        ((*_CONV, "filters"), 10**18, "nodes", "1000000000000000000 come in"),
        (("nodes", 9, "config", "units"), 10**18, "nodes", "the weights fit the memory of this machine"),
        ((*_CONV, "filters"), -2, "nodes[1]", "filters is a whole number of at least 1"),
        ((*_CONV, "kernel_size"), [10**18, 1], "nodes", "the weights fit the memory of this machine"),
        (("nodes", 1, "class"), "os.system", "nodes[1]", "a layer is of a registered class"),
        (("nodes", 1, "config"), {"fliters": 2}, "nodes[1]", "Did you mean 'filters'?"),
        (("nodes", 1, "inputs"), [4], "nodes[1]", "inputs=[4]"),
        (("nodes", 1, "inputs"), [1], "nodes[1]", "inputs=[1]"),
        (("nodes", 2, "inputs"), [], "nodes[2]", "'batch_normalization' takes 0 inputs"),
        (("inputs",), [3], "inputs", "they are the nodes that take nothing. Received [3]."),
        (("outputs",), [99], "outputs", "they are places of nodes. Received [99]."),
        (("classes",), ["a", 1], "classes", "it is a list of texts. Received ['a', 1]."),
        (("preprocessing", "resize"), "squeeze", "preprocessing", "resize is one of 'stretch', 'pad', 'crop'"),
        (("training", "loss"), {"class": "Own"}, "training", "it says how the model learns."),
        (("training", "metrics"), ["acuracy"], "training", "Did you mean 'accuracy'?"),
    ],
)
def test_a_configuration_that_was_changed_and_hashed_again(path, saved, place, value, field, reason):
    config, tensors = saved
    archive.write(path, put(config, place, value), tensors)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}, config.json, {field}: ")
    assert reason in str(caught.value)


def test_tensors_of_another_model(path, saved):
    config, tensors = saved
    for change, reason in (
        ({"dense/kernel": tensors["dense/kernel"].astype("float64")}, "'dense/kernel' is float32 of shape (2, 3)"),
        ({"dense/kernel": tensors["dense/kernel"].T.copy()}, "'dense/kernel' is float32 of shape (2, 3)"),
        ({"dense/kernal": tensors["dense/kernel"]}, "Did you mean 'dense/kernel'?"),
        ({"optimizer/0001": np.zeros(5, np.float32)}, "the optimizer's memory is that of Adam"),
        ({"optimizer/9999": np.zeros(5, np.float32)}, "the optimizer's memory is that of Adam"),
    ):
        archive.write(path, config, tensors | change)
        with pytest.raises(ModelFileError) as caught:
            load_model(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert reason in str(caught.value)
    archive.write(path, config, {name: array for name, array in tensors.items() if name != "dense/bias"})
    with pytest.raises(ModelFileError, match=r"every weight of the model is in the file\. Received no 'dense/bias'"):
        load_model(path)


def test_a_long_chain_is_refused_or_loaded_in_seconds(path):
    def nodes(count, last):
        first = {"name": "input_1", "class": "InputLayer", "config": {"shape": [8, 8, 1]}, "inputs": []}
        chain = [
            {"name": f"re_lu_{place}" if place else "re_lu", "class": "ReLU", "config": {}, "inputs": [place]}
            for place in range(count)
        ]
        return [first, *chain, *last]

    broken = {"name": "c", "class": "Conv2D", "config": {"filters": 1, "kernel_size": 99}, "inputs": [600]}
    for kind in ("Model", "Sequential"):
        for count, last in ((600, [broken]), (3000, [])):
            config = {"class": kind, "name": "x", "seed": 0, "nodes": nodes(count, last), "inputs": [0]}
            config |= {"outputs": [count], "classes": None, "preprocessing": None}
            archive.write(path, config, {})
            began = time.process_time()
            with pytest.raises(ModelFileError):
                load_model(path)
            assert time.process_time() - began < 5


NONSENSE = [
    10**18, -1, 0, 2**63, 1e300, -1e300, "a", "", "a/b", "../x", None, [], {}, True, False, [1] * 5, [[[[1]]]], [None],
    "Conv2D", "os.system", 1.5, ["x"], [0], [99], "relu", {"class": "Dense"}, 10**30, -(10**18), "\u0000", [10**18] * 2,
    json.loads("[" * 60 + "]" * 60),
]  # fmt: skip


def places(value, place=()):
    if place:
        yield place
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*place, key))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_nonsense_in_a_configuration_is_refused_or_harmless(path, saved, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    config, tensors = saved
    known, draw = list(places(config)), random.Random(0)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {"refused": 0, "loaded": 0}
    while sum(counts.values()) < 1500:
        try:
            archive.write(path, put(config, draw.choice(known), draw.choice([*NONSENSE, KeyError])), tensors)
        except ArgumentError:  # JSON cannot hold it
            continue
        began = time.process_time()
        try:
            loaded = load_model(path)
        except ModelFileError:
            counts["refused"] += 1
        else:
            counts["loaded"] += 1
            # What was loaded has the very weights that were saved.
            assert [array.tobytes() for array in loaded.get_weights()] == [
                tensors[f"{layer}/{name}"].tobytes() for _, layer, name, _ in loaded._weight_places()
            ]
        assert time.process_time() - began < 5
    assert counts["refused"] > 1000
    assert counts["loaded"] > 50  # names, seeds and the like may be anything
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 300 * 1024


def test_nothing_in_a_file_is_imported_or_run(path, saved, monkeypatch):
    config, tensors = saved
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("ran a command"))
    for value in ("os.system", "builtins.eval", "convista.models.archive.read"):
        archive.write(path, put(config, ("nodes", 1, "config", "activation"), value), tensors)
        with pytest.raises(ModelFileError):
            load_model(path)


def test_the_public_name_is_this_one():
    assert convista.load_model is load_model


def test_plain_sgd_goes_on_with_its_rate_and_its_step(path):
    """It remembers nothing about single weights, so that the file has no tensor of it; rate and step are there."""
    model = chain()
    model.compile(optimizers.SGD(schedules.CosineDecay(0.5, 8)), "sparse_categorical_crossentropy")
    model.fit(X, Y, batch_size=len(X), epochs=4, verbose=0)
    model.save(path)
    again = load_model(path)
    assert int(again.train_state.step) == int(model.train_state.step) == 4
    assert again.learning_rate == model.learning_rate
    for one in (model, again):
        one.fit(X, Y, batch_size=len(X), epochs=2, shuffle=False, verbose=0)
    assert bits(again) == bits(model)
    set_by_hand = chain()
    set_by_hand.compile(optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    set_by_hand.learning_rate = 0.125
    set_by_hand.save(path)
    assert load_model(path).learning_rate == 0.125


def test_a_memory_that_is_not_there_is_missed(path):
    model = chain()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    model.save(path)
    config, tensors = archive.read(path)
    archive.write(path, config, {name: array for name, array in tensors.items() if "optimizer/" not in name})
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert str(caught.value) == f"{path}: the optimizer's memory is that of Adam. Received other tensors."
