"""Classic filters on pictures: the numbers against SciPy, and how they become a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.errors import ArgumentError, DataError, ShapeError
from convista.insight import filtering
from convista.insight.filtering import FilteredPicture, filter_picture
from convista.layers import Filter2D
from oracles.compare import Tolerance, agree

ndimage = pytest.importorskip("scipy.ndimage")
LEVELS = Tolerance(1e-5, 1e-3)  # grey levels of 0 to 255


@pytest.fixture
def photo():
    return np.random.default_rng(3).integers(0, 256, (9, 11, 3), dtype=np.uint8)


def test_the_length_of_the_slope(photo):
    result = filter_picture(photo, "sobel")
    channels = [photo[..., c].astype(np.float64) for c in range(3)]
    slopes = [np.hypot(*(ndimage.sobel(grey, axis, mode="nearest") for axis in (0, 1))) for grey in channels]
    expected = np.stack(slopes, axis=-1)
    agree(result.values, expected, LEVELS)
    found = np.abs(result.picture - expected * 255 / expected.max())
    assert found.max() < 0.501  # rounded to the nearest
    assert result.meaning == (
        f"Values from {expected.min():.4g} to {expected.max():.4g}, in grey levels of 0 to 255. They are lengths "
        f"√(x² + y²) of the slope. In the picture 0 (black) is even ground, 255 (white) is the steepest edge, "
        f"{expected.max():.4g}."
    )


def test_differences_around_grey(photo):
    result = filter_picture(photo, "laplace", padding="reflect")
    expected = np.stack([ndimage.laplace(photo[..., c].astype(np.float64), mode="mirror") for c in range(3)], -1)
    agree(result.values, expected, LEVELS)
    assert (result.kind, result.largest) == ("signed", np.abs(expected).max())
    assert (result.picture[expected == 0] == 128).all()
    assert {int(result.picture.min()), int(result.picture.max())} & {1, 255}
    assert "128 (grey) is no difference" in result.meaning


def test_grey_levels_are_cut_off(photo):
    result = filter_picture(photo, "sharpen")
    outside = int(((result.values < 0) | (result.values > 255)).sum())
    assert outside > 0
    assert f"{outside} values lie outside 0 to 255 and are cut off in the picture." in result.meaning
    assert result.document()["kind"] == "greys"
    soft = filter_picture(photo, "gaussian_blur", sigma=1.5)
    expected = ndimage.gaussian_filter(photo.astype(np.float64), (1.5, 1.5, 0), mode="nearest", radius=(5, 5, 0))
    agree(soft.values, expected, LEVELS)
    assert "cut off" not in soft.meaning


@pytest.mark.parametrize("padding", ["nearest", "reflect", "same", "valid"])
def test_bands_are_not_seen(photo, padding, monkeypatch):
    whole = filter_picture(photo, "gaussian_blur", 5, padding=padding)
    alone, _ = Filter2D("gaussian_blur", 5, padding=padding).apply(
        {}, {}, photo[None].astype(np.float32), training=False, key=None
    )
    agree(whole.values, alone[0], LEVELS)
    monkeypatch.setattr(filtering, "_VALUES_AT_ONCE", 70)
    agree(filter_picture(photo, "gaussian_blur", 5, padding=padding).values, whole.values, LEVELS)


def test_even_ground_is_black_or_grey():
    even = np.full((4, 4), 77, np.uint8)
    assert filter_picture(even, "prewitt").picture.max() == 0
    assert set(filter_picture(even, "sobel_x").picture.ravel().tolist()) == {128}
    np.testing.assert_array_equal(filter_picture(even, "identity").picture[..., 0], even)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
def test_files_keep_their_size_and_greyness(tmp_path, photo, mode):
    if mode == "I;16":
        Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(tmp_path / "a.png")
    else:
        Image.fromarray(photo).convert(mode).save(tmp_path / "a.png")
    result = filter_picture(tmp_path / "a.png", "identity")
    assert result.values.shape == (9, 11, 1 if mode in ("L", "1", "I;16") else 3)


def test_a_turned_photo_stands_upright(tmp_path, photo):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "a.png", exif=turned)
    np.testing.assert_array_equal(filter_picture(tmp_path / "a.png", "identity").picture, np.rot90(photo, -1))


@pytest.mark.parametrize("ending", [".png", ".bmp", ".webp", ".jpg", ".TIFF"])
def test_pictures_are_written(tmp_path, photo, ending):
    result = filter_picture(photo, "sobel")
    path = result.save(tmp_path / f"edges{ending}")
    with Image.open(path) as image:
        found = np.asarray(image)
    assert found.shape == (9, 11, 3)
    if ending in (".png", ".bmp", ".TIFF"):
        np.testing.assert_array_equal(found, result.picture)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be(tmp_path, photo):
    result = FilteredPicture("sobel", photo[..., :1].astype(np.float32), "greys")
    with pytest.raises(ArgumentError) as caught:
        result.save(tmp_path / "edges.pdf")
    assert str(caught.value) == (
        "save: a picture's name ends in .png, .jpg, .bmp, .tiff or .webp. "
        f"Received {str(tmp_path / 'edges.pdf')!r}. Write 'edges.png'."
    )
    with pytest.raises(ArgumentError) as caught:
        filter_picture(np.zeros((2, 5, 5, 1)), "sobel")
    assert str(caught.value) == (
        "filter_picture: a picture is a file or an array (height, width) or (height, width, channels) of finite "
        "numbers. Received float64 of shape (2, 5, 5, 1). Give one picture at a time: x[0]."
    )
    with pytest.raises(ShapeError) as caught:
        filter_picture(np.zeros((2, 5)), "sobel", padding="valid")
    assert str(caught.value) == "a 3×3 kernel does not fit a 2×5 input."
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="this is not a picture that can be read"):
        filter_picture(tmp_path / "bad.png", "sobel")
