"""`convista demo`: the main job of the whole library."""

from __future__ import annotations

import shlex

import pytest

from convista.insight.runs import OURS


@pytest.mark.slow
def test_demo_reaches_its_promise_and_its_commands_run(tmp_path, convista, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVISTA_OFFLINE", "1")
    done = convista("demo", "--out", "first run")
    assert done.code == 0, done.err
    assert {file.name for file in (tmp_path / "first run").iterdir()} == set(OURS)
    commands = [line.strip() for line in done.out.partition("Try next:\n")[2].splitlines()]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        again = convista(*words[words.index("convista") + 1 :], "--json")
        assert again.code == 0, again.err
        if "evaluate" in words:
            assert again.document["accuracy"] >= 0.985
