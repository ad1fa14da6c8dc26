"""MobileNets: convolutions that look at each channel by itself, then mix the channels."""

from __future__ import annotations

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
    ReLU,
    Reshape,
    ZeroPadding2D,
)
from convista.layers.symbolic import SymbolicTensor
from convista.models import Model

# Filters and strides of the thirteen blocks of version 1.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
# Filters, repeats and first strides of version 2 after its first block, from the paper's table 2.
_INVERTED = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


def mobilenet_v1(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    alpha: float = 1.0,
    dropout: float = 1e-3,
    seed: int | None = None,
) -> Model:
    """Return MobileNet, version 1, as Keras Applications builds it.

    Args:
        input_shape: Height, width and channels of one picture; at least 31×31.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        alpha: Factor of the number of filters of every layer.
        dropout: Before the classifier.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> mobilenet_v1().count_params()
        4253864

    Source: A. Howard et al., «MobileNets», 2017.
    """
    top = Top(classes, include_top, pooling, classifier_activation)
    width = _width(alpha, "mobilenet_v1")
    inputs = Input(shape=input_shape)
    x = Conv2D(int(32 * width), 3, strides=2, padding="same", use_bias=False, name="conv1")(inputs)
    x = ReLU(6.0, name="conv1_relu")(BatchNormalization(name="conv1_bn")(x))
    for number, (filters, strides) in enumerate(_BLOCKS, start=1):
        x = _separable(x, int(filters * width), strides, number)
    if include_top:
        x = Dropout(dropout, name="dropout")(GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x))
        x = Conv2D(classes, 1, padding="same", name="conv_preds")(x)
        x = Activation(classifier_activation or "linear", name="predictions")(Reshape((classes,), name="reshape_2")(x))
    return finished(inputs, top.pooled(x), "mobilenet-v1", seed)


def _separable(x: SymbolicTensor, filters: int, strides: int, number: int) -> SymbolicTensor:
    padding = "same"
    if strides > 1:
        x, padding = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x), "valid"
    x = DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False, name=f"conv_dw_{number}")(x)
    x = ReLU(6.0, name=f"conv_dw_{number}_relu")(BatchNormalization(name=f"conv_dw_{number}_bn")(x))
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return ReLU(6.0, name=f"conv_pw_{number}_relu")(BatchNormalization(name=f"conv_pw_{number}_bn")(x))


def mobilenet_v2(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    alpha: float = 1.0,
    convention: str = "keras",
    seed: int | None = None,
) -> Model:
    """Return MobileNet, version 2: blocks that widen, look at each channel, and narrow again.

    Args:
        input_shape: Height, width and channels of one picture, of any size.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        alpha: Factor of the number of filters of every layer.
        convention: ``"keras"`` pads and normalises as Keras Applications does, ``"torch"`` as torchvision. Weights of
            one fit the other in shape and give other answers, so that loading refuses them.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ArgumentError: Sizes that cannot be.

    Example:
        >>> mobilenet_v2().count_params()
        3538984

    Source: M. Sandler et al., «MobileNetV2: inverted residuals and linear bottlenecks», 2018.
    """
    torch = arguments.one_of(convention, ("keras", "torch"), "convention", where="mobilenet_v2") == "torch"
    top = Top(classes, include_top, pooling, classifier_activation)
    width = _width(alpha, "mobilenet_v2")
    inputs = Input(shape=input_shape)
    x, padding = _padded(inputs, 2, "Conv1", torch)
    x = Conv2D(_divisible(32 * width), 3, strides=2, padding=padding, use_bias=False, name="Conv1")(x)
    x = ReLU(6.0, name="Conv1_relu")(_normalized(x, "bn_Conv1", torch))
    x = _inverted(x, _divisible(int(16 * width)), 1, 0, torch)
    number = 1
    for filters, repeats, first in _INVERTED:
        for place in range(repeats):
            x = _inverted(x, _divisible(int(filters * width)), first if place == 0 else 1, number, torch)
            number += 1
    last = _divisible(1280 * width) if width > 1 else 1280
    x = Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    x = ReLU(6.0, name="out_relu")(_normalized(x, "Conv_1_bn", torch))
    return finished(inputs, top.classify(x, dropout=0.2 if torch else 0.0), "mobilenet-v2", seed)


def _inverted(x: SymbolicTensor, filters: int, strides: int, number: int, torch: bool) -> SymbolicTensor:
    name = f"block_{number}" if number else "expanded_conv"
    before, channels = x, x.sizes[-1] or 0
    if number:
        x = Conv2D(6 * channels, 1, padding="same", use_bias=False, name=f"{name}_expand")(x)
        x = ReLU(6.0, name=f"{name}_expand_relu")(_normalized(x, f"{name}_expand_BN", torch))
    x, padding = _padded(x, strides, name, torch)
    x = DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False, name=f"{name}_depthwise")(x)
    x = ReLU(6.0, name=f"{name}_depthwise_relu")(_normalized(x, f"{name}_depthwise_BN", torch))
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project")(x)
    x = _normalized(x, f"{name}_project_BN", torch)
    return Add(name=f"{name}_add")([before, x]) if channels == filters and strides == 1 else x


def _padded(x: SymbolicTensor, strides: int, name: str, torch: bool) -> tuple[SymbolicTensor, str]:
    """Return what a 3×3 convolution takes and its padding; PyTorch has a zero on all sides, "same" on the far ones."""
    if torch and strides > 1:
        return ZeroPadding2D(1, name=f"{name}_torch_pad")(x), "valid"
    return x, "same"


def _normalized(x: SymbolicTensor, name: str, torch: bool) -> SymbolicTensor:
    momentum, epsilon = (0.9, 1e-5) if torch else (0.999, 1e-3)
    return BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x)


def _width(alpha: float, where: str) -> float:
    width = arguments.number(alpha, "alpha", where=where)
    arguments.integer(int(32 * width), "int(32 · alpha)", where=where)
    return width


def _divisible(filters: float) -> int:
    """Return the nearest multiple of 8, at most a tenth below."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
