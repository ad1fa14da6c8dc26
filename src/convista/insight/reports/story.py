"""The run's story in plain sentences, with its most important numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from convista.insight.judgement import is_compiled
from convista.insight.reports.confusion import confused_pair
from convista.insight.reports.markup import Html, facts, paragraph, together
from convista.insight.reports.material import Material, percent
from convista.insight.reports.section import Section, section
from convista.insight.reports.texts import counted, lasting, say, spaced
from convista.shapes import bytes_text, times

_FLOAT_BYTES = 4


def story(material: Material) -> Section:
    """Tell what was trained on what, for how long, and what came out."""
    learning = " ".join(_learning(material)) if material.record else say("story.no-record")
    return section(
        "story",
        together(
            facts(_facts(material)),
            paragraph(_status(material), "warning"),
            paragraph(learning),
            paragraph(" ".join(_result(material))),
            paragraph(_size(material)),
        ),
    )


def lead(material: Material) -> Html:
    """Return the one sentence that stands under the title of the page."""
    sentences = _result(material)
    return paragraph(sentences[0] if material.confusion is not None else _size(material), "lead")


def _learning(material: Material) -> list[str]:
    number, noun = material.told("data", "training_pictures", kind=int), material.noun
    sentences = []
    if number is not None:
        shape = times(tuple(size for size in material.model.input_shape[1:] if size is not None))
        classes = counted(len(material.classes), "class")
        name = material.told("data", "name") or material.told("data", "source") or ""
        values = {"classes": classes, "count": counted(number, noun), "shape": shape, "data": name}
        sentences.append(say("story.learned", model=material.model.name, **values))
    share = material.told("plan", "validation_split", kind=(int, float))
    if share and any(name.startswith("val_") for name in material.history):
        sentences.append(say("story.watched", share=percent(share, 0)))
    if source := material.told("weights", "source"):
        sentences.append(say("story.weights", source=source))
    if frozen := material.told("frozen", kind=list):
        sentences.append(say("story.frozen", layers=", ".join(map(str, frozen))))
    return [*sentences, *_how(material)]


def _how(material: Material) -> list[str]:
    sentences = []
    epochs, seconds = material.told("epochs", kind=int), material.told("seconds", kind=(int, float))
    batch = material.told("plan", "batch_size", kind=int)
    if epochs is not None and seconds is not None and batch is not None:
        values = {"times": counted(epochs, "time"), "duration": lasting(seconds)}
        sentences.append(say("story.how", batch=counted(batch, material.noun), **values))
    cores = material.told("machine", "cores", kind=int)
    system, processor = material.told("machine", "system"), material.told("machine", "processor")
    if cores is not None and system and processor:
        values = {"cores": counted(cores, "core"), "system": system, "processor": processor}
        sentences.append(say("story.machine", **values))
    if is_compiled(material.model):
        loss = getattr(material.model.loss, "__name__", type(material.model.loss).__name__)
        sentences.append(say("story.optimizer", optimizer=_optimizer(material.model.optimizer), loss=loss))
    return sentences


def _optimizer(optimizer: Any) -> str:
    name, rate = type(optimizer).__name__, getattr(optimizer, "learning_rate", None)
    if isinstance(rate, int | float):
        return say("story.optimizer-rate", name=name, rate=f"{rate:g}")
    return name if rate is None else say("story.optimizer-schedule", name=name, schedule=type(rate).__name__)


def _result(material: Material) -> list[str]:
    matrix = material.confusion
    if matrix is None or not matrix.sum():
        return [say("story.unjudged", reason=material.unjudged or say("confusion.no-results"))]
    count, right = int(matrix.sum()), int(np.trace(matrix))
    accuracy = percent(right / count, 2)
    sentences = [say("story.result", count=counted(count, material.noun), right=spaced(right), accuracy=accuracy)]
    if right == count:
        sentences.append(say("story.perfect", bound=percent(3 / count, 2), count=spaced(count)))
    else:
        if (every := round(count / (count - right))) > 1:
            sentences.append(say("story.every", every=counted(every, material.noun)))
        sentences.append(_confused(material, matrix))
    if material.judgement is None:
        sentences.append(say("story.judged-then"))
    return sentences


def _confused(material: Material, matrix: np.ndarray) -> str:
    pair = confused_pair(matrix)
    if pair is None:
        return say("story.no-pair")
    first, second, often = pair
    names = {"first": material.classes[first], "second": material.classes[second]}
    return say("story.pair", times=counted(often, "time"), **names)


def _size(material: Material) -> str:
    parameters = material.model.count_params()
    macs = sum(number or 0 for number in material.model.graph.multiply_accumulates())
    return say(
        "story.size",
        parameters=counted(parameters, "parameter"),
        bytes=bytes_text(parameters * _FLOAT_BYTES),
        macs=counted(macs, "multiply–accumulate"),
    )


def _status(material: Material) -> str:
    status = material.told("status")
    return say(f"story.{status}") if status in ("interrupted", "diverged") else ""


def _facts(material: Material) -> list[tuple[str, str]]:
    found = []
    matrix, loss = material.confusion, None
    if matrix is not None and (count := int(matrix.sum())):
        wrong = count - int(np.trace(matrix))
        found.append((say("fact.accuracy"), percent(1 - wrong / count, 2)))
        found.append((say("fact.mistakes", count=spaced(count)), spaced(wrong)))
    if material.judgement is not None:
        loss = material.judgement.loss
    elif matrix is not None:
        loss = material.told("test", "loss", kind=(int, float))
    if loss is not None:
        found.append((say("fact.loss"), f"{loss:.4f}"))
    found.append((say("fact.parameters"), spaced(material.model.count_params())))
    if (seconds := material.told("seconds", kind=(int, float))) is not None:
        found.append((say("fact.time"), lasting(seconds)))
    if (epochs := material.told("epochs", kind=int)) is not None:
        found.append((say("fact.epochs"), spaced(epochs)))
    return found
