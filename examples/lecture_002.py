"""Lecture 002 in code: the convolutional layer, padding, pooling, and a network that grows layer by layer.

The lecture: УИИ, «Свёрточный слой Conv2D». Run it with ``python examples/lecture_002.py``; it takes seconds. Nothing is
trained in this lecture, so ``--quick`` changes nothing.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Sequence

import numpy as np
import one_layer
from claims import Claims, options
from PIL import Image

from convista.data import img_to_array
from convista.insight.filtering import filter_picture
from convista.keras.layers import Conv2D, Conv2DTranspose, Dense, Flatten, MaxPooling2D, Reshape, UpSampling2D
from convista.keras.models import Sequential
from convista.layers import AveragePooling2D, Conv1D, Conv3D, SumPooling2D

LINES = {
    "the line that adds a convolution": ".add(Conv2D(32, (3, 3), padding='same', activation='relu', strides=(1,1))",
    "the line that adds a pooling": ".add(MaxPooling2D(pool_size=(2, 2))",
}


def main(arguments: Sequence[str] | None = None) -> int:
    options(__doc__, arguments)
    claims = Claims("Lecture 002: Conv2D")
    why_not_dense(claims)
    convolution_by_hand(claims)
    padding(claims)
    kernels(claims)
    pooling(claims)
    flatten_and_reshape(claims)
    growing_network(claims)
    return claims.finish()


def weights(layer, input_shape: tuple[int, ...]) -> int:
    return sum(math.prod(parameter.shape) for parameter in layer.parameters(input_shape).values())


def why_not_dense(claims: Claims) -> None:
    claims.chapter("Dense layers grow too fast", "Dense, which the lecture's title spells «Dence».")
    claims.equal("weights of one neuron on 200×200×3", 120000, weights(Dense(1, use_bias=False), (200 * 200 * 3,)))
    claims.worked("… and its bias", 120001, weights(Dense(1), (200 * 200 * 3,)))
    claims.worked(
        "32 kernels of 3×3×3 instead, with biases", 32 * 3 * 3 * 3 + 32, weights(Conv2D(32, 3), (200, 200, 3))
    )
    sizes = [
        Conv1D(32, 3, padding="same").output_shape((9, 3)),
        Conv2D(32, (3, 3), padding="same").output_shape((9, 9, 3)),
        Conv3D(32, 3, padding="same").output_shape((9, 9, 9, 3)),
    ]
    claims.equal("there are one-, two- and three-dimensional ones", [1, 2, 3], [len(size) - 1 for size in sizes])
    layer = Conv2D(32, (3, 3), padding="same", activation="relu", strides=(1, 1))
    claims.equal("padding='same' keeps the size", (28, 28), layer.output_shape((28, 28, 1))[:2])
    plain = Conv2D(32, (3, 3))
    claims.equal("padding is by default", "valid", plain.padding)
    claims.equal("strides are by default", (1, 1), plain.window.strides)
    for name, line in LINES.items():
        claims.slip(name, "runs", "SyntaxError", tried("model" + line), f"a bracket is missing: model{line})")
        claims.equal("… with it", "runs", tried(f"model{line})"))


def tried(line: str) -> str:
    """Whether Python can read a line."""
    try:
        ast.parse(line)
    except SyntaxError as error:
        return type(error).__name__
    return "runs"


def convolution_by_hand(claims: Claims) -> None:
    claims.chapter(
        "The algorithm of convolution",
        "Lay the filter on the upper left corner, multiply, add, move by strides, again until all places are done.",
    )
    random = np.random.default_rng(0)
    picture, kernel = random.integers(0, 9, (4, 5)), random.integers(-2, 3, (3, 3))
    by_hand = np.zeros((2, 3))
    for row in range(2):
        for column in range(3):
            by_hand[row, column] = (picture[row : row + 3, column : column + 3] * kernel).sum()
    layer = Conv2D(1, 3, use_bias=False)
    claims.worked("a 4×5 picture of ours, 3×3 filter", by_hand, one_layer.output(layer, picture, kernel))
    relu = one_layer.output(Conv2D(1, 3, activation="relu"), picture, kernel, [-1])
    claims.worked("… a bias of −1, then relu", np.maximum(by_hand - 1, 0), relu)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    large = np.kron(cross, np.ones((2, 2)))  # each cell twice as wide and high: 6×6
    search = Conv2D(1, 6, use_bias=False)
    there, moved, reduced = np.zeros((3, 16, 16))
    there[2:8, 2:8], moved[7:13, 9:15], reduced[2:5, 2:5] = large, large, cross
    answers = [float(one_layer.output(search, picture, large).max()) for picture in (there, moved, reduced)]
    claims.equal("a small Dense that slides finds a moved object", answers[0], answers[1])
    claims.slip(
        "… and one made smaller («уменьшен»), with an answer of",
        answers[0],
        float(cross.sum()),
        answers[2],
        "a kernel has one size; other scales have to be learnt by other kernels, or with augmentation",
    )


def padding(claims: Claims) -> None:
    claims.chapter("Padding")
    picture, kernel = np.arange(1, 10).reshape(3, 3), np.ones((3, 3))
    layer = Conv2D(1, 3, padding="same", use_bias=False)
    ours = one_layer.output(layer, picture, kernel)
    around_input = one_layer.output(Conv2D(1, 3, use_bias=False), np.pad(picture, 1), kernel)
    around_output = np.pad(one_layer.output(Conv2D(1, 3, use_bias=False), picture, kernel), 1)
    claims.slip(
        "3×3 picture 1…9, kernel of ones, «same»",
        around_output,
        around_input,
        ours,
        "«Keras дополнит выходное изображение»: no, the zeros go around the input, before the kernel slides",
    )
    claims.equal("5 convolutions of 3×3 without padding: 28 becomes", 28 - 5 * 2, shrunk(28, 5, "valid"))
    claims.equal("… with «same»", 28, shrunk(28, 5, "same"))
    pads = Conv2D(1, 3, padding="same").window.pads((28, 56))
    claims.equal("pad = (size − 1) / 2 for size 3", 1, pads[0][0])
    even = Conv2D(1, 2, padding="same").window.pads((28, 56))
    claims.slip(
        "pad = (size − 1) / 2 for size 2, before and after",
        [0.5, 0.5],
        [0, 1],
        list(even[0]),
        "there is no half row: with an even kernel the one row goes below (and the one column to the right)",
    )


def shrunk(size: int, times: int, padding: str) -> int:
    for _ in range(times):
        size = Conv2D(1, 3, padding=padding).output_shape((size, size, 1))[0]
    return size


def kernels(claims: Claims) -> None:
    claims.chapter("Sizes of kernels")
    first = Conv2D(32, 3).parameters((32, 32, 3))["kernel"].shape
    claims.equal("CIFAR-10, 32×32×3, 32 maps: filters", 32, first[-1])
    claims.equal("… each of depth", 3, first[-2])
    claims.slip(
        "a picture's axes are",
        ["width", "height", "depth"],
        ["height", "width", "depth"],
        axes(),
        "with 32×32 nobody sees it; its own input_shape=(img_height, img_width, channels) is right",
    )
    for size, filters in [((3, 3), 8), ((5, 5), 16), ((7, 7), 32), ((3, 7), 64), ((27, 27), 315)]:
        shape = (32 - size[0] + 1, 32 - size[1] + 1, filters)
        claims.worked(
            f"{filters} kernels of {size[0]}×{size[1]} on it", shape, Conv2D(filters, size).output_shape((32, 32, 3))
        )
    usual = [8, 16, 32, 64]
    claims.slip(
        "8, 16, 32, 64 are …",
        "multiples of two",
        "powers of two",
        "powers of two" if all(number & (number - 1) == 0 for number in usual) else "multiples of two",
        "«кратно двум» would allow 6 and 10 as well",
    )
    step = np.repeat([[0, 0, 100, 100]], 4, axis=0)
    edges = filter_picture(step, "sobel").values[1, :, 0]
    claims.worked("borders: sobel on 0 0 100 100", [0, 400, 400, 0], edges)
    sharp = filter_picture(step, "sharpen").values[1, :, 0]
    claims.worked("sharper: x minus its laplace", [0, 0 - 100, 100 + 100, 100], sharp)
    soft = filter_picture(step, "box_blur").values[1, :, 0]
    claims.worked("blurred: means of three", [0, 33.3, 66.7, 100], np.round(soft.astype(float), 1))


def axes() -> list[str]:
    """Find out which axis of an array is the height of a picture."""
    shape = img_to_array(Image.new("RGB", (20, 10))).shape  # Pillow: 20 wide, 10 high
    return [{20: "width", 10: "height", 3: "depth"}[size] for size in shape]


def pooling(claims: Claims) -> None:
    claims.chapter("Pooling")
    picture = np.array([[1, 3, 2, 0], [4, 2, 1, 1], [0, 0, 5, 6], [1, 2, 7, 8]])  # numbers of our own
    windows = picture.reshape(2, 2, 2, 2).astype(float)
    claims.worked(
        "MaxPooling of 1 3 2 0 | 4 2 1 1 | …", windows.max((1, 3)), one_layer.output(MaxPooling2D(2), picture)
    )
    claims.worked("AveragePooling", windows.mean((1, 3)), one_layer.output(AveragePooling2D(2), picture))
    claims.worked("SumPooling (Keras has none)", windows.sum((1, 3)), one_layer.output(SumPooling2D(2), picture))
    claims.slip(
        "pool_size has to be given",
        True,
        False,
        inspect.signature(MaxPooling2D).parameters["pool_size"].default is inspect.Parameter.empty,
        "«один обязательный параметр»: it is (2, 2) when left out, in Keras as here",
    )
    claims.equal("strides left out are pool_size", (3, 3), MaxPooling2D(pool_size=(3, 3)).window.strides)
    claims.equal("(2, 2) halves 28×56×8", (14, 28, 8), MaxPooling2D((2, 2)).output_shape((28, 56, 8)))
    claims.worked("a window of its own each way: (1, 2)", (28, 28, 8), MaxPooling2D((1, 2)).output_shape((28, 56, 8)))
    small = MaxPooling2D(2).output_shape((15, 15, 1))
    claims.equal("15×15 becomes", (7, 7, 1), small)
    claims.equal("back with Upsampling", (14, 14, 1), UpSampling2D(2).output_shape(small))
    claims.equal("back with Conv2DTranspose", (14, 14, 1), Conv2DTranspose(1, 2, strides=2).output_shape(small))
    whole = Conv2DTranspose(1, 2, strides=2, output_padding=1).output_shape(small)
    claims.worked("… with output_padding=1 all 15", (15, 15, 1), whole)


def flatten_and_reshape(claims: Claims) -> None:
    claims.chapter("Flatten and Reshape")
    claims.equal("Flatten of (28, 28, 3)", (2352,), Flatten().output_shape((28, 28, 3)))
    claims.equal("Reshape to (3, 784)", (3, 784), Reshape((3, 784)).output_shape((28, 28, 3)))
    claims.equal("Reshape to (14, 14, 12)", (14, 14, 12), Reshape((14, 14, 12)).output_shape((28, 28, 3)))
    claims.equal("the product stays", 2352, 14 * 14 * 12)


def growing_network(claims: Claims) -> None:
    claims.chapter(
        "A network layer by layer", "output = (input + 2·pad − size) // stride + 1, and a summary after each."
    )
    model = Sequential()
    model.add(Conv2D(8, (3, 3), padding="same", activation="relu", input_shape=(28, 56, 3)))
    compare(claims, model, (28, 56, 8), 224, 224)
    claims.equal("output_h = (28 + 2·1 − 3) // 1 + 1", 28, (28 + 2 * 1 - 3) // 1 + 1)
    claims.equal("output_w = (56 + 2·1 − 3) // 1 + 1", 56, (56 + 2 * 1 - 3) // 1 + 1)
    model.add(Conv2D(5, (3, 2), strides=(2, 3), padding="valid", activation="relu"))
    compare(claims, model, (13, 19, 5), 245, 469)
    claims.equal("output_h = (28 + 2·0 − 3) // 2 + 1", 13, (28 + 2 * 0 - 3) // 2 + 1)
    claims.equal("output_w = (56 + 2·0 − 2) // 3 + 1", 19, (56 + 2 * 0 - 2) // 3 + 1)
    model.add(MaxPooling2D(pool_size=(3, 3)))
    compare(claims, model, (4, 6, 5), 0, 469)
    claims.equal("output_h = (13 − 3) // 3 + 1", 4, (13 - 3) // 3 + 1)
    claims.equal("output_w = (19 − 3) // 3 + 1", 6, (19 - 3) // 3 + 1)
    lost = model.summary(print_to=None).rows[-1].loss_text
    claims.worked("what no window sees: 13 − 4·3 and 19 − 6·3", "the last row and the last column", lost)
    without = Flatten().output_shape((13, 19, 5))
    claims.worked("without pooling Flatten would give 13·19·5", (1235,), without)
    model.add(Flatten())
    compare(claims, model, (120,), 0, 469)
    claims.equal("4 · 6 · 5", 120, 4 * 6 * 5)
    model.add(Dense(3, activation="softmax"))
    compare(claims, model, (3,), 363, 832)
    probabilities = model.predict(np.ones((1, 28, 56, 3)), verbose=0)[0]
    claims.equal("probabilities of three classes add up to", 1, round(float(probabilities.sum()), 5))
    print()
    model.summary()


def compare(claims: Claims, model: Sequential, shape: tuple[int, ...], parameters: int, total: int) -> None:
    """Compare the last line and the total of the summary."""
    summary = model.summary(print_to=None)
    last = summary.rows[-1]
    claims.equal(f"{last.kind}: output", shape, last.output_shape[1:])
    claims.equal(f"{last.kind}: parameters", parameters, last.parameters)
    claims.equal("Total params", total, summary.total)


if __name__ == "__main__":
    sys.exit(main())
