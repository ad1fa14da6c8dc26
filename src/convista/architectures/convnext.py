"""ConvNeXt: a convolutional network with the habits of transformers."""

from __future__ import annotations

from convista import arguments
from convista.architectures.top import PHOTOGRAPH, Top, finished
from convista.arguments import Shape
from convista.layers import (
    Activation,
    Add,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    Input,
    LayerNormalization,
    LayerScale,
    Normalization,
    Rescaling,
)
from convista.layers.symbolic import SymbolicTensor
from convista.models import Model

_DEPTHS, _FILTERS = (3, 3, 9, 3), (96, 192, 384, 768)
_MEANS = (0.485, 0.456, 0.406)
_DEVIATIONS = (0.229, 0.224, 0.225)
_NAME = "convnext_tiny"
_EPSILON = 1e-6


def convnext_tiny(
    input_shape: Shape = PHOTOGRAPH,
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    convention: str = "keras",
    seed: int | None = None,
) -> Model:
    """Return ConvNeXt-Tiny: 7×7 depthwise convolutions, layer normalisation, and dense layers over the channels.

    Args:
        input_shape: Height, width and channels of one picture; at least 32×32.
        classes: How many classes to tell apart.
        include_top: Whether pooling and classifier are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``; a normalisation follows as in Keras.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        convention: ``"keras"``: colour pictures 0…255 go in and are normalised inside, as in Keras Applications;
            ``"torch"``: as in torchvision, normalised values go in.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> convnext_tiny().count_params()
        28589128

    Source: Z. Liu et al., «A ConvNet for the 2020s», 2022.
    """
    torch = arguments.one_of(convention, ("keras", "torch"), "convention", where="convnext_tiny") == "torch"
    top = Top(classes, include_top, pooling, classifier_activation)
    x = inputs = Input(shape=input_shape)
    inside = not torch and inputs.sizes[-1] == 3
    if inside:
        x = Rescaling(1 / 255, name=f"{_NAME}_prestem_rescaling")(x)
        variances = tuple(deviation**2 for deviation in _DEVIATIONS)
        x = Normalization(mean=_MEANS, variance=variances, name=f"{_NAME}_prestem_normalization")(x)
    for stage, (depth, filters) in enumerate(zip(_DEPTHS, _FILTERS, strict=True)):
        x = _shrunk(x, filters, stage)
        for block in range(depth):
            x = _block(x, filters, f"{_NAME}_stage_{stage}_block_{block}")
    x = GlobalAveragePooling2D(name=f"{_NAME}_head_gap")(x) if include_top else top.pooled(x)
    x = LayerNormalization(epsilon=_EPSILON, name=f"{_NAME}_head_layernorm")(x)
    if include_top:
        x = Dense(classes, activation=classifier_activation, name=f"{_NAME}_head_dense")(x)
    return finished(inputs, x, "convnext-tiny", seed, scaled=not inside)


def _shrunk(x: SymbolicTensor, filters: int, stage: int) -> SymbolicTensor:
    if stage == 0:
        x = Conv2D(filters, 4, strides=4, kernel_initializer="truncated_normal", name=f"{_NAME}_stem_conv")(x)
        return LayerNormalization(epsilon=_EPSILON, name=f"{_NAME}_stem_layernorm")(x)
    x = LayerNormalization(epsilon=_EPSILON, name=f"{_NAME}_downsampling_layernorm_{stage - 1}")(x)
    name = f"{_NAME}_downsampling_conv_{stage - 1}"
    return Conv2D(filters, 2, strides=2, kernel_initializer="truncated_normal", name=name)(x)


def _block(x: SymbolicTensor, filters: int, name: str) -> SymbolicTensor:
    y = DepthwiseConv2D(7, padding="same", name=f"{name}_depthwise_conv")(x)
    y = LayerNormalization(epsilon=_EPSILON, name=f"{name}_layernorm")(y)
    y = Dense(4 * filters, kernel_initializer="truncated_normal", name=f"{name}_pointwise_conv_1")(y)
    y = Activation("gelu", name=f"{name}_gelu")(y)
    y = Dense(filters, kernel_initializer="truncated_normal", name=f"{name}_pointwise_conv_2")(y)
    y = LayerScale(1e-6, name=f"{name}_layer_scale")(y)
    return Add(name=f"{name}_add")([x, y])
