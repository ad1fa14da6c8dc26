"""Lecture 000 in code: MNIST, a dense and a convolutional network, and what convolution and pooling do.

The lecture: Yu. P. Kochura, «Дослідження і проектування інтелектуальних систем», lecture 2, after F. Chollet, «Deep
Learning with Python». Run it with ``python examples/lecture_000.py``: 5 epochs of both networks on the real MNIST, a
minute or two; ``--seeds 3`` for the mean of three trainings, ``--quick`` for a look at everything in seconds. The only
change to the lecture's cells is their first line: ``convista.keras`` instead of ``tensorflow.keras``.
"""

from __future__ import annotations

import ast
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import one_layer
import real_mnist
from claims import Claims, options

from convista import keras
from convista.keras import layers
from convista.ops.unfolding import flip, unfold
from convista.shapes import Window

DENSE_EXAMPLE = """
from tensorflow.keras.datasets import mnist
(train_images, train_labels), (test_images, test_labels) = mnist.load_data()
from tensorflow import keras
from tensorflow.keras import layers
model = keras.Sequential([
    layers.Dense(512, activation='relu'),
    layers.Dense(10, activation='softmax')
])
model.compile(optimizer="rmsprop",
              loss="sparse_categorical_crossentropy",
              metrics=["accuracy"])
train_images = train_images.reshape(60000, 28 * 28)
train_images = train_images.astype("float32") / 255
test_images = test_images.reshape(10000, 28 * 28)
test_images = test_images.astype("float32") / 255
model.fit(train_images, train_labels, epochs=5, batch_size=128)
test_loss, test_acc = model.evaluate(test_images, test_labels)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options(__doc__, arguments, seeds={"type": int, "default": 1, "help": "trainings of each network"})
    claims = Claims("Lecture 000: from a dense to a convolutional network")
    claims.chapter("MNIST", "60 000 pictures of handwritten digits to learn from, 10 000 to be tested on.")
    data = real_mnist.load_data()
    if data is not None:
        look(claims, data)
    dense_network(claims, data, chosen)
    convolutional_network(claims, data, chosen)
    what_a_convolution_is(claims)
    sizes(claims)
    padding_and_strides(claims)
    pooling(claims)
    return claims.finish()


def look(claims: Claims, data) -> None:
    (train_images, train_labels), (test_images, test_labels) = data
    ends = [0, 1, 2, -3, -2, -1]
    claims.equal("train_images.shape", (60000, 28, 28), train_images.shape)
    claims.equal("len(train_labels)", 60000, len(train_labels))
    claims.equal("train_labels", [5, 0, 4, 5, 6, 8], train_labels[ends])
    claims.equal("their dtype", "uint8", str(train_labels.dtype))
    claims.equal("test_images.shape", (10000, 28, 28), test_images.shape)
    claims.equal("len(test_labels)", 10000, len(test_labels))
    claims.equal("test_labels", [7, 2, 1, 4, 5, 6], test_labels[ends])
    claims.equal("least and largest pixel", [0, 255], [int(train_images.min()), int(train_images.max())])


# --- two networks ----------------------------------------------------------------------------------------------------


def dense_network(claims: Claims, data, chosen) -> None:
    claims.chapter("The dense network", "Every pixel with every one of 512 neurons, and these with 10 classes.")
    claims.equal("steps of an epoch, batch 128", 469, math.ceil(60000 / 128))
    claims.equal("steps of evaluate, batch 32", 313, math.ceil(10000 / 32))
    statements = len(ast.parse(DENSE_EXAMPLE).body)
    claims.equal("lines of Python, fewer than 15", True, statements < 15)
    claims.slip(
        "training accuracy in words",
        0.989,
        0.988,
        round(0.9882, 3),
        "the notes say «0,989 (98,8%)»; the line above them prints 0.9882, so 98.8 % is right",
    )
    claims.slip(
        "test accuracy in words, %",
        98.1,
        98.2,
        round(98.17, 1),
        "98.17 % was cut off, not rounded; here as everywhere after it in the lecture",
    )
    printed = [3.9224375e-08, 4.9862869e-09, 9.4487259e-06, 8.6249776e-05, 2.9801717e-11]
    printed += [3.3959207e-08, 4.4558798e-13, 9.9990362e-01, 1.0565784e-07, 3.3271664e-07]
    claims.equal("its 10 printed probabilities add up to 1", True, math.isclose(sum(printed), 1, abs_tol=1e-6))
    claims.equal("the largest of them", 7, int(np.argmax(printed)))
    claims.equal("prediction[0][7]", 0.9999036, round(printed[7], 7))

    def build():
        return keras.Sequential([layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")])

    claims.equal("outputs of the network", 10, build().layers[-1].units)
    if data is not None:
        trained = train(claims, build, data, (28 * 28,), chosen)
        judge(claims, "dense network: test accuracy, %", 98.17, trained.accuracy, 0.4, chosen)
        judge(claims, "dense network: test loss", 0.0605, trained.loss, 0.02, chosen)
        if not chosen.quick:
            epochs = [92.39, 96.79, 97.84, 98.44, 98.82]
            for number, (lecture, ours) in enumerate(zip(epochs, trained.epochs, strict=True), 1):
                claims.near(f"training accuracy in epoch {number}, %", lecture, round(ours, 2), 0.5)


def build_convnet():
    input = keras.Input(shape=(28, 28, 1))
    x = layers.Conv2D(filters=32, kernel_size=3, activation="relu")(input)
    x = layers.MaxPool2D(pool_size=2)(x)
    x = layers.Conv2D(filters=64, kernel_size=3, activation="relu")(x)
    x = layers.MaxPool2D(pool_size=2)(x)
    x = layers.Conv2D(filters=128, kernel_size=3, activation="relu")(x)
    x = layers.Flatten()(x)
    output = layers.Dense(10, activation="softmax")(x)
    return keras.Model(inputs=input, outputs=output)


def convolutional_network(claims: Claims, data, chosen) -> None:
    claims.chapter("The convolutional network")
    summary = build_convnet().summary()
    shapes = [(28, 28, 1), (26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (3, 3, 128), (1152,), (10,)]
    parameters = [0, 320, 0, 18496, 0, 73856, 0, 11530]
    rows(claims, summary, shapes, parameters)
    claims.equal("Total params", 104202, summary.total)
    claims.equal("their memory", "407.04 KB", f"{summary.total * 4 / 1024:.2f} KB")
    claims.equal("Non-trainable params", 0, summary.non_trainable)
    if data is not None:
        trained = train(claims, build_convnet, data, (28, 28, 1), chosen)
        judge(claims, "convolutional network: test accuracy, %", 99.11, trained.accuracy, 0.3, chosen)
        judge(claims, "convolutional network: test loss", 0.0271, trained.loss, 0.01, chosen)


def rows(claims: Claims, summary, shapes, parameters) -> None:
    """Compare a printed summary line by line."""
    claims.equal("layers", len(shapes), len(summary.rows))
    for row, shape, count in zip(summary.rows, shapes, parameters, strict=True):
        claims.equal(f"{row.kind}: output", shape, row.output_shape[1:])
        if count:
            claims.equal(f"{row.kind}: parameters", count, row.parameters)


@dataclass(frozen=True)
class Trained:
    """Means over the seeds: accuracy (%) and loss on the test pictures, accuracy (%) of each epoch of training."""

    accuracy: float
    loss: float
    epochs: list[float]


def train(claims: Claims, build, data, shape: tuple[int, ...], chosen) -> Trained:
    """Prepare, compile, fit and evaluate as the lecture does, once for each seed."""
    (train_images, train_labels), (test_images, test_labels) = data
    train_images = train_images.reshape(60000, *shape).astype("float32") / 255
    test_images = test_images.reshape(10000, *shape).astype("float32") / 255
    pictures, seeds, epochs = (1280, 1, 1) if chosen.quick else (60000, chosen.seeds, 5)
    accuracies, losses, histories = [], [], []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model = build()
        model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        began = time.perf_counter()
        history = model.fit(train_images[:pictures], train_labels[:pictures], epochs=epochs, batch_size=128)
        seconds = time.perf_counter() - began
        test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=0)
        print(f"seed {seed}: test loss {test_loss:.4f}, test accuracy {test_acc:.4f}, {seconds:.1f} s of training")
        accuracies.append(100 * test_acc)
        losses.append(test_loss)
        histories.append([100 * accuracy for accuracy in history.history["accuracy"]])
    if not chosen.quick:
        prediction = model.predict(test_images[0:10], verbose=0)[0]
        claims.equal("the first test picture is a", 7, int(prediction.argmax()))
        claims.equal("test_labels[0]", 7, int(test_labels[0]))
    mean = [statistics.mean(epoch) for epoch in zip(*histories, strict=True)]
    return Trained(statistics.mean(accuracies), statistics.mean(losses), mean)


def judge(claims: Claims, what: str, lecture: float, ours: float, within: float, chosen) -> None:
    if chosen.quick:
        claims.shown(what, lecture, round(ours, 4), "1 280 pictures and one epoch: a quick look is no comparison")
    else:
        claims.near(what, lecture, round(ours, 4), within)


# --- building blocks -------------------------------------------------------------------------------------------------


def what_a_convolution_is(claims: Claims) -> None:
    claims.chapter(
        "Convolution and cross-correlation",
        "(f∗g)(x) = ∫ f(z) g(x − z) dz: one function is turned round and moved by x. With whole numbers the integral\n"
        "is a sum. What «convolutional» layers compute is the cross-correlation: nothing is turned round.",
    )
    signal, kernel = np.array([1, 2, 4, 8, 16]), np.array([1, 10, 100])
    layer = layers.Conv1D(1, 3, use_bias=False)
    as_it_is = one_layer.output(layer, signal, kernel)
    turned = np.asarray(flip(jnp.asarray(kernel.reshape(3, 1, 1))))
    turned_round = one_layer.output(layer, signal, turned)
    claims.worked("a layer correlates: Σ f(x + z) g(z)", np.correlate(signal, kernel, "valid").astype(float), as_it_is)
    sums = [float(sum(signal[z] * kernel[x - z] for z in range(x - 2, x + 1))) for x in (2, 3, 4)]
    claims.worked("turned round it convolves: Σ f(z) g(x − z)", sums, turned_round)
    moved = [float(sum(signal[z] * kernel[3 - z] for z in range(1, 4)))]
    claims.slip(
        "by what g is moved",
        "z",
        "x",
        "x" if moved == [turned_round[1]] else "z",
        "the notes say «зсувається на z», but z runs inside the integral; at x = 3 it is Σ f(z) g(3 − z)",
    )
    claims.worked(
        "picture 4×4, filter 3×3 (its figure): output", (2, 2, 1), layers.Conv2D(1, 3).output_shape((4, 4, 1))
    )

    random = np.random.default_rng(0)
    picture, cross = np.zeros((12, 12)), random.integers(1, 9, (3, 3))
    picture[2:5, 2:5] = cross
    there = np.roll(picture, (4, 5), (0, 1))
    layer = layers.Conv2D(1, 3, use_bias=False)
    first, second = one_layer.output(layer, picture, cross), one_layer.output(layer, there, cross)
    claims.slip(
        "a pattern moved by (4, 5): the feature map",
        "does not change",
        "moves along",
        "moves along" if np.array_equal(np.roll(first, (4, 5), (0, 1)), second) else "does not change",
        "the title says «інваріантні»; a convolution is equivariant: the map moves with the picture …",
    )
    claims.worked("… and its largest value stays (global pooling): invariant", first.max(), second.max())


def sizes(claims: Claims) -> None:
    claims.chapter("Feature maps and their sizes", "Conv2D(output_depth, (window_height, window_width))")
    layer = layers.Conv2D(32, (3, 3))
    claims.equal("a 28×28×1 picture becomes", (26, 26, 32), layer.output_shape((28, 28, 1)))
    claims.equal("one response map, output[:, :, n]", (26, 26), layer.output_shape((28, 28, 1))[:2])
    depths = [row.output_shape[-1] for row in build_convnet().summary(print_to=None).rows if row.kind == "Conv2D"]
    claims.equal("depth begins with 32 and ends with", 128, depths[-1])
    for size, filter_size, pads, stride in [(28, 3, 0, 1), (13, 3, 0, 1), (5, 3, 0, 1), (5, 3, 1, 1), (5, 3, 0, 2)]:
        said = (size - filter_size + 2 * pads) / stride + 1
        window = Window((filter_size,), (stride,), (1,), ((pads, pads),))
        claims.worked(
            f"O = (I − F + 2P)/S + 1 for I={size}, F={filter_size}, P={pads}, S={stride}",
            said,
            float(window.positions(0, size)),
        )
    claims.slip(
        "the same formula for its pooling of 11×11 (F=2, S=2)",
        (11 - 2) / 2 + 1,
        5,
        layers.MaxPool2D(2).output_shape((11, 11, 64))[0],
        "the formula has to be rounded down: ⌊(I − F + 2P)/S⌋ + 1, as its own summary shows (11 → 5)",
    )


def padding_and_strides(claims: Claims) -> None:
    claims.chapter("Padding and strides")
    picture = np.arange(25).reshape(5, 5)
    places = np.asarray(unfold(jnp.asarray(picture)[None, :, :, None], 3)).reshape(-1, 9)
    padded = np.asarray(unfold(jnp.asarray(picture)[None, :, :, None], 3, padding="same")).reshape(-1, 9)
    claims.equal("tiles of a 5×5 map", 25, picture.size)
    claims.equal("3×3 patches in a 5×5 map", 9, len(places))
    claims.equal("with padding", 25, len(padded))
    claims.worked("their middles: rows and columns 1 to 3", picture[1:4, 1:4].ravel(), places[:, 4])
    claims.equal("valid: 5×5 becomes", (3, 3, 1), layers.Conv2D(1, 3).output_shape((5, 5, 1)))
    claims.equal("same: 5×5 stays", (5, 5, 1), layers.Conv2D(1, 3, padding="same").output_shape((5, 5, 1)))
    claims.equal("a 3×3 window adds on each side", 1, Window((3,), (1,), (1,), "same").pads((5,))[0][0])
    claims.equal("a 5×5 window adds on each side", 2, Window((5,), (1,), (1,), "same").pads((5,))[0][0])
    claims.equal("padding is by default", "valid", layers.Conv2D(1, 3).padding)
    claims.equal("strides are by default", 1, layers.Conv2D(1, 3).strides)
    claims.equal("stride 2 over 5×5", (2, 2, 1), layers.Conv2D(1, 3, strides=2).output_shape((5, 5, 1)))
    claims.slip(
        "5×5 with stride 2 shrinks by a factor of",
        2.0,
        2.5,
        5 / layers.Conv2D(1, 3, strides=2).output_shape((5, 5, 1))[0],
        "«в таку ж кiлькiсть разiв» holds exactly only without a border: here 5 becomes 2, with same padding 3",
    )


def pooling(claims: Claims) -> None:
    claims.chapter("Max-pooling, and the network without it")
    claims.equal("2×2 with steps of 2 halves 26×26", (13, 13, 32), layers.MaxPool2D(2).output_shape((26, 26, 32)))
    picture = np.array([[1, 3, 2, 0], [4, 2, 1, 1], [0, 0, 5, 6], [1, 2, 7, 8]])  # numbers of our own
    by_hand = picture.reshape(2, 2, 2, 2).max(axis=(1, 3)).astype(float)
    claims.worked("max of each 2×2 window (a picture of ours)", by_hand, one_layer.output(layers.MaxPool2D(2), picture))
    average = one_layer.output(layers.AveragePooling2D(2), picture)
    claims.worked("average of each", picture.reshape(2, 2, 2, 2).mean(axis=(1, 3)), average)

    input = keras.Input(shape=(28, 28, 1))
    x = layers.Conv2D(filters=32, kernel_size=3, activation="relu")(input)
    x = layers.Conv2D(filters=64, kernel_size=3, activation="relu")(x)
    x = layers.Conv2D(filters=128, kernel_size=3, activation="relu")(x)
    x = layers.Flatten()(x)
    output = layers.Dense(10, activation="softmax")(x)
    model_without_max_pool = keras.Model(inputs=input, outputs=output)
    print()
    summary = model_without_max_pool.summary()
    shapes = [(28, 28, 1), (26, 26, 32), (24, 24, 64), (22, 22, 128), (61952,), (10,)]
    rows(claims, summary, shapes, [0, 320, 18496, 73856, 0, 619530])
    claims.equal("Total params", 712202, summary.total)
    claims.equal("their memory", "2.72 MB", f"{summary.total * 4 / 1024**2:.2f} MB")
    claims.equal("22×22×128", 61952, 22 * 22 * 128)
    claims.equal("the Dense layer: over half a million", True, summary.rows[-1].parameters > 500_000)
    claims.equal("a third-layer value sees", (7, 7), summary.rows[3].receptive_field)
    with_pooling = build_convnet().summary(print_to=None)
    claims.equal("with pooling it sees more than that", True, with_pooling.rows[5].receptive_field > (7, 7))
    first = [row.name for row in with_pooling.rows if row.kind == "Conv2D"]
    printed_first, printed_second = ["conv2d_1", "conv2d_2", "conv2d_3"], ["conv2d_3", "conv2d_4", "conv2d_5"]
    claims.slip(
        "convolutions in both printed summaries",
        len({*printed_first, *printed_second}),
        6,
        len(first) + len([row for row in summary.rows if row.kind == "Conv2D"]),
        "both tables have a conv2d_3 and an input_2, so they come from two sessions; in one, Keras counts on",
    )


if __name__ == "__main__":
    sys.exit(main())
