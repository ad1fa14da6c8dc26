"""`convista report`: a run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from convista.cli.program import Session, Verb

if TYPE_CHECKING:
    from convista.cli.chosen_data import Data
    from convista.insight.runs import RunFolder


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista report runs/first\n  convista report runs/first mnist --out first.html",
)
@click.argument("run")
@click.argument("data", required=False)
@click.option("--out", type=click.Path(), help="Default: report.html in the run folder, if there is none yet.")
@click.option("--online", is_flag=True, help="DATA may be downloaded, if it is not at hand.")
@click.pass_obj
def report(session: Session, run: str, data: str | None, out: str | None, online: bool) -> None:
    """Write the story of RUN as one HTML file that needs no network.

    Curves, confusions, classes, hardest pictures, what is inside the network, what the doctor found, and how to repeat
    it. RUN is a run folder or a .convista file. DATA is as for `convista evaluate`; without it, the data that the run
    was trained on is loaded again.
    """
    from convista.insight.reports.material import gather
    from convista.insight.reports.report import written
    from convista.insight.runs import RunFolder

    found = RunFolder.open(run)
    target = found.report if out is None else Path(out)
    _check_target(target, named=out is not None)
    chosen, absent = _recorded(found) if data is None else (_chosen(found, data, offline=not online), "")
    if absent:
        click.echo(f"Note: {absent}", err=True)
    made = written(gather(found, chosen, absent))
    made.save(target)
    session.show(f"{made}\n\nWritten: {target}", {"saved": str(target), **made.to_dict()})


def _recorded(run: RunFolder) -> tuple[Data | None, str]:
    from convista.errors import ConvistaError
    from convista.insight.reports.report import not_loaded, recorded_name
    from convista.insight.reports.texts import say

    name = recorded_name(run)
    if name is None:
        return None, say("material.no-name")
    try:
        return _chosen(run, name, offline=True), ""
    except ConvistaError as error:
        return None, not_loaded(name, error)


def _chosen(run: RunFolder, data: str, *, offline: bool) -> Data:
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.models import load_model

    model = load_model(run.model)
    pictures = as_taken_by(model, data, Pictures(class_names=model.classes or None))
    return choose_data(data, offline=offline, pictures=pictures)


def _check_target(target: Path, *, named: bool) -> None:
    import shlex

    from convista.cli.out_file import check_out
    from convista.errors import ArgumentError
    from convista.insight.page_file import check_page

    check_out(target)
    check_page(target)
    if target.exists() and not named:
        raise ArgumentError(
            "nothing is overwritten unless it is named",
            where="--out",
            received=f"{target}, which exists",
            fix=f"Add --out {shlex.quote(str(target))} to replace it",
        )
