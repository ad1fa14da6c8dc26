"""The pages of the documentation: every code block runs as it stands, every link leads somewhere."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from convista import architectures
from convista.layers import base

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# tests/data/test_docs.py also compares what the page on data prints.
RUN = [name for name in PAGES if any(">>>" not in block for block in blocks(text_of(name))) and name != "data.md"]
DOCTESTS = [name for name in PAGES if any(">>>" in block for block in blocks(text_of(name)))]


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """The file that the demo leaves, which a page takes apart."""
    path = tmp_path_factory.mktemp("saved") / "digits.convista"
    architectures.get("digits-convnet")((8, 8, 1), 10, seed=0).save(path)
    return path


@pytest.mark.parametrize("name", RUN)
def test_code_runs(name, tmp_path, monkeypatch, saved_model):
    monkeypatch.chdir(tmp_path)
    shutil.copy(saved_model, tmp_path)
    monkeypatch.setattr(base, "_REGISTRY", base.registered())  # a page may register a layer of its own
    text = text_of(name)
    names: dict[str, object] = {}
    for block in (block for block in blocks(text) if ">>>" not in block):
        exec(compile(block, name, "exec"), names)  # noqa: S102 - our own pages


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([\w./-]+)\)", text_of(name))
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_pages_with_and_without_prompts_are_found():
    assert {"layers.md", "keras.md"} <= set(RUN)
    assert "losses.md" in DOCTESTS


def test_blocks_are_found():
    assert blocks("a\n```python\nx = 1\n```\n```sh\nls\n```\n```python\ny\n```\n") == ["x = 1\n", "y\n"]


@pytest.mark.parametrize("name", DOCTESTS)
def test_examples_give_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(DOCS / name), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_the_readme_examples_on_digits_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGBA", (50, 30), "white").save("photo.png")
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    found = [block for block in blocks(text) if 'load("digits")' in block or "model.explain()" in block]
    assert len(found) == 2
    names = {}
    for block in found:
        exec(compile(block.replace("epochs=10", "epochs=1"), "README.md", "exec"), names)  # noqa: S102 - our own page
    assert {path.name for path in tmp_path.glob("*.png")} == {"photo.png", "maps.png", "why.png"}
