"""Pruning while a network learns: the smallest weights are set to zero and stay there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jax.typing import ArrayLike

from convista import arguments
from convista.errors import ArgumentError, suggest
from convista.training import optimizers
from convista.training.configuration import Configurable, build
from convista.training.optimizers import Optimizer

Masks = dict[str, dict[str, Array]]

_BITS = 31  # of a positive float32: as whole numbers they are in the same order


class Sparsity(Configurable):
    """A share of weights that are zero, as a function of the step; it may be traced."""

    def __call__(self, step: ArrayLike) -> Array:
        """Return the share, a float32 scalar, after ``step`` updates."""
        raise NotImplementedError

    @property
    def rises(self) -> tuple[int, int]:
        """The updates from which and until which the share rises; at least one has been made at the last."""
        raise NotImplementedError


@dataclass(frozen=True)
class ConstantSparsity(Sparsity):
    """Nothing before ``begin_step``, then ``target_sparsity``.

    Args:
        target_sparsity: Share of weights that are zero, at least 0 and below 1.
        begin_step: Updates before the first weight is pruned.

    Raises:
        ArgumentError: A number is out of its range.

    Example:
        >>> [float(ConstantSparsity(0.5, begin_step=10)(step)) for step in (9, 10)]
        [0.0, 0.5]
    """

    target_sparsity: float
    begin_step: int = 0

    def __post_init__(self) -> None:
        arguments.fraction(self.target_sparsity, "target_sparsity", where="ConstantSparsity", below_one=True)
        arguments.integer(self.begin_step, "begin_step", where="ConstantSparsity", minimum=0)

    def __call__(self, step: ArrayLike) -> Array:
        """Return the share after ``step`` updates."""
        return jnp.where(jnp.asarray(step) < self.begin_step, jnp.float32(0), jnp.float32(self.target_sparsity))

    @property
    def rises(self) -> tuple[int, int]:
        """One moment."""
        return max(self.begin_step, 1), max(self.begin_step, 1)


@dataclass(frozen=True)
class PolynomialSparsity(Sparsity):
    """Many weights go at first, when there are many to spare, and ever fewer towards the end.

    ``final + (initial − final) · (1 − (step − begin_step) / (end_step − begin_step))^power``

    Args:
        final_sparsity: Share of weights that are zero from ``end_step`` on, at least 0 and below 1.
        end_step: Updates after which the final share is reached.
        initial_sparsity: Share at ``begin_step``; before it, 0.
        begin_step: Updates before the first weight is pruned.
        power: Of the curve.

    Raises:
        ArgumentError: A number is out of its range.

    Example:
        >>> schedule = PolynomialSparsity(0.8, end_step=100)
        >>> [round(float(schedule(step)), 3) for step in (0, 50, 100, 200)]
        [0.0, 0.7, 0.8, 0.8]

    Source: M. Zhu, S. Gupta, «To prune, or not to prune», 2017, equation 1.
    """

    final_sparsity: float
    end_step: int
    initial_sparsity: float = 0.0
    begin_step: int = 0
    power: float = 3.0

    def __post_init__(self) -> None:
        where = "PolynomialSparsity"
        arguments.fraction(self.final_sparsity, "final_sparsity", where=where, below_one=True)
        arguments.fraction(self.initial_sparsity, "initial_sparsity", where=where, below_one=True)
        arguments.integer(self.begin_step, "begin_step", where=where, minimum=0)
        if arguments.integer(self.end_step, "end_step", where=where) <= self.begin_step:
            raise ArgumentError(
                "end_step comes after begin_step",
                where=where,
                received=f"begin_step={self.begin_step!r}, end_step={self.end_step!r}",
                fix="For all of the training write end_step=epochs * steps_per_epoch",
            )
        if not arguments.number(self.power, "power", where=where) > 0:
            raise ArgumentError("power is above 0", where=where, received=f"power={self.power!r}")
        if self.initial_sparsity > self.final_sparsity:
            raise ArgumentError(
                "weights that were pruned stay so: the share never falls",
                where=where,
                received=f"initial_sparsity={self.initial_sparsity!r}, final_sparsity={self.final_sparsity!r}",
            )

    def __call__(self, step: ArrayLike) -> Array:
        """Return the share after ``step`` updates."""
        done = (jnp.asarray(step, jnp.float32) - self.begin_step) / (self.end_step - self.begin_step)
        left = (1 - jnp.clip(done, 0, 1)) ** jnp.float32(self.power)
        share = self.final_sparsity + (self.initial_sparsity - self.final_sparsity) * left
        return jnp.where(done < 0, jnp.float32(0), share)

    @property
    def rises(self) -> tuple[int, int]:
        """``begin_step`` and ``end_step``."""
        return max(self.begin_step, 1), self.end_step


schedules: dict[str, type[Sparsity]] = {kind.__name__: kind for kind in (ConstantSparsity, PolynomialSparsity)}


@dataclass(frozen=True)
class Pruned(Optimizer):
    """An optimizer that also prunes: it sets the smallest weights of each kernel to zero and keeps them there.

    While ``sparsity`` rises, its share of zeros is chosen anew every ``frequency`` updates and once when it ends, by
    magnitude, in each kernel on its own; what was zero stays zero. The gradients of pruned weights are zero and their
    update is ``−w``, so they are exactly 0 after each step, whatever momentum or weight decay say. Biases and other
    vectors are left alone.

    The masks are a part of the optimizer's memory, so they live inside the compiled training step: nothing is compiled
    again when they change, it works for arrays, streams and ``train_on_batch`` alike, and a saved model goes on
    pruning where it stopped. (A callback could only mask between epochs: the weights would grow back within one, and
    the network would learn with weights that it loses at the end.)

    Args:
        optimizer: The optimizer that learns, by name or instance.
        sparsity: `PolynomialSparsity`, `ConstantSparsity`, or one share, which is pruned after the first update.
        frequency: Updates between choices.
        keep: Names of layers that are not pruned.

    Raises:
        ArgumentError: A number is out of its range; in training, ``keep`` names no layer that learns.

    Example:
        >>> from convista import Sequential, layers
        >>> import numpy as np
        >>> model = Sequential([layers.Dense(8, input_shape=(16,)), layers.Dense(2)])
        >>> model.compile(Pruned("adam", 0.75), "mse")
        >>> _ = model.fit(np.ones((32, 16)), np.ones((32, 2)), verbose=0)
        >>> sparsity_of(model.params)
        {'dense': 0.75, 'dense_1': 0.75}

    Source: M. Zhu, S. Gupta, «To prune, or not to prune», 2017; lecture 003, «прореживание».
    """

    optimizer: Any = "adam"
    sparsity: Any = 0.5
    frequency: int = 100
    keep: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.inner, Pruned):
            raise ArgumentError(
                "one Pruned is enough", where="Pruned", received="another Pruned inside", fix='Pruned("adam", 0.8)'
            )
        _ = self.schedule
        arguments.integer(self.frequency, "frequency", where="Pruned")
        if isinstance(self.keep, str) or not isinstance(self.keep, Sequence):
            raise ArgumentError(
                "keep is a list of layers' names",
                where="Pruned",
                received=f"keep={self.keep!r:.100}",
                fix='For example keep=["dense"]',
            )

    @property
    def inner(self) -> Optimizer:
        """The optimizer that learns."""
        return optimizers.get(self.optimizer)

    @property
    def schedule(self) -> Sparsity:
        """The share of zeros as a function of the step."""
        if isinstance(self.sparsity, Sparsity):
            return self.sparsity
        return ConstantSparsity(arguments.fraction(self.sparsity, "sparsity", where="Pruned", below_one=True))

    def __getattr__(self, name: str) -> Any:
        # The options that all optimizers share, the learning rate above all, are those of the optimizer that learns.
        if name in ("learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm"):
            return getattr(self.inner, name)
        raise AttributeError(f"Pruned has no attribute {name!r}")

    def rate(self, step: ArrayLike) -> Array:
        """Return the learning rate before update number ``step``."""
        return self.inner.rate(step)

    def accept_rate(self, value: object) -> float:
        """Return ``value`` as the learning rate from now on."""
        return self.inner.accept_rate(value)

    def transform(self) -> optax.GradientTransformationExtraArgs:
        """Return the update rule: that of the inner optimizer, with masks."""
        inner, schedule = self.inner.transform(), self.schedule

        def init(params: Any) -> PrunedState:
            masks = jax.tree.map(lambda kernel: jnp.ones(kernel.shape, bool), self._prunable(params))
            return PrunedState(jnp.int32(0), masks, inner.init(params))

        def update(
            gradients: Any, state: PrunedState, params: Any = None, *, learning_rate: ArrayLike, **extra: Any
        ) -> tuple[Any, PrunedState]:
            masked = _where(state.masks, gradients, jax.tree.map(jnp.zeros_like, gradients))
            updates, memory = inner.update(masked, state.inner, params, learning_rate=learning_rate, **extra)
            count = optax.safe_increment(state.steps)

            def choose(masks: Masks) -> Masks:
                moved, share = self._prunable(optax.apply_updates(params, updates)), schedule(count)
                return jax.tree.map(lambda mask, kernel: mask & largest(kernel, share), masks, moved)

            masks = lax.cond(self._chooses(count), choose, lambda masks: masks, state.masks)
            return _where(masks, updates, jax.tree.map(jnp.negative, params)), PrunedState(count, masks, memory)

        return optax.GradientTransformationExtraArgs(init, update)

    def _chooses(self, count: Array) -> Array:
        begin, end = self.schedule.rises
        return (count == end) | ((count >= begin) & (count < end) & (count % self.frequency == 0))

    def _prunable(self, params: Any) -> Masks:
        for name in self.keep:
            if name not in params:
                raise ArgumentError(
                    "keep names layers that learn", where="Pruned", received=f"{name!r}", fix=suggest(name, params)
                )
        return {name: kernels for name, kernels in _kernels(params).items() if name not in self.keep}


def _kernels(params: Any) -> Masks:
    """Return the arrays that multiply inputs: those called kernel, also ``depthwise_kernel`` and the like."""
    found = {
        layer: {name: array for name, array in arrays.items() if name.endswith("kernel") and array.ndim >= 2}
        for layer, arrays in params.items()
    }
    return {layer: arrays for layer, arrays in found.items() if arrays}


def from_config(config: object) -> Optimizer:
    """Return the optimizer that ``to_config`` described, `Pruned` or any other; no other class can be made.

    Example:
        >>> from_config(Pruned("adam", PolynomialSparsity(0.8, 100)).to_config()).sparsity.end_step
        100
    """
    if not isinstance(config, Mapping) or config.get("class_name") != "Pruned":
        return Optimizer.from_config(config)
    values = config.get("config")
    if isinstance(values, Mapping):
        made = dict(values)
        if isinstance(made.get("optimizer"), Mapping):
            made["optimizer"] = Optimizer.from_config(made["optimizer"])
        if isinstance(made.get("sparsity"), Mapping):
            made["sparsity"] = build(made["sparsity"], schedules, "sparsity")
        if isinstance(made.get("keep"), list):
            made["keep"] = tuple(made["keep"])
        config = {**config, "config": made}
    return build(config, {"Pruned": Pruned}, "optimizer")


class PrunedState(NamedTuple):
    """What `Pruned` remembers: the updates made, which weights are left, and the inner optimizer's memory."""

    steps: Array
    masks: Masks
    inner: Any


