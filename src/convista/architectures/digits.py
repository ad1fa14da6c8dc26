"""The network for the embedded 8×8 digits, and how to train it."""

from __future__ import annotations

from dataclasses import dataclass, field

from convista.arguments import Shape
from convista.data.pictures import Preprocessing
from convista.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D, ReLU
from convista.models import Sequential
from convista.training.losses import Loss, SparseCategoricalCrossentropy
from convista.training.optimizers import Adam, Optimizer
from convista.training.schedules import CosineDecay


def digits_convnet(input_shape: Shape = (8, 8, 1), classes: int = 10, *, seed: int | None = None) -> Sequential:
    """Return a small convolutional network with batch normalization for pictures of a few pixels.

    Args:
        input_shape: Height, width and channels of one picture; at least 4×4.
        classes: How many classes to tell apart.
        seed: Of the weights; ``None`` is the process's seed.

    Returns:
        The model, not compiled; uint8 pictures are scaled to 0…1.

    Raises:
        ShapeError: The pictures are too small.
        ArgumentError: Sizes that cannot be.

    Example:
        >>> digits_convnet().count_params()
        24874
    """
    model = Sequential(
        [
            Input(shape=input_shape),
            Conv2D(32, 3, use_bias=False),
            BatchNormalization(),
            ReLU(),
            MaxPooling2D(2),
            Conv2D(64, 3, padding="same", use_bias=False),
            BatchNormalization(),
            ReLU(),
            Flatten(),
            Dropout(0.5),
            Dense(classes, activation="softmax"),
        ],
        name="digits-convnet",
        seed=seed,
    )
    model.preprocessing = Preprocessing(scale=1 / 255)
    return model


@dataclass(frozen=True)
class Recipe:
    """How to train a network so that it reaches the accuracy that is promised for it.

    Args:
        epochs: How many times all pictures are seen.
        batch_size: Pictures a step.
        learning_rate: Of Adam at the first step; it falls along a cosine to 0 at the last.
        loss: What is made small.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.003
    loss: Loss = field(default_factory=lambda: SparseCategoricalCrossentropy(label_smoothing=0.1))

    def optimizer(self, examples: int) -> Optimizer:
        """Return the optimizer for so many training pictures.

        Args:
            examples: How many pictures an epoch has.

        Example:
            >>> RECIPE.optimizer(1437).learning_rate.decay_steps
            900
        """
        steps = -(-examples // self.batch_size) * self.epochs
        return Adam(CosineDecay(self.learning_rate, steps))


RECIPE = Recipe()
