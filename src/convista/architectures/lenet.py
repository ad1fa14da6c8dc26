"""LeNet-5, with which convolutional networks began."""

from __future__ import annotations

from convista.architectures.top import Top, finished
from convista.arguments import Shape
from convista.layers import AveragePooling2D, Conv2D, Dense, Flatten, Input
from convista.models import Model


def lenet5(
    input_shape: Shape = (32, 32, 1),
    classes: int = 10,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    seed: int | None = None,
) -> Model:
    """Return LeNet-5: 5×5 convolutions of 6 and 16 filters, 2×2 average pooling, then 120, 84 and ``classes`` units.

    The paper's pooling has a factor and a bias of its own for each channel, and its second convolution leaves some
    connections out; as everywhere today, here the pooling is plain and the convolution whole. Digits of 28×28 are taken
    with zeros around them in the paper; here they work as they are.

    Args:
        input_shape: Height, width and channels of one picture; at least 16×16.
        classes: How many classes to tell apart.
        include_top: Whether the dense layers are there.
        pooling: Without them: ``"avg"``, ``"max"`` or ``None``.
        classifier_activation: Of the last layer; ``None`` leaves logits.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> lenet5().count_params()
        61706

    Source: Y. LeCun et al., «Gradient-based learning applied to document recognition», 1998.
    """
    top = Top(classes, include_top, pooling, classifier_activation)
    inputs = Input(shape=input_shape)
    x = Conv2D(6, 5, activation="tanh", name="conv1")(inputs)
    x = AveragePooling2D(2, name="pool1")(x)
    x = Conv2D(16, 5, activation="tanh", name="conv2")(x)
    x = AveragePooling2D(2, name="pool2")(x)
    if include_top:
        x = Flatten(name="flatten")(x)
        x = Dense(120, activation="tanh", name="fc1")(x)
        x = Dense(84, activation="tanh", name="fc2")(x)
        x = Dense(classes, activation=classifier_activation, name="predictions")(x)
    return finished(inputs, top.pooled(x), "lenet5", seed)
