"""Augmentation inside the step: the losses of mixed labels, one stream of draws, and nothing outside training."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Preprocessing, Sequential
from convista.data.picture_changes import changed_by
from convista.errors import ArgumentError, ShapeError
from convista.layers import (
    Cutout,
    Dense,
    Dropout,
    Flatten,
    Input,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    RandomHue,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Rescaling,
)
from convista.training import losses
from convista.training.augmentation import Augmentations, MixUp, augment, checked, groups, refuse_augmented
from convista.training.step import Batch

KEY = jax.random.key(5)
RANDOM = np.random.default_rng(0)
X = RANDOM.random((6, 8, 8, 1)).astype(np.float32)
Y = RANDOM.integers(0, 3, 6).astype(np.int32)
ONES = jnp.ones(6, jnp.float32)
BATCH = Batch(jnp.asarray(X), jnp.asarray(Y), ONES, ONES)


def augmented_batch(*layers, batch, key):
    return jax.jit(Augmentations(layers))(batch, key)


def model(loss="sparse_categorical_crossentropy", seed=1):
    found = Sequential([Input((8, 8, 1)), Flatten(), Dense(3, activation="softmax")], seed=seed)
    found.compile("sgd", loss, ["accuracy"])
    return found


@pytest.mark.slow
def test_mixing_is_the_sum_of_two_pictures_with_the_larger_share_first():
    mixed, mixture = jax.jit(MixUp(1.0).mix)(BATCH, KEY)
    share = np.asarray(mixture.share)
    assert ((share >= 0.5) & (share <= 1)).all()
    places = [int(np.flatnonzero([np.array_equal(y, other) for other in X])[0]) for y in _others(mixed, share)]
    assert sorted(places) == list(range(6))
    assert all(place != own for own, place in enumerate(places))
    np.testing.assert_array_equal(mixture.y, Y[places])
    np.testing.assert_array_equal(mixed.y, Y)


def _others(mixed, share):
    part = share[:, None, None, None]
    other = (np.asarray(mixed.x) - part * X) / (1 - part)
    return [X[np.abs(X - one).max(axis=(1, 2, 3)).argmin()] for one in other]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_come_from_beta(alpha):
    count = 20_000
    batch = Batch(jnp.zeros((count, 1, 1, 1)), jnp.zeros(count), jnp.ones(count), jnp.ones(count))
    share = np.asarray(jax.jit(MixUp(alpha).mix)(batch, KEY)[1].share, float)
    # Folding Beta(α, α) about ½ keeps the second moment about ½, its variance 1 / (4 (2α + 1)).
    np.testing.assert_allclose(((share - 0.5) ** 2).mean(), 1 / (4 * (2 * alpha + 1)), rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        ("categorical_crossentropy", np.eye(3, dtype=np.float32)[Y]),
        ("sparse_categorical_crossentropy", Y),
    ],
)
def test_the_loss_is_that_of_the_mixed_labels(loss, targets):
    network = model(loss)
    network.fit(X, targets, batch_size=6, epochs=1, shuffle=False, verbose=0, augmentation=[MixUp(1.0)])
    key = jax.random.fold_in(network.train_state.key, 0)
    before = model(loss)
    augmented, mixture = augmented_batch(MixUp(1.0), batch=BATCH, key=key)
    share = np.asarray(mixture.share)[:, None]
    soft = share * np.eye(3)[Y] + (1 - share) * np.eye(3)[np.asarray(mixture.y)]
    wanted = losses.CategoricalCrossentropy()(soft.astype(np.float32), before(augmented.x))
    np.testing.assert_allclose(network.history.history["loss"], [np.mean(wanted)], rtol=1e-5)
    wrong = losses.CategoricalCrossentropy()(np.eye(3, dtype=np.float32)[Y], before(augmented.x))
    assert abs(np.mean(wrong) - np.mean(wanted)) > 1e-3


def test_weights_go_with_their_pictures():
    weight = np.array([0, 1, 2, 3, 4, 5], np.float32)
    network = model()
    network.fit(X, Y, 6, 1, 0, shuffle=False, sample_weight=weight, augmentation=MixUp(1.0))
    batch, mixture = augmented_batch(
        MixUp(1.0), batch=BATCH._replace(weight=jnp.asarray(weight)), key=_first_key(network)
    )
    loss, y = losses.SparseCategoricalCrossentropy(), model()(batch.x)
    share = np.asarray(mixture.share)
    wanted = share * loss(Y, y) * weight + (1 - share) * loss(mixture.y, y) * np.asarray(mixture.weight)
    np.testing.assert_allclose(network.history.history["loss"], [np.mean(wanted)], rtol=1e-5)


def _first_key(network):
    return jax.random.fold_in(network.train_state.key, 0)


def test_what_fit_sees_is_what_the_layers_make():
    layers = (RandomRotation(0.1), RandomTranslation(0.1, 0.1), Cutout(3))
    network = model()
    network.fit(X, Y, 6, 1, 0, shuffle=False, augmentation=list(layers))
    seen, mixture = augmented_batch(*layers, batch=BATCH, key=_first_key(network))
    assert mixture is None
    wanted = losses.SparseCategoricalCrossentropy()(Y, model()(seen.x))
    np.testing.assert_allclose(network.history.history["loss"], [np.mean(wanted)], rtol=1e-5)


@pytest.mark.slow
def test_validation_sees_the_pictures_as_they_are():
    layers = [RandomRotation(0.5), Cutout(6), MixUp()]
    network = model()
    history = network.fit(X, Y, 4, 2, 0, validation_data=(X, Y), augmentation=layers).history
    again = network.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(again, [history["val_loss"][-1], history["val_accuracy"][-1]], rtol=1e-6)
    wanted = losses.SparseCategoricalCrossentropy()(Y, network.predict(X))
    np.testing.assert_allclose(history["val_loss"][-1], np.mean(wanted), rtol=1e-5)


@pytest.mark.slow
def test_the_same_seed_learns_the_same_and_another_seed_something_else():
    layers = [RandomRotation(0.2), RandomZoom(0.2), MixUp()]

    def learned(seed):
        network = model(seed=seed)
        network.set_weights(model(seed=1).get_weights())
        network.fit(X, Y, 6, 2, 0, shuffle=False, augmentation=layers)
        return network.get_weights()[0]

    np.testing.assert_array_equal(learned(1), learned(1))
    assert np.any(learned(1) != learned(2))


def test_dropout_draws_the_same_with_and_without_augmentation():
    def learned(augmentation):
        network = Sequential([Input((8, 8, 1)), Flatten(), Dropout(0.5), Dense(3, activation="softmax")], seed=1)
        network.compile("sgd", "sparse_categorical_crossentropy")
        network.fit(X, Y, 6, 1, 0, shuffle=False, augmentation=augmentation)
        return network.get_weights()[0]

    np.testing.assert_allclose(learned(None), learned([RandomTranslation((0.0, 0.0), (0.0, 0.0))]), atol=1e-6)


def test_bytes_are_scaled_before_they_are_changed():
    bytes_ = (X * 255).astype(np.uint8)
    network = Sequential([Input((8, 8, 1)), Flatten(), Dense(3, activation="softmax")], seed=1)
    network.preprocessing = Preprocessing(scale=1 / 255)
    network.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ArgumentError) as caught:
        network.fit(bytes_, Y, verbose=0, augmentation=[RandomBrightness(0.2)])
    assert str(caught.value).startswith("x: RandomBrightness expects values 0…255. Received values 0…")
    assert str(caught.value).endswith("Write RandomBrightness(…, value_range=(0, 1)).")
    history = network.fit(bytes_, Y, 6, 1, 0, augmentation=[RandomBrightness(0.2, value_range=(0, 1))])
    assert history.history["loss"][0] < 3


def test_a_second_fit_with_the_same_augmentation_keeps_its_program():
    network = model()
    network.fit(X, Y, 6, 1, 0, augmentation=[RandomFlip()])
    trainer = network._augmented[1]
    network.fit(X, Y, 6, 1, 0, augmentation=[RandomFlip()])
    assert network._augmented[1] is trainer
    network.fit(X, Y, 6, 1, 0, augmentation=[RandomFlip("vertical")])
    assert network._augmented[1] is not trainer


@pytest.mark.slow
def test_generators_are_augmented_too():
    network = model()
    network.fit(
        ((X, Y) for _ in range(2)), epochs=1, steps_per_epoch=2, verbose=0, augmentation=[RandomFlip(), MixUp()]
    )
    assert np.isfinite(network.history.history["loss"]).all()


def test_neighbours_that_can_be_one_warp_are_grouped():
    layers = [RandomRotation(0.1), RandomFlip(), Cutout(2), RandomZoom(0.1), RandomZoom(0.1, fill_mode="wrap"), MixUp()]
    assert [(place, len(group)) for place, group in groups(layers)] == [(0, 2), (2, 1), (3, 1), (4, 1), (5, 1)]


@pytest.mark.slow
def test_augment_returns_what_training_would_see():
    layers = [RandomRotation(0.1), Cutout(2)]
    np.testing.assert_array_equal(augment(layers, X, KEY), Augmentations(tuple(layers))(BATCH, KEY)[0].x)
    with pytest.raises(ArgumentError, match="MixUp needs labels"):
        augment([MixUp()], X, KEY)


class Upside:
    """Called like an albumentations transform."""

    def __call__(self, *args, force_apply=False, **data):
        return {"image": data["image"][::-1]}


HINT = (
    "For example augmentation=[RandomRotation(0.05), RandomTranslation(0.1, 0.1)]; what use needs too, such as "
    "Rescaling, is a layer of the model."
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            [Rescaling(2.0)],
            f"fit: augmentation is a list of layers that change nothing outside training. Received Rescaling. {HINT}",
        ),
        (
            RandomFlip,
            "fit: augmentation is a list of layers that change nothing outside training. Received the class "
            f"RandomFlip. {HINT}",
        ),
        ([3], f"fit: augmentation is a list of layers that change nothing outside training. Received 3. {HINT}"),
        ([MixUp(), MixUp()], "fit: a batch is mixed once. Received MixUp twice. Keep one of them."),
        (
            [RandomCrop(6, 6)],
            "fit: augmentation keeps the shape of the pictures, or use would differ from training. Received (8, 8, 1) "
            "made (6, 6, 1). Make RandomCrop the first layer of the model: in use it takes the middle.",
        ),
        (
            [RandomHue(0.1)],
            "fit: RandomHue: hue and saturation are of colours: red, green and blue. Received 1 channel. Take it out "
            "for grey pictures.",
        ),
        (
            Upside(),
            "fit: the steps of training are compiled, and an albumentations transform is Python code for one picture. "
            "Received Upside. Write model.fit(ImageDataGenerator(augmentation=compose).flow(x, y)), or for a folder "
            "model.fit(image_folder(path, augmentation=compose)).",
        ),
    ],
)
def test_what_is_no_augmentation_teaches(given, message):
    with pytest.raises((ArgumentError, ShapeError)) as caught:
        checked(given, (8, 8, 1), where="fit")
    assert str(caught.value) == message


def test_the_stand_in_is_called_like_the_real_one():
    np.testing.assert_array_equal(changed_by(Upside(), X, 0), X[:, ::-1])


def test_mixup_is_no_layer_and_says_where_it_belongs():
    with pytest.raises(ArgumentError) as caught:
        Sequential([Input((8, 8, 1)), MixUp()])
    assert str(caught.value) == (
        "Sequential 'sequential': a Sequential is made of layers. Received MixUp. Give it to training: model.fit(x, y, "
        "augmentation=[MixUp()])."
    )
    with pytest.raises(ArgumentError) as caught:
        MixUp()(X)
    assert str(caught.value) == (
        "MixUp: MixUp mixes labels with pictures, and a layer does not see labels. Received a call. Give it to "
        "training: model.fit(x, y, augmentation=[MixUp()])."
    )
    with pytest.raises(ArgumentError) as caught:
        MixUp(alpha=0)
    assert str(caught.value) == "MixUp: alpha is a number larger than 0. Received alpha=0. Try alpha=0.2."


ONLY = "only the pictures of training are augmented: a score on changed pictures tells about no picture"


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_other_verbs_refuse_augmentation(verb):
    arguments = (X,) if verb == "predict" else (X, Y)
    with pytest.raises(ArgumentError) as caught:
        getattr(model(), verb)(*arguments, augmentation=[RandomFlip()])
    assert str(caught.value) == f"{verb}: {ONLY}. Received augmentation. Leave it out here; fit takes it."
    with pytest.raises(ArgumentError) as caught:
        getattr(model(), verb)(*arguments, bach_size=3)
    assert str(caught.value) == f"{verb}: {verb} has no argument 'bach_size'. Received bach_size=3."


def test_a_source_that_says_it_augments_is_refused():
    class Changing:
        augments = True

    with pytest.raises(ArgumentError) as caught:
        refuse_augmented(Changing(), "evaluate")
    assert str(caught.value) == (
        f"evaluate: {ONLY}. Received Changing that changes pictures at random. Give the pictures themselves, or "
        'flow(…, subset="validation"), or a flow of an ImageDataGenerator without ranges and flips.'
    )
    refuse_augmented(object(), "evaluate")
