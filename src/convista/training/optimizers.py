"""Optimizers with Keras's names, defaults and update rules, built from optax's pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from convista.arguments import Absent
from convista.errors import ArgumentError, suggest
from convista.training.configuration import Configurable, build, number
from convista.training.schedules import Schedule

Rate = float | Callable[[ArrayLike], Array]


_ABSENT = {
    "lr": Absent(rule="lr is an old name", fix="Write learning_rate={value}"),
    "decay": Absent(
        (0, 0.0),
        rule="decay is an old argument of Keras",
        fix="Give learning_rate a schedule, such as ExponentialDecay(0.001, decay_steps=1000, decay_rate=0.9), or "
        "weight_decay a number",
    ),
    "use_ema": Absent((False,)),
    "ema_momentum": Absent((0.99,)),
    "ema_overwrite_frequency": Absent((None,)),
    "loss_scale_factor": Absent((None,)),
    "gradient_accumulation_steps": Absent((None,), fix="Leave it out and give fit a larger batch_size"),
    "name": Absent((None, "sgd", "SGD", "rmsprop", "adam", "adamw")),
}


class Optimizer(Configurable):
    """Turns gradients into updates; the learning rate comes in from outside, so changing it never recompiles."""

    absent_arguments: ClassVar[Mapping[str, Absent]] = _ABSENT

    # Declared here for the shared methods; each subclass has them as dataclass fields in Keras's order.
    learning_rate: Rate
    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None

    def transform(self) -> optax.GradientTransformationExtraArgs:
        """Return the update rule as a gradient transformation.

        ``update(gradients, opt_state, params, learning_rate=rate)`` returns ``(updates, opt_state)``; the new
        parameters are ``params + updates``. ``rate`` is a scalar and may be traced.
        """
        pieces = [*_clipping(self), *self._rule()]
        if self.weight_decay is not None:
            pieces.append(_decay_weights(self.weight_decay))
        return optax.chain(*pieces)

    def _rule(self) -> list[optax.GradientTransformation]:
        raise NotImplementedError

    def rate(self, step: ArrayLike) -> Array:
        """Return the learning rate (float32 scalar) before update number ``step``, counted from 0; may be traced."""
        if callable(self.learning_rate):
            return jnp.asarray(self.learning_rate(step), jnp.float32)
        return jnp.asarray(self.learning_rate, jnp.float32)

    def accept_rate(self, value: object) -> float:
        """Return ``value`` as the learning rate that a callback or a user wants from now on.

        Raises:
            ArgumentError: The rate follows a schedule, or the value is not a finite number of at least 0.
        """
        name = type(self).__name__
        if callable(self.learning_rate):
            rule = "the learning rate follows a schedule and cannot be set"
            fix = f"Give {name} a number as learning_rate, or take away what sets it."
            received = f"learning_rate={value!r} for {name}(learning_rate={self.learning_rate!r})"
            raise ArgumentError(rule, where=name, received=received, fix=fix)
        return _checked_rate(value, name)

    @staticmethod
    def from_config(config: object) -> Optimizer:
        """Return the optimizer that ``to_config`` described; only the classes of this module can be made.

        Example:
            >>> Optimizer.from_config(SGD(0.1, momentum=0.9).to_config()) == SGD(0.1, momentum=0.9)
            True
        """
        return build(_with_schedule(config), registry, "optimizer")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, plain or with momentum.

    ``velocity = momentum * velocity - learning_rate * g``, then ``w += velocity``; with ``nesterov``
    ``w += momentum * velocity - learning_rate * g``.

    Args:
        learning_rate: A number, or a schedule: a function of the step.
        momentum: Share of the velocity that is kept, between 0 and 1.
        nesterov: Look ahead along the velocity.
        weight_decay: Before each update every weight is multiplied by ``1 - learning_rate * weight_decay``.
        clipnorm: Longest gradient of each array (Euclidean norm).
        clipvalue: Largest absolute value of each component of a gradient.
        global_clipnorm: Longest gradient of all arrays together. At most one of the three clippings.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> optimizer = SGD(0.1, momentum=0.9)
        >>> rule = optimizer.transform()
        >>> params = {"w": jnp.array([1.0])}
        >>> state = rule.init(params)
        >>> updates, state = rule.update({"w": jnp.array([2.0])}, state, params, learning_rate=optimizer.rate(0))
        >>> updates["w"].tolist()
        [-0.20000000298023224]

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    learning_rate: Rate = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None

    def __post_init__(self) -> None:
        _check(self, fractions=("momentum",))

    def _rule(self) -> list[optax.GradientTransformation]:
        # Keras keeps the rate inside the velocity, so after a change of rate old steps keep their old rate; optax.sgd
        # has it outside. optax.trace after the rate, instead of before, is Keras's rule.
        pieces: list[optax.GradientTransformation] = [_scale_by_rate()]
        if self.momentum:
            pieces.append(optax.trace(decay=self.momentum, nesterov=self.nesterov))
        return pieces


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Divide the gradient by the root of its moving mean square.

    ``v = rho * v + (1 - rho) * g**2``, then ``w -= learning_rate * g / sqrt(v + epsilon)``; ``centered`` takes the
    variance ``v - mean(g)**2`` instead of ``v``; with ``momentum`` the steps accumulate in a velocity.

    Args:
        learning_rate: A number, or a schedule: a function of the step.
        rho: Share of the moving averages that is kept, between 0 and 1.
        momentum: Share of the velocity that is kept, between 0 and 1.
        epsilon: Added under the root.
        centered: Use the variance.
        weight_decay, clipnorm, clipvalue, global_clipnorm: As for `SGD`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> RMSprop().rate(0).tolist()
        0.0010000000474974513

    Source: Hinton, Neural Networks for Machine Learning, lecture 6e, 2012.
    """

    learning_rate: Rate = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None

    def __post_init__(self) -> None:
        _check(self, fractions=("rho", "momentum"))

    def _rule(self) -> list[optax.GradientTransformation]:
        scale = optax.scale_by_stddev if self.centered else optax.scale_by_rms
        pieces: list[optax.GradientTransformation] = [scale(decay=self.rho, eps=self.epsilon), _scale_by_rate()]
        if self.momentum:
            pieces.append(optax.trace(decay=self.momentum))
        return pieces


