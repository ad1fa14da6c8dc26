"""A report in a real browser: a wide and a narrow window, nothing asked for, nothing broken, nothing too wide."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from oracles.browser import NARROW, WIDE, opened


@pytest.mark.slow
@pytest.mark.parametrize("name", ["page_file", "nasty_file"])
def test_a_report_fits_both_windows_and_complains_of_nothing(name, request):
    file = request.getfixturevalue(name)
    browser = opened()
    seen = browser.measured(file)
    assert {width: seen[width].problems for width in (WIDE, NARROW)} == {WIDE: [], NARROW: []}
    assert seen[WIDE].images > 20
    assert seen[NARROW].height > seen[WIDE].height
    assert browser.console(file) == []


@pytest.mark.slow
def test_a_photograph_shows_the_page(page_file, tmp_path):
    path = opened().photograph(page_file, NARROW, tmp_path / "narrow.png", 800)
    with Image.open(path) as shot:
        pixels = np.asarray(shot)
    assert pixels.shape == (800, NARROW, 3)
    assert pixels.std() > 10
