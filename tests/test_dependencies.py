"""A plain installation stays small, and the code imports only what it declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MOST_PACKAGES = 35
IMPORT_NAMES = {"pillow": "PIL", "ml-dtypes": "ml_dtypes", "huggingface-hub": "huggingface_hub"}
RAISED_BY = {"pooch": {"requests", "urllib3"}}  # whose errors its downloads raise


def closure(requirements: list[str]) -> set[str]:
    """The names of all packages that the requirements bring along, themselves included."""
    found: set[str] = set()
    asked: set[tuple[str, frozenset[str]]] = set()
    queue = [(Requirement(line), "") for line in requirements]
    while queue:
        requirement, extra = queue.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in asked:
            continue
        asked.add(key)
        found.add(name)
        for line in metadata.requires(name) or []:
            queue += [(Requirement(line), extra) for extra in ["", *requirement.extras]]
    return found


def pinned() -> dict[str, str]:
    lines = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line) for line in lines if line and line[0] != "#"]
    assert all(pins), "every line of the lock is a comment or NAME==VERSION"
    return {pin[1]: pin[2] for pin in pins if pin}


def third_party(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"convista"}


def test_a_plain_installation_has_at_most_35_packages() -> None:
    packages = closure(PROJECT["dependencies"]) | {"convista"}
    assert len(packages) <= MOST_PACKAGES, sorted(packages)


def test_the_count_follows_requirements_of_requirements_and_extras() -> None:
    assert {"pooch", "requests", "urllib3"} <= closure(["pooch"])
    assert "requests" not in closure(["click"])
    assert len(closure(["keras", "hypothesis", "mypy", *PROJECT["dependencies"]])) > MOST_PACKAGES


def test_the_lock_pins_everything_that_is_installed_and_nothing_else() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(pinned()) == closure([*PROJECT["dependencies"], *extras["test"], *extras["lint"]])


def test_the_lock_fits_the_declared_ranges() -> None:
    pins = pinned()
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *extras["test"], *extras["lint"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line
    assert not SpecifierSet(">=0.10,<0.13").contains("0.13.0")


def test_every_imported_package_is_declared() -> None:
    names = [canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]]
    declared = {IMPORT_NAMES.get(name, name) for name in names}.union(*(RAISED_BY.get(name, ()) for name in names))
    optional = PROJECT["optional-dependencies"]
    extras = [line for name, lines in optional.items() if name not in ("test", "lint") for line in lines]
    declared |= {
        IMPORT_NAMES.get(name, name) for name in (canonicalize_name(Requirement(line).name) for line in extras)
    }
    for path in sorted((ROOT / "src").rglob("*.py")):
        undeclared = third_party(path.read_text(encoding="utf-8")) - declared
        assert not undeclared, f"{path.relative_to(ROOT)} imports {sorted(undeclared)}"


def test_an_undeclared_import_is_found() -> None:
    assert third_party("def f():\n    from scipy.signal import convolve\nimport os, jax.numpy") == {"scipy", "jax"}
