"""What ends every network for pictures: pooling over positions and a classifier, or neither."""

from __future__ import annotations

from dataclasses import dataclass

from convista import arguments
from convista.arguments import Shape
from convista.data.pictures import Preprocessing
from convista.errors import ArgumentError
from convista.layers import Dense, Dropout, GlobalAveragePooling2D, GlobalMaxPooling2D
from convista.layers.symbolic import SymbolicTensor
from convista.models import Model

PIXELS = Preprocessing(scale=1 / 255)
"""uint8 pictures become 0…1."""

PHOTOGRAPH: Shape = (224, 224, 3)
"""The size of ImageNet's pictures, for which most of these networks were made."""


@dataclass(frozen=True)
class Top:
    """How a network ends.

    Args:
        classes: How many classes to tell apart.
        include_top: Whether the classifier is there.
        pooling: Without a classifier: ``"avg"`` or ``"max"`` over all positions, or ``None`` for the last feature maps.
        activation: Of the classifier; ``None`` leaves logits.

    Raises:
        ArgumentError: ``pooling`` is none of these, or goes together with a classifier.
    """

    classes: int
    include_top: bool = True
    pooling: str | None = None
    activation: str | None = "softmax"

    def __post_init__(self) -> None:
        arguments.integer(self.classes, "classes")
        if self.pooling is None:
            return
        arguments.one_of(self.pooling, ("avg", "max"), "pooling")
        if self.include_top:
            raise ArgumentError(
                "a network with its classifier has its own pooling",
                received=f"include_top=True, pooling={self.pooling!r}",
                fix="Leave pooling out, or add include_top=False",
            )

    def pooled(self, x: SymbolicTensor) -> SymbolicTensor:
        """Return the features of a network without classifier."""
        if self.pooling is None:
            return x
        return (GlobalAveragePooling2D if self.pooling.lower() == "avg" else GlobalMaxPooling2D)()(x)

    def classify(self, x: SymbolicTensor, *, dropout: float = 0.0) -> SymbolicTensor:
        """Return the mean over positions through one Dense layer, or the features where no classifier is wanted."""
        if not self.include_top:
            return self.pooled(x)
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        if dropout:
            x = Dropout(dropout, name="top_dropout")(x)
        return Dense(self.classes, activation=self.activation, name="predictions")(x)


def finished(
    inputs: SymbolicTensor, outputs: SymbolicTensor, name: str, seed: int | None, scaled: bool = True
) -> Model:
    """Return the model between two tensors, with uint8 pictures scaled to 0…1 unless the network does so itself."""
    model = Model(inputs, outputs, name=name, seed=seed)
    if scaled:
        model.preprocessing = PIXELS
    return model
