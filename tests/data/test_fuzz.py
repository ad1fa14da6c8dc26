"""Damaged files, hundreds of them: an error of the family that names the file, or the values as they were."""

from __future__ import annotations

import gzip
import io
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convista.data import read_cifar, read_idx, read_npz, read_sequences, read_ucr
from convista.data.pickled import read_pickled
from convista.errors import DataError
from oracles.cifar_files import cifar10, tar

STATM = Path("/proc/self/statm")
X, Y = np.arange(3 * 5 * 4, dtype=np.uint8).reshape(3, 5, 4), np.array([1, 0, 2], np.uint8)


def mutated(content: bytes, random: np.random.RandomState) -> bytes:
    """Change, cut, insert or repeat a few bytes; headers, at the front and at the end, are hit most."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        near = random.randint(min(64, len(changed)))
        place = (near, len(changed) - 1 - near, random.randint(len(changed)))[random.randint(3)]
        kind = random.randint(5)
        if kind == 0:
            changed[place] ^= 1 << random.randint(8)
        elif kind == 1:
            changed[place] = (0, 1, 127, 128, 255)[random.randint(5)]
        elif kind == 2:
            changed[place : place + random.randint(1, 9)] = b"\xff" * random.randint(1, 9)
        elif kind == 3:
            del changed[place : place + random.randint(1, 9)]
        else:
            changed[place:place] = changed[: random.randint(1, 9)]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def idx() -> bytes:
    return bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 4]) + X.tobytes()


def npz(save: Callable) -> bytes:
    stream = io.BytesIO()
    save(stream, x_train=X, y_train=Y, x_test=X, y_test=Y)
    return stream.getvalue()


def tarred(tmp_path, version: str, mode: str) -> bytes:
    return tar(tmp_path / "made", cifar10(version, count=1), mode).read_bytes()


def halves(read: Callable, path) -> list[np.ndarray]:
    return [array for split in read(path) for array in (split.x, split.y)]


# For each kind: the file, how it is read into arrays, and whether a checksum guards the values.
KINDS: dict[str, tuple[Callable, Callable, bool]] = {
    "idx": (lambda _: idx(), lambda path: [read_idx(path)], False),
    "idx.gz": (lambda _: gzip.compress(idx()), lambda path: [read_idx(path)], True),
    "npz": (lambda _: npz(np.savez), lambda path: halves(read_npz, path), True),
    "compressed npz": (lambda _: npz(np.savez_compressed), lambda path: halves(read_npz, path), True),
    "ucr": (lambda _: b"1\t0.5\t-1e3\t2\n" * 4 + b"-2\t1\t2\t3\n", lambda path: list(read_ucr(path)), False),
    "sequences": (lambda _: b"EI, first, ACGTN\nN,b,TTTTA\n" * 3, lambda path: [read_sequences(path).y], False),
    "tar of binary": (lambda tmp: tarred(tmp, "bin", "w"), lambda path: halves(read_cifar, path), False),
    "tar.gz of binary": (lambda tmp: tarred(tmp, "bin", "w:gz"), lambda path: halves(read_cifar, path), True),
    "tar of pickles": (lambda tmp: tarred(tmp, "py", "w"), lambda path: halves(read_cifar, path), False),
    "tar.xz of pickles": (lambda tmp: tarred(tmp, "py", "w:xz"), lambda path: halves(read_cifar, path), True),
}


@pytest.fixture
def little_memory():
    """Let the process grow by one gibibyte at most, so that an allocation from a header cannot hide."""
    if not STATM.exists():
        pytest.skip("the size of the process is read from /proc")
    with open(STATM) as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_the_limit_holds(little_memory):
    with pytest.raises(MemoryError):
        bytearray(2 << 30)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path, kind, little_memory):
    make, read, guarded = KINDS[kind]
    content = make(tmp_path)
    path = tmp_path / "file"
    path.write_bytes(content)
    expected = read(path)
    random = np.random.RandomState(len(kind))
    refusals = []
    for _ in range(200):
        path.write_bytes(mutated(content, random))
        try:
            found = read(path)
        except DataError as error:
            refusals.append(str(error))
            continue
        if guarded:
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert len(refusals) > 50
    assert all(refusal.startswith(str(path)) for refusal in refusals)


def test_damaged_pickles(little_memory):
    content = cifar10("py", count=1)["test_batch"]
    head = content[:120]
    random = np.random.RandomState(3)
    refusals = []
    for _ in range(2000):
        try:
            read_pickled(mutated(head, random) + content[120:], where="batch")
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 500
    assert all(refusal.startswith("batch: ") for refusal in refusals)
