"""`convista filter`: the picture it writes and the words it prints."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.cli.filter import KERNELS
from convista.insight.filtering import filter_picture
from convista.ops.filters import NAMES


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return pixels


def test_names_are_those_of_the_layer():
    assert sorted(KERNELS) == sorted(NAMES)


def test_a_picture_is_written_and_explained(photo, convista):
    done = convista("filter", "photo.png", "--kernel", "sobel")
    assert done.code == 0, done.err
    expected = filter_picture(photo, "sobel")
    assert done.out == f"photo-sobel.png\n{expected.meaning}\n"
    with Image.open("photo-sobel.png") as image:
        np.testing.assert_array_equal(np.asarray(image), expected.picture)


def test_options_and_json(photo, convista):
    words = ("--kernel", "gaussian_blur", "--sigma", "1.2", "--border", "zeros", "--out", "soft.png", "--json")
    document = convista("filter", "photo.png", *words).document
    expected = filter_picture(photo, "gaussian_blur", sigma=1.2, padding="same")
    assert document == {"picture": "photo.png", "saved": "soft.png", **expected.document()}
    assert convista("filter", "photo.png", "--kernel", "box_blur", "--size", 5, "--border", "none").code == 0
    with Image.open("photo-box_blur.png") as image:
        assert image.size == (5, 4)


def test_nothing_is_lost(photo, convista):
    assert convista("filter", "photo.png", "--kernel", "sharpen").code == 0
    again = convista("filter", "photo.png", "--kernel", "sharpen")
    assert again.code == 2
    assert again.err == (
        "Error: --out: nothing is overwritten unless it is named. Received photo-sharpen.png, which exists. "
        "Add --out photo-sharpen.png to replace it.\n"
    )
    assert convista("filter", "photo.png", "--kernel", "sharpen", "--out", "photo-sharpen.png").code == 0
    itself = convista("filter", "photo.png", "--kernel", "sharpen", "--out", "photo.png")
    assert itself.code == 2
    assert itself.err == (
        "Error: --out: the picture itself is not overwritten. Received photo.png, which exists. "
        "Name another file with --out.\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("photo.png", "--kernel", "sobell"), 2, "'sobell' is not one of"),
        (("none.png", "--kernel", "sobel"), 3, "none.png"),
        (("photo.png", "--kernel", "box_blur", "--size", "4"), 2, "size is odd and at most 63"),
        (("photo.png", "--kernel", "sobel", "--out", "a.xyz"), 2, "a picture's name ends in"),
        (("photo.png", "--kernel", "sobel", "--out", "no/a.png"), 2, "Make it first: mkdir -p no."),
    ],
)
def test_what_cannot_be(photo, convista, words, code, message):
    done = convista("filter", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert "Error inside" not in done.err
