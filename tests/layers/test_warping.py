"""Geometric augmentation: Keras's maps, the statistics of the draws, one interpolation for several layers."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from convista.errors import ArgumentError
from convista.layers import (
    RandomAffine,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from convista.layers.warping import joinable, joined_map, warped
from convista.ops.warp import affine_warp
from oracles.compare import EXACT, LAYERS, QUICK, agree
from oracles.keras_oracle import keras

KEY = jax.random.key(3)
X = np.random.default_rng(0).random((4, 9, 7, 2)).astype(np.float32)


def plain(layer, x, key):
    return layer.apply({}, {}, x, training=True, key=key)[0]


run = jax.jit(plain, static_argnums=0, compiler_options=QUICK)


def trained(layer, x=X, key=KEY):
    return run(layer, jnp.asarray(x), key)


@functools.partial(jax.jit, static_argnums=(0, 2, 3), compiler_options=QUICK)
def maps_of(layer, key, count, size):
    return layer.maps(key, count, size)


def kerass(name, *args, **options):
    layer = getattr(keras.layers, name)(*args, seed=0, **options)
    with jax.numpy_dtype_promotion("standard"):
        return np.asarray(layer(X, training=True))


# A span of one number leaves nothing to chance, so that both draw the same.
FIXED: list[tuple[type, tuple[Any, ...]]] = [
    (RandomRotation, ((0.1, 0.1),)),
    (RandomRotation, ((-0.3, -0.3),)),
    (RandomTranslation, ((0.23, 0.23), (-0.4, -0.4))),
    (RandomZoom, ((0.3, 0.3), (-0.4, -0.4))),
    (RandomZoom, ((0.5, 0.5),)),
]


@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "wrap", "constant"])
@pytest.mark.parametrize(("kind", "args"), FIXED)
def test_the_pictures_are_those_of_keras(kind, args, fill_mode):
    expected = kerass(kind.__name__, *args, fill_mode=fill_mode, fill_value=0.5)
    agree(trained(kind(*args, fill_mode=fill_mode, fill_value=0.5)), expected, LAYERS)


def test_the_oracle_rejects_another_angle():
    with pytest.raises(AssertionError, match="apart"):
        agree(trained(RandomRotation((0.1, 0.1))), kerass("RandomRotation", (0.101, 0.101)), LAYERS)


def test_a_shear_is_one_of_the_two_of_keras():
    found = trained(RandomShear((0.3, 0.3), (0.1, 0.1)))
    either = []
    for sign in (1.0, -1.0):
        maps = np.array([[1, 0.1 * sign], [0.3 * sign, 1]])
        either.append(
            np.stack(
                [
                    np.stack([ndimage.affine_transform(p[..., c], maps, order=1, mode="reflect") for c in range(2)], -1)
                    for p in X
                ]
            )
        )
    for number in range(4):
        distances = [np.abs(found[number] - one[number]).max() for one in either]
        assert min(distances) < 1e-5
    expected = kerass("RandomShear", (0.3, 0.3), (0.1, 0.1))
    assert all(min(np.abs(expected[n] - one[n]).max() for one in either) < 1e-5 for n in range(4))


def test_arguments_and_defaults_are_those_of_keras():
    for kind in (RandomRotation, RandomTranslation, RandomZoom, RandomShear, RandomFlip, RandomCrop):
        theirs = inspect.signature(getattr(keras.layers, kind.__name__).__init__).parameters
        ours = inspect.signature(kind).parameters
        for name, parameter in theirs.items():
            if name in ("self", "kwargs", "name"):
                continue
            assert ours[name].default == parameter.default, (kind, name)


def test_image_data_generators_map_is_rotation_shift_shear_zoom():
    random = np.random.default_rng(1)
    angle, shear = random.uniform(-1, 1, (2, 4))
    shift, zoom = random.uniform(-3, 3, (2, 4)), random.uniform(0.5, 1.5, (2, 4))
    flip = np.array([[True, False, True, False], [True, True, False, False]])
    draws = {"angle": angle, "shear": shear, "shift": shift, "zoom": zoom}
    maps = jax.jit(functools.partial(joined_map, (9, 7)))(
        **{name: jnp.asarray(one, jnp.float32) for name, one in draws.items()}, flip=flip
    )
    warp = jax.jit(functools.partial(affine_warp, fill_mode="nearest"))
    found = np.asarray(warp(jnp.asarray(X), maps))
    for n in range(4):
        rotation = np.array(
            [[math.cos(angle[n]), -math.sin(angle[n]), 0], [math.sin(angle[n]), math.cos(angle[n]), 0], [0, 0, 1]]
        )
        moved = np.array([[1, 0, shift[0, n]], [0, 1, shift[1, n]], [0, 0, 1]])
        slant = np.array([[1, -math.sin(shear[n]), 0], [0, math.cos(shear[n]), 0], [0, 0, 1]])
        scale = np.diag([*zoom[:, n], 1])
        to_middle, back = np.array([[1, 0, 4], [0, 1, 3], [0, 0, 1]]), np.array([[1, 0, -4], [0, 1, -3], [0, 0, 1]])
        own = to_middle @ rotation @ moved @ slant @ scale @ back
        single = ndimage.affine_transform(X[n, ..., 0].astype(float), own[:2, :2], own[:2, 2], order=1, mode="nearest")
        single = single[:: -1 if flip[0, n] else 1, :: -1 if flip[1, n] else 1]
        np.testing.assert_allclose(found[n, ..., 0], single, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        RandomRotation(0.2),
        RandomTranslation(0.2, 0.3),
        RandomZoom(0.3, 0.2),
        RandomShear(0.2, 0.2),
        RandomFlip(),
        RandomCrop(6, 5),
        RandomResizedCrop(9, 7),
        RandomAffine(20, 0.2, 0.2, 10, 0.2, horizontal_flip=True),
    ],
)
class TestEveryLayer:
    def test_the_same_key_gives_the_same_pictures_and_another_key_others(self, layer):
        again = trained(layer)
        agree(trained(layer), again, EXACT)
        assert np.any(np.asarray(trained(layer, key=jax.random.key(4))) != np.asarray(again))

    def test_the_seed_of_a_layer_is_mixed_in(self, layer):
        other = dataclasses.replace(layer, seed=5)
        assert np.any(np.asarray(trained(other)) != np.asarray(trained(layer)))

    def test_every_picture_draws_for_itself(self, layer):
        same = np.repeat(X[:1], 64, axis=0)
        assert len(np.unique(np.asarray(trained(layer, same)).reshape(64, -1), axis=0)) > 1

    def test_outside_training_pictures_of_the_right_size_stay_the_same_object(self, layer):
        x = jnp.asarray(X)
        y, _ = layer.apply({}, {}, x, training=False, key=None)
        assert y is x or isinstance(layer, RandomCrop)

    def test_training_without_a_key_teaches(self, layer):
        with pytest.raises(ArgumentError) as caught:
            layer.apply({}, {}, jnp.asarray(X), training=True, key=None)
        assert str(caught.value) == (
            f"{type(layer).__name__}: augmentation draws random numbers while training. Received key=None. Pass "
            "key=jax.random.key(0), another key for each step."
        )

    def test_gradients_flow_to_the_pictures(self, layer):
        gradient = jax.jit(jax.grad(lambda x: jnp.sum(plain(layer, x, KEY) ** 2)), compiler_options=QUICK)(X)
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def drawn(layer, count=20_000, size=(9, 7)):
    return np.asarray(maps_of(layer, KEY, count, size))


def test_angles_are_drawn_evenly():
    maps = drawn(RandomRotation((-0.1, 0.25)))
    turns = np.arctan2(maps[:, 0, 1], maps[:, 0, 0]) / (2 * np.pi)
    assert -0.1 <= turns.min() < -0.099
    assert 0.249 < turns.max() <= 0.25
    np.testing.assert_allclose(turns.mean(), 0.075, atol=0.003)
    np.testing.assert_allclose(turns.std(), 0.35 / math.sqrt(12), rtol=0.02)


def test_shifts_are_drawn_evenly_and_each_axis_for_itself():
    down, right = -drawn(RandomTranslation(0.2, (0.0, 0.5)))[:, :, 2].T
    np.testing.assert_allclose([down.min(), down.max(), down.mean()], [-1.8, 1.8, 0], atol=0.03)
    np.testing.assert_allclose([right.min(), right.max(), right.mean()], [0, 3.5, 1.75], atol=0.03)
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.03


def test_half_of_the_pictures_are_flipped_along_each_axis():
    maps = drawn(RandomFlip())
    rows, columns = maps[:, 0, 0] < 0, maps[:, 1, 1] < 0
    np.testing.assert_allclose([rows.mean(), columns.mean(), (rows & columns).mean()], [0.5, 0.5, 0.25], atol=0.015)
    assert (drawn(RandomFlip("horizontal"))[:, 0, 0] == 1).all()


def test_a_flip_alone_is_the_warp_of_its_map():
    layer = RandomFlip()
    found = trained(layer)
    agree(found, affine_warp(jnp.asarray(X), layer.maps(KEY, 4, (9, 7))), LAYERS)


def test_a_crop_is_a_window_of_the_picture_and_every_place_occurs():
    many = np.repeat(X[:1], 200, axis=0)
    found = np.asarray(trained(RandomCrop(8, 5), many))
    windows = {(r, c): X[0, r : r + 8, c : c + 5] for r in range(2) for c in range(3)}
    seen = {place for window in found for place, wanted in windows.items() if np.array_equal(window, wanted)}
    assert seen == set(windows)
    assert all(any(np.array_equal(window, wanted) for wanted in windows.values()) for window in found)


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [((5, 5), slice(1, 8), slice(0, 7)), ((9, 7), slice(0, 9), slice(0, 7)), ((12, 12), slice(1, 8), slice(0, 7))],
)
def test_outside_training_a_crop_is_the_largest_window_of_the_middle_resized(size, rows, columns):
    found = RandomCrop(*size).apply({}, {}, jnp.asarray(X), training=False, key=None)[0]
    window = jnp.asarray(X[:, rows, columns])
    agree(found, jax.image.resize(window, (4, *size, 2), "linear", antialias=False), LAYERS)


def test_a_resized_crop_sees_between_the_areas_that_are_asked_for():
    maps = drawn(RandomResizedCrop(9, 7, scale=(0.3, 0.8), ratio=(1.0, 1.0)))
    area = maps[:, 0, 0] * maps[:, 1, 1]
    np.testing.assert_allclose([area.min(), area.max(), area.mean()], [0.3, 0.8, 0.55], atol=0.01)
    # Corner pixels of the window: its edges lie inside the picture.
    for axis, length in enumerate((9, 7)):
        start = maps[:, axis, 2] - maps[:, axis, axis] / 2
        assert (start >= -0.5 - 1e-4).all()
        assert (start + maps[:, axis, axis] * length <= length - 0.5 + 1e-4).all()


def test_several_warps_are_one_interpolation():
    there, back = RandomTranslation((0.05, 0.05), (0.05, 0.05)), RandomTranslation((-0.05, -0.05), (-0.05, -0.05))
    keys = list(jax.random.split(KEY))
    together = jax.jit(functools.partial(warped, [there, back]))(keys, jnp.asarray(X))
    np.testing.assert_allclose(together, X, atol=1e-5)
    apart = trained(back, trained(there))
    assert np.abs(np.asarray(apart) - X).max() > 0.05


def test_several_warps_are_the_product_of_their_matrices_read_once():
    layers = [
        RandomRotation((0.07, 0.07), "nearest"),
        RandomZoom((0.2, 0.2), fill_mode="nearest"),
        RandomFlip(),
        RandomCrop(6, 5),
    ]
    keys = list(jax.random.split(KEY, 4))
    found = np.asarray(jax.jit(functools.partial(warped, layers))(keys, jnp.asarray(X)))
    matrices = [
        np.concatenate([np.asarray(maps_of(layer, key, 4, (9, 7)), float), np.tile([[[0, 0, 1.0]]], (4, 1, 1))], axis=1)
        for layer, key in zip(layers, keys, strict=True)
    ]
    for n in range(4):
        own = matrices[0][n] @ matrices[1][n] @ matrices[2][n] @ matrices[3][n]
        wanted = ndimage.affine_transform(
            X[n, ..., 1].astype(float), own[:2, :2], own[:2, 2], output_shape=(6, 5), order=1, mode="nearest"
        )
        np.testing.assert_allclose(found[n, ..., 1], wanted, atol=1e-5)


def test_layers_that_read_pixels_differently_are_not_joined():
    assert joinable([RandomRotation(0.1), RandomZoom(0.1), RandomFlip(), RandomCrop(3, 3)])
    assert not joinable([RandomRotation(0.1), RandomZoom(0.1, fill_mode="nearest")])
    assert not joinable([RandomRotation(0.1), RandomZoom(0.1, interpolation="nearest")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RandomRotation(20),
            "RandomRotation: factor is one number or two, between -1 and 1. Received factor=20. For example factor=0.2 "
            "or factor=(-0.2, 0.2).",
        ),
        (
            lambda: RandomRotation(0.1, fill_mode="reflct"),
            "RandomRotation: fill_mode is 'constant', 'nearest', 'reflect' or 'wrap'. Received fill_mode='reflct'. Did "
            "you mean 'reflect'?",
        ),
        (
            lambda: RandomZoom(-1.0),
            "RandomZoom: a zoom leaves something to see: factors are larger than -1. Received height_factor=-1.0. For "
            "example height_factor=0.2.",
        ),
        (
            lambda: RandomFlip("left"),
            "RandomFlip: mode is 'horizontal', 'vertical' or 'horizontal_and_vertical'. Received mode='left'. Known: "
            "horizontal, horizontal_and_vertical, vertical.",
        ),
        (
            lambda: RandomAffine(zoom_range=1.0),
            "RandomAffine: zoom_range is below 1, or two numbers larger than 0. Received zoom_range=1.0. For example "
            "zoom_range=0.2 or zoom_range=(0.8, 1.2).",
        ),
        (
            lambda: RandomResizedCrop(8, 8, scale=0.5),
            "RandomResizedCrop: scale is two numbers larger than 0. Received scale=0.5. For example scale=(0.7, 1.0).",
        ),
        (lambda: RandomCrop(0, 3), "RandomCrop: height is a whole number of at least 1. Received height=0."),
        (lambda: RandomFlip(seed=-1), "RandomFlip: seed is a whole number of at least 0. Received seed=-1."),
    ],
)
def test_mistakes_teach(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message
