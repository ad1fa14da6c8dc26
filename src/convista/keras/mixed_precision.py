"""`keras.mixed_precision`: the policy of models made from now on."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.models.policy import global_policy, set_global_policy

dtype_policy = global_policy
set_dtype_policy = set_global_policy

__all__ = ["dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
