"""Residual networks: blocks that add what they compute to what they were given."""

from __future__ import annotations

from dataclasses import dataclass

from convista import arguments
from convista.architectures.top import PHOTOGRAPH, Top, finished
from convista.arguments import Shape
from convista.layers import Add, BatchNormalization, Conv2D, Input, MaxPooling2D, ReLU, ZeroPadding2D
from convista.layers.symbolic import SymbolicTensor
from convista.models import Model

_FILTERS = (64, 128, 256, 512)


def resnet18(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    small_pictures: bool = False,
    seed: int | None = None,
) -> Model:
    """Return the residual network with two convolutions a block and eight blocks, as torchvision builds it.

    Args:
        input_shape: Height, width and channels of one picture, of any size.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        small_pictures: Begin with a 3×3 convolution and no pooling, so that pictures of 32×32 are not shrunk to 8×8 at
            once; such a network takes no published weights.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ArgumentError: Sizes that cannot be.

    Example:
        >>> resnet18().summary(print_to=None).trainable, resnet18((32, 32, 3), 10, small_pictures=True).count_params()
        (11689512, 11183562)

    Source: K. He et al., «Deep residual learning for image recognition», 2016.
    """
    top = Top(classes, include_top, pooling, classifier_activation)
    return _basic("resnet18", (2, 2, 2, 2), input_shape, top, small_pictures, seed)


def resnet34(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    small_pictures: bool = False,
    seed: int | None = None,
) -> Model:
    """Return the residual network with two convolutions a block and sixteen blocks, as torchvision builds it.

    Args:
        input_shape: Height, width and channels of one picture, of any size.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        small_pictures: Begin with a 3×3 convolution and no pooling; see :func:`resnet18`.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ArgumentError: Sizes that cannot be.

    Example:
        >>> resnet34().summary(print_to=None).trainable
        21797672

    Source: K. He et al., «Deep residual learning for image recognition», 2016.
    """
    top = Top(classes, include_top, pooling, classifier_activation)
    return _basic("resnet34", (3, 4, 6, 3), input_shape, top, small_pictures, seed)


def resnet50(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    convention: str = "keras",
    small_pictures: bool = False,
    seed: int | None = None,
) -> Model:
    """Return the residual network with three convolutions a block (1×1, 3×3, 1×1) and sixteen blocks.

    Args:
        input_shape: Height, width and channels of one picture, of any size.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        convention: ``"keras"``: the first 1×1 convolution of a stage strides, and convolutions have biases, as in Keras
            Applications; ``"torch"``: the 3×3 convolution strides, and they have none, as in torchvision. Weights of
            one do not fit the other.
        small_pictures: Begin with a 3×3 convolution and no pooling; see :func:`resnet18`.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ArgumentError: Sizes that cannot be.

    Example:
        >>> resnet50().count_params(), resnet50(convention="torch").summary(print_to=None).trainable
        (25636712, 25557032)

    Source: K. He et al., «Deep residual learning for image recognition», 2016.
    """
    keras = arguments.one_of(convention, ("keras", "torch"), "convention", where="resnet50") == "keras"
    top = Top(classes, include_top, pooling, classifier_activation)
    build = _Builder(use_bias=keras, epsilon=1.001e-5 if keras else 1e-5)
    inputs = Input(shape=input_shape)
    x = build.stem(inputs, small_pictures)
    for stage, (depth, filters) in enumerate(zip((3, 4, 6, 3), _FILTERS, strict=True), start=2):
        for block in range(1, depth + 1):
            strides = 2 if block == 1 and stage > 2 else 1
            x = build.bottleneck(x, filters, strides, block == 1, f"conv{stage}_block{block}", strides_first=keras)
    return finished(inputs, top.classify(x), "resnet50", seed)


