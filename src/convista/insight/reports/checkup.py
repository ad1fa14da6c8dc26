"""What the doctor found: each finding with its evidence, what comes of it, and what helps."""

from __future__ import annotations

import re

from convista.errors import ConvistaError
from convista.insight.doctor.examination import check
from convista.insight.doctor.findings import Diagnosis, Finding
from convista.insight.reports.markup import Html, article, details, listing, paragraph, together
from convista.insight.reports.material import Material
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say


def checkup(material: Material) -> Section:
    """Examine the network, the data it learned from and its training."""
    history = str(material.run.history) if material.run.history.is_file() else None
    data = None if material.names_classes else material.data
    try:
        found = check(material.model, data, history=history)
    except ConvistaError as error:
        return without("doctor", str(error))
    findings = [_finding(one) for one in found.findings] or [paragraph(say("doctor.sound"))]
    return section("doctor", together(paragraph(_headline(found)), *findings, _made(found)))


def _headline(found: Diagnosis) -> str:
    counts = [counted(number, severity) for severity, number in found.counts().items() if number]
    words = say("doctor.counts", counts=", ".join(counts)) + " " if counts else ""
    looked = say("doctor.examples", count=counted(found.examples, "example")) if found.examples else say("doctor.alone")
    return words + looked


def _finding(one: Finding) -> Html:
    parts = [paragraph(_thousands(one.evidence.sentence)), paragraph(_thousands(one.consequence))]
    parts.append(paragraph(say("doctor.fix", fix=_thousands(one.fix.sentence))))
    verified = _thousands(one.fix.verified)
    tried = say("doctor.verified", verified=verified) if verified else say("doctor.not-tried")
    parts.append(paragraph(tried, "hint"))
    title = say("doctor.finding", severity=say(f"doctor.{one.severity}"), title=one.title)
    return article(title, together(*parts), one.severity)


def _thousands(text: str) -> str:
    """Return the doctor's words with numbers as the rest of the page writes them: it writes 1,000 here, 1 000 there."""
    return re.sub(r"(?<=\d)[, ](?=\d{3}\b)", "\u00a0", text)


def _made(found: Diagnosis) -> Html:
    skipped = [say("doctor.skipped", check=name, reason=reason) for name, reason in found.skipped]
    inside = together(listing(found.checked), paragraph(say("doctor.not-checked") if skipped else ""), listing(skipped))
    return details(say("doctor.checked", count=counted(len(found.checked), "check")), inside)
