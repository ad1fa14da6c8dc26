"""Functional models: branches, merges, shared layers, several inputs and outputs, pictures by path."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from convista import Input, Model, Preprocessing, Sequential, layers
from convista.errors import ArgumentError, DataError, MemoryLimitError, ShapeError
from convista.layers import Add, Concatenate, Conv2D, Dense, Flatten, GlobalAveragePooling2D, Rescaling

RNG = np.random.default_rng(0)
A = RNG.random((5, 3), np.float32)
B = RNG.random((5, 4), np.float32)


def two():
    """Two inputs, one merge, two outputs."""
    first, second = Input((3,), name="first"), Input((4,), name="second")
    joined = Concatenate()([Dense(2)(first), second])
    return Model([first, second], [Dense(2, name="both")(joined), Dense(1, name="one")(first)])


def by_hand(model, x, layer):
    return x @ np.asarray(model.params[layer]["kernel"]) + np.asarray(model.params[layer]["bias"])


def test_branches_and_merges():
    x = Input((3,))
    left, right = Dense(2, name="left")(x), Dense(2, name="right")(x)
    model = Model(x, Add()([left, right]))
    np.testing.assert_allclose(
        model.predict(A), by_hand(model, A, "left") + by_hand(model, A, "right"), rtol=1e-5, atol=1e-6
    )
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Dense", "Add"]


def test_several_inputs_and_outputs():
    model = two()
    assert model.input_shape == [(None, 3), (None, 4)]
    assert model.output_shape == [(None, 2), (None, 1)]
    both, one = model.predict([A, B])
    joined = np.concatenate([by_hand(model, A, "dense"), B], axis=1)
    np.testing.assert_allclose(both, by_hand(model, joined, "both"), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one, by_hand(model, A, "one"), rtol=1e-5, atol=1e-6)
    for same in ((A, B), {"second": B, "first": A}, [A.tolist(), B.tolist()]):
        np.testing.assert_array_equal(model.predict(same)[0], both)
    in_parts = model.predict(iter([((A[:2], B[:2]), 0), ((A[2:], B[2:]), 0)]))
    np.testing.assert_allclose(in_parts[0], both, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(in_parts[1], one, rtol=1e-5, atol=1e-6)
    assert [part.shape for part in model.predict([A[:0], B[:0]])] == [(0, 2), (0, 1)]


def test_several_inputs_train():
    first, second = Input((3,)), Input((4,))
    model = Model([first, second], Dense(1)(Concatenate()([first, second])))
    model.compile("sgd", "mse")
    loss = model.fit([A, B], A[:, :1], epochs=80, verbose=0).history["loss"]
    assert loss[-1] < loss[0] / 2
    stream = [((A, B), A[:, :1])]
    assert model.fit(iter(stream), verbose=0).history["loss"][0] == pytest.approx(
        model.fit({"input_1": A, "input_2": B}, A[:, :1], verbose=0).history["loss"][0], rel=0.2
    )


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (
            [A],
            ShapeError,
            "x: the model takes 2 inputs. Received 1. Give them as a list in the order of the model's inputs.",
        ),
        (
            [B, A],
            ShapeError,
            "x[0]: the model takes batches of 3: an array of shape (N, 3). Received shape (5, 4). "
            "Resize the data, or build the model with input_shape=(4,).",
        ),
        (
            {"first": A, "secund": B},
            ArgumentError,
            "x: a dictionary has one array for each input: 'first', 'second'. "
            "Received the names 'first', 'secund'. Did you mean 'second'?",
        ),
        (
            [A, B[:4]],
            DataError,
            "x and y have one row an example. Received x with 5 rows, x[1] of shape (4, 4). "
            "Check that pictures and labels come from the same split.",
        ),
    ],
)
def test_inputs_that_do_not_fit(x, kind, message):
    with pytest.raises(kind) as caught:
        two().predict(x)
    assert str(caught.value) == message


def test_a_model_of_several_outputs_is_not_trained():
    model = two()
    with pytest.raises(ArgumentError) as caught:
        model.compile("sgd", "mse")
    assert str(caught.value) == (
        "Model 'model': a model that is trained has one output. Received 2 outputs. "
        "Train on one of them, or write the loss with model.apply."
    )


def test_a_list_of_one_input():
    x = Input((3,))
    model = Model([x], [Dense(2)(x)])
    np.testing.assert_array_equal(model.predict([A]), model.predict(A))
    np.testing.assert_allclose(model(A), model.predict(A), rtol=1e-6)


def test_a_layer_called_twice_has_one_set_of_weights():
    first, second = Input((3,)), Input((3,))
    shared = Dense(2, use_bias=False)
    model = Model([first, second], Add()([shared(first), shared(second)]))
    assert model.count_params() == 6
    assert list(model.params) == ["dense"]
    kernel = np.asarray(model.params["dense"]["kernel"])
    np.testing.assert_allclose(model.predict([A, A * 3]), 4 * A @ kernel, rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    model.fit([A, A], np.zeros((5, 2)), verbose=0)
    gradient = A.T @ (2 * A @ kernel) * 2 / 10 * 2
    np.testing.assert_allclose(model.params["dense"]["kernel"], kernel - 0.01 * gradient, rtol=1e-4, atol=1e-6)


def test_two_equal_layers_are_two_layers():
    x = Input((3,))
    model = Model(x, Add()([Dense(2)(x), Dense(2)(x)]))
    assert model.count_params() == 16
    assert list(model.params) == ["dense", "dense_1"]
    assert not np.array_equal(model.params["dense"]["kernel"], model.params["dense_1"]["kernel"])


def test_a_shared_layer_fits_pictures_of_any_size_but_one_number_of_channels():
    small, large = Input((4, 4, 1)), Input((8, 8, 1))
    shared = Conv2D(2, 3, padding="same")
    pool = GlobalAveragePooling2D()
    model = Model([small, large], Add()([pool(shared(small)), pool(shared(large))]))
    assert model.count_params() == 20
    first, second = Input((3,)), Input((4,))
    dense = Dense(2)
    with pytest.raises(ShapeError) as caught:
        Model([first, second], Add()([dense(first), dense(second)]))
    assert str(caught.value) == (
        "Dense 'dense': a layer that is used twice has one set of weights, which fits inputs of one shape. "
        "Received inputs of shape (3,) and (4,). Make a second layer."
    )


def test_names():
    x, other = Input((6, 6, 1)), Input((6, 6, 1))
    first = Conv2D(2, 3)(x)
    second = Conv2D(2, 3)(other)
    model = Model([x, other], Concatenate()([first, second]))
    assert [node.name for node in model.graph.nodes] == ["input_1", "input_2", "conv2d", "conv2d_1", "concatenate"]
    # A second model counts from the beginning, as a fresh session in the lectures does.
    assert [node.name for node in Model(x, first).graph.nodes] == ["input_1", "conv2d"]
    assert model.get_layer("conv2d_1") is model.layers[1]


def test_duplicate_names():
    x = Input((3,))
    with pytest.raises(ArgumentError) as caught:
        Model(x, Dense(2, name="a")(Dense(2, name="a")(x)))
    assert str(caught.value) == "each layer of a model has a name of its own. Received name='a' twice. Rename one."


def test_inputs_and_outputs_have_to_belong_together():
    x, other = Input((3,)), Input((3,), name="other")
    with pytest.raises(ArgumentError) as caught:
        Model(x, Add()([x, other]))
    assert str(caught.value) == (
        "Model: every input that the outputs depend on is named in inputs. "
        "Received outputs that depend on Input 'other'. Add 'other' to inputs."
    )
    with pytest.raises(ArgumentError) as caught:
        Model([x, Dense(2)(x)], x)
    assert str(caught.value) == "Model: inputs are what Input returns. Received the output of a layer."
    with pytest.raises(ArgumentError) as caught:
        Model([x, x], Dense(2)(x))
    assert str(caught.value) == "Model: each input is named once. Received Input 'input_1' twice in inputs."
    with pytest.raises(ArgumentError) as caught:
        Model(x, np.ones(3))
    assert str(caught.value) == (
        "Model: inputs and outputs are what Input and layers return. Received ndarray. "
        "Begin with x = Input((28, 28, 1)) and call layers on it."
    )


def test_calling_a_model():
    model = Sequential([Dense(2, input_shape=(3,))])
    np.testing.assert_allclose(model([[1.0, 2.0, 3.0]]), model.predict(np.array([[1.0, 2.0, 3.0]])), rtol=1e-6)
    with pytest.raises(ShapeError, match=r"^x: the model takes batches of 3"):
        model(B)
    with pytest.raises(ArgumentError) as caught:
        model(Input((3,)))
    assert str(caught.value) == (
        "Sequential 'sequential': a model is called on arrays. Received a symbolic tensor. "
        "Call its layers one by one: for layer in model.layers: x = layer(x)."
    )


class Counted(layers.Layer):
    """Adds 1, and counts how often Python is asked what to compute."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def output_shape(self, input_shape):
        return input_shape

    def apply(self, params, state, x, *, training=False, key=None):
        self.asked += 1
        return x + 1, {}


