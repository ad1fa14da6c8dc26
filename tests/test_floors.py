"""The house: a file imports only lower floors and its own folder."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "convista"

FLOORS = {
    "errors": 0,
    "atomic": 0,
    "arguments": 0,
    "folders": 0,
    "shapes": 0,
    "kernels": 1,
    "ops": 2,
    "layers": 3,
    "data": 3,
    "training": 4,
    "models": 5,
    "architectures": 6,
    "insight": 6,
    "export": 6,
    "keras": 7,
    "torch": 7,
    "explorer": 7,
    "convista": 8,  # the public face, src/convista/__init__.py
    "cli": 9,
    "__main__": 10,
}
FILES = {"errors", "atomic", "arguments", "folders", "shapes", "__main__"}
WITHOUT_JAX = {"errors", "atomic", "arguments", "folders", "shapes", "data"}
DOORS = {"keras", "torch"}  # they repeat other people's names, `keras.utils` for one
VAGUE = {"utils", "common", "helpers", "core"}
QUESTIONS = ("convista.models.questions", "insight")  # a model can be asked; who answers lives a floor above
JAX = {"jax", "jaxlib", "optax"}
HEAVY = JAX | {"numpy", "scipy", "matplotlib", "PIL", "pooch", "keras", "torch"}


@dataclass(frozen=True)
class Import:
    """One imported module, as a dotted name, and whether importing the file imports it."""

    module: str
    line: int
    at_once: bool


def imports_of(source: str, module: str, is_package: bool, modules: frozenset[str]) -> list[Import]:
    """Every import in ``source``, relative ones resolved, ``from package import module`` told from names."""
    found: list[Import] = []

    def visit(node: ast.AST, at_once: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package)
            targets = [f"{base}.{alias.name}" for alias in node.names]
            submodules = [target for target in targets if target in modules]
            if len(submodules) < len(targets):
                found.append(Import(base, node.lineno, at_once))
            found.extend(Import(target, node.lineno, at_once) for target in submodules)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append(Import(first.value, node.lineno, at_once))
        for name, value in ast.iter_fields(node):
            later = (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and name == "body") or (
                isinstance(node, ast.If) and name == "body" and "TYPE_CHECKING" in ast.unparse(node.test)
            )
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    visit(child, at_once and not later)

    visit(ast.parse(source), True)
    return found


def _base(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    package = module.split(".") if is_package else module.split(".")[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def read_house(folder: Path) -> dict[str, str]:
    """Paths inside the package, with forward slashes, and what the files say."""
    paths = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def module_name(path: str) -> str:
    return ".".join(["convista", *path.removesuffix(".py").removesuffix("__init__").rstrip("/").split("/")]).rstrip(".")


def unit(module: str) -> str:
    """The folder or file directly under the package that a module belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "convista"


def wrong_imports(house: dict[str, str]) -> list[str]:
    """What in the house breaks its rules, one sentence each."""
    modules = frozenset(module_name(path) for path in house)
    imports = {
        module_name(path): imports_of(source, module_name(path), path.endswith("__init__.py"), modules)
        for path, source in house.items()
    }
    paths = {module_name(path): path for path in house}
    problems = []
    for path in house:
        problems += _misplaced(path)
    for module, found in imports.items():
        for item in found:
            asks = not item.at_once and (module, unit(item.module)) == QUESTIONS
            reason = None if asks else _forbidden(unit(module), item)
            if reason:
                problems.append(f"{paths[module]}:{item.line} {reason}")
    for module in modules:
        if unit(module) in {"cli", "convista", "__main__"}:
            problems += _loads_heavy(module, imports, paths)
    return sorted(problems)


def _misplaced(path: str) -> list[str]:
    top, *below = path.removesuffix(".py").split("/")
    problems = []
    if path != "__init__.py" and (top not in FLOORS or (top in FILES) == bool(below)):
        problems.append(f"{path} has no floor: the design page names no such {'folder' if below else 'file'}")
    if top not in DOORS:
        problems += [f"{path}: '{part}' says nothing; name it after its noun" for part in below if part in VAGUE]
    return problems


def _forbidden(here: str, item: Import) -> str | None:
    root = item.module.split(".")[0]
    if here in WITHOUT_JAX and root in JAX:
        return f"'{here}' must work without JAX, but imports {item.module}"
    if root != "convista":
        return None
    there = unit(item.module)
    if there == here or (here in FLOORS and FLOORS[here] == 0 and FLOORS.get(there) == 0):
        return None
    if here == "convista" and not item.at_once:
        return None
    if here not in FLOORS or there not in FLOORS:
        return f"imports {item.module}, which has no floor" if there not in FLOORS else None
    if FLOORS[there] >= FLOORS[here]:
        return f"'{here}' (floor {FLOORS[here]}) imports {item.module} (floor {FLOORS[there]})"
    if here == "data" and FLOORS[there] > 0:
        return f"'data' stands on the ground floor alone, but imports {item.module}"
    return None


