"""Pieces of a page: every text is escaped on the way in, every picture is inside the page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import NewType

import numpy as np

from convista.insight.reports.texts import say

Html = NewType("Html", str)
"""Text that is safe to stand in a page; made by the functions of this module alone."""

NOTHING = Html("")
_LARGEST_SIDE = 160  # pixels; larger pictures are shown no larger, and hundreds of them have to fit one file
_SHOWN_SIDE = 96
_GREY, _COLOURS, _TRANSPARENT = 1, 3, 4


def escape(text: object) -> Html:
    """Return a text as it may stand in a page, also inside the quotes of an attribute.

    Example:
        >>> escape("<script>")
        '&lt;script&gt;'
    """
    return Html(html.escape(str(text)))


def together(*parts: Html) -> Html:
    """Return pieces one after the other."""
    return Html("\n".join(part for part in parts if part))


def paragraph(text: str, kind: str = "") -> Html:
    """Return a paragraph; ``kind`` is its class in the style sheet."""
    return Html(f"<p{_kind(kind)}>{escape(text)}</p>") if text else NOTHING


def listing(items: Iterable[str], *, ordered: bool = False) -> Html:
    """Return a list with one point for each text."""
    points = "".join(f"<li>{escape(item)}</li>" for item in items)
    tag = "ol" if ordered else "ul"
    return Html(f"<{tag}>{points}</{tag}>") if points else NOTHING


def heading(text: str) -> Html:
    """Return a heading inside a section."""
    return Html(f"<h3>{escape(text)}</h3>")


def article(title: str, inside: Html, kind: str) -> Html:
    """Return a piece with a heading of its own; ``kind`` is its class in the style sheet."""
    return Html(f"<article{_kind(kind)}>{heading(title)}{inside}</article>")


def code(text: str) -> Html:
    """Return lines as they are to be typed."""
    return Html(f'<pre tabindex="0"><code>{escape(text)}</code></pre>')


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return names with their values, one box each."""
    boxes = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return Html(f'<dl class="facts">{boxes}</dl>') if boxes else NOTHING


def details(summary: str, inside: Html) -> Html:
    """Return something that is folded until it is asked for; a printer unfolds it."""
    return Html(f"<details><summary>{escape(summary)}</summary>{inside}</details>") if inside else NOTHING


def scrolling(inside: Html, label: str) -> Html:
    """Return something wide in a frame of its own, so that the page never scrolls sideways."""
    return Html(f'<div class="wide" role="region" tabindex="0" aria-label="{escape(label)}">{inside}</div>')


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], numbers: range | None = None) -> Html:
    """Return a table.

    Args:
        caption: What it shows.
        header: The names of the columns.
        rows: The cells as texts; the first of a row names it.
        numbers: Which columns hold numbers; if not given, all but the first.
    """
    kinds = [_kind("number" if place in (numbers or range(0)) else "") for place in range(len(header))]
    if numbers is None:
        kinds[1:] = [_kind("number")] * (len(header) - 1)
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for kind, name in zip(kinds, header, strict=True))
    body = "".join(f"<tr>{_cells(row, kinds)}</tr>" for row in rows)
    words = _kind("" if any("number" in kind for kind in kinds) else "words")
    inside = (
        f"<table{words}><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    return scrolling(Html(inside), caption)


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    first = f'<th scope="row">{escape(row[0])}</th>'
    return first + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True))


def image(content: bytes, alt: str, *, width: int | None = None, kind: str = "") -> Html:
    """Return a PNG or JPEG file as an image inside the page.

    Args:
        content: The bytes of the file.
        alt: What it shows, for who does not see it.
        width: In CSS pixels; its own width if not given.
        kind: Its class in the style sheet.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content)) as opened:
        own, mime = opened.size, Image.MIME[opened.format or "PNG"]
    wide = own[0] if width is None else width
    high = max(round(own[1] * wide / own[0]), 1)
    data = base64.b64encode(content).decode("ascii")
    return Html(
        f'<img{_kind(kind)} alt="{escape(alt)}" width="{wide}" height="{high}" src="data:{mime};base64,{data}">'
    )


def figure(inside: Html, caption: str, kind: str = "") -> Html:
    """Return an image or several with the words under it."""
    return Html(f"<figure{_kind(kind)}>{inside}<figcaption>{escape(caption)}</figcaption></figure>")


def chart(content: bytes, alt: str, caption: str) -> Html:
    """Return a drawn figure with the words under it."""
    return figure(image(content, alt, kind="chart"), caption, "chart")


def drawing(content: bytes, alt: str, caption: str) -> Html:
    """Return a wide drawn figure with the words under it; a narrow window scrolls it instead of making it tiny."""
    return figure(scrolling(image(content, alt, kind="chart"), alt), caption, "drawing")


def gallery(figures: Iterable[Html]) -> Html:
    """Return figures side by side, as many in a row as there is room for."""
    inside = "".join(figures)
    return Html(f'<div class="gallery">{inside}</div>') if inside else NOTHING


def is_picture(shape: Sequence[int | None]) -> bool:
    """Return whether values of this shape can be shown: height, width and 1, 3 or 4 channels.

    Example:
        >>> is_picture((28, 28, 1)), is_picture((60, 4))
        (True, False)
    """
    return len(shape) == 3 and shape[-1] in (_GREY, _COLOURS, _TRANSPARENT)


def picture(values: np.ndarray, alt: str) -> Html:
    """Return a picture of the data, small ones enlarged with their pixels in sight.

    Args:
        values: (H, W, C), C is 1, 3 or 4; whole numbers are 0…255, others 0…1 where none is larger, else 0…255.
        alt: What it shows.
    """
    from PIL import Image

    shown = values[..., 0] if values.shape[-1] == _GREY else values
    if shown.dtype != np.uint8:
        largest = 255.0 if shown.dtype.kind in "iu" or shown.max(initial=0) > 1 else 1.0
        shown = np.round(255 * np.clip(shown / largest, 0, 1)).astype(np.uint8)
    drawn, content = Image.fromarray(shown), io.BytesIO()
    small = max(drawn.size) <= _LARGEST_SIDE
    drawn.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    drawn.save(content, "PNG", optimize=True)
    width = max(round(_SHOWN_SIDE * drawn.width / max(drawn.size)), 1)
    return image(content.getvalue(), alt, width=width if small else None, kind="pixels" if small else "")


def missing(reason: str) -> Html:
    """Return the words for a section that cannot be made."""
    return paragraph(say("section.missing", reason=reason), "missing")


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