def test_calling_a_model_runs_the_program_of_predict():
    counted = Counted()
    model = Sequential([counted, Dense(2, input_shape=(3,))])
    model.build((None, 3))
    answer = model(A)
    assert counted.asked == 1
    np.testing.assert_array_equal(model.predict(A[:4]), model(A[:4]))
    assert counted.asked == 2  # another number of rows
    for _ in range(3):
        model(A)
        model.predict(A[1:])
    assert counted.asked == 2
    model.set_weights([array * 2 for array in model.get_weights()])
    np.testing.assert_allclose(model(A), 2 * answer, rtol=1e-6)
    assert [y.shape for y in two()([A, B])] == [(5, 2), (5, 1)]


@pytest.mark.parametrize("training", [False, True])
def test_a_model_is_called_inside_programs_of_the_user(training):
    model = Sequential([Dense(2, input_shape=(3,)), Dense(1)])
    answer = np.asarray(model(A, training))
    kernels = [np.asarray(model.params[name]["kernel"]) for name in ("dense", "dense_1")]
    gradient = jax.grad(lambda x: model(x, training).sum())(jnp.asarray(A[:1]))
    np.testing.assert_allclose(gradient[0], (kernels[0] @ kernels[1])[:, 0], rtol=1e-5)
    np.testing.assert_allclose(jax.jit(lambda x: model(x, training))(A), answer, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda: model(A, training))(), answer, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(lambda x: model(x[None], training)[0])(A), answer, rtol=1e-6)

    def loss(params):
        kept, model.params = model.params, params
        y = model(A, training).sum()
        model.params = kept
        return y

    np.testing.assert_allclose(jax.grad(loss)(model.params)["dense_1"]["bias"], [len(A)], rtol=1e-6)


