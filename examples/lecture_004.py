"""Lecture 004 in code: unfold–dot–fold, a network with dropout, augmentation, pictures of your own, transfer learning.

The lecture: «Свёрточные сети». Run it with ``python examples/lecture_004.py``: one epoch of the lecture's network on
the real MNIST and one with augmentation, a few minutes; ``--quick`` shows everything on few pictures in seconds. The
only change to the lecture's cells that run is their first line: ``convista.keras`` instead of ``keras``.
"""

from __future__ import annotations

import ast
import math
import sys
import tempfile
import warnings
from collections.abc import Sequence
from os import listdir
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import one_layer
import real_mnist
from claims import Claims, options

from convista import architectures, keras
from convista.data import image_folder, load
from convista.errors import ArgumentError
from convista.insight import as_dense
from convista.keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from convista.keras.models import Sequential
from convista.keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img, save_img
from convista.layers import (
    Conv1D,
    Conv3D,
    GaussianNoise,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomTranslation,
)
from convista.ops.unfolding import unfold
from convista.training.augmentation import augment

GENERATOR_CELL = """
model.fit_generator(gen.flow(X, y, batch_size=32),
                    epochs = epochs, validation_split=0.1)
"""
FILES_CELL = """
from keras.preprocessing.image import load_img, img_to_array
from os import ???
"""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options(__doc__, arguments)
    claims = Claims("Lecture 004: convolutional networks")
    claims.shown("ImageNet 2012: errors from 26 % to 15 %", "26 → 15", "–", "history; 26.2 and 15.3 % in the paper")
    pictures(claims)
    convolution(claims)
    pooling(claims)
    why_it_works(claims)
    model = network(claims)
    data = training(claims, model, chosen.quick)
    synthetic_data(claims)
    generator(claims, data, chosen.quick)
    pictures_of_your_own(claims)
    claims.chapter(
        "Transfer learning",
        "Layers that others have trained for long, with a new head: examples/transfer_cifar10.py does it offline.",
    )
    return claims.finish()


def pictures(claims: Claims) -> None:
    claims.chapter("Pictures", "A picture is a box: height, width and channels.")
    picture = np.zeros((60000, 28, 28), np.uint8)[:1].reshape(-1, 28, 28, 1)[0]
    claims.slip(
        "a grey picture: the axis that is always 1",
        "the first",
        "the last",
        "the last" if picture.shape == (28, 28, 1) else "the first",
        "channels come first in PyTorch; in the lecture's own cell they are «последним измерением»",
    )


def convolution(claims: Claims) -> None:
    claims.chapter(
        "Unfold, dot, fold",
        "1. cut the box into boxes, 2. write each as a vector, 3. (the lecture stops in the middle of the sentence:)\n"
        "multiply each vector by each kernel, 4. put the numbers into a new box, 5. take a nonlinearity of each.",
    )
    random = np.random.default_rng(0)
    picture, kernel = (
        random.normal(size=(6, 6, 2)).astype(np.float32),
        random.normal(size=(3, 3, 2, 4)).astype(np.float32),
    )
    vectors = np.asarray(unfold(jnp.asarray(picture)[None], 3))[0]
    claims.worked("boxes of 3×3×2 in a 6×6×2 box, as vectors", (4, 4, 18), vectors.shape)
    steps = np.maximum(vectors @ kernel.reshape(18, 4), 0)
    layer = Conv2D(4, (3, 3), activation="relu", use_bias=False)
    ours = one_layer.output(layer, picture, kernel)
    claims.equal("the five steps are the layer", True, bool(np.allclose(steps, ours, atol=1e-5)))
    claims.equal("the box that comes out", steps.shape, ours.shape)
    padded = Conv2D(4, 3, padding="same")
    claims.worked("padding: 6 + 2 − 3 + 1", (6, 6, 4), padded.output_shape((6, 6, 2)))
    claims.worked("stride 2: (6 − 3) // 2 + 1", (2, 2, 4), Conv2D(4, 3, strides=2).output_shape((6, 6, 2)))


def pooling(claims: Claims) -> None:
    claims.chapter("Pooling", "The largest number of each window, and channels do not meet.")
    random = np.random.default_rng(0)
    picture = random.normal(size=(4, 4, 2))
    other = picture.copy()
    other[..., 1] = random.normal(size=(4, 4))
    first, second = one_layer.output(MaxPooling2D(2), picture), one_layer.output(MaxPooling2D(2), other)
    same = [bool((first[..., channel] == second[..., channel]).all()) for channel in range(2)]
    claims.worked("a new second channel: is channel 0 the same, is 1", [True, False], same)
    claims.equal("downsampling: numbers kept of 16", 4, first[..., 0].size)
    print(
        "\nNot only pictures: one-dimensional for texts and genomes (examples/genome.py), three-dimensional for scans"
    )
    print("(examples/volumes.py). The lecture counts MRI among the X-rays; it works without them.")
    claims.worked("60 letters of 4 kinds, kernel 5", (56, 8), Conv1D(8, 5).output_shape((60, 4)))
    claims.worked("a scan of 32×32×32, kernel 3", (30, 30, 30, 8), Conv3D(8, 3).output_shape((32, 32, 32, 1)))


