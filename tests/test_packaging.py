"""What is published: wheel and sdist carry every file of the package, native library, data and licences included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".venv-peers", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "runs"),
    *(
        "*.so",
        "CMakeFiles",
        "CMakeCache.txt",
        "*.ninja",
        ".ninja_*",
        ".skbuild*",
        ".cmake",
        "CMakeInit.txt",
        "cmake_install.cmake",
    ),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that building leaves nothing in the working tree, with one more data file."""
    folder = tmp_path_factory.mktemp("published") / "convista"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    (folder / "src" / "convista" / "data").mkdir(exist_ok=True)
    (folder / "src" / "convista" / "data" / "probe.npz").write_bytes(b"a data file")
    return folder


def build(tree: Path, what: str, **environment: str) -> Path:
    """Build with nothing but these environment variables."""
    code = f"import scikit_build_core.build as b; print(b.build_{what}('dist'))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return tree / "dist" / run.stdout.splitlines()[-1]


def package_files(tree: Path) -> set[str]:
    files = [path for path in (tree / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(tree / "src").as_posix() for path in files}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler on PATH")
def test_the_wheel_has_the_native_library_and_fits_every_python_of_the_platform(tree: Path) -> None:
    wheel = build(tree, "wheel", PATH=os.environ["PATH"])
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.startswith(f"convista-{VERSION}-py3-none-")
    assert wheel.name.endswith(f"{platform.split('_')[-1]}.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == package_files(tree) | {"convista/kernels/_native.so"}


def test_without_a_compiler_the_wheel_has_every_other_file_and_fits_every_platform(tree: Path) -> None:
    wheel = build(tree, "wheel", PATH=os.environ["PATH"], CXX="no-such-compiler")
    assert wheel.name == f"convista-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = f"convista-{VERSION}.dist-info"
    assert "convista/data/probe.npz" in names
    assert {name for name in names if not name.startswith(metadata)} == package_files(tree)
    assert {f"{metadata}/licenses/LICENSE", f"{metadata}/licenses/NOTICE", f"{metadata}/entry_points.txt"} <= names


def test_the_sdist_has_every_file(tree: Path) -> None:
    with tarfile.open(build(tree, "sdist", PATH="")) as archive:
        names = {name.removeprefix(f"convista-{VERSION}/") for name in archive.getnames()}
    assert {f"src/{name}" for name in package_files(tree)} <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "Makefile", "requirements/lock.txt"} <= names
    assert "tests/test_packaging.py" in names
    sources = {path.relative_to(tree).as_posix() for path in (tree / "native").rglob("*.[hc]*")}
    assert "native/ffi.cc" in sources
    assert sources | {"native/CMakeLists.txt", "native/third_party/xla/LICENSE"} <= names
