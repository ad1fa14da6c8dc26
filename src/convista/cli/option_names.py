"""Messages of the library in the words of the command line: its arguments are options there."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

from convista.errors import ConvistaError

_VALUE = r"""(\([^)]*\)|"[^"]*"|'[^']*'|[^\s,.;]+(?:\.\d+)?)"""


@contextlib.contextmanager
def options_named(**options: str) -> Iterator[None]:
    """Word the errors of a block for the command line: ``class_='cat'`` becomes ``--class cat``.

    Args:
        **options: The library's argument, and the option that sets it.

    Raises:
        ConvistaError: What the block raised, reworded.

    Example:
        >>> from convista.errors import ArgumentError
        >>> with options_named(shift="--pixels"):
        ...     raise ArgumentError("a shift leaves a part of the picture", received="shift=100")
        Traceback (most recent call last):
        convista.errors.ArgumentError: a shift leaves a part of the picture. Received --pixels 100.
    """
    try:
        yield
    except ConvistaError as error:
        rule, received, fix = (_worded(text, options) for text in (error.rule, error.received, error.fix))
        raise type(error)(rule or error.rule, where=error.where, received=received, fix=fix) from error


def _worded(text: str | None, options: dict[str, str]) -> str | None:
    if text is None:
        return None
    for name, option in options.items():
        for found in reversed(list(re.finditer(rf"\b{name}={_VALUE}", text))):
            text = f"{text[: found.start()]}{option} {_typed(found[1])}{text[found.end() :]}"
        text = re.sub(rf"^{name}(?= is )", option, text)
        if "_" in name:  # "shift" and "target" are words of English too
            text = re.sub(rf"\b{name}\b", option, text)
    return text


def _typed(value: str) -> str:
    """A value as it is written behind an option."""
    if value.startswith("("):
        return ",".join(part.strip() for part in value[1:-1].split(",") if part.strip())
    return shlex.quote(value[1:-1]) if value[0] in "'\"" else value
