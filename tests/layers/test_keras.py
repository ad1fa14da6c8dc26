"""Every layer against Keras: outputs, gradients by input and by parameters, moved statistics."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import layers
from convista.layers.augmentation import Augmentation
from convista.layers.base import registered
from oracles.compare import LAYERS, agree_all, numbers, output_gradient, run_together
from oracles.keras_oracle import keras, pure

PICTURE = (6, 7, 4)
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {}


def case(kind: str, shape: Any = PICTURE, **arguments: Any) -> None:
    text = ",".join(f"{name}={value}" for name, value in arguments.items())
    CASES[f"{kind}({text})@{shape}"] = kind, arguments, shape


def conv(**arguments: Any) -> None:
    case("Conv2D", **{"filters": 4, "kernel_size": 3, **arguments})


for padding in ("valid", "same"):
    for size in (1, 2, 3, (1, 4)):
        conv(kernel_size=size, padding=padding)
    for strides in (2, (2, 3)):
        conv(kernel_size=(3, 2), strides=strides, padding=padding)
    conv(kernel_size=(3, 2), dilation_rate=(2, 3), padding=padding)
    conv(groups=2, padding=padding, strides=2)
    conv(kernel_size=3, shape=(5, 6, 1), padding=padding, strides=(2, 3))
    for size, strides in ((2, None), ((3, 2), None), (3, 2), (2, 3), ((2, 3), (1, 2))):
        case("MaxPooling2D", pool_size=size, strides=strides, padding=padding)
        case("AveragePooling2D", pool_size=size, strides=strides, padding=padding)
conv(use_bias=False)
conv(padding="SAME", groups=4)
for name in ("relu", "tanh", "softmax"):
    conv(activation=name)
    case("Dense", shape=(5,), units=3, activation=name)
case("Dense", shape=(5,), units=3, use_bias=False)
case("Dense", shape=(3, 4, 5), units=2, activation="sigmoid")
for keepdims in (False, True):
    case("GlobalMaxPooling2D", keepdims=keepdims)
    case("GlobalAveragePooling2D", keepdims=keepdims)
for arguments in ({}, {"center": False}, {"scale": False}, {"center": False, "scale": False}):
    case("BatchNormalization", **arguments)
case("BatchNormalization", axis=1)
case("BatchNormalization", axis=2, momentum=0.5, epsilon=0.1)
case("BatchNormalization", shape=(5,))
for arguments in (
    {},
    {"max_value": 0.5},
    {"negative_slope": 0.1},
    {"threshold": 0.4},
    {"max_value": 1.0, "negative_slope": 0.3, "threshold": 0.2},
    {"max_value": 6.0},
):
    case("ReLU", **arguments)
for axis in (-1, 1, 2, 3):
    case("Softmax", axis=axis)
for name in ("relu", "gelu", "softmax", "swish", "linear"):
    case("Activation", activation=name)
for padding in (1, 0, (2, 1), ((1, 0), (2, 3))):
    case("ZeroPadding2D", padding=padding)
case("Flatten")
case("Flatten", shape=(5,))
for target in ((7, 24), (4, -1), (-1,), (2, 3, 28), (7, 6, 4)):
    case("Reshape", target_shape=target)
case("Rescaling", scale=1 / 255)
case("Rescaling", scale=2.0, offset=-1.0)
case("Dropout", rate=0.0)
case("Add", shape=[PICTURE, PICTURE])
case("Add", shape=[PICTURE, (1, 1, 4), (6, 7, 1)])
for axis in (-1, 1, 2, 3, -2):
    case("Concatenate", shape=[PICTURE, PICTURE, PICTURE], axis=axis)
case("Concatenate", shape=[(3, 3, 1), (3, 3, 5)])
SEQUENCE, VOLUME = (9, 4), (4, 5, 3, 2)
for padding in ("valid", "same"):
    for arguments in ({}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}, {"kernel_size": 2, "strides": 3}):
        case("Conv1D", SEQUENCE, **{"filters": 4, "kernel_size": 3, "padding": padding, **arguments})
    for arguments in ({}, {"strides": (1, 2, 1)}, {"dilation_rate": (2, 1, 1)}, {"groups": 2}):
        case("Conv3D", VOLUME, **{"filters": 4, "kernel_size": (2, 3, 2), "padding": padding, **arguments})
    for size, strides, extra in ((3, 1, None), (2, 2, 1), ((3, 2), (2, 3), None), (1, 3, 0), (4, 2, None), (5, 2, 1)):
        transposed = {"filters": 3, "kernel_size": size, "strides": strides, "padding": padding}
        case("Conv2DTranspose", **transposed, output_padding=extra)
    case("Conv2DTranspose", filters=3, kernel_size=(2, 3), dilation_rate=(2, 1), padding=padding)
    case("Conv2DTranspose", filters=3, kernel_size=3, strides=3, output_padding=(2, 1), padding=padding)
    for size, strides, extra in ((3, 2, None), (2, 3, 1), (2, 3, None), (4, 1, 0)):
        transposed = {"filters": 3, "kernel_size": size, "strides": strides, "padding": padding}
        case("Conv1DTranspose", SEQUENCE, **transposed, output_padding=extra)
    case("Conv3DTranspose", VOLUME, filters=3, kernel_size=(2, 3, 2), strides=(2, 1, 3), padding=padding)
    case("Conv3DTranspose", VOLUME, filters=3, kernel_size=3, strides=2, output_padding=(1, 0, 1), padding=padding)
    for arguments in ({}, {"strides": (2, 3)}, {"depth_multiplier": 3}, {"dilation_rate": 2}, {"kernel_size": (1, 2)}):
        case("DepthwiseConv2D", **{"kernel_size": 3, "padding": padding, **arguments})
        case("SeparableConv2D", **{"filters": 5, "kernel_size": 3, "padding": padding, **arguments})
    for arguments in ({}, {"strides": 2}, {"depth_multiplier": 2}, {"dilation_rate": 2}):
        case("DepthwiseConv1D", SEQUENCE, **{"kernel_size": 3, "padding": padding, **arguments})
        case("SeparableConv1D", SEQUENCE, **{"filters": 5, "kernel_size": 3, "padding": padding, **arguments})
    for kind in ("MaxPooling", "AveragePooling"):
        for size, strides in ((2, None), (3, 1), (2, 3)):
            case(f"{kind}1D", SEQUENCE, pool_size=size, strides=strides, padding=padding)
            case(f"{kind}3D", VOLUME, pool_size=size, strides=strides, padding=padding)
        case(f"{kind}3D", VOLUME, pool_size=(1, 2, 3), strides=(2, 1, 1), padding=padding)
case("Conv2DTranspose", filters=3, kernel_size=3, use_bias=False, activation="relu")
case("DepthwiseConv2D", kernel_size=3, use_bias=False, activation="relu")
case("SeparableConv2D", filters=3, kernel_size=3, use_bias=False, activation="relu")
for keepdims in (False, True):
    for kind in ("GlobalMaxPooling", "GlobalAveragePooling"):
        case(f"{kind}1D", SEQUENCE, keepdims=keepdims)
        case(f"{kind}3D", VOLUME, keepdims=keepdims)
case("UpSampling1D", SEQUENCE, size=3)
for size in (2, (3, 1)):
    case("UpSampling2D", size=size)
    for interpolation in ("bilinear", "bicubic", "lanczos3", "lanczos5"):
        case("UpSampling2D", size=size, interpolation=interpolation)
case("UpSampling3D", VOLUME, size=(2, 1, 3))
for padding in (1, (2, 0)):
    case("ZeroPadding1D", SEQUENCE, padding=padding)
    case("Cropping1D", SEQUENCE, cropping=padding)
for padding in (1, (0, 1, 1), ((1, 0), (2, 1), (0, 1))):
    case("ZeroPadding3D", VOLUME, padding=padding)
for cropping in (0, (1, 2), ((1, 0), (0, 3))):
    case("Cropping2D", cropping=cropping)
for cropping in (1, (1, 2, 0), ((1, 0), (2, 1), (0, 1))):
    case("Cropping3D", VOLUME, cropping=cropping)
for dims in ((3, 1, 2), (2, 1, 3)):
    case("Permute", dims=dims)
for kind in ("Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    case(kind, shape=[PICTURE, PICTURE])
    case(kind, shape=[PICTURE, (1, 1, 4)])
for kind in ("Multiply", "Average", "Maximum", "Minimum"):
    case(kind, shape=[PICTURE, PICTURE, PICTURE])
for arguments in ({}, {"negative_slope": 0.1}):
    case("LeakyReLU", **arguments)
for arguments in ({}, {"shared_axes": (1, 2)}, {"shared_axes": 3}):
    case("PReLU", **arguments)
for arguments in ({}, {"alpha": 0.5}):
    case("ELU", **arguments)
for rank, shape in ((1, SEQUENCE), (2, PICTURE), (3, VOLUME)):
    case(f"SpatialDropout{rank}D", shape, rate=0.0)
case("GaussianNoise", stddev=0.0)
for arguments in ({}, {"axis": (1, 2, 3)}, {"axis": [1]}, {"axis": -2}, {"center": False, "epsilon": 0.1}):
    case("LayerNormalization", **arguments)
case("LayerNormalization", scale=False, shape=(5,))
for arguments in (
    {"groups": 2},
    {"groups": 1, "center": False},
    {"groups": -1, "scale": False},
    {"groups": 3, "axis": 1},
):
    case("GroupNormalization", **arguments)
case("GroupNormalization", groups=2, shape=SEQUENCE)
for mean, variance in ((0.5, 2.0), ((0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 0.0, 4.0))):
    for invert in (False, True):
        case("Normalization", mean=mean, variance=variance, invert=invert)
case("Normalization", axis=1, mean=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), variance=(1.0,) * 6)
case("Normalization", axis=None, mean=1.0, variance=4.0)
for arguments in (
    {},
    {"interpolation": "nearest"},
    {"interpolation": "bicubic", "antialias": True},
    {"antialias": True},
):
    case("Resizing", height=4, width=9, **arguments)
for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio"):
    case("Resizing", height=8, width=3, **{name: True})
    case("Resizing", height=3, width=8, **{name: True})
case("Resizing", height=8, width=2, pad_to_aspect_ratio=True, fill_value=0.5)

BATCH = 5


def inputs(shape: Any) -> Any:
    if isinstance(shape, list):
        return [numbers(BATCH, *sizes, seed=place) for place, sizes in enumerate(shape)]
    return numbers(BATCH, *shape)


def observed(apply: Any) -> Any:
    """Return a job: output, new state, and gradients by parameters and input."""

    def run(params, state, x):
        y, pull, moved = jax.vjp(lambda params, x: apply(params, state, x), params, x, has_aux=True)
        to_params, to_x = pull(jnp.asarray(output_gradient(y.shape)))
        return {"y": y, "state": moved, "params": to_params, "x": to_x}

    return run


def results(name: str) -> dict[Any, Any]:
    return of_kind(CASES[name][0])


@functools.cache
def of_kind(wanted: str) -> dict[Any, Any]:
    jobs = {}
    for name, (kind, arguments, shape) in CASES.items():
        if kind != wanted:
            continue
        ours, theirs = getattr(layers, kind)(**arguments), getattr(keras.layers, kind)(**arguments)
        theirs.build([(None, *sizes) for sizes in shape] if isinstance(shape, list) else (None, *shape))
        groups = ours.parameters(shape), ours.statistics(shape)
        params, state = (
            {key: abs(numbers(*parameter.shape, seed=9)) + np.float32(0.1) for key, parameter in group.items()}
            for group in groups
        )
        for training in (False, True):
            apply = functools.partial(ours.apply, training=training, key=None)
            jobs[name, training, "ours"] = observed(apply), (params, state, inputs(shape))
            if training and not ours.uses_mask:  # nothing else that is compared here knows about training
                del jobs[name, training, "ours"]
                continue
            jobs[name, training, "keras"] = observed(pure(theirs, training)), (params, state, inputs(shape))
    return run_together(jobs)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_are_those_of_keras(name):
    agree_all(results(name)[name, False, "ours"], results(name)[name, False, "keras"], LAYERS)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("BatchNormalization")])
def test_training_and_moved_statistics_are_those_of_keras(name):
    ours, theirs = results(name)[name, True, "ours"], results(name)[name, True, "keras"]
    agree_all(ours, theirs, LAYERS)
    with pytest.raises(AssertionError):
        agree_all(ours, results(name)[name, False, "keras"], LAYERS)


@pytest.mark.parametrize("name", CASES)
def test_declared_shapes_and_parameters_are_those_of_keras(name):
    kind, arguments, shape = CASES[name]
    ours, theirs = getattr(layers, kind)(**arguments), getattr(keras.layers, kind)(**arguments)
    many = isinstance(shape, list)
    full = [(None, *sizes) for sizes in shape] if many else (None, *shape)
    assert (None, *ours.output_shape(shape)) == tuple(theirs.compute_output_shape(full))
    theirs.build(full)
    found = {name: parameter.shape for name, parameter in {**ours.parameters(shape), **ours.statistics(shape)}.items()}
    wanted = {variable.name: variable.shape for variable in theirs.variables}
    assert found == wanted


def test_every_layer_is_compared_with_keras():
    compared = {kind for kind, _, _ in CASES.values()}
    missing = set(registered()) - compared - {"InputLayer", "Lambda"}  # Lambda is what its function is
    # Pictures that are changed at random are compared map by map, in test_warping and test_coloring.
    drawn = {name for name, kind in registered().items() if issubclass(kind, Augmentation)}
    missing = {name for name in missing - drawn if hasattr(keras.layers, name)}
    assert not missing, f"add a case for {', '.join(sorted(missing))} to CASES"


def test_the_comparison_rejects_a_layer_with_another_argument():
    names = [name for name in CASES if name.startswith("ReLU")]
    with pytest.raises(AssertionError, match="apart"):
        agree_all(results(names[0])[names[0], False, "ours"], results(names[2])[names[2], False, "keras"], LAYERS)


# What a constructor needs; whatever else it takes has a default.
REQUIRED: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AveragePooling2D": {"pool_size": 2},  # Keras gives 2 to max pooling only
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling3D": {"pool_size": 2},
    **{f"Conv{rank}D{suffix}": {"filters": 4, "kernel_size": 3} for rank in (1, 2, 3) for suffix in ("", "Transpose")},
    **{f"DepthwiseConv{rank}D": {"kernel_size": 3} for rank in (1, 2)},
    **{f"SeparableConv{rank}D": {"filters": 4, "kernel_size": 3} for rank in (1, 2)},
    "Dense": {"units": 3},
    "Dropout": {"rate": 0.2},
    "GaussianNoise": {"stddev": 0.1},
    "Permute": {"dims": (2, 1, 3)},
    "Rescaling": {"scale": 2.0},
    "Resizing": {"height": 4, "width": 5},
    **{f"SpatialDropout{rank}D": {"rate": 0.2} for rank in (1, 2, 3)},
    "Reshape": {"target_shape": (3, -1)},
}


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in CASES.values()}))
def test_defaults_are_those_of_keras(kind):
    ours, theirs = getattr(layers, kind), getattr(keras.layers, kind)
    given = {
        item.name: getattr(ours(**REQUIRED.get(kind, {})), item.name)
        for item in dataclasses.fields(ours)
        if item.name not in ("name", "input_shape")
        # Keras's SpatialDropout takes none.
        and (item.name != "trainable" or not kind.startswith("SpatialDropout"))
    }
    assert theirs(**given, name="a").get_config() == theirs(**REQUIRED.get(kind, {}), name="a").get_config()


def test_every_argument_of_keras_is_taken_or_named():
    # Input makes InputLayer, so nobody writes the arguments of Keras's.
    for name, kind in registered().items():
        if hasattr(keras.layers, name) and name != "InputLayer":
            theirs = set(inspect.signature(getattr(keras.layers, name).__init__).parameters) - {"self", "kwargs"}
            ours = set(inspect.signature(kind).parameters)
            absent = {key for key, value in kind.absent_arguments.items() if value.beside in (None, *ours)}
            assert theirs <= ours | absent, name
