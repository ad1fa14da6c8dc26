"""Lecture 001 in code: pictures as numbers, one convolution by hand, PyTorch's Conv2d, pooling, augmentation.

The lecture: «Сверточные слои • Convolutional layers». Run it with ``python examples/lecture_001.py``; it takes seconds,
because what it trains is small: the 1 797 handwritten digits inside the package. ``--quick`` trains for one epoch.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import jax
import numpy as np
import one_layer
from claims import Claims, options

from convista import Sequential
from convista.data import array_to_img, img_to_array, load
from convista.errors import ArgumentError
from convista.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
    RandomBrightness,
    RandomRotation,
    RandomTranslation,
    Rescaling,
)
from convista.shapes import Window

PORTRAIT = """
157 153 174 168 150 152 129 151 172 161 155 156
155 182 163 74 75 62 33 17 110 210 180 154
180 180 50 14 34 6 10 33 48 106 159 181
206 109 5 124 131 111 120 204 166 15 56 180
194 68 137 251 237 239 239 228 227 87 71 201
172 105 207 233 233 214 220 239 228 98 74 206
188 88 179 209 185 215 211 158 139 75 20 169
189 97 165 84 10 168 134 11 31 62 22 148
199 168 191 193 158 227 178 143 182 106 36 190
205 174 155 252 236 231 149 178 228 43 95 234
190 216 116 149 236 187 85 150 79 38 218 241
190 224 147 108 227 210 127 102 36 101 255 224
190 214 173 66 103 143 95 50 2 109 249 215
187 196 235 75 1 81 47 0 6 217 255 211
183 202 237 145 0 0 12 108 200 138 243 236
196 206 123 207 177 121 123 200 175 13 96 218
"""

PICTURE = np.array([[3, 0, 0, 1, 1], [4, 2, 2, 1, 1], [1, 2, 5, 1, 0], [1, 4, 5, 5, 0], [3, 4, 0, 0, 0]])
KERNEL = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
PRINTED = np.array([[-1, -1, -5], [6, -1, -11], [5, -4, 10]])

# What the lecture's cell prints for nn.Conv2d(in_channels=3, out_channels=1, kernel_size=2): (out, in, height, width).
TORCH_WEIGHT = np.array(
    [
        [
            [[0.2278, 0.2484], [0.1522, -0.2209]],
            [[-0.0611, 0.2156], [-0.1626, -0.0988]],
            [[-0.2752, 0.1702], [0.1131, 0.0462]],
        ]
    ]
)
TORCH_BIAS = np.array([-0.0321])


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options(__doc__, arguments)
    claims = Claims("Lecture 001: convolutional layers")
    pictures_as_numbers(claims)
    convolution_by_hand(claims)
    conv2d_of_pytorch(claims)
    padding_and_stride(claims)
    pooling(claims)
    batch_normalization(claims)
    classifier(claims, chosen.quick)
    not_only_pictures(claims)
    return claims.finish()


def pictures_as_numbers(claims: Claims) -> None:
    claims.chapter("A picture is a matrix or a tensor", "The lecture's portrait, one number for each pixel.")
    portrait = np.array([line.split() for line in PORTRAIT.strip().splitlines()], np.uint8)
    claims.equal("rows and columns of its matrix", (16, 12), portrait.shape)
    claims.equal("numbers", 192, portrait.size)
    claims.equal("first row begins", [157, 153, 174, 168], portrait[0, :4])
    claims.equal("all from 0 (black) to 255 (white)", True, bool(portrait.min() >= 0 and portrait.max() <= 255))
    again = img_to_array(array_to_img(portrait[..., None], scale=False))
    claims.worked("as a picture and back it is the same", True, bool((again[..., 0] == portrait).all()))
    claims.equal("a grey picture has channels", 1, again.shape[-1])
    colour = np.zeros((16, 12, 3))
    claims.equal("a colour picture has channels", 3, colour.shape[-1])


def convolution_by_hand(claims: Claims) -> None:
    claims.chapter(
        "One convolution by hand",
        "The kernel lies on the upper left corner; nine products are added; it moves on by one.",
    )
    result = np.zeros((3, 3), int)
    for row in range(3):
        for column in range(3):
            patch = PICTURE[row : row + 3, column : column + 3]
            products = " ".join(f"{a}·{b}" for a, b in zip(patch.ravel(), KERNEL.ravel(), strict=True))
            result[row, column] = (patch * KERNEL).sum()
            print(f"  ({row}, {column}): {products} = {result[row, column]}".replace("-", "−"))
    layer = Conv2D(1, 3, use_bias=False)
    ours = one_layer.output(layer, PICTURE, KERNEL).astype(int)
    for row in range(3):
        for column in range(3):
            if (row, column) != (2, 2):
                claims.equal(f"value ({row}, {column})", int(PRINTED[row, column]), ours[row, column])
    claims.slip(
        "value (2, 2), the last one",
        int(PRINTED[2, 2]),
        int(result[2, 2]),
        ours[2, 2],
        "(0 + 0 + 0) − (5 + 5 + 0) = −10: the minus got lost",
    )
    claims.slip(
        "the empty results that it draws",
        (4, 3),
        result.shape,
        ours.shape,
        "a 3×3 kernel fits three times into 5 rows, so there are 3 rows, not 4",
    )
    claims.slip(
        "with the 4-row picture that it draws once",
        (4, 3),
        (2, 3),
        layer.output_shape((4, 5, 1))[:2],
        "there the last row, 3 4 0 0 0, is left out; its result would be 2×3",
    )
    print(
        "\nTwo of its formulas have also lost their order: the kernel stands after the «=», as if it were the result."
    )
    biased = one_layer.output(Conv2D(1, 3, activation="relu"), PICTURE, KERNEL, [2])
    claims.worked("then a bias of 2 (ours) and relu", np.maximum(result + 2, 0), biased.astype(int))


def conv2d_of_pytorch(claims: Claims) -> None:
    claims.chapter("nn.Conv2d(in_channels=3, out_channels=1, kernel_size=2)")
    layer = Conv2D(1, 2)
    parameters = layer.parameters((32, 32, 3))
    kernel = parameters["kernel"].shape
    claims.equal("shape of model.weight", TORCH_WEIGHT.shape, tuple(kernel[axis] for axis in (3, 2, 0, 1)))
    claims.equal("shape of model.bias", TORCH_BIAS.shape, parameters["bias"].shape)
    count = sum(math.prod(parameter.shape) for parameter in parameters.values())
    claims.equal("numbers that it prints, all in all", TORCH_WEIGHT.size + TORCH_BIAS.size, count)
    bound = 1 / math.sqrt(3 * 2 * 2)
    inside = bool(max(np.abs(TORCH_WEIGHT).max(), np.abs(TORCH_BIAS).max()) <= bound)
    claims.equal(f"all drawn from ±1/√(3·2·2) = ±{bound:.4f}, PyTorch's rule", True, inside)

    picture = np.random.default_rng(0).random((4, 5, 3))
    by_hand = np.zeros((3, 4))
    for row in range(3):
        for column in range(4):
            patch = picture[row : row + 2, column : column + 2].transpose(2, 0, 1)
            by_hand[row, column] = (patch * TORCH_WEIGHT[0]).sum() + TORCH_BIAS[0]
    ours = one_layer.output(layer, picture, TORCH_WEIGHT.transpose(2, 3, 1, 0), TORCH_BIAS)[..., 0]
    claims.worked("its weights on a picture: 12 sums alike", True, bool(np.allclose(by_hand, ours, atol=1e-5)))


def padding_and_stride(claims: Claims) -> None:
    claims.chapter("Padding, stride, and the size: out = (W − K + 2P)/S + 1")
    layer = Conv2D(1, 3)
    claims.equal("padding by default", 0, layer.window.pads((5, 5))[0][0])
    claims.equal("stride by default", 1, layer.strides)
    framed = Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    claims.equal("padding=1 keeps 5×5 under a 3×3 kernel", (5, 5), framed.output_sizes((5, 5)))
    even = Window((2, 2), (1, 1), (1, 1), ((1, 1), (1, 1)))
    claims.worked("padding=1 with a 2×2 kernel: one more, (5 − 2 + 2) + 1", (6, 6), even.output_sizes((5, 5)))
    claims.worked('… where "same" keeps', (5, 5), Conv2D(1, 2, padding="same").output_shape((5, 5, 1))[:2])
    corner = one_layer.output(Conv2D(1, 3, padding="same", use_bias=False), PICTURE, KERNEL)[0, 0]
    claims.worked("the corner under a frame of zeros: 0 + 2 − (0 + 0)", 2, int(corner))
    for size, kernel, pads, stride in [(5, 3, 0, 1), (28, 5, 2, 1), (32, 2, 0, 2), (7, 3, 1, 2)]:
        said = (size - kernel + 2 * pads) / stride + 1
        ours = Window((kernel,), (stride,), (1,), ((pads, pads),)).positions(0, size)
        claims.worked(f"W={size}, K={kernel}, P={pads}, S={stride}", said, float(ours))
    claims.slip(
        "W=28, K=3, P=0, S=2",
        (28 - 3) / 2 + 1,
        13,
        Conv2D(1, 3, strides=2).output_shape((28, 28, 1))[0],
        "the formula has to be rounded down: ⌊(W − K + 2P)/S⌋ + 1; the last column is not seen",
    )


def pooling(claims: Claims) -> None:
    claims.chapter("Pooling", "nn.MaxPool2d(kernel_size=2, stride=2, padding=0); the lecture's numbers are in figures,")
    print("so these are the first four rows and columns of its 5×5 picture, by hand and by the layers.")
    picture = PICTURE[:4, :4]
    windows = picture.reshape(2, 2, 2, 2)
    claims.worked(
        "largest of each 2×2", windows.max(axis=(1, 3)).astype(float), one_layer.output(MaxPooling2D(2), picture)
    )
    claims.worked("mean of each", windows.mean(axis=(1, 3)), one_layer.output(AveragePooling2D(2), picture))
    claims.worked("global: the largest", [float(picture.max())], one_layer.output(GlobalMaxPooling2D(), picture))
    claims.worked("global: the mean", [float(picture.mean())], one_layer.output(GlobalAveragePooling2D(), picture))
    claims.equal("it makes pictures smaller: 28×28 becomes", (14, 14, 8), MaxPooling2D(2, 2).output_shape((28, 28, 8)))


def batch_normalization(claims: Claims) -> None:
    claims.chapter(
        "Batch normalisation", "nn.BatchNorm2d(num_features): while training each channel gets mean 0, variance 1."
    )
    layer = BatchNormalization(epsilon=1e-5)
    x = jax.random.normal(jax.random.key(0), (16, 6, 6, 3)) * 7 + 5
    params, state = layer.init(jax.random.key(0), (6, 6, 3))
    y = np.asarray(layer.apply(params, state, x, training=True, key=None)[0])
    claims.worked("means of 3 channels", [0, 0, 0], (np.abs(y.mean(axis=(0, 1, 2))) > 1e-3).astype(int))
    claims.worked("variances", [1, 1, 1], np.round(y.var(axis=(0, 1, 2)).astype(float), 3))
    claims.worked("numbers that it learns, num_features=3", 2 * 3, sum(np.size(part) for part in params.values()))


def network(normalized: bool) -> Sequential:
    """The lecture's classifier: Conv2d, normalisation, activation; pooling; in the end a dense layer."""
    middle = [BatchNormalization()] if normalized else []
    return Sequential(
        [
            Rescaling(1 / 255, input_shape=(8, 8, 1)),
            Conv2D(16, 3, padding="same"),
            *middle,
            Activation("relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(10, activation="softmax"),
        ],
        seed=0,
    )


def classifier(claims: Claims, quick: bool) -> None:
    claims.chapter("A classifier of pictures, with and without normalisation and augmentation")
    digits = load("digits")
    train, test = digits.train, digits.test
    changes = [RandomRotation(10 / 360), RandomTranslation(0.1, 0.1), RandomBrightness(0.1)]
    scores, losses = {}, {}
    for name, normalized, augmentation in [
        ("plain", False, None),
        ("normalised", True, None),
        ("augmented", True, changes),
    ]:
        model = network(normalized)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        epochs = 1 if quick else 20
        history = model.fit(train.x, train.y, epochs=epochs, batch_size=32, verbose=0, augmentation=augmentation)
        losses[name] = history.history["loss"][0]
        scores[name] = 100 * model.evaluate(test.x, test.y, verbose=0)[1]
        print(
            f"  {name}: loss of the first epoch {losses[name]:.3f}, test accuracy {scores[name]:.1f} % after {epochs}"
        )
    claims.equal("it learns faster with normalisation", True, losses["normalised"] < losses["plain"])
    if not quick:
        claims.worked("digits told apart (at least 95 %)", True, min(scores.values()) >= 95)
    try:
        model.evaluate(test.x, test.y, augmentation=changes, verbose=0)
        refused = False
    except ArgumentError as error:
        refused = True
        print(f"  evaluate(…, augmentation=…): {error}")
    claims.equal("only training is augmented; otherwise an error", True, refused)


def not_only_pictures(claims: Claims) -> None:
    claims.chapter(
        "Not only pictures",
        "Sequences with Conv1D, volumes with Conv3D; on data: examples/time_series.py, examples/volumes.py.",
    )
    claims.worked("100 steps of 3 sensors, kernel 5: size", 100 - 5 + 1, Conv1D(8, 5).output_shape((100, 3))[0])
    claims.worked("a volume 16×16×16, kernel 3: size", (14, 14, 14), Conv3D(8, 3).output_shape((16, 16, 16, 1))[:3])


if __name__ == "__main__":
    sys.exit(main())
