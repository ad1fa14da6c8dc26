"""Archives of pictures: whole or not at all, and never a file outside their folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from convista.data.archive_folder import is_archive, unpack_pictures
from convista.errors import DataError
from oracles.cifar_files import tar


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    return stream.getvalue()


GOOD = {f"{split}/{name}/{number}.png": picture() for split in ("train", "test") for name in "ab" for number in (1, 2)}


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("ending", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz")]
)
def test_unpacked_once(tmp_path, home, capsys, ending, mode):
    path = tar(tmp_path / f"pets{ending}", {**GOOD, "notes.txt": b"x", "train/a/._1.png": b"x"}, mode)
    folder = unpack_pictures(path)
    assert files_in(folder) == sorted(GOOD)
    assert folder.is_relative_to(home)
    assert capsys.readouterr().err == f"Unpacking {path} into {folder}; this is done once.\n"
    assert unpack_pictures(path) == folder
    assert capsys.readouterr().err == ""
    other = tar(tmp_path / f"pets{ending}", {"train/a/9.png": picture()}, mode)
    assert unpack_pictures(other) != folder


def test_the_folder_that_was_packed_is_looked_through(tmp_path):
    path = tar(tmp_path / "a.tar", {f"./my pets/{name}": content for name, content in GOOD.items()}, "w")
    assert files_in(unpack_pictures(path)) == sorted(GOOD)
    path = tar(tmp_path / "b.tar", {"train/cat/1.png": picture()}, "w")
    assert files_in(unpack_pictures(path)) == ["train/cat/1.png"]


def test_names_of_archives(tmp_path):
    (tmp_path / "folder.tar").mkdir()
    assert is_archive(Path("a.TAR.XZ"))
    assert not is_archive(tmp_path / "folder.tar")
    assert not is_archive(Path("a.zip"))


def refused(tmp_path, home, path: Path, **options) -> str:
    before = {file for file in tmp_path.rglob("*") if not file.is_relative_to(home)}
    with pytest.raises(DataError) as caught:
        unpack_pictures(path, **options)
    assert {file for file in tmp_path.rglob("*") if not file.is_relative_to(home)} == before
    assert files_in(home) == []
    assert list((home / "folders").iterdir()) == []
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/evil.png", "train/../../../evil.png"])
def test_no_path_leaves_the_folder(tmp_path, home, name):
    message = refused(tmp_path, home, tar(tmp_path / "a.tar", {**GOOD, name: picture()}, "w"))
    assert message == f"members stay inside their archive. Received {name!r}."


@pytest.mark.parametrize("name", ["train\\..\\evil.png", "C:evil.png"])
def test_names_that_mean_something_elsewhere(tmp_path, home, name):
    message = refused(tmp_path, home, tar(tmp_path / "a.tar", {**GOOD, name: picture()}, "w"))
    assert message == (
        f"the names in an archive are plain and at most 255 bytes long. Received {name!r}. Rename the file and pack "
        "the folder again."
    )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE])
def test_links_and_devices_are_passed_over(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in GOOD.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name in ("train/a/link.png", "train/c"):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(tmp_path)
            archive.addfile(info)
        info = tarfile.TarInfo("train/c/inside.png")  # through the link, if it had been made
        info.size = len(picture())
        archive.addfile(info, io.BytesIO(picture()))
    before = set(tmp_path.iterdir())
    folder = unpack_pictures(path)
    assert files_in(folder) == sorted([*GOOD, "train/c/inside.png"])
    assert not any(file.is_symlink() for file in folder.rglob("*"))
    assert set(tmp_path.iterdir()) - before == {tmp_path / "home"}


def test_the_same_name_twice(tmp_path, home):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            info = tarfile.TarInfo("train/a/1.png")
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    assert refused(tmp_path, home, path) == "an archive has each name once. Received 'train/a/1.png'."
    nested = tar(tmp_path / "b.tar", {"train/a.png": b"x", "train/a.png/b.png": b"x"}, "w")
    assert refused(tmp_path, home, nested) == "an archive has each name once. Received 'train/a.png/b.png'."


def test_more_than_was_allowed(tmp_path, home):
    path = tar(tmp_path / "a.tar.xz", {"train/a/1.png": bytes(1 << 20)}, "w:xz")
    assert path.stat().st_size < 5000
    message = refused(tmp_path, home, path, largest=1 << 16)
    assert message == "an archive may unpack to at most 65536 bytes."


def test_a_member_that_says_it_is_enormous(tmp_path, home):
    info = tarfile.TarInfo("train/a/1.png")
    info.size = 1 << 40
    (tmp_path / "a.tar").write_bytes(info.tobuf() + bytes(1024))
    message = refused(tmp_path, home, tmp_path / "a.tar")
    assert message == (f"a member of this archive has at most 268435456 bytes. Received 'train/a/1.png' of {1 << 40}.")


def test_a_truncated_archive_leaves_nothing(tmp_path, home):
    whole = tar(tmp_path / "a.tar.gz", GOOD).read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path, home, tmp_path / "a.tar.gz").startswith("the archive cannot be read to its end (")


def test_deep_and_empty_archives(tmp_path, home):
    deep = tar(tmp_path / "a.tar", {"a/" * 30 + "1.png": b"x"}, "w")
    assert refused(tmp_path, home, deep).startswith("pictures lie at most 16 folders deep. Received 'a/a/a")
    empty = tar(tmp_path / "b.tar", {"a.txt": b"x"}, "w")
    assert refused(tmp_path, home, empty) == (
        "an archive of pictures has one folder for each class, in train/ and test/ or directly. "
        "Received no picture in a folder. Pack the folder again, with suffixes such as .jpg or .png."
    )


def test_a_name_that_no_disk_takes(tmp_path, home):
    path = tar(tmp_path / "a.tar", {f"a/{'x' * 300}.png": b"x"}, "w")
    assert refused(tmp_path, home, path) == (
        f"the names in an archive are plain and at most 255 bytes long. Received 'a/{'x' * 197}. Rename the file and "
        "pack the folder again."
    )
