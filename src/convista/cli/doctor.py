"""`convista doctor`: what is wrong with a network, its data and its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import FAILED, Session, Verb
from convista.cli.summary import Sizes

if TYPE_CHECKING:
    from convista.cli.chosen_data import Data
    from convista.models import Model


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista doctor runs/first mnist\n"
    "  convista doctor runs/first mnist --quick --out diagnosis.html\n"
    "  convista doctor lecture-convnet-without-pooling --input 28,28,1",
)
@click.argument("model")
@click.argument("data", required=False)
@click.option("--input", "input_shape", type=Sizes(), help="Size of a picture for a new model without DATA.")
@click.option("--classes", type=click.IntRange(1), default=10, show_default=True, help="Of a new model without DATA.")
@click.option("--examples", type=click.IntRange(2), help="How many examples are looked at. Default: at most 1000.")
@click.option("--quick", is_flag=True, help="Leave out the short trainings that try the learning rate.")
@click.option("--strict", is_flag=True, help="Exit code 1 if there are errors or warnings.")
@click.option("--out", type=click.Path(), help="Also write a page with figures, for example diagnosis.html.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.pass_obj
def doctor(
    session: Session,
    model: str,
    data: str | None,
    input_shape: tuple[int, ...] | None,
    classes: int,
    examples: int | None,
    out: str | None,
    offline: bool,
    **how: bool,
) -> None:
    """Examine MODEL, DATA and the training: findings with evidence, consequence and a fix.

    Where a fix can be tried at once, it was tried on a copy, and what came out is printed; else it says "Not tried."

    MODEL is a run folder, a .convista file, an architecture or FILE.py:NAME (the file is executed); the history of a
    run is read too. DATA is as for `convista train`: its training pictures are examined, its test pictures validate.
    Without DATA only sizes and history are looked at. Nothing is changed.
    """
    import dataclasses

    from convista.cli.out_file import check_out, check_suffix
    from convista.insight.doctor.examination import check
    from convista.insight.doctor.limits import Limits

    if out is not None:
        check_suffix(out, ("html", "htm"), "a diagnosis")
        check_out(out)
    network, chosen, history = _chosen(model, data, input_shape, classes, offline)
    limits = Limits() if examples is None else dataclasses.replace(Limits(), examples=examples)
    found = check(network, chosen, history=history, limits=limits, quick=how["quick"])
    document = {"model": model, "data": data, "saved": out, **found.to_dict()}
    if out is not None:
        found.save(out)
    session.show(f"{found}" if out is None else f"{found}\n\nWritten: {out}", document)
    if how["strict"] and any(finding.severity != "note" for finding in found.findings):
        raise click.exceptions.Exit(FAILED)


def _chosen(
    text: str, data: str | None, input_shape: tuple[int, ...] | None, classes: int, offline: bool
) -> tuple[Model, Data | None, str | None]:
    """Return the model, the data, and where the history is, if there is one."""
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.cli.chosen_model import ARCHITECTURES, check_own_fit, choose_model, is_from_file, is_saved
    from convista.insight.judgement import check_fit
    from convista.insight.runs import RunFolder

    saved = text not in ARCHITECTURES and not is_from_file(text) and is_saved(text)
    history = RunFolder.open(text).history if saved else None
    known: Any = str(history) if history is not None and history.is_file() else None
    if data is None:
        return choose_model(text, input_shape, classes, seed=0), None, known
    pictures, network = Pictures(), None
    if saved:
        network = choose_model(text, None, classes, seed=0)
        pictures = as_taken_by(network, data, Pictures(class_names=network.classes or None))
    chosen = choose_data(data, offline=offline, pictures=pictures)
    if network is None:
        network = choose_model(text, chosen.train.x.shape[1:], len(chosen.classes), seed=0)
        _scale(network)
    if is_from_file(text):
        check_own_fit(text, network, chosen)
    check_fit(network, chosen)
    return network, chosen, known


def _scale(network: Model) -> None:
    """Give a new model the scale that `train` would give it."""
    from convista.data import Preprocessing
    from convista.layers import Rescaling

    if network.preprocessing is None and not any(isinstance(layer, Rescaling) for layer in network.layers):
        network.preprocessing = Preprocessing(scale=1 / 255)
