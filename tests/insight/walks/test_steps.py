"""The arithmetic of every kind of layer, against what the network computes for the same cells."""

from __future__ import annotations

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

from convista import Input, Model, Sequential, layers
from convista.errors import ArgumentError
from convista.insight.walks.patches import Patch
from convista.insight.walks.steps import Question, walk

L = layers


def answers(layer, shape, cells=12):
    """The walk and the network's number for some cells of a layer with random weights and statistics."""
    for question, computed in questions(layer, tuple(shape) if isinstance(shape, list) else (shape,), cells):
        yield walk(question), computed, question


@functools.cache
def questions(layer, shapes, cells, seed=0):
    inputs = [Input(one) for one in shapes]
    model = Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]), seed=seed)
    rng = np.random.default_rng(seed)
    model.set_weights([np.abs(rng.normal(size=array.shape)) + 0.1 for array in model.get_weights()])
    x = [rng.normal(size=(1, *one)).astype(np.float32) for one in shapes]
    output = np.asarray(model(x if len(x) > 1 else x[0]))[0]
    node = model.graph.nodes[-1]
    found = []
    for _ in range(cells):
        cell = tuple(int(rng.integers(size)) for size in output.shape)
        params = {name: np.asarray(array) for name, array in model.params.get(node.name, {}).items()}
        state = {name: np.asarray(array) for name, array in model.state.get(node.name, {}).items()}
        taken = tuple(one[0] for one in x)
        names = tuple(model.graph.nodes[place].name for place in node.inputs)
        question = Question(layer, node.where, params, state, taken, names, cell, output.shape)
        found.append((question, float(output[cell])))
    return found


PICTURE = (9, 8, 4)
CASES = [
    (L.Conv2D(3, 3), PICTURE),
    (L.Conv2D(3, (3, 2), strides=(2, 1), padding="same", activation="relu"), PICTURE),
    (L.Conv2D(4, 3, dilation_rate=2, padding="same", activation="tanh"), PICTURE),
    (L.Conv2D(6, 3, groups=2, use_bias=False), PICTURE),
    (L.Conv2D(3, 3, padding=((2, 0), (1, 1)), activation="softmax"), PICTURE),
    (L.Conv2D(3, 3, activation=lambda x: jnp.sin(x)), PICTURE),
    (L.Conv1D(3, 5, padding="same", dilation_rate=2, activation="gelu"), (20, 4)),
    (L.Conv3D(2, (2, 3, 3), strides=2, padding="same", activation="elu"), (5, 6, 7, 2)),
    (L.DepthwiseConv1D(3, depth_multiplier=2), (20, 4)),
    (L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=3, activation="relu6"), PICTURE),
    (L.SeparableConv1D(5, 3, padding="same", depth_multiplier=2), (20, 4)),
    (L.SeparableConv2D(5, 3, dilation_rate=2, depth_multiplier=2, activation="silu"), PICTURE),
    (L.Conv1DTranspose(3, 4, strides=3, padding="same"), (7, 4)),
    (L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"), PICTURE),
    (L.Conv2DTranspose(3, (2, 3), strides=(1, 2), output_padding=(0, 1)), PICTURE),
    (L.Conv2DTranspose(2, 2, strides=3, use_bias=False), PICTURE),
    (L.Conv2DTranspose(2, 3, dilation_rate=2, padding="same"), PICTURE),
    (L.Conv3DTranspose(2, 2, strides=2), (3, 4, 3, 2)),
    (L.Filter2D("sobel"), PICTURE),
    (L.Filter2D("gaussian_blur", size=5, padding="reflect"), PICTURE),
    (L.Filter2D("sharpen", padding="same"), PICTURE),
    (L.Filter2D("laplace", padding="valid"), PICTURE),
    (L.Dense(6, activation="softmax"), (50,)),
    (L.Dense(6, activation="log_softmax"), (50,)),
    (L.Dense(6, activation="sigmoid", use_bias=False), (7, 5)),
    (L.MaxPooling1D(3, padding="same"), (20, 4)),
    (L.MaxPooling2D(3, strides=2, padding="same"), PICTURE),
    (L.MaxPooling3D(2), (5, 6, 7, 2)),
    (L.AveragePooling2D(3, strides=2, padding="same"), PICTURE),
    (L.AveragePooling1D(2), (20, 4)),
    (L.SumPooling2D(2, padding=((1, 0), (0, 1))), PICTURE),
    (L.GlobalMaxPooling2D(), PICTURE),
    (L.GlobalAveragePooling1D(), (20, 4)),
    (L.GlobalAveragePooling3D(keepdims=True), (5, 6, 7, 2)),
    (L.BatchNormalization(), PICTURE),
    (L.BatchNormalization(axis=1, scale=False), PICTURE),
    (L.LayerNormalization(), PICTURE),
    (L.LayerNormalization(axis=(1, 2), center=False), PICTURE),
    (L.GroupNormalization(2), PICTURE),
    (L.GroupNormalization(-1), PICTURE),
    (L.Activation("selu"), PICTURE),
    (L.Activation("softmax"), PICTURE),
    (L.Activation("linear"), PICTURE),
    (L.Softmax(axis=1), PICTURE),
    (L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3), PICTURE),
    (L.LeakyReLU(), PICTURE),
    (L.PReLU(shared_axes=(1, 2)), PICTURE),
    (L.ELU(0.5), PICTURE),
    (L.GELU(approximate=True), PICTURE),
    (L.SiLU(), PICTURE),
    (L.Rescaling(1 / 255, offset=-1), PICTURE),
    (L.Normalization(mean=(1.0, 2.0, 3.0, 4.0), variance=(4.0, 1.0, 9.0, 0.0)), PICTURE),
    (L.Normalization(mean=((1.0,),), variance=((4.0,),), axis=(1, 3), invert=True), PICTURE),
    (L.LayerScale(0.3), PICTURE),
    (L.Add(), [PICTURE, PICTURE, (1, 1, 4)]),
    (L.Subtract(), [PICTURE, PICTURE]),
    (L.Multiply(), [PICTURE, PICTURE]),
    (L.Average(), [PICTURE, PICTURE]),
    (L.Maximum(), [PICTURE, PICTURE]),
    (L.Minimum(), [PICTURE, PICTURE]),
    (L.Concatenate(), [PICTURE, (9, 8, 3)]),
    (L.Flatten(), PICTURE),
    (L.Reshape((8, 9, 4)), PICTURE),
    (L.Permute((2, 3, 1)), PICTURE),
    (L.ZeroPadding2D((3, 2)), PICTURE),
    (L.Cropping1D(3), (20, 4)),
    (L.UpSampling2D(2), PICTURE),
    (L.Dropout(0.5), PICTURE),
    (L.RandomFlip(), PICTURE),
]


