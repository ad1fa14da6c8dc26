"""PyTorch's zip format, written without PyTorch: a pickle of announcements, and one entry for each storage."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage"}
ORDERED = b"ccollections\nOrderedDict\n)R"


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def whole(value: int) -> bytes:
    return b"J" + struct.pack("<i", value) if abs(value) < 2**31 else b"\x8a\x08" + struct.pack("<q", value)


def several(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(whole, values)) + b"t"


def tensor(key: str, kind: str, count: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    """One tensor, as ``torch.save`` announces it."""
    storage = (
        b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") + whole(count) + b"tQ"
    )
    rest = whole(offset) + several(shape) + several(strides) + b"\x89" + ORDERED
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def steps(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[place + 1 :])) for place in range(len(shape)))


def dictionary(items: Mapping[str, bytes]) -> bytes:
    return ORDERED + b"(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def write_zip(path: Path, pickle: bytes, storages: Mapping[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("archive/data.pkl", pickle)
        file.writestr("archive/byteorder", b"little")
        for key, data in storages.items():
            file.writestr(f"archive/data/{key}", data)
        file.writestr("archive/version", b"3\n")
    return path


def write_torch_file(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]], wrapper: str | None = None) -> Path:
    """Write arrays as ``torch.save(state_dict, path)`` does, or inside a checkpoint under ``wrapper``."""
    items = {
        name: tensor(str(number), STORAGES[array.dtype.name], array.size, array.shape, steps(array.shape))
        for number, (name, array) in enumerate(arrays.items())
    }
    value = dictionary(items)
    if wrapper is not None:
        value = b"}(" + text("epoch") + whole(3) + text(wrapper) + value + b"u"
    storages = {str(number): np.ascontiguousarray(array).tobytes() for number, array in enumerate(arrays.values())}
    return write_zip(path, pickled(value), storages)
