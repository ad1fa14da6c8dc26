"""A slide as one HTML file: tables, buttons, and a few lines of JavaScript that need no network."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import numpy as np

from convista.insight.walks.formulas import shown

if TYPE_CHECKING:
    from convista.insight.walks.sliding import Slide

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 1.2rem; }}
h1 {{ font-size: 1.15rem; margin: 0 0 .3rem; }}
.sizes, .hint {{ color: #595959; margin: 0; font-size: .9rem; }}
.grids {{ display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1rem 0; align-items: flex-start;
  overflow-x: auto; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; font-size: .9rem; padding-bottom: .2rem; white-space: nowrap; }}
td {{ min-width: 2.4rem; height: 2.4rem; padding: 0 .3rem; box-sizing: border-box; text-align: center;
  border: 1px solid #8c8c8c; font-variant-numeric: tabular-nums; }}
td.zero {{ color: #595959;
  background: repeating-linear-gradient(-45deg, #eee, #eee 5px, #cfcfcf 5px, #cfcfcf 6px); }}
td.seen, #kernel td {{ background: #f9ddc9; }}
td.seen {{ outline: 2px solid #d55e00; outline-offset: -2px; }}
td.seen.zero {{ background: repeating-linear-gradient(-45deg, #f9ddc9, #f9ddc9 5px, #cfcfcf 5px, #cfcfcf 6px); }}
td.done {{ background: #dcebf5; }}
td.now {{ outline: 3px solid #d55e00; outline-offset: -3px; font-weight: bold; }}
#formula {{ min-height: 3em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
button {{ font: inherit; padding: .2rem .8rem; margin-right: .3rem; min-height: 2.4rem; }}
input[type=range] {{ width: min(24rem, 90vw); vertical-align: middle; }}
</style>
</head>
<body>
<h1>{title}</h1>
{sizes}
<div class="grids">{input}{kernel}{output}</div>
<p id="formula" aria-live="polite">{formula}</p>
<p><button id="first">First</button><button id="back">Back</button><button id="play">Play</button>
<button id="step">Step</button></p>
<p><label>Place <input id="place" type="range" min="0" max="{last}" value="{last}"></label>
<span id="count">{count} of {count}</span></p>
<p class="hint">Space plays and pauses, the arrow keys step.</p>
<script type="application/json" id="frames">{frames}</script>
<script>
"use strict";
const frames = JSON.parse(document.getElementById("frames").textContent);
const at = id => document.getElementById(id);
const cells = id => [...at(id).rows].map(row => [...row.cells]);
const input = cells("input"), output = cells("output");
let now = 0, timer = null;
function show(number) {{
  now = Math.max(0, Math.min(frames.length - 1, number));
  const frame = frames[now];
  input.flat().forEach(cell => {{ cell.classList.remove("seen"); if (cell.dataset.zero) cell.textContent = ""; }});
  frame.seen.forEach(([row, column]) => {{
    const cell = input[row][column];
    cell.classList.add("seen");
    if (cell.dataset.zero) cell.textContent = "0";
  }});
  frames.forEach((other, place) => {{
    const cell = output[other.cell[0]][other.cell[1]];
    cell.textContent = place <= now ? other.value : "";
    cell.classList.toggle("done", place <= now);
    cell.classList.toggle("now", place === now);
  }});
  at("formula").textContent = `output[${{frame.cell[0]}}, ${{frame.cell[1]}}] = ${{frame.formula}}`;
  at("place").value = now;
  at("count").textContent = `${{now + 1}} of ${{frames.length}}`;
}}
function pause() {{ clearInterval(timer); timer = null; at("play").textContent = "Play"; }}
function play() {{
  if (timer) return pause();
  if (now === frames.length - 1) show(0);
  at("play").textContent = "Pause";
  timer = setInterval(() => {{ if (now === frames.length - 1) pause(); else show(now + 1); }}, 900);
}}
function by(steps) {{ pause(); show(now + steps); }}
at("play").onclick = play;
at("first").onclick = () => by(-frames.length);
at("back").onclick = () => by(-1);
at("step").onclick = () => by(1);
at("place").oninput = event => {{ pause(); show(Number(event.target.value)); }};
document.addEventListener("keydown", event => {{
  if (event.target.tagName === "INPUT" || event.target.tagName === "BUTTON") return;
  if (event.key === "ArrowRight") by(1);
  else if (event.key === "ArrowLeft") by(-1);
  else if (event.key === " ") {{ event.preventDefault(); play(); }}
}});
show(0);
</script>
</body>
</html>
"""


def page(slide: Slide) -> str:
    """Return a slide as a whole page; without JavaScript it shows the result and the last formula."""
    last = slide.frames[-1]
    return _PAGE.format(
        title=html.escape(slide.title),
        sizes="".join(f'<p class="sizes">{html.escape(line)}</p>' for line in slide.formulas),
        input=_input(slide),
        kernel=_table("kernel", "kernel", slide.kernel),
        output=_table("output", "output", slide.output),
        formula=html.escape(f"output[{last.cell[0]}, {last.cell[1]}] = {last.formula}"),
        last=len(slide.frames) - 1,
        count=len(slide.frames),
        frames=_frames(slide),
    )


def inside_frame(slide: Slide) -> str:
    """Return the page for a notebook: in a frame of its own, so that its style and names stay inside."""
    rows = max(slide.input.shape[0] + sum(slide.pads[0]), slide.kernel.shape[0], slide.sizes[0])
    height = 380 + 39 * rows
    style = f"width:100%;height:{height}px;border:0"
    return f'<iframe srcdoc="{html.escape(page(slide), quote=True)}" style="{style}" sandbox="allow-scripts"></iframe>'


def _input(slide: Slide) -> str:
    (above, below), (before, after) = slide.pads
    padded = np.pad(slide.input, ((above, below), (before, after)), constant_values=np.nan)
    rows = []
    for line in padded:
        cells = ('<td class="zero" data-zero="1"></td>' if np.isnan(value) else _cell(value) for value in line)
        rows.append(f"<tr>{''.join(cells)}</tr>")
    name = "input, hatched: zeros of the padding" if any(map(any, slide.pads)) else "input"
    return f'<table id="input"><caption>{name}</caption>{"".join(rows)}</table>'


def _table(name: str, caption: str, values: np.ndarray) -> str:
    rows = "".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in values)
    return f'<table id="{name}"><caption>{caption}</caption>{rows}</table>'


def _cell(value: float) -> str:
    return f"<td>{shown(value)}</td>"


def _frames(slide: Slide) -> str:
    before = [pads[0] for pads in slide.pads]
    frames = [
        {
            "cell": list(frame.cell),
            "seen": (frame.places.reshape(-1, 2) + before).tolist(),
            "formula": frame.formula,
            "value": shown(frame.value),
        }
        for frame in slide.frames
    ]
    return json.dumps(frames, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
