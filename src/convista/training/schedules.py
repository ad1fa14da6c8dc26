"""Learning-rate schedules: the rate as a function of the optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from convista.errors import ArgumentError
from convista.training.configuration import Configurable, build, number


class Schedule(Configurable):
    """A learning rate that depends on the step; ``schedule(step)`` may be traced, so it never recompiles the step."""

    def __call__(self, step: ArrayLike) -> Array:
        """Return the learning rate, a float32 scalar, at ``step`` (the number of updates made so far)."""
        raise NotImplementedError

    @staticmethod
    def from_config(config: object) -> Schedule:
        """Return the schedule that ``to_config`` described; only the classes of this module can be made."""
        return build(config, registry, "schedule")


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """Multiply the rate by ``decay_rate`` every ``decay_steps`` steps.

    ``initial_learning_rate * decay_rate ** (step / decay_steps)``; with ``staircase`` the exponent is rounded down.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps after which the rate has been multiplied once; positive.
        decay_rate: The factor.
        staircase: Change in jumps instead of smoothly.

    Raises:
        ArgumentError: ``decay_steps`` is not positive or an argument is not a number.

    Example:
        >>> float(ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)(20))
        0.125
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        _check_numbers(self, "initial_learning_rate", "decay_rate")
        _check_decay_steps(self)

    def __call__(self, step: ArrayLike) -> Array:
        exponent = _float(step) / self.decay_steps
        exponent = jnp.floor(exponent) if self.staircase else exponent
        return self.initial_learning_rate * jnp.power(_float(self.decay_rate), exponent)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Fall along half a cosine, after an optional straight rise.

    ``top * ((1 - alpha) * (1 + cos(pi * t / decay_steps)) / 2 + alpha)`` with
    ``t = min(step - warmup_steps, decay_steps)``.
    During the first ``warmup_steps`` steps the rate rises from ``initial_learning_rate`` to ``top = warmup_target``;
    without a ``warmup_target`` there is no rise and ``top = initial_learning_rate``.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Length of the fall in steps; positive.
        alpha: The last rate as a fraction of the top.
        warmup_target: The rate at the end of the rise, or None for no rise.
        warmup_steps: Length of the rise in steps.

    Raises:
        ArgumentError: A step count is out of range, or one of the two warm-up arguments was given without the other.

    Example:
        >>> rate = CosineDecay(0.0, decay_steps=100, warmup_target=0.5, warmup_steps=10)
        >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.25, 0.5, 0.25, 0.0]

    Source: Loshchilov and Hutter, SGDR, 2017, https://arxiv.org/abs/1608.03983.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    # Keras has `name` in the fourth place, so these two are taken by keyword only: no argument can change its meaning.
    warmup_target: float | None = field(default=None, kw_only=True)
    warmup_steps: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        _check_numbers(self, "initial_learning_rate", "alpha", "warmup_steps")
        _check_decay_steps(self)
        if self.warmup_target is not None:
            _check_numbers(self, "warmup_target")
        if self.warmup_steps < 0 or (self.warmup_target is None) != (self.warmup_steps == 0):
            received = f"warmup_target={self.warmup_target!r}, warmup_steps={self.warmup_steps!r}"
            fix = "Give both, for example warmup_target=0.001, warmup_steps=100, or neither."
            rule = "a warm-up needs a target rate and a positive number of steps"
            raise ArgumentError(rule, where="CosineDecay", received=received, fix=fix)

    def __call__(self, step: ArrayLike) -> Array:
        count = _float(step)
        if self.warmup_target is None:
            return self._fall(count, self.initial_learning_rate)
        rise = (self.warmup_target - self.initial_learning_rate) * (count / self.warmup_steps)
        fall = self._fall(count - self.warmup_steps, self.warmup_target)
        return jnp.where(count < self.warmup_steps, rise + self.initial_learning_rate, fall)

    def _fall(self, count: Array, top: float) -> Array:
        cosine = 0.5 * (1.0 + jnp.cos(math.pi * jnp.minimum(count, self.decay_steps) / self.decay_steps))
        return top * ((1 - self.alpha) * cosine + self.alpha)


