"""Sequential models: layers one after another, valid after every step."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Model, Sequential, layers
from convista.errors import ArgumentError, ShapeError
from convista.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D
from convista.training.optimizers import SGD
from convista.training.schedules import PiecewiseConstantDecay

RNG = np.random.default_rng(0)
X = RNG.random((6, 6, 6, 1), np.float32)


def small(**named):
    return Sequential(
        [
            Conv2D(2, 3, activation="relu", input_shape=(6, 6, 1)),
            MaxPool2D(),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        **named,
    )


def test_lecture_002_layer_by_layer():
    model = Sequential()
    found = []
    for layer in (
        Conv2D(8, (3, 3), padding="same", activation="relu", input_shape=(28, 56, 3)),
        Conv2D(5, (3, 2), strides=(2, 3), activation="relu"),
        MaxPool2D((3, 3)),
        Flatten(),
        Dense(3, activation="softmax"),
    ):
        model.add(layer)
        found.append((model.output_shape, model.count_params(), model.summary(print_to=None).total))
    assert found == [
        ((None, 28, 56, 8), 224, 224),
        ((None, 13, 19, 5), 469, 469),
        ((None, 4, 6, 5), 469, 469),
        ((None, 120), 469, 469),
        ((None, 3), 832, 832),
    ]


def test_names_are_numbered_by_class():
    model = Sequential([Conv2D(2, 3, input_shape=(9, 9, 1)), Conv2D(2, 3), Flatten(), Dense(3, name="last"), Dense(2)])
    assert list(model.params) == ["conv2d", "conv2d_1", "last", "dense"]
    assert model.get_layer("last") is model.layers[3]
    assert model.get_layer(index=-1) is model.layers[4]


def test_layers_know_their_names_in_the_model():
    model = Sequential([Conv2D(2, 3, input_shape=(9, 9, 1)), Conv2D(2, 3), Flatten(), Dense(3, name="last")])
    assert [layer.name for layer in model.layers] == ["conv2d", "conv2d_1", "flatten", "last"]
    assert model.get_layer(index=0).name == "conv2d"
    assert model.get_layer("conv2d_1") is model.layers[1] is model.get_layer(index=1)
    assert [layer.name for layer in Sequential([Flatten(), Dense(2)]).layers] == ["flatten", "dense"]
    # Two models' layers named alike make one model; their names are counted anew.
    both = Sequential([*model.layers[:2], *Sequential([Conv2D(2, 3)]).layers])
    assert [layer.name for layer in both.layers] == ["conv2d", "conv2d_1", "conv2d_2"]


def test_a_layer_taken_from_a_model_stays_one_layer():
    model = Sequential([Dense(3, input_shape=(3,))])
    x = Input((3,))
    shared = Model(x, model.layers[0](model.get_layer("dense")(x)))
    assert list(shared.params) == ["dense"]
    assert shared.layers[0].name == "dense"
    with pytest.raises(ArgumentError, match="a Sequential holds each layer once"):
        model.add(model.layers[0])


def test_get_layer_suggests():
    with pytest.raises(ArgumentError) as caught:
        small().get_layer("conv2d_1")
    assert str(caught.value) == "'sequential' has no such layer. Received 'conv2d_1'. Did you mean 'conv2d'?"


def test_three_ways_to_say_the_input_shape_are_one_model():
    rest = [Flatten(), Dense(3)]
    models = [
        Sequential([Input((6, 6, 1)), *rest]),
        Sequential([Flatten(input_shape=(6, 6, 1)), rest[1]]),
        Sequential(rest),
    ]
    models[2].build((None, 6, 6, 1))
    for model in models:
        assert model.input_shape == (None, 6, 6, 1)
        np.testing.assert_array_equal(model.predict(X), models[0].predict(X))


def test_the_first_data_gives_the_shape():
    model = Sequential([Flatten(), Dense(3, activation="softmax")])
    assert not model.built
    with pytest.raises(ShapeError) as caught:
        model.count_params()
    assert str(caught.value) == (
        "Sequential 'sequential': the shape of the input is known before the first number is. Received no input_shape. "
        "Give the first layer input_shape=(28, 28, 1), begin with Input((28, 28, 1)), or call fit first."
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, np.arange(6) % 3, verbose=0)
    assert model.input_shape == (None, 6, 6, 1)


@pytest.mark.parametrize("how", ["build", "data"])
def test_a_shape_that_does_not_fit_leaves_the_model_unbuilt(how):
    model = Sequential([Conv2D(2, 5), Flatten()])
    with pytest.raises(ShapeError):
        model.build((None, 4, 4, 1)) if how == "build" else model.predict(X[:, :4, :4])
    assert not model.built
    assert model.predict(X).shape == (6, 8)


def test_a_layer_that_does_not_fit_is_not_added():
    model = small()
    before = model.get_weights()
    with pytest.raises(ShapeError) as caught:
        model.add(Conv2D(2, 3))
    assert str(caught.value) == (
        "Conv2D 'conv2d_1': one input is (height, width, channels) (6→4→2→8→3). Received input_shape=(3,)."
    )
    assert len(model.layers) == 4
    assert model.output_shape == (None, 3)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_stay_when_layers_come_and_go():
    model = small()
    learned = [np.full_like(array, 0.25) for array in model.get_weights()]
    model.set_weights(learned)
    model.add(Dense(5))
    assert [float(array.mean()) for array in model.get_weights()[:4]] == [0.25] * 4
    model.pop()
    model.pop()
    model.add(Dense(4))
    assert [float(array.mean()) for array in model.get_weights()[:2]] == [0.25, 0.25]
    assert model.output_shape == (None, 4)
    assert model.get_weights()[2].mean() != 0.25


def test_pop_everything():
    model = Sequential([Flatten()])
    model.pop()
    with pytest.raises(ArgumentError) as caught:
        model.pop()
    assert str(caught.value) == "Sequential 'sequential': there is a layer to remove. Received no layers."
    with pytest.raises(ArgumentError) as caught:
        model.predict(X)
    assert str(caught.value) == "Sequential 'sequential': a model has layers. Received no layers."


_TWICE = Dense(2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            [Flatten],
            "Sequential 'sequential': a Sequential is made of layers. Received the class Flatten. "
            "Write Flatten() with parentheses, not Flatten.",
        ),
        (["relu"], "Sequential 'sequential': a Sequential is made of layers. Received str."),
        (5, "Sequential 'sequential': a Sequential is made of layers. Received int."),
        (
            [_TWICE, _TWICE],
            "Sequential 'sequential': a Sequential holds each layer once. Received the same Dense object twice. "
            "Make a second layer, or share weights with Model(inputs, outputs).",
        ),
        (
            [Dense(2, name="a"), Dense(2, name="a")],
            "each layer of a model has a name of its own. Received name='a' twice. Rename one.",
        ),
        ([Dense(2), Input((3,))], "Sequential 'sequential': Input comes first, once. Received another Input."),
        (
            [layers.Add()],
            "Add in Sequential 'sequential': a merge needs branches. Received one input. "
            "Build it with Model(inputs, outputs).",
        ),
    ],
)
def test_what_is_no_chain_of_layers(given, message):
    with pytest.raises(ArgumentError) as caught:
        Sequential(given)
    assert str(caught.value) == message


def test_one_layer_or_none_will_do():
    assert len(Sequential(Dense(2)).layers) == 1
    assert Sequential(None).layers == []
    assert Sequential(iter([Dense(2), Dense(3)]), name="mine").name == "mine"


def test_predict_of_no_one_and_odd_rows():
    model = small()
    whole = model.predict(X)
    assert whole.shape == (6, 3)
    for rows in (1, 3, 5):
        np.testing.assert_allclose(model.predict(X[:rows]), whole[:rows], rtol=1e-5)
    for size in (1, 4, 100):
        np.testing.assert_allclose(model.predict(X, batch_size=size), whole, rtol=1e-5)
    assert model.predict(X[:0]).shape == (0, 3)
    assert model.predict([]).shape == (0, 3)
    np.testing.assert_allclose(model.predict(X.tolist()), whole, rtol=1e-6)
    np.testing.assert_allclose(model(X), whole, rtol=1e-6)


def test_compiling_again_starts_the_schedule_anew():
    model = small()
    schedule = PiecewiseConstantDecay([3], [0.5, 0.25])
    for _ in range(2):
        model.compile(SGD(schedule), "sparse_categorical_crossentropy")
        assert model.learning_rate == 0.5
        model.fit(X, np.arange(6) % 3, batch_size=2, epochs=2, verbose=0)
        assert model.learning_rate == 0.25


def test_dropout_only_drops_in_training():
    model = Sequential([Dropout(0.5, input_shape=(4,))])
    ones = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(model(ones), ones)
    np.testing.assert_array_equal(model.predict(ones), ones)
