"""How the loss and the metrics went over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from convista.insight import figures
from convista.insight.reports.markup import Html, chart, details, gallery, paragraph, table, together
from convista.insight.reports.material import Material, percent
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say, short, spaced

_MOST_CURVES = 12
_MOST_ROWS = 200
_WATCHING = "val_"


def learning(material: Material) -> Section:
    """Show the curves, one figure each, and say in words what they show."""
    history = material.history
    if not history:
        return without("curves", say("curves.none"))
    names = [name for name in history if not (name.startswith(_WATCHING) and name.removeprefix(_WATCHING) in history)]
    charts = [_chart(name, history[name], history.get(_WATCHING + name)) for name in names[:_MOST_CURVES]]
    return section("curves", together(paragraph(" ".join(_sentences(history))), gallery(charts), _numbers(history)))


def _chart(name: str, training: Sequence[float], validation: Sequence[float] | None) -> Html:
    words = name.replace("_", " ")
    alt = say("curve.alt", name=words, epochs=counted(len(training), "epoch"), **_ends(training))
    if validation is not None:
        alt = say("curve.alt-both", alone=alt, **_ends(validation))
    return chart(figures.curve_png(name, training, validation), alt, say("curve.caption", name=words))


def _ends(values: Sequence[float]) -> dict[str, str]:
    finite = [value for value in values if math.isfinite(value)]
    return {"first": short(finite[0], 4), "last": short(finite[-1], 4)}


def _sentences(history: dict[str, list[float]]) -> list[str]:
    sentences = []
    if loss := history.get("loss"):
        sentences.append(say("curves.fell", epochs=counted(len(loss), "epoch"), **_ends(loss)))
    if (watched := history.get("val_loss")) and len(watched) > 1:
        best = int(np.nanargmin(watched))
        key = "curves.best-last" if best == len(watched) - 1 else "curves.best"
        sentences.append(say(key, epoch=best + 1, value=short(watched[best], 4)))
    if (training := history.get("accuracy")) and (validation := history.get("val_accuracy")):
        shares = {"training": percent(training[-1], 2), "validation": percent(validation[-1], 2)}
        if all(math.isfinite(values[-1]) for values in (training, validation)):
            sentences.append(say("curves.gap", **shares))
    epochs = max(len(column) for column in history.values())
    broken = sum(any(not math.isfinite(column[epoch]) for column in history.values()) for epoch in range(epochs))
    return [*sentences, say("curves.broken", count=counted(broken, "epoch"))] if broken else sentences


def _numbers(history: dict[str, list[float]]) -> Html:
    epochs = max(len(column) for column in history.values())
    shown = np.unique(np.linspace(0, epochs - 1, min(epochs, _MOST_ROWS)).round().astype(int)).tolist()
    rows = [[str(epoch + 1), *(_cell(column, epoch) for column in history.values())] for epoch in shown]
    summary = say("numbers.summary")
    if len(shown) < epochs:
        summary = say("numbers.thinned", shown=len(shown), count=spaced(epochs))
    return details(summary, table(say("curves.title"), [say("curve.epoch"), *history], rows))


def _cell(column: Sequence[float], epoch: int) -> str:
    return short(column[epoch], 4) if epoch < len(column) and math.isfinite(column[epoch]) else "–"
