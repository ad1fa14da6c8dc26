"""The file that a verb draws into: never the picture it reads, by whatever name it is called."""

from __future__ import annotations

import shutil

import pytest

from convista.cli.picture_file import picture_file
from convista.errors import ArgumentError

ITSELF = "--out: the picture itself is not overwritten. Received {}, which exists. Name another file with --out."


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats").mkdir()
    for name in ("photo.png", "cats/a.png", "other.png"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "link.png").symlink_to("photo.png")
    return tmp_path


@pytest.mark.parametrize(
    ("out", "default", "source", "named"),
    [
        ("photo.png", "maps.png", "photo.png", "photo.png"),
        ("cats/../photo.png", "maps.png", "photo.png", "cats/../photo.png"),
        ("link.png", "maps.png", "photo.png", "link.png"),
        (None, "photo.png", "photo.png", "photo.png"),
        ("cats/a.png", "excite.png", "cats", "cats/a.png"),
    ],
)
def test_what_is_read_is_not_replaced(photo, out, default, source, named):
    with pytest.raises(ArgumentError) as error:
        picture_file(out, default, None, source, "digits")
    assert str(error.value) == ITSELF.format(named)


def test_any_other_file_that_is_named_is(photo):
    assert str(picture_file("other.png", "maps.png", "photo.png", "cats", None, "digits")) == "other.png"
    assert str(picture_file("cats/new.png", "maps.png", "cats")) == "cats/new.png"
    assert str(picture_file(None, "maps.png", "photo.png")) == "maps.png"


@pytest.mark.parametrize(
    "words",
    [
        ("maps", "photo.png"),
        ("shift", "photo.png"),
        ("attribute", "photo.png"),
        ("trace", "photo.png", "--layer", "conv2d"),
        ("maximize", "--class", "1", "--start", "photo.png"),
    ],
    ids=lambda words: words[0],
)
def test_every_verb_keeps_the_picture(place, tmp_path, monkeypatch, convista, words):
    shutil.copy(place / "my run" / "example.png", tmp_path / "photo.png")
    before = (tmp_path / "photo.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    verb, *rest = words
    done = convista(verb, place / "my run", *rest, "--out", "photo.png")
    assert (done.code, done.out, done.err) == (2, "", f"Error: {ITSELF.format('photo.png')}\n")
    assert (tmp_path / "photo.png").read_bytes() == before
    if verb != "maximize":
        done = convista(verb, place / "my run", *rest, "--out", "why.jpg")
        assert done.err == "Error: --out: a figure is written as a PNG file. Received why.jpg. Write --out why.png.\n"
