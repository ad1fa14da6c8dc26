"""The whole of learning on one screen: forward, loss, gradient, update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from convista.training.losses import Loss
from convista.training.optimizers import Optimizer


class Batch(NamedTuple):
    """Examples that are seen together.

    Args:
        x: Inputs, ``(N, …)`` or a tuple of such arrays.
        y: Targets, ``(N, …)``.
        weight: How much each example counts in the loss, float32 ``(N,)``.
        mask: 1 for real examples, 0 for those that only fill up a last, smaller batch; float32 ``(N,)``.
    """

    x: Any
    y: Any
    weight: Any
    mask: Any


class TrainState(NamedTuple):
    """All that changes while a network learns.

    Args:
        params: What is learned.
        state: What is kept but not learned, such as moving averages.
        opt_state: The optimizer's memory.
        step: Updates so far, int32.
        key: Random key of the dropout stream.
        learning_rate: The rate where no schedule sets it, float32.
    """

    params: Any
    state: Any
    opt_state: Any
    step: Any
    key: Any
    learning_rate: Any


@dataclass(frozen=True)
class Objective:
    """What is trained, towards what, and what is watched.

    Args:
        apply: ``apply(params, state, x, *, training, key, mask) -> (y, state)``.
        loss: Per-example loss.
        optimizer: Update rule.
        metrics: What is watched besides the loss.
        augment: ``augment(batch, key) -> (batch, mixture)`` in front of ``apply`` in training, never in evaluation; the
            mixture is a second target of each example, or ``None``.
        frozen: Names in ``params`` of what keeps its value: it gets no gradient and the optimizer no memory for it.
    """

    apply: Callable[..., tuple[Any, Any]]
    loss: Loss
    optimizer: Optimizer
    metrics: tuple[Any, ...] = ()
    augment: Callable[..., tuple[Batch, Any]] | None = None
    frozen: frozenset[str] = frozenset()

    def learned(self, params: Any) -> Any:
        """Return the part of the parameters that training changes."""
        if not self.frozen:
            return params
        return {name: group for name, group in params.items() if name not in self.frozen}

    def whole(self, params: Any, learned: Any) -> Any:
        """Return all parameters, those that are learned with their new values."""
        return {**params, **learned} if self.frozen else learned

    def start(self, params: Any, state: Any, key: jax.Array) -> TrainState:
        """Return the state before the first step."""
        opt_state = jax.jit(self.optimizer.transform().init)(self.learned(params))
        return TrainState(params, state, opt_state, jnp.int32(0), key, self.optimizer.rate(0))

    def totals(self) -> dict[str, Any]:
        """Return the sums from which loss and metrics are computed, all zero."""
        sums: dict[str, Any] = {metric.name: metric.init() for metric in self.metrics}
        return {"loss": (jnp.float32(0), jnp.float32(0)), **sums}

    def results(self, totals: dict[str, Any]) -> dict[str, Any]:
        """Return loss and metrics of all batches that went into the sums."""
        total, examples = totals["loss"]
        values = {"loss": total / jnp.maximum(examples, 1)}
        return values | {metric.name: metric.result(totals[metric.name]) for metric in self.metrics}


def make_step(objective: Objective) -> Callable[..., tuple[TrainState, dict[str, Any], jax.Array]]:
    """Return ``step(train, totals, batch) -> (train, totals, loss)``: one update on one batch.

    ``loss = Σ valueᵢ · weightᵢ · maskᵢ / Σ maskᵢ``; ``params ← params + update(∂loss/∂params)``.
    """
    transform = objective.optimizer.transform()
    scheduled = callable(getattr(objective.optimizer, "learning_rate", None))

    def step(train: TrainState, totals: dict[str, Any], batch: Batch):
        key = jax.random.fold_in(train.key, train.step)
        batch, mixture = (batch, None) if objective.augment is None else objective.augment(batch, key)
        before = objective.learned(train.params)

        def forward(learned):
            params = objective.whole(train.params, learned)
            y, state = objective.apply(params, train.state, batch.x, training=True, key=key, mask=batch.mask)
            values = objective.loss(batch.y, y) * batch.weight
            if mixture is not None:
                second = objective.loss(mixture.y, y) * mixture.weight
                values = mixture.share * values + (1 - mixture.share) * second
            return jnp.sum(values * batch.mask) / jnp.sum(batch.mask), (y, state, values)

        (loss, (y, state, values)), gradient = jax.value_and_grad(forward, has_aux=True)(before)
        rate = objective.optimizer.rate(train.step) if scheduled else train.learning_rate
        updates, opt_state = transform.update(gradient, train.opt_state, before, learning_rate=rate)
        params = objective.whole(train.params, optax.apply_updates(before, updates))
        totals = _add(objective, totals, batch, y, values)
        return train._replace(params=params, state=state, opt_state=opt_state, step=train.step + 1), totals, loss

    return step


def make_evaluation(objective: Objective) -> Callable[..., dict[str, Any]]:
    """Return ``evaluate(params, state, totals, batch) -> totals``: one batch without learning."""

    def evaluate(params: Any, state: Any, totals: dict[str, Any], batch: Batch):
        y, _ = objective.apply(params, state, batch.x, training=False, key=None, mask=batch.mask)
        return _add(objective, totals, batch, y, objective.loss(batch.y, y) * batch.weight)

    return evaluate


def _add(objective: Objective, totals: dict[str, Any], batch: Batch, y: Any, values: Any) -> dict[str, Any]:
    total, examples = totals["loss"]
    sums = {"loss": (total + jnp.sum(values * batch.mask), examples + jnp.sum(batch.mask))}
    # As in Keras, sample and class weights shape the loss; metrics count every example once.
    return sums | {
        metric.name: metric.update(totals[metric.name], batch.y, y, batch.mask) for metric in objective.metrics
    }
