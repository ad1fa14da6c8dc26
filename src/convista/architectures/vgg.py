"""VGG: nothing but 3×3 convolutions and pooling, then large dense layers."""

from __future__ import annotations

from convista.architectures.top import PHOTOGRAPH, Top, finished
from convista.arguments import Shape
from convista.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from convista.models import Model

_FILTERS = (64, 128, 256, 512, 512)


def vgg11(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    dropout: float = 0.0,
    seed: int | None = None,
) -> Model:
    """Return VGG with eight convolutions («configuration A») and three dense layers.

    Args:
        input_shape: Height, width and channels of one picture; at least 32×32.
        classes: How many classes to tell apart.
        include_top: Whether the dense layers are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        dropout: Share of the 4 096 units dropped in training; 0.5 in the paper and in torchvision, none in Keras.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> vgg11().count_params()
        132863336

    Source: K. Simonyan, A. Zisserman, «Very deep convolutional networks for large-scale image recognition», 2015.
    """
    top = Top(classes, include_top, pooling, classifier_activation)
    return _vgg("vgg11", (1, 1, 2, 2, 2), input_shape, top, dropout, seed)


def vgg16(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    dropout: float = 0.0,
    seed: int | None = None,
) -> Model:
    """Return VGG with thirteen convolutions («configuration D») and three dense layers.

    Args:
        input_shape: Height, width and channels of one picture; at least 32×32.
        classes: How many classes to tell apart.
        include_top: Whether the dense layers are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        dropout: Share of the 4 096 units dropped in training; 0.5 in the paper and in torchvision, none in Keras.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> vgg16().count_params()
        138357544

    Source: K. Simonyan, A. Zisserman, «Very deep convolutional networks for large-scale image recognition», 2015.
    """
    top = Top(classes, include_top, pooling, classifier_activation)
    return _vgg("vgg16", (2, 2, 3, 3, 3), input_shape, top, dropout, seed)


def _vgg(name: str, depths: tuple[int, ...], input_shape: Shape, top: Top, dropout: float, seed: int | None) -> Model:
    x = inputs = Input(shape=input_shape)
    for block, (depth, filters) in enumerate(zip(depths, _FILTERS, strict=True), start=1):
        for place in range(1, depth + 1):
            x = Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{place}",
            )(x)
        x = MaxPooling2D(2, name=f"block{block}_pool")(x)
    if top.include_top:
        x = Flatten(name="flatten")(x)
        for place in (1, 2):
            x = Dense(4096, activation="relu", name=f"fc{place}")(x)
            if dropout:
                x = Dropout(dropout, name=f"dropout{place}")(x)
        x = Dense(top.classes, activation=top.activation, name="predictions")(x)
    return finished(inputs, top.pooled(x), name, seed)
