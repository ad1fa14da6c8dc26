"""Operations that JAX can differentiate, map and lower, each to a native kernel on CPUs and to XLA elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# The constants of all operations: geometry of the window, the shape of a result that the operands do not tell, and
# which of several operands or results there are.
_CONSTANTS = ("geometry", "shape", "wanted")


def primitive(name: str, native: Callable, avals: Callable, *, results: int = 1) -> Primitive:
    """Return an operation that calls ``native`` on CPUs.

    Custom derivatives of functions would stop at the first derivative or the first mode; operations made of each
    other's derivatives do not. Elsewhere than on CPUs it needs :func:`through_xla`.

    Args:
        name: Name in printed programs.
        native: ``native(*arrays, **constants)``, made of ``jax.ffi.ffi_call``.
        avals: ``avals(*avals, **constants)`` gives the abstract result, or a list where there are several.
        results: Number of results.
    """
    operation = Primitive(f"convista_{name}")
    operation.multiple_results = results > 1
    operation.def_abstract_eval(avals)
    operation.def_impl(_compiled(operation))
    mlir.register_lowering(operation, mlir.lower_fun(native, multiple_results=results > 1), platform="cpu")
    return operation


def _compiled(operation: Primitive) -> Callable:
    """Return the operation as a compiled program, also where ``jax.disable_jit`` runs the others step by step."""
    program = jax.jit(operation.bind, static_argnames=_CONSTANTS)

    def run(*arrays: jax.Array, **constants: Any):
        with jax.disable_jit(False):
            return program(*arrays, **constants)

    return run


def through_xla(operation: Primitive, function: Callable) -> None:
    """Let every platform but the CPU run ``function(*arrays, **constants)``."""
    mlir.register_lowering(operation, mlir.lower_fun(function, multiple_results=operation.multiple_results))


def varying_alike(*arrays: jax.Array) -> list[jax.Array]:
    """Mark arrays inside ``shard_map`` as varying over the same mesh axes; gradients are summed over the others."""
    axes = [_varying(array) for array in arrays]
    union = frozenset().union(*axes)
    return [
        jax.lax.pcast(array, tuple(sorted(union - own, key=str)), to="varying") if union - own else array
        for array, own in zip(arrays, axes, strict=True)
    ]


def _varying(array: jax.Array) -> frozenset:
    aval = jax.typeof(array)
    return aval.mat.varying if hasattr(aval, "mat") else aval.vma


def map_batches(operation: Primitive, batched: Sequence[bool]) -> None:
    """Under ``vmap``, fold the mapped axis into the batch axis; loop where an operand without a batch axis is mapped.

    Args:
        operation: Its first result has the batch axis of its operands.
        batched: Which operands have one.
    """

    def rule(arrays: Sequence[jax.Array], axes: Sequence[int | None], **constants: Any):
        mapped = [axis is not None for axis in axes]
        arrays = [a if axis is None else jnp.moveaxis(a, axis, 0) for a, axis in zip(arrays, axes, strict=True)]
        if any(is_mapped and not foldable for is_mapped, foldable in zip(mapped, batched, strict=True)):
            return _loop(operation, arrays, mapped, constants)
        size = next(a.shape[0] for a, is_mapped in zip(arrays, mapped, strict=True) if is_mapped)
        folded = [
            _fold(a if is_mapped else jnp.broadcast_to(a, (size, *a.shape))) if foldable else a
            for a, is_mapped, foldable in zip(arrays, mapped, batched, strict=True)
        ]
        if "shape" in constants:
            batch, *rest = constants["shape"]
            constants["shape"] = (size * batch, *rest)
        results = operation.bind(*folded, **constants)
        if operation.multiple_results:
            return [_unfold(result, size) for result in results], [0] * len(results)
        return _unfold(results, size), 0

    batching.primitive_batchers[operation] = rule


def _fold(array: jax.Array) -> jax.Array:
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])


def _unfold(array: jax.Array, size: int) -> jax.Array:
    return array.reshape(size, array.shape[0] // size, *array.shape[1:])


def _loop(operation: Primitive, arrays: Sequence[jax.Array], mapped: Sequence[bool], constants: dict):
    def one(chosen):
        following = iter(chosen)
        operands = [next(following) if is_mapped else a for a, is_mapped in zip(arrays, mapped, strict=True)]
        return operation.bind(*operands, **constants)

    results = jax.lax.map(one, [a for a, is_mapped in zip(arrays, mapped, strict=True) if is_mapped])
    return (results, [0] * len(results)) if operation.multiple_results else (results, 0)


def linear_in_first(operation: Primitive, transpose: Callable) -> None:
    """Declare an operation linear in its first operand and constant in the others.

    Args:
        operation: Returns one array.
        transpose: ``transpose(cotangent, aval, *others, **constants)`` gives the cotangent of the first operand.
    """

    def derivative(tangent, first, *others, **constants):
        return operation.bind(tangent, *others, **constants)

    def transposed(cotangent, first, *others, **constants):
        nothing = [None] * len(others)
        if type(cotangent) is ad.Zero:
            return [ad.Zero(first.aval), *nothing]
        return [transpose(cotangent, first.aval, *others, **constants), *nothing]

    ad.primitive_jvps[operation] = _first_derivative(operation, derivative)
    ad.primitive_transposes[operation] = transposed


def _first_derivative(operation: Primitive, derivative: Callable) -> Callable:
    def rule(primals, tangents, **constants):
        result = operation.bind(*primals, **constants)
        if type(tangents[0]) is ad.Zero:
            return result, ad.Zero(jax.typeof(result).to_tangent_aval())
        return result, derivative(tangents[0], *primals, **constants)

    return rule
