"""The door for people who come from PyTorch: its names and conventions in front of Convista, and no mathematics."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convista.torch.names import absent

if TYPE_CHECKING:
    from convista.torch import nn
    from convista.torch.conversion import copy_weights, to_model
    from convista.torch.randomness import manual_seed
    from convista.torch.state_files import load, save

_HOMES = {
    "copy_weights": "conversion",
    "load": "state_files",
    "manual_seed": "randomness",
    "save": "state_files",
    "to_model": "conversion",
}

__all__ = ["copy_weights", "load", "manual_seed", "nn", "save", "to_model"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that the door itself opens at once."""
    if name == "nn":
        return importlib.import_module("convista.torch.nn")
    if name in _HOMES:
        return getattr(importlib.import_module(f"convista.torch.{_HOMES[name]}"), name)
    raise absent(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
