"""How a network is trained so that it reaches the accuracy that is promised for it."""

from __future__ import annotations

from dataclasses import dataclass

from convista.training.losses import Loss, SparseCategoricalCrossentropy
from convista.training.optimizers import AdamW, Optimizer
from convista.training.schedules import CosineDecay


@dataclass(frozen=True)
class Recipe:
    """How to train a network so that it reaches the accuracy that is promised for it.

    Args:
        epochs: How many times all examples are seen; none of them is kept for validation.
        batch_size: Examples a step.
        learning_rate: At the first step; it falls along half a cosine to 0 at the last.
        weight_decay: Of AdamW.
        label_smoothing: Of the loss.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float

    def optimizer(self, examples: int) -> Optimizer:
        """Return the optimizer for an epoch of so many examples.

        Example:
            >>> Recipe(20, 32, 0.003, 0.5, 0.1).optimizer(1437).learning_rate.decay_steps
            900
        """
        steps = -(-examples // self.batch_size) * self.epochs
        return AdamW(CosineDecay(self.learning_rate, steps), weight_decay=self.weight_decay)

    @property
    def loss(self) -> Loss:
        """The loss for labels 0…C−1."""
        return SparseCategoricalCrossentropy(label_smoothing=self.label_smoothing)
