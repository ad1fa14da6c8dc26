"""A page's file is called so."""

from __future__ import annotations

import pytest

from convista.errors import ArgumentError
from convista.insight.page_file import check_page


def test_html_in_a_folder_that_is_there(tmp_path):
    check_page(tmp_path / "a.html")
    check_page(tmp_path / "a.HTM")
    with pytest.raises(ArgumentError, match="a page is written into a folder that exists"):
        check_page(tmp_path / "none" / "a.html")


@pytest.mark.parametrize(("name", "fix"), [("d.pdf", "d.html"), ("x.txt", "x.html"), ("", "page.html")])
def test_what_is_no_page(name, fix):
    with pytest.raises(ArgumentError) as error:
        check_page(name)
    assert str(error.value) == f"path: a page is written as an HTML file. Received {name!r}. Write {fix!r}."
