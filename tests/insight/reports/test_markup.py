"""Pieces of a page: whatever a user calls things, the page stays a page."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from convista.insight.reports import markup

NASTY = "<script>alert('x')</script>\"&"
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;"


def shown(piece):
    """The pictures of a piece, as arrays."""
    found = re.findall(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)", piece)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


@pytest.mark.parametrize(
    "piece",
    [
        markup.paragraph(NASTY),
        markup.listing([NASTY]),
        markup.heading(NASTY),
        markup.code(NASTY),
        markup.facts([(NASTY, NASTY)]),
        markup.details(NASTY, markup.paragraph(NASTY)),
        markup.article(NASTY, markup.paragraph(NASTY), "note"),
        markup.table(NASTY, [NASTY, NASTY], [[NASTY, NASTY]]),
        markup.picture(np.zeros((2, 2, 1), np.uint8), NASTY),
        markup.figure(markup.paragraph(NASTY), NASTY),
        markup.scrolling(markup.paragraph(NASTY), NASTY),
        markup.missing(NASTY),
    ],
)
def test_every_text_is_escaped(piece):
    assert ESCAPED in piece
    assert "<script" not in piece
    assert "'x'" not in piece


def test_tables_have_a_caption_and_name_their_rows_and_columns():
    piece = markup.table("ages", ["name", "age"], [["Ann", "7"], ["Bob", "8"]])
    assert "<caption>ages</caption>" in piece
    assert piece.count('<th scope="col"') == 2
    assert piece.count('<th scope="row">') == 2
    assert '<td class="number">7</td>' in piece
    assert 'class="number"' not in markup.table("ages", ["name", "age"], [["Ann", "7"]], range(0))


def test_a_row_has_as_many_cells_as_the_header():
    with pytest.raises(ValueError, match="zip"):
        markup.table("ages", ["name", "age"], [["Ann", "7", "8"]])


def test_small_pictures_keep_every_pixel():
    values = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    piece = markup.picture(values, "a digit")
    np.testing.assert_array_equal(shown(piece)[0], values[..., 0])
    assert 'class="pixels" alt="a digit" width="96" height="96"' in piece


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_large_pictures_are_made_smaller(channels):
    piece = markup.picture(np.zeros((300, 600, channels), np.uint8), "a photo")
    assert shown(piece)[0].shape[:2] == (80, 160)
    assert 'width="160" height="80"' in piece


@pytest.mark.parametrize(
    ("values", "pixels"),
    [
        (np.array([[[0.0], [0.5]]]), [0, 128]),
        (np.array([[[0.0], [255.0]]]), [0, 255]),
        (np.array([[[0], [255]]], np.int32), [0, 255]),
        (np.array([[[-1.0], [1.0]]]), [0, 255]),
    ],
)
def test_ranges_of_pictures(values, pixels):
    assert shown(markup.picture(values, ""))[0].ravel().tolist() == pixels


def test_an_image_says_its_size_so_that_the_page_does_not_jump():
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "JPEG")
    piece = markup.image(file.getvalue(), "red", width=80)
    assert 'width="80" height="40" src="data:image/jpeg;base64,' in piece
