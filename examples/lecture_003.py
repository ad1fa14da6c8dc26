"""Lecture 003 in code: from a dense layer to a convolution, by taking connections away and sharing weights.

The lecture: «Свертки». Run it with ``python examples/lecture_003.py``; it trains one small network on the handwritten
digits inside the package, with ``--quick`` for two epochs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import one_layer
from claims import Claims, options

from convista import Sequential
from convista.data import load
from convista.insight import as_dense
from convista.layers import (
    Activation,
    AveragePooling2D,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    Rescaling,
)
from convista.models.pruning import prune_filters
from convista.training.optimizers import Adam
from convista.training.pruning import PolynomialSparsity, Pruned, sparsity_of


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options(__doc__, arguments)
    claims = Claims("Lecture 003: convolutions")
    without_a_connection(claims)
    pruning(claims, chosen.quick)
    nine_inputs(claims)
    two_dimensional(claims)
    padding_and_stride(claims)
    channels_and_filters(claims)
    network(claims)
    claims.chapter(
        "Keras", "«Keras uses TensorFlow»: Keras 2 did. Keras 3 runs on JAX and PyTorch, too; under Convista is JAX."
    )
    return claims.finish()


def without_a_connection(claims: Claims) -> None:
    claims.chapter("Taking one connection away", "To remove a connection is to set its weight to zero.")
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=100), random.normal(size=(100, 10))
    zeroed = kernel.copy()
    zeroed[7, 3] = 0
    whole, cut = (
        one_layer.output(Dense(10), x, kernel, np.zeros(10)),
        one_layer.output(Dense(10), x, zeroed, np.zeros(10)),
    )
    others = np.delete(np.arange(100), 7)
    left_out = float(x[others] @ kernel[others, 3])
    claims.worked("weight zero, and connection left out", round(left_out, 3), round(float(cut[3]), 3))
    claims.worked("neurons that notice, of 10", 1, int((whole != cut).sum()))


def pruning(claims: Claims, quick: bool) -> None:
    claims.chapter("Pruning («прореживание»)", "Can a network learn when most of its connections are gone? Of course.")
    digits = load("digits")
    model = Sequential(
        [
            Rescaling(1 / 255, input_shape=(8, 8, 1)),
            Conv2D(16, 3, activation="relu"),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(10, activation="softmax"),
        ],
        seed=0,
    )
    epochs = 2 if quick else 20
    steps = epochs * math.ceil(len(digits.train) / 32)
    model.compile(
        Pruned(Adam(0.001), PolynomialSparsity(0.9, end_step=steps // 2), frequency=5),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(digits.train.x, digits.train.y, epochs=epochs, batch_size=32, verbose=0)
    accuracy = 100 * model.evaluate(digits.test.x, digits.test.y, verbose=0)[1]
    print(f"  9 of 10 weights are zero after {epochs} epochs: test accuracy {accuracy:.1f} %")
    for name, share in sparsity_of(model.params).items():
        claims.worked(f"zeros in {name}", 0.9, round(share, 1))
    claims.equal("it still learns: the loss falls", True, history.history["loss"][-1] < history.history["loss"][0])
    if not quick:
        claims.worked("digits told apart (at least 90 %)", True, accuracy >= 90)
    small = prune_filters(model, 0.5)
    before, after = model.summary(print_to=None), small.summary(print_to=None)
    claims.shown(
        "products, if none were done with zeros",
        round(before.multiply_accumulates * 0.1),
        before.multiply_accumulates,
        "«на 0 можно не умножать», but a processor does: 70 ms with zeros, 69 without (docs/pruning.md)",
    )
    left = 36 * 9 * 8 + 288 * 64 + 64 * 10
    claims.worked("… what saves is to remove, here half of the filters", left, after.multiply_accumulates)


def nine_inputs(claims: Claims) -> None:
    claims.chapter(
        "Nine inputs, four neurons, four weights", "The same as a 2×2 window that slides over a 3×3 picture."
    )
    matrix = as_dense(Conv2D(1, 2), (3, 3, 1))
    print(matrix.toarray().astype(int))
    claims.equal("a perceptron has 9 · 4 connections", 36, matrix.dense_connections)
    claims.equal("here 4 · 4", 16, matrix.connections)
    claims.equal("different weights", 4, matrix.weights)
    claims.equal("inputs of each neuron", [4, 4, 4, 4], np.bincount(matrix.rows))
    picture, kernel = np.arange(1, 10).reshape(3, 3), np.array([[1, 2], [3, 4]])
    window = [float((picture[i : i + 2, j : j + 2] * kernel).sum()) for i in range(2) for j in range(2)]
    claims.worked("picture 1…9, weights 1…4: by windows", window, matrix @ picture.ravel())
    claims.worked("… and by the layer", window, one_layer.output(Conv2D(1, 2, use_bias=False), picture, kernel).ravel())
    claims.equal("there are one-, two- and three-dimensional ones", [1, 2, 3], [Conv1D.rank, Conv2D.rank, Conv3D.rank])


def two_dimensional(claims: Claims) -> None:
    claims.chapter("The two-dimensional convolution", "A 3×3 kernel over a 5×5 picture.")
    matrix = as_dense(Conv2D(1, 3), (5, 5, 1))
    claims.equal("features in, 5 · 5", 25, matrix.shape[1])
    claims.equal("features out, 3 · 3", 9, matrix.shape[0])
    claims.equal("parameters of a dense layer, 25 · 9", 225, matrix.dense_connections)
    claims.equal("parameters of the convolution", 9, matrix.weights)
    claims.worked("connections that are left, 9 · 9", 81, matrix.connections)
    middles = matrix.columns.reshape(9, 9)[:, 4]
    edge = {place for place in range(25) if place // 5 in (0, 4) or place % 5 in (0, 4)}
    claims.equal("border cells in the middle of a kernel", 0, len(edge & set(middles.tolist())))


def padding_and_stride(claims: Claims) -> None:
    claims.chapter("Padding and stride")
    framed = as_dense(Conv2D(1, 3, padding="same"), (5, 5, 1))
    claims.equal("with padding the output is as large as the input", (5, 5, 1), framed.output_shape)
    claims.equal("… and every one of the cells is in a middle", 25, framed.shape[0])
    claims.equal("5×5 with steps of two", (2, 2, 1), as_dense(Conv2D(1, 3, strides=2), (5, 5, 1)).output_shape)
    back = Conv2DTranspose(1, 3, strides=2).output_shape((2, 2, 1))
    claims.worked("the «exotic» way back: (2 − 1)·2 + 3", (5, 5, 1), back)


def channels_and_filters(claims: Claims) -> None:
    claims.chapter(
        "Several channels, filters", "Each channel has its kernel; the results are added, and a bias: one filter."
    )
    random = np.random.default_rng(0)
    picture, kernel, bias = random.normal(size=(5, 5, 3)), random.normal(size=(3, 3, 3, 1)), np.array([0.5])
    each = [
        one_layer.output(Conv2D(1, 3, use_bias=False), picture[..., channel], kernel[:, :, channel])
        for channel in range(3)
    ]
    whole = one_layer.output(Conv2D(1, 3), picture, kernel, bias)[..., 0]
    claims.equal("red + green + blue + bias is the filter", True, bool(np.allclose(sum(each) + 0.5, whole, atol=1e-5)))
    claims.equal("one filter: three dimensions in, two out", (3, 3), whole.shape)
    for filters in (1, 8, 32):
        shape = Conv2D(filters, 3).output_shape((5, 5, 3))
        claims.equal(f"channels out of a layer with filters={filters}", filters, shape[-1])
    parameters = Conv2D(32, 3).parameters((5, 5, 3))
    claims.worked(
        "weights of 32 filters, 32·(3·3·3 + 1)", 896, sum(math.prod(part.shape) for part in parameters.values())
    )


def network(claims: Claims) -> None:
    claims.chapter("A network of convolutions")
    first, second = Conv2D(2, 3), Conv2D(1, 3)
    kernels = [
        {"kernel": jax.random.normal(jax.random.key(seed), shape)}
        for seed, shape in ((1, (3, 3, 1, 2)), (2, (3, 3, 2, 1)))
    ]
    x = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    matrices = [
        as_dense(layer, shape, {**kernel, "bias": jnp.zeros(layer.filters)}).toarray()
        for layer, shape, kernel in zip((first, second), ((6, 6, 1), (4, 4, 2)), kernels, strict=True)
    ]
    one_matrix = (matrices[1] @ matrices[0]) @ x.ravel()
    for activation, linear in ((None, True), ("relu", False)):
        hidden = one_layer.output(
            Conv2D(2, 3, use_bias=False, activation=activation), x[..., None], kernels[0]["kernel"]
        )
        y = one_layer.output(Conv2D(1, 3, use_bias=False), hidden, kernels[1]["kernel"]).ravel()
        what = "two convolutions are one linear map" if linear else "… also with relu between"
        claims.equal(what, linear, bool(np.allclose(one_matrix, y, atol=1e-3)))
    relu = one_layer.output(Activation("relu"), np.array([-2.0, -0.5, 0.0, 3.0]))
    claims.worked("relu of −2, −0.5, 0, 3", [0, 0, 0, 3], relu)
    picture = np.array(
        [[1, 3, 2, 0], [4, 2, 1, 1], [0, 0, 5, 6], [1, 2, 7, 8]]
    )  # the lecture's numbers are in a figure
    windows = picture.reshape(2, 2, 2, 2).astype(float)
    claims.worked(
        "max pooling 2×2 of a picture of ours", windows.max((1, 3)), one_layer.output(MaxPooling2D(2), picture)
    )
    claims.worked("average pooling", windows.mean((1, 3)), one_layer.output(AveragePooling2D(2), picture))
    claims.equal("what a pooling learns", 0, len(MaxPooling2D(2).parameters((4, 4, 1))))
    dropout(claims)


def dropout(claims: Claims) -> None:
    layer, x = Dropout(0.5), jnp.arange(1.0, 9)[None]
    dropped = np.asarray(layer.apply({}, {}, x, training=True, key=jax.random.key(1))[0][0])
    zeros = dropped == 0
    print(f"\nDropout(0.5) while learning makes of 1 … 8: {dropped.tolist()}")
    claims.worked(
        "dropout: what stays is doubled, so that the mean stays", 2 * np.arange(1.0, 9)[~zeros], dropped[~zeros]
    )
    kernel = np.ones((8, 5))
    alive = dropped[:, None] * kernel != 0  # the 40 connections to a next layer of 5
    whole = bool(all(column.all() or not column.any() for column in alive))
    claims.slip(
        "dropout cuts",
        "connections",
        "neurons",
        "neurons" if whole and zeros.any() else "connections",
        "«некоторые связи обрываются»: all 5 connections of a neuron go together (single ones: DropConnect)",
    )
    after = np.asarray(layer.apply({}, {}, x, training=False, key=None)[0])
    claims.equal("… only while learning", np.asarray(x), after)


if __name__ == "__main__":
    sys.exit(main())
