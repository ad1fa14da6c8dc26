"""Convolutional networks that train fast on the machine you have, and that you can see into."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convista.errors import ConvistaError as ConvistaError
    from convista.layers.input import Input as Input
    from convista.models import Model as Model
    from convista.models import Sequential as Sequential
    from convista.models import load_model as load_model
    from convista.models import set_random_seed as set_random_seed

__version__ = "0.1.0"

_NAMES = {
    "Model": "convista.models",
    "Sequential": "convista.models",
    "load_model": "convista.models",
    "set_random_seed": "convista.models",
    "Input": "convista.layers",
    "ConvistaError": "convista.errors",
    "Preprocessing": "convista.data.pictures",
    "augmentation": "convista.training",
    "callbacks": "convista.training",
    "losses": "convista.training",
    "metrics": "convista.training",
    "optimizers": "convista.training",
    "pruning": "convista.models",
    "schedules": "convista.training",
}
_MODULES = ("architectures", "data", "errors", "insight", "keras", "layers", "models", "ops", "torch", "training")

__all__ = ["__version__", *_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that ``import convista`` stays fast."""
    if name in _MODULES:
        return importlib.import_module(f"convista.{name}")
    if name not in _NAMES:
        from convista.errors import suggest

        raise AttributeError(f"module 'convista' has no attribute {name!r}. {suggest(name, [*_NAMES, *_MODULES])}")
    module = importlib.import_module(_NAMES[name])
    return getattr(module, name) if hasattr(module, name) else importlib.import_module(f"{_NAMES[name]}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
