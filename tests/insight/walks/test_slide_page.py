"""The slide as a page: one file, no network, and the numbers that its buttons step through."""

from __future__ import annotations

import json
import re

import numpy as np

from convista.insight import slide
from convista.insight.walks.formulas import shown
from convista.insight.walks.sliding import LECTURE_INPUT, LECTURE_KERNEL


def page(tmp_path, **settings):
    done = slide(LECTURE_INPUT, LECTURE_KERNEL, **settings)
    return done, done.save(tmp_path / "slide.html").read_text(encoding="utf-8")


def cells(text, name):
    table = re.search(rf'<table id="{name}">(.*?)</table>', text, flags=re.DOTALL).group(1)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]


def frames(text):
    return json.loads(re.search(r'<script type="application/json" id="frames">(.*?)</script>', text).group(1))


def test_one_file_that_asks_for_nothing(tmp_path):
    _, text = page(tmp_path)
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\(", text)


def test_without_javascript_the_result_is_there(tmp_path):
    done, text = page(tmp_path)
    assert cells(text, "output") == [[shown(value) for value in row] for row in done.output]
    assert cells(text, "input") == [[str(value) for value in row] for row in LECTURE_INPUT]
    assert "output[2, 2] = 5·(−1) + 1·0" in text


def test_every_frame_names_the_cells_of_the_padded_table(tmp_path):
    done, text = page(tmp_path, padding="same", strides=2)
    table = cells(text, "input")
    assert (len(table), len(table[0])) == (7, 7)
    assert text.count('data-zero="1"') == 49 - 25
    found = frames(text)
    assert len(found) == len(done.frames) == 9
    for shown_frame, frame in zip(found, done.frames, strict=True):
        numbers = [table[row][column] or "0" for row, column in shown_frame["seen"]]
        assert numbers == [shown(value) for value in frame.patch.ravel()]
        assert shown_frame["cell"] == list(frame.cell)
        assert shown_frame["value"] == shown(frame.value)


def test_a_notebook_shows_it_in_a_frame_of_its_own():
    text = slide(np.ones((3, 3)), np.ones((2, 2)))._repr_html_()
    assert text.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert 'sandbox="allow-scripts"' in text
    assert "<script" not in text
