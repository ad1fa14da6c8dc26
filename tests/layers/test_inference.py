"""Messages about shapes, whole; and every change that a message proposes is made and works."""

from __future__ import annotations

import dataclasses
import re

import jax.numpy as jnp
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convista import Model, Sequential
from convista.errors import ShapeError
from convista.layers import (
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Cropping1D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GroupNormalization,
    Input,
    Lambda,
    Layer,
    LayerNormalization,
    MaxPooling2D,
    MaxPooling3D,
    Normalization,
    Permute,
    PReLU,
    Reshape,
    SeparableConv2D,
    Softmax,
    Subtract,
    UpSampling2D,
)
from convista.layers.inference import Node, infer
from convista.layers.input import InputLayer


def deep() -> list:
    convolutions = [Conv2D(filters, 3, activation="relu") for filters in (32, 64, 64)]
    return [Input((28, 28, 1)), *(layer for c in convolutions for layer in (c, MaxPooling2D())), Conv2D(64, 3)]


def branches(merge: Layer) -> None:
    x = Input((8, 8, 3))
    merge([Conv2D(4, 3)(x), Conv2D(4, 5)(x)])


def unet(up: Layer) -> None:
    x = Input((15, 15, 4))
    Add()([x, up(MaxPooling2D(2)(x))])