def _loads_heavy(start: str, imports: dict[str, list[Import]], paths: dict[str, str]) -> list[str]:
    """Heavy libraries that importing ``start`` loads, with the way there."""
    ways = {start: paths[start]}
    queue = [start]
    problems = []
    while queue:
        module = queue.pop()
        for item in imports[module]:
            if not item.at_once:
                continue
            if item.module.split(".")[0] in HEAVY:
                problems.append(f"{ways[module]}:{item.line} loads {item.module} when {start} is imported")
            parts = item.module.split(".")
            for name in [".".join(parts[: end + 1]) for end in range(len(parts))]:
                if name in imports and name not in ways:
                    ways[name] = f"{ways[module]}:{item.line} -> {paths[name]}"
                    queue.append(name)
    return problems


def test_the_house_stands() -> None:
    house = read_house(SOURCE)
    assert "errors.py" in house
    assert wrong_imports(house) == []


def test_every_folder_has_a_floor() -> None:
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(FLOORS) - FILES


def test_imports_of_the_standard_library_are_not_mistaken_for_heavy_ones() -> None:
    assert not HEAVY & sys.stdlib_module_names


GOOD = {
    "__init__.py": "from convista.errors import ArgumentError\ndef __getattr__(name):\n    import convista.models\n",
    "__main__.py": "from convista.cli import main",
    "errors.py": "import difflib",
    "shapes.py": "from convista.errors import ShapeError",
    "data/__init__.py": "",
    "data/idx.py": "import numpy\nfrom convista import errors\nfrom . import idx",
    "layers/dense.py": "import jax\nfrom convista.shapes import pair",
    "training/__init__.py": "",
    "training/step.py": "import optax\nfrom convista.data.idx import read",
    "models/__init__.py": "from convista.training import step\nfrom convista.layers import dense",
    "models/questions.py": "def trace():\n    from convista.insight import trace",
    "keras/utils.py": "from convista.models import Sequential",
    "cli/__init__.py": (
        "import click\nfrom convista.errors import ConvistaError\ndef main():\n    import jax, convista.models"
    ),
}


def test_a_good_house_has_no_wrong_imports() -> None:
    assert wrong_imports(GOOD) == []


@pytest.mark.parametrize(
    ("path", "source", "problem"),
    [
        (
            "layers/dense.py",
            "from convista.training.step import step",
            "layers/dense.py:1 'layers' (floor 3) imports convista.training.step (floor 4)",
        ),
        (
            "models/questions.py",
            "from convista.insight import trace",
            "models/questions.py:1 'models' (floor 5) imports convista.insight (floor 6)",
        ),
        (
            "models/model.py",
            "def f():\n    from convista.insight import trace",
            "models/model.py:2 'models' (floor 5) imports convista.insight (floor 6)",
        ),
        (
            "layers/dense.py",
            "def f():\n    from ..models import Sequential",
            "layers/dense.py:2 'layers' (floor 3) imports convista.models (floor 5)",
        ),
        (
            "layers/dense.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from convista import models",
            "layers/dense.py:3 'layers' (floor 3) imports convista.models (floor 5)",
        ),
        (
            "layers/dense.py",
            "import importlib\nimportlib.import_module('convista.models')",
            "layers/dense.py:2 'layers' (floor 3) imports convista.models (floor 5)",
        ),
        (
            "layers/dense.py",
            "from convista.data.idx import read",
            "layers/dense.py:1 'layers' (floor 3) imports convista.data.idx (floor 3)",
        ),
        (
            "models/__init__.py",
            "from convista import Sequential",
            "models/__init__.py:1 'models' (floor 5) imports convista (floor 8)",
        ),
        (
            "data/idx.py",
            "def f():\n    import jax.numpy as jnp",
            "data/idx.py:2 'data' must work without JAX, but imports jax.numpy",
        ),
        ("shapes.py", "from jax import numpy", "shapes.py:1 'shapes' must work without JAX, but imports jax"),
        (
            "shapes.py",
            "from convista.layers import dense",
            "shapes.py:1 'shapes' (floor 0) imports convista.layers.dense (floor 3)",
        ),
        (
            "cli/train.py",
            "import numpy as np",
            "cli/train.py:1 loads numpy when convista.cli.train is imported",
        ),
        (
            "cli/train.py",
            "from convista.data import idx",
            "cli/train.py:1 -> data/idx.py:1 loads numpy when convista.cli.train is imported",
        ),
        (
            "__init__.py",
            "from convista.models import Sequential",
            "__init__.py:1 -> models/__init__.py:1 -> training/step.py:1 loads optax when convista is imported",
        ),
        ("tools/x.py", "", "tools/x.py has no floor: the design page names no such folder"),
        ("math.py", "", "math.py has no floor: the design page names no such file"),
        ("layers.py", "", "layers.py has no floor: the design page names no such file"),
        ("errors/x.py", "", "errors/x.py has no floor: the design page names no such folder"),
        ("layers/utils.py", "", "layers/utils.py: 'utils' says nothing; name it after its noun"),
        ("models/core/x.py", "", "models/core/x.py: 'core' says nothing; name it after its noun"),
        (
            "cli/__init__.py",
            "def main():\n    from convista.tools import x",
            "cli/__init__.py:2 imports convista.tools, which has no floor",
        ),
    ],
)
def test_a_wrong_import_is_found(path: str, source: str, problem: str) -> None:
    assert problem in wrong_imports(GOOD | {path: source})
