"""One exception family: the rule, then the received value, then a fix."""

from __future__ import annotations

import difflib
import dis
from collections.abc import Iterable


class ConvistaError(Exception):
    """A mistake that the user can mend; every error Convista raises on purpose is one.

    The message reads ``where: rule Received received. fix``; parts that are not given are left out.

    Args:
        rule: What has to hold, as a full sentence or a clause without the final full stop.
        where: The layer, file or argument concerned, for example ``"Conv2D 'conv2d_3'"``.
        received: The value that broke the rule, already worded, for example ``"input_shape=(2, 2, 64)"``.
        fix: One or two sentences that say what to do instead.

    Example:
        >>> print(ArgumentError("padding is 'valid' or 'same'", received="padding='sane'", fix="Did you mean 'same'?"))
        padding is 'valid' or 'same'. Received padding='sane'. Did you mean 'same'?
    """

    exit_code = 1

    def __init__(self, rule: str, *, where: str | None = None, received: str | None = None, fix: str | None = None):
        self.rule = rule
        self.where = where
        self.received = received
        self.fix = fix
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [_sentence(self.rule if self.where is None else f"{self.where}: {self.rule}")]
        if self.received is not None:
            parts.append(_sentence(f"Received {self.received}"))
        if self.fix is not None:
            parts.append(_sentence(self.fix))
        return " ".join(parts)

    def __reduce__(self):
        return _rebuild, (type(self), self.rule, self.where, self.received, self.fix)


class ArgumentError(ConvistaError, ValueError):
    """An argument has a value or a type that cannot be right."""

    exit_code = 2


class ShapeError(ConvistaError, ValueError):
    """Sizes that cannot follow each other: a kernel larger than its input, data that does not fit the model."""


class DataError(ConvistaError, ValueError):
    """Data that cannot be read or cannot be right: a corrupt file, a label outside the classes, a wrong range."""

    exit_code = 3


class ModelFileError(DataError):
    """A saved model or weight file that is not whole, not ours, or not what it says it is."""


class DivergedError(ConvistaError, ArithmeticError):
    """The loss became NaN or infinite; the last good weights were kept."""

    exit_code = 4


class MemoryLimitError(ConvistaError, MemoryError):
    """The work does not fit the memory of the machine, or more than a file may ask for."""

    exit_code = 5


class MissingDependencyError(ConvistaError, ImportError):
    """An optional package is needed for what was asked."""


def suggest(received: str, known: Iterable[str]) -> str:
    """Return a fix for a mistyped name: the closest known name, or all of them.

    Args:
        received: The name that is not known.
        known: The names that are.

    Returns:
        A sentence such as ``Did you mean 'relu'?`` or ``Known: elu, relu.``

    Example:
        >>> suggest("rely", ["relu", "tanh"])
        "Did you mean 'relu'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(received, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}."


def missing_name(message: str, *, module: str, name: str, asked_by: object) -> AttributeError | ImportError:
    """Return what a module's ``__getattr__`` raises for a name it has not.

    Args:
        message: What the error says.
        module: The module's ``__name__``.
        name: The name that was asked for.
        asked_by: The frame that asked, ``sys._getframe`` of the caller of ``__getattr__``.

    Returns:
        An AttributeError; for ``from module import name``, where Python would hide its message, an ImportError.

    Example:
        >>> missing_name("There is no such layer.", module="layers", name="Conv", asked_by=None)
        AttributeError('There is no such layer.')
    """
    code, place = getattr(asked_by, "f_code", None), getattr(asked_by, "f_lasti", -1)
    if code is not None and place >= 0 and dis.opname[code.co_code[place]] == "IMPORT_FROM":
        return ImportError(message, name=module)
    return AttributeError(message, name=name)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."


def _rebuild(kind: type[ConvistaError], rule: str, where: str | None, received: str | None, fix: str | None):
    return kind(rule, where=where, received=received, fix=fix)
