"""Each argument form is normalised here, once: n-tuples, paddings, choices, numbers."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from convista.errors import ArgumentError, suggest

Shape = tuple[int | None, ...]
Padding = str | tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Absent:
    """An argument that Keras has or had, and Convista has not.

    Args:
        defaults: The values that ask for nothing; they are accepted and dropped.
        beside: Only classes with this argument have it in Keras; ``None``: all of them.
        rule: What the error says; ``None`` says that Convista does not have it yet.
        fix: What to write instead; ``{value}`` stands for what was received.
    """

    defaults: tuple[object, ...] = ()
    beside: str | None = None
    rule: str | None = None
    fix: str | None = None


class Checked(type):
    """The class of classes whose arguments are checked by name: what ``__init__`` does not take is a teaching error.

    A class may list in ``absent_arguments`` what code written for Keras may give it: ``{name: Absent(...)}``.

    Example:
        >>> class Box(metaclass=Checked):
        ...     def __init__(self, size):
        ...         self.size = size
        >>> Box(sise=3)
        Traceback (most recent call last):
        convista.errors.ArgumentError: Box: there is no argument 'sise'. Received sise=3. Did you mean 'size'?
    """

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Make an instance.

        Raises:
            ArgumentError: An argument is unknown, missing, given twice, or one too many.
        """
        return super().__call__(*args, **_accepted(cls, args, options))

    @property
    def __signature__(cls) -> inspect.Signature:
        """What editors and ``help`` show: the arguments of ``__init__``, not those of ``__call__`` above."""
        return _signature(cls)


def _signature(kind: type) -> inspect.Signature:
    signature = inspect.signature(inspect.getattr_static(kind, "__init__"))
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _accepted(kind: type, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    signature = _signature(kind)
    known = signature.parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        options = {name: value for name, value in options.items() if name in known or not _drops(kind, name, value)}
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        raise _misuse(kind, list(known.values()), args, options) from error
    return options


def _drops(kind: type, name: str, value: object) -> bool:
    """Whether the argument asks for nothing; otherwise raise, for it is not one that ``kind`` takes."""
    known = list(_signature(kind).parameters)
    listed: Mapping[str, Absent] = getattr(kind, "absent_arguments", {})
    absent = listed.get(name)
    received = f"{name}={value!r}"
    if absent is None or absent.beside not in (None, *known):
        rule = f"there is no argument {name!r}"
        raise ArgumentError(rule, where=kind.__name__, received=received, fix=suggest(name, known))
    if any(
        value is default or (isinstance(value, str | int | float) and value == default) for default in absent.defaults
    ):
        return True
    rule = absent.rule or f"Keras has {name}; Convista does not have it yet"
    fix = (absent.fix or f"Leave {name} out").replace("{value}", repr(value))
    raise ArgumentError(rule, where=kind.__name__, received=received, fix=fix)


def _misuse(
    kind: type, known: list[inspect.Parameter], args: tuple[Any, ...], options: dict[str, Any]
) -> ArgumentError:
    places = [item.name for item in known if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)]
    where = kind.__name__
    if len(args) > len(places) and not any(item.kind is item.VAR_POSITIONAL for item in known):
        rule = f"the arguments without a name are {', '.join(places)}" if places else "every argument has a name"
        named = [item.name for item in known if item.kind is item.KEYWORD_ONLY]
        fix = f"Give the others by name: {', '.join(named)}" if named else "Leave it out"
        return ArgumentError(rule, where=where, received=f"one more: {args[len(places)]!r}", fix=fix)
    for name, value in zip(places, args, strict=False):
        if name in options:
            received = f"{value!r} in its place and {name}={options[name]!r}"
            return ArgumentError(f"{name} is given once", where=where, received=received, fix="Keep one of them")
    given = {*places[: len(args)], *options}
    missing = [item.name for item in known if item.default is item.empty and item.name not in given]
    received = f"only {', '.join(item.name for item in known if item.name in given)}" if given else "no arguments"
    return ArgumentError(
        f"{missing[0]} is needed", where=where, received=received, fix=f"Write {where}({missing[0]}=…)"
    )


def integer(value: object, name: str, *, where: str | None = None, minimum: int | None = 1) -> int:
    """Return ``value`` as an ``int`` that is at least ``minimum``; ``None`` sets no limit.

    Raises:
        ArgumentError: The value is not a whole number, or smaller than ``minimum``.

    Example:
        >>> integer(32, "filters")
        32
    """
    number = _index(value)
    if number is None or (minimum is not None and number < minimum):
        limit = "" if minimum is None else f" of at least {minimum}"
        raise ArgumentError(f"{name} is a whole number{limit}", where=where, received=f"{name}={value!r}")
    return number


