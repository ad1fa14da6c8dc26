"""What is needed to repeat a run: the command, the seed, the versions, the data with its checksums."""

from __future__ import annotations

import hashlib
import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from convista.insight.judgement import is_compiled
from convista.insight.reports.markup import Html, code, heading, paragraph, table, together
from convista.insight.reports.material import Material
from convista.insight.reports.section import Section, section
from convista.insight.reports.texts import counted, say, spaced

_PIECE = 1 << 20
_NO_NUMBERS = range(0)


def reproduction(material: Material) -> Section:
    """Write down how to repeat the run."""
    command = material.told("command")
    how = (
        together(paragraph(say("reproduction.command")), code(command))
        if command
        else paragraph(say("reproduction.no-command"))
    )
    seed = material.told("seed", kind=int)
    return section(
        "reproduction",
        together(
            how,
            paragraph("" if seed is None else say("reproduction.seed", seed=seed)),
            *_data(material),
            _sums(material),
            _versions(material),
            _plan(material),
            paragraph(say("reproduction.judge")),
            code(_commands(material)),
        ),
    )


def _data(material: Material) -> list[Html]:
    name = material.told("data", "name") or ("" if material.data is None else material.data.name)
    source = material.told("data", "source") or ("" if material.data is None else material.data.source)
    training = material.told("data", "training_pictures", kind=int)
    test = material.told("data", "test_pictures", kind=int)
    found = []
    if name and training is not None and test is not None:
        counts = {"training": counted(training, material.noun), "test": spaced(test)}
        found.append(paragraph(say("reproduction.data", name=name, **counts)))
    return [*found, paragraph(say("reproduction.source", source=source))] if source else found


def _sums(material: Material) -> Html:
    rows = [[material.run.model.name, _sha256(material.run.model)], *_sums_of_data(material)]
    known = len(rows) > 1 or not material.record
    return together(
        table(say("reproduction.sums"), [say("reproduction.file"), say("reproduction.sha256")], rows, _NO_NUMBERS),
        paragraph("" if known else say("reproduction.no-sums")),
    )


def _sums_of_data(material: Material) -> list[list[str]]:
    from convista.data.digits import SHA256
    from convista.data.entries import ENTRIES

    name = material.told("data", "name") or ""
    if name in ENTRIES:
        published = [[download.file, download.sha256] for download in ENTRIES[name].downloads]
        return published or [[file, digest] for file, digest in SHA256.items()]
    path = Path(name)
    return [[name, _sha256(path)]] if name.endswith(".npz") and path.is_file() else []


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _versions(material: Material) -> Html:
    told = material.told("versions", kind=dict) or {}
    names = list(told) or ["convista", "python", "jax", "jaxlib", "numpy", "optax"]
    rows = [[str(name), *([str(told[name])] if told else []), _installed(str(name))] for name in names]
    header = [say("reproduction.program"), *([say("reproduction.then")] if told else []), say("reproduction.now")]
    return table(say("reproduction.versions"), header, rows, _NO_NUMBERS)


def _installed(name: str) -> str:
    return platform.python_version() if name == "python" else installed(name) or say("reproduction.not-installed")


def installed(package: str) -> str:
    """Return the version of an installed package; empty where it runs from its sources or is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _plan(material: Material) -> Html:
    plan = material.told("plan", kind=dict) or {}
    own = _own(material)
    rows = [[str(name), _setting(str(name), value, own)] for name, value in plan.items()]
    for name in ("began", "status"):
        if value := material.told(name):
            rows.append([say(f"reproduction.{name}"), value])
    machine = material.told("machine", kind=dict)
    if machine:
        rows.append([say("reproduction.machine"), ", ".join(f"{name} {value}" for name, value in machine.items())])
    header = [say("reproduction.setting"), say("reproduction.value")]
    return table(say("reproduction.plan"), header, rows, _NO_NUMBERS) if rows else heading(say("reproduction.plan"))


def _setting(name: str, value: object, own: Mapping[str, str]) -> str:
    """Return a setting as it was given; where it was left open, what the network brought along."""
    if name in own and (value is None or (name == "schedule" and value == "constant" != own[name])):
        return say("reproduction.by-default", value=own[name])
    return say("reproduction.default") if value is None else str(value)


def _own(material: Material) -> dict[str, str]:
    """Return how the network says that it learned: optimizer, learning rate and schedule."""
    if not is_compiled(material.model):
        return {}
    optimizer = material.model.optimizer
    rate = getattr(optimizer, "learning_rate", None)
    own = {"optimizer": type(optimizer).__name__}
    if isinstance(rate, int | float):
        return own | {"learning_rate": f"{rate:g}", "schedule": "constant"}
    return own if rate is None else own | {"learning_rate": str(rate), "schedule": type(rate).__name__}


def _commands(material: Material) -> str:
    run = material.run.path if material.run.model.name == "model.convista" else material.run.model
    data = material.told("data", "name") or "DATA"
    words = [shlex.quote(str(run)), data if data == "DATA" else shlex.quote(data)]
    named = "convista {verb} " + " ".join(words)
    # The file is there already when the page is read, and nothing is overwritten unless it is named.
    out = f" --out {shlex.quote(str(material.run.report))}"
    return f"{named.format(verb='evaluate')}\n{named.format(verb='report')}{out}"
