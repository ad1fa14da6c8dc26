"""The table of a network: layers, shapes, parameters, and on request what they cost and see."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any

from convista.arguments import Shape
from convista.layers.inference import Node
from convista.models.graph import Graph
from convista.shapes import AXIS_NOUNS, ReceptiveField, bytes_text, count, times

_FLOAT_BYTES = 4
_MARK = " *"


@dataclass(frozen=True)
class SummaryRow:
    """One layer of the table.

    Args:
        name: Its name in the model.
        kind: Its class.
        output_shape: With the batch axis first; ``None`` marks a size that varies or is not known yet.
        parameters: Numbers that it learns or keeps.
        kernel: Its window and the channels it takes, such as ``3×3×32``; empty if it has none.
        multiply_accumulates: Of one example, forward.
        activation_bytes: Memory of one example's output in float32.
        receptive_field: Input cells that one output cell sees; ``None`` is all of them.
        inputs: Names of the layers it takes, if not simply the one above.
        unseen: Cells at the end of each axis of its input that no window of it touches: there a size is lost.
        trainable: Whether training changes its weights.
    """

    name: str
    kind: str
    output_shape: Shape | None
    parameters: int | None
    kernel: str = ""
    multiply_accumulates: int | None = None
    activation_bytes: int | None = None
    receptive_field: tuple[int, ...] | None = None
    inputs: tuple[str, ...] = ()
    unseen: tuple[int, ...] = ()
    trainable: bool = True

    @property
    def loss_text(self) -> str:
        """What is said of a size that is lost here, such as ``the last row``; empty where none is."""
        parts = [
            f"the last {noun}" if cells == 1 else f"the last {cells} {noun}s"
            for noun, cells in zip(AXIS_NOUNS.get(len(self.unseen), ()), self.unseen, strict=True)
            if cells
        ]
        return " and ".join(parts)

    @property
    def shape_text(self) -> str:
        """The output shape as the lectures' tables print it."""
        if self.output_shape is None:
            return "?"
        text = str(tuple(self.output_shape))
        return f"[{text}]" if self.kind == "InputLayer" else text