@dataclass(frozen=True)
class Adam(Optimizer):
    """Moving mean of the gradient over the root of the moving mean of its square, both corrected for their start at 0.

    ``m += (1 - beta_1) * (g - m)``, ``v += (1 - beta_2) * (g**2 - v)``, then at update ``t`` (from 1)
    ``w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``.
    ``amsgrad`` uses the largest ``v`` so far.

    Args:
        learning_rate: A number, or a schedule: a function of the step.
        beta_1: Share of the mean that is kept, between 0 and 1.
        beta_2: Share of the mean square that is kept, between 0 and 1.
        epsilon: Added to the root ("epsilon hat" of the paper).
        amsgrad: Never let the denominator shrink.
        weight_decay, clipnorm, clipvalue, global_clipnorm: As for `SGD`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> Adam(beta_1=0.8).beta_2
        0.999

    Source: Kingma and Ba, 2014, https://arxiv.org/abs/1412.6980; Reddi et al., 2018, for ``amsgrad``.
    """

    learning_rate: Rate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None

    def __post_init__(self) -> None:
        _check(self, fractions=("beta_1", "beta_2"))

    def _rule(self) -> list[optax.GradientTransformation]:
        return [_scale_by_moments(self.beta_1, self.beta_2, self.epsilon, self.amsgrad), _scale_by_rate()]


@dataclass(frozen=True)
class AdamW(Optimizer):
    """`Adam` whose weights shrink by ``1 - learning_rate * weight_decay`` before each update.

    Args:
        learning_rate: A number, or a schedule: a function of the step.
        weight_decay: How much the weights shrink; a number, not None.
        beta_1, beta_2, epsilon, amsgrad: As for `Adam`.
        clipnorm, clipvalue, global_clipnorm: As for `SGD`.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> AdamW(0.001, 0.01).weight_decay
        0.01

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019, https://arxiv.org/abs/1711.05101.
    """

    learning_rate: Rate = 0.001
    weight_decay: float | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None

    def __post_init__(self) -> None:
        _check(self, fractions=("beta_1", "beta_2"))
        if self.weight_decay is None:
            rule = "weight_decay is a number"
            raise ArgumentError(rule, where="AdamW", received="weight_decay=None", fix="Use Adam to train without it.")

    def _rule(self) -> list[optax.GradientTransformation]:
        return [_scale_by_moments(self.beta_1, self.beta_2, self.epsilon, self.amsgrad), _scale_by_rate()]


