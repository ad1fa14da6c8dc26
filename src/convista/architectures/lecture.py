"""The networks of the lectures, for pictures of any size and any number of classes."""

from __future__ import annotations

from convista.arguments import Shape
from convista.data.pictures import Preprocessing
from convista.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from convista.models import Model, Sequential

_PIXELS = Preprocessing(scale=1 / 255)
_MNIST = (28, 28, 1)


def lecture_dense(input_shape: Shape = _MNIST, classes: int = 10, *, seed: int | None = None) -> Sequential:
    """Return the fully connected network: 512 relu units, then a softmax over the classes.

    The lecture reshapes the pictures to rows of 784 numbers before; here ``Flatten`` does it, so that pictures go in.

    Args:
        input_shape: Height, width and channels of one picture.
        classes: How many classes to tell apart.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ArgumentError: Sizes that cannot be.

    Example:
        >>> lecture_dense().count_params()
        407050

    Source: lecture 000; F. Chollet, «Deep Learning with Python», 2021, chapter 2.
    """
    model = Sequential(
        [Input(shape=input_shape), Flatten(), Dense(512, activation="relu"), Dense(classes, activation="softmax")],
        name="lecture-dense",
        seed=seed,
    )
    model.preprocessing = _PIXELS
    return model


def lecture_convnet(input_shape: Shape = _MNIST, classes: int = 10, *, seed: int | None = None) -> Model:
    """Return the convolutional network: 3×3 convolutions of 32, 64 and 128 filters with 2×2 max-pooling between.

    Args:
        input_shape: Height, width and channels of one picture; at least 18×18.
        classes: How many classes to tell apart.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> lecture_convnet().count_params(), lecture_convnet((32, 32, 3), 100).output_shape
        (104202, (None, 100))

    Source: lecture 000; F. Chollet, «Deep Learning with Python», 2021, chapter 8.
    """
    inputs = Input(shape=input_shape)
    x = Conv2D(filters=32, kernel_size=3, activation="relu")(inputs)
    x = MaxPooling2D(pool_size=2)(x)
    x = Conv2D(filters=64, kernel_size=3, activation="relu")(x)
    x = MaxPooling2D(pool_size=2)(x)
    x = Conv2D(filters=128, kernel_size=3, activation="relu")(x)
    outputs = Dense(classes, activation="softmax")(Flatten()(x))
    model = Model(inputs, outputs, name="lecture-convnet", seed=seed)
    model.preprocessing = _PIXELS
    return model


def lecture_convnet_without_pooling(
    input_shape: Shape = _MNIST, classes: int = 10, *, seed: int | None = None
) -> Model:
    """Return ``lecture_convnet`` without its pooling: what the lecture compares it with.

    Its third convolution sees 7×7 pixels only, and its ``Dense`` layer has half a million weights.

    Args:
        input_shape: Height, width and channels of one picture; at least 7×7.
        classes: How many classes to tell apart.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> lecture_convnet_without_pooling().count_params()
        712202

    Source: lecture 000; F. Chollet, «Deep Learning with Python», 2021, chapter 8.
    """
    inputs = Input(shape=input_shape)
    x = Conv2D(filters=32, kernel_size=3, activation="relu")(inputs)
    x = Conv2D(filters=64, kernel_size=3, activation="relu")(x)
    x = Conv2D(filters=128, kernel_size=3, activation="relu")(x)
    outputs = Dense(classes, activation="softmax")(Flatten()(x))
    model = Model(inputs, outputs, name="lecture-convnet-without-pooling", seed=seed)
    model.preprocessing = _PIXELS
    return model


def lecture_small_convnet(input_shape: Shape = _MNIST, classes: int = 10, *, seed: int | None = None) -> Sequential:
    """Return the small convolutional network with dropout: 8 and 16 filters, pooling, 128 relu units.

    Args:
        input_shape: Height, width and channels of one picture; at least 6×6.
        classes: How many classes to tell apart.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> lecture_small_convnet().count_params()
        297578

    Source: lecture 004.
    """
    model = Sequential(
        [
            Input(shape=input_shape),
            Conv2D(8, (3, 3), activation="relu"),
            Conv2D(16, (3, 3), activation="relu"),
            MaxPooling2D(pool_size=(2, 2)),
            Dropout(0.2),
            Flatten(),
            Dense(128, activation="relu"),
            Dropout(0.5),
            Dense(classes, activation="softmax"),
        ],
        name="lecture-small-convnet",
        seed=seed,
    )
    model.preprocessing = _PIXELS
    return model
