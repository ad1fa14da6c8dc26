"""A derivation as text, Markdown and HTML: the same lines in each, and nothing of the user's that could do harm."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest

from convista import Sequential, architectures, layers

_VOID = {"meta"}


class Reader(HTMLParser):
    """What a browser finds: text, elements, and whether they are closed in order."""

    def __init__(self):
        super().__init__()
        self.text, self.open, self.kinds, self.attributes = [], [], set(), []

    def handle_starttag(self, tag, attrs):
        self.kinds.add(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(document):
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def lecture():
    return architectures.get("lecture-convnet")((28, 28, 1), 10).explain()


def test_every_form_has_every_line(lecture):
    forms = {
        "text": str(lecture),
        "markdown": lecture.markdown(),
        "html": " ".join(read(lecture.html()).text).replace("\u00a0", " "),
    }
    for layer in lecture.layers:
        for line in layer.lines:
            assert all(line.equation in form for form in forms.values())
            assert line.note in forms["text"]
            assert line.note in forms["html"]
    for said in lecture.remarks:
        assert said in forms["text"]
        assert said in forms["html"]


def test_text(lecture):
    assert repr(lecture) == str(lecture)
    blocks = str(lecture).split("\n\n")
    assert blocks[0] == 'Model "lecture-convnet"'
    assert blocks[2].splitlines()[:3] == [
        "conv2d (Conv2D): 28×28×1 → 26×26×32",
        "  output_h = (28 + 2·0 − 3) // 1 + 1 = 26, output_w the same",
        "  output_channels = 32: one for each filter",
    ]
    assert blocks[-1].startswith("The whole network\n  parameters = 320 + ")
    assert max(map(len, str(lecture).splitlines())) < 240


def test_markdown(lecture):
    text = lecture.markdown()
    assert text.startswith("## Model lecture-convnet\n\n### input\\_1 (InputLayer): 28×28×1\n\n- `values = ")
    assert "- `output_h = (28 + 2·0 − 3) // 1 + 1 = 26`, output\\_w the same\n" in text
    assert text.count("\n### ") == len(lecture.layers) + 1
    assert text.endswith("\n")


def test_html_is_whole_and_needs_nothing_from_elsewhere(lecture):
    page = read(lecture.html())
    assert {"html", "head", "body", "section", "table"} <= page.kinds
    assert not page.kinds & {"script", "link", "img", "iframe"}
    assert not any(name in ("src", "href") or name.startswith("on") for name, _ in page.attributes)
    assert "http" not in lecture.html()
    fragment = read(lecture._repr_html_())
    assert not fragment.kinds & {"html", "head", "body"}
    assert html.unescape(lecture._repr_html_()) in html.unescape(lecture.html())


def test_names_do_no_harm():
    name = "<script>alert('a')</script>|`*_x_*`"
    model = Sequential([layers.Conv2D(2, 3, input_shape=(5, 5, 1), name=name), layers.ReLU()], name='a<b>&"c')
    explanation = model.explain()
    page = read(explanation.html())
    assert "script" not in page.kinds
    assert any(name in text for text in page.text)
    plain = explanation.markdown()
    assert not re.search(r"(?<!\\)<script", plain)
    assert "\\<script\\>alert('a')\\</script\\>\\|\\`\\*\\_x\\_\\*\\`" in plain
