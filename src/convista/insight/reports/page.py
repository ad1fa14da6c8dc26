"""The page around the sections: head, style, contents; nothing in it asks the network, and no script runs."""

from __future__ import annotations

from collections.abc import Sequence

from convista.insight.reports.markup import Html, escape, missing, together
from convista.insight.reports.section import Section
from convista.insight.reports.texts import say

# The browser itself refuses whatever is not inside the file.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

# Blue and vermillion are Okabe and Ito's: apart for every kind of eye, and in grey print by their darkness.
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #4e5864; --paper: #fff; --line: #d5dae0; --shade: #f4f6f8;
  --accent: #00578a; --warn: #8f3d00; --warn-paper: #fff3e8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7eaee; --soft: #a9b3be; --paper: #14181d; --line: #38414b; --shade: #1e242b;
    --accent: #7cc4f0; --warn: #ffb27a; --warn-paper: #33220f; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, "Segoe UI", Roboto,
  "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
a { color: var(--accent); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; z-index: 1; }
header, nav, main, footer { max-width: 62rem; margin-inline: auto; padding-inline: 1rem; }
header { padding-block: 2rem 1rem; }
header p { margin: 0; }
.kind { color: var(--soft); text-transform: uppercase; letter-spacing: .06em; font-size: .8rem; }
h1 { font-size: clamp(1.5rem, 5vw, 2.2rem); line-height: 1.2; margin: .2rem 0 .6rem; }
.lead { font-size: 1.15rem; color: var(--soft); max-width: 44rem; }
nav ol { max-width: none; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: 0; padding: .75rem 0;
  list-style: none; border-block: 1px solid var(--line); font-size: .92rem; }
section { padding-block: 1.4rem; border-bottom: 1px solid var(--line); }
section > h2 { margin: 0 0 .7rem; font-size: 1.4rem; line-height: 1.25; }
h3 { margin: 1.6rem 0 .4rem; font-size: 1.1rem; }
p, ul, ol { max-width: 46rem; }
main p { margin: .5rem 0; }
.hint { color: var(--soft); font-size: .92rem; }
.missing { color: var(--soft); border-left: .25rem solid var(--line); padding-left: .8rem; }
p.warning { color: var(--warn); background: var(--warn-paper); border-left: .25rem solid; padding: .6rem .8rem; }
article { border-left: .25rem solid var(--line); padding: .1rem 0 .1rem .9rem; margin: 1rem 0; }
article h3 { margin: 0 0 .3rem; }
article.error, article.warning { border-color: var(--warn); background: none; color: inherit; }
article.error h3, article.warning h3 { color: var(--warn); }
article.note { border-color: var(--accent); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .7rem; margin: 0 0 1rem; }
.facts div { background: var(--shade); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem;
  display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.facts dt { color: var(--soft); font-size: .85rem; line-height: 1.3; }
.facts dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; max-width: 100%; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { padding: .3rem .65rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--soft); }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.words td { overflow-wrap: anywhere; min-width: 3ch; }
table.confusion th, table.confusion td { text-align: center; padding: .3rem .2rem; min-width: 2.4rem;
  border: 1px solid var(--line); overflow-wrap: normal; }
table.confusion tbody th { text-align: right; padding-inline: .5rem; max-width: 9rem; overflow-wrap: anywhere; }
table.confusion thead th { max-width: 6rem; overflow-wrap: anywhere; vertical-align: bottom; }
table.confusion .corner { color: var(--soft); font-size: .75rem; line-height: 1.2; min-width: 4rem; }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: .88rem; line-height: 1.35; margin-top: .3rem; }
img { max-width: 100%; height: auto; }
.chart { background: #fff; }
figure.chart { background: none; margin: .8rem 0; max-width: 36rem; }
.gallery figure.chart { margin: 0; flex: 1 1 18rem; max-width: 30rem; }
.pixels { image-rendering: pixelated; border: 1px solid var(--line); }
.gallery { display: flex; flex-wrap: wrap; gap: 1.1rem; margin: .8rem 0; }
.gallery:has(> .tile) { gap: .6rem; }
.gallery figure.example { width: 7.5rem; }
.gallery figure.large { width: 12rem; }
.large .pixels { width: 100%; }
.gallery figure.tile { width: 4.2rem; text-align: center; }
.gallery figure.large-tile { width: 7.5rem; }
.tile .pixels { width: 100%; }
.drawing img { max-width: none; min-width: 40rem; width: 100%; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem;
  overflow-x: auto; white-space: pre-wrap; font: .88rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--accent); }
footer { color: var(--soft); font-size: .88rem; padding-block: 1.2rem 3rem; }
@media (max-width: 30rem) {
  .facts { grid-template-columns: repeat(2, 1fr); }
  .gallery { gap: .9rem; }
  .gallery figure.example, .gallery figure.large { width: calc(50% - .45rem); }
  th, td { padding-inline: .4rem; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --shade: #f4f4f4;
    --accent: #000; --warn: #000; --warn-paper: #fff; }
  nav, .skip { display: none; }
  body { font-size: 10pt; }
  .wide { overflow: visible; }
  .drawing img { min-width: 0; }
  figure, tr, .facts div, .confusion { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
  td, th { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def page(title: str, lead: Html, sections: Sequence[Section], ending: str) -> str:
    """Return the whole page.

    Args:
        title: Of the page, as plain text.
        lead: What stands under it.
        sections: Its parts, in order.
        ending: The last line, as plain text.
    """
    points = "".join(f'<li><a href="#{part.anchor}">{escape(part.title)}</a></li>' for part in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(say("page.language"))}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        f'<a class="skip" href="#main">{escape(say("page.skip"))}</a>\n'
        f'<header>\n<p class="kind">{escape(say("page.kind"))}</p>\n<h1>{escape(title)}</h1>\n{lead}\n</header>\n'
        f'<nav aria-label="{escape(say("page.contents"))}"><ol>{points}</ol></nav>\n'
        f'<main id="main">\n{together(*map(_section, sections))}\n</main>\n'
        f"<footer><p>{escape(ending)}</p></footer>\n</body>\n</html>\n"
    )


def _section(part: Section) -> Html:
    inside = part.body if part.made else missing(part.note)
    name = f"{part.anchor}-title"
    return Html(
        f'<section id="{part.anchor}" aria-labelledby="{name}">\n<h2 id="{name}">{escape(part.title)}</h2>\n'
        f"{inside}\n</section>"
    )