@dataclass(frozen=True)
class OptaxOptimizer(Optimizer):
    """A gradient transformation of your own from optax, with its own learning rate.

    Args:
        transformation: What an optax optimizer such as ``optax.lion(1e-4)`` returns.

    Example:
        >>> get(optax.lion(1e-4)).transform().init({"w": jnp.zeros(3)}) is not None
        True
    """

    transformation: optax.GradientTransformation

    def transform(self) -> optax.GradientTransformationExtraArgs:
        """Return the transformation; the ``learning_rate`` that its ``update`` is given is left unused."""
        inner = optax.with_extra_args_support(self.transformation)

        def update(updates: Any, state: Any, params: Any = None, *, learning_rate: Any = None, **extra: Any) -> Any:
            del learning_rate
            return inner.update(updates, state, params, **extra)

        return optax.GradientTransformationExtraArgs(inner.init, update)

    def rate(self, step: ArrayLike) -> Array:
        """Return NaN: the rate is inside the transformation, and optax does not tell it."""
        del step
        return jnp.asarray(jnp.nan, jnp.float32)

    def accept_rate(self, value: object) -> float:
        """Raise an ArgumentError: the rate is inside the transformation."""
        rule = "the learning rate is inside the optax transformation and cannot be set"
        fix = 'Use one of Convista\'s optimizers, such as "adam", or give the optax optimizer a schedule of its own.'
        raise ArgumentError(rule, where="OptaxOptimizer", received=f"learning_rate={value!r}", fix=fix)

    def to_config(self) -> dict[str, Any]:
        """Raise an ArgumentError: a function of your own cannot be written to a file."""
        fix = "Save the model without its optimizer and give the optimizer again to compile()."
        raise ArgumentError("an optax transformation cannot be saved", where="OptaxOptimizer", fix=fix)


registry: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in (SGD, RMSprop, Adam, AdamW)}

_names = {name.lower(): kind for name, kind in registry.items()}