@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    """Hold ``values[i]`` while ``boundaries[i - 1] < step <= boundaries[i]``.

    Args:
        boundaries: Rising step numbers; kept as a tuple.
        values: The rates, one more than there are boundaries; kept as a tuple.

    Raises:
        ArgumentError: The lengths do not match, or the boundaries do not rise.

    Example:
        >>> rate = PiecewiseConstantDecay([100, 200], [0.5, 0.25, 0.125])
        >>> [float(rate(step)) for step in (0, 100, 101, 201)]
        [0.5, 0.5, 0.25, 0.125]
    """

    boundaries: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        # Tuples, because a schedule is part of an optimizer, and an optimizer is hashed as a static argument.
        object.__setattr__(self, "boundaries", _numbers(self.boundaries, "boundaries"))
        object.__setattr__(self, "values", _numbers(self.values, "values"))
        received = f"boundaries={list(self.boundaries)}, values={list(self.values)}"
        where = "PiecewiseConstantDecay"
        if len(self.values) != len(self.boundaries) + 1:
            rule = "there is one value more than there are boundaries"
            fix = f"For {len(self.boundaries)} boundaries give {len(self.boundaries) + 1} values."
            raise ArgumentError(rule, where=where, received=received, fix=fix)
        if any(low >= high for low, high in zip(self.boundaries, self.boundaries[1:], strict=False)):
            fix = f"Use boundaries={sorted(set(self.boundaries))} and a value for each piece."
            raise ArgumentError("the boundaries rise", where=where, received=received, fix=fix)

    def __call__(self, step: ArrayLike) -> Array:
        count = _float(step)
        piece = jnp.sum(count > _float(self.boundaries), dtype=jnp.int32)
        return _float(self.values)[piece]


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """Go from the first rate to the last along a power of the way that is left.

    ``(initial - end) * (1 - step / decay_steps) ** power + end``; after ``decay_steps`` it stays at the end, or with
    ``cycle`` starts again with a stretched ``decay_steps``, the next multiple that is not below the step.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Length of the fall in steps; positive.
        end_learning_rate: The rate at the end.
        power: 1 is a straight line.
        cycle: Start again beyond ``decay_steps``.

    Raises:
        ArgumentError: ``decay_steps`` is not positive or an argument is not a number.

    Example:
        >>> float(PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.0)(5))
        0.25
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __post_init__(self) -> None:
        _check_numbers(self, "initial_learning_rate", "end_learning_rate", "power")
        _check_decay_steps(self)

    def __call__(self, step: ArrayLike) -> Array:
        count = _float(step)
        length = _float(self.decay_steps)
        if self.cycle:
            length = length * jnp.maximum(jnp.ceil(count / self.decay_steps), 1.0)
        left = 1.0 - jnp.minimum(count, length) / length
        span = self.initial_learning_rate - self.end_learning_rate
        return span * jnp.power(left, _float(self.power)) + self.end_learning_rate


registry: dict[str, type[Schedule]] = {
    kind.__name__: kind for kind in (ExponentialDecay, CosineDecay, PiecewiseConstantDecay, PolynomialDecay)
}


def _float(value: Any) -> Array:
    return jnp.asarray(value, jnp.float32)


def _check_numbers(schedule: Schedule, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        if not number(value):
            where = type(schedule).__name__
            raise ArgumentError(f"{name} is a finite number", where=where, received=f"{name}={value!r}")


def _check_decay_steps(schedule: ExponentialDecay | CosineDecay | PolynomialDecay) -> None:
    steps = schedule.decay_steps
    if not number(steps) or steps <= 0:
        fix = "Count optimizer steps: epochs × steps per epoch."
        where = type(schedule).__name__
        raise ArgumentError("decay_steps is a positive number", where=where, received=f"decay_steps={steps!r}", fix=fix)


def _numbers(values: object, name: str) -> tuple[float, ...]:
    if not isinstance(values, Sequence | np.ndarray) or not all(number(item) for item in values):
        where = "PiecewiseConstantDecay"
        raise ArgumentError(f"{name} is a list of finite numbers", where=where, received=f"{name}={values!r}")
    return tuple(values)
