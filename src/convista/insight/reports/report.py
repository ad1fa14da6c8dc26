"""The report of a run: one HTML file that needs no network."""

from __future__ import annotations

import html
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convista.atomic import write_whole
from convista.errors import ConvistaError
from convista.insight.page_file import check_page
from convista.insight.reports.checkup import checkup
from convista.insight.reports.classes import classes
from convista.insight.reports.confusion import confusion
from convista.insight.reports.derivation import derivation
from convista.insight.reports.hard_pictures import hard_pictures
from convista.insight.reports.insides import first_filters, maps
from convista.insight.reports.learning import learning
from convista.insight.reports.markup import Html
from convista.insight.reports.material import Data, Material, gather
from convista.insight.reports.page import page
from convista.insight.reports.reasons import reasons
from convista.insight.reports.reproduction import installed, reproduction
from convista.insight.reports.section import Section
from convista.insight.reports.story import lead, story
from convista.insight.reports.texts import say
from convista.insight.reports.trust import trust
from convista.insight.runs import RunFolder

SECTIONS = (
    story,
    learning,
    confusion,
    classes,
    trust,
    hard_pictures,
    reasons,
    first_filters,
    maps,
    derivation,
    checkup,
    reproduction,
)


@dataclass(frozen=True)
class Report:
    """A run as one page.

    Args:
        title: The page's title.
        run: The run folder it is about.
        sections: Its parts, in order.
        html: The whole file.
    """

    title: str
    run: Path
    sections: tuple[Section, ...]
    html: str

    def __str__(self) -> str:
        lines = [f"{part.title}" if part.made else f"{part.title}: not made, {part.note}" for part in self.sections]
        size = f"{len(self.html.encode()) / 1e6:.1f} MB"
        return "\n".join([f"{self.title}, {size}", *(f"  {line}" for line in lines)])

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.sections)} sections)"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON: what is in it, not the page itself."""
        parts = [
            {"title": part.title, "anchor": part.anchor, "made": part.made, "note": part.note} for part in self.sections
        ]
        return {"title": self.title, "run": str(self.run), "bytes": len(self.html.encode()), "sections": parts}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page, whole or not at all, and return its path.

        Raises:
            ArgumentError: Its name does not end in .html, or the folder does not exist.
        """
        check_page(path)
        return write_whole(path, self.html)

    def _repr_html_(self) -> str:
        # A frame of its own: the page's style stays inside, and it can do nothing to the notebook.
        return (
            f'<iframe sandbox title="{html.escape(self.title)}" style="width:100%;height:40rem;border:1px solid #ccc" '
            f'srcdoc="{html.escape(self.html)}"></iframe>'
        )


def report(run: str | os.PathLike[str] | RunFolder, data: Data | str | None = None) -> Report:
    """Tell the story of a training run as one HTML page that needs no network.

    The page has the run's curves, confusions, classes, hardest pictures, what is inside its network, and how to repeat
    it. A section that cannot be made (a network that names no classes has no confusions) says why.

    Args:
        run: A run folder, or a ``.convista`` file.
        data: What the network is judged by: a ``Dataset``, anything with ``name``, ``train``, ``test``, ``classes`` and
            ``source``, or the name of a dataset; if not given, the named dataset that ``run.json`` tells. It is loaded
            without the network.

    Returns:
        The page; ``.save(path)`` writes it.

    Raises:
        DataError: There is no such run, the network or the record cannot be read, or the data does not fit.
        ArgumentError: No dataset has the name.

    Example:
        >>> import tempfile
        >>> from convista.architectures.digits import digits_convnet
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model = digits_convnet()
        ...     model.classes = tuple("0123456789")
        ...     model.save(Path(folder) / "model.convista")
        ...     page = report(folder, "digits")
        >>> page.title, page.html.startswith("<!DOCTYPE html>")
        ('digits-convnet on digits', True)
    """
    found = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if data is None:
        return written(gather(found, *recorded_data(found)))
    return written(gather(found, _named(data) if isinstance(data, str) else data, ""))


def recorded_data(run: RunFolder) -> tuple[Data | None, str]:
    """Load the named dataset that ``run.json`` tells, without the network.

    Returns:
        The data and nothing, or None and why it is not at hand.
    """
    name = recorded_name(run)
    if name is None:
        return None, say("material.no-name")
    try:
        return _named(name), ""
    except ConvistaError as error:
        return None, not_loaded(name, error)


def recorded_name(run: RunFolder) -> str | None:
    """Return what ``run.json`` calls the data, if it says so."""
    data = run.read_record().get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) and name else None


def not_loaded(name: str, error: ConvistaError) -> str:
    """Return why the data of a run is not at hand, and how to give it."""
    return say("material.not-loaded", data=name, error=error)


def _named(name: str) -> Data:
    from convista.data import load

    return load(name, offline=True)


def written(material: Material) -> Report:
    """Write the page about what was gathered."""
    sections = tuple(make(material) for make in SECTIONS)
    data = material.told("data", "name") or ("" if material.data is None else material.data.name)
    title = say("page.title", model=material.model.name, data=data) if data else material.model.name
    own = " ".join(["Convista", *filter(None, [installed("convista")])])
    ending = say("page.ending", program=own, date=time.strftime("%Y-%m-%d"))
    top: Html = lead(material)
    return Report(title, material.run.path, sections, page(title, top, sections, ending))