def why_it_works(claims: Claims) -> None:
    claims.chapter("Why it works: few weights, shared")
    layer = Conv2D(8, (3, 3))
    matrix = as_dense(layer, (28, 28, 1))
    claims.worked("weights of the first layer below, 3·3·8", 72, matrix.weights)
    claims.worked("of a dense layer in its place, 784·26·26·8", 784 * 26 * 26 * 8, matrix.dense_connections)


def network(claims: Claims) -> Any:
    claims.chapter(
        "The network", "The lecture's cell, and how many numbers, what shapes, how much work: the summary says it."
    )
    model = Sequential([
        # channels  kernel_size
        Conv2D(8, (3, 3), activation="relu", input_shape=(28, 28, 1)),
        Conv2D(16, (3, 3), activation="relu"),
        MaxPooling2D(pool_size=(2, 2)),
        Dropout(0.2),
        Flatten(),  # makes one long vector
        Dense(128, activation="relu"),
        Dropout(0.5),
        Dense(10, activation="softmax"),
    ])  # fmt: skip
    summary = model.summary()
    shapes = [(26, 26, 8), (24, 24, 16), (12, 12, 16), (12, 12, 16), (2304,), (128,), (128,)]
    parameters = [80, 1168, 0, 0, 0, 295040, 0]
    for row, shape, count in zip(summary.rows, shapes, parameters, strict=False):
        claims.equal(f"{row.kind}: output", shape, row.output_shape[1:])
        claims.equal(f"{row.kind}: parameters", count, row.parameters)
    claims.slip(
        "lines of the summary",
        len(shapes),
        8,
        len(summary.rows),
        "the printed table is cut after the second dropout; what follows is worked by hand",
    )
    claims.worked("Dense: output", (10,), summary.rows[-1].output_shape[1:])
    claims.worked("Dense: parameters, 128·10 + 10", 1290, summary.rows[-1].parameters)
    claims.worked("Total params, 80 + 1168 + 295040 + 1290", 297578, summary.total)
    macs = 26 * 26 * 9 * 8 + 24 * 24 * 72 * 16 + 2304 * 128 + 128 * 10
    claims.worked("«how long will it count»: multiplications", macs, summary.multiply_accumulates)
    return model


def training(claims: Claims, model: Any, quick: bool) -> tuple[np.ndarray, np.ndarray] | None:
    claims.chapter("MNIST and fit")
    claims.equal("Train on", 54000, 60000 - int(60000 * 0.1))
    claims.equal("validate on", 6000, int(60000 * 0.1))
    claims.worked("steps of the epoch, 54 000 / 16", 3375, math.ceil(54000 / 16))
    data = real_mnist.load_data()
    if data is None:
        return None
    (X, y), _ = data
    y = keras.utils.to_categorical(y, 10)
    X = X.astype("float32")
    X /= 255
    claims.equal("X.shape", (60000, 28, 28), X.shape)
    X = X.reshape(-1, 28, 28, 1)
    claims.equal("four dimensions, channels last", (60000, 28, 28, 1), X.shape)
    claims.worked("y in ten columns", (60000, 10), y.shape)
    if quick:
        X, y = X[:640], y[:640]
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    history = model.fit(X, y, batch_size=16, epochs=1, validation_split=0.1)
    reached = 100 * history.history["val_accuracy"][0]
    if quick:
        why = "640 pictures are no comparison; the lecture links a recipe for 99.5 % and prints no number of its own"
    else:
        why = "after one epoch; the lecture prints no number of its own, and links a recipe for 99.5 %"
        claims.worked("accuracy above 97 %", True, reached > 97)
    claims.shown("validation accuracy, %", 99.5, round(reached, 2), why)
    return X, y


# --- augmentation ----------------------------------------------------------------------------------------------------