def _basic(
    name: str, depths: tuple[int, ...], input_shape: Shape, top: Top, small_pictures: bool, seed: int | None
) -> Model:
    build = _Builder(use_bias=False, epsilon=1e-5)
    inputs = Input(shape=input_shape)
    x = build.stem(inputs, small_pictures)
    for stage, (depth, filters) in enumerate(zip(depths, _FILTERS, strict=True), start=2):
        for block in range(1, depth + 1):
            x = build.basic(x, filters, 2 if block == 1 and stage > 2 else 1, f"conv{stage}_block{block}")
    return finished(inputs, top.classify(x), name, seed)


@dataclass(frozen=True)
class _Builder:
    """The parts of a residual network, in one of its two conventions."""

    use_bias: bool
    epsilon: float

    def stem(self, x: SymbolicTensor, small_pictures: bool) -> SymbolicTensor:
        if small_pictures:
            x = self._convolution(x, 64, 3, 1, "conv1_conv", padding="same")
            return ReLU(name="conv1_relu")(self._normalized(x, "conv1_bn"))
        x = ZeroPadding2D(3, name="conv1_pad")(x)
        x = self._convolution(x, 64, 7, 2, "conv1_conv")
        x = ReLU(name="conv1_relu")(self._normalized(x, "conv1_bn"))
        # After relu nothing is below the zeros, so that they never win: PyTorch pads with −∞ here.
        return MaxPooling2D(3, strides=2, name="pool1_pool")(ZeroPadding2D(1, name="pool1_pad")(x))

    def basic(self, x: SymbolicTensor, filters: int, strides: int, name: str) -> SymbolicTensor:
        y = ReLU(name=f"{name}_1_relu")(self._spatial(x, filters, strides, f"{name}_1"))
        y = self._spatial(y, filters, 1, f"{name}_2")
        if strides > 1 or x.sizes[-1] != filters:
            x = self._mixed(x, filters, strides, f"{name}_0")
        return ReLU(name=f"{name}_out")(Add(name=f"{name}_add")([x, y]))

    def bottleneck(
        self, x: SymbolicTensor, filters: int, strides: int, projects: bool, name: str, *, strides_first: bool
    ) -> SymbolicTensor:
        first, second = (strides, 1) if strides_first else (1, strides)
        shortcut = self._mixed(x, 4 * filters, strides, f"{name}_0") if projects else x
        y = ReLU(name=f"{name}_1_relu")(self._mixed(x, filters, first, f"{name}_1"))
        y = ReLU(name=f"{name}_2_relu")(self._spatial(y, filters, second, f"{name}_2"))
        y = self._mixed(y, 4 * filters, 1, f"{name}_3")
        return ReLU(name=f"{name}_out")(Add(name=f"{name}_add")([shortcut, y]))

    def _spatial(self, x: SymbolicTensor, filters: int, strides: int, name: str) -> SymbolicTensor:
        """A 3×3 convolution with a zero on all sides: with strides, "same" pads the far sides only."""
        if strides > 1:
            x = ZeroPadding2D(1, name=f"{name}_pad")(x)
        padding = "valid" if strides > 1 else "same"
        return self._normalized(self._convolution(x, filters, 3, strides, f"{name}_conv", padding), f"{name}_bn")

    def _mixed(self, x: SymbolicTensor, filters: int, strides: int, name: str) -> SymbolicTensor:
        return self._normalized(self._convolution(x, filters, 1, strides, f"{name}_conv"), f"{name}_bn")

    def _convolution(
        self, x: SymbolicTensor, filters: int, size: int, strides: int, name: str, padding: str = "valid"
    ) -> SymbolicTensor:
        layer = Conv2D(
            filters,
            size,
            strides=strides,
            padding=padding,
            use_bias=self.use_bias,
            kernel_initializer="he_normal",
            name=name,
        )
        return layer(x)

    def _normalized(self, x: SymbolicTensor, name: str) -> SymbolicTensor:
        return BatchNormalization(epsilon=self.epsilon, name=name)(x)
