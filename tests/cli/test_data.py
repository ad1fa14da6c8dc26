"""`convista data`: list, get, show."""

from __future__ import annotations

import numpy as np
import pytest

from convista.cli.data import as_blocks
from convista.data import load, names


def test_list_has_every_dataset(convista):
    done = convista("data", "list")
    assert [line.split()[0] for line in done.out.splitlines()] == ["name", *names()]
    assert "inside the package" in done.out
    assert [one["name"] for one in convista("data", "list", "--json").document] == list(names())


def test_get_what_is_here(convista):
    done = convista("data", "get", "digits", "--offline")
    assert done.out.startswith("digits is here and whole: 1,437 pictures to learn from and 360 to test on, in ")
    assert convista("data", "get", "digits", "--json").document["test_pictures"] == 360


def test_get_a_mistyped_name(convista):
    done = convista("data", "get", "cifar-10")
    assert done.code == 2
    assert done.err == "Error: load: there is no dataset of this name. Received 'cifar-10'. Did you mean 'cifar10'?\n"


def test_offline_never_asks_the_network(convista, monkeypatch, tmp_path):
    monkeypatch.delenv("CONVISTA_DATA", raising=False)
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    done = convista("data", "get", "kmnist", "--offline")
    assert done.code == 3
    assert "kmnist" in done.err


def test_show_counts_and_pictures(convista, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    done = convista("data", "show", "digits")
    lines = done.out.splitlines()
    assert lines[0] == "digits: pictures of 8×8×1, uint8 from 0 to 255"
    assert "all       1,437   360" in lines
    assert max(len(line) for line in lines[-9:]) <= 60
    assert lines[-9].split() == ["0", "1", "2"]
    document = convista("data", "show", "digits", "--json").document
    digits = load("digits")
    assert [row["training"] for row in document["classes"]] == np.bincount(digits.train.y).tolist()
    assert document["shape"] == [8, 8, 1]
    assert document["dtype"] == "uint8"


def test_show_an_own_file(convista, tmp_path):
    x, y = np.full((4, 20, 24, 3), 255, np.uint8), np.array([0, 0, 2, 2])
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    done = convista("data", "show", tmp_path / "mine.npz")
    assert done.code == 0, done.err
    assert "mine: pictures of 20×24×3, uint8 from 255 to 255" in done.out
    assert "@" * 24 in done.out


@pytest.mark.parametrize(
    ("shape", "lines", "columns"), [((8, 8, 1), 8, 16), ((28, 28, 1), 14, 28), ((33, 32, 3), 16, 32)]
)
def test_blocks(shape, lines, columns):
    picture = np.zeros(shape, np.uint8)
    picture[:, : shape[1] // 2] = 255
    drawn = as_blocks(picture)
    assert len(drawn) == lines
    assert set(drawn) == {"@" * (columns // 2) + " " * (columns // 2)}
