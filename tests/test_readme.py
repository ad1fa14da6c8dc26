"""README and CONTRIBUTING promise nothing that is not there."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def unknown_targets(text: str, makefile: str) -> set[str]:
    known = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    return set(re.findall(r"\bmake ([a-z-]+)", " ".join(re.findall(r"`[^`]+`", text)))) - known


def broken_links(text: str) -> list[str]:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    return [link for link in links if not (ROOT / link).exists()]


@pytest.mark.parametrize("name", PAGES)
def test_named_targets_and_linked_files_exist(name: str) -> None:
    assert unknown_targets(page(name), page("Makefile")) == set()
    assert broken_links(page(name)) == []


def test_an_unknown_target_and_a_broken_link_are_found() -> None:
    assert unknown_targets("`make tea` and `make test`", "test: stamp\n") == {"tea"}
    assert broken_links("[here](README.md) and [there](docs/nowhere.md)") == ["docs/nowhere.md"]


@pytest.mark.parametrize("name", PAGES)
def test_python_examples_parse(name: str) -> None:
    for example in re.findall(r"```python\n(.*?)```", page(name), flags=re.DOTALL):
        ast.parse(example)


def test_make_alone_says_what_can_be_made() -> None:
    run = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "lint", "format", "bench", "clean"):
        assert re.search(rf"^  make {target} +\S", run.stdout, flags=re.MULTILINE), run.stdout


def test_make_without_a_recent_python_says_what_to_do() -> None:
    """`make` resolves PYTHON to nothing where no interpreter is new enough."""
    run = subprocess.run(
        ["make", "-s", "demo", "PYTHON=", "VENV=build/no-such-venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.splitlines()[:2] == [
        "Convista needs Python 3.11 or newer, and none was found on PATH.",
        "Install one (Debian and Ubuntu: apt install python3 python3-venv) or name it: "
        "make PYTHON=/path/to/python3.11 demo",
    ]
