"""A derivation written out: as text for a terminal, as Markdown, and as HTML that needs no network."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convista.insight.derivations.lines import Line
from convista.insight.markdown import plain

if TYPE_CHECKING:
    from convista.insight.derivations.explanation import Explanation, LayerDerivation

_HEADINGS = {
    "output": "size",
    "padding": "padding",
    "loss": "what is lost",
    "parameters": "parameters",
    "multiply_accumulates": "products",
    "memory": "memory",
    "receptive_field": "receptive field",
}

_STYLE = """
.convista-derivation { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; }
.convista-derivation h2 { font-size: 1.3em; margin: 0 0 .6em; }
.convista-derivation h3 { font-size: 1.05em; margin: 1.4em 0 .3em; overflow-wrap: anywhere; }
.convista-derivation p { margin: .2em 0; }
.convista-derivation .scroll { overflow-x: auto; }
.convista-derivation table { border-collapse: collapse; }
.convista-derivation th, .convista-derivation td {
  border: 0; border-top: 1px solid #8884; padding: .15em .9em .15em 0; text-align: left; vertical-align: top;
}
.convista-derivation th { font-weight: normal; opacity: .75; white-space: nowrap; }
.convista-derivation code { font: .95em ui-monospace, monospace; white-space: nowrap; background: none; }
@media (max-width: 48rem) {
  .convista-derivation table, .convista-derivation tbody, .convista-derivation tr { display: block; }
  .convista-derivation tr { border-top: 1px solid #8884; padding: .2em 0; }
  .convista-derivation th, .convista-derivation td { display: block; border: 0; padding: 0 0 0 1em; }
  .convista-derivation th { padding-left: 0; }
  .convista-derivation th:empty, .convista-derivation td:empty { display: none; }
  .convista-derivation code { white-space: normal; overflow-wrap: anywhere; }
}
""".strip()

_INSIDE_NUMBERS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")


def text(explanation: Explanation) -> str:
    """Return the explanation as text for a terminal."""
    blocks = [f'Model "{explanation.title}"']
    blocks += ["\n".join([layer.title, *_indented(layer)]) for layer in explanation.layers]
    if explanation.totals:
        lines = [f"  {line}" for line in explanation.totals]
        blocks.append("\n".join(["The whole network", *lines, *(f"  {said}" for said in explanation.remarks)]))
    return "\n\n".join(blocks)


def _indented(layer: LayerDerivation) -> Iterator[str]:
    yield from (f"  {line}" for line in layer.lines)
    yield from (f"  {said}" for said in layer.remarks)


def markdown(explanation: Explanation) -> str:
    """Return the explanation as Markdown."""
    blocks = [f"## Model {plain(explanation.title)}"]
    for layer in explanation.layers:
        blocks.append(f"### {plain(layer.title)}")
        blocks.append(_listed(layer.lines, layer.remarks))
    if explanation.totals:
        blocks += ["### The whole network", _listed(explanation.totals, explanation.remarks)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _listed(lines: tuple[Line, ...], remarks: tuple[str, ...]) -> str:
    rows = [f"- `{line.equation}`{plain(line.words)}" for line in lines]
    return "\n".join([*rows, *(f"- {plain(said)}" for said in remarks)])


def fragment(explanation: Explanation) -> str:
    """Return the explanation as a piece of HTML, for notebooks and reports."""
    parts = [f"<h2>Model {html.escape(explanation.title)}</h2>"]
    parts += [_section(layer.title, layer.lines, layer.remarks) for layer in explanation.layers]
    if explanation.totals:
        parts.append(_section("The whole network", explanation.totals, explanation.remarks))
    return f'<div class="convista-derivation"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _section(title: str, lines: tuple[Line, ...], remarks: tuple[str, ...]) -> str:
    rows, topic = [], ""
    for line in lines:
        heading = "" if line.topic == topic else _HEADINGS[line.topic]
        topic = line.topic
        words = _escaped(line.words.removeprefix(": ").removeprefix(", "))
        equation = f"<code>{_escaped(line.equation)}</code>"
        rows.append(f'<tr><th scope="row">{heading}</th><td>{equation}</td><td>{words}</td></tr>')
    table = f'<div class="scroll"><table>{"".join(rows)}</table></div>' if rows else ""
    said = "".join(f"<p>{_escaped(words)}</p>" for words in remarks)
    return f"<section><h3>{html.escape(title)}</h3>{table}{said}</section>"


def _escaped(words: str) -> str:
    """Return words for HTML; no line of a browser ends between the thousands of a number and the rest."""
    return html.escape(_INSIDE_NUMBERS.sub("\u00a0", words))


def page(explanation: Explanation) -> str:
    """Return the explanation as a page of its own."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(explanation.title)}, derived</title>\n"
        "<style>:root { color-scheme: light dark; } body { margin: 1.5rem; }</style>\n</head>\n"
        f"<body>\n{fragment(explanation)}\n</body>\n</html>\n"
    )
