"""In which precision a model computes: a policy's name, the default of new models, and the casts it asks for."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from convista.errors import ArgumentError, suggest
from convista.layers.base import Layer, Variables

POLICIES = ("float32", "mixed_bfloat16")

# What people write who mean one of them, or who come from a graphics card.
_MEANT = {
    "bfloat16": "Write policy='mixed_bfloat16': products in bfloat16, everything that adds up in float32",
    "float16": "Write policy='mixed_bfloat16': it has the range of float32, so no loss is scaled",
    "mixed_float16": "Write policy='mixed_bfloat16': it has the range of float32, so no loss is scaled",
    "float64": "Write policy='float32'",
}

_default = "float32"


def set_global_policy(policy: str) -> None:
    """Set the policy of every model made from now on.

    Args:
        policy: ``"float32"``, as it is until this is called, or ``"mixed_bfloat16"``.

    Raises:
        ArgumentError: Another policy.

    Example:
        >>> set_global_policy("float32")
    """
    global _default
    _default = checked_policy(policy, where="set_global_policy")


def global_policy() -> str:
    """Return the policy of models made from now on.

    Example:
        >>> global_policy()
        'float32'
    """
    return _default


def checked_policy(policy: object, *, where: str | None = None) -> str:
    """Return a policy's name.

    Raises:
        ArgumentError: There is no such policy.
    """
    if isinstance(policy, str) and policy in POLICIES:
        return policy
    fix = _MEANT.get(policy) if isinstance(policy, str) else None
    raise ArgumentError(
        "policy is float32 or mixed_bfloat16",
        where=where,
        received=f"policy={policy!r}",
        fix=fix or suggest(str(policy), POLICIES),
    )


def operands(
    policy: str, layer: Layer, params: Variables, inputs: list[Any], *, last: bool
) -> tuple[Variables, list[Any]]:
    """Return a layer's parameters and inputs in the precision in which it computes.

    Under ``"mixed_bfloat16"`` that is bfloat16, but float32 for the network's outputs and for layers that say so.

    Args:
        policy: Its name.
        layer: The layer.
        params: Its parameters, float32.
        inputs: What it takes.
        last: Whether its result leaves the network.
    """
    if policy == "float32":
        return params, inputs
    if last or layer.in_float32:
        return params, _cast(inputs, jnp.float32)
    return params if layer.rounds_parameters else _cast(params, jnp.bfloat16), _cast(inputs, jnp.bfloat16)


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
