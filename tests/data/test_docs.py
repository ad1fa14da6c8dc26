"""The examples of the data page run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_the_examples_run_and_print_what_they_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    for said in re.findall(r"print\(.*?\) +# (.*)", "".join(examples)):
        assert said.split(": ")[0] in printed
