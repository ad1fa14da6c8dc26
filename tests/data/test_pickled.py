"""Pickles: plain data comes back as the standard library reads it, and nothing is ever run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from convista.data.pickled import read_pickled
from convista.errors import DataError
from oracles.cifar_files import batch, python2_pickle

PLAIN = {"a": [1, -2, 300, 70_000, 10**30, 2.5, True, None], "b": ("x", b"y", [], (), {}, {1: "é"}), b"c": "long" * 99}


def same(found, expected) -> bool:
    """Compare values with arrays among them."""
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and found.dtype == expected.dtype and np.array_equal(found, expected)
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[key], expected[key]) for key in expected)
    return type(found) is type(expected) and found == expected


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_plain_values_come_back(protocol):
    assert same(read_pickled(pickle.dumps(PLAIN, protocol), where="batch"), PLAIN)
    assert not same(read_pickled(pickle.dumps({**PLAIN, "a": [1.0]}, protocol), where="batch"), PLAIN)


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_bytes_come_back(protocol, order):
    array = np.asarray(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), order=order)
    found = read_pickled(pickle.dumps({"data": array}, protocol), where="batch")
    assert same(found, {"data": array})


def test_pickles_of_python_2_are_read_as_the_standard_library_reads_them():
    content = python2_pickle(*batch(3))
    assert same(read_pickled(content, where="batch"), pickle.loads(content, encoding="bytes"))  # noqa: S301


class Payload:
    """What a hostile pickle does: call something."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_runs_nothing(tmp_path, protocol):
    mark = tmp_path / "ran"
    content = pickle.dumps({"data": Payload(mark)}, protocol)
    with pytest.raises(DataError) as caught:
        read_pickled(content, where="batch")
    expected = "batch: a pickle is read only if it holds plain data. Received an object: it "
    assert str(caught.value).startswith(expected)
    assert not mark.exists()
    pickle.loads(content)  # noqa: S301
    assert mark.exists(), "the payload works, so its absence above means something"


HOSTILE = {
    "a memo of two thousand million": b"\x80\x02]q\x00r\xff\xff\xff\x7fh\x01.",
    "bytes that are not there": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
    "a bytearray that is not there": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    "a frame that is not there": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f.",
    "an array of 10**12": b"cnumpy\nndarray\n(I1000000000000\ntR.",
    "an array without content": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntU\x01btR.",
    "an array of objects": b"cnumpy\ndtype\n(S'O8'\ntR.",
    "an instance": b"(ios\nmkdir\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent id": b"Pname\n.",
    "a name as a value": b"cnumpy\nndarray\n.",
    "marks only": b"(((.",
    "nothing": b"",
    "no end": b"\x80\x02}",
    "state on a list": b"\x80\x02]K\x01b.",
    "popping too much": b"\x80\x02K\x01\x87.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_cannot_ask_for_more_than_it_holds(content):
    with pytest.raises(DataError, match=r"^batch: (a pickle is read only|the pickle is damaged)"):
        read_pickled(content, where="batch")


def test_a_pickle_cannot_go_on_for_ever(monkeypatch):
    monkeypatch.setattr("convista.data.pickled._MOST_INSTRUCTIONS", 1000)
    with pytest.raises(DataError) as caught:
        read_pickled(b"}" * 1000 + b".", where="batch")
    expected = (
        "batch: a pickle is read only if it holds plain data. Received an object: it has more than 1000 instructions."
    )
    assert str(caught.value) == expected


def test_shared_tuples_as_keys_do_not_hang():
    content = b"\x80\x02})" + b"".join(b"q%ch%c\x86" % (k, k) for k in range(60)) + b"K\x01s."
    with pytest.raises(DataError, match="it has a key of type tuple"):
        read_pickled(content, where="batch")
