"""What a neuron wants: a planted kernel is found again, logits rise far above noise, nothing depends on chance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from convista import Input, Model, Preprocessing, Sequential, data
from convista.errors import ArgumentError, ShapeError
from convista.insight import gallery, maximize
from convista.insight.features import maximization
from convista.insight.features.maximization import _before_activation
from convista.layers import (
    Activation,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)

ROWS, COLUMNS = np.mgrid[-3:4, -3:4]
GABOR = (np.exp(-(ROWS**2 + COLUMNS**2) / 8) * np.cos(1.4 * COLUMNS + 0.7 * ROWS)).astype(np.float32)


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1])


def planted(activation: str | None = None) -> Sequential:
    model = Sequential([Input((15, 15, 1)), Conv2D(2, 7, activation=activation, name="gabor")], seed=0)
    kernel = np.zeros((7, 7, 1, 2), np.float32)
    kernel[..., 0, 0] = GABOR
    kernel[..., 0, 1] = GABOR[:, ::-1]
    model.set_weights([kernel, np.full(2, -0.5, np.float32)])
    return model


@pytest.mark.parametrize("activation", [None, "relu"])
def test_a_planted_kernel_is_found_again_where_its_neuron_looks(activation: str | None) -> None:
    found = maximize(planted(activation), "gabor", 0, cell="middle", value_range=(-1, 1), jitter=0, l2=8.0,
                     total_variation=0.0, blur=0.0)  # fmt: skip
    patch = found.picture[4:11, 4:11, 0]
    assert correlation(patch, GABOR) > 0.99
    assert correlation(patch, GABOR[:, ::-1]) < 0.5  # another kernel would be told apart
    outside = np.ones((15, 15), bool)
    outside[4:11, 4:11] = False
    assert np.abs(found.picture[outside]).max() < 0.1


def test_with_the_usual_settings_too() -> None:
    found = planted().maximize("gabor", 1, cell=(4, 4), value_range=(-1, 1))
    assert correlation(found.picture[4:11, 4:11, 0], GABOR[:, ::-1]) > 0.85
    assert found.target == "gabor, channel 1, cell 4, 4"


def test_without_regularisers_the_height_is_that_of_the_signs_of_the_kernel() -> None:
    free = {"jitter": 0, "blur": 0.0, "total_variation": 0.0, "l2": 0.0}
    found = maximize(planted(), "gabor", 0, cell="middle", value_range=(-1, 1), **free)
    highest = float(np.abs(GABOR).sum() - 0.5)
    assert found.activation == pytest.approx(highest, rel=1e-3)
    assert found.activation > found.noise.max() + 3
    assert found.activation < highest * 1.001


@pytest.fixture(scope="module")
def digits_model() -> Model:
    digits = data.load("digits")
    model = Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(16, 3, padding="same", activation="relu", name="strokes"),
            MaxPooling2D(2),
            Flatten(),
            Dense(10, activation="softmax", name="answer"),
        ],
        seed=1,
    )
    model.preprocessing = Preprocessing(scale=1 / 255)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(digits.train.x, digits.train.y, epochs=4, verbose=0)
    model.classes = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return model


def test_a_class_rises_far_above_noise_and_its_picture_is_named_so(digits_model: Model) -> None:
    found = digits_model.maximize(class_="three")
    assert found.target == "class three"
    assert found.activation > found.noise.max() + 3 * found.noise.std()
    assert digits_model.predict(found.picture[None]).argmax() == 3
    assert (found.picture.min(), found.picture.max()) >= (0.0, 0.0)
    assert found.picture.max() <= 1.0
    assert found.curve.shape == (257,)
    # What is climbed is the logit: of another height than any probability, and checked against the weights themselves.
    kernel, bias = (np.asarray(digits_model.params["answer"][name]) for name in ("kernel", "bias"))
    pooled = digits_model.feature_maps(found.picture, "max_pooling2d")["max_pooling2d"].values.reshape(-1)
    assert found.activation == pytest.approx(float((pooled @ kernel + bias)[3]), rel=1e-4)
    assert found.activation != pytest.approx(float((pooled @ kernel + bias)[5]), rel=1e-2)


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not(digits_model: Model) -> None:
    one, two = (digits_model.maximize("strokes", 3, steps=5, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    np.testing.assert_array_equal(one.curve, two.curve)
    assert not np.array_equal(one.picture, digits_model.maximize("strokes", 3, steps=5, seed=6).picture)


def test_nothing_is_compiled_again_for_another_channel_or_setting(digits_model: Model, monkeypatch) -> None:
    digits_model.maximize("strokes", 0, steps=20)
    made = []
    monkeypatch.setattr(maximization, "_total_variation", lambda picture: made.append(picture))
    digits_model.maximize("strokes", 7, steps=20, blur=0.7, l2=0.0, total_variation=1.0, jitter=3, cell="middle")
    assert made == []  # tracing would have called it


def test_from_a_picture(digits_model: Model) -> None:
    digit = data.load("digits").test.x[0]
    found = digits_model.maximize(class_=8, start=digit, steps=5, rate=0.01)
    np.testing.assert_allclose(found.start, digit / 255, atol=1e-6)
    assert 0 < np.abs(found.picture - found.start).mean() < 0.1


def test_regularisers_do_what_they_say(digits_model: Model) -> None:
    free = {"jitter": 0, "blur": 0.0, "total_variation": 0.0, "l2": 0.0}

    def roughness(**changes) -> float:
        picture = digits_model.maximize(class_=2, **{**free, **changes}).picture
        return float(np.abs(np.diff(picture, axis=0)).mean() + np.abs(np.diff(picture, axis=1)).mean())

    rough = roughness()
    assert roughness(total_variation=1.0) < 0.8 * rough
    assert roughness(blur=1.0) < 0.9 * rough
    far = digits_model.maximize(class_=2, **free).picture
    near = digits_model.maximize(class_=2, **{**free, "l2": 2.0}).picture
    assert np.abs(near - 0.5).mean() < 0.7 * np.abs(far - 0.5).mean()


@pytest.mark.parametrize(
    ("last", "taken"),
    [
        ([Dense(3, activation="softmax")], "linear"),
        ([Dense(3), Softmax()], "linear"),
        ([Dense(3), Activation("sigmoid")], "linear"),
        ([Dense(3, activation="relu"), ReLU()], "linear"),
        ([Dense(3)], "linear"),
        ([Dense(3, activation="softmax"), Dropout(0.5), Reshape((3,)), Flatten()], None),
        ([Dense(3), Softmax(), Reshape((3,))], None),
    ],
)
def test_the_value_before_the_activation(last, taken) -> None:
    model = Sequential([Input((4,)), *last], seed=0)
    if taken is not None:
        graph, place = _before_activation(model.graph, len(model.graph.nodes) - 1)
        assert graph.nodes[place].layer.activation_name == taken
        assert type(graph.nodes[place].layer) is Dense
    found = model.maximize(class_=1, value_range=(-1, 1), l2=0.0)
    weights = np.asarray(model.params["dense"]["kernel"])[:, 1]
    np.testing.assert_allclose(found.picture, np.sign(weights), atol=1e-6)  # what a linear unit wants
    assert found.activation == pytest.approx(np.abs(weights).sum(), rel=1e-5)  # not its probability


def test_one_output_unit_has_two_classes() -> None:
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")], seed=0)
    yes, no = (model.maximize(class_=number, value_range=(-1, 1), l2=0.0).picture for number in (1, 0))
    np.testing.assert_allclose(yes, -no, atol=1e-6)
    np.testing.assert_allclose(yes, np.sign(np.asarray(model.params["dense"]["kernel"])[:, 0]), atol=1e-6)


@pytest.mark.slow
def test_sequences_volumes_and_mixed_precision(tmp_path) -> None:
    series = Sequential([Input((20, 2)), Conv1D(2, 5, activation="relu", name="c"), Flatten(), Dense(2)], seed=0)
    volume = Sequential([Input((5, 6, 7, 1)), Conv3D(2, 3, name="c"), Flatten(), Dense(2)], seed=0)
    half = planted()
    half.policy = "mixed_bfloat16"
    for number, (model, layer) in enumerate(((series, "c"), (volume, "c"), (half, "gabor"))):
        found = model.maximize(layer, 1, cell="middle", value_range=(-1, 1), steps=60, total_variation=0.0)
        assert found.picture.shape == model.input_shape[1:]
        assert found.activation > found.noise.max()
        assert found.save(tmp_path / f"{number}.png").exists()


@pytest.mark.slow
def test_networks_that_rescale_and_networks_for_all_sizes() -> None:
    model = Sequential([Input((6, 6, 3)), Rescaling(1 / 255), Conv2D(2, 3, name="c"), Flatten(), Dense(2)], seed=0)
    found = model.maximize("c", 0)
    assert found.value_range == (0.0, 255.0)
    assert found.picture.max() > 200
    free = Sequential([Input((None, None, 1)), Conv2D(2, 3, name="c"), GlobalAveragePooling2D(), Dense(2)], seed=0)
    with pytest.raises(ShapeError) as error:
        free.maximize("c", 0, value_range=(0, 1))
    assert str(error.value) == (
        "maximize: the size of the picture is known. Received input_shape=(None, None, None, 1). "
        "Give a picture to begin with: start=np.full((64, 64, 3), 0.5)."
    )
    assert free.maximize("c", 0, value_range=(0, 1), start=np.full((9, 8, 1), 0.5)).picture.shape == (9, 8, 1)


@pytest.mark.parametrize(("side", "jitter"), [(8, 0), (28, 1), (64, 4), (300, 8)])
def test_the_jitter_is_a_share_of_the_picture(side: int, jitter: int) -> None:
    model = Sequential([Input((side, side, 1)), Conv2D(1, 3, strides=2, name="c"), GlobalAveragePooling2D()], seed=0)
    assert model.maximize("c", 0, value_range=(0, 1), steps=2).settings.jitter == jitter
    assert model.maximize("c", 0, cell="middle", value_range=(0, 1), steps=2).settings.jitter == 0


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_text_data_figures_and_notebook(digits_model: Model, tmp_path) -> None:
    found = digits_model.maximize(class_=2, steps=30)
    assert str(found).startswith("class two: ")
    assert "pictures of noise give" in str(found)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["settings"]["steps"] == 30
    assert np.asarray(document["picture"]).shape == (8, 8, 1)
    said = texts(found.figure())
    assert "What class two wants" in said
    assert "Values from 0 to 1; 30 steps, jitter 0, blur 0.3, total variation 0.5, l2 0.5, seed 0." in said
    assert found._repr_html_().startswith('<img alt="class two" src="data:image/png;base64,')
    assert gallery([found, digits_model.maximize("strokes", 0, steps=30)], tmp_path / "g.png").exists()
    with pytest.raises(ArgumentError, match="at least one picture"):
        gallery([], tmp_path / "none.png")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "maximize: a channel of a layer is excited, or a class. Received neither. "
             'For example model.maximize(layer="conv2d", channel=0) or model.maximize(class_=3).'),
        ({"layer": "stroke", "channel": 0}, "maximize: a layer is named as in model.summary(). Received "
         "layer='stroke'. Did you mean 'strokes'? "
            "Known: strokes, max_pooling2d, flatten, answer."),
        ({"layer": "strokes"}, "maximize: 'strokes' has the channels 0 to 15. Received channel=None. "
         "For example channel=0."),
        ({"layer": "strokes", "channel": 16}, "maximize: 'strokes' has the channels 0 to 15. Received channel=16. "
         "For example channel=0."),
        ({"layer": "strokes", "channel": 0, "cell": (8, 0)}, "maximize: a cell lies within the map of 8×8. "
         'Received cell=(8, 0). Leave cell out, or use cell="middle".'),
        ({"class_": "tree"}, "maximize: class_ is the name or the number of a class. Received class_='tree'. "
         "Did you mean 'three'?"),
        ({"class_": 10}, "maximize: class_ is the name or the number of a class, 0…9. Received class_=10."),
        ({"class_": 1, "jiter": 2}, "maximize: maximize has no argument 'jiter'. Received jiter=2. "
         "Did you mean 'jitter'?"),
        ({"class_": 1, "blur": 9}, "maximize: blur is a number of at least 0 and at most 1.5. Received blur=9."),
        ({"class_": 1, "l2": -1}, "maximize: l2 is a number of at least 0 and at most 10.0. Received l2=-1."),
        ({"class_": 1, "rate": 0}, "maximize: rate is a number above 0 and at most 1.0. Received rate=0."),
        ({"class_": 1, "value_range": (1, 0)}, "maximize: value_range is the least and the greatest value of an "
         "input. Received value_range=(1, 0). For example value_range=(0, 1)."),
        ({"class_": 1, "value_range": ("a", 1)}, "maximize: value_range is the least and the greatest value of an "
         "input. Received value_range=('a', 1). For example value_range=(0, 1)."),
    ],
)  # fmt: skip
def test_what_cannot_be(digits_model: Model, asked: dict, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        digits_model.maximize(**asked)
    assert str(error.value) == message


def test_a_range_that_nothing_says_is_asked_for() -> None:
    with pytest.raises(ArgumentError) as error:
        planted().maximize("gabor", 0)
    assert str(error.value) == (
        "maximize: a picture stays in the range of the inputs. Received a model without preprocessing and without "
        "Rescaling, which does not say that range. Give it: value_range=(0, 1), or the least and the greatest value "
        "of your data."
    )
