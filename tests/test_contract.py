"""Every registered layer through one battery; a new layer needs one entry in ``EXAMPLES``."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Model, layers, load_model
from convista.layers.base import Layer, registered
from oracles.compare import EXACT, LAYERS, agree, agree_all, numbers, run_together

PICTURE = (6, 5, 4)


@dataclass(frozen=True)
class Example:
    """One way to use a layer.

    Args:
        layer: The layer.
        shape: Shape of one input, or a list of shapes for a merge.
    """

    layer: Layer
    shape: Any = PICTURE


SEQUENCE, VOLUME = (9, 4), (4, 5, 3, 2)

EXAMPLES: dict[str, list[Example]] = {
    "Activation": [Example(layers.Activation("tanh"))],
    "Add": [Example(layers.Add(), [PICTURE, PICTURE])],
    "Average": [Example(layers.Average(), [PICTURE, (1, 1, 4), PICTURE])],
    "AveragePooling1D": [Example(layers.AveragePooling1D(2), SEQUENCE)],
    "AveragePooling2D": [Example(layers.AveragePooling2D(2)), Example(layers.AveragePooling2D(3, 1, padding="same"))],
    "AveragePooling3D": [Example(layers.AveragePooling3D(2, 1, padding="same"), VOLUME)],
    "BatchNormalization": [Example(layers.BatchNormalization()), Example(layers.BatchNormalization(), (5,))],
    "Concatenate": [Example(layers.Concatenate(), [PICTURE, (6, 5, 2)])],
    "Conv1D": [Example(layers.Conv1D(8, 3, activation="relu"), SEQUENCE)],
    "Conv1DTranspose": [Example(layers.Conv1DTranspose(3, 2, strides=3, output_padding=1), SEQUENCE)],
    "Conv2D": [
        Example(layers.Conv2D(8, 3, activation="relu")),
        Example(layers.Conv2D(8, (3, 2), strides=(2, 3), padding="same", groups=2)),
        Example(layers.Conv2D(3, 2, dilation_rate=2), (6, 5, 1)),
        Example(layers.Conv2D(8, 3, strides=2, padding=((1, 1), (0, 2)))),
    ],
    "Conv2DTranspose": [
        Example(layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu")),
        Example(layers.Conv2DTranspose(3, 2, strides=3, output_padding=2)),
    ],
    "Conv3D": [Example(layers.Conv3D(4, (2, 3, 2), strides=(1, 2, 1)), VOLUME)],
    "Conv3DTranspose": [Example(layers.Conv3DTranspose(3, 2, strides=2), VOLUME)],
    "Cropping1D": [Example(layers.Cropping1D((1, 0)), SEQUENCE)],
    "Cropping2D": [Example(layers.Cropping2D(((1, 0), (2, 1))))],
    "Cropping3D": [Example(layers.Cropping3D((1, 1, 0)), VOLUME)],
    "Cutout": [Example(layers.Cutout(2))],
    "Dense": [Example(layers.Dense(3, activation="softmax"), (7,)), Example(layers.Dense(3))],
    "DepthwiseConv1D": [Example(layers.DepthwiseConv1D(3, depth_multiplier=2), SEQUENCE)],
    "DepthwiseConv2D": [
        Example(layers.DepthwiseConv2D(3, padding="same", activation="relu")),
        Example(layers.DepthwiseConv2D(2, strides=2, depth_multiplier=3)),
    ],
    "Dropout": [Example(layers.Dropout(0.5))],
    "ELU": [Example(layers.ELU(0.5))],
    "Filter2D": [
        Example(layers.Filter2D("sobel")),
        Example(layers.Filter2D("gaussian_blur", 5, 1.5, padding="reflect")),
        Example(layers.Filter2D("laplace", padding="valid")),
    ],
    "Flatten": [Example(layers.Flatten())],
    "GELU": [Example(layers.GELU()), Example(layers.GELU(approximate=True))],
    "GaussianNoise": [Example(layers.GaussianNoise(0.5))],
    "GlobalAveragePooling1D": [Example(layers.GlobalAveragePooling1D(), SEQUENCE)],
    "GlobalAveragePooling2D": [Example(layers.GlobalAveragePooling2D())],
    "GlobalAveragePooling3D": [Example(layers.GlobalAveragePooling3D(keepdims=True), VOLUME)],
    "GlobalMaxPooling1D": [Example(layers.GlobalMaxPooling1D(keepdims=True), SEQUENCE)],
    "GlobalMaxPooling2D": [Example(layers.GlobalMaxPooling2D(keepdims=True))],
    "GlobalMaxPooling3D": [Example(layers.GlobalMaxPooling3D(), VOLUME)],
    "GroupNormalization": [Example(layers.GroupNormalization(2)), Example(layers.GroupNormalization(3, axis=1))],
    "InputLayer": [],  # it computes nothing and begins every model below
    "Lambda": [
        Example(layers.Lambda("square")),
        Example(layers.Lambda("l2_normalize"), (7,)),
        Example(layers.Lambda("pad", {"widths": ((1, 0), (2, 1)), "mode": "reflect"})),
    ],
    "LayerNormalization": [
        Example(layers.LayerNormalization()),
        Example(layers.LayerNormalization(axis=(-2, -1)), SEQUENCE),
    ],
    "LayerScale": [Example(layers.LayerScale(0.5))],
    "LeakyReLU": [Example(layers.LeakyReLU())],
    "MaxPooling1D": [Example(layers.MaxPooling1D(3, 2, padding="same"), SEQUENCE)],
    "MaxPooling2D": [Example(layers.MaxPooling2D(2)), Example(layers.MaxPooling2D(3, 2, padding=((1, 2), (0, 1))))],
    "MaxPooling3D": [Example(layers.MaxPooling3D((2, 2, 1)), VOLUME)],
    "Maximum": [Example(layers.Maximum(), [PICTURE, PICTURE, PICTURE])],
    "Minimum": [Example(layers.Minimum(), [PICTURE, PICTURE])],
    "Multiply": [Example(layers.Multiply(), [PICTURE, (1, 1, 4)])],
    "Normalization": [
        Example(layers.Normalization(mean=(0.1, 0.2, 0.3, 0.4), variance=(1.0, 2.0, 3.0, 4.0))),
        Example(layers.Normalization(axis=None, mean=0.5, variance=0.25, invert=True), SEQUENCE),
    ],
    "PReLU": [Example(layers.PReLU("ones", shared_axes=(1, 2))), Example(layers.PReLU(), (7,))],
    "Permute": [Example(layers.Permute((2, 3, 1))), Example(layers.Permute((2, 1)), SEQUENCE)],
    "RandomAffine": [Example(layers.RandomAffine(20, 0.2, 0.1, 10, 0.2, horizontal_flip=True))],
    "RandomBrightness": [Example(layers.RandomBrightness(0.2, value_range=(-10, 10)))],
    "RandomColorJitter": [Example(layers.RandomColorJitter((-10, 10), 0.2, 0.2), (6, 5, 3))],
    "RandomContrast": [Example(layers.RandomContrast(0.5, value_range=(-10, 10)))],
    "RandomCrop": [Example(layers.RandomCrop(4, 3)), Example(layers.RandomCrop(7, 7))],
    "RandomErasing": [Example(layers.RandomErasing(fill_value=0.5))],
    "RandomFlip": [Example(layers.RandomFlip())],
    "RandomGrayscale": [Example(layers.RandomGrayscale(), (6, 5, 3))],
    "RandomHue": [Example(layers.RandomHue(0.5, value_range=(-10, 10)), (6, 5, 3))],
    "RandomResizedCrop": [
        Example(layers.RandomResizedCrop(6, 5, scale=(0.5, 1.0))),
        Example(layers.RandomResizedCrop(3, 4)),
    ],
    "RandomRotation": [Example(layers.RandomRotation(0.1))],
    "RandomSaturation": [Example(layers.RandomSaturation((0.3, 0.7), value_range=(-10, 10)), (6, 5, 3))],
    "RandomShear": [Example(layers.RandomShear(0.2, 0.1, fill_mode="wrap"))],
    "RandomTranslation": [Example(layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"))],
    "RandomZoom": [Example(layers.RandomZoom(0.2, fill_mode="constant", fill_value=1.0))],
    "ReLU": [Example(layers.ReLU(max_value=0.5, negative_slope=0.1))],
    "Rescaling": [Example(layers.Rescaling(2.0, -1.0))],
    "Reshape": [Example(layers.Reshape((10, -1)))],
    "Resizing": [Example(layers.Resizing(4, 9)), Example(layers.Resizing(8, 3, crop_to_aspect_ratio=True))],
    "SeparableConv1D": [Example(layers.SeparableConv1D(3, 2, depth_multiplier=2), SEQUENCE)],
    "SeparableConv2D": [Example(layers.SeparableConv2D(5, 3, strides=2, padding="same", activation="relu"))],
    "SiLU": [Example(layers.SiLU())],
    "Softmax": [Example(layers.Softmax())],
    "SpatialDropout1D": [Example(layers.SpatialDropout1D(0.5), SEQUENCE)],
    "SpatialDropout2D": [Example(layers.SpatialDropout2D(0.5))],
    "SpatialDropout3D": [Example(layers.SpatialDropout3D(0.5), VOLUME)],
    "StoredNormalization": [Example(layers.StoredNormalization())],
    "Subtract": [Example(layers.Subtract(), [PICTURE, PICTURE])],
    "SumPooling1D": [Example(layers.SumPooling1D(3, 1, padding="same"), SEQUENCE)],
    "SumPooling2D": [Example(layers.SumPooling2D(2)), Example(layers.SumPooling2D(3, 2, padding="same"))],
    "SumPooling3D": [Example(layers.SumPooling3D(2), VOLUME)],
    "UpSampling1D": [Example(layers.UpSampling1D(3), SEQUENCE)],
    "UpSampling2D": [Example(layers.UpSampling2D((2, 3))), Example(layers.UpSampling2D(2, interpolation="bilinear"))],
    "UpSampling3D": [Example(layers.UpSampling3D((1, 2, 2)), VOLUME)],
    "ZeroPadding1D": [Example(layers.ZeroPadding1D((2, 1)), SEQUENCE)],
    "ZeroPadding2D": [Example(layers.ZeroPadding2D(((1, 0), (2, 1))))],
    "ZeroPadding3D": [Example(layers.ZeroPadding3D((0, 1, 2)), VOLUME)],
}
EVERY = {f"{kind}-{number}": example for kind in EXAMPLES for number, example in enumerate(EXAMPLES[kind])}
EVERY_EXAMPLE = pytest.mark.parametrize("name", EVERY)
ROWS = 4
KEY = jax.random.key(11)


def test_every_registered_layer_has_an_entry():
    ours = {name for name, kind in registered().items() if kind.__module__.startswith("convista.")}
    missing = sorted(ours - set(EXAMPLES))
    assert not missing, (
        f"add {', '.join(missing)} to EXAMPLES in tests/test_contract.py: a small layer, its input shape"
    )
    assert not set(EXAMPLES) - set(registered())


def batch(shape: Any, dtype: Any = np.float32) -> Any:
    if isinstance(shape, list):
        return [batch(sizes, dtype) for sizes in shape]
    return jnp.asarray(numbers(ROWS, *shape), dtype)


@functools.cache
def variables(name: str) -> tuple[Any, Any]:
    return EVERY[name].layer.init(KEY, EVERY[name].shape)


def applied(name: str, training: bool = False):
    key = KEY if training else None
    return lambda params, state, x: EVERY[name].layer.apply(params, state, x, training=training, key=key)


def observed(name: str, training: bool):
    """Return a job: output, new state, and the gradients by parameters and input."""

    def loss(params, x, state):
        y, moved = applied(name, training)(params, state, x)
        return jnp.sum(jnp.sin(y)), (y, moved)

    def run(params, state, x):
        gradients, (y, moved) = jax.grad(loss, (0, 1), has_aux=True)(params, x, state)
        return y, moved, gradients

    return run


@functools.cache
def compiled() -> dict[Any, Any]:
    jobs = {}
    for name, example in EVERY.items():
        arrays = (*variables(name), batch(example.shape))
        first_row = (*variables(name), jax.tree.map(lambda leaf: leaf[:1], arrays[2]))
        jobs[name, "use"] = observed(name, False), arrays
        jobs[name, "use on one row"] = applied(name), first_row
        jobs[name, "training"] = observed(name, True), arrays
    return run_together(jobs)


@EVERY_EXAMPLE
def test_the_declared_shape_is_the_real_shape(name):
    example = EVERY[name]
    for moment in ("use", "training"):
        y, *_ = compiled()[name, moment]
        assert y.shape == (ROWS, *example.layer.output_shape(example.shape))


@EVERY_EXAMPLE
def test_declared_variables_are_the_real_variables(name):
    example = EVERY[name]
    declared = example.layer.parameters(example.shape), example.layer.statistics(example.shape)
    real = variables(name)
    for specification, arrays in zip(declared, real, strict=True):
        assert {key: parameter.shape for key, parameter in specification.items()} == {
            key: array.shape for key, array in arrays.items()
        }
        assert {array.dtype for array in arrays.values()} <= {jnp.dtype(jnp.float32)}
    _, moved, _ = compiled()[name, "training"]
    assert jax.tree.map(jnp.shape, moved) == jax.tree.map(jnp.shape, real[1])


@EVERY_EXAMPLE
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("training", [False, True])
def test_the_dtype_is_kept(name, dtype, training):
    example = EVERY[name]
    params, state = jax.tree.map(lambda leaf: leaf.astype(dtype), variables(name))
    y, moved = jax.eval_shape(applied(name, training), params, state, batch(example.shape, dtype))
    if not isinstance(example.layer, layers.Rescaling):  # whose work it is to make float32 of anything
        assert y.dtype == dtype
    assert {leaf.dtype for leaf in jax.tree.leaves(moved)} <= {jnp.dtype(dtype)}


@EVERY_EXAMPLE
@pytest.mark.parametrize("moment", ["use", "training"])
def test_gradients_are_finite_and_have_the_shapes_of_what_they_change(name, moment):
    _, _, (to_params, to_x) = compiled()[name, moment]
    expected = variables(name)[0], batch(EVERY[name].shape)
    assert jax.tree.map(jnp.shape, (to_params, to_x)) == jax.tree.map(jnp.shape, expected)
    for leaf in jax.tree.leaves((to_params, to_x)):
        assert np.isfinite(leaf).all()
    assert np.any([np.any(leaf) for leaf in jax.tree.leaves(to_x)])


@EVERY_EXAMPLE
def test_compiled_and_not_compiled_agree(name):
    x = batch(EVERY[name].shape)
    agree_all(applied(name)(*variables(name), x), compiled()[name, "use"][:2], LAYERS)


@EVERY_EXAMPLE
def test_a_row_does_not_depend_on_the_others_in_use(name):
    whole, alone = compiled()[name, "use"][0], compiled()[name, "use on one row"][0]
    agree(whole[:1], alone, LAYERS)


@EVERY_EXAMPLE
def test_use_changes_neither_fields_nor_arrays_nor_state(name):
    example = EVERY[name]
    before = copy.deepcopy(vars(example.layer))
    params, state = variables(name)
    x = batch(example.shape)
    _, kept = example.layer.apply(params, state, x, training=False, key=None)
    assert kept == state
    assert vars(example.layer) == before
    agree_all(x, batch(example.shape), EXACT)


@EVERY_EXAMPLE
def test_a_model_file_gives_the_layer_back(name, tmp_path):
    example = EVERY[name]
    shapes = example.shape if isinstance(example.shape, list) else [example.shape]
    inputs = [layers.Input(shape) for shape in shapes]
    model = Model(inputs, example.layer(inputs if len(inputs) > 1 else inputs[0]))
    model.set_weights([weights + np.float32(0.125) for weights in model.get_weights()])
    model.save(tmp_path / "one.convista")
    again = load_model(tmp_path / "one.convista")
    agree_all(again.get_weights(), model.get_weights(), EXACT)
    assert again.to_json() == model.to_json()
    assert [layer.to_config() for layer in again.layers] == [
        {**example.layer.to_config(), "name": model.layers[0].name}
    ]
    assert again.output_shape == model.output_shape == (None, *example.layer.output_shape(example.shape))


# They learn numbers for positions, whose number has to be known.
NEED_SIZES = {"GroupNormalization-1", "LayerNormalization-1"}


def has_positions(example: Example) -> bool:
    return len(example.shape[0] if isinstance(example.shape, list) else example.shape) > 1


@pytest.mark.parametrize("name", [name for name in EVERY if has_positions(EVERY[name]) and name not in NEED_SIZES])
def test_unknown_sizes_stay_unknown_and_the_known_ones_are_right(name):
    example = EVERY[name]
    many = isinstance(example.shape, list)
    shapes = example.shape if many else [example.shape]
    vague = [(*(None,) * (len(shape) - 1), shape[-1]) for shape in shapes]
    found = example.layer.output_shape(vague if many else vague[0])
    exact = example.layer.output_shape(example.shape)
    assert len(found) == len(exact)
    assert all(size in (None, known) for size, known in zip(found, exact, strict=True))


def test_the_battery_rejects_a_layer_that_lies():
    class Liar(layers.Layer):
        def output_shape(self, input_shape):
            return (*input_shape[:-1], 99)

        def apply(self, params, state, x, *, training, key):
            return x - jnp.mean(x, axis=0), state

    lying = {"Liar-0": Example(Liar())}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EVERY, "Liar-0", lying["Liar-0"])
        whole, _ = applied("Liar-0")({}, {}, batch(PICTURE))
        alone, _ = applied("Liar-0")({}, {}, batch(PICTURE)[:1])
    assert whole.shape != (ROWS, *lying["Liar-0"].layer.output_shape(PICTURE))
    with pytest.raises(AssertionError, match="apart"):
        agree(whole[:1], alone, LAYERS)
