"""A section of a report."""

from __future__ import annotations

from dataclasses import dataclass

from convista.insight.reports.markup import NOTHING, Html
from convista.insight.reports.texts import say


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Args:
        title: Its heading.
        anchor: What links lead to.
        body: What it says; empty where it cannot be made.
        note: Why it is not there.
    """

    title: str
    anchor: str
    body: Html
    note: str = ""

    @property
    def made(self) -> bool:
        """Whether it says what it is there to say."""
        return not self.note


def section(anchor: str, body: Html) -> Section:
    """Return a section under the title that the catalogue has for it."""
    return Section(say(f"{anchor}.title"), anchor, body)


def without(anchor: str, note: str) -> Section:
    """Return a section that cannot be made, and says why."""
    return Section(say(f"{anchor}.title"), anchor, NOTHING, note)
