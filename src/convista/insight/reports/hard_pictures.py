"""The pictures that the network finds hardest, and the two classes that it confuses most."""

from __future__ import annotations

import numpy as np

from convista.insight.judgement import Judgement
from convista.insight.reports.confusion import confused_pair
from convista.insight.reports.markup import Html, figure, gallery, heading, paragraph, picture, together
from convista.insight.reports.material import Material, percent
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say
from convista.shapes import times

_MOST = 12
_MOST_OF_A_PAIR = 6


def hard_pictures(material: Material) -> Section:
    """Show the pictures with the greatest loss, with what was said and how sure, and the most confused pair."""
    if material.judgement is None:
        return without("pictures", material.unjudged)
    if not material.are_pictures:
        shape = times(tuple(size for size in material.shape or () if size is not None))
        return without("pictures", say("material.not-pictures", shape=shape))
    found = material.judgement
    shown = hardest(found, _MOST)
    wrong = bool((found.predicted != found.split.y).any())
    words = say("pictures.how") if wrong else say("pictures.none-wrong")
    return section("pictures", together(paragraph(words), _gallery(found, shown), _pair(found)))


def hardest(found: Judgement, most: int) -> np.ndarray:
    """Return the numbers of the examples whose truth got the least probability, the least first.

    Where there are mistakes, only mistakes: a right answer is none, however unsure.
    """
    truths = found.split.y.astype(np.int64)
    given = found.probabilities[np.arange(len(truths)), truths]
    candidates = np.flatnonzero(found.predicted != truths)
    if not candidates.size:
        candidates = np.arange(len(truths))
    return candidates[np.argsort(given[candidates], kind="stable")][:most]


def _pair(found: Judgement) -> Html:
    pair = confused_pair(found.confusion)
    if pair is None:
        return Html("")
    first, second, _ = pair
    names = {"first": found.classes[first], "second": found.classes[second]}
    forth, back = (_often(int(found.confusion[way])) for way in ((first, second), (second, first)))
    order = hardest(found, len(found.split.y))
    truths, said = found.split.y[order], found.predicted[order]
    ways = ((first, second), (second, first))
    shown = [order[(truths == truth) & (said == other)][:_MOST_OF_A_PAIR] for truth, other in ways]
    return together(
        heading(say("pictures.pair", **names)),
        paragraph(say("pictures.pair-how", forth=forth, back=back, **names)),
        *(_gallery(found, numbers) for numbers in shown if numbers.size),
    )


def _often(count: int) -> str:
    return counted(count, "time") if count else say("pictures.never")


def _gallery(found: Judgement, numbers: np.ndarray) -> Html:
    return gallery(_figure(found, int(number)) for number in numbers)


def _figure(found: Judgement, number: int) -> Html:
    truth, said = int(found.split.y[number]), int(found.predicted[number])
    names = {"truth": found.classes[truth], "said": found.classes[said]}
    shares = found.probabilities[number]
    alt = say("pictures.alt", number=number, **names)
    caption = say("pictures.caption", sure=percent(float(shares[said])), true=percent(float(shares[truth])), **names)
    return figure(picture(np.asarray(found.split.x[number]), alt), caption, "example")
