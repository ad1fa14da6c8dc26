"""The file of a saved model: one checked zip of config.json and weights.safetensors."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from convista.errors import ArgumentError
from convista.models.files import Source, opened, replacing, show
from convista.models.kinds import expect, expect_ours, show_names
from convista.models.strict_json import JSON_LIMIT, check_value, parse
from convista.models.weights import (
    MODEL_FORMAT,
    Declared,
    check_description,
    check_total,
    checked_arrays,
    compare,
    describe,
    read_header,
    read_tensors,
    read_weights,
    serialize,
    write_weights,
)

__all__ = ["read", "read_weights", "write", "write_weights"]

DIRECTORY_LIMIT = 64 * 2**10
"""Most bytes of a zip's directory that are looked at."""

_CONFIG = "config.json"
_WEIGHTS = "weights.safetensors"

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")


def write(path: str | os.PathLike[str], config: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Write a model's configuration and its tensors as one file, whole or not at all.

    The same ``config`` and ``tensors`` always give the same bytes. The file appears under its name only when it is
    complete and on the disk; until then, and after any failure, what was there before stays.

    Args:
        path: The file, in a folder that exists. An existing file is replaced.
        config: What describes the model: dictionaries with text keys, lists (tuples are written as lists), texts,
            finite numbers, booleans and ``None``.
        tensors: Arrays by name, of any shape; float16/32/64, bfloat16, int8 to int64, uint8 to uint64 or bool.

    Raises:
        ArgumentError: ``config`` or ``tensors`` holds something that the format cannot.
        ModelFileError: The file cannot be written here.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "digits.convista")
        >>> write(path, {"name": "digits"}, {"dense/bias": np.zeros(10, "float32")})
        >>> config, tensors = read(path)
        >>> config, tensors["dense/bias"].shape
        ({'name': 'digits'}, (10,))
    """
    if not isinstance(config, dict):
        raise ArgumentError("config is a dictionary", received=show(config), fix="Pass what describes the model")
    check_value(config, "config", depth=2)
    arrays = checked_arrays(tensors)
    text = describe(MODEL_FORMAT, arrays, model=config)
    weights = serialize(arrays, None)
    check_total(len(text) + len(weights))
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((_CONFIG, text), (_WEIGHTS, weights)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what :func:`write` wrote, and nothing else.

    Every declared size is compared with the real size of the file before memory is taken for it, and every byte that
    means something is verified: the zip's records against each other, the configuration and each tensor by SHA-256.
    Nothing from the file is executed, resolved to a Python object or written to a folder.

    Args:
        path: The file.

    Returns:
        ``(config, tensors)``: the configuration and the arrays by name, in the order in which they were written. The
        arrays are writable and own their memory.

    Raises:
        ModelFileError: The file is missing, damaged, foreign or written by a newer Convista; the message names the
            file and the field. A missing file is also a ``FileNotFoundError``.

    Example:
        >>> read("nothing-here.convista")
        Traceback (most recent call last):
        ...
        convista.models.files.MissingModelFileError: nothing-here.convista: there is no such file...
    """
    with opened(path) as source:
        expect(source, "zip")
        end, entries = _directory(source)
        expect_ours(source, [entry.name for entry in entries])
        config_entry = next(entry for entry in entries if entry.name == _CONFIG)
        envelope, declared = _read_config(source, config_entry)
        weights_start = _check_layout(source, end, entries)
        weights_entry = entries[1]
        header = read_header(source, weights_start, weights_entry.size, _WEIGHTS)
        compare(source, _CONFIG, _WEIGHTS, declared, header.placed)
        tensors, checksum = read_tensors(source, _WEIGHTS, header, declared)
        _check_checksum(source, weights_entry, checksum)
        return envelope["model"], tensors


class _Entry(NamedTuple):
    """One record of the zip's directory, in its order, and the name that follows it."""

    signature: bytes
    made_by: int
    needed: int
    flags: int
    method: int
    time: int
    date: int
    checksum: int
    stored: int
    size: int
    name_length: int
    extra_length: int
    comment_length: int
    disk: int
    internal: int
    external: int
    offset: int
    raw_name: bytes

    @property
    def name(self) -> str:
        return self.raw_name.decode("utf-8", "backslashreplace")


class _End(NamedTuple):
    """The zip's end record, and where it stands."""

    signature: bytes
    disk: int
    directory_disk: int
    count_here: int
    total: int
    directory_size: int
    directory_offset: int
    comment_length: int
    position: int


def _directory(source: Source) -> tuple[_End, list[_Entry]]:
    """Read the end record and the directory; what they say is only bounded here, :func:`_check_layout` verifies it."""
    end = _find_end(source)
    if end.directory_offset + end.directory_size > end.position:
        numbers = f"{end.directory_size} bytes at {end.directory_offset}, end record at {end.position}"
        raise source.wrong("zip directory", "it lies before the end record", numbers)
    data = source.bytes_at(end.directory_offset, min(end.directory_size, DIRECTORY_LIMIT), "zip directory")
    entries = []
    at = 0
    while len(data) - at >= _CENTRAL.size:
        entry = _Entry._make((*_CENTRAL.unpack_from(data, at), b""))
        if entry.signature != b"PK\x01\x02":
            raise source.wrong("zip directory", "every record starts with PK\\x01\\x02", repr(entry.signature))
        named = at + _CENTRAL.size + entry.name_length
        entries.append(entry._replace(raw_name=data[at + _CENTRAL.size : named]))
        at = named + entry.extra_length + entry.comment_length
    if end.directory_size <= DIRECTORY_LIMIT and (at != len(data) or len(entries) != end.total):
        numbers = f"{len(entries)} records in {at} bytes, {end.total} in {end.directory_size} in the end record"
        raise source.wrong("zip directory", "its records fill it", numbers)
    return end, entries