def test_what_a_program_holds_can_change():
    model = Sequential([Dense(2, input_shape=(3,))])
    whole = np.arange(6, dtype=np.int32).reshape(2, 3)
    answer, noisy, told = model(whole), model(whole, training=True), model.predict(whole)
    model.preprocessing = Preprocessing(scale=0.5)
    np.testing.assert_allclose(model(whole), answer / 2, rtol=1e-6)
    np.testing.assert_allclose(model(whole, training=True), noisy / 2, rtol=1e-6)
    np.testing.assert_allclose(model.predict(whole), told / 2, rtol=1e-6)
    model.policy = "mixed_bfloat16"
    assert np.abs(model(whole) - answer / 2).max() <= 0.05
    model.add(Dense(1))
    assert model(whole).shape == model.predict(whole).shape == (2, 1)


def test_dropout_of_a_called_model_is_that_of_the_next_step():
    model = Sequential([layers.Dropout(0.5, input_shape=(64,)), Dense(1)])
    x = np.ones((2, 64), np.float32)
    np.testing.assert_array_equal(model(x, training=True), model(x, training=True))
    state = model.train_state
    key = jax.random.fold_in(state.key, state.step)
    expected, _ = model.apply(model.params, model.state, x, training=True, key=key)
    np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-5)
    assert not np.allclose(model(x, training=True), model(x))


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("rows", [1, 3, 4, 5])
def test_what_predict_returns_belongs_to_the_user(rows, outputs):
    x = Input((3,))
    model = Model(x, [Dense(2)(x), Dense(1)(x)][:outputs])
    expected = model(A[:rows])
    for _ in range(2):
        answer = model.predict(A[:rows], batch_size=4)
        for array, wanted in zip(answer, expected, strict=True) if outputs > 1 else [(answer, expected)]:
            np.testing.assert_allclose(array, wanted, rtol=1e-6)
            array[:] = 9


