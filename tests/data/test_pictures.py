"""Picture files of every size, mode and orientation, and files that are no pictures."""

from __future__ import annotations

import dataclasses
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from convista.data import Preprocessing, pictures, read_picture
from convista.data.pictures import MOST_PIXELS
from convista.errors import ArgumentError, DataError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
ALPHA = np.zeros((3, 4), np.uint8)
ALPHA[:, :2] = 255


def saved(tmp_path, image: Image.Image, name: str = "picture.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def luma(colour: np.ndarray) -> np.ndarray:
    """ITU-R 601 in float64."""
    return colour.astype(np.float64) @ [0.299, 0.587, 0.114]


def test_modes_that_hold_plain_pixels(tmp_path):
    grey = saved(tmp_path, Image.fromarray(GREY))
    np.testing.assert_array_equal(read_picture(grey, (3, 4, 1))[..., 0], GREY)
    np.testing.assert_array_equal(read_picture(grey, (3, 4, 3)), np.stack([GREY] * 3, axis=-1))
    colour = saved(tmp_path, Image.fromarray(COLOUR))
    np.testing.assert_array_equal(read_picture(colour, (3, 4, 3)), COLOUR)
    np.testing.assert_allclose(read_picture(colour, (3, 4, 1))[..., 0], luma(COLOUR), atol=1)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(read_picture(colour, (3, 4, 1))[..., 0], COLOUR.mean(-1), atol=1)


def test_one_bit(tmp_path):
    bits = saved(tmp_path, Image.fromarray(GREY).point(lambda value: 255 * (value > 100), "1"))
    np.testing.assert_array_equal(read_picture(bits, (3, 4, 1))[..., 0], 255 * (GREY > 100))


def test_transparency_is_put_on_white(tmp_path):
    weight = ALPHA[..., None] / 255
    expected = COLOUR * weight + 255 * (1 - weight)
    rgba = saved(tmp_path, Image.fromarray(np.dstack([COLOUR, ALPHA])))
    np.testing.assert_allclose(read_picture(rgba, (3, 4, 3)), expected, atol=1)
    la = saved(tmp_path, Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]))
    np.testing.assert_array_equal(read_picture(la, (3, 4, 1))[..., 0], np.where(ALPHA, GREY, 255))
    inverted = read_picture(la, (3, 4, 1), Preprocessing(invert=True))
    np.testing.assert_array_equal(inverted[..., 0], np.where(ALPHA, 255 - GREY, 0))


def test_palettes_with_and_without_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(read_picture(saved(tmp_path, image), (1, 2, 3))[0], [[10, 20, 30], [200, 100, 50]])
    see_through = saved(tmp_path, image, transparency=0)
    np.testing.assert_array_equal(read_picture(see_through, (1, 2, 3))[0], [[255, 255, 255], [200, 100, 50]])
    partly = saved(tmp_path, image, transparency=bytes([0, 128]))
    np.testing.assert_allclose(read_picture(partly, (1, 2, 3))[0, 1], [227, 177, 152], atol=1)


def test_sixteen_bits_float_and_cmyk(tmp_path):
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    deep = saved(tmp_path, Image.fromarray(values))
    with Image.open(deep) as image:
        assert image.mode.startswith("I")
    np.testing.assert_array_equal(read_picture(deep, (1, 4, 1)).ravel(), [0, 1, 128, 255])
    unit = saved(tmp_path, Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "f.tiff")
    np.testing.assert_array_equal(read_picture(unit, (1, 3, 1)).ravel(), [0, 128, 255])
    bytes_ = saved(tmp_path, Image.fromarray(np.array([[0, 2.4, 255]], np.float32)), "f.tiff")
    np.testing.assert_array_equal(read_picture(bytes_, (1, 3, 1)).ravel(), [0, 2, 255])
    cmyk = saved(tmp_path, Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "c.jpg", quality=95)
    assert read_picture(cmyk, (8, 8, 3)).max() < 10