def get(optimizer: object) -> Optimizer:
    """Return an optimizer from its name, an instance, a class or a transformation of optax.

    Args:
        optimizer: ``"sgd"``, ``"rmsprop"``, ``"adam"``, ``"adamw"``, `Adam()`, `Adam`, ``optax.lion(1e-4)``.

    Raises:
        ArgumentError: Not one of these.

    Example:
        >>> get("sgd")
        SGD(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None, clipnorm=None, clipvalue=None, \
global_clipnorm=None)
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, optax.GradientTransformation):
        return OptaxOptimizer(optimizer)
    if isinstance(optimizer, type) and optimizer in _names.values():
        return optimizer()
    if isinstance(optimizer, str):
        if optimizer.lower() in _names:
            return _names[optimizer.lower()]()
        fix = suggest(optimizer.lower(), _names)
        raise ArgumentError("not the name of an optimizer", where="optimizer", received=repr(optimizer), fix=fix)
    rule = "an optimizer is a name, an instance such as Adam(0.001), or an optax transformation"
    raise ArgumentError(rule, where="optimizer", received=repr(optimizer), fix=suggest("", _names))


class MomentsState(NamedTuple):
    """What `Adam` remembers: the updates made, the two moving means, the largest mean square (None without amsgrad)."""

    steps: Array
    mean: Any
    square: Any
    largest: Any


def _scale_by_moments(beta_1: float, beta_2: float, epsilon: float, amsgrad: bool) -> optax.GradientTransformation:
    # optax.scale_by_adam corrects v before the root, so its epsilon acts on the corrected v; Keras corrects the rate
    # and adds epsilon to the root of the raw v. optax.scale_by_amsgrad differs in the same way and takes the largest
    # of the corrected v. At the first steps, where the correction is ~1000, the two are far apart.
    def init(params: Any) -> MomentsState:
        zeros = optax.tree.zeros_like(params)
        return MomentsState(jnp.zeros([], jnp.int32), zeros, zeros, zeros if amsgrad else None)

    def update(gradients: Any, state: MomentsState, params: Any = None) -> tuple[Any, MomentsState]:
        del params
        count = optax.safe_increment(state.steps)
        mean = jax.tree.map(lambda g, m: m + (1 - beta_1) * (g - m), gradients, state.mean)
        square = jax.tree.map(lambda g, v: v + (1 - beta_2) * (jnp.square(g) - v), gradients, state.square)
        largest = jax.tree.map(jnp.maximum, state.largest, square) if amsgrad else None
        time = count.astype(jnp.float32)
        correction = jnp.sqrt(1 - jnp.float32(beta_2) ** time) / (1 - jnp.float32(beta_1) ** time)
        denominator = largest if amsgrad else square
        moves = jax.tree.map(lambda m, v: m * correction.astype(m.dtype) / (jnp.sqrt(v) + epsilon), mean, denominator)
        return moves, MomentsState(count, mean, square, largest)

    return optax.GradientTransformation(init, update)


def _scale_by_rate() -> optax.GradientTransformationExtraArgs:
    # optax.scale_by_learning_rate holds its rate (a number or a schedule); here the rate is an argument of each update.
    def update(
        updates: Any, state: optax.EmptyState, params: Any = None, *, learning_rate: ArrayLike, **extra: Any
    ) -> tuple[Any, optax.EmptyState]:
        del params, extra
        return jax.tree.map(lambda u: u * -jnp.asarray(learning_rate, u.dtype), updates), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def _decay_weights(weight_decay: float) -> optax.GradientTransformationExtraArgs:
    # Keras: w -= learning_rate * weight_decay * w before the rule, for every optimizer and every parameter. No rule
    # here reads w, so the decay is added to the update. optax.add_decayed_weights stands before the rate; behind
    # momentum or RMSprop's root it would be another rule (SGD with L2 in the gradient).
    def update(
        updates: Any, state: optax.EmptyState, params: Any = None, *, learning_rate: ArrayLike, **extra: Any
    ) -> tuple[Any, optax.EmptyState]:
        del extra
        if params is None:
            raise ValueError("weight_decay needs the parameters: update(gradients, state, params, learning_rate=...).")

        def shrink(u: Array, w: Array) -> Array:
            return u - w * jnp.asarray(weight_decay, w.dtype) * jnp.asarray(learning_rate, w.dtype)

        return jax.tree.map(shrink, updates, params), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def _clip_each(norm: float) -> optax.GradientTransformation:
    # optax clips by the norm of all arrays together or by the root mean square of one; Keras's clipnorm is neither.
    def update(updates: Any, state: optax.EmptyState, params: Any = None) -> tuple[Any, optax.EmptyState]:
        del params

        def clip(g: Array) -> Array:
            return g * norm / jnp.maximum(jnp.sqrt(jnp.sum(jnp.square(g))), norm)

        return jax.tree.map(clip, updates), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _clipping(optimizer: Optimizer) -> list[optax.GradientTransformation]:
    if optimizer.clipnorm is not None:
        return [_clip_each(optimizer.clipnorm)]
    if optimizer.clipvalue is not None:
        return [optax.clip(optimizer.clipvalue)]
    if optimizer.global_clipnorm is not None:
        return [optax.clip_by_global_norm(optimizer.global_clipnorm)]
    return []


def _check(optimizer: Optimizer, fractions: tuple[str, ...]) -> None:
    name = type(optimizer).__name__
    if not callable(optimizer.learning_rate):
        _checked_rate(optimizer.learning_rate, name)
    for key in fractions:
        value = getattr(optimizer, key)
        if not number(value) or not 0 <= value <= 1:
            raise ArgumentError(f"{key} is a number between 0 and 1", where=name, received=f"{key}={value!r}")
    epsilon = getattr(optimizer, "epsilon", 0.0)
    if not number(epsilon) or epsilon < 0:
        raise ArgumentError("epsilon is a small positive number", where=name, received=f"epsilon={epsilon!r}")
    _check_options(optimizer, name)


def _check_options(optimizer: Optimizer, name: str) -> None:
    decay = optimizer.weight_decay
    if decay is not None and (not number(decay) or decay < 0):
        rule = "weight_decay is None or a number of at least 0"
        raise ArgumentError(rule, where=name, received=f"weight_decay={decay!r}")
    keys = ("clipnorm", "clipvalue", "global_clipnorm")
    given = {key: getattr(optimizer, key) for key in keys if getattr(optimizer, key) is not None}
    for key, value in given.items():
        if not number(value) or value <= 0:
            fix = f"Use {key}=1.0, or None for no clipping."
            raise ArgumentError(f"{key} is a positive number", where=name, received=f"{key}={value!r}", fix=fix)
    if len(given) > 1:
        received = ", ".join(f"{key}={value!r}" for key, value in given.items())
        fix = f"Keep one of {', '.join(given)}."
        raise ArgumentError("gradients are clipped in one way", where=name, received=received, fix=fix)


def _checked_rate(value: Any, name: str) -> float:
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        value = value.item()
    if not number(value) or value < 0:
        rule = "a learning rate is a finite number of at least 0, or a schedule"
        fix = "Start from 0.001, or 0.01 for SGD."
        raise ArgumentError(rule, where=name, received=f"learning_rate={value!r}", fix=fix)
    return float(value)


def _with_schedule(config: Any) -> Any:
    values = config.get("config") if isinstance(config, dict) else None
    if not isinstance(values, dict) or not isinstance(values.get("learning_rate"), dict):
        return config
    schedule = Schedule.from_config(values["learning_rate"])
    return {**config, "config": {**values, "learning_rate": schedule}}
