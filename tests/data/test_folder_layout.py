"""Splits, classes and files of a folder of pictures; names decide, nothing is opened."""

from __future__ import annotations

import os

import pytest

from convista.data.folder_layout import find_pictures
from convista.errors import ArgumentError, DataError


def made(root, *names):
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return root


def names(root, folder):
    return [os.path.relpath(path, root) for path in folder.paths]


def test_splits_and_classes(tmp_path):
    root = made(tmp_path, "train/dog/2.JPG", "train/cat/1.png", "Val/cat/3.webp", "test/dog/4.bmp", "README.txt")
    layout = find_pictures(root)
    assert (layout.classes, layout.is_split) == (("cat", "dog"), True)
    assert names(root, layout.splits["train"]) == ["train/cat/1.png", "train/dog/2.JPG"]
    assert layout.splits["train"].labels == (0, 1)
    assert names(root, layout.splits["validation"]) == ["Val/cat/3.webp"]
    assert layout.splits["test"].labels == (1,)


def test_one_folder_of_classes(tmp_path):
    root = made(tmp_path, "b/x.jpg", "a/deep/er/y.jpg", "a/notes.txt", "a/.hidden.jpg", ".git/z.jpg", "__MACOSX/q.jpg")
    layout = find_pictures(root)
    assert (layout.classes, layout.is_split) == (("a", "b"), False)
    assert names(root, layout.splits["train"]) == ["a/deep/er/y.jpg", "b/x.jpg"]
    assert [os.path.relpath(path, root) for path in layout.others] == ["a/notes.txt"]


def test_links_that_lead_round_in_circles_are_not_followed(tmp_path):
    root = made(tmp_path, "a/1.jpg", "b/2.jpg")
    (root / "a" / "again").symlink_to(root / "a")
    assert names(root, find_pictures(root).splits["train"]) == ["a/1.jpg", "b/2.jpg"]


def test_devices_and_pipes_are_no_pictures(tmp_path):
    root = made(tmp_path, "a/1.jpg", "b/2.jpg")
    os.mkfifo(root / "a" / "pipe.jpg")
    layout = find_pictures(root)
    assert names(root, layout.splits["train"]) == ["a/1.jpg", "b/2.jpg"]
    assert [os.path.basename(path) for path in layout.others] == ["pipe.jpg"]


def test_class_names_give_the_order_and_may_be_more(tmp_path):
    root = made(tmp_path, "cat/1.jpg", "dog/2.jpg")
    layout = find_pictures(root, ["dog", "cow", "cat"])
    assert layout.classes == ("dog", "cow", "cat")
    assert names(root, layout.splits["train"]) == ["dog/2.jpg", "cat/1.jpg"]
    assert layout.splits["train"].labels == (0, 2)


MISTAKES = [
    (
        (),
        None,
        DataError,
        "no folder in it. Put the pictures into folders named after their classes, such as cat/0001.jpg.",
    ),
    (("train/a/1.jpg", "test/b/2.jpg"), None, DataError, "test has no class that train lacks. Received 'b'. Known: a."),
    (("train/cats/1.jpg", "val/cat/2.jpg"), None, DataError, "Received 'cat'. Did you mean 'cats'?"),
    (
        ("a/1.jpg", "b/"),
        None,
        DataError,
        "a class has at least one picture to learn from. Received an empty folder 'b'",
    ),
    (
        ("val/a/1.jpg", "test/a/1.jpg"),
        None,
        DataError,
        "beside test/ or val/ there is a folder train/. Received test, val. Name the folder itself: ",
    ),
    (
        ("train/a/1.jpg", "val/a/1.jpg", "valid/a/1.jpg"),
        None,
        DataError,
        "there is one folder for validation. Received val and valid. Keep one of them.",
    ),
    (("cat/1.jpg", "dog/1.jpg"), ["cat", "dogs"], ArgumentError, "class_names has every class that has a folder. "),
    (("cat/1.jpg",), ["cat", "cat"], ArgumentError, "class_names are different names. Received class_names=['cat'"),
]


@pytest.mark.parametrize(("files", "class_names", "kind", "message"), MISTAKES)
def test_mistakes(tmp_path, files, class_names, kind, message):
    with pytest.raises(kind) as caught:
        find_pictures(made(tmp_path, *files), class_names)
    assert message in str(caught.value)


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError) as caught:
        find_pictures(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: there is no such folder. Check the path."


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("cats")
    with pytest.raises(DataError) as caught:
        find_pictures(tmp_path / "notes.txt")
    assert str(caught.value) == (
        f"{tmp_path / 'notes.txt'}: a folder of pictures is needed, or a .tar of one, and this is another file. "
        f"Give the folder that holds the folders of the classes; {str(tmp_path)!r} holds this file."
    )
