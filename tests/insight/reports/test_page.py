"""The page as a document: one file that asks for nothing, runs nothing, and says what everything is."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from convista.insight.reports.page import _STYLE
from oracles.browser import outward

VOID = {"meta", "link", "img", "br"}


class Document(HTMLParser):
    """A strict reader: what is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.problems, self.ids, self.links = [], [], [], [], []
        self.feed(text)
        self.problems += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.append((tag, named))
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:] or 'nothing'}")
        else:
            self.open.pop()

    def all(self, tag):
        return [named for name, named in self.tags if name == tag]


@pytest.fixture(scope="module", params=["page_file", "nasty_file"])
def text(request):
    return request.getfixturevalue(request.param).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_page_is_well_formed_and_semantic(text):
    document = Document(text)
    assert document.problems == []
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    for tag in ("html", "head", "body", "title", "header", "nav", "main", "footer", "h1"):
        assert len(document.all(tag)) == 1, tag
    assert len(document.all("table")) == len(document.all("caption"))
    assert len(document.all("figure")) == len(document.all("figcaption"))
    assert all(image.get("alt") and image.get("width") and image.get("height") for image in document.all("img"))
    assert all(cell.get("scope") in ("row", "col") for cell in document.all("th"))


def test_headings_go_down_one_step_at_a_time(text):
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_link_leads_to_a_place_in_the_page(text):
    document = Document(text)
    assert len(document.ids) == len(set(document.ids))
    assert [link for link in document.links if link[1:] not in document.ids or link[0] != "#"] == []
    sections = [named["id"] for named in document.all("section")]
    assert [link[1:] for link in document.links if link != "#main"] == sections


def test_nothing_is_asked_for_and_nothing_runs(text):
    assert outward(text) == []
    assert "default-src &#x27;none&#x27;; img-src data:; style-src &#x27;unsafe-inline&#x27;" in text


def test_the_reader_notices_a_broken_page():
    assert Document("<p><b>x</p></b>").problems == ["</p> closes ['b']", "<p> is not closed"]
    assert Document("<div>").problems == ["<div> is not closed"]


@pytest.mark.parametrize(
    ("piece", "found"),
    [
        ('<img src="http://example.invalid/x.png">', "img src=http://example.invalid/x.png"),
        ('<link rel="stylesheet" href="style.css">', "link href=style.css"),
        ("<style>@import 'x.css';</style>", "style @import 'x.css'"),
        ("<style>p{background:url(x.png)}</style>", "style url(x.png)"),
        ('<p style="background:url(//x.png)">', "style url(//x.png)"),
        ("<script>1</script>", "<script>"),
        ("<p onclick=f()>", "p onclick"),
        ('<iframe src="data:,x">', "<iframe>"),
    ],
)
def test_whatever_leads_out_of_a_page_is_noticed(piece, found):
    assert outward(piece) == [found]


def test_what_stays_inside_is_no_problem():
    assert outward('<a href="#x">x</a><img src="data:,x"><style>p{background:url(data:,)}</style>') == []


def test_print_repeats_no_rule_of_the_screen() -> None:
    screen, paper = _STYLE.split("@media print {")
    rules = {line.strip() for line in screen.splitlines()}
    assert not [line for line in paper.splitlines() if line.strip() in rules - {"}", ""}]