def test_predict_looks_at_the_numbers_of_every_array_and_at_all_of_one_unlike_the_last():
    model = picture_model()
    x = np.full((2, 6, 6, 1), 0.5, np.float32)
    first = model.predict(x)
    np.testing.assert_array_equal(model.predict(x), first)
    bad = x.copy()
    bad[1, 2, 3, 0] = np.nan
    with pytest.raises(DataError, match=r"^x: inputs are finite numbers\. Received nan at x\[1, 2, 3, 0\]\."):
        model.predict(bad)
    with pytest.raises(DataError, match=r"^x: pictures given as floats 0…255 need a scale"):
        model.predict(x * 400)
    with pytest.raises(DataError, match=r"^x: pictures given as whole numbers 0…255 need a scale"):
        model.predict((x * 400).astype(np.uint8))
    with pytest.raises(ShapeError, match=r"Received shape \(2, 6, 6\)\. Add the channel axis: x\[\.\.\., None\]\.$"):
        model.predict(x[..., 0])
    with pytest.raises(ArgumentError) as caught:
        model.predict(x, workers=1)
    assert str(caught.value) == "predict: predict has no argument 'workers'. Received workers=1."
    model.predict(x, batch_size=1)
    with pytest.raises(ArgumentError) as caught:
        model.predict(x, batch_size=True)
    assert str(caught.value).startswith("predict: batch_size is a whole number")
    np.testing.assert_allclose(model.predict(x.astype(np.float64)), first, rtol=1e-6)
    np.testing.assert_allclose(model.predict(list(x)), first, rtol=1e-6)
    assert model.predict(x[:0]).shape == (0, 2)


def test_a_layer_in_front_that_knows_its_range_is_asked_each_time():
    model = Sequential([Input((6, 6, 1)), layers.RandomBrightness(0.2, value_range=(0, 1)), Flatten(), Dense(2)])
    x = np.full((2, 6, 6, 1), 0.5, np.float32)
    model.predict(x)
    with pytest.raises(ArgumentError, match=r"expects values 0…1\. Received values 50…50\."):
        model.predict(x * 100)


def test_weights_out_and_in():
    model = two()
    weights = model.get_weights()
    other = two()
    other.set_weights([array * 2 for array in weights])
    np.testing.assert_array_equal(other.get_weights()[0], weights[0] * 2)
    like = "Give the arrays in the order and shapes of get_weights()."
    with pytest.raises(ShapeError) as caught:
        other.set_weights(weights[:-1])
    assert str(caught.value) == f"set_weights: 'model' has 6 arrays of weights. Received 5. {like}"
    with pytest.raises(ShapeError) as caught:
        other.set_weights([weights[1], *weights[1:]])
    assert str(caught.value) == f"set_weights: kernel of 'dense' has shape (3, 2). Received (2,). {like}"
    weights[0][:] = 9
    assert two().get_weights()[0].max() < 9


def test_predict_on_streams():
    model = Sequential([Dense(2, input_shape=(3,))])
    whole = model.predict(A)
    for stream in (
        iter([A[:2], A[2:]]),
        iter([(A[:2], None), (A[2:], None)]),
        iter([[A[:2], [0, 0]], [A[2:], [0, 0, 0]]]),
    ):
        np.testing.assert_allclose(model.predict(stream), whole, rtol=1e-5, atol=1e-6)
    left = iter([A[:1], A[1:2], A[2:3]])
    assert model.predict(left, steps=2).shape == (2, 2)
    assert next(left) is not None
    with pytest.raises(DataError) as caught:
        model.predict(iter([]))
    assert str(caught.value) == "predict: the iterable yields at least one batch. Received none."


def test_memory_is_checked_before_it_is_taken():
    wide = Sequential([Dense(10**12, input_shape=(3,))])
    with pytest.raises(MemoryLimitError, match=r"^Sequential 'sequential': the weights fit the memory of this machine"):
        wide.get_weights()
    padded = Sequential([layers.ZeroPadding2D(10**9, input_shape=(2, 2, 1))])
    with pytest.raises(MemoryLimitError, match=r"the output of 'zero_padding2d' fits the memory of this machine"):
        padded.predict(np.ones((1, 2, 2, 1)))


# --- pictures ------------------------------------------------------------------------------------------------------


def picture_model(channels=1, **named):
    return Sequential([Flatten(input_shape=(6, 6, channels)), Dense(2)], **named)


