"""Pictures as images and arrays: Keras's results, and an error where Keras wraps values around."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from PIL import Image

from convista.data import array_to_img, img_to_array, load_img, save_img
from convista.errors import ArgumentError, ConvistaError, DataError, ShapeError

COLOUR = np.random.default_rng(0).integers(0, 256, (21, 34, 3), np.uint8)
KERAS = keras.utils


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    picture = Image.fromarray(COLOUR)
    alpha = picture.convert("RGBA")
    alpha.putalpha(128)
    palette = picture.quantize(16)
    deep = Image.fromarray(np.arange(714, dtype=np.uint16).reshape(21, 34) * 90)
    images = {"rgb.png": picture, "grey.png": picture.convert("L"), "rgba.png": alpha, "palette.gif": palette}
    images |= {"deep.png": deep, "bits.bmp": picture.convert("1"), "photo.jpg": picture}
    for name, image in images.items():
        image.save(folder / name)
    return folder


NAMES = ["rgb.png", "grey.png", "rgba.png", "palette.gif", "deep.png", "bits.bmp", "photo.jpg"]


@pytest.mark.parametrize("mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("name", NAMES)
def test_load_img_reads_what_keras_reads(files, name, mode):
    found, expected = load_img(files / name, mode), KERAS.load_img(files / name, mode)
    assert (found.mode, found.size) == (expected.mode, expected.size)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
@pytest.mark.parametrize(("size", "keep"), [((7, 9), False), ((40, 8), True), ((8, 40), True), ((21, 34), True)])
def test_load_img_resizes_like_keras(files, size, keep, interpolation):
    options = {"target_size": size, "interpolation": interpolation, "keep_aspect_ratio": keep}
    found, expected = load_img(files / "rgb.png", **options), KERAS.load_img(files / "rgb.png", **options)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    if keep and size != (21, 34):
        other = KERAS.load_img(files / "rgb.png", target_size=size, interpolation=interpolation)
        with pytest.raises(AssertionError):
            np.testing.assert_array_equal(np.asarray(found), np.asarray(other))


def test_load_img_takes_bytes_and_text(files):
    from_bytes = load_img(io.BytesIO((files / "rgb.png").read_bytes()))
    np.testing.assert_array_equal(np.asarray(from_bytes), COLOUR)
    np.testing.assert_array_equal(np.asarray(load_img(str(files / "rgb.png").encode())), COLOUR)


@pytest.mark.parametrize("data_format", [None, "channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("rgb.png", None), ("rgb.png", "uint8"), ("grey.png", None), ("grey.png", "float64"), ("deep.png", None)],
)
def test_img_to_array_is_that_of_keras(files, name, data_format, dtype):
    with Image.open(files / name) as image:
        image.load()
        found = img_to_array(image, data_format, dtype)
        expected = KERAS.img_to_array(image, data_format, dtype)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_array_to_img_is_that_of_keras(channels, scale):
    x = np.random.default_rng(channels).uniform(0 if not scale else -3, 255, (5, 6, channels))
    for value, data_format in ((x, None), (x.transpose(2, 0, 1), "channels_first")):
        found, expected = array_to_img(value, data_format, scale), KERAS.array_to_img(value, data_format, scale)
        assert found.mode == expected.mode
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(np.asarray(array_to_img(255 - x, scale=scale)), np.asarray(expected))


@pytest.mark.parametrize("x", [np.zeros((2, 2, 1)), np.full((2, 2, 3), 7.0)])
def test_flat_pictures_are_black_as_in_keras(x):
    np.testing.assert_array_equal(np.asarray(array_to_img(x)), np.asarray(KERAS.array_to_img(x)))


def test_large_grey_values_give_32_bits_as_in_keras():
    x = np.array([[[300.0], [70000.0]]])
    found, expected = array_to_img(x, scale=False), KERAS.array_to_img(x, scale=False)
    assert found.mode == expected.mode == "I"
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("name", ["a.png", "b.jpg", "c.bmp", "d.gif", "e.JPEG"])
def test_save_img_writes_what_keras_writes(tmp_path, name):
    save_img(tmp_path / f"our {name}", COLOUR / 255)
    KERAS.save_img(tmp_path / f"their {name}", COLOUR / 255)
    np.testing.assert_array_equal(
        np.asarray(load_img(tmp_path / f"our {name}")), np.asarray(load_img(tmp_path / f"their {name}"))
    )
    assert {file.name for file in tmp_path.iterdir()} == {f"our {name}", f"their {name}"}


def test_save_img_into_a_stream_and_with_options(tmp_path):
    stream = io.BytesIO()
    save_img(stream, COLOUR, file_format="jpg", quality=30)
    coarse = len(stream.getvalue())
    save_img(tmp_path / "fine.jpg", COLOUR, quality=95)
    assert coarse < (tmp_path / "fine.jpg").stat().st_size
    save_img(tmp_path / "deep.tif", COLOUR)  # Keras passes "tif" on, which Pillow does not know
    assert load_img(tmp_path / "deep.tif").size == (34, 21)


def test_jpeg_has_no_transparency(tmp_path):
    with pytest.warns(UserWarning, match=r"JPEG has no transparency: the picture is saved as RGB\."):
        save_img(tmp_path / "a.jpg", np.zeros((4, 4, 4)))
    assert load_img(tmp_path / "a.jpg").size == (4, 4)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    save_img(tmp_path / "a.png", COLOUR)
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(DataError):
        save_img(tmp_path / "a.png", COLOUR * np.nan)
    assert (tmp_path / "a.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


MISTAKES = [
    (
        lambda: load_img("x.png", color_mode="gray"),
        ArgumentError,
        "load_img: color_mode is one of 'grayscale', 'rgb', 'rgba'. Received color_mode='gray'. "
        "Did you mean 'grayscale'?",
    ),
    (
        lambda: load_img("x.png", target_size=64),
        ArgumentError,
        "load_img: target_size is (height, width) in pixels. Received target_size=64. "
        "For example target_size=(224, 224).",
    ),
    (
        lambda: load_img("x.png", target_size=(10**6, 10**6)),
        ArgumentError,
        "load_img: a picture has at most 89478485 pixels. Received target_size=(1000000, 1000000).",
    ),
    (lambda: load_img("no such.png"), DataError, "no such.png: there is no such file. Check the path."),
    (
        lambda: img_to_array(COLOUR[None]),
        ShapeError,
        "img_to_array: a picture has three axes: height, width and channels. Received shape (1, 21, 34, 3). "
        "Take one picture of the batch: x[0].",
    ),
    (
        lambda: img_to_array("cat.jpg"),
        ArgumentError,
        "img_to_array: img_to_array takes a picture, not the name of its file. Received 'cat.jpg'. "
        "Write img_to_array(load_img('cat.jpg')).",
    ),
    (
        lambda: img_to_array(COLOUR, "channel_first"),
        ArgumentError,
        "img_to_array: data_format is one of 'channels_last', 'channels_first'. Received data_format='channel_first'. "
        "Did you mean 'channels_first'?",
    ),
    (
        lambda: array_to_img(COLOUR[..., 0]),
        ShapeError,
        "array_to_img: a picture has three axes: height, width and channels. Received shape (21, 34). "
        "Add the channel axis: x[..., None].",
    ),
    (
        lambda: array_to_img(COLOUR.transpose(2, 0, 1)),
        ShapeError,
        "array_to_img: a picture has 1, 3 or 4 channels. Received shape (3, 21, 34). "
        "Its channels are first: pass data_format='channels_first'.",
    ),
    (
        lambda: array_to_img(np.zeros((0, 4, 3))),
        ShapeError,
        "array_to_img: a picture has at least one pixel. Received shape (0, 4, 3).",
    ),
    (
        lambda: array_to_img(COLOUR - 10.0, scale=False),
        DataError,
        "array_to_img: values are 0 to 255. Received -10 to 245. "
        "Pass scale=True to stretch them, or bring them to 0…255 first.",
    ),
    (
        lambda: array_to_img([[[np.nan]]]),
        DataError,
        "array_to_img: values are 0 to 2147483647. Received nan to nan. "
        "Replace NaN and infinite values first, for example with numpy.nan_to_num.",
    ),
    (
        lambda: save_img("picture.xyz", COLOUR),
        ArgumentError,
        "save_img: the suffix or file_format names a format that Pillow writes. Received file_format='xyz'. "
        "Name the file .png or .jpg, or pass file_format='png'.",
    ),
    (
        lambda: save_img("picture", COLOUR),
        ArgumentError,
        "save_img: the suffix or file_format names a format that Pillow writes. "
        "Received path='picture' without file_format. Name the file .png or .jpg, or pass file_format='png'.",
    ),
    (
        lambda: save_img("grey.jpg", np.full((2, 2, 1), 300.0), scale=False),
        ArgumentError,
        "save_img: JPEG holds such a picture (cannot write mode I as JPEG). Received a picture of mode 'I'. "
        "Save it as .png.",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES)
def test_mistakes(call, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConvistaError) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_files_that_are_no_pictures(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.jpg: (the picture file is empty|this is not a picture)"):
        load_img(tmp_path / "bad.jpg")


def test_a_truncated_file_is_named(tmp_path, files):
    (tmp_path / "cut.jpg").write_bytes((files / "photo.jpg").read_bytes()[:400])
    with pytest.raises(DataError, match=r"cut\.jpg: the picture cannot be decoded \(OSError"):
        load_img(tmp_path / "cut.jpg")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"grayscale": True},
            "load_img: there is no argument 'grayscale'. Received grayscale=True. Write color_mode=\"grayscale\".",
        ),
        (
            {"grayscale": False},
            "load_img: there is no argument 'grayscale'. Received grayscale=False. Leave it out; color_mode=\"rgb\" is "
            "what it meant.",
        ),
        (
            {"target_sise": (8, 8)},
            "load_img: there is no argument 'target_sise'. Received target_sise=(8, 8). Did you mean 'target_size'?",
        ),
    ],
)
def test_arguments_of_older_keras_and_slips(tmp_path, given, message):
    with pytest.raises(ArgumentError) as caught:
        load_img(tmp_path / "a.png", **given)
    assert str(caught.value) == message