MESSAGES = {
    "the design's example": (
        lambda: Sequential(deep()),
        "Conv2D 'conv2d_3': a 3×3 kernel does not fit a 1×1 input (28→26→13→11→5→3→1; "
        "output_h = (1 + 2·0 − 3) // 1 + 1 = −1). Received input_shape=(1, 1, 64). "
        "Use padding=\"same\" in 'conv2d_3' or drop 'max_pooling2d_2'.",
    ),
    "a height and a width": (
        lambda: Sequential([Input((5, 40, 1)), Conv2D(4, 3), Conv2D(4, 3), Conv2D(4, (3, 1), strides=2)]),
        "Conv2D 'conv2d_2': a 3×1 kernel does not fit a 1×36 input (5×40→3×38→1×36; "
        "output_h = (1 + 2·0 − 3) // 2 + 1 = 0). Received input_shape=(1, 36, 4). "
        'Use padding="same" in \'conv2d_2\' or use padding="same" in every convolution.',
    ),
    "the width alone": (
        lambda: Sequential([Input((9, 2, 1)), Conv2D(4, 3)]),
        "Conv2D 'conv2d': a 3×3 kernel does not fit a 9×2 input (output_w = (2 + 2·0 − 3) // 1 + 1 = 0). "
        "Received input_shape=(9, 2, 1). Use padding=\"same\" in 'conv2d' or give inputs of at least 9×3.",
    ),
    "dilation": (
        lambda: Sequential([Input((10, 10, 1)), Conv2D(4, 3, dilation_rate=5)]),
        "Conv2D 'conv2d': a 3×3 kernel (spanning 11×11 with its dilation) does not fit a 10×10 input "
        "(output_h = (10 + 2·0 − 11) // 1 + 1 = 0). Received input_shape=(10, 10, 1). "
        "Use padding=\"same\" in 'conv2d' or give inputs of at least 11×11.",
    ),
    "pooling": (
        lambda: Sequential([Input((6, 6, 1)), Conv2D(4, 3), MaxPooling2D(5)]),
        "MaxPooling2D 'max_pooling2d': a 5×5 window does not fit a 4×4 input (6→4; "
        "output_h = (4 + 2·0 − 5) // 5 + 1 = 0). Received input_shape=(4, 4, 4). "
        "Use padding=\"same\" in 'max_pooling2d' or drop 'max_pooling2d'.",
    ),
    "no channel axis": (
        lambda: Sequential([Conv2D(4, 3, input_shape=(28, 28))]),
        "Conv2D 'conv2d': one input is (height, width, channels). Received input_shape=(28, 28). "
        "Give the input its channel axis: shape (28, 28, 1), and x[..., None] for the data.",
    ),
    "the batch axis": (
        lambda: Sequential([Conv2D(4, 3, input_shape=(32, 28, 28, 1))]),
        "Conv2D 'conv2d': one input is (height, width, channels). Received input_shape=(32, 28, 28, 1). "
        "Leave the batch axis out: shape (28, 28, 1).",
    ),
    "rows instead of pictures": (
        lambda: Sequential([Conv2D(4, 3, input_shape=(784,))]),
        "Conv2D 'conv2d': one input is (height, width, channels). Received input_shape=(784,). "
        "Give the input the shape of its pictures: shape (28, 28, 1), and x.reshape(-1, 28, 28, 1) for the data.",
    ),
    "a convolution after Flatten": (
        lambda: Sequential([Input((28, 28, 1)), Flatten(), Conv2D(4, 3)]),
        "Conv2D 'conv2d': one input is (height, width, channels) (28→784). Received input_shape=(784,). "
        "Drop 'flatten'.",
    ),
    "Reshape without channels": (
        lambda: Sequential([Input((784,)), Reshape((28, 28)), Conv2D(4, 3)]),
        "Conv2D 'conv2d': one input is (height, width, channels) (784→28). Received input_shape=(28, 28). "
        "Give 'reshape' a channel axis: target_shape=(28, 28, 1).",
    ),
    "Reshape to another number of values": (
        lambda: Sequential([Input((28, 28, 1)), Conv2D(4, 3), Reshape((10, 10))]),
        "Reshape 'reshape': the new shape 10×10 takes 10×10 = 100 values, and 26×26×4 = 2704 come in (28→26). "
        "Received input_shape=(26, 26, 4), target_shape=(10, 10).",
    ),
    "Reshape that leaves a rest": (
        lambda: Sequential([Input((28, 28, 1)), Reshape((10, -1))]),
        "Reshape 'reshape': the new shape 10×? takes a multiple of 10 values, and 28×28×1 = 784 come in. "
        "Received input_shape=(28, 28, 1), target_shape=(10, -1).",
    ),
    "Dense on an unknown size": (
        lambda: Sequential([Input((None, None, 1)), Conv2D(4, 3), Flatten(), Dense(3)]),
        "Dense 'dense': the size of the last axis is known (?×?→?). Received input_shape=(None,). "
        "Put GlobalAveragePooling2D in place of 'flatten'.",
    ),
    "Add of two sizes": (
        lambda: branches(Add()),
        "Add 'add': the inputs have one shape. Received 6×6×4 and 4×4×4. Bring them to one shape: a 1×1 convolution "
        'changes channels, strides or pooling change sizes. Use padding="same" in every convolution.',
    ),
    "Concatenate of two sizes": (
        lambda: branches(Concatenate()),
        "Concatenate 'concatenate': the inputs agree in every axis but the one they are joined along, axis=-1. "
        "Received 6×6×4 and 4×4×4. Bring the other axes to one size: strides, padding or pooling change sizes. "
        'Use padding="same" in every convolution.',
    ),
    "Add of two depths": (
        lambda: Add()([Input((8, 8, 3)), Input((8, 8, 4))]),
        "Add 'add': the inputs have one shape. Received 8×8×3 and 8×8×4. Bring them to one shape: a 1×1 convolution "
        "changes channels, strides or pooling change sizes.",
    ),
    "Add of one": (
        lambda: Add()(Input((8, 8, 3))),
        "Add 'add': a merge joins at least two inputs. Received 1. Call it on a list: Add()([a, b]).",
    ),
    "Concatenate of one": (
        lambda: Concatenate()(Input((8, 8, 3))),
        "Concatenate 'concatenate': a merge joins at least two inputs. Received 1. "
        "Call it on a list: Concatenate()([a, b]).",
    ),
    "Concatenate along no axis": (
        lambda: Concatenate(axis=4)([Input((8, 8, 3)), Input((8, 8, 4))]),
        "Concatenate 'concatenate': axis names one of the axes 1…3 of the inputs. "
        "Received axis=4, input_shape=(8, 8, 3). axis=-1 is the channels.",
    ),
    "groups": (
        lambda: Sequential([Input((28, 28, 6)), Conv2D(4, 3, groups=4)]),
        "Conv2D 'conv2d': groups divides the number of input channels. "
        "Received input_shape=(28, 28, 6), groups=4. Here groups can be 1 or 2.",
    ),
    "Softmax along no axis": (
        lambda: Sequential([Input((28, 28, 3)), Softmax(axis=4)]),
        "Softmax 'softmax': axis names one of the axes 1…3 of the input. "
        "Received axis=4, input_shape=(28, 28, 3). axis=-1 is the channels.",
    ),
    "batch statistics along the batch": (
        lambda: Sequential([Input((28, 28, 3)), BatchNormalization(axis=0)]),
        "BatchNormalization 'batch_normalization': axis names one of the axes 1…3 of the input. "
        "Received axis=0, input_shape=(28, 28, 3). axis=-1 is the channels.",
    ),
    "noise_shape without batch axis": (
        lambda: Sequential([Input((28, 28, 3)), Dropout(0.2, noise_shape=(1, 1, 3))]),
        "Dropout 'dropout': noise_shape has the batch axis and, for each axis of the input, None, 1 or its size. "
        "Received noise_shape=(1, 1, 3), input_shape=(28, 28, 3). "
        "For example noise_shape=(None, 1, 1, None) drops whole channels.",
    ),
    "a sequence that is too short": (
        lambda: Sequential([Input((10, 3)), Conv1D(3, 4), Conv1D(3, 9)]),
        "Conv1D 'conv1d_1': a kernel of 9 does not fit an input of 7 (10→7; "
        "output_length = (7 + 2·0 − 9) // 1 + 1 = −1)."
        ' Received input_shape=(7, 3). Use padding="same" in \'conv1d_1\' or use padding="same" in every convolution.',
    ),
    "a volume that is too small": (
        lambda: Sequential([Input((10, 10, 10, 3)), Conv3D(3, 4), MaxPooling3D(3), Conv3D(3, 4)]),
        "Conv3D 'conv3d_1': a 4×4×4 kernel does not fit a 2×2×2 input (10→7→2; "
        "output_d = (2 + 2·0 − 4) // 1 + 1 = −1). "
        "Received input_shape=(2, 2, 2, 3). Use padding=\"same\" in 'conv3d_1' or drop 'max_pooling3d'.",
    ),
    "a depthwise kernel that is too large": (
        lambda: Sequential([Input((9, 9, 3)), DepthwiseConv2D(5), SeparableConv2D(4, 7)]),
        "SeparableConv2D 'separable_conv2d': a 7×7 kernel does not fit a 5×5 input (9→5; "
        "output_h = (5 + 2·0 − 7) // 1 + 1 = −1). Received input_shape=(5, 5, 3). "
        'Use padding="same" in \'separable_conv2d\' or use padding="same" in every convolution.',
    ),
    "cropping": (
        lambda: Sequential([Input((10, 12, 3)), Conv2D(2, 3), Cropping2D((2, 5))]),
        "Cropping2D 'cropping2d': cropping leaves at least one cell of 8×10: output_w = 10 − 5 − 5 = 0 "
        "(10×12→8×10). Received cropping=(2, 5), input_shape=(8, 10, 2). Drop 'cropping2d' or use padding=\"same\" in "
        "every convolution.",
    ),
    "a convolution after cropping": (
        lambda: Sequential([Input((10, 3)), Cropping1D(4), Conv1D(3, 9)]),
        "Conv1D 'conv1d': a kernel of 9 does not fit an input of 2 (10→2; "
        "output_length = (2 + 2·0 − 9) // 1 + 1 = −6). "
        "Received input_shape=(2, 3). Use padding=\"same\" in 'conv1d' or drop 'cropping1d'.",
    ),
    "a transposed convolution of nothing": (
        lambda: Sequential([Input((1, 1, 3)), Conv2DTranspose(3, 2, padding="same", output_padding=0)]),
        "Conv2DTranspose 'conv2d_transpose': nothing is left of a 1×1 input: (input − 1)·stride + size % 2 + "
        "output_padding = 0×0. Received input_shape=(1, 1, 3). Leave output_padding out.",
    ),
    "15 → 7 → 14, not 15, by a transposed convolution": (
        lambda: unet(Conv2DTranspose(4, 2, strides=2)),
        "Add 'add': the inputs have one shape. Received 15×15×4 and 14×14×4. Bring them to one shape: "
        "a 1×1 convolution changes channels, strides or pooling change sizes. "
        "Give 'conv2d_transpose' output_padding=1.",
    ),
    "15 → 7 → 14, not 15, by upsampling": (
        lambda: unet(UpSampling2D(2)),
        "Add 'add': the inputs have one shape. Received 15×15×4 and 14×14×4. Bring them to one shape: "
        "a 1×1 convolution changes channels, strides or pooling change sizes. "
        "Put Resizing(15, 15, 'nearest') in place of 'up_sampling2d'.",
    ),
    "Dense after a sequence of unknown length": (
        lambda: Sequential([Input((None, 1)), Conv1D(3, 3), Flatten(), Dense(3)]),
        "Dense 'dense': the size of the last axis is known. Received input_shape=(None,). "
        "Put GlobalAveragePooling1D in place of 'flatten'.",
    ),
    "a sequence without channels": (
        lambda: Sequential([Conv1D(3, 3, input_shape=(60,))]),
        "Conv1D 'conv1d': one input is (length, channels). Received input_shape=(60,). "
        "Give the input its channel axis: shape (60, 1), and x[..., None] for the data.",
    ),
    "Permute of other axes": (
        lambda: Sequential([Input((28, 28, 1)), Permute((2, 1))]),
        "Permute 'permute': dims names as many axes as an example has. Received dims=(2, 1), "
        "input_shape=(28, 28, 1). For example dims=(3, 2, 1).",
    ),
    "groups of channels": (
        lambda: Sequential([Input((28, 28, 10)), GroupNormalization(4)]),
        "GroupNormalization 'group_normalization': groups divides the number of channels. "
        "Received input_shape=(28, 28, 10), groups=4. Here groups can be 1 or 2 or 5 or 10.",
    ),
    "layer statistics along the batch": (
        lambda: Sequential([Input((28, 28, 3)), LayerNormalization(axis=(0, 3))]),
        "LayerNormalization 'layer_normalization': axis names axes 1…3 of the input, each once. "
        "Received axis=(0, 3), input_shape=(28, 28, 3). axis=-1 is the channels.",
    ),
    "numbers for other channels": (
        lambda: Sequential([Input((28, 28, 3)), Normalization(mean=(1.0, 2.0), variance=(1.0, 1.0))]),
        "Normalization 'normalization': mean and variance have the sizes of the input along axis. "
        "Received mean of shape (2,), axis=-1, input_shape=(28, 28, 3).",
    ),
    "a slope for values of unknown number": (
        lambda: Sequential([Input((None, None, 3)), PReLU()]),
        "PReLU 'p_re_lu': one number for each value takes known sizes. Received input_shape=(None, None, 3). "
        "shared_axes=(1, 2) learns one number a channel of pictures.",
    ),
    "a difference of three": (
        lambda: Subtract()([Input((8,)), Input((8,)), Input((8,))]),
        "Subtract 'subtract': a difference has two inputs. Received 3. Call it on a list: Subtract()([a, b]).",
    ),
    "a function that loses the batch": (
        lambda: Sequential([Input((28, 2)), Lambda(lambda x: x[0])]),
        "Lambda 'lambda': the function keeps the batch axis first. Received a result of shape (28, 2) for an input of "
        "shape (2, 28, 2). Write it for whole batches: x[:, ::2] instead of x[::2].",
    ),
    "a function of other shapes": (
        lambda: Sequential([Input((28, 2)), Lambda(lambda x: x @ jnp.ones((3, 3)))]),
        "Lambda 'lambda': the function fails for this input. Received TypeError: dot_general requires contracting "
        "dimensions to have the same shape, got (2,) and (3,). (input_shape=(28, 2)).",
    ),
    "a function that returns two arrays": (
        lambda: Sequential([Input((28, 2)), Lambda(lambda x: (x, x))]),
        "Lambda 'lambda': the function returns one array. Received tuple.",
    ),
    "unknown channels": (
        lambda: Sequential([Input((28, 28, None)), Conv2D(4, 3)]),
        "Conv2D 'conv2d': the number of channels is known. Received input_shape=(28, 28, None).",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name):
    build, message = MESSAGES[name]
    with pytest.raises(ShapeError) as caught:
        build()
    assert str(caught.value) == message


def test_a_layer_that_does_not_fit_leaves_the_model_as_it_was():
    model = Sequential([Input((4, 4, 1)), Conv2D(2, 3)])
    with pytest.raises(ShapeError, match="does not fit"):
        model.add(Conv2D(2, 3))
    assert model.output_shape == (None, 2, 2, 2)
    model.add(Conv2D(2, 3, padding="same"))
    assert model.output_shape == (None, 2, 2, 2)


def test_a_shared_layer_is_changed_wherever_it_is_used():
    x = Input((5, 5, 1))
    shared = Conv2D(1, 3, name="shared")
    with pytest.raises(ShapeError) as caught:
        shared(shared(shared(x)))
    assert str(caught.value) == (
        "Conv2D 'shared': a 3×3 kernel does not fit a 1×1 input (5→3→1; output_h = (1 + 2·0 − 3) // 1 + 1 = −1). "
        "Received input_shape=(1, 1, 1). Use padding=\"same\" in 'shared' or give inputs of at least 7×7."
    )
    again = dataclasses.replace(shared, padding="same")
    assert Model(x, again(again(again(x)))).output_shape == (None, 5, 5, 1)


CHAIN = st.lists(
    st.one_of(
        st.builds(
            Conv2D,
            st.just(2),
            st.integers(1, 6),
            strides=st.integers(1, 3),
            padding=st.sampled_from(["valid", "valid", "same"]),
        ),
        st.builds(MaxPooling2D, st.integers(1, 4), padding=st.sampled_from(["valid", "same"])),
        st.builds(
            DepthwiseConv2D, st.integers(1, 5), strides=st.integers(1, 2), padding=st.sampled_from(["valid", "same"])
        ),
        st.builds(Cropping2D, st.integers(0, 3)),
        st.builds(
            Conv2DTranspose,
            st.just(2),
            st.integers(1, 3),
            strides=st.integers(1, 2),
            padding=st.sampled_from(["valid", "same"]),
        ),
        st.builds(AveragePooling2D, st.tuples(st.integers(1, 4), st.integers(1, 4)), strides=st.integers(1, 2)),
    ),
    min_size=1,
    max_size=7,
)


def chain(sizes, layers) -> list[Node]:
    nodes = [Node("input_1", InputLayer(shape=(*sizes, 1)), ())]
    return nodes + [Node(f"layer_{number}", layer, (number,)) for number, layer in enumerate(layers)]


def change(nodes: list[Node], clause: str) -> list[Node]:
    """Do what a clause of a message says, by hand."""
    if clause == 'use padding="same" in every convolution':
        chosen = [node.name for node in nodes if hasattr(node.layer, "kernel_size")]
    elif found := re.fullmatch(r"use padding=\"same\" in '(\w+)'", clause):
        chosen = [found[1]]
    elif found := re.fullmatch(r"drop '(\w+)'", clause):
        kept = [node.layer for node in nodes[1:] if node.name != found[1]]
        return chain(nodes[0].layer.output_shape(())[:2], kept)
    else:
        found = re.fullmatch(r"give inputs of at least (\d+)×(\d+)", clause)
        assert found, f"a clause that no test knows how to follow: {clause}"
        return chain((int(found[1]), int(found[2])), [node.layer for node in nodes[1:]])
    return [
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, padding="same"))
        if node.name in chosen
        else node
        for node in nodes
    ]


