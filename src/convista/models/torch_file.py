"""PyTorch's .pth files: the tensors of a zip whose pickle is read as data and never executed."""

from __future__ import annotations

import io
import math
import os
import pickletools
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from convista.errors import ModelFileError
from convista.models.files import Source, opened, show
from convista.models.weights import NAME_LIMIT, RANK_LIMIT, SIZE_LIMIT, TENSOR_LIMIT

_DTYPES = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}
_NAMES = {
    "collections OrderedDict": "mapping",
    "torch._utils _rebuild_tensor_v2": "tensor",
    "torch._utils _rebuild_parameter": "parameter",
    **{f"torch {name}": name for name in _DTYPES},
}
# ResNet-50's state takes 10 000 instructions and 40 kilobytes.
_MOST_INSTRUCTIONS = 2_000_000
_LARGEST_PICKLE = 64 * 2**20
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_SAVE_AGAIN = "In PyTorch, save the weights alone: torch.save(model.state_dict(), path), or with safetensors.torch"


class _Refused(Exception):
    """The pickle holds something else than tensors and plain data."""


@dataclass(frozen=True)
class _Name:
    """One of the few names that a pickle of tensors gives."""

    kind: str


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]
    numbers: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the tensors of a ``.pth`` file that ``torch.save`` wrote (PyTorch 1.6 or newer), by their names.

    The pickle inside is read instruction by instruction: it may make dictionaries, lists, texts, numbers and the
    announcement of tensors, by name only. Any other name is refused before anything is done with it, and nothing in the
    file is ever called. The arrays are views of the file's own storages, so that a small file cannot ask for much.

    Args:
        path: The file: a state dictionary, or a checkpoint that holds one under ``state_dict`` or ``model``.

    Returns:
        The arrays by name, read-only.

    Raises:
        ModelFileError: It is no such file, is damaged, or holds anything else.

    Example:
        >>> read_torch_file("nothing-here.pth")
        Traceback (most recent call last):
        ...
        convista.models.files.MissingModelFileError: nothing-here.pth: there is no such file...
    """
    with opened(path) as source:
        try:
            return _read(source)
        except _Refused as error:
            rule = "a file of weights holds tensors and plain data; nothing in it is executed"
            raise source.wrong(None, rule, str(error), _SAVE_AGAIN) from error
        except zipfile.BadZipFile as error:
            rule = f"it is the zip that torch.save writes since PyTorch 1.6 ({error})"
            raise source.wrong(None, rule, fix=_SAVE_AGAIN) from error
        except ModelFileError:
            raise
        except _DAMAGED as error:
            raise source.wrong(None, f"the file is damaged ({type(error).__name__}: {str(error)[:200]})") from error


_DAMAGED = (
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    RecursionError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
)


def _read(source: Source) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(source.file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise source.wrong(None, "it holds one folder with data.pkl", show(sorted(entries)[:3]), _SAVE_AGAIN)
        _check_entries(source, list(entries.values()))
        folder = pickles[0].removesuffix("data.pkl")
        if entries[pickles[0]].file_size > _LARGEST_PICKLE:
            raise source.wrong("data.pkl", f"it has at most {_LARGEST_PICKLE} bytes", "more")
        order = entries.get(f"{folder}byteorder")
        if order is not None and archive.read(order)[:16] != b"little":
            raise source.wrong("byteorder", "the numbers are little-endian", fix=_SAVE_AGAIN)
        tensors = _named(_Machine().run(archive.read(pickles[0])))
        storages: dict[str, bytes] = {}
        for tensor in tensors.values():
            key = tensor.storage.key
            if key not in storages:
                storages[key] = archive.read(entries[f"{folder}data/{key}"])
        return {name: _array(name, tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _check_entries(source: Source, entries: list[zipfile.ZipInfo]) -> None:
    """Check that the entries, all of them together, are no larger than the file."""
    if len(entries) > 2 * TENSOR_LIMIT:
        raise source.wrong(None, f"the zip has at most {2 * TENSOR_LIMIT} entries", str(len(entries)))
    packed = next((entry for entry in entries if entry.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise source.wrong(packed.filename, "the entry is stored without compression", fix=_SAVE_AGAIN)
    total = sum(entry.file_size for entry in entries)
    if total > source.size:
        raise source.wrong(None, f"its entries fit the file of {source.size} bytes", f"{total} bytes")


def _named(value: object) -> dict[str, _Tensor]:
    if isinstance(value, dict):
        for wrapper in _WRAPPERS:
            if isinstance(value.get(wrapper), dict):
                value = value[wrapper]
                break
    if not isinstance(value, dict):
        raise _Refused(f"a {type(value).__name__} where a state dictionary is expected")
    tensors = {name: tensor for name, tensor in value.items() if isinstance(tensor, _Tensor)}
    if not tensors or len(tensors) > TENSOR_LIMIT:
        raise _Refused(f"a dictionary with {len(tensors)} tensors")
    for name in tensors:
        if not isinstance(name, str) or len(name) > NAME_LIMIT:
            raise _Refused(f"the name {show(name)}")
    return tensors


def _array(name: str, tensor: _Tensor, content: bytes) -> np.ndarray:
    """Return the tensor as a view of its storage, after every size has been compared with the bytes there are."""
    storage, offset, shape, strides = tensor
    if storage.numbers * storage.dtype.itemsize != len(content):
        raise ValueError(f"{show(name)}: {storage.numbers} numbers in {len(content)} bytes")
    # A stride of 0 repeats one number: no trained tensor has it, and it would make a large array of a small file.
    if math.prod(shape) > storage.numbers:
        raise ValueError(f"{show(name)}: shape {shape} of {storage.numbers} numbers")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.numbers:
        raise ValueError(f"{show(name)}: number {last} of {storage.numbers}")
    if storage.dtype == np.bool_ and max(content, default=0) > 1:
        raise ValueError(f"{show(name)}: a bool is the byte 0 or 1")
    flat = np.frombuffer(content, storage.dtype)[offset:]
    steps = [stride * storage.dtype.itemsize for stride in strides]
    if not math.prod(shape):
        return np.empty(shape, storage.dtype)
    return np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False)


_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset(
    {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
)


class _Machine:
    """A pickle's stack and memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> object:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(content))):
            if number == _MOST_INSTRUCTIONS:
                raise _Refused(f"more than {_MOST_INSTRUCTIONS} instructions")
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("no STOP")

    def _step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise _Refused(f"the instruction {name}")

    def since_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def take(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return items

    def fill(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise TypeError("items without a dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            # Nested tuples that share their parts take exponential time to hash.
            if not isinstance(key, str | int):
                raise _Refused(f"a key of type {type(key).__name__}")
            target[key] = value

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("items without a list")
        self.stack[-1].extend(items)

    def name(self, name: str) -> None:
        if name not in _NAMES:
            raise _Refused(f"the name {name.replace(' ', '.')!r:.100}")
        self.stack.append(_Name(_NAMES[name]))

    def stacked_name(self) -> None:
        module, name = self.take(2)
        self.name(f"{module} {name}")

    def reduce(self) -> None:
        called, arguments = self.take(2)
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise _Refused("a call of something else than a name")
        self.stack.append(_made(called.kind, arguments))

    def build(self) -> None:
        target, state = self.take(2)
        # A state dictionary carries the versions of its modules, which say nothing about the numbers.
        if not isinstance(target, dict) or not isinstance(state, dict):
            raise _Refused(f"the state of a {type(target).__name__}")
        self.stack.append(target)

    def persistent(self) -> None:
        (given,) = self.take(1)
        if not isinstance(given, tuple) or len(given) != 5 or given[0] != "storage":
            raise _Refused("a reference to something else than a storage")
        _, kind, key, _, count = given
        named = isinstance(kind, _Name) and kind.kind in _DTYPES
        if not named or not isinstance(key, str) or not key.isalnum() or type(count) is not int or count < 0:
            raise _Refused("a storage of another kind")
        self.stack.append(_Storage(key, _DTYPES[kind.kind], count))


def _made(kind: str, arguments: tuple[Any, ...]) -> Any:
    if kind == "mapping" and not arguments:
        return {}
    if kind == "parameter" and arguments and isinstance(arguments[0], _Tensor):
        return arguments[0]
    if kind == "tensor" and len(arguments) >= 4 and isinstance(arguments[0], _Storage):
        storage, offset, shape, strides = arguments[:4]
        sizes_are_right = (
            isinstance(shape, tuple)
            and isinstance(strides, tuple)
            and len(shape) == len(strides) <= RANK_LIMIT
            and all(type(size) is int and 0 <= size <= SIZE_LIMIT for size in (offset, *shape, *strides))
        )
        if not sizes_are_right:
            # Their values are not shown: nested tuples that share their parts take exponential time to print.
            raise ValueError("shape, strides and offset of a tensor are whole numbers of a possible size")
        return _Tensor(storage, offset, shape, strides)
    raise _Refused(f"a call of {kind} with {len(arguments)} arguments")


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "MEMOIZE": lambda machine, _: machine.memo.__setitem__(len(machine.memo), machine.stack[-1]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
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
    "BINPERSID": lambda machine, _: machine.persistent(),
}
