"""The folders and switches that the environment names."""

from __future__ import annotations

from pathlib import Path

import pytest

from convista.errors import ArgumentError
from convista.folders import cache_folder, data_folder, must_stay_offline


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("CONVISTA_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/someone/.cache/convista")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/home/someone/.cache/convista")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder() == Path("/cache/convista")
    monkeypatch.setenv("CONVISTA_HOME", "~/c")
    assert cache_folder() == Path("/home/someone/c")


def test_the_data_folder(monkeypatch):
    monkeypatch.delenv("CONVISTA_DATA", raising=False)
    assert data_folder() is None
    monkeypatch.setenv("CONVISTA_DATA", "/data")
    assert data_folder() == Path("/data")


def test_offline(monkeypatch):
    monkeypatch.delenv("CONVISTA_OFFLINE", raising=False)
    assert not must_stay_offline()
    for value, expected in (("1", True), ("True", True), ("0", False), ("no", False)):
        monkeypatch.setenv("CONVISTA_OFFLINE", value)
        assert must_stay_offline() is expected
    monkeypatch.setenv("CONVISTA_OFFLINE", "maybe")
    with pytest.raises(ArgumentError) as caught:
        must_stay_offline()
    assert str(caught.value) == "CONVISTA_OFFLINE is 1 or 0. Received 'maybe'. Set it to 1 to stay offline."
