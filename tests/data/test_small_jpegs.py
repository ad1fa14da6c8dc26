"""Small JPEG files by the short way: the same pixels and the same refusals as by Pillow's own."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

from convista.data import pictures
from convista.data.pictures import Preprocessing, read_picture
from convista.data.small_jpegs import MOST_BYTES, open_small_jpeg
from convista.errors import DataError

TURNED = Image.Exif()
TURNED[0x0112] = 6


def noise(size=(40, 30), mode="RGB"):
    draw = np.random.default_rng(0)
    channels = {"L": (), "RGB": (3,), "CMYK": (4,)}[mode]
    small = draw.integers(0, 256, (6, 8, *channels), dtype=np.uint8)
    return Image.fromarray(small, mode=None if mode != "CMYK" else "CMYK").resize(size)


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def both_ways(path, shape, preprocessing, monkeypatch):
    """What is read by the short way and by Pillow's own; an error as its text."""
    answers = []
    for way in (open_small_jpeg, lambda path: None):
        monkeypatch.setattr(pictures, "open_small_jpeg", way)
        try:
            answers.append(read_picture(path, shape, preprocessing).tolist())
        except DataError as error:
            answers.append(str(error))
    return answers


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": 0, "quality": 95},
        {"optimize": True, "comment": b"drawn by hand"},
        {"dpi": (300, 300), "restart_marker_blocks": 1},
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("shape", [(30, 40, 3), (30, 40, 1), (9, 20, 3)])
def test_plain_files_are_taken_and_have_the_same_pixels(tmp_path, monkeypatch, options, mode, shape):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(noise(mode=mode), **options))
    found = open_small_jpeg(path)
    assert (found.mode, found.size) == (mode, (40, 30))
    short, own = both_ways(path, shape, Preprocessing(resize="pad", invert=True), monkeypatch)
    assert short == own


@pytest.mark.parametrize(
    ("size", "interpolation"),
    [((99, 99), "bilinear"), ((96, 96), "bilinear"), ((95, 200), "box"), ((96, 96), "nearest")],
)
def test_a_file_that_is_decoded_at_a_half_of_its_size_still_is(tmp_path, monkeypatch, size, interpolation):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(noise(size)))
    assert open_small_jpeg(path) is not None
    short, own = both_ways(path, (16, 16, 3), Preprocessing(interpolation=interpolation), monkeypatch)
    assert short == own


@pytest.mark.parametrize("name", ["turned", "profile", "cmyk", "adobe", "large", "png", "empty", "text"])
def test_other_files_are_left_to_pillow(tmp_path, name):
    path, icc = tmp_path / "a.jpg", b"\0" * 128
    adobe = encoded(noise())
    path.write_bytes(
        {
            "turned": encoded(noise(), exif=TURNED),
            "profile": encoded(noise(), icc_profile=icc),
            "cmyk": encoded(noise(mode="CMYK")),
            "adobe": adobe[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + adobe[2:],
            "large": encoded(noise((300, 300))),
            "png": b"\x89PNG",
            "empty": b"",
            "text": b"\xff\xd8\xff no picture",
        }[name]
    )
    assert open_small_jpeg(path) is None


def test_an_orientation_behind_the_frame_is_seen(tmp_path):
    data = encoded(noise(), exif=TURNED)
    begin = data.index(b"\xff\xe1")
    end = begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big")
    plain = data[:begin] + data[end:]
    scan = plain.index(b"\xff\xda")
    path = tmp_path / "turned.jpg"
    path.write_bytes(plain)
    assert open_small_jpeg(path) is not None
    path.write_bytes(plain[:scan] + data[begin:end] + plain[scan:])
    assert open_small_jpeg(path) is None


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever
    assert open_small_jpeg(tmp_path / "pipe.jpg") is None
    assert open_small_jpeg(tmp_path / "nothing.jpg") is None
    assert open_small_jpeg(tmp_path) is None
    path = tmp_path / "long.jpg"
    path.write_bytes(encoded(noise()) + b"\0" * MOST_BYTES)
    assert open_small_jpeg(path) is None


def test_a_header_that_promises_many_pixels_allocates_nothing(tmp_path):
    data = bytearray(encoded(noise()))
    at = data.index(b"\xff\xc0") + 5
    assert bytes(data[at : at + 4]) == b"\x00\x1e\x00\x28"
    data[at : at + 4] = b"\xff\xdc\xff\xdc"
    (tmp_path / "bomb.jpg").write_bytes(data)
    assert open_small_jpeg(tmp_path / "bomb.jpg") is None


def test_damage_is_judged_as_pillow_judges_it(tmp_path, monkeypatch):
    """Cut and flipped files: the same pixels or the same refusal, whatever is wrong."""
    whole, draw, refused = encoded(noise()), np.random.default_rng(1), 0
    path = tmp_path / "a.jpg"
    for case in range(300):
        data = bytearray(whole)
        if case % 3 == 0:
            del data[int(draw.integers(0, len(data))) :]
        else:
            for place in draw.integers(2, len(data), case % 3):
                data[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(data)
        short, own = both_ways(path, (30, 40, 3), Preprocessing(), monkeypatch)
        assert short == own, f"case {case}"
        refused += isinstance(own, str)
    assert 60 < refused < 240
