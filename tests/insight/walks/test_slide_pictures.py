"""The frames of a slide as pixels: what is coloured where, and what the GIF file says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageColor

from convista.insight import slide
from convista.insight.walks.slide_pictures import _box, _cell_size, gif, picture
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL

SEEN, FILLED = ImageColor.getrgb("#F9DDC9"), ImageColor.getrgb("#DCEBF5")


@pytest.fixture(scope="module")
def padded():
    return slide(LECTURE_INPUT, LECTURE_KERNEL, padding="same")


def colour(image, corner, row, column, cell):
    left, top, _, _ = _box(corner, row, column, cell)
    return image.getpixel((left + 3, top + 5))


def test_the_cells_under_the_kernel_are_coloured_and_no_others():
    done = slide(np.zeros((7, 7)), np.ones((3, 3)), dilation=2)
    cell = _cell_size(done)
    for number, frame in enumerate(done.frames):
        image = picture(done, number)
        seen = {tuple(place) for place in frame.places.reshape(-1, 2).tolist()}
        for row, column in np.ndindex(7, 7):
            if (row, column) not in {tuple(frame.places[0, 0]), tuple(frame.places[-1, -1])}:
                left, top, _, _ = _box((18, 108), row, column, cell)
                inside = image.getpixel((left + 6, top + 6))
                assert (inside == SEEN) == ((row, column) in seen)


def test_the_output_fills_up(padded):
    filled = [int((np.asarray(picture(padded, number)) == FILLED).all(-1).sum()) for number in range(25)]
    assert all(later > earlier for earlier, later in itertools.pairwise(filled))


def test_the_file_repeats_for_ever_and_waits_at_the_end(tmp_path, padded):
    path = padded.save(tmp_path / "slide.gif")
    assert path.stat().st_size < 150_000
    with Image.open(path) as image:
        assert (image.format, image.n_frames, image.info["loop"]) == ("GIF", 25, 0)
        durations = []
        for number in range(25):
            image.seek(number)
            durations.append(image.info["duration"])
    assert durations == [900] * 24 + [3000]


def test_the_frames_in_the_file_are_the_pictures(padded, tmp_path):
    with Image.open(padded.save(tmp_path / "slide.gif")) as image:
        for number in (0, 7, 24):
            image.seek(number)
            shown = np.asarray(image.convert("RGB"), np.int64)
            drawn = np.asarray(picture(padded, number), np.int64)
            assert np.abs(shown - drawn).max() <= 64  # smoothed edges of letters get the nearest of a few colours
            assert np.abs(shown - drawn).mean() < 0.5
            other = np.asarray(picture(padded, (number + 1) % 25), np.int64)
            assert np.abs(shown - other).max() > 100


def test_the_same_slide_is_the_same_file(padded):
    assert gif(padded) == gif(slide(LECTURE_INPUT, LECTURE_KERNEL, padding="same"))


def test_a_still_has_the_whole_result(tmp_path, padded):
    with Image.open(padded.save(tmp_path / "slide.png")) as image:
        assert image.size == (720, 439)
        assert np.array_equal(np.asarray(image), np.asarray(picture(padded, 24)))


@pytest.mark.parametrize(
    ("sizes", "kernel"), [((16, 16), (8, 8)), ((1, 1), (1, 1)), ((3, 16), (2, 5)), ((12, 12), (5, 5))]
)
def test_no_size_leaves_the_picture(sizes, kernel):
    rng = np.random.default_rng(0)
    done = slide(rng.normal(size=sizes), rng.normal(size=kernel))
    image = np.asarray(picture(done, len(done.frames) - 1))
    assert (image[:, -8:] == 255).all()
    assert (image[-8:] == 255).all()
