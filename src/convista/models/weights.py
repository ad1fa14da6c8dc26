"""Tensors in a safetensors file, with a description that holds the SHA-256 of each of them."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors.numpy

from convista.errors import ArgumentError
from convista.models.files import FILE_LIMIT, Source, opened, replacing, show
from convista.models.kinds import expect
from convista.models.strict_json import JSON_LIMIT, compact, parse

VERSION = 1
"""The newest version of the format that this code reads, and the one it writes."""

TENSOR_LIMIT = 10_000
"""Most tensors in one file."""

NAME_LIMIT = 1_000
"""Most characters in the name of a tensor."""

RANK_LIMIT = 32
"""Most axes of a tensor."""

SIZE_LIMIT = 2**31 - 1
"""Longest axis of a tensor."""

MODEL_FORMAT = "convista"
_WEIGHTS_FORMAT = "convista-weights"
_METADATA = "__metadata__"
_LENGTH = struct.Struct("<Q")

_DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64),
    "U32": np.dtype(np.uint32),
    "U16": np.dtype(np.uint16),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
_DTYPE_NAMES = {dtype.name: dtype for dtype in _DTYPES.values()}


def write_weights(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors as one plain ``.safetensors`` file that any tool can read, with a SHA-256 per tensor inside.

    Args:
        path: The file, in a folder that exists. An existing file is replaced, whole or not at all.
        tensors: Arrays by name, as for :func:`write`.

    Raises:
        ArgumentError: ``tensors`` holds something that the format cannot.
        ModelFileError: The file cannot be written here.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "digits.safetensors")
        >>> write_weights(path, {"dense/bias": np.arange(3)})
        >>> read_weights(path)
        {'dense/bias': array([0, 1, 2])}

    Source: the safetensors format, https://github.com/huggingface/safetensors
    """
    arrays = checked_arrays(tensors)
    text = describe(_WEIGHTS_FORMAT, arrays)
    data = serialize(arrays, {MODEL_FORMAT: text.decode()})
    check_total(len(data))
    with replacing(path) as file:
        file.write(data)


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a ``.safetensors`` file, with every size checked, and every hash where Convista wrote the file.

    Files from other programs carry no hashes; their structure is checked as strictly, their numbers cannot be.

    Args:
        path: The file.

    Returns:
        The arrays by name, in the order in which they were written. They are writable and own their memory.

    Raises:
        ModelFileError: As for :func:`read`.

    Example:
        >>> read_weights("nothing-here.safetensors")
        Traceback (most recent call last):
        ...
        convista.models.files.MissingModelFileError: nothing-here.safetensors: there is no such file...
    """
    with opened(path) as source:
        expect(source, "safetensors")
        header = read_header(source, 0, source.size, "header")
        declared = _own_hashes(source, header)
        if declared is not None:
            compare(source, "the hashes", "the header", declared, header.placed)
        return read_tensors(source, None, header, declared)[0]


class Declared(NamedTuple):
    """What the description says about a tensor."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    sha256: str


def describe(kind: str, arrays: dict[str, np.ndarray], **model: object) -> bytes:
    """The description of a file: its format, each tensor's shape, dtype and SHA-256, and a SHA-256 of all that."""
    described = {
        name: {"shape": list(array.shape), "dtype": array.dtype.name, "sha256": _digest(_raw(array).data)}
        for name, array in arrays.items()
    }
    envelope: dict[str, object] = {"format": kind, "version": VERSION, "tensors": described, **model}
    text = compact({**envelope, "sha256": _digest(compact(envelope))})
    if len(text) > JSON_LIMIT:
        fix = "Shorten the configuration or the names of the tensors"
        raise ArgumentError(
            f"the description of a model has at most {JSON_LIMIT} bytes", received=str(len(text)), fix=fix
        )
    return text


