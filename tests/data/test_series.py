"""Tables of the UCR archive: classes first, tabs between, gaps and damage by line and column."""

from __future__ import annotations

import numpy as np
import pytest

from convista.data import load_series, read_ucr
from convista.errors import ArgumentError, DataError

TRAIN = "-1\t0.5\t1e-3\t-2\n3\t1\t2\t3\n"
TEST = "3\t9\t8\t7\n"


def put(folder, train: str = TRAIN, test: str = TEST, name: str = "Toy") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_TRAIN.tsv").write_text(train)
    (folder / f"{name}_TEST.tsv").write_text(test)


def test_a_table(tmp_path):
    file = tmp_path / "d.tsv"
    file.write_bytes(TRAIN.replace("\n", "\r\n").encode() + b"\r\n")
    x, labels = read_ucr(file)
    np.testing.assert_array_equal(x[..., 0], np.array([[0.5, 1e-3, -2], [1, 2, 3]], np.float32))
    assert (x.shape, x.dtype, labels.tolist()) == ((2, 3, 1), np.float32, [-1, 3])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "1\t2\t3\n1\t2\n",
            "{file}, line 2: every row has as many values as the first, 2 after its class. Received 1. "
            "It is truncated, damaged or another format; fetch it again.",
        ),
        ("1\t2\n\n1\tx\n", "{file}, line 3: a table of series has numbers only. Received 'x' in column 2."),
        (
            "1\t2\n1.5\t3\n",
            "{file}, line 2: the first value of a row is its class, a whole number. Received 1.5.",
        ),
        (
            "1\t2\t3\n1\t3\tNaN\n",
            "{file}, line 2: every value of a series is a finite number; NaN stands for a missing one. "
            "Received nan in column 3. "
            "Fill gaps (numpy.interp) or cut all series to the shortest, and write the table again.",
        ),
        (
            "1\t1e39\n",
            "{file}, line 1: every value of a series is a finite number; NaN stands for a missing one. "
            "Received 1e+39 in column 2. "
            "Fill gaps (numpy.interp) or cut all series to the shortest, and write the table again.",
        ),
        (
            "1,2,3\n",
            "{file}: a table of series has a class and values in each row, with tabs between. "
            "Received 1 column in line 1.",
        ),
        ("", "{file}: a table of series has a class and values in each row, with tabs between. Received no row."),
    ],
)
def test_damaged_tables(tmp_path, content, message):
    file = tmp_path / "d.tsv"
    file.write_text(content)
    with pytest.raises(DataError) as caught:
        read_ucr(file)
    assert str(caught.value) == message.format(file=file)


def test_a_table_that_is_too_large_is_not_read(tmp_path):
    file = tmp_path / "d.tsv"
    file.write_text("1\t2\n" * 10)
    assert len(read_ucr(file, largest=40)[0]) == 10
    with pytest.raises(DataError, match="a table of series may have at most 39 bytes"):
        read_ucr(file, largest=39)


@pytest.mark.parametrize("place", ["timeseries", "timeseries/Toy", "Toy", "."])
def test_a_set_is_found_and_its_classes_are_numbered_from_zero(tmp_path, monkeypatch, place):
    monkeypatch.setenv("CONVISTA_DATA", str(tmp_path))
    put(tmp_path / place)
    toy = load_series("Toy")
    assert (toy.name, toy.classes, toy.shape) == ("Toy", ("-1", "3"), (3, 1))
    assert (toy.train.y.tolist(), toy.test.y.tolist(), toy.test.y.dtype) == ([0, 1], [1], np.int32)
    assert (len(toy.train), len(toy.test)) == (2, 1)
    assert toy.source.endswith(f"Read from {(tmp_path / place)}.")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("3\t9\t8\n", "training and test series have the same length. Received 3 and 2."),
        ("2\t9\t8\t7\n", "every class of the test file is in the training file. Received class 2."),
    ],
)
def test_halves_that_do_not_belong_together(tmp_path, monkeypatch, test, message):
    monkeypatch.setenv("CONVISTA_DATA", str(tmp_path))
    put(tmp_path, test=test)
    with pytest.raises(DataError) as caught:
        load_series("Toy")
    assert str(caught.value).endswith(message)


def test_what_is_not_there(tmp_path, monkeypatch):
    monkeypatch.delenv("CONVISTA_DATA", raising=False)
    with pytest.raises(DataError) as caught:
        load_series("Toy")
    assert str(caught.value) == (
        "series 'Toy': Toy_TRAIN.tsv and Toy_TEST.tsv were not found together. Looked in no folder: CONVISTA_DATA is "
        "not set. Set CONVISTA_DATA to a folder that has them in timeseries/; the UCR archive publishes them."
    )
    monkeypatch.setenv("CONVISTA_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"Looked in {tmp_path / 'timeseries'}, "):
        load_series("Toy")


@pytest.mark.parametrize("name", ["../Toy", "", "a b", None])
def test_a_name_is_no_path(name):
    with pytest.raises(ArgumentError) as caught:
        load_series(name)
    assert str(caught.value) == (
        f"load_series: a name has letters, digits, - and _. Received {name!r}. "
        'For a file of your own there is read_ucr("path").'
    )


def test_the_real_gun_point(data_folder):
    gun_point = load_series("GunPoint")
    assert (gun_point.train.x.shape, gun_point.test.x.shape) == ((50, 150, 1), (150, 150, 1))
    assert (np.bincount(gun_point.train.y).tolist(), np.bincount(gun_point.test.y).tolist()) == ([24, 26], [76, 74])
    np.testing.assert_allclose(gun_point.train.x.mean(axis=1), 0, atol=1e-6)
