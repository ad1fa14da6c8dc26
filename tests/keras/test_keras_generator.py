"""`ImageDataGenerator`: the ranges of Keras 2, what it learns from data, and its flows in `fit`."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Sequential
from convista.errors import ArgumentError, ConvistaError
from convista.keras.preprocessing import flows
from convista.keras.preprocessing.image import ImageDataGenerator
from convista.layers import Cutout, Dense, Flatten, Input, RandomAffine
from convista.training.augmentation import MixUp

RANDOM = np.random.default_rng(0)
X = RANDOM.random((20, 8, 8, 1)).astype(np.float32)
Y = RANDOM.integers(0, 3, 20).astype(np.int32)
LECTURE = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "fill_mode": "nearest",
}


def model():
    found = Sequential([Input((8, 8, 1)), Flatten(), Dense(3, activation="softmax")], seed=1)
    found.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    return found


def test_the_ranges_of_the_lecture_are_one_affine_map():
    assert ImageDataGenerator(**LECTURE).affine == RandomAffine(20, 0.2, 0.2, 0.2, 0.2)
    assert ImageDataGenerator(**LECTURE).augments
    assert not ImageDataGenerator(rescale=1 / 255, featurewise_center=True).augments


def test_arguments_and_defaults_are_those_of_keras_two():
    import inspect

    image = pytest.importorskip("keras.src.legacy.preprocessing.image")
    theirs = inspect.signature(image.ImageDataGenerator.__init__).parameters
    ours = inspect.signature(ImageDataGenerator).parameters
    refused = set(ImageDataGenerator.absent_arguments)
    for name, parameter in theirs.items():
        if name not in {"self", *refused}:
            assert ours[name].default == parameter.default, name
    assert [name for name in ours if name in theirs] == [name for name in theirs if name not in {"self", *refused}]


def test_features_are_centred_scaled_and_whitened_as_in_keras():
    image = pytest.importorskip("keras.src.legacy.preprocessing.image")
    for options in (
        {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 0.5},
        {"samplewise_center": True, "samplewise_std_normalization": True},
        {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": 1e-2},
    ):
        ours, theirs = ImageDataGenerator(**options), image.ImageDataGenerator(**options)
        ours.fit(X)
        theirs.fit(X)
        expected = np.stack([theirs.standardize(picture.copy()) for picture in X])
        np.testing.assert_allclose(ours.standardize(X), expected, atol=2e-4)
        np.testing.assert_allclose(ours.standardize(X[0]), expected[0], atol=2e-4)
        assert np.abs(ours.standardize(X) - X).max() > 0.01


@pytest.mark.slow
def test_the_lectures_call_trains_inside_the_compiled_steps():
    generator = ImageDataGenerator(**LECTURE)
    generator.fit(X)
    flow = generator.flow(X, Y, batch_size=8)
    assert flow.in_memory().augmentation == (generator.affine,)
    found = model()
    history = found.fit_generator(flow, epochs=2, verbose=0, workers=4).history
    again = model()
    again.fit(X, Y, 8, 2, 0, augmentation=[generator.affine])
    np.testing.assert_allclose(history["loss"], again.history.history["loss"], rtol=1e-6)
    plain = model()
    plain.fit(X, Y, 8, 2, 0)
    assert history["loss"] != plain.history.history["loss"]


def test_what_must_come_after_the_changes_is_done_batch_by_batch():
    generator = ImageDataGenerator(rotation_range=20, featurewise_center=True)
    generator.fit(X)
    flow = generator.flow(X, Y)
    assert flow.in_memory() is None
    assert np.isfinite(model().fit(flow, epochs=1, verbose=0).history["loss"]).all()


def test_a_part_for_validation_is_the_first_and_never_changed():
    generator = ImageDataGenerator(**LECTURE, validation_split=0.25)
    training, validation = (generator.flow(X, Y, subset=subset, shuffle=False) for subset in ("training", "validation"))
    assert (training.n, validation.n) == (15, 5)
    assert (training.augments, validation.augments) == (True, False)
    np.testing.assert_array_equal(validation[0][0], X[:5])
    np.testing.assert_array_equal(training[0][1], Y[5:])
    assert np.abs(training[0][0] - X[5:]).max() > 0.01
    history = model().fit(training, epochs=1, verbose=0, validation_data=validation).history
    assert np.isfinite(history["val_loss"]).all()


def test_layers_of_convista_and_the_users_function_come_after_the_ranges():
    flow = ImageDataGenerator(augmentation=[Cutout(8, fill_value=0.5)], preprocessing_function=lambda x: x * 2).flow(
        X, Y
    )
    assert flow.augments
    assert (flow[0][0] == 1.0).any()


class Upside:
    """Called like an albumentations transform."""

    def __init__(self):
        self.seeds = []

    def set_random_seed(self, seed):
        self.seeds.append(seed)

    def __call__(self, *args, force_apply=False, **data):
        return {"image": data["image"][::-1]}


def test_an_albumentations_transform_is_called_with_each_picture():
    compose = Upside()
    flow = ImageDataGenerator(augmentation=compose, rescale=2.0).flow(X, Y, shuffle=False, batch_size=10)
    np.testing.assert_array_equal(flow[0][0], X[:10, ::-1] * 2)
    np.testing.assert_array_equal(flow[1][0], flow[1][0])
    assert compose.seeds[1] == compose.seeds[2] != compose.seeds[0]
    assert flow.augments
    assert flow.in_memory() is None
    with pytest.raises(ArgumentError, match="only the pictures of training are augmented"):
        model().evaluate(flow)


def test_the_real_albumentations():
    albumentations = pytest.importorskip("albumentations")
    compose = albumentations.Compose([albumentations.HorizontalFlip(p=0.5), albumentations.Rotate(20, p=1.0)])
    flow = ImageDataGenerator(augmentation=compose).flow((X * 255).astype(np.uint8), Y, shuffle=False)
    np.testing.assert_array_equal(flow[0][0], flow[0][0])
    assert flow[0][0].shape == X.shape


ONLY = "only the pictures of training are augmented: a score on changed pictures tells about no picture"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda flow: model().fit_generator(flow, epochs=1, validation_split=0.1),
            "fit_generator: a generator cannot be split, for nobody knows how long it is. Received "
            "validation_split=0.1. Write ImageDataGenerator(…, validation_split=0.1), then generator.flow(x, y, "
            'subset="training") and validation_data=generator.flow(x, y, subset="validation").',
        ),
        (
            lambda flow: model().fit_generator(flow, epoch=1),
            "fit_generator: fit_generator takes what fit takes. Received epoch=1. Did you mean 'epochs'?",
        ),
        (
            lambda flow: model().fit(X, Y, validation_data=flow),
            f"fit, validation_data: {ONLY}. Received ArrayFlow that changes pictures at random. Give the pictures "
            'themselves, or flow(…, subset="validation"), or a flow of an ImageDataGenerator without ranges and flips.',
        ),
        (
            lambda flow: model().predict(flow),
            f"predict: {ONLY}. Received ArrayFlow that changes pictures at random. Give the pictures themselves, or "
            'flow(…, subset="validation"), or a flow of an ImageDataGenerator without ranges and flips.',
        ),
        (
            lambda flow: ImageDataGenerator(rotation=20),
            "ImageDataGenerator: there is no argument 'rotation'. Received rotation=20. Did you mean 'rotation_range'?",
        ),
        (
            lambda flow: ImageDataGenerator(brightness_range=(0.5, 1)),
            "ImageDataGenerator: Keras has brightness_range; Convista does not have it yet. Received "
            "brightness_range=(0.5, 1). Write model.fit(x, y, augmentation=[RandomBrightness(0.2)]).",
        ),
        (
            lambda flow: ImageDataGenerator(data_format="channels_first"),
            'ImageDataGenerator: data_format is "channels_last" and dtype "float32". Received '
            "data_format='channels_first', dtype=None. Leave them out; pictures with channels first: "
            "x.transpose(0, 2, 3, 1).",
        ),
        (
            lambda flow: ImageDataGenerator(augmentation=[MixUp()]),
            "ImageDataGenerator: augmentation is a list of augmenting layers, or an albumentations.Compose. Received "
            "MixUp(alpha=0.2, data_format=None, seed=None). Give it to training: model.fit(x, y, "
            "augmentation=[MixUp()]).",
        ),
        (
            lambda flow: ImageDataGenerator().fit(X[..., 0]),
            "ImageDataGenerator.fit: pictures have the shape (N, height, width, channels) with 1, 3 or 4 channels. "
            "Received shape (20, 8, 8). Add the channel axis: x[..., None].",
        ),
        (
            lambda flow: ImageDataGenerator().flow(X.reshape(20, 64), Y),
            "ImageDataGenerator.flow: pictures have the shape (N, height, width, channels) with 1, 3 or 4 channels. "
            "Received shape (20, 64). Restore the pictures: x.reshape(-1, 8, 8, 1).",
        ),
        (
            lambda flow: ImageDataGenerator().flow(X, Y[:3]),
            "ImageDataGenerator.flow: x and y have one row an example. Received x with 20 rows, y with 3.",
        ),
        (
            lambda flow: ImageDataGenerator(zca_whitening=True).flow(X, Y),
            "ImageDataGenerator: featurewise_center, featurewise_std_normalization and zca_whitening know the data. "
            "Received a generator that was not fitted. Call generator.fit(x_train) first.",
        ),
        (
            lambda flow: ImageDataGenerator().flow(X, Y, subset="training"),
            "ImageDataGenerator: validation_split leaves examples on both sides. Received subset='training' with "
            "validation_split=0 of 20 pictures. Write ImageDataGenerator(…, validation_split=0.1).",
        ),
    ],
)
def test_mistakes_teach(call, message):
    with pytest.raises(ConvistaError) as caught:
        call(ImageDataGenerator(**LECTURE).flow(X, Y))
    assert str(caught.value) == message


def test_compiled_changes_are_kept_for_some_generators_only():
    for degrees in range(20):
        generator = ImageDataGenerator(augmentation=[Cutout(1 + degrees % 3, fill_value=degrees / 20)])
        flows._program(tuple(generator.flow(X, Y).source.augmentation))
    found = flows._program.cache_info()
    assert (found.maxsize, found.currsize) == (16, 16)
