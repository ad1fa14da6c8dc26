"""EfficientNet: inverted residual blocks with attention to channels, scaled in depth, width and size together."""

from __future__ import annotations

from typing import NamedTuple

from convista import arguments
from convista.architectures.top import PHOTOGRAPH, Top, finished
from convista.arguments import Shape
from convista.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    Input,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
    StoredNormalization,
    ZeroPadding2D,
)
from convista.layers.symbolic import SymbolicTensor
from convista.models import Model


class _Stage(NamedTuple):
    size: int
    repeats: int
    filters: int
    expansion: int
    strides: int


_STAGES = (
    _Stage(3, 1, 16, 1, 1),
    _Stage(3, 2, 24, 6, 2),
    _Stage(5, 2, 40, 6, 2),
    _Stage(3, 3, 80, 6, 2),
    _Stage(5, 3, 112, 6, 1),
    _Stage(5, 4, 192, 6, 2),
    _Stage(3, 1, 320, 6, 1),
)
_BLOCKS = sum(stage.repeats for stage in _STAGES)
_DEVIATIONS = (0.229, 0.224, 0.225)


def efficientnet_b0(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    convention: str = "keras",
    imagenet_scaling: bool = False,
    dropout: float = 0.2,
    drop_connect: float = 0.2,
    seed: int | None = None,
) -> Model:
    """Return EfficientNet-B0, the smallest of its family.

    Args:
        input_shape: Height, width and channels of one picture, of any size.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        convention: ``"keras"``: values 0…255 go in and are normalised inside, as in Keras Applications; ``"torch"``: as
            in torchvision, normalised values go in, padding and epsilon are PyTorch's.
        imagenet_scaling: Divide once more by ``√(0.229, 0.224, 0.225)``, as Keras does when it takes the published
            ImageNet weights.
        dropout: Before the classifier.
        drop_connect: Share of examples for which the last block computes nothing in training; less for earlier ones.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled.

    Raises:
        ArgumentError: Sizes that cannot be.

    Example:
        >>> efficientnet_b0().count_params(), efficientnet_b0(convention="torch").summary(print_to=None).trainable
        (5330571, 5288548)

    Source: M. Tan, Q. Le, «EfficientNet: rethinking model scaling for convolutional neural networks», 2019.
    """
    torch = arguments.one_of(convention, ("keras", "torch"), "convention", where="efficientnet_b0") == "torch"
    top = Top(classes, include_top, pooling, classifier_activation)
    x = inputs = Input(shape=input_shape)
    if not torch:
        x = StoredNormalization(name="normalization")(Rescaling(1 / 255, name="rescaling")(x))
        if imagenet_scaling:
            x = Normalization(mean=(0.0, 0.0, 0.0), variance=_DEVIATIONS, name="imagenet_scaling")(x)
    x, padding = _padded(x, 3, 2, "stem_conv", torch)
    x = _convolution(x, 32, "stem_conv", size=3, strides=2, padding=padding)
    x = Activation("swish", name="stem_activation")(_normalized(x, "stem_bn", torch))
    number = 0
    for place, stage in enumerate(_STAGES, start=1):
        for repeat in range(stage.repeats):
            name = f"block{place}{chr(ord('a') + repeat)}_"
            strides = stage.strides if repeat == 0 else 1
            x = _block(x, stage, strides, name, torch, drop_connect * number / _BLOCKS)
            number += 1
    x = _normalized(_convolution(x, 1280, "top_conv"), "top_bn", torch)
    x = Activation("swish", name="top_activation")(x)
    return finished(inputs, top.classify(x, dropout=dropout), "efficientnet-b0", seed, scaled=torch)


def _block(x: SymbolicTensor, stage: _Stage, strides: int, name: str, torch: bool, rate: float) -> SymbolicTensor:
    before, channels = x, x.sizes[-1] or 0
    wide = channels * stage.expansion
    if stage.expansion > 1:
        x = _normalized(_convolution(x, wide, f"{name}expand_conv"), f"{name}expand_bn", torch)
        x = Activation("swish", name=f"{name}expand_activation")(x)
    x, padding = _padded(x, stage.size, strides, f"{name}dwconv", torch)
    x = DepthwiseConv2D(
        stage.size,
        strides=strides,
        padding=padding,
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}dwconv",
    )(x)
    x = Activation("swish", name=f"{name}activation")(_normalized(x, f"{name}bn", torch))
    x = _attended(x, max(1, channels // 4), name)
    x = _normalized(_convolution(x, stage.filters, f"{name}project_conv"), f"{name}project_bn", torch)
    if strides > 1 or channels != stage.filters:
        return x
    if rate > 0:
        x = Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return Add(name=f"{name}add")([x, before])


def _attended(x: SymbolicTensor, squeezed: int, name: str) -> SymbolicTensor:
    """Return each channel times a number 0…1 that follows from the means of all channels."""
    channels = x.sizes[-1] or 0
    gate = Reshape((1, 1, channels), name=f"{name}se_reshape")(GlobalAveragePooling2D(name=f"{name}se_squeeze")(x))
    gate = Conv2D(squeezed, 1, padding="same", activation="swish", name=f"{name}se_reduce")(gate)
    gate = Conv2D(channels, 1, padding="same", activation="sigmoid", name=f"{name}se_expand")(gate)
    return Multiply(name=f"{name}se_excite")([x, gate])


def _convolution(
    x: SymbolicTensor, filters: int, name: str, *, size: int = 1, strides: int = 1, padding: str = "same"
) -> SymbolicTensor:
    layer = Conv2D(
        filters, size, strides=strides, padding=padding, use_bias=False, kernel_initializer="he_normal", name=name
    )
    return layer(x)


def _padded(x: SymbolicTensor, size: int, strides: int, name: str, torch: bool) -> tuple[SymbolicTensor, str]:
    """Return what a convolution takes and its padding; PyTorch has the same zeros on all sides."""
    if torch and strides > 1:
        return ZeroPadding2D(size // 2, name=f"{name}_torch_pad")(x), "valid"
    return x, "same"


def _normalized(x: SymbolicTensor, name: str, torch: bool) -> SymbolicTensor:
    momentum, epsilon = (0.9, 1e-5) if torch else (0.99, 1e-3)
    return BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x)
