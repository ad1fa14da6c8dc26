"""The matrix that a convolution is: the lecture's counts, loops as the oracle, and the layer itself."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import convista.insight
from convista import Sequential, layers
from convista.errors import ArgumentError, MemoryLimitError, ShapeError
from convista.insight import as_dense, dense
from oracles import loops
from oracles.compare import EXACT, SUMS, agree, numbers

CONVOLUTIONS = {
    "plain": (layers.Conv2D(3, 3), (5, 6, 2)),
    "same": (layers.Conv2D(2, (3, 2), padding="same"), (4, 5, 1)),
    "strides": (layers.Conv2D(4, 3, strides=(2, 3), padding="same", activation="relu"), (7, 6, 2)),
    "dilation": (layers.Conv2D(2, 2, dilation_rate=(2, 3)), (6, 7, 3)),
    "groups": (layers.Conv2D(6, 2, groups=3, use_bias=False), (4, 4, 3)),
    "depthwise": (layers.Conv2D(4, 3, groups=4, padding="same"), (4, 3, 4)),
}


def by_loops(layer, shape):
    """Return rows, columns and places of all connections, one tap at a time."""
    window = layer.window
    outputs = layer.output_shape(shape)
    kernel = layer.parameters(shape)["kernel"].shape
    found = []
    pads = window.pads(shape[:-1])
    for position, cell, place in loops.visits(shape[:-1], window.size, window.strides, pads, window.dilation):
        for filter_ in range(outputs[-1]):
            first = filter_ // (outputs[-1] // layer.groups) * kernel[-2]
            for channel in range(kernel[-2]):
                row = np.ravel_multi_index((*position, filter_), outputs)
                column = np.ravel_multi_index((*place, first + channel), shape)
                found.append((row, column, np.ravel_multi_index((*cell, channel, filter_), kernel)))
    return np.array(sorted(found)).T


def test_the_lectures_counts():
    three = as_dense(layers.Conv2D(1, 2), (3, 3, 1))
    assert (three.dense_connections, three.connections, three.weights) == (36, 16, 4)
    five = as_dense(layers.Conv2D(1, 3), (5, 5, 1))
    assert (five.dense_connections, five.connections, five.weights) == (225, 81, 9)
    assert three.document() == {
        "input_shape": [3, 3, 1],
        "output_shape": [2, 2, 1],
        "dense_connections": 36,
        "connections": 16,
        "weights": 4,
    }


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_weight_is_where_the_loops_put_it(name):
    layer, shape = CONVOLUTIONS[name]
    matrix = as_dense(layer, shape)
    rows, columns, places = by_loops(layer, shape)
    agree(matrix.rows, rows, EXACT, dtype=np.int64)
    agree(matrix.columns, columns, EXACT, dtype=np.int64)
    agree(matrix.places, places, EXACT, dtype=np.int64)
    agree(matrix.values, places + 1, EXACT)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_matrix_times_picture_is_the_layer(name):
    layer, shape = CONVOLUTIONS[name]
    params, _ = layer.init(jax.random.key(1), shape)
    params = {key: array + 0.25 for key, array in params.items()}
    matrix = as_dense(layer, shape, params)
    x = numbers(*shape)
    y, _ = layer.apply(params, {}, x[None], training=False, key=None)
    ours = matrix @ x.ravel() + matrix.bias
    ours = np.maximum(ours, 0) if layer.activation else ours
    agree(np.asarray(y).ravel(), ours, SUMS)
    agree(matrix.toarray() @ x.ravel() + matrix.bias, matrix @ x.ravel() + matrix.bias, SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(np.asarray(y).ravel(), matrix @ x.ravel() + matrix.bias + 0.01, SUMS)


@pytest.mark.parametrize(
    ("layer", "shape", "connections"),
    [
        (layers.AveragePooling2D(2), (4, 6, 2), 48),
        (layers.ZeroPadding2D(1), (3, 3, 1), 9),
        (layers.Filter2D("sobel_x", padding="valid"), (4, 4, 1), 24),
        (layers.Flatten(), (2, 3, 1), 6),
    ],
)
def test_other_linear_layers(layer, shape, connections):
    matrix = as_dense(layer, shape)
    assert (matrix.connections, matrix.weights, matrix.places) == (connections, 0, None)
    x = numbers(*shape)
    y, _ = layer.apply({}, {}, x[None], training=False, key=None)
    agree(np.asarray(y).ravel(), matrix @ x.ravel(), SUMS)


def test_a_dense_layer_is_full():
    matrix = as_dense(layers.Dense(3), (4,))
    assert (matrix.connections, matrix.weights, matrix.dense_connections) == (12, 12, 12)
    agree(matrix.toarray(), np.arange(1.0, 13.0).reshape(4, 3).T, EXACT)


def test_zero_weights_stay_connections():
    params = {"kernel": np.zeros((2, 2, 1, 1), np.float32), "bias": np.ones(1, np.float32)}
    matrix = as_dense(layers.Conv2D(1, 2), (3, 3, 1), params)
    assert matrix.connections == 16
    assert not matrix.values.any()


def test_compressed_rows_are_those_of_scipy():
    sparse = pytest.importorskip("scipy.sparse")
    matrix = as_dense(*CONVOLUTIONS["strides"])
    whole = sparse.csr_array(matrix.compressed_rows(), matrix.shape)
    agree(whole.toarray(), matrix.toarray(), EXACT)
    coordinates = sparse.coo_array((matrix.values, (matrix.rows, matrix.columns)), matrix.shape)
    agree(coordinates.toarray(), matrix.toarray(), EXACT)


def test_pictures_are_read_in_parts(monkeypatch):
    layer, shape = CONVOLUTIONS["strides"]
    whole = as_dense(layer, shape)
    monkeypatch.setattr(dense, "_CELLS_AT_ONCE", 500)
    parts = as_dense(layer, shape)
    agree(parts.toarray(), whole.toarray(), EXACT)
    agree(parts.places, whole.places, EXACT, dtype=np.int64)


@pytest.mark.parametrize(
    "layer", [layers.MaxPooling2D(2), layers.ReLU(), layers.BatchNormalization(), layers.Filter2D("sobel")]
)
def test_what_is_not_linear(layer):
    with pytest.raises(ArgumentError) as caught:
        as_dense(layer, (4, 4, 2))
    assert str(caught.value) == (
        "as_dense: only a linear layer is a matrix: convolution, average pooling, padding, resizing, Dense. "
        f"Received {type(layer).__name__}. Look at the convolution before it; activation and bias are left out by "
        "themselves."
    )


def test_what_is_too_large(monkeypatch):
    with pytest.raises(MemoryLimitError) as caught:
        as_dense(layers.Conv2D(64, 3), (224, 224, 3))
    assert str(caught.value) == (
        "as_dense, Conv2D: a matrix has at most 33,554,432 connections. Received 85,162,752. "
        "Give a smaller input_shape: the pattern is the same."
    )
    matrix = as_dense(layers.Conv2D(1, 2), (3, 3, 1))
    monkeypatch.setattr(dense, "MOST_CELLS", 35)
    with pytest.raises(MemoryLimitError) as caught:
        matrix.toarray()
    assert str(caught.value) == (
        "toarray: a whole matrix has at most 35 cells. Received 4 × 9 = 36. "
        "Use rows, columns and values, or matrix @ x, or a smaller input_shape."
    )


def test_what_does_not_fit():
    with pytest.raises(ShapeError) as caught:
        as_dense(layers.Conv2D(1, 2), (None, 3, 1))
    assert str(caught.value) == (
        "as_dense: every size is known. Received input_shape=(None, 3, 1). "
        "Write the size of a picture, for example (28, 28, 1)."
    )
    with pytest.raises(ShapeError) as caught:
        as_dense(layers.Conv2D(1, 2), (3, 3, 1), {"kernel": np.ones((3, 3, 1, 1))})
    assert str(caught.value) == (
        "as_dense, Conv2D: for this input kernel has the shape (2, 2, 1, 1). Received kernel of shape (3, 3, 1, 1). "
        'Give the numbers of this very layer, for example model.params["conv2d"].'
    )
    with pytest.raises(ShapeError) as caught:
        as_dense(layers.Conv2D(1, 2), (3, 3, 1)) @ np.ones((3, 3))
    assert (
        str(caught.value)
        == "DenseMatrix: the matrix takes 9 inputs in a row. Received (3, 3). Write matrix @ x.ravel()."
    )


def test_names_that_the_package_does_not_have():
    with pytest.raises(AttributeError, match="no attribute 'as_sparse'"):
        _ = convista.insight.as_sparse


def test_a_model_is_no_layer():
    with pytest.raises(ArgumentError) as caught:
        as_dense(Sequential([layers.Conv2D(1, 2, input_shape=(3, 3, 1))]), (3, 3, 1))
    assert str(caught.value) == (
        'as_dense: it is made for one layer. Received Sequential. Take one out of the model: model.get_layer("conv2d").'
    )
    with pytest.raises(ArgumentError) as caught:
        as_dense("Conv2D", (3, 3, 1))
    assert str(caught.value) == (
        "as_dense: it is made for one layer. Received 'Conv2D'. For example as_dense(Conv2D(1, 2), (3, 3, 1))."
    )