@settings(max_examples=100)
@given(st.tuples(st.integers(1, 24), st.integers(1, 24)), CHAIN)
def test_every_change_that_a_message_proposes_works(sizes, layers):
    nodes = chain(sizes, layers)
    try:
        infer(nodes)
        assume(False)
    except ShapeError as error:
        assume(error.fix is not None)  # it would take a picture of many thousand pixels
        fix = str(error.fix)
    for clause in (fix[0].lower() + fix[1:]).split(" or "):
        infer(change(nodes, clause))


def valid(layer: Layer) -> Layer:
    return dataclasses.replace(layer, padding="valid") if hasattr(layer, "padding") else layer


@given(st.integers(1, 12), CHAIN)
def test_inputs_of_at_least_means_that_one_less_is_too_small(size, layers):
    nodes = chain((size, size), [valid(layer) for layer in layers])
    try:
        infer(nodes)
    except ShapeError as error:
        found = re.search(r"give inputs of at least (\d+)×(\d+)", error.fix or "", re.IGNORECASE)
        assume(found is not None)
        least = int(found[1])
        infer(change(nodes, f"give inputs of at least {least}×{least}"))
        with pytest.raises(ShapeError):
            infer(change(nodes, f"give inputs of at least {least - 1}×{least - 1}"))


def test_channels_first_and_a_batch_axis_of_unknown_size():
    with pytest.raises(ShapeError) as caught:
        Conv2D(8, 3)(Input((1, 28, 28)))
    assert str(caught.value) == (
        "Conv2D 'conv2d': a 3×3 kernel does not fit a 1×28 input (output_h = (1 + 2·0 − 3) // 1 + 1 = −1). "
        "Received input_shape=(1, 28, 28). Put the channels last: shape (28, 28, 1), and x.transpose(0, 2, 3, 1) for "
        "the data or use padding=\"same\" in 'conv2d'."
    )
    with pytest.raises(ShapeError, match=r"Leave the batch axis out: shape \(28, 28, 1\)\.$"):
        Conv2D(8, 3)(Input((None, 28, 28, 1)))
