"""What the doctor says: findings with evidence, consequence and fix, and the diagnosis that holds them."""

from __future__ import annotations

import html
import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convista.atomic import write_whole
from convista.data.folder_check import SEVERITIES
from convista.insight.page_file import check_page
from convista.insight.runs import finite

if TYPE_CHECKING:
    from convista.insight.doctor.calibration import Calibration
    from convista.insight.doctor.range_test import RangeTest

_WIDTH = 100


@dataclass(frozen=True)
class Evidence:
    """How a finding is known.

    Args:
        sentence: For people.
        numbers: The same as data: names to numbers, texts or lists of them.
    """

    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fix:
    """What helps.

    Args:
        sentence: What to do.
        verified: What came out when it was done to a copy; empty where that was not tried.
    """

    sentence: str
    verified: str = ""

    @property
    def tried(self) -> str:
        """What came out on a copy, or that it was not tried."""
        return f"Tried on a copy: {self.verified}" if self.verified else "Not tried."


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    Args:
        name: What it is called, such as ``"dead channels"``.
        severity: ``"error"``, ``"warning"`` or ``"note"``.
        layer: The layer it is about; ``None`` where it is about none.
        evidence: How it is known.
        consequence: What comes of it.
        fix: What helps.
    """

    name: str
    severity: str
    layer: str | None
    evidence: Evidence
    consequence: str
    fix: Fix

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "name": self.name,
            "severity": self.severity,
            "layer": self.layer,
            "evidence": {"sentence": self.evidence.sentence, "numbers": finite(self.evidence.numbers)},
            "consequence": self.consequence,
            "fix": {"sentence": self.fix.sentence, "verified": self.fix.verified},
        }

    @property
    def title(self) -> str:
        """Its name and its layer."""
        return self.name if self.layer is None else f"{self.name} in {self.layer!r}"

    def __str__(self) -> str:
        parts = [self.evidence.sentence, self.consequence, f"→ {self.fix.sentence}"]
        parts.append(self.fix.tried)
        return "\n".join([f"{self.severity}: {self.title}", *map(_filled, parts)])


def _filled(text: str) -> str:
    """Break a text into lines, but no number such as 61 952."""
    whole = re.sub(r"(?<=\d) (?=\d{3}\b)", "\N{NO-BREAK SPACE}", text)
    return textwrap.fill(whole, _WIDTH, initial_indent="  ", subsequent_indent="  ").replace("\N{NO-BREAK SPACE}", " ")


class NotChecked(Exception):
    """A check that cannot be made here.

    Args:
        reason: Why, in a few words.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Diagnosis:
    """What ``model.check()`` returns: it prints as text, shows as HTML in a notebook, exports as data.

    Args:
        model: The model's name.
        findings: What was found, the most severe first.
        checked: The checks that were made.
        skipped: The checks that were not, each with the reason.
        examples: How many examples were looked at.
        calibration: How far the probabilities can be trusted, where that was measured.
        range_test: How the loss went over the learning rates, where that was tried.
    """

    model: str
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    examples: int = 0
    calibration: Calibration | None = None
    range_test: RangeTest | None = None

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each severity."""
        return {kind: sum(one.severity == kind for one in self.findings) for kind in SEVERITIES}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "model": self.model,
            "examples": self.examples,
            "counts": self.counts(),
            "findings": [finding.to_dict() for finding in self.findings],
            "checked": list(self.checked),
            "skipped": [{"check": name, "reason": reason} for name, reason in self.skipped],
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "range_test": None if self.range_test is None else self.range_test.to_dict(),
        }

    def __str__(self) -> str:
        parts = [self._headline(), *map(str, self.findings), self._made(_WIDTH)]
        return "\n\n".join(part for part in parts if part)

    def __repr__(self) -> str:
        return str(self)

    def _headline(self) -> str:
        found = [f"{number} {kind}{'s' if number != 1 else ''}" for kind, number in self.counts().items() if number]
        return f"Diagnosis of {self.model!r}: {', '.join(found) if found else 'nothing found'}"

    def _made(self, width: int) -> str:
        looked = f" on {self.examples:,} examples" if self.examples else ""
        lines = [textwrap.fill(f"Checked{looked}: {', '.join(self.checked) or 'nothing'}", width)]
        if self.skipped:
            lines += ["Not checked:", *(f"  {name}: {reason}" for name, reason in self.skipped)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(_row(finding) for finding in self.findings)
        header = "".join(f"<th>{name}</th>" for name in ("", "Finding", "How it is known", "What comes of it", "Fix"))
        table = f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        made = "<br>".join(html.escape(line.strip()) for line in self._made(10_000).splitlines())
        return f"<p><b>{html.escape(self._headline())}</b></p>{table}<p>{made}</p>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the diagnosis as one HTML page that needs nothing else, figures included.

        Args:
            path: The file; one that is there is replaced.

        Returns:
            The path.

        Raises:
            ArgumentError: The name does not end in .html, or the folder does not exist.
        """
        check_page(path)
        figures = [
            f'<p><img alt="{text}" src="data:image/png;base64,{measured.encoded()}"></p>'
            for text, measured in (("Calibration", self.calibration), ("Range test", self.range_test))
            if measured is not None
        ]
        title = html.escape(f"Diagnosis of {self.model}")
        style = (
            "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
            "td,th{vertical-align:top;text-align:left;padding:.4em .8em;border-top:1px solid #ccc}"
            "table{border-collapse:collapse}img{max-width:100%}"
        )
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{style}</style></head><body>{self._repr_html_()}{''.join(figures)}</body></html>\n"
        )
        return write_whole(path, page)


def _row(finding: Finding) -> str:
    fix = f"{finding.fix.sentence} {finding.fix.tried}"
    cells = (finding.severity, finding.title, finding.evidence.sentence, finding.consequence, fix)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