@pytest.mark.parametrize("values", [[[0, 256.5]], [[-1, 0]], [[np.nan, 0]], [[np.inf, 0]]])
def test_float_pixels_out_of_range(tmp_path, values):
    path = saved(tmp_path, Image.fromarray(np.array(values, np.float32)), "f.tiff")
    with pytest.raises(DataError, match=r"f.tiff: (float pixels are 0 to 1|pixels are finite)"):
        read_picture(path, (1, 2, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """What the camera stored is turned to what was seen; the oracle is written out by hand from the EXIF table."""
    to_stored = {
        1: lambda seen: seen,
        2: lambda seen: seen[:, ::-1],
        3: lambda seen: seen[::-1, ::-1],
        4: lambda seen: seen[::-1],
        5: lambda seen: seen.T,
        6: lambda seen: np.rot90(seen, 1),
        7: lambda seen: seen[::-1, ::-1].T,
        8: lambda seen: np.rot90(seen, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(to_stored[orientation](GREY))
    path = saved(tmp_path, Image.fromarray(stored), exif=exif)
    np.testing.assert_array_equal(read_picture(path, (3, 4, 1))[..., 0], GREY)


def test_resizing(tmp_path):
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 90
    path = saved(tmp_path, Image.fromarray(wide))
    stretched = read_picture(path, (6, 6, 1), Preprocessing(interpolation="box"))[..., 0]
    np.testing.assert_array_equal(stretched, np.tile([0, 0, 90, 90, 0, 0], (6, 1)))
    cropped = read_picture(path, (6, 6, 1), Preprocessing(resize="crop", interpolation="box"))
    np.testing.assert_array_equal(cropped, np.full((6, 6, 1), 90))
    padded = read_picture(path, (6, 6, 1), Preprocessing(resize="pad", interpolation="box"))[..., 0]
    np.testing.assert_array_equal(padded[[0, 1, 4, 5]], np.full((4, 6), 255))
    np.testing.assert_array_equal(padded[2:4], np.tile([0, 0, 90, 90, 0, 0], (2, 1)))
    inverted = read_picture(path, (6, 6, 1), Preprocessing(resize="pad", interpolation="box", invert=True))[..., 0]
    np.testing.assert_array_equal(inverted, 255 - padded)


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 3), (64, 48, 3)])
def test_any_size_gives_the_shape_asked_for(tmp_path, interpolation, shape):
    path = saved(tmp_path, Image.new("L", (7, 5), 100))
    found = read_picture(path, shape, Preprocessing(interpolation=interpolation))
    assert found.shape == shape
    assert found.dtype == np.uint8
    assert (found == 100).all()
    assert found.flags.writeable


def message(path, shape=(4, 4, 1)) -> str:
    with pytest.raises(DataError) as caught:
        read_picture(path, shape)
    return str(caught.value).removeprefix(f"{path}: ")


def test_what_is_no_picture_is_named(tmp_path):
    path = tmp_path / "photo.jpg"
    assert message(path) == "there is no such file. Check the path."
    assert message(tmp_path) == "a file is needed and this is a folder. Give the path of a file in it."
    path.write_bytes(b"")
    assert message(path) == "the picture file is empty."
    path.write_bytes(b"dear diary")
    expected = (
        "this is not a picture that can be read. Known formats: AVIF, BMP, GIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP."
    )
    assert message(path) == expected
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    assert message(path) == expected


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_truncated_files(tmp_path, form):
    stream = io.BytesIO()
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(stream, form)
    path = tmp_path / f"photo.{form.lower()}"
    path.write_bytes(stream.getvalue())
    assert read_picture(path, (4, 4, 3)).shape == (4, 4, 3)
    path.write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    text = message(path)
    assert text.startswith(("the picture cannot be decoded (", "this is not a picture that can be read"))


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(("side", "received"), [(10_000, "10000×10000"), (100_000, "far more")])
def test_decompression_bombs(tmp_path, side, received):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side) + b"\0\0\0\0IDAT" + bytes(4))
    assert message(path) == f"a picture has at most {MOST_PIXELS} pixels. Received {received}. Shrink it."


def test_damaged_pictures_never_escape_the_error_family(tmp_path):
    random = np.random.RandomState(7)
    for form in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
        stream = io.BytesIO()
        Image.fromarray(COLOUR).resize((16, 16)).save(stream, form)
        path = tmp_path / f"photo.{form.lower()}"
        for _ in range(60):
            content = bytearray(stream.getvalue())
            for _ in range(random.randint(1, 4)):
                content[random.randint(len(content))] = random.randint(256)
            path.write_bytes(content)
            refusal = ""
            try:
                assert read_picture(path, (8, 8, 3)).shape == (8, 8, 3)
            except DataError as error:
                refusal = str(error)
            assert refusal == "" or refusal.startswith(f"{path}: ")


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 1), (4, 4.0, 1), (4, True, 1), (10**9, 4, 1), (30_000, 30_000, 1), 5])
def test_shapes_that_cannot_be(tmp_path, shape):
    with pytest.raises(ArgumentError) as caught:
        read_picture(saved(tmp_path, Image.fromarray(GREY)), shape)
    assert str(caught.value) == (
        f"read_picture: a picture's shape is (height, width, channels). Received shape={shape!r}."
    )


