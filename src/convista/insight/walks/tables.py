"""The walk of a cell as tables: for the terminal, as Markdown, as HTML for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from convista.insight.markdown import plain
from convista.insight.tables import table
from convista.insight.walks.formulas import shown
from convista.insight.walks.patches import Patch
from convista.shapes import times

if TYPE_CHECKING:
    from convista.insight.walks.tracing import Trace

MOST_CHANNELS = 3
"""So many input channels are written out cell by cell: those whose sums are largest."""
WIDEST = 8
"""A window with more cells along an axis is not written out; its largest products are listed."""
MOST_LISTED = 10
"""So many products or sums are listed."""
OUTSIDE = "·"
"""Stands where no cell of the input lies."""


@dataclass(frozen=True)
class Grid:
    """One matrix with a heading.

    Args:
        name: ``"patch"``, ``"kernel"`` or ``"products"``.
        cells: Its texts, row by row.
        marked: Cells under which no cell of the input lies.
        chosen: The cell that was taken over, of a maximum.
    """

    name: str
    cells: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()
    chosen: tuple[int, int] | None = None


@dataclass(frozen=True)
class Section:
    """What a trace shows together: grids side by side, or a table.

    Args:
        title: Its heading.
        grids: Matrices side by side.
        header: Of the table.
        rows: Of the table.
    """

    title: str
    grids: tuple[Grid, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(trace: Trace) -> list[Section]:
    """Return all tables of a walk, in order."""
    found: list[Section] = []
    for patch in trace.patches:
        found += _of_patch(trace, patch)
    rows = [(line.name, shown(line.value), line.formula) for line in trace.lines]
    rows.append(("network", shown(trace.computed), _agreement(trace)))
    return [*found, Section("", header=("step", "value", "calculation"), rows=tuple(rows))]


def _agreement(trace: Trace) -> str:
    if not trace.difference:
        return "the same"
    return f"{trace.precision}; {trace.difference:.1e} away, {trace.tolerance:.1e} allowed".replace("-", "−")


def where_it_looks(patch: Patch) -> str:
    """Return in words which cells of the input a window sees."""
    from convista.insight.walks.tracing import AXES

    if not patch.window:
        return ""
    if not patch.inside.any():
        return "no cell of the input"
    axes = AXES[len(patch.window)]
    inside = patch.places[patch.inside]
    return ", ".join(
        f"{axis} {line.min()}…{line.max()}" if line.min() < line.max() else f"{axis} {line.min()}"
        for axis, line in zip(axes, inside.T, strict=True)
    )


def _of_patch(trace: Trace, patch: Patch) -> Iterator[Section]:
    if patch.window and max(patch.window) <= WIDEST:
        columns = patch.strongest(MOST_CHANNELS)
        if patch.name == "pointwise":
            columns = []
        for column in columns:
            yield from _of_channel(trace, patch, column)
        if patch.kernel is not None and len(patch.channels) > 1:
            yield _sums(patch)
    else:
        yield _largest(patch)


def _of_channel(trace: Trace, patch: Patch, column: int) -> Iterator[Section]:
    """One section for each slice of the window: one for a sequence or a picture, several for a volume."""
    rank = len(patch.window)
    name = f"{patch.name}, " if patch.name else ""
    title = f"{name}input channel {_channel(patch, column)}, {where_it_looks(patch)}"
    for depth in range(patch.window[0] if rank == 3 else 1):
        part = f"{title}; slice {depth} of the window" if rank == 3 else title
        yield Section(part, grids=tuple(_grids(trace, patch, column, depth)))


def _grids(trace: Trace, patch: Patch, column: int, depth: int) -> Iterator[Grid]:
    inside = flat(patch.inside[..., None], 0, depth)
    marked = frozenset((int(row), int(col)) for row, col in np.argwhere(~inside))
    chosen = None
    if trace.winner is not None:
        hit = (patch.places == trace.winner[:-1]).all(-1) & patch.inside
        spots = np.argwhere(flat(hit[..., None], 0, depth))
        chosen = (int(spots[0][0]), int(spots[0][1])) if len(spots) else None
    yield Grid("patch", _texts(flat(patch.values, column, depth), marked), marked, chosen)
    if patch.kernel is not None:
        yield Grid("kernel", _texts(flat(patch.kernel, column, depth), frozenset()))
        yield Grid("products", _texts(flat(patch.products, column, depth), frozenset()), marked)


def flat(array: np.ndarray, column: int, depth: int) -> np.ndarray:
    """Return one channel of a window as a matrix: a slice of a volume's, one row of a sequence's."""
    one = array[..., column]
    return one[depth] if one.ndim == 3 else np.atleast_2d(one)


def _texts(values: np.ndarray, marked: frozenset[tuple[int, int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(OUTSIDE if (row, col) in marked else shown(value) for col, value in enumerate(line))
        for row, line in enumerate(values)
    )


def _channel(patch: Patch, column: int) -> str:
    """The input channel; where one makes several, also which of them."""
    number = int(patch.channels[column])
    return str(number) if len(set(patch.channels)) == len(patch.channels) else f"{number} → {column}"


def _sums(patch: Patch) -> Section:
    columns = patch.strongest(MOST_LISTED)
    rows = [(_channel(patch, column), shown(patch.sums[column])) for column in columns]
    rest = len(patch.channels) - len(columns)
    if rest:
        rows.append((f"{rest:,} others", shown(patch.total - float(patch.sums[columns].sum()))))
    if patch.name != "depthwise":  # its sums are mixed, not added
        rows.append(("all", shown(patch.total)))
    title = f"{patch.name}: products of the channels" if patch.name == "pointwise" else "sums of the input channels"
    return Section(title, header=("channel", "sum"), rows=tuple(rows))


def _largest(patch: Patch) -> Section:
    indices = patch.largest(MOST_LISTED)
    rows = []
    for index in indices:
        place = patch.place(index)
        cell = str(place[-1]) if not patch.window and not patch.flattened else f"({', '.join(map(str, place))})"
        weight = () if patch.kernel is None else (shown(patch.kernel[index]), shown(patch.products[index]))
        rows.append((cell, shown(patch.values[index]), *weight))
    rest = patch.products.size - len(rows)
    kernel = patch.kernel is not None
    if rest and kernel:
        left = patch.total - sum(float(patch.products[index]) for index in indices)
        rows.append((f"{rest:,} others", "", "", shown(left)))
    header = ("input cell", "value", "weight", "product") if kernel else ("input cell", "value")
    behind = f" (cells of the {times(patch.flattened)} map before Flatten)" if patch.flattened else ""
    looks = where_it_looks(patch)
    noun = "contributions" if kernel else "values"
    shown_of = f"the largest of {patch.products.size:,} {noun}" if rest else f"all {noun}"
    return Section(f"{shown_of}{behind}{f', {looks}' if looks else ''}", header=header, rows=tuple(rows))


# --- as text, Markdown, HTML ------------------------------------------------------------------------------------------


def text(trace: Trace) -> str:
    """Return the tables for a terminal."""
    blocks = [f"{trace.title}\n{trace.rule}"]
    for section in sections(trace):
        body = _beside(section.grids) if section.grids else _calculation(section)
        blocks.append(f"{section.title}\n{body}" if section.title else body)
    if _has_outside(trace):
        blocks.append(f"{OUTSIDE} {outside_note(trace)}")
    return "\n\n".join(blocks)


def _has_outside(trace: Trace) -> bool:
    return any(not patch.inside.all() for patch in trace.patches)


def outside_note(trace: Trace) -> str:
    """Return what it means that no cell of the input lies somewhere."""
    if "Transpose" in trace.kind:
        return "no input cell lays this tap of its kernel here"
    if trace.patches[0].kernel is None:
        return "outside the map: does not count"
    return "a zero that padding added"


def _calculation(section: Section) -> str:
    if section.header[-1] != "calculation":
        return table(section.header, section.rows)
    numbers = table(section.header[:-1], [row[:-1] for row in section.rows]).splitlines()
    words = [section.header[-1], *(row[-1] for row in section.rows)]
    return "\n".join(f"{line}  {word}" for line, word in zip(numbers, words, strict=True))


def _beside(grids: Sequence[Grid]) -> str:
    columns = []
    for grid in grids:
        width = max(len(cell) for row in grid.cells for cell in row)
        lines = ["  ".join(cell.rjust(width) for cell in row) for row in grid.cells]
        if grid.chosen is not None:
            row, col = grid.chosen
            spot = col * (width + 2) + width
            lines = [f"{line} " for line in lines]
            lines[row] = f"{lines[row][:spot]}*{lines[row][spot + 1 :]}"
        whole = max(len(grid.name), len(lines[0]))
        columns.append([grid.name.ljust(whole), *(line.ljust(whole) for line in lines)])
    return "\n".join("    ".join(parts).rstrip() for parts in zip(*columns, strict=True))


def markdown(trace: Trace) -> str:
    """Return the tables as Markdown."""
    blocks = [f"**{plain(trace.title)}**\n\n{plain(trace.rule)}"]
    for section in sections(trace):
        if section.title:
            blocks.append(plain(section.title))
        if section.grids:
            blocks.append(_markdown_grids(section.grids))
        else:
            rows = [f"| {' | '.join(plain(cell) for cell in row)} |" for row in section.rows]
            line = "|".join(["---"] * len(section.header))
            blocks.append("\n".join([f"| {' | '.join(section.header)} |", f"|{line}|", *rows]))
    if _has_outside(trace):
        blocks.append(f"{OUTSIDE} {outside_note(trace)}")
    return "\n\n".join(blocks)


def _markdown_grids(grids: Sequence[Grid]) -> str:
    widths = [len(grid.cells[0]) for grid in grids]
    header = [name for grid, width in zip(grids, widths, strict=True) for name in [grid.name] + [""] * (width - 1)]
    rows = []
    for number in range(len(grids[0].cells)):
        cells = []
        for grid in grids:
            for col, cell in enumerate(grid.cells[number]):
                cells.append(f"**{cell}**" if grid.chosen == (number, col) else cell)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([f"| {' | '.join(header)} |", f"|{'|'.join(['--:'] * sum(widths))}|", *rows])


_CELL = "padding:1px 6px;text-align:right;border:1px solid #d9d9d9;font-variant-numeric:tabular-nums"
_HATCHED = "background:repeating-linear-gradient(45deg,#eee,#eee 3px,#d0d0d0 3px,#d0d0d0 5px);color:#595959"
_CHOSEN = "outline:2px solid #d55e00;outline-offset:-2px;font-weight:bold"


def page(trace: Trace) -> str:
    """Return the tables as HTML: one element, no outside references, every name escaped."""
    parts = [f"<p><b>{html.escape(trace.title)}</b><br>{html.escape(trace.rule)}</p>"]
    for section in sections(trace):
        if section.title:
            parts.append(f"<p>{html.escape(section.title)}</p>")
        parts.append(_html_grids(section.grids) if section.grids else _html_table(section))
    if _has_outside(trace):
        mark = f'<span style="{_HATCHED};padding:0 6px">{OUTSIDE}</span>'
        parts.append(f"<p>{mark} {html.escape(outside_note(trace))}</p>")
    return f'<div class="convista-trace">{"".join(parts)}</div>'


def _html_grids(grids: Sequence[Grid]) -> str:
    def cell(grid: Grid, row: int, col: int) -> str:
        extra = f";{_HATCHED}" if (row, col) in grid.marked else ""
        extra += f";{_CHOSEN}" if grid.chosen == (row, col) else ""
        return f'<td style="{_CELL}{extra}">{html.escape(grid.cells[row][col])}</td>'

    def whole(grid: Grid) -> str:
        rows = [
            f"<tr>{''.join(cell(grid, row, col) for col in range(len(line)))}</tr>"
            for row, line in enumerate(grid.cells)
        ]
        caption = f'<caption style="text-align:left">{html.escape(grid.name)}</caption>'
        return f'<table style="border-collapse:collapse;margin:0 1.5em 0 0">{caption}{"".join(rows)}</table>'

    return f'<div style="display:flex;flex-wrap:wrap;align-items:end">{"".join(map(whole, grids))}</div>'


def _html_table(section: Section) -> str:
    def align(column: int) -> str:
        return "left" if column == 0 or section.header[column] == "calculation" else "right"

    padding = "padding:1px 8px 1px 0"
    head = "".join(
        f'<th style="text-align:{align(column)};{padding}">{html.escape(name)}</th>'
        for column, name in enumerate(section.header)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{align(column)};{padding}">{html.escape(cell)}</td>'
            for column, cell in enumerate(row)
        )
        + "</tr>"
        for row in section.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def result_lines(trace: Trace) -> list[str]:
    """Return the calculation, a line for each step, and what the network computed."""
    lines = [str(line) for line in trace.lines]
    return [*lines, f"network = {shown(trace.computed)} ({_agreement(trace)})"]
