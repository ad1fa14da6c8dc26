"""What is wrong with a folder: each kind of trouble is found, and a good folder has none."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from convista.data import check_folder, image_folder
from convista.data.folder_check import ClassCount, Finding, _near_hashes
from convista.errors import DataError
from oracles.cifar_files import tar


def photo(seed: int, side: int = 64) -> Image.Image:
    """A smooth coloured picture, unlike the others."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def good(tmp_path):
    root = tmp_path / "pets"
    for split, count in (("train", 6), ("test", 3)):
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                photo(number + 100 * label + 1000 * len(split)).save(root / split / name / f"{number}.png")
    return root


def found(root, kind=None):
    findings = check_folder(root).findings
    return findings if kind is None else [finding for finding in findings if finding.kind == kind]


def test_a_good_folder(good):
    seen = []
    check = check_folder(good, watch=lambda *counts: seen.append(counts))
    assert check.findings == check.errors == ()
    assert check.classes == (ClassCount("cat", 6, 0, 3), ClassCount("dog", 6, 0, 3))
    assert (check.pictures, check.sizes, check.folder) == (18, ((64, 64, 18),), good)
    assert seen[-1] == (18, 18)
    assert json.loads(json.dumps(check.document()))["errors"] == 0


def test_files_that_are_no_pictures(good):
    (good / "train" / "cat" / "0.png").write_bytes(b"")
    (good / "train" / "cat" / "1.png").write_bytes(b"GIF87 or so")
    cut = (good / "train" / "dog" / "2.png").read_bytes()
    (good / "train" / "dog" / "2.png").write_bytes(cut[: len(cut) // 2])
    with open(good / "test" / "dog" / "huge.png", "wb") as file:
        file.truncate(1 << 29)
    os.symlink("/nowhere", good / "train" / "dog" / "link.png")
    assert found(good, "empty") == [Finding("empty", "error", "1 file is empty", (("train/cat/0.png",),))]
    assert found(good, "unreadable") == [
        Finding(
            "unreadable",
            "error",
            "2 files are no picture that can be read",
            (("train/cat/1.png",), ("train/dog/2.png",)),
        )
    ]
    assert found(good, "too large") == [
        Finding(
            "too large",
            "error",
            "1 file is too large: a picture has at most 89478485 pixels and 268435456 bytes",
            (("test/dog/huge.png",),),
        )
    ]
    assert found(good, "other files")[0].files == (("train/dog/link.png",),)
    assert len(check_folder(good).errors) == 3


def test_a_bomb(good):
    Image.new("1", (20000, 20000)).save(good / "train" / "cat" / "bomb.png")
    assert (good / "train" / "cat" / "bomb.png").stat().st_size < 100_000
    assert [finding.files for finding in found(good, "too large")] == [(("train/cat/bomb.png",),)]


def test_the_same_picture_twice(good):
    train, test = good / "train", good / "test"
    (test / "cat" / "9.png").write_bytes((train / "cat" / "0.png").read_bytes())
    (train / "dog" / "9.png").write_bytes((train / "cat" / "1.png").read_bytes())
    (train / "dog" / "8.png").write_bytes((train / "dog" / "2.png").read_bytes())
    assert found(good) == (
        Finding(
            "duplicate across splits",
            "error",
            "1 picture is in several splits",
            (("train/cat/0.png", "test/cat/9.png"),),
        ),
        Finding(
            "duplicate across classes",
            "error",
            "1 picture has several classes",
            (("train/cat/1.png", "train/dog/9.png"),),
        ),
        Finding("duplicate", "warning", "1 picture is there more than once", (("train/dog/2.png", "train/dog/8.png"),)),
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((40, 48)),
        lambda image: ImageEnhance.Brightness(image).enhance(0.93),
        lambda image: image.crop((1, 1, 63, 64)),
        lambda image: image.quantize(64).convert("RGB"),
    ],
)
def test_pictures_that_look_the_same(good, change):
    change(photo(1 + 5000)).save(good / "test" / "cat" / "near.jpg", quality=60)
    pairs = found(good, "near duplicate across splits")
    assert [pair.files for pair in pairs] == [(("train/cat/1.png", "test/cat/near.jpg"),)]
    assert pairs[0].message == "1 pair of pictures in different splits looks the same"
    assert pairs[0].severity == "warning"


def test_pictures_that_do_not_look_the_same(good):
    photo(1 + 5000).transpose(Image.Transpose.ROTATE_90).save(good / "test" / "cat" / "turned.jpg")
    Image.eval(photo(2 + 5000), lambda value: 255 - value).save(good / "test" / "cat" / "inverted.jpg")
    assert found(good) == ()


def test_near_hashes_are_those_of_a_slow_search():
    draw = np.random.default_rng(0)
    bits = draw.integers(0, 1 << 63, 60, dtype=np.uint64)
    flipped = bits[:30].copy()
    for place in range(30):
        for bit in draw.choice(64, place % 8, replace=False):
            flipped[place] ^= np.uint64(1) << np.uint64(bit)
    every = np.concatenate([bits, flipped])
    slow = [
        [one, other]
        for one in range(len(every))
        for other in range(one + 1, len(every))
        if (int(every[one]) ^ int(every[other])).bit_count() <= 7
    ]
    assert _near_hashes(every).tolist() == slow
    assert len(slow) == 30


def test_classes_of_different_sizes(good):
    for number in range(6, 18):
        photo(number).save(good / "train" / "cat" / f"{number}.png")
    for path in (good / "test" / "dog").iterdir():
        path.unlink()
    assert [finding.message for finding in found(good)] == [
        "classes differ in size: 'cat' has 18 pictures to learn from, 'dog' 6",
        "1 class has no test pictures: dog",
    ]


def test_grey_tiny_and_misnamed_pictures(good):
    photo(77).convert("L").save(good / "train" / "cat" / "grey.png")
    photo(78).convert("L").convert("RGB").save(good / "train" / "cat" / "grey.jpg")
    photo(79, 6).save(good / "train" / "dog" / "tiny.png")
    photo(80).save(good / "train" / "dog" / "photo.jpg", format="PNG")
    (good / "train" / "dog" / "notes.txt").write_text("x")
    by_kind = {finding.kind: finding for finding in found(good)}
    assert by_kind["mixed colour"].message == "2 pictures are grey among 20 coloured ones"
    assert by_kind["mixed colour"].files == (("train/cat/grey.jpg",), ("train/cat/grey.png",))
    assert by_kind["tiny"].files == (("train/dog/tiny.png",),)
    assert by_kind["tiny"].message == "1 picture is tiny: a side of less than 16 pixels"
    assert by_kind["wrong suffix"].message == "1 file has the suffix of another format; inside: PNG"
    assert by_kind["wrong suffix"].files == (("train/dog/photo.jpg",),)
    assert by_kind["several sizes"].message == "pictures have 2 sizes: 64×64 (21), 6×6 (1)"
    assert by_kind["other files"].files == (("train/dog/notes.txt",),)
    assert [finding.severity for finding in found(good)] == ["warning"] * 3 + ["note"] * 2


def test_the_result_does_not_depend_on_threads(good):
    (good / "train" / "cat" / "0.png").write_bytes(b"")
    assert check_folder(good, workers=1) == check_folder(good, workers=4)


def test_archives_and_folders_that_are_none(good, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path / "home"))
    files = {str(path.relative_to(good)): path.read_bytes() for path in good.rglob("*.png")}
    assert check_folder(tar(tmp_path / "pets.tar", files, "w")).pictures == 18
    with pytest.raises(DataError, match="there is no such folder"):
        check_folder(tmp_path / "none")
    capsys.readouterr()