def synthetic_data(claims: Claims) -> None:
    claims.chapter("Synthetic data", "Each change of the lecture's list is a layer; the label stays.")
    digits = load("digits")
    x = jnp.asarray(digits.train.x[:64], jnp.float32)
    changes = {
        "a small rotation": RandomRotation(15 / 360),
        "noise": GaussianNoise(10.0),
        "borders cut, then stretched": RandomResizedCrop(8, 8, (0.6, 1.0)),
        "mirrored": RandomFlip("horizontal"),
        "moved a little": RandomTranslation(0.1, 0.1),
    }
    for name, layer in changes.items():
        if isinstance(layer, GaussianNoise):
            changed = layer.apply({}, {}, x, training=True, key=jax.random.key(0))[0]
        else:
            changed = augment([layer], x, jax.random.key(0))
        same_size = changed.shape == x.shape and not np.array_equal(changed, x)
        claims.equal(f"{name}: other pictures, the same size", True, same_size)

    model = architectures.get("lecture-small-convnet")((8, 8, 1), 10, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(digits.train.x, digits.train.y, epochs=10, verbose=0)
    upright = 100 * model.evaluate(digits.test.x, digits.test.y, verbose=0)[1]
    mirrored = 100 * model.evaluate(digits.test.x[:, :, ::-1], digits.test.y, verbose=0)[1]
    print(f"\nThe lecture's network on the 8×8 digits: {upright:.1f} % upright, {mirrored:.1f} % mirrored.")
    claims.equal("a mirrored digit is another thing: it does harm", True, mirrored < upright - 20)


def generator(claims: Claims, data: tuple[np.ndarray, np.ndarray] | None, quick: bool) -> None:
    claims.chapter("ImageDataGenerator")
    if data is None:
        print("(on the 8×8 digits inside the package)")
        digits = load("digits")
        X, y = digits.train.x.astype("float32") / 255, keras.utils.to_categorical(digits.train.y, 10)
    else:
        X, y = data
    gen = ImageDataGenerator(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        fill_mode="nearest",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gen.fit(X)
    claims.slip(
        "gen.fit(X)",
        "warns",
        "is silent",
        "warns" if caught else "is silent",
        "the warning it shows, «… channels)», comes when the last axis is not 1, 3 or 4: its X had another shape there",
    )
    flow = gen.flow(X, y, batch_size=32, shuffle=False)
    claims.equal("changed pictures keep their labels", True, bool((flow[0][1] == y[:32]).all()))
    claims.worked("… and are changed", True, not np.array_equal(flow[0][0], X[:32]))

    model = architectures.get("lecture-small-convnet")(X.shape[1:], 10, seed=0)
    model.preprocessing = None  # X is 0…1 already
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    names = {"model": model, "gen": gen, "X": X, "y": y}
    claims.slip(
        "its cell with fit_generator", "runs", "NameError", tried(GENERATOR_CELL, names), "epochs was never set"
    )
    with_epochs = tried(GENERATOR_CELL, {**names, "epochs": 1})
    claims.slip(
        "… with epochs = 1",
        "runs",
        ArgumentError.__name__,
        with_epochs,
        "a generator has no known length, so it cannot be split; Keras raises a TypeError",
    )
    pixels = 14 * math.tan(math.radians(0.2))
    print(f"shear_range is in degrees: 0.2 moves the upper edge of a digit by {pixels:.2f} pixels; 20 shows.")
    gen = ImageDataGenerator(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=20,
        zoom_range=0.2,
        fill_mode="nearest",
        validation_split=0.1,
    )
    history = model.fit_generator(
        gen.flow(X, y, batch_size=32, subset="training"),
        epochs=1,
        validation_data=gen.flow(X, y, batch_size=32, subset="validation"),
    )
    claims.equal("put right, it runs and validates", True, "val_accuracy" in history.history)
    if data is not None and not quick:
        reached = round(100 * history.history["val_accuracy"][-1], 2)
        print(f"one epoch with augmentation: {reached} % on the 6 000 pictures that are never changed")


def tried(cell: str, names: dict[str, Any]) -> str:
    """Run a cell as the lecture prints it; return the name of its error, or ``runs``."""
    try:
        exec(compile(cell, "lecture 004", "exec"), dict(names))  # noqa: S102 - the two lines above
    except (NameError, ArgumentError) as error:
        return type(error).__name__
    return "runs"


def pictures_of_your_own(claims: Claims) -> None:
    claims.chapter("Pictures of your own")
    try:
        ast.parse(FILES_CELL)
        outcome = "runs"
    except SyntaxError as error:
        outcome = type(error).__name__
    claims.slip("from os import ???", "runs", "SyntaxError", outcome, "listdir is meant")
    digits = load("digits")
    with tempfile.TemporaryDirectory() as name:
        for number, (picture, label) in enumerate(zip(digits.train.x[:40], digits.train.y[:40] % 2, strict=True)):
            folder = Path(name, ("even", "odd")[label])
            folder.mkdir(exist_ok=True)
            save_img(folder / f"{number:02}.png", picture, scale=False)
        file = sorted(Path(name, "odd").iterdir())[0]
        array = img_to_array(load_img(file, color_mode="grayscale"))
        claims.worked("load_img, img_to_array: a picture again", (8, 8, 1), array.shape)
        claims.worked("the same pixels", True, bool((array == digits.train.x[int(file.stem)]).all()))
        claims.worked("listdir: folders are classes", ["even", "odd"], sorted(listdir(name)))
        folder = image_folder(name, image_size=(8, 8), color_mode="grayscale", batch_size=8)
        claims.worked("image_folder: the same classes", ("even", "odd"), folder.classes)
        claims.worked("… and all pictures", 40, folder.train.size)


if __name__ == "__main__":
    sys.exit(main())