@pytest.fixture
def pictures(tmp_path):
    pixels = RNG.integers(0, 256, (6, 6), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    Image.fromarray(pixels).resize((13, 9)).save(tmp_path / "odd.png")
    colour = RNG.integers(0, 256, (6, 6, 4), np.uint8)
    Image.fromarray(colour).save(tmp_path / "rgba.png")
    return tmp_path, pixels, colour


def test_pictures_by_path_are_the_arrays_prepared_by_hand(pictures):
    folder, pixels, colour = pictures
    model = picture_model()
    model.preprocessing = Preprocessing(scale=1 / 255)
    prepared = pixels[None, ..., None].astype(np.float32) / 255
    np.testing.assert_allclose(model.predict(folder / "grey.png"), model.predict(prepared), rtol=1e-5)
    np.testing.assert_allclose(model.predict(str(folder / "grey.png")), model.predict(prepared), rtol=1e-5)
    with Image.open(folder / "odd.png") as image:
        odd = np.asarray(image.resize((6, 6), Image.Resampling.BILINEAR))[None, ..., None] / np.float32(255)
    both = model.predict([folder / "grey.png", folder / "odd.png"])
    np.testing.assert_allclose(both, np.concatenate([model.predict(prepared), model.predict(odd)]), rtol=1e-5)
    rgb = picture_model(3)
    rgb.preprocessing = Preprocessing(scale=1 / 255)
    alpha = colour[..., 3:].astype(float) / 255
    on_white = (colour[..., :3] * alpha + 255 * (1 - alpha)) / 255
    np.testing.assert_allclose(
        rgb.predict(folder / "rgba.png"), rgb.predict(on_white[None].astype(np.float32)), atol=0.02
    )
    assert np.abs(rgb.predict(folder / "rgba.png") - rgb.predict(colour[None, ..., :3] / np.float32(255))).max() > 0.05


def test_a_model_with_rescaling_takes_pictures_as_they_are(pictures):
    folder, pixels, _ = pictures
    model = Sequential([Rescaling(1 / 255, input_shape=(6, 6, 1)), Flatten(), Dense(2)])
    np.testing.assert_allclose(model.predict(folder / "grey.png"), model.predict(pixels[None, ..., None]), rtol=1e-6)


def test_a_model_that_learned_from_values_0_to_1_scales_pictures(pictures):
    folder, pixels, _ = pictures
    model = picture_model()
    model.compile("sgd", "mse")
    raw = np.zeros((1, 6, 6, 1), np.uint8)
    model.predict(raw)  # compiled before the scale is known
    model.fit(np.tile(pixels[None, ..., None] / np.float32(255), (4, 1, 1, 1)), np.zeros((4, 2)), verbose=0)
    assert model.preprocessing == Preprocessing(scale=1 / 255)
    expected = model.predict(pixels[None, ..., None] / np.float32(255))
    np.testing.assert_allclose(model.predict(folder / "grey.png"), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(pixels[None, ..., None]), expected, rtol=1e-5)


def test_pictures_for_a_model_that_knows_no_scale(pictures):
    with pytest.raises(DataError) as caught:
        picture_model().predict(pictures[0] / "grey.png")
    assert str(caught.value) == (
        "Sequential 'sequential': a model that reads picture files knows how their values 0…255 are scaled. "
        "Received a model that was not trained on values 0…1, without Rescaling and without preprocessing. "
        "Set model.preprocessing = convista.Preprocessing(scale=1 / 255) if that is how it was trained."
    )


def test_pictures_for_a_model_that_takes_none():
    with pytest.raises(ShapeError) as caught:
        Sequential([Dense(2, input_shape=(3,))]).predict("a.png")
    assert str(caught.value) == (
        "Sequential 'sequential': a model that reads picture files takes pictures of one known size. "
        "Received input_shape=(None, 3). Read the pictures yourself and pass arrays."
    )


class ByNumber:
    """Batches that are asked for by number, as Keras's Sequence."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]


@pytest.mark.parametrize("make", [iter, ByNumber])
def test_a_stream_has_its_own_batch_size(make):
    model = Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    batches = make([(np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32))])
    with pytest.raises(ArgumentError) as caught:
        model.fit(batches, batch_size=8)
    assert str(caught.value) == (
        "fit: an iterable brings batches of its own size. Received batch_size=8 beside an iterable. Leave batch_size "
        "out, and give it to what makes the batches, such as image_folder or flow."
    )
    model.fit(batches, verbose=0)