@pytest.mark.slow
def test_real_near_duplicates(data_folder, tmp_path):
    """Known pairs of CIFAR-10: the same bird and the same truck in its two halves."""
    from convista.data.archives import tar_members

    path = data_folder / "cifar10" / "cifar10-images.tar.xz"
    if not path.is_file():
        pytest.skip("CONVISTA_DATA has no cifar10/cifar10-images.tar.xz")
    pairs = [("train/bird/3554.jpg", "test/bird/0688.jpg"), ("train/truck/3722.jpg", "test/truck/0684.jpg")]
    others = [
        f"{split}/{name}/{number:04}.jpg"
        for split in ("train", "test")
        for name in ("bird", "truck")
        for number in range(40)
    ]
    names = {name for pair in pairs for name in pair} | set(others)
    for member, content in tar_members(path, lambda member: str(member) in names, largest=1 << 20):
        (tmp_path / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / member).write_bytes(content)
    near = [finding for finding in check_folder(tmp_path).findings if finding.kind == "near duplicate across splits"]
    assert [set(finding.files) for finding in near] == [set(pairs)]


def test_damaged_files_are_an_error_here_and_skipped_in_training(tmp_path, capsys):
    """Hundreds of damaged pictures: both agree on which are none, and nothing else is raised."""
    draw = np.random.default_rng(3)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for number, suffix in enumerate(["jpg", "png", "webp", "gif", "tiff", "bmp", "jp2", "ppm"] * 25):
        path = tmp_path / "set" / ("cat", "dog")[number % 2] / f"{number:03}.{suffix}"
        photo(number % 9, 24).save(path)
        content = bytearray(path.read_bytes())
        for _ in range(draw.integers(0, 12)):
            content[draw.integers(len(content))] = draw.integers(256)
        path.write_bytes(content[: len(content) - draw.integers(0, 2) * draw.integers(len(content) // 2)])
    check = check_folder(tmp_path / "set")
    bad = {file for finding in check.errors if "dup" not in finding.kind for (file,) in finding.files}
    found = image_folder(tmp_path / "set", image_size=16)
    seen = sum(len(x) for x, y in found)
    assert {os.path.relpath(one.path, tmp_path / "set") for one in found.skipped} == bad
    assert seen == 200 - len(bad)
    assert 20 < len(bad) < 190
    capsys.readouterr()