def name_of(case):
    return type(case).__name__ if isinstance(case, layers.Layer) else ""


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=name_of)
def test_the_walk_arrives_at_what_the_network_computes(layer, shape):
    for found, computed, _ in answers(layer, shape):
        assert abs(found.value - computed) <= found.error


@pytest.mark.parametrize(("layer", "shape"), CASES[:18], ids=name_of)
def test_a_kernel_that_is_off_by_a_thousandth_is_noticed(layer, shape):
    noticed = 0
    for _, computed, question in answers(layer, shape):
        name = next(name for name in question.params if "kernel" in name)
        other = dataclasses.replace(question, params={**question.params, name: question.params[name] * 1.001})
        found = walk(other)
        noticed += abs(found.value - computed) > found.error
    assert noticed >= 3  # not where relu hides it, or where no input cell contributes


@pytest.mark.parametrize("dim", [0, 1])
def test_a_neighbouring_cell_is_noticed(dim):
    for _, computed, question in answers(L.Conv2D(3, 3, padding="same"), PICTURE):
        cell = list(question.cell)
        cell[dim] = (cell[dim] + 1) % question.sizes[dim]
        found = walk(dataclasses.replace(question, cell=tuple(cell)))
        assert abs(found.value - computed) > found.error


def test_every_product_is_in_the_patches():
    for found, _, question in answers(L.Conv2D(6, 3, groups=2, padding="same"), PICTURE):
        (patch,) = found.patches
        assert isinstance(patch, Patch)
        first = 2 * (question.channel // 3)
        assert patch.channels.tolist() == [first, first + 1]
        np.testing.assert_array_equal(patch.kernel, question.params["kernel"][..., question.channel])
        for tap in np.ndindex(3, 3):
            row, col = patch.places[tap]
            if patch.inside[tap]:
                np.testing.assert_array_equal(patch.values[tap], question.x[row, col, first : first + 2])
        assert found.lines[0].value == pytest.approx(patch.products.sum(), rel=1e-12)


def test_the_winner_of_a_maximum_is_the_first_largest_cell():
    for found, computed, question in answers(L.MaxPooling2D(3, strides=2, padding="same"), PICTURE):
        assert question.x[found.winner] == np.float32(computed)
        assert found.winner[-1] == question.channel


def test_values_that_are_only_moved_say_where_from():
    for found, computed, question in answers(L.Flatten(), PICTURE):
        assert question.x[found.winner] == np.float32(computed)
    zeros = [found for found, computed, _ in answers(L.ZeroPadding2D((3, 2)), PICTURE, 30) if computed == 0]
    assert zeros
    assert {found.winner for found in zeros} == {None}


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer",
    [L.Lambda(lambda x: x * 2), L.Resizing(4, 4), L.UpSampling2D(2, interpolation="bilinear"), L.RandomCrop(5, 5)],
)
def test_a_layer_whose_arithmetic_is_not_known_is_refused(layer):
    with pytest.raises(ArgumentError) as error:
        list(answers(layer, PICTURE, 1))
    kind = type(layer).__name__
    assert str(error.value).startswith(f"trace, {kind} ")
    assert str(error.value).endswith(
        f"the arithmetic of this layer is not written out. Received {kind}. "
        "Convolution, pooling, Dense, normalisation, activation, merging and reshaping layers are."
    )


def test_stored_normalization():
    from convista.layers.preprocessing import StoredNormalization

    for found, computed, _ in answers(StoredNormalization(), PICTURE):
        assert abs(found.value - computed) <= found.error


def test_a_model_with_an_own_layer_still_walks_the_others():
    model = Sequential([Input((6, 6, 1)), L.Lambda(lambda x: x * 2, name="twice"), L.Conv2D(1, 3, name="conv")], seed=0)
    assert model.trace(np.ones((6, 6, 1), np.float32), "conv", 0, 0, 0).sources == ("twice",)