def integers(value: object, rank: int, name: str, *, where: str | None = None, minimum: int = 1) -> tuple[int, ...]:
    """Return ``value`` as a tuple of ``rank`` whole numbers; a single number is repeated.

    Args:
        value: ``3``, ``(3, 2)``, ``[3, 2]``.
        rank: How many spatial axes there are.
        name: The argument's name, for the error.
        where: The layer, for the error.
        minimum: The smallest number allowed.

    Raises:
        ArgumentError: Another length, or not whole numbers of at least ``minimum``.

    Example:
        >>> integers(3, 2, "kernel_size"), integers((3, 2), 2, "kernel_size")
        ((3, 3), (3, 2))
    """
    if _index(value) is not None:
        items: list[object] = [value] * rank
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        items = list(value)
    else:
        items = []
    numbers = [_index(item) for item in items]
    if len(numbers) != rank or any(number is None or number < minimum for number in numbers):
        raise ArgumentError(
            f"{name} is one whole number or {rank} of them, each at least {minimum}",
            where=where,
            received=f"{name}={value!r}",
            fix=f"For example {name}={max(minimum, 2)} or {name}={tuple([max(minimum, 2)] * rank)}",
        )
    return tuple(number for number in numbers if number is not None)


def padding(value: object, rank: int, *, where: str | None = None) -> Padding:
    """Return ``"valid"``, ``"same"``, or ``rank`` pairs ``(before, after)`` of whole numbers.

    Raises:
        ArgumentError: It is none of these.

    Example:
        >>> padding("Same", 2), padding([[1, 1], (0, 2)], 2)
        ('same', ((1, 1), (0, 2)))
    """
    if not isinstance(value, tuple | list):
        return one_of(value, ("valid", "same"), "padding", where=where)
    if len(value) != rank or not all(isinstance(side, tuple | list) for side in value):
        raise ArgumentError(
            f"padding has one pair (before, after) for each of {rank} axes",
            where=where,
            received=f"padding={value!r}",
            fix=f"For example padding={((1, 1),) * rank}",
        )
    pairs = [integers(side, 2, "padding", where=where, minimum=0) for side in value]
    return tuple((before, after) for before, after in pairs)


def one_of(value: object, choices: Iterable[str], name: str, *, where: str | None = None) -> str:
    """Return ``value`` in lower case if it is one of ``choices``.

    Raises:
        ArgumentError: It is not; the message names the closest choice.

    Example:
        >>> one_of("SAME", ("valid", "same"), "padding")
        'same'
    """
    names = list(choices)
    if isinstance(value, str) and value.lower() in names:
        return value.lower()
    quoted = " or ".join(
        [", ".join(repr(item) for item in names[:-1]), repr(names[-1])] if names[1:] else [repr(names[0])]
    )
    fix = suggest(value, names) if isinstance(value, str) else None
    raise ArgumentError(f"{name} is {quoted}", where=where, received=f"{name}={value!r}", fix=fix)


def fraction(value: object, name: str, *, where: str | None = None, below_one: bool = False) -> float:
    """Return ``value`` as a float between 0 and 1 (1 itself excluded with ``below_one``).

    Raises:
        ArgumentError: It is not a number in that range.

    Example:
        >>> fraction(0.2, "rate")
        0.2
    """
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else -1.0
    if not 0.0 <= number <= 1.0 or (below_one and number == 1.0):
        span = "at least 0 and below 1" if below_one else "between 0 and 1"
        fix = f"For example {name}={number / 100:g}" if 2.0 < number <= 100.0 else None
        raise ArgumentError(f"{name} is a fraction {span}", where=where, received=f"{name}={value!r}", fix=fix)
    return number


def number(value: object, name: str, *, where: str | None = None) -> float:
    """Return ``value`` as a finite float.

    Raises:
        ArgumentError: It is no number, NaN or infinite.

    Example:
        >>> number(2, "scale")
        2.0
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise ArgumentError(f"{name} is a finite number", where=where, received=f"{name}={value!r}")
    return float(value)


def shape(value: object, name: str = "shape", *, where: str | None = None) -> Shape:
    """Return ``value`` as a shape without the batch axis; ``None`` marks a size that varies.

    Raises:
        ArgumentError: It is not a sequence of positive whole numbers or ``None``.

    Example:
        >>> shape([28, 28, 1]), shape(784)
        ((28, 28, 1), (784,))
    """
    if _index(value) is not None:
        given: tuple[object, ...] = (value,)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        given = tuple(value)
    else:
        given = (0,)
    result = tuple(None if size is None else _index(size) for size in given)
    if any(size is not None and (known is None or known < 1) for size, known in zip(given, result, strict=True)):
        raise ArgumentError(
            f"{name} is a tuple of whole numbers of at least 1, without the batch axis",
            where=where,
            received=f"{name}={value!r}",
            fix=f"For grey 28×28 pictures write {name}=(28, 28, 1)",
        )
    return result


def _index(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
