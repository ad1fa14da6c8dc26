"""The classes of a model by name and by number: one way to read what a user asks for."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convista.errors import ArgumentError, suggest

if TYPE_CHECKING:
    from convista.models.model import Model


def class_names(model: Model, count: int) -> tuple[str, ...]:
    """Return what a model's classes are called: their numbers, unless it has as many names.

    Args:
        model: The model.
        count: How many classes its answer tells apart; one output that speaks for two classes counts as two.
    """
    if model.classes is not None and len(model.classes) == count:
        return tuple(str(name) for name in model.classes)
    return tuple(str(number) for number in range(count))


def class_number(wanted: object, names: Sequence[str], argument: str, where: str) -> int:
    """Return the number of a class that is asked for by name or by number.

    Args:
        wanted: The name or the number.
        names: Of all classes, from :func:`class_names`.
        argument: What the verb calls it, for messages.
        where: The verb, for messages.

    Raises:
        ArgumentError: There is no such class.

    Example:
        >>> class_number("dog", ("cat", "dog"), "target", "attribute")
        1
    """
    received = f"{argument}={wanted!r}"
    if isinstance(wanted, str):
        if wanted not in names:
            rule = f"{argument} is the name or the number of a class"
            raise ArgumentError(rule, where=where, received=received, fix=suggest(wanted, names))
        return list(names).index(wanted)
    number = _index(wanted)
    if number is None or not 0 <= number < len(names):
        last = f"0…{len(names) - 1}" if len(names) > 1 else "0, the only output"
        rule = f"{argument} is the name or the number of a class, {last}"
        raise ArgumentError(rule, where=where, received=received)
    return number


def _index(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