def check_description(source: Source, field: str, envelope: Any, kind: str, more: set[str]) -> dict[str, Declared]:
    """Check a parsed description, version first and hash before anything else; return what it says of each tensor."""
    if not isinstance(envelope, dict) or envelope.get("format") != kind:
        received = show(envelope.get("format")) if isinstance(envelope, dict) else show(envelope)
        raise source.wrong(f"{field}, format", f"it is '{kind}'", received, "This is not a file that Convista wrote")
    _check_version(source, field, envelope.get("version"))
    keys = {"format", "version", "tensors", "sha256"} | more
    if envelope.keys() != keys:
        raise source.wrong(field, f"its fields are {', '.join(sorted(keys))}", ", ".join(map(show, sorted(envelope))))
    rest = {name: value for name, value in envelope.items() if name != "sha256"}
    if not same_hash(_digest(compact(rest)), envelope["sha256"]):
        raise source.wrong(f"{field}, sha256", "the other fields do not have this SHA-256", show(envelope["sha256"]))
    return _declared(source, field, envelope["tensors"])


def _check_version(source: Source, field: str, version: object) -> None:
    if type(version) is not int or version < 1:
        raise source.wrong(f"{field}, version", "it is a whole number from 1", show(version))
    if version > VERSION:
        rule = f"written by a newer Convista: version {version}; this one reads up to {VERSION}"
        raise source.wrong(field, rule, fix="Run `pip install --upgrade convista` and load it again")


def _declared(source: Source, field: str, tensors: Any) -> dict[str, Declared]:
    if not isinstance(tensors, dict) or len(tensors) > TENSOR_LIMIT:
        received = f"{len(tensors)} fields" if isinstance(tensors, dict) else show(tensors)
        raise source.wrong(f"{field}, tensors", f"it is an object with at most {TENSOR_LIMIT} fields", received)
    declared = {}
    for name, value in tensors.items():
        at = f"{field}, tensor {show(name)}"
        if not isinstance(value, dict) or value.keys() != {"shape", "dtype", "sha256"}:
            raise source.wrong(at, "its fields are dtype, sha256 and shape", show(value))
        dtype = _known_dtype(source, at, value["dtype"], _DTYPE_NAMES)
        declared[name] = Declared(_shape(source, at, value["shape"], dtype), dtype, value["sha256"])
    return declared


def _known_dtype(source: Source, at: str, name: object, known: dict[str, np.dtype[Any]]) -> np.dtype[Any]:
    if not isinstance(name, str) or name not in known:
        raise source.wrong(f"{at}, dtype", f"it is one of {', '.join(known)}", show(name))
    return known[name]


def _shape(source: Source, at: str, shape: Any, dtype: np.dtype[Any]) -> tuple[int, ...]:
    if not isinstance(shape, list) or len(shape) > RANK_LIMIT:
        raise source.wrong(f"{at}, shape", f"it is a list of at most {RANK_LIMIT} sizes", show(shape))
    if not all(type(size) is int and 0 <= size <= SIZE_LIMIT for size in shape):
        raise source.wrong(f"{at}, shape", f"its sizes are whole numbers from 0 to {SIZE_LIMIT}", show(shape))
    if not _fits(shape, dtype):
        raise source.wrong(f"{at}, shape", f"the tensor has at most {FILE_LIMIT} bytes", show(shape))
    return tuple(shape)


def _fits(shape: Iterable[int], dtype: np.dtype[Any]) -> bool:
    # An axis of length zero makes the array empty, but NumPy still multiplies the others.
    return math.prod(max(size, 1) for size in shape) * dtype.itemsize <= FILE_LIMIT


