"""Where every size, parameter, product and byte of the network comes from."""

from __future__ import annotations

from collections.abc import Sequence

from convista.errors import ConvistaError
from convista.insight.derivations.explanation import Explanation, LayerDerivation, explain
from convista.insight.derivations.lines import Line
from convista.insight.reports.markup import Html, details, listing, paragraph, table, together
from convista.insight.reports.material import Material
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import say, spaced
from convista.shapes import times

_NO_NUMBERS = range(0)
_NUMBERS = range(2, 5)


def derivation(material: Material) -> Section:
    """Show the table of layers, and folded under it the worked lines of each."""
    batch = material.told("plan", "batch_size", kind=int) or 32
    try:
        found = explain(material.model, batch_size=batch)
    except ConvistaError as error:
        return without("derivation", str(error))
    folded = [details(layer.title, _worked(layer.title, layer.lines, layer.remarks)) for layer in found.layers]
    whole = details(say("derivation.whole"), _worked(say("derivation.whole"), found.totals, ()))
    remarks = listing(found.remarks)
    parts = (paragraph(say("derivation.how")), _table(found), remarks, *folded, whole)
    return section("derivation", together(*parts))


def _table(found: Explanation) -> Html:
    columns = ("layer", "output", "parameters", "products", "memory", "field")
    rows = [
        [
            f"{layer.name} ({layer.kind})",
            times(layer.output_shape),
            *(_number(layer, topic) for topic in ("parameters", "multiply–accumulates", "memory")),
            say("derivation.all") if layer.receptive_field is None else times(layer.receptive_field),
        ]
        for layer in found.layers
    ]
    header = [say(f"derivation.{column}") for column in columns]
    return table(say("derivation.caption"), header, rows, _NUMBERS)


def _number(layer: LayerDerivation, name: str) -> str:
    line = next((line for line in layer.lines if line.name == name), None)
    return "0" if line is None else spaced(round(line.value))


def _worked(caption: str, lines: Sequence[Line], remarks: Sequence[str]) -> Html:
    rows = [[line.equation, line.words.lstrip(",: ")] for line in lines]
    header = [say("derivation.line"), say("derivation.note")]
    shown = table(caption, header, rows, _NO_NUMBERS) if rows else Html("")
    return together(shown, listing(remarks))
