"""`--out` is checked before the work begins."""

from __future__ import annotations

import os

import pytest

from convista.cli.out_file import check_out
from convista.errors import ArgumentError


def test_what_can_be_written(tmp_path):
    check_out(tmp_path / "a.png")


def test_what_cannot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError) as error:
        check_out("no dir/a.png")
    assert str(error.value) == (
        "--out: the folder of the file is there. Received no dir/a.png. Make it first: mkdir -p 'no dir'."
    )
    (tmp_path / "place").mkdir()
    with pytest.raises(ArgumentError) as error:
        check_out("place")
    assert str(error.value) == (
        "--out: a file is written, not a folder. Received place. Name a file in it, such as place/NAME."
    )
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    with pytest.raises(ArgumentError) as error:
        check_out("a.png")
    assert str(error.value) == (
        f"--out: the folder {tmp_path} may be written. Received a.png. Name a file in another folder."
    )
