"""JSON with one reading: no repeated keys, no infinities, bounded depth; and the spelling that is hashed."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from convista.errors import ArgumentError
from convista.models.files import Source, show

JSON_LIMIT = 4 * 2**20
"""Most bytes in config.json and in the header of weights.safetensors; parsed JSON takes up to 20 times as much."""

DEPTH_LIMIT = 100
"""Deepest nesting of objects and lists in JSON."""

# The closing quote is optional, so that a string without an end is scanned once and not once from every escaped quote.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class _JsonMistake(ValueError):
    """JSON that Python would accept and this format does not."""


def compact(value: object) -> bytes:
    """The one spelling that is hashed: keys in the order they stand in, no spaces, ASCII only."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def parse(source: Source, field: str, data: bytes) -> Any:
    """Parse JSON from a file; every mistake in it names the file and the field."""
    try:
        text = data.decode("utf-8")
        _check_depth(text)
        return json.loads(
            text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_finite, parse_constant=_no_constant
        )
    except ValueError as error:
        raise source.wrong(field, f"the JSON cannot be read: {error}") from error


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise _JsonMistake(f"it is nested more than {DEPTH_LIMIT} deep")
        elif token in "]}":
            depth -= 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise _JsonMistake(f"the key {show(twice)} stands there twice")
    return found


def _integer(text: str) -> int:
    # Longer ones cost quadratic time.
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise _JsonMistake(f"the whole number {text[:20]}… does not fit 64 bits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _JsonMistake(f"the number {text[:20]} is not finite")
    return number


def _no_constant(text: str) -> float:
    raise _JsonMistake(f"{text} is not a number of JSON")


def check_value(value: object, where: str, depth: int) -> None:
    """Refuse what JSON would lose or change and what a reader would refuse; ``depth`` counts what is around."""
    if isinstance(value, dict | list | tuple):
        if depth > DEPTH_LIMIT:
            fix = "Flatten it, or remove the place where it contains itself"
            raise ArgumentError(f"a configuration is nested at most {DEPTH_LIMIT} deep", where="config", fix=fix)
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            wrong = next(key for key in value if not isinstance(key, str))
            raise ArgumentError("every key is a text", where=where, received=show(wrong), fix=f"Use {show(str(wrong))}")
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            check_value(part, f"{where}[{show(key)}]", depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ArgumentError("a number is finite", where=where, received=str(value), fix="Use None for no number")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ArgumentError("a whole number fits 64 bits", where=where, received=_big(value), fix="Use a float")
    elif value is not None and not isinstance(value, str):
        rule = "a configuration holds dictionaries, lists, texts, numbers, booleans and None"
        fix = "Convert it first, for example a NumPy number with .item() and an array with .tolist()"
        raise ArgumentError(rule, where=where, received=f"{show(value)} ({type(value).__name__})", fix=fix)


def _big(value: int) -> str:
    return f"a number of {value.bit_length()} bits"