class _Placed(NamedTuple):
    """Where the header of a safetensors file puts a tensor, counted from the first byte of the data."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    begin: int
    end: int


class Header(NamedTuple):
    """The header of a safetensors file: its bytes with the length before them, and what they say."""

    raw: bytes
    data_start: int
    metadata: dict[str, str]
    placed: dict[str, _Placed]


def read_header(source: Source, start: int, length: int, field: str) -> Header:
    """Read the safetensors header at ``start`` and check that its tensors fill the ``length`` bytes from there."""
    if length < _LENGTH.size:
        raise source.wrong(field, "a safetensors file starts with the length of its header", f"{length} bytes")
    prefix = source.bytes_at(start, _LENGTH.size, field)
    (size,) = _LENGTH.unpack(prefix)
    if size > min(JSON_LIMIT, length - _LENGTH.size):
        rule = f"the header's length is at most {JSON_LIMIT} and ends inside the file"
        raise source.wrong(field, rule, f"{size} bytes of {length - _LENGTH.size}")
    raw = source.bytes_at(start + _LENGTH.size, size, field)
    table = parse(source, field, raw)
    if not isinstance(table, dict):
        raise source.wrong(field, "it is a JSON object", show(table))
    metadata = table.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise source.wrong(f"{field}, {_METADATA}", "it is an object of texts", show(metadata))
    placed = _placed(source, field, table)
    _check_filled(source, field, placed, length - _LENGTH.size - size)
    return Header(prefix + raw, start + _LENGTH.size + size, metadata, placed)


def _placed(source: Source, field: str, table: dict[str, Any]) -> dict[str, _Placed]:
    if len(table) > TENSOR_LIMIT:
        raise source.wrong(field, f"it has at most {TENSOR_LIMIT} tensors", str(len(table)))
    placed = {}
    for name, value in table.items():
        at = f"{field}, tensor {show(name)}"
        if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
            raise source.wrong(at, "its fields are data_offsets, dtype and shape", show(value))
        dtype = _known_dtype(source, at, value["dtype"], _DTYPES)
        shape = _shape(source, at, value["shape"], dtype)
        offsets = value["data_offsets"]
        if not isinstance(offsets, list) or [type(offset) for offset in offsets] != [int, int]:
            raise source.wrong(f"{at}, data_offsets", "they are two whole numbers", show(offsets))
        begin, end = offsets
        expected = math.prod(shape) * dtype.itemsize
        if begin < 0 or end - begin != expected:
            rule = f"{dtype.name} of shape {shape} takes {expected} bytes"
            raise source.wrong(f"{at}, data_offsets", rule, show(offsets))
        placed[name] = _Placed(shape, dtype, begin, end)
    return placed


def _check_filled(source: Source, field: str, placed: dict[str, _Placed], length: int) -> None:
    at = 0
    for name, tensor in _in_order(placed):
        if tensor.begin != at:
            where = f"{field}, tensor {show(name)}, data_offsets"
            raise source.wrong(where, f"the tensor starts where the one before it ends, at {at}", str(tensor.begin))
        at = tensor.end
    if at != length:
        raise source.wrong(field, f"its tensors take {at} bytes, and they fill the file", f"{length} bytes of data")


def _in_order(placed: dict[str, _Placed]) -> list[tuple[str, _Placed]]:
    return sorted(placed.items(), key=lambda item: (item[1].begin, item[1].end))


def _own_hashes(source: Source, header: Header) -> dict[str, Declared] | None:
    """The hashes that Convista put into a weight file; ``None`` for a file from another program."""
    # Either mark is enough, so that damage to one of the two does not turn the file into a foreign one.
    if MODEL_FORMAT not in header.metadata and not any(_WEIGHTS_FORMAT in text for text in header.metadata.values()):
        return None
    if MODEL_FORMAT not in header.metadata:
        raise source.wrong(f"header, {_METADATA}", f"it has the field {MODEL_FORMAT!r}", show(list(header.metadata)))
    field = f"header, {_METADATA}"
    envelope = parse(source, field, header.metadata[MODEL_FORMAT].encode("utf-8", "surrogatepass"))
    return check_description(source, field, envelope, _WEIGHTS_FORMAT, set())


def compare(source: Source, here: str, there: str, declared: dict[str, Declared], placed: dict[str, _Placed]) -> None:
    """Check that the description and the header name the same tensors, with the same shapes and dtypes."""
    for name in sorted(declared.keys() ^ placed.keys()):
        present, absent = (here, there) if name in declared else (there, here)
        raise source.wrong(absent, f"tensor {show(name)} is missing, though {present} has it")
    for name, tensor in declared.items():
        stated, found = (tensor.dtype.name, tensor.shape), (placed[name].dtype.name, placed[name].shape)
        if stated != found:
            rule = f"it is {stated[0]} of shape {stated[1]}, as {here} says"
            raise source.wrong(f"{there}, tensor {show(name)}", rule, f"{found[0]} of shape {found[1]}")


def read_tensors(
    source: Source, field: str | None, header: Header, declared: dict[str, Declared] | None
) -> tuple[dict[str, np.ndarray], int]:
    """Read each tensor into memory of its own and check it; return them and the CRC-32 of header and data."""
    checksum = zlib.crc32(header.raw)
    found = {}
    for name, tensor in _in_order(header.placed):
        at = f"tensor {show(name)}" if field is None else f"{field}, tensor {show(name)}"
        raw = np.empty(tensor.end - tensor.begin, np.uint8)
        source.fill(raw.data, header.data_start + tensor.begin, at)
        checksum = zlib.crc32(raw.data, checksum)
        if declared is not None and not same_hash(_digest(raw.data), declared[name].sha256):
            raise source.wrong(at, "its bytes do not have the SHA-256 that was written down for them")
        if tensor.dtype == np.bool_ and raw.size and raw.max() > 1:
            raise source.wrong(at, "a bool is the byte 0 or 1", str(raw.max()))
        found[name] = raw.view(tensor.dtype).reshape(tensor.shape)
    return {name: found[name] for name in (header.placed if declared is None else declared)}, checksum


def same_hash(ours: str, theirs: object) -> bool:
    """Whether the file's hash is the computed one."""
    return isinstance(theirs, str) and theirs.isascii() and hmac.compare_digest(ours, theirs)


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def checked_arrays(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors as contiguous little-endian arrays, each name and dtype checked."""
    if len(tensors) > TENSOR_LIMIT:
        fix = "Save them in several files"
        raise ArgumentError(f"a file has at most {TENSOR_LIMIT} tensors", received=str(len(tensors)), fix=fix)
    arrays = {}
    for name, tensor in tensors.items():
        _check_name(name)
        array = np.asarray(tensor, order="C")
        if array.dtype.name not in _DTYPE_NAMES:
            rule = f"a tensor is one of {', '.join(_DTYPE_NAMES)}"
            fix = 'Convert it with .astype("float32")'
            raise ArgumentError(rule, where=f"tensor {show(name)}", received=f"dtype {array.dtype.name}", fix=fix)
        if array.ndim > RANK_LIMIT or not _fits(array.shape, array.dtype):
            rule = f"a tensor has at most {RANK_LIMIT} axes and {FILE_LIMIT} bytes"
            raise ArgumentError(rule, where=f"tensor {show(name)}", received=f"shape {array.shape}", fix="Reshape it")
        arrays[name] = array.astype(_DTYPE_NAMES[array.dtype.name], copy=False)
    check_total(sum(array.nbytes for array in arrays.values()))
    return arrays


def _check_name(name: object) -> None:
    if not isinstance(name, str) or len(name) > NAME_LIMIT or name == _METADATA or not _is_unicode(name):
        rule = f"the name of a tensor is a text of at most {NAME_LIMIT} characters of Unicode, not {_METADATA!r}"
        raise ArgumentError(rule, received=show(name), fix="Name it by layer and role, for example 'conv2d/kernel'")


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def check_total(total: int) -> None:
    """Refuse to write a file that would be too large to read."""
    if total > FILE_LIMIT:
        fix = "Save the weights in several files with save_weights, or in a smaller dtype"
        raise ArgumentError(f"a file has at most {FILE_LIMIT} bytes", received=f"{total} bytes", fix=fix)


def _raw(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def serialize(arrays: dict[str, np.ndarray], metadata: dict[str, str] | None) -> bytes:
    """The bytes of a safetensors file."""
    data = safetensors.numpy.save(arrays, metadata)
    (size,) = _LENGTH.unpack_from(data)
    if size > JSON_LIMIT:
        fix = "Save fewer tensors in one file or shorten their names"
        raise ArgumentError(f"the header of a weight file has at most {JSON_LIMIT} bytes", received=str(size), fix=fix)
    return data