def _find_end(source: Source) -> _End:
    length = min(source.size, _END.size + 0xFFFF)
    tail = source.bytes_at(source.size - length, length, "end record")
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or length - at < _END.size:
        fix = "Copy or download it again, to its end"
        raise source.wrong("end record", "the zip has none: the file is cut short", f"{source.size} bytes", fix)
    return _End._make((*_END.unpack_from(tail, at), source.size - length + at))


def _check_layout(source: Source, end: _End, entries: list[_Entry]) -> int:
    """Check that the two entries, the directory and the end record fill the file; return where the weights start."""
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise source.wrong("zip directory", f"entry {show(name)} stands there once", f"{names.count(name)} of them")
    if names != [_CONFIG, _WEIGHTS]:
        rule = f"a saved model holds {_CONFIG} and {_WEIGHTS}, in this order, and nothing else"
        raise source.wrong("zip directory", rule, show_names(names), "Save the model again with model.save")
    at = 0
    starts = []
    for entry in entries:
        if entry.offset != at:
            raise source.wrong(entry.name, f"the entry starts at byte {at}", f"byte {entry.offset}")
        starts.append(_check_entry(source, entry))
        at = starts[-1] + entry.size
    expected = _End(b"PK\x05\x06", 0, 0, 2, 2, end.position - at, at, 0, source.size - _END.size)
    for field, value, wanted in zip(_End._fields, end, expected, strict=True):
        if value != wanted:
            raise source.wrong("end record", f"{field.replace('_', ' ')} is {wanted}", str(value))
    return starts[1]


def _check_entry(source: Source, entry: _Entry) -> int:
    """Check one record of the directory and the local header that repeats it; return where its data start."""
    again = "Unzip it and save the model again with model.save"
    if entry.flags & 0x2041:
        raise source.wrong(entry.name, "the entry is not encrypted", f"flags {entry.flags:#06x}", again)
    if entry.method != 0 or entry.stored != entry.size:
        numbers = f"method {entry.method}, {entry.stored} bytes for {entry.size}"
        raise source.wrong(entry.name, "the entry is stored without compression", numbers, again)
    plain = (entry.flags & ~0x0800, entry.extra_length, entry.comment_length, entry.disk)
    if plain != (0, 0, 0, 0) or entry.needed > 20:
        numbers = f"flags {entry.flags:#06x}, extra {entry.extra_length}, comment {entry.comment_length}, "
        numbers += f"disk {entry.disk}, needs version {entry.needed}"
        raise source.wrong(entry.name, "the entry uses nothing but the plain parts of the zip format", numbers)
    length = _LOCAL.size + len(entry.raw_name)
    local = source.bytes_at(entry.offset, length, f"{entry.name}, local header")
    expected = _LOCAL.pack(b"PK\x03\x04", *entry[2:11], 0) + entry.raw_name
    if local != expected:
        raise source.wrong(f"{entry.name}, local header", "it repeats the zip directory", _difference(local, expected))
    start = entry.offset + length
    if start + entry.size > source.size:
        numbers = f"{entry.size} bytes from byte {start} in a file of {source.size}"
        raise source.wrong(entry.name, "the entry lies inside the file", numbers)
    return start


def _difference(received: bytes, expected: bytes) -> str:
    first = next(at for at, (ours, theirs) in enumerate(zip(received, expected, strict=True)) if ours != theirs)
    return f"byte {received[first]:#04x} instead of {expected[first]:#04x} at position {first}"


def _check_checksum(source: Source, entry: _Entry, checksum: int) -> None:
    if checksum != entry.checksum:
        numbers = f"{entry.checksum:#010x} for bytes with {checksum:#010x}"
        raise source.wrong(entry.name, "the zip's CRC-32 is that of the entry", numbers)


def _read_config(source: Source, entry: _Entry) -> tuple[dict[str, Any], dict[str, Declared]]:
    start = _check_entry(source, entry)
    if entry.size > JSON_LIMIT:
        raise source.wrong(_CONFIG, f"it has at most {JSON_LIMIT} bytes", f"{entry.size} bytes")
    data = source.bytes_at(start, entry.size, _CONFIG)
    _check_checksum(source, entry, zlib.crc32(data))
    envelope = parse(source, _CONFIG, data)
    declared = check_description(source, _CONFIG, envelope, MODEL_FORMAT, {"model"})
    if not isinstance(envelope["model"], dict):
        raise source.wrong(f"{_CONFIG}, model", "it is an object", show(envelope["model"]))
    return envelope, declared
