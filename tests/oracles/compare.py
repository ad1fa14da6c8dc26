"""One way to compare with an oracle: shape, dtype, values and gradients, within a stated tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Tolerance:
    """How far a number may lie from the oracle's: ``absolute + relative · max|expected|``.

    The relative part is of the largest value of the array, because sums that nearly cancel keep the rounding of their
    largest term.
    """

    relative: float
    absolute: float

    def bound(self, expected: np.ndarray) -> float:
        largest = float(np.abs(expected).max()) if expected.size else 0.0
        return self.absolute + self.relative * largest


# XLA need not optimise what runs once on a handful of numbers.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

EXACT = Tolerance(0.0, 0.0)
# Sums of a few hundred float32 products in another order; one rounding is 6e-8.
SUMS = Tolerance(2e-6, 2e-6)
# The same through several layers, square roots and quotients.
LAYERS = Tolerance(1e-5, 1e-5)
# Weights after five optimizer steps, which amplify what differs.
STEPS = Tolerance(5e-5, 2e-5)


def agree(actual: Any, expected: Any, tolerance: Tolerance, *, name: str = "result", dtype: Any = np.float32) -> None:
    """Assert that two arrays agree; ``actual`` has ``dtype``, ``expected`` may be more precise."""
    found, wanted = np.asarray(actual), np.asarray(expected, np.float64)
    assert found.dtype == np.dtype(dtype), f"{name}: dtype {found.dtype}, expected {np.dtype(dtype)}"
    assert found.shape == wanted.shape, f"{name}: shape {found.shape}, expected {wanted.shape}"
    strange = np.isnan(wanted) | np.isinf(wanted)
    np.testing.assert_array_equal(found[strange], wanted[strange].astype(found.dtype), err_msg=name)
    found = found.astype(np.float64)
    assert np.isfinite(found[~strange]).all(), f"{name}: {found[~np.isfinite(found)][:3]} where the oracle is finite"
    difference = np.abs(np.where(strange, 0.0, found) - np.where(strange, 0.0, wanted))
    bound = tolerance.bound(wanted[~strange])
    if difference.size and difference.max() > bound:
        place = np.unravel_index(difference.argmax(), difference.shape)
        raise AssertionError(
            f"{name}[{', '.join(map(str, place))}] = {found[place]:.9g}, the oracle says {wanted[place]:.9g}: "
            f"{difference.max():.3g} apart, {bound:.3g} allowed; {(difference > bound).sum()} of {found.size} differ"
        )


def agree_all(actual: Any, expected: Any, tolerance: Tolerance, *, name: str = "result") -> None:
    """Assert that two nested dictionaries or sequences of arrays agree, entry by entry."""
    if isinstance(expected, Mapping):
        assert sorted(actual) == sorted(expected), f"{name}: entries {sorted(actual)}, expected {sorted(expected)}"
        for key in expected:
            agree_all(actual[key], expected[key], tolerance, name=f"{name}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected), f"{name}: {len(actual)} entries, expected {len(expected)}"
        for place, (one, other) in enumerate(zip(actual, expected, strict=True)):
            agree_all(one, other, tolerance, name=f"{name}[{place}]")
    else:
        agree(actual, expected, tolerance, name=name)


def value_and_gradients(
    function: Callable[..., jax.Array], arrays: Sequence[Any], cotangent: Any = None
) -> tuple[jax.Array, tuple[Any, ...]]:
    """Return ``function(*arrays)`` and its gradients, with an output gradient that differs in every cell."""
    y, pull = jax.vjp(function, *arrays)
    if cotangent is None:
        cotangent = output_gradient(y.shape)
    return y, pull(jnp.asarray(cotangent, y.dtype))


def run_together(jobs: Mapping[Any, tuple[Callable[..., Any], Any]]) -> dict[Any, Any]:
    """Return ``function(*arrays)`` of every job, all in one program: compiling is most of what a small test costs."""

    def program(inputs):
        return [function(*arrays) for (function, _), arrays in zip(jobs.values(), inputs, strict=True)]

    results = jax.jit(program, compiler_options=QUICK)([arrays for _, arrays in jobs.values()])
    return dict(zip(jobs, results, strict=True))


def gradients_of(function: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Return a function that gives ``(value, gradients)``, for a job of ``run_together``."""
    return lambda *arrays: value_and_gradients(function, arrays)


def output_gradient(shape: Sequence[int]) -> np.ndarray:
    """Return the gradient that tests send backwards: fixed random numbers, none of them equal."""
    return np.random.default_rng(7).normal(size=tuple(shape)).astype(np.float32)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Return float32 numbers around 0 for a test."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
