"""Arguments of layers: what is refused and in which words, and what a file keeps of them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import layers
from convista.errors import ArgumentError
from convista.layers import (
    Activation,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    ZeroPadding2D,
)
from convista.layers.base import automatic_names, from_config, registered
from convista.ops import activation

SAME = {"padding": "same", "data_format": "channels_last", "activation": "relu", "use_bias": False}
CONVOLUTION = {
    "data_format": "channels_last",
    "groups": 3,
    "activation": "relu",
    "use_bias": False,
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
}
LAST = {"data_format": "channels_last", "seed": 3}
RANGED = {"value_range": (0.0, 1.0), "seed": 3}
MOVED = {**LAST, "fill_mode": "constant", "fill_value": 0.5, "interpolation": "nearest"}
SAME3 = {"filters": 2, "kernel_size": 3, "strides": (1, 2, 1), "padding": "same"}
TRANSPOSED = {**SAME, "kernel_initializer": "he_normal", "bias_initializer": "ones", "dilation_rate": 1}
DEPTHWISE = {
    **SAME,
    "depth_multiplier": 2,
    "depthwise_initializer": "he_normal",
    "bias_initializer": "ones",
    "dilation_rate": 1,
}
SCALING = {"center": False, "scale": False, "beta_initializer": "ones", "gamma_initializer": "zeros"}
NON_DEFAULT = {
    "Conv2D": [
        {
            "filters": 6,
            "kernel_size": (3, 2),
            "strides": [1, 2],
            "padding": "same",
            "data_format": "channels_last",
            "groups": 3,
            "activation": "relu",
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
            "name": "a",
            "input_shape": (8, 8, 3),
        },
        {"filters": 6, "kernel_size": 3, "dilation_rate": (2, 1), "activation": activation.gelu},
    ],
    "MaxPooling2D": [{"pool_size": (3, 2), "strides": 1, "padding": "same", "data_format": "channels_last"}],
    "AveragePooling2D": [{"pool_size": 3, "strides": (1, 2), "padding": "same", "data_format": "channels_last"}],
    "GlobalMaxPooling2D": [{"keepdims": True, "data_format": "channels_last"}],
    "GlobalAveragePooling2D": [{"keepdims": True, "data_format": "channels_last"}],
    "Conv1D": [{"filters": 6, "kernel_size": (3,), "strides": 2, "padding": "same", **CONVOLUTION, "dilation_rate": 1}],
    "Conv3D": [
        {"filters": 6, "kernel_size": (3, 2, 1), "dilation_rate": (2, 1, 1), **CONVOLUTION, "strides": 1},
        SAME3,
    ],
    "Conv1DTranspose": [{"filters": 6, "kernel_size": 3, "strides": 2, "output_padding": 1, **TRANSPOSED}],
    "Conv2DTranspose": [{"filters": 6, "kernel_size": 3, "strides": (2, 3), "output_padding": [1, 2], **TRANSPOSED}],
    "Conv3DTranspose": [{"filters": 6, "kernel_size": 3, "strides": 2, "output_padding": 1, **TRANSPOSED}],
    "DepthwiseConv1D": [{"kernel_size": 3, "strides": 2, **DEPTHWISE}],
    "DepthwiseConv2D": [{"kernel_size": (3, 2), "strides": 2, **DEPTHWISE}],
    "SeparableConv1D": [{"filters": 4, "kernel_size": 3, "strides": 2, "pointwise_initializer": "ones", **DEPTHWISE}],
    "SeparableConv2D": [{"filters": 4, "kernel_size": 3, "strides": 2, "pointwise_initializer": "ones", **DEPTHWISE}],
    **{
        f"{kind}Pooling{rank}D": [{"pool_size": 3, "strides": 1, "padding": "same", "data_format": "channels_last"}]
        for kind in ("Max", "Average", "Sum")
        for rank in (1, 3)
    },
    "SumPooling2D": [{"pool_size": 3, "strides": (1, 2), "padding": "same", "data_format": "channels_last"}],
    **{
        f"Global{kind}Pooling{rank}D": [{"keepdims": True, "data_format": "channels_last"}]
        for kind in ("Max", "Average")
        for rank in (1, 3)
    },
    "UpSampling1D": [{"size": 3}],
    "UpSampling2D": [{"size": (3, 1), "interpolation": "bilinear", "data_format": "channels_last"}],
    "UpSampling3D": [{"size": [3, 1, 2], "data_format": "channels_last"}],
    "ZeroPadding1D": [{"padding": (1, 0), "data_format": "channels_last"}],
    "ZeroPadding3D": [{"padding": ((1, 0), 2, (0, 3)), "data_format": "channels_last"}],
    "Cropping1D": [{"cropping": (1, 0)}],
    "Cropping2D": [{"cropping": ((1, 0), 2), "data_format": "channels_last"}],
    "Cropping3D": [{"cropping": 2, "data_format": "channels_last"}],
    "Permute": [{"dims": (2, 1)}, {"dims": [1, 3, 2]}],
    "SpatialDropout1D": [{"rate": 0.3, "seed": 4}],
    "SpatialDropout2D": [{"rate": 0.3, "seed": 4, "data_format": "channels_last"}],
    "SpatialDropout3D": [{"rate": 0.3, "seed": 4, "data_format": "channels_last"}],
    "GaussianNoise": [{"stddev": 0.3, "seed": 4}],
    "LayerNormalization": [{"axis": [1, 2], "epsilon": 0.1, **SCALING}],
    "GroupNormalization": [{"groups": 4, "axis": 1, "epsilon": 0.1, **SCALING}],
    "LeakyReLU": [{"negative_slope": 0.1}],
    "PReLU": [{"alpha_initializer": "ones", "shared_axes": (1, 2)}],
    "ELU": [{"alpha": 0.5}],
    "GELU": [{"approximate": True}],
    "SiLU": [{"name": "swish"}],
    "Subtract": [{"name": "difference"}],
    "Multiply": [{"name": "product"}],
    "Average": [{"name": "mean"}],
    "Maximum": [{"name": "largest"}],
    "Minimum": [{"name": "smallest"}],
    "Lambda": [
        {"function": "log1p", "arguments": None},
        {"function": "abs", "arguments": {"where": None, "pair": (1, 2.5)}},
    ],
    "Resizing": [
        {
            "height": 8,
            "width": 9,
            "interpolation": "nearest",
            "crop_to_aspect_ratio": True,
            "fill_mode": "constant",
            "antialias": True,
            "data_format": "channels_last",
        },
        {"height": 8, "width": 9, "pad_to_aspect_ratio": True, "fill_value": 0.5},
    ],
    "Normalization": [
        {"axis": (1, 3), "mean": ((0.5, 1.0), (2.0, 3.0)), "variance": ((1.0, 1.0), (2.0, 0.0)), "invert": True},
        {"axis": None, "mean": 1.0, "variance": 2.0},
    ],
    "Dense": [
        {"units": 3, "activation": "tanh", "use_bias": False, "kernel_initializer": "zeros", "bias_initializer": "ones"}
    ],
    "Filter2D": [{"kernel": "gaussian_blur", "size": 5, "sigma": 1.5, "padding": "reflect"}, {"kernel": "sobel"}],
    "Flatten": [{"name": "f"}],
    "Reshape": [{"target_shape": (2, -1)}],
    "Dropout": [{"rate": 0.3, "noise_shape": (None, 1, 1, 3), "seed": 4}],
    "BatchNormalization": [
        {
            "axis": 1,
            "momentum": 0.5,
            "epsilon": 0.1,
            "center": False,
            "scale": False,
            "beta_initializer": "ones",
            "gamma_initializer": "zeros",
            "moving_mean_initializer": "ones",
            "moving_variance_initializer": "zeros",
        }
    ],
    "Activation": [{"activation": "swish"}, {"activation": jnp.tanh}],
    "ReLU": [{"max_value": 6, "negative_slope": 0.1, "threshold": 0.5}],
    "Softmax": [{"axis": 1}],
    "ZeroPadding2D": [{"padding": ((1, 0), (2, 3)), "data_format": "channels_last"}, {"padding": [2, 1]}],
    "Add": [{"name": "sum"}],
    "Concatenate": [{"axis": 2}],
    "Rescaling": [{"scale": 2.0, "offset": -1.0}, {"scale": np.float32(0.5)}],
    "InputLayer": [{"shape": (8, None, 3), "name": "pictures"}],
    "RandomBrightness": [{"factor": (0.1, 0.2), **RANGED}],
    "RandomContrast": [{"factor": (0.1, 0.2), **RANGED}],
    "RandomSaturation": [{"factor": (0.3, 0.7), **RANGED, **LAST}],
    "RandomHue": [{"factor": (0.1, 0.2), **RANGED, **LAST}],
    "RandomGrayscale": [{"factor": 0.25, **LAST}],
    "RandomColorJitter": [
        {
            "brightness_factor": 0.1,
            "contrast_factor": 0.2,
            "saturation_factor": 0.3,
            "hue_factor": 0.4,
            **RANGED,
            **LAST,
        }
    ],
    "RandomErasing": [{"factor": 0.5, "scale": (0.1, 0.2), "fill_value": 0.5, **RANGED, **LAST}],
    "Cutout": [{"size": (4, 3), "fill_value": 0.5, "seed": 3}],
    "RandomRotation": [{"factor": (-0.1, 0.2), **MOVED}],
    "RandomTranslation": [{"height_factor": 0.1, "width_factor": (-0.1, 0.2), **MOVED}],
    "RandomZoom": [{"height_factor": 0.1, "width_factor": (-0.1, 0.2), **MOVED}],
    "RandomShear": [{"x_factor": 0.1, "y_factor": 0.2, **MOVED}],
    "RandomFlip": [{"mode": "horizontal", **LAST}],
    "RandomCrop": [{"height": 4, "width": 3, **LAST}],
    "RandomResizedCrop": [
        {"height": 4, "width": 3, "scale": (0.5, 1.0), "ratio": (0.9, 1.1), "interpolation": "nearest", "seed": 3}
    ],
    "RandomAffine": [
        {
            "rotation_range": 20.0,
            "width_shift_range": 0.1,
            "height_shift_range": 0.2,
            "shear_range": 5.0,
            "zoom_range": (0.8, 1.1),
            "fill_mode": "wrap",
            "cval": 0.5,
            "horizontal_flip": True,
            "vertical_flip": True,
            "interpolation": "nearest",
            "seed": 3,
        }
    ],
    "LayerScale": [{"init_values": 0.1, "trainable": False}],
    "StoredNormalization": [{}],
}


def plain(value):
    """What a file can keep of a value."""
    if callable(value):
        return activation.name_of(value)
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("kind", registered())
def test_every_argument_survives_a_file(kind):
    assert kind in NON_DEFAULT, f"add arguments other than the defaults of {kind} to NON_DEFAULT"
    for arguments in NON_DEFAULT[kind]:
        layer = registered()[kind](**arguments)
        assert {name: getattr(layer, name) for name in arguments} == arguments
        config = json.loads(json.dumps(layer.to_config()))
        again = from_config(kind, config)
        assert {item.name: plain(getattr(layer, item.name)) for item in dataclasses.fields(layer)} == {
            item.name: getattr(again, item.name) for item in dataclasses.fields(again)
        }
        assert again.to_config() == config


@pytest.mark.parametrize("kind", registered())
def test_together_the_arguments_of_the_round_trip_are_all_the_arguments(kind):
    given = set().union(*(arguments for arguments in NON_DEFAULT[kind]))
    missing = (
        {item.name for item in dataclasses.fields(registered()[kind])} - given - {"name", "input_shape", "trainable"}
    )
    assert not missing, f"add {', '.join(sorted(missing))} to NON_DEFAULT[{kind!r}]"


def test_defaults_are_not_written():
    assert Conv2D(8, 3).to_config() == {"filters": 8, "kernel_size": 3}


def test_whole_numbers_of_numpy_become_ordinary_ones_in_shapes():
    shapes = [
        Conv2D(np.int64(8), np.int32(3)).output_shape((6, 6, 1)),
        Dense(np.int64(8)).output_shape((3,)),
        Reshape((np.int64(3), -1)).output_shape((6, 2)),
        ZeroPadding2D(np.int64(1)).output_shape((6, 6, 1)),
    ]
    assert str(shapes) == "[(4, 4, 8), (8,), (3, 4), (8, 8, 1)]"


def test_automatic_names():
    chain = [Conv2D(1, 1), MaxPooling2D(), Conv2D(1, 1), BatchNormalization(), GlobalMaxPooling2D(), ReLU(), ReLU()]
    assert automatic_names(chain) == [
        "conv2d",
        "max_pooling2d",
        "conv2d_1",
        "batch_normalization",
        "global_max_pooling2d",
        "re_lu",
        "re_lu_1",
    ]
    assert automatic_names([Conv2D(1, 1), Conv2D(1, 1, name="conv2d"), Conv2D(1, 1)]) == [
        "conv2d_1",
        "conv2d",
        "conv2d_2",
    ]


def test_what_keras_has_by_default_is_accepted_and_dropped():
    plain = {"kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None}
    assert Dense(3, **plain, kernel_constraint=None, bias_constraint=None, trainable=True, dtype=None) == Dense(3)
    assert Flatten(dtype="float32") == Flatten()


def test_a_checked_class_is_an_ordinary_dataclass():
    layer = Conv2D(8, 3, padding="same")
    for again in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer), dataclasses.replace(layer)):  # noqa: S301
        assert again == layer
    assert list(inspect.signature(Dense).parameters)[:2] == ["units", "activation"]
    assert [item.name for item in dataclasses.fields(Dense)][:4] == ["name", "input_shape", "trainable", "units"]


KEY = jax.random.key(0)
MESSAGES = [
    (
        lambda: Conv2D(8, kernal_size=3),
        "Conv2D: there is no argument 'kernal_size'. Received kernal_size=3. Did you mean 'kernel_size'?",
    ),
    (
        lambda: Dense(3, kernel_regularizer="l2"),
        "Dense: Keras has kernel_regularizer; Convista does not have it yet. Received kernel_regularizer='l2'. "
        "Let the optimizer shrink the weights: Adam(weight_decay=0.004).",
    ),
    (
        lambda: Conv2D(8, 3, kernel_constraint="max_norm"),
        "Conv2D: Keras has kernel_constraint; Convista does not have it yet. Received kernel_constraint='max_norm'. "
        "Leave kernel_constraint out.",
    ),
    (
        lambda: Conv2D(8, 3, dtype="float16"),
        "Conv2D: Keras has dtype; Convista does not have it yet. Received dtype='float16'. "
        "Leave dtype out: layers compute in float32.",
    ),
    (
        lambda: Dense(2, trainable=0),
        "Dense: trainable is True or False. Received trainable=0.",
    ),
    (lambda: Dense(2, input_dim=4), "Dense: input_dim is an old name. Received input_dim=4. Write input_shape=(4,)."),
    (
        lambda: Flatten(kernel_regularizer=None),
        "Flatten: there is no argument 'kernel_regularizer'. Received kernel_regularizer=None. "
        "Known: input_shape, name, trainable.",
    ),
    (lambda: Conv2D(8), "Conv2D: kernel_size is needed. Received only filters. Write Conv2D(kernel_size=…)."),
    (
        lambda: Dense(2, units=3),
        "Dense: units is given once. Received 2 in its place and units=3. Keep one of them.",
    ),
    (
        lambda: MaxPooling2D(2, 2, "same", None, "pool"),
        "MaxPooling2D: the arguments without a name are pool_size, strides, padding, data_format. "
        "Received one more: 'pool'. Give the others by name: name, input_shape, trainable.",
    ),
    (lambda: Conv2D(0, 3), "Conv2D: filters is a whole number of at least 1. Received filters=0."),
    (
        lambda: Conv2D(8, (3, 3, 3), name="a"),
        "Conv2D 'a': kernel_size is one whole number or 2 of them, each at least 1. Received kernel_size=(3, 3, 3). "
        "For example kernel_size=2 or kernel_size=(2, 2).",
    ),
    (
        lambda: Conv2D(8, 3, padding="smae"),
        "Conv2D: padding is 'valid' or 'same'. Received padding='smae'. Did you mean 'same'?",
    ),
    (
        lambda: Conv2D(8, 3, activation="rleu"),
        "Conv2D: activation is the name of a known function or a function. Received activation='rleu'. "
        "Did you mean 'relu'?",
    ),
    (
        lambda: Conv2D(8, 3, data_format="channels_first"),
        "Conv2D: the channels are last: (batch, height, width, channels). Received data_format='channels_first'. "
        "Leave data_format out and move the axis once: x.transpose(0, 2, 3, 1).",
    ),
    (lambda: Conv2D(8, 3, groups=3), "Conv2D: groups divides filters. Received filters=8, groups=3."),
    (
        lambda: Conv2D(8, 3, strides=(1, 2), dilation_rate=2),
        "Conv2D: strides and dilation_rate are not both above 1. Received strides=(1, 2), dilation_rate=2. "
        "Set one of them to 1.",
    ),
    (lambda: Conv2D(8, 3, name=5), "Conv2D: name is a text. Received name=5."),
    (
        lambda: Conv2D(8, 3, input_shape=(28, -1, 1)),
        "Conv2D: input_shape is a tuple of whole numbers of at least 1, without the batch axis. "
        "Received input_shape=(28, -1, 1). For grey 28×28 pictures write input_shape=(28, 28, 1).",
    ),
    (
        lambda: MaxPooling2D(0),
        "MaxPooling2D: pool_size is one whole number or 2 of them, each at least 1. Received pool_size=0. "
        "For example pool_size=2 or pool_size=(2, 2).",
    ),
    (lambda: Dense("10"), "Dense: units is a whole number of at least 1. Received units='10'."),
    (
        lambda: Dropout(20),
        "Dropout: rate is a fraction at least 0 and below 1. Received rate=20. For example rate=0.2.",
    ),
    (
        lambda: Dropout(0.5, noise_shape=(None, 0)),
        "Dropout: noise_shape is a tuple of whole numbers of at least 1, without the batch axis. "
        "Received noise_shape=(None, 0). For grey 28×28 pictures write noise_shape=(28, 28, 1).",
    ),
    (
        lambda: Dropout(0.5, name="d").apply({}, {}, jnp.ones(3), training=True, key=None),
        "Dropout 'd': dropout draws random numbers while training. Received key=None. "
        "Pass key=jax.random.key(0), another key for each step.",
    ),
    (lambda: ReLU(negative_slope=-1), "ReLU: negative_slope is at least 0. Received negative_slope=-1."),
    (lambda: ReLU(max_value="6"), "ReLU: max_value is a finite number. Received max_value='6'."),
    (lambda: ReLU(threshold=None), "ReLU: threshold is a finite number. Received threshold=None."),
    (lambda: Softmax(axis=None), "Softmax: axis is a whole number. Received axis=None."),
    (lambda: Concatenate(axis=1.0), "Concatenate: axis is a whole number. Received axis=1.0."),
    (lambda: BatchNormalization(epsilon=0), "BatchNormalization: epsilon is above 0. Received epsilon=0."),
    (
        lambda: BatchNormalization(momentum=99),
        "BatchNormalization: momentum is a fraction between 0 and 1. Received momentum=99. For example momentum=0.99.",
    ),
    (lambda: BatchNormalization(axis=[3]), "BatchNormalization: axis is a whole number. Received axis=[3]."),
    (lambda: Rescaling("1/255"), "Rescaling: scale is a finite number. Received scale='1/255'."),
    (
        lambda: Reshape((-1, -1)),
        "Reshape: target_shape is a tuple of whole numbers of at least 1, at most one of them −1. "
        "Received target_shape=(-1, -1). For example target_shape=(14, 14, -1).",
    ),
    (
        lambda: Reshape(None),
        "Reshape: target_shape is a tuple of whole numbers of at least 1, at most one of them −1. "
        "Received target_shape=None. For example target_shape=(14, 14, -1).",
    ),
    (
        lambda: ZeroPadding2D((1, 2, 3)),
        "ZeroPadding2D: padding is a number, two numbers or two pairs. Received padding=(1, 2, 3). "
        "For example padding=((1, 0), (2, 2)).",
    ),
    (
        lambda: layers.ZeroPadding1D((1, 2, 3)),
        "ZeroPadding1D: padding is one whole number or 2 of them, each at least 0. Received padding=(1, 2, 3). "
        "For example padding=2 or padding=(2, 2).",
    ),
    (
        lambda: layers.Cropping3D((1, 2)),
        "Cropping3D: cropping is a number, three numbers or three pairs. Received cropping=(1, 2). "
        "For example cropping=((1, 0), (2, 2), (0, 1)).",
    ),
    (
        lambda: layers.Conv2DTranspose(3, 2, strides=2, output_padding=2),
        "Conv2DTranspose: output_padding is below strides: it chooses among the sizes that a stride brings to one. "
        "Received output_padding=2, strides=2. More zeros around the result come from ZeroPadding.",
    ),
    (
        lambda: layers.Conv1D(8, 3, data_format="channels_first"),
        "Conv1D: the channels are last: (batch, length, channels). Received data_format='channels_first'. "
        "Leave data_format out and move the axis once: x.transpose(0, 2, 1).",
    ),
    (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
        "DepthwiseConv2D: depth_multiplier is a whole number of at least 1. Received depth_multiplier=0.",
    ),
    (
        lambda: layers.SeparableConv2D(3, 3, pointwise_regularizer="l2"),
        "SeparableConv2D: Keras has pointwise_regularizer; Convista does not have it yet. "
        "Received pointwise_regularizer='l2'. Let the optimizer shrink the weights: Adam(weight_decay=0.004).",
    ),
    (
        lambda: layers.UpSampling2D(2, interpolation="linear"),
        "UpSampling2D: interpolation is 'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5'. "
        "Received interpolation='linear'. Did you mean 'bilinear'?",
    ),
    (
        lambda: layers.Permute((0, 1)),
        "Permute: dims names each axis of an example once, counted from 1. Received dims=(0, 1). "
        "Channels first become channels last with dims=(2, 3, 1).",
    ),
    (
        lambda: layers.LeakyReLU(alpha=0.1),
        "LeakyReLU: alpha is called negative_slope, as in Keras 3. Received alpha=0.1. Write negative_slope=0.1.",
    ),
    (lambda: layers.LeakyReLU(-0.1), "LeakyReLU: negative_slope is at least 0. Received negative_slope=-0.1."),
    (lambda: layers.GaussianNoise(-1), "GaussianNoise: stddev is at least 0. Received stddev=-1."),
    (
        lambda: layers.GaussianNoise(0.1, name="n").apply({}, {}, jnp.ones(3), training=True, key=None),
        "GaussianNoise 'n': noise draws random numbers while training. Received key=None. "
        "Pass key=jax.random.key(0), another key for each step.",
    ),
    (
        lambda: layers.GroupNormalization(0),
        "GroupNormalization: groups is at least 1, or −1 for all channels. Received groups=0.",
    ),
    (
        lambda: layers.PReLU(shared_axes=0),
        "PReLU: shared_axes is a whole number of at least 1. Received shared_axes=0.",
    ),
    (
        lambda: Activation("soft-max"),
        "Activation: activation is the name of a known function or a function. Received activation='soft-max'. "
        "Did you mean 'softmax'?",
    ),
    (
        lambda: Input(),
        "Input takes the shape of one example. Received shape=None, batch_shape=None. "
        "For grey 28×28 pictures write Input(shape=(28, 28, 1)).",
    ),
    (
        lambda: from_config("Conv2d", {}),
        "a layer is of a registered class. Received 'Conv2d'. Did you mean 'Conv2D'?",
    ),
    (
        lambda: from_config("Flatten", {"nmae": "a"}),
        "Flatten has the fields input_shape, name, trainable. Received 'nmae'. Did you mean 'name'?",
    ),
    (
        lambda: automatic_names([Conv2D(1, 1, name="a"), Dense(1, name="a")]),
        "each layer of a model has a name of its own. Received name='a' twice. Rename one.",
    ),
    (
        lambda: Dense(1, activation=jnp.sin, name="d").to_config(),
        "Dense 'd': a saved model holds names, not functions of your own. Received activation=sin. "
        f"Give activation by name: {', '.join(activation.FUNCTIONS)}.",
    ),
    (
        lambda: Dense(1, kernel_initializer=max).to_config(),
        "Dense: a saved model holds names, not functions of your own. Received kernel_initializer=max. "
        f"Give kernel_initializer by name: {', '.join(layers.initializers.FUNCTIONS)}.",
    ),
]


@pytest.mark.parametrize(("call", "message"), MESSAGES, ids=[message[:40] for _, message in MESSAGES])
def test_messages(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message
