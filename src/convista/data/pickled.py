"""The few things a dataset's pickle may hold, rebuilt without Python's unpickler: nothing in it is ever called."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np

from convista.errors import DataError

Plain = None | bool | int | float | str | bytes | np.ndarray | list | tuple | dict
"""What ``read_pickled`` returns."""

_RECONSTRUCT, _NDARRAY, _DTYPE = "_reconstruct", "ndarray", "dtype"
_GLOBALS = {
    "numpy.core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _DTYPE,
}
_BYTE_TYPES = ("u1", b"u1")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "FLOAT", "BINFLOAT"})
_TEXTS = frozenset({"BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"})
# Python 2's strings are bytes; pickletools hands them over decoded as latin-1, one character for each byte.
_OLD_STRINGS = frozenset({"BINSTRING", "SHORT_BINSTRING"})
_MARK = object()
_LONGEST_EXCERPT = 100
# CIFAR-100 needs 0.4 million; an empty dictionary is one byte in the file and 64 in memory.
_MOST_INSTRUCTIONS = 5_000_000


class _Rejected(Exception):
    """The pickle holds something else than plain data."""


class _Global:
    """A name that the file gives; only the three needed to rebuild an array are known."""

    def __init__(self, name: str):
        if name not in _GLOBALS:
            raise _Rejected(f"it names {name.replace(' ', '.')}")
        self.kind = _GLOBALS[name]


class _ByteType:
    """The data type uint8, the only one that CIFAR's arrays have."""


class _Pixels:
    """An array that is announced and then filled by BUILD."""

    def __init__(self) -> None:
        self.array: np.ndarray | None = None


def read_pickled(content: bytes, *, where: str) -> Plain:
    """Read a pickle of plain containers, strings, numbers and uint8 arrays.

    The file's opcodes are interpreted here. A name other than NumPy's array constructor is refused, and that
    constructor is not called either: an array is made from bytes that are in the file, after its shape was compared
    with their number.

    Args:
        content: The whole pickle, protocol 0 to 5.
        where: The file's name, for the messages.

    Returns:
        The value; strings of Python 2 come as ``bytes``.

    Raises:
        DataError: The pickle is damaged or holds anything else.

    Example:
        >>> import pickle
        >>> read_pickled(pickle.dumps({"labels": [6, 9]}), where="batch")
        {'labels': [6, 9]}
        >>> try:
        ...     read_pickled(pickle.dumps(print), where="batch")
        ... except DataError as error:
        ...     print(error.received)
        an object: it names builtins.print
    """
    try:
        return _settle(_Machine().run(content))
    except _Rejected as error:
        raise DataError(
            "a pickle is read only if it holds plain data", where=where, received=f"an object: {error}"
        ) from error
    except (ValueError, IndexError, KeyError, TypeError, EOFError, RecursionError, OverflowError) as error:
        raise DataError(
            f"the pickle is damaged ({type(error).__name__}: {error})", where=where, fix="Fetch the file again"
        ) from error


class _Machine:
    """A pickle's stack and memo."""

    def __init__(self) -> None:
        self.stack: list = []
        self.memo: dict = {}

    def run(self, content: bytes) -> object:
        import pickletools

        for number, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(content))):
            if number == _MOST_INSTRUCTIONS:
                raise _Rejected(f"it has more than {_MOST_INSTRUCTIONS} instructions")
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("no STOP")

    def _step(self, name: str, argument) -> None:
        if name in _TEXTS or name in _NUMBERS:
            self.stack.append(argument)
        elif name in _OLD_STRINGS:
            self.stack.append(argument.encode("latin-1"))
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise _Rejected(f"it uses the instruction {name}")

    def since_mark(self) -> list:
        items: list = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def take(self, count: int) -> tuple:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return items

    def fill(self, pairs: list) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise TypeError("items without a dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            # Nested tuples that share their parts take exponential time to hash.
            if not isinstance(key, str | bytes | int):
                raise _Rejected(f"it has a key of type {type(key).__name__}")
            target[key] = value

    def extend(self, items: list) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("items without a list")
        self.stack[-1].extend(items)

    def name(self, name: str) -> None:
        self.stack.append(_Global(name))

    def stacked_name(self) -> None:
        module, name = self.take(2)
        self.name(f"{module} {name}")

    def reduce(self) -> None:
        called, arguments = self.take(2)
        self.stack.append(_announced(called, arguments))

    def build(self) -> None:
        target, state = self.take(2)
        if isinstance(target, _Pixels):
            target.array = _pixels(state)
        elif not isinstance(target, _ByteType):
            raise _Rejected("it sets the state of something else than an array")
        self.stack.append(target)


_ACTIONS: dict[str, Callable] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "POP": lambda machine, _: machine.take(1),
    "MEMOIZE": lambda machine, _: machine.memo.__setitem__(len(machine.memo), machine.stack[-1]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.stack.append(machine.take(1)),
    "TUPLE2": lambda machine, _: machine.stack.append(machine.take(2)),
    "TUPLE3": lambda machine, _: machine.stack.append(machine.take(3)),
    "APPEND": lambda machine, _: machine.extend(list(machine.take(1))),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.fill(list(machine.take(2))),
    "SETITEMS": lambda machine, _: machine.fill(machine.since_mark()),
    "GLOBAL": lambda machine, argument: machine.name(argument),
    "STACK_GLOBAL": lambda machine, _: machine.stacked_name(),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
}


def _announced(called: object, arguments: object) -> _Pixels | _ByteType:
    if not isinstance(called, _Global) or not isinstance(arguments, tuple) or not arguments:
        raise _Rejected("it calls something")
    if called.kind == _RECONSTRUCT and isinstance(arguments[0], _Global) and arguments[0].kind == _NDARRAY:
        return _Pixels()
    if called.kind == _DTYPE and arguments[0] in _BYTE_TYPES:
        return _ByteType()
    raise _Rejected(f"it makes another array than one of uint8 ({called.kind}{arguments[:1]!r:.{_LONGEST_EXCERPT}})")


def _pixels(state: object) -> np.ndarray:
    if not isinstance(state, tuple) or len(state) != 5:
        raise TypeError("an array has five parts")
    _, shape, kind, fortran, content = state
    sizes_are_right = isinstance(shape, tuple) and len(shape) <= 4 and all(type(n) is int and n > 0 for n in shape)
    if not sizes_are_right or not isinstance(kind, _ByteType) or not isinstance(content, bytes):
        raise TypeError("an array is a shape, uint8 and bytes")
    if math.prod(shape) != len(content):
        raise ValueError(f"shape {shape} and {len(content)} bytes")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


def _settle(value: object) -> Plain:
    """Put arrays where they were announced; containers are followed two levels down, as far as datasets nest them."""
    if isinstance(value, dict):
        return {key: _settled_leaf(item) for key, item in value.items()}
    return _settled_leaf(value)


def _settled_leaf(value: object) -> Plain:
    if isinstance(value, _Pixels):
        if value.array is None:
            raise ValueError("an array without content")
        return value.array
    if isinstance(value, (bool, int, float, str, bytes, list, tuple, dict)) or value is None:
        return value
    raise _Rejected("its value is not plain data")
