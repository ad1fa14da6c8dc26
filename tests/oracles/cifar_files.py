"""Small CIFAR files, written byte by byte as their author's tools wrote them."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import numpy as np


def batch(count: int, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Return ``count`` pictures as rows of 3072 bytes, red then green then blue, with labels."""
    rows = np.random.RandomState(seed).randint(0, 256, (count, 3072), np.uint8)
    return rows, [(seed + k) % 10 for k in range(count)]


def records(rows: np.ndarray, *labels: list[int]) -> bytes:
    """Return the binary version: the labels of each picture, then its bytes."""
    columns = [np.array(column, np.uint8)[:, None] for column in labels]
    return np.concatenate([*columns, rows], axis=1).tobytes()


def old_text(text: str) -> bytes:
    """Return a string as Python 2 pickled it."""
    return b"U" + bytes([len(text)]) + text.encode()


def python2_pickle(rows: np.ndarray, labels: list[int], key: str = "labels") -> bytes:
    """Return the pickle that Python 2's cPickle wrote with protocol 2, memo and all."""
    kind = b"cnumpy\ndtype\nq\x05" + old_text("u1") + b"K\x00K\x01\x87Rq\x06(K\x03" + old_text("|")
    kind += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"M" + struct.pack("<H", rows.shape[0]) + b"M" + struct.pack("<H", rows.shape[1]) + b"\x86"
    content = b"T" + struct.pack("<I", rows.size) + rows.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85" + old_text("b") + b"\x87R"
    array += b"(K\x01" + shape + kind + b"\x89" + content + b"tb"
    items = b"".join(b"K" + bytes([label]) for label in labels)
    return b"\x80\x02}q\x01(" + old_text(key) + b"q\x02](" + items + b"e" + old_text("data") + array + b"u."


def tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    """Write an archive with these members."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


NAMES = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


def cifar10(version: str, count: int = 2) -> dict[str, bytes]:
    """Return the six files of CIFAR-10, ``"bin"`` or ``"py"``."""
    if version == "bin":
        return {f"{name}.bin": records(*batch(count, seed)) for seed, name in enumerate(NAMES)}
    return {name: python2_pickle(*batch(count, seed)) for seed, name in enumerate(NAMES)}
