"""The pages on layers, models and training: every code block runs as it stands."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from PIL import Image

from convista.layers import base

DOCS = Path(__file__).parents[1] / "docs"
RUN = ["augmentation.md", "layers.md", "model.md", "sequential.md", "fit.md"]
DOCTESTS = ["losses.md", "metrics.md", "optimizers.md", "callbacks.md"]


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", RUN)
def test_code_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(base, "_REGISTRY", base.registered())  # a page may register a layer of its own
    text = (DOCS / name).read_text(encoding="utf-8")
    assert blocks(text)
    names: dict[str, object] = {}
    for block in blocks(text):
        exec(compile(block, name, "exec"), names)  # noqa: S102 - our own pages


@pytest.mark.parametrize("name", RUN)
def test_links_lead_somewhere(name):
    text = (DOCS / name).read_text(encoding="utf-8")
    assert [link for link in re.findall(r"\]\(([\w.-]+)\)", text) if not (DOCS / link).exists()] == []


def test_blocks_are_found():
    assert blocks("a\n```python\nx = 1\n```\n```sh\nls\n```\n```python\ny\n```\n") == ["x = 1\n", "y\n"]


@pytest.mark.parametrize("name", DOCTESTS)
def test_examples_give_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(DOCS / name), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_the_readme_example_on_digits_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGBA", (50, 30), "white").save("photo.png")
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    example = next(block for block in blocks(text) if 'load("digits")' in block)
    exec(compile(example.replace("epochs=10", "epochs=1"), "README.md", "exec"), {})  # noqa: S102 - our own page
