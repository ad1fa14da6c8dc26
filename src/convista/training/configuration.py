"""Configurations: a frozen dataclass to a dictionary of plain values and back, through a closed registry."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from convista.arguments import Checked
from convista.errors import ArgumentError, suggest

Kind = TypeVar("Kind", bound="Configurable")


class Configurable(metaclass=Checked):
    """A frozen dataclass whose fields are its whole configuration."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_config(self) -> dict[str, Any]:
        """Return ``{"class_name": ..., "config": {field: value}}`` with values that JSON can hold.

        Raises:
            ArgumentError: A field holds something that a file cannot, such as a function.
        """
        owner = type(self).__name__
        values = {f.name: _plain(getattr(self, f.name), owner, f.name) for f in dataclasses.fields(self)}
        return {"class_name": owner, "config": values}


def build(config: object, registry: Mapping[str, type[Kind]], noun: str) -> Kind:
    """Make the object that ``to_config`` described.

    Args:
        config: What ``to_config`` returned, perhaps read back from a file. It is not trusted.
        registry: The classes that may be made, by class name. Nothing else is looked up.
        noun: What is being made, for the messages: ``"optimizer"``.

    Returns:
        An instance equal to the one that was described.

    Raises:
        ArgumentError: The form is wrong, the class is not in the registry, or an argument is not one of its fields.
    """
    if not isinstance(config, Mapping) or set(config) != {"class_name", "config"}:
        rule = f'a saved {noun} is a dictionary with the keys "class_name" and "config"'
        raise ArgumentError(rule, received=_shorten(config), fix="Pass what to_config() returned.")
    name, values = config["class_name"], config["config"]
    if not isinstance(name, str) or name not in registry:
        fix = suggest(name, registry) if isinstance(name, str) else suggest("", registry)
        raise ArgumentError(f"a saved {noun} has a known class", received=f"class_name={_shorten(name)}", fix=fix)
    chosen: Any = registry[name]
    if not isinstance(values, Mapping):
        fix = "Pass what to_config() returned."
        raise ArgumentError("config is a dictionary", where=name, received=_shorten(values), fix=fix)
    known = [f.name for f in dataclasses.fields(chosen)]
    for key in values:
        if key not in known:
            raise ArgumentError("not an argument", where=name, received=_shorten(key), fix=suggest(str(key), known))
    required = [f.name for f in dataclasses.fields(chosen) if f.default is dataclasses.MISSING]
    missing = [key for key in required if key not in values]
    if missing:
        received = f"only {', '.join(sorted(values)) or 'an empty config'}"
        raise ArgumentError(f"{missing[0]} is needed", where=name, received=received, fix=f"Give {missing[0]}.")
    made: Kind = chosen(**values)
    return made


def number(value: object) -> bool:
    """Return whether ``value`` is a real number that is neither a bool nor NaN nor infinite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return abs(float(value)) < float("inf")


def _plain(value: Any, owner: str, field: str) -> Any:
    if isinstance(value, Configurable):
        return value.to_config()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item, owner, field) for item in value]
    fix = "Use one of the classes that Convista brings, or leave this out of the saved configuration."
    rule = f"{field} cannot be saved: only numbers, names and Convista's own classes can"
    raise ArgumentError(rule, where=owner, received=f"{field}={_shorten(value)}", fix=fix)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
