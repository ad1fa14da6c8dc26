"""What ``compile`` was told: optimizer, loss and metrics, and the objective they make for a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convista.errors import ArgumentError
from convista.training import losses, metrics, optimizers, pruning
from convista.training.losses import Loss
from convista.training.metrics import Metric
from convista.training.optimizers import Optimizer
from convista.training.step import Objective


@dataclass(frozen=True)
class Compilation:
    """Optimizer, loss and metrics before the network's shapes are known.

    Args:
        optimizer: Update rule.
        loss: Per-example loss.
        metrics: Names or metrics, exactly as given.
    """

    optimizer: Optimizer
    loss: Loss
    metrics: tuple[Any, ...]

    @classmethod
    def of(cls, optimizer: Any, loss: Any, metric_names: Sequence[Any]) -> Compilation:
        """Return what names or objects stand for.

        Raises:
            ArgumentError: A name is not known, or there is no loss.
        """
        if loss is None:
            raise ArgumentError(
                "compile takes a loss",
                received="loss=None",
                fix='For labels 0…C−1 write loss="sparse_categorical_crossentropy"',
            )
        if isinstance(metric_names, str) or not isinstance(metric_names, Sequence):
            metric_names = [metric_names]
        return cls(optimizers.get(optimizer), losses.get(loss), tuple(metric_names))

    def to_config(self) -> dict[str, Any]:
        """Return plain data from which ``from_config`` makes the same again.

        Raises:
            ArgumentError: A function of the user's own is among them.
        """
        return {
            "optimizer": self.optimizer.to_config(),
            "loss": self.loss.to_config(),
            "metrics": [
                metric if isinstance(metric, str) else metrics.get(metric).to_config() for metric in self.metrics
            ],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Compilation:
        """Return what ``to_config`` described; only classes of this package can be made."""
        watched = [item if isinstance(item, str) else Metric.from_config(item) for item in config["metrics"]]
        return cls(pruning.from_config(config["optimizer"]), Loss.from_config(config["loss"]), tuple(watched))

    def objective(
        self,
        apply: Callable,
        output_shape: tuple[int, ...],
        last_activation: str | None,
        frozen: frozenset[str] = frozenset(),
    ) -> Objective:
        """Return the objective for a network with this output, of which the layers ``frozen`` do not learn.

        Raises:
            ArgumentError: The loss does not fit the last activation, or two metrics have one name.
        """
        units = output_shape[-1] if output_shape else None
        losses.check_softmax(self.loss, last_activation, units)
        watched = tuple(metrics.get(metric, self.loss, output_shape) for metric in self.metrics)
        names = [metric.name for metric in watched]
        for name in names:
            if names.count(name) > 1 or name == "loss":
                raise ArgumentError("each metric has a name of its own", where="compile", received=f"{name!r} twice")
        return Objective(apply, self.loss, self.optimizer, watched, frozen=frozen)