def _where(masks: Masks, kept: Any, pruned: Any) -> Any:
    """Return one tree, with another's numbers where the masks are false."""
    chosen = {
        layer: {name: jnp.where(mask, kept[layer][name], pruned[layer][name]) for name, mask in named.items()}
        for layer, named in masks.items()
    }
    return {layer: {**arrays, **chosen.get(layer, {})} for layer, arrays in kept.items()}


def largest(weights: Array, share: ArrayLike) -> Array:
    """Return a mask of the weights that are left when a share of them, the smallest by magnitude, is pruned.

    ``⌊share · n + ½⌋`` weights go, never all; of equal ones those at the front go first. The share may be traced.

    Args:
        weights: float32, any shape.
        share: Between 0 and 1.

    Returns:
        bool, the shape of ``weights``.

    Example:
        >>> largest(jnp.array([0.1, -3.0, 2.0, -0.2]), 0.5).tolist()
        [False, True, True, False]
    """
    # Halving, 31 + log₂ n counts: 1.3 ms for 73,728 weights and 0.3 s to compile. Lost: argsort, 19 ms and 0.15 s.
    bits = lax.bitcast_convert_type(jnp.abs(weights).ravel().astype(jnp.float32), jnp.int32)
    gone = jnp.floor(jnp.asarray(share, jnp.float32) * bits.size + jnp.float32(0.5)).astype(jnp.int32)
    gone = jnp.minimum(gone, bits.size - 1)
    limit = _smallest(lambda value: jnp.sum(bits <= value) >= gone, _BITS)
    below = bits < limit
    order = jnp.arange(bits.size, dtype=jnp.int32)
    left = gone - jnp.sum(below)
    last = _smallest(lambda place: jnp.sum((bits == limit) & (order < place)) >= left, max(bits.size.bit_length(), 1))
    return ~(below | ((bits == limit) & (order < last))).reshape(weights.shape)


def _smallest(holds: Callable[[Array], Array], bits: int) -> Array:
    """Return the smallest whole number of so many bits for which a rising condition holds."""

    def halve(number: Array, found: Array) -> Array:
        # All bits below this one set, this one not: if even that is too small, the bit belongs to the answer.
        bit = jnp.left_shift(jnp.int32(1), jnp.int32(bits - 1) - number)
        return jnp.where(holds(found + bit - 1), found, found + bit)

    return lax.fori_loop(jnp.int32(0), jnp.int32(bits), halve, jnp.int32(0))


def sparsity_of(params: Any) -> dict[str, float]:
    """Return the share of zeros in the kernel of each layer that has one.

    Args:
        params: As ``model.params``.

    Example:
        >>> sparsity_of({"dense": {"kernel": jnp.array([[0.0, 1.0]]), "bias": jnp.zeros(2)}})
        {'dense': 0.5}
    """
    return {
        layer: sum(int(jnp.sum(array == 0)) for array in arrays.values()) / sum(array.size for array in arrays.values())
        for layer, arrays in _kernels(params).items()
    }