@dataclass(frozen=True)
class Summary:
    """What ``model.summary()`` returns: it prints as a table, shows as HTML in a notebook, exports as data.

    Args:
        title: The model's name.
        rows: One for each layer.
        trainable: Numbers that are learned.
        non_trainable: Numbers that are not learned: moving averages, and all those of frozen layers.
        detail: Whether the table has all columns.
    """

    title: str
    rows: tuple[SummaryRow, ...]
    trainable: int
    non_trainable: int
    detail: bool = False

    @property
    def total(self) -> int:
        """All parameters; an optimizer's memory is none of them."""
        return self.trainable + self.non_trainable

    @property
    def multiply_accumulates(self) -> int:
        """Multiply–accumulates of one example, forward."""
        return sum(row.multiply_accumulates or 0 for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "name": self.title,
            "layers": [asdict(row) for row in self.rows],
            "total_parameters": self.total,
            "trainable_parameters": self.trainable,
            "non_trainable_parameters": self.non_trainable,
            "multiply_accumulates": self.multiply_accumulates,
        }

    def __str__(self) -> str:
        header, body = self._header(), self._body()
        widths = [max(len(line[column]) for line in [header, *body]) for column in range(len(header))]
        width = max(65, sum(widths) + 3 * len(widths))
        widths[-1] += width - sum(widths) - 3 * len(widths)
        lines = [f'Model: "{self.title}"', "_" * width, _line(header, widths), "=" * width]
        for row in body:
            lines += [_line(row, widths), ""]
        lines[-1 if body else len(lines) :] = ["=" * width, *self._totals(), "_" * width]
        return "\n".join(line.rstrip() for line in lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        def cells(values: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in values) + "</tr>"

        totals = "<br>".join(html.escape(line) for line in self._totals())
        body = "".join(cells(row, "td") for row in self._body())
        return (
            f"<p><b>Model: {html.escape(self.title)}</b></p><table>"
            f"<thead>{cells(self._header(), 'th')}</thead><tbody>{body}</tbody></table><p>{totals}</p>"
        )

    def _header(self) -> tuple[str, ...]:
        columns: tuple[str, ...] = ("Layer (type)", "Output Shape", "Param #")
        if self.detail:
            columns += ("Kernel", "MACs", "Activation memory", "Receptive field")
        if self._frozen:
            columns += ("Trainable",)
        return (*columns, "Connected to") if self._branches else columns

    @property
    def _frozen(self) -> bool:
        return not all(row.trainable for row in self.rows)

    @property
    def _branches(self) -> bool:
        return any(row.inputs for row in self.rows)

    def _body(self) -> list[tuple[str, ...]]:
        body: list[tuple[str, ...]] = []
        for row in self.rows:
            columns: tuple[str, ...] = (
                f"{row.name} ({row.kind})",
                row.shape_text + (_MARK if self.detail and any(row.unseen) else ""),
                "?" if row.parameters is None else str(row.parameters),
            )
            if self.detail:
                macs = "?" if row.multiply_accumulates is None else f"{row.multiply_accumulates:,}".replace(",", " ")
                memory = "?" if row.activation_bytes is None else bytes_text(row.activation_bytes)
                seen = "?" if row.output_shape is None else "all"
                seen = seen if row.receptive_field is None else times(row.receptive_field)
                columns += (row.kernel, macs, memory, seen)
            if self._frozen:
                columns += ("yes" if row.trainable else "no",)
            body.append((*columns, ", ".join(row.inputs)) if self._branches else columns)
        return body

    @property
    def _varies(self) -> bool:
        return any(row.activation_bytes is None for row in self.rows)

    def _totals(self) -> list[str]:
        lines = [
            f"{label} params: {number} ({bytes_text(number * _FLOAT_BYTES)})"
            for label, number in (
                ("Total", self.total),
                ("Trainable", self.trainable),
                ("Non-trainable", self.non_trainable),
            )
        ]
        if self.detail:
            macs = "?" if self._varies else f"{self.multiply_accumulates:,}".replace(",", " ")
            memory = "?" if self._varies else bytes_text(sum(row.activation_bytes or 0 for row in self.rows))
            lines += [f"Multiply–accumulates of one example: {macs}", f"Activations of one example: {memory}"]
            lines += [
                f"* {row.name} does not see {row.loss_text} of its input." for row in self.rows if any(row.unseen)
            ]
        if any(row.output_shape is None for row in self.rows):
            lines.append("Shapes marked ? are known once the first layer has input_shape=… or the model has seen data.")
        return lines


def _line(values: tuple[str, ...], widths: list[int]) -> str:
    return " " + "  ".join(value.ljust(width + 1) for value, width in zip(values, widths, strict=True))


def summarize(title: str, graph: Graph, detail: bool = False, *, hide_input: bool = False) -> Summary:
    """Return the summary of a graph whose shapes are known.

    Args:
        title: The model's name.
        graph: Its graph.
        detail: Whether the printed table has all columns; the data always has.
        hide_input: Leave the input out, as for a ``Sequential``.
    """
    shapes, counts = graph.shapes(), graph.parameter_counts()
    macs, fields = graph.multiply_accumulates(), graph.receptive_fields()
    branched = any(
        len(node.inputs) > 1 or node.inputs not in ((), (place - 1,)) for place, node in enumerate(graph.nodes)
    )
    rows = []
    seen: set[str] = set()
    for place, node in enumerate(graph.nodes):
        if hide_input and not node.inputs:
            continue
        parameters = 0 if node.name in seen else sum(counts.get(node.name, (0, 0)))
        seen.add(node.name)
        rows.append(
            SummaryRow(
                node.name,
                type(node.layer).__name__,
                (None, *shapes[place]),
                parameters,
                node.layer.kernel_text(node.input_shape(shapes)),
                macs[place],
                None if None in shapes[place] else count(shapes[place]) * _FLOAT_BYTES,
                _field(fields[place]),
                tuple(graph.nodes[spot].name for spot in node.inputs) if branched else (),
                _unseen(node, shapes),
                node.layer.trainable,
            )
        )
    frozen = graph.frozen
    trainable = sum(learned for name, (learned, _) in counts.items() if name not in frozen)
    return Summary(title, tuple(rows), trainable, sum(map(sum, counts.values())) - trainable, detail)


def _unseen(node: Node, shapes: list[Shape]) -> tuple[int, ...]:
    window = node.layer.window
    return () if window is None else window.unseen(shapes[node.inputs[0]][:-1])


def _field(field: ReceptiveField | None) -> tuple[int, ...] | None:
    return None if field is None else field.size