def test_two_channels_cannot_be(tmp_path):
    with pytest.raises(ArgumentError) as caught:
        read_picture(saved(tmp_path, Image.fromarray(GREY)), (4, 4, 2))
    assert str(caught.value) == (
        "read_picture: a picture has 1 channel (grey) or 3 (RGB). Received shape=(4, 4, 2). "
        "Build the model for 1 or 3 channels to predict from picture files."
    )


def test_preprocessing_round_trip():
    given = Preprocessing(scale=1 / 255, invert=True, resize="pad", interpolation="nearest")
    assert Preprocessing.from_config(given.to_config()) == given
    assert [field.name for field in dataclasses.fields(given)] == list(given.to_config())
    assert Preprocessing.from_config({}) == Preprocessing()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"scale": 0}, "scale is a positive number or None. Received scale=0. "),
        ({"scale": float("nan")}, "scale is a positive number or None. Received scale=nan. "),
        ({"scale": True}, "scale is a positive number or None. Received scale=True. "),
        ({"scale": "1/255"}, "scale is a positive number or None. Received scale='1/255'. "),
        ({"invert": 1}, "invert is True or False. Received invert=1."),
        (
            {"resize": "strech"},
            "resize is one of 'stretch', 'pad', 'crop'. Received resize='strech'. Did you mean 'stretch'?",
        ),
        ({"interpolation": None}, "interpolation is one of 'nearest', 'box', "),
        ({"colour": 1}, "there is no such field. Received 'colour'. Known: interpolation, invert, resize, scale."),
        ([1], "a configuration is a mapping. Received a list."),
    ],
)
def test_configurations_that_cannot_be(config, expected):
    with pytest.raises(ArgumentError) as caught:
        Preprocessing.from_config(config)
    assert str(caught.value).startswith(f"Preprocessing: {expected}")


def photograph(side: int) -> Image.Image:
    """Smooth shapes with some noise, as a camera's."""
    draw = np.random.default_rng(5)
    coarse = Image.fromarray(draw.integers(0, 256, (9, 9, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return Image.fromarray(np.clip(np.asarray(coarse) + draw.normal(0, 5, (side, side, 3)), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("options", [{}, {"resize": "crop"}, {"resize": "pad"}, {"interpolation": "lanczos"}])
def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(tmp_path, monkeypatch, options):
    path = saved(tmp_path, photograph(800).crop((0, 0, 800, 600)), "large.jpg", quality=90)
    found = read_picture(path, (48, 40, 3), Preprocessing(**options)).astype(int)
    monkeypatch.setattr(pictures, "_DRAFT", 1000)
    whole = read_picture(path, (48, 40, 3), Preprocessing(**options)).astype(int)
    assert 0 < np.abs(found - whole).mean() < 1
    assert np.abs(found - np.roll(whole, 1, axis=1)).mean() > 2


def test_nearest_is_not_decoded_smaller(tmp_path, monkeypatch):
    path = saved(tmp_path, photograph(400), "large.jpg", quality=90)
    nearest = Preprocessing(interpolation="nearest")
    found = read_picture(path, (20, 20, 3), nearest)
    monkeypatch.setattr(pictures, "_DRAFT", 1000)
    np.testing.assert_array_equal(read_picture(path, (20, 20, 3), nearest), found)


def test_threads_are_silent_together_and_leave_the_filters_as_they_were(tmp_path):
    """A palette with transparency in bytes makes Pillow warn when it is converted."""
    image = Image.new("P", (4, 4))
    image.putpalette([10, 20, 30, 200, 100, 50])
    path = saved(tmp_path, image, transparency=bytes([0, 128]))
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: read_picture(path, (4, 4, 3)), range(200)))
    assert len(found) == 200
    assert warnings.filters == before
    with pictures.without_warnings:
        with pytest.warns(UserWarning, match="others still warn"):
            warnings.warn("others still warn", UserWarning, stacklevel=1)
        read_picture(path, (4, 4, 3))
        warnings.warn_explicit("Pillow is silent", UserWarning, "x", 1, module="PIL.Image")
