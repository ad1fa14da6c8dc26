"""How far the network's probabilities can be trusted."""

from __future__ import annotations

import base64

from convista.errors import ConvistaError
from convista.insight.doctor.calibration import Calibration, calibration
from convista.insight.doctor.limits import Limits
from convista.insight.reports.markup import Html, chart, details, paragraph, table, together
from convista.insight.reports.material import Material, percent
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say, spaced

_COOL, _HOT = 0.95, 1.05  # temperatures between these change next to nothing


def trust(material: Material) -> Section:
    """Show the reliability diagram and the expected calibration error on held-out data."""
    if material.judgement is None:
        return without("calibration", material.unjudged)
    try:
        found = calibration(material.judgement.probabilities, material.judgement.split.y)
    except ConvistaError as error:
        return without("calibration", str(error))
    alt = say("calibration.alt", error=f"{found.error:.3f}", bins=counted(len(found.bins), "bin"))
    drawn = chart(base64.b64decode(found.encoded()), alt, say("calibration.diagram"))
    words = [say("calibration.how"), _verdict(found, material.noun)]
    return section("calibration", together(*map(paragraph, words), drawn, _bins(found)))


def _verdict(found: Calibration, noun: str) -> str:
    values = {"confidence": percent(found.confidence), "accuracy": percent(found.accuracy)}
    words = [say("calibration.error", error=f"{found.error:.4f}", count=counted(found.count, noun), **values)]
    words.append(say("calibration.chance", chance=f"{found.chance:.4f}"))
    if found.error_after < found.error_before and not _COOL < found.temperature < _HOT:
        key = "calibration.too-sure" if found.temperature > 1 else "calibration.too-timid"
        errors = {"before": f"{found.error_before:.4f}", "after": f"{found.error_after:.4f}"}
        words.append(say(key, temperature=f"{found.temperature:.2f}", **errors))
        words.append(_beside_the_doctor(found))
    return " ".join(words)


def _beside_the_doctor(found: Calibration) -> str:
    """Return why the doctor calls this no fault, where it does not."""
    limits, above = Limits(), found.error - found.chance
    if found.confidence > found.accuracy:
        return "" if above > limits.calibration_error else say("calibration.small", limit=limits.calibration_error)
    return "" if above > limits.doubt_error else say("calibration.timid-by-design", limit=limits.doubt_error)


def _bins(found: Calibration) -> Html:
    columns = ("said", "answers", "confidence", "right")
    rows = [
        [
            f"{percent(one.low, 0)} … {percent(one.high, 0)}",
            spaced(one.count),
            percent(one.confidence),
            percent(one.accuracy),
        ]
        for one in found.bins
        if one.count
    ]
    header = [say(f"calibration.{column}") for column in columns]
    return details(say("numbers.summary"), table(say("calibration.caption"), header, rows))
