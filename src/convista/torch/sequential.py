"""Modules one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convista.errors import ArgumentError
from convista.torch.module import Module


class Sequential(Module):
    """Call modules one after another.

    Args:
        *modules: The modules, or one ordered dictionary of them by name; without names they are numbered.

    Raises:
        ArgumentError: Something is no module.

    Example:
        >>> from convista.torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 8, kernel_size=3), nn.ReLU())
        >>> net
        Sequential(
          (0): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))
          (1): ReLU()
        )
        >>> list(net.state_dict())
        ['0.weight', '0.bias']

    Source: lecture 001.
    """

    def __init__(self, *modules: Any):
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            named = {str(number): module for number, module in enumerate(modules)}
        for name, module in named.items():
            self._keep(str(name), module)

    def _keep(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            received = f"the class {module.__name__}" if isinstance(module, type) else type(module).__name__
            fix = "Write nn.Flatten() with parentheses, not nn.Flatten" if isinstance(module, type) else None
            if isinstance(module, list | tuple):
                fix = "Give the modules one by one: nn.Sequential(first, second)"
            raise ArgumentError("a Sequential is made of modules", where="Sequential", received=received, fix=fix)
        if not name or "." in name:
            raise ArgumentError("the name of a module has no dot", where="Sequential", received=f"{name!r}")
        self._modules[name] = module

    def append(self, module: Module) -> Sequential:
        """Put a module at the end and return this one.

        Raises:
            ArgumentError: It is no module.
        """
        self._keep(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, place: int | slice) -> Any:
        items = list(self._modules.items())
        if isinstance(place, slice):
            return type(self)(dict(items[place]))
        try:
            return items[place][1]
        except IndexError:
            rule = f"this Sequential has the modules 0…{len(items) - 1}" if items else "this Sequential is empty"
            raise _NoModule(rule, where="Sequential", received=f"[{place}]") from None

    def __setitem__(self, place: int, module: Module) -> None:
        self._keep(list(self._modules)[place], module)

    def forward(self, x: Any) -> Any:
        """Return what the last module gives."""
        for module in self:
            x = module(x)
        return x


class _NoModule(ArgumentError, IndexError):
    """There is no module at this place."""
