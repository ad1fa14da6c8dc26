"""`keras.datasets`: named datasets as two pairs of arrays."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convista.keras.names import absent

if TYPE_CHECKING:
    from convista.keras.datasets import cifar10, cifar100, fashion_mnist, mnist

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"convista.keras.datasets.{name}")
    raise absent(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
