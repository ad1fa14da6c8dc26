"""`convista prune`: a smaller network from a trained one, and what that costs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import Interrupted, Session, Verb

if TYPE_CHECKING:
    from convista.cli.chosen_data import Data
    from convista.models import Model


@dataclass(frozen=True)
class Plan:
    """What to remove, and how to learn after it.

    Args:
        filters: Share of the filters of each convolution.
        weights: Share of the weights of each kernel.
        finetune_epochs: Times all training pictures are seen afterwards.
        batch_size: Pictures a step.
        learning_rate: Of adam.
        keep: Layers that are left whole.
        quiet: No progress.
    """

    filters: float
    weights: float
    finetune_epochs: int
    batch_size: int
    learning_rate: float
    keep: tuple[str, ...]
    quiet: bool


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista prune runs/first mnist --filters 0.5\n"
    "  convista prune runs/first mnist --weights 0.9 --finetune-epochs 3 --out sparse.convista",
)
@click.argument("model")
@click.argument("data")
@click.option(
    "--filters",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share of the filters of each convolution that goes: the network gets smaller and faster.",
)
@click.option(
    "--weights",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share of the weights of each kernel that becomes zero while learning: its file zips better.",
)
@click.option(
    "--finetune-epochs", type=click.IntRange(0), default=1, show_default=True, help="Times all pictures are seen after."
)
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True, help="Pictures a step.")
@click.option(
    "--lr",
    "learning_rate",
    type=click.FloatRange(0, min_open=True),
    default=0.001,
    show_default=True,
    help="Learning rate of adam.",
)
@click.option("--keep", multiple=True, metavar="LAYER", help="A layer that is left whole; may be given several times.")
@click.option("--out", type=click.Path(), help="Where to save. Default: NAME-pruned.convista. Nothing is overwritten.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_obj
def prune(session: Session, model: str, data: str, out: str | None, offline: bool, **choices: Any) -> None:
    """Make the network of MODEL smaller, and print accuracy, size and time before and after.

    MODEL is a run folder or a .convista file; it stays as it is. DATA is what to measure and to go on learning with, as
    for `convista train`; its test pictures only measure.
    """
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.insight.comparison import compare_models
    from convista.insight.judgement import check_fit
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    plan = Plan(**choices)
    _check(plan)
    found = RunFolder.open(model)
    target = _target(out, found.path.name if found.model.name == "model.convista" else found.model.stem)
    before = load_model(found.model)
    pictures = Pictures(batch_size=plan.batch_size, class_names=before.classes or None)
    chosen = choose_data(data, offline=offline, pictures=as_taken_by(before, data, pictures))
    check_fit(before, chosen)
    networks = {"before": before}
    smaller = _cut(plan, before)
    if plan.filters:
        networks["pruned"] = smaller
    stop = None
    if plan.finetune_epochs:
        learned = smaller if not plan.filters else _cut(plan, before)
        learned = load_model(found.model) if learned is before else learned
        stop = _learn(plan, learned, chosen)
        networks["fine-tuned" if plan.filters else "pruned"] = learned
        smaller = learned
    smaller.save(target, overwrite=False)
    if stop is not None:
        click.echo(f"Interrupted. What was learned so far is in {target}", err=True)
        raise Interrupted(stop)
    comparison = compare_models(networks, chosen.test, plan.batch_size)
    text = f"{comparison}\n\nSaved {target}. Go on: convista evaluate {target} {data}"
    session.show(text, {"model": model, "data": data, "saved": str(target), **comparison.document()})


def _check(plan: Plan) -> None:
    from convista.errors import ArgumentError

    if not plan.filters and not plan.weights:
        raise ArgumentError(
            "there is something to remove", where="convista prune", received="none", fix="Add --filters 0.5"
        )
    if plan.weights and not plan.finetune_epochs:
        raise ArgumentError(
            "weights are pruned while the network learns",
            where="--weights",
            received="--finetune-epochs 0",
            fix="Use --finetune-epochs 1 or more",
        )


def _target(out: str | None, name: str) -> Path:
    from convista.errors import ArgumentError

    target = Path(f"{name}-pruned.convista" if out is None else out)
    if target.suffix != ".convista":
        raise ArgumentError(
            "a model is saved to a file whose name ends in .convista",
            where="--out",
            received=repr(out),
            fix=f"--out {target}.convista",
        )
    if target.exists():
        raise ArgumentError(
            "nothing is overwritten", where="--out", received=f"{target}, which exists", fix="Name another with --out"
        )
    if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise ArgumentError(
            "the folder is there and may be written",
            where="--out",
            received=str(target.parent),
            fix="Make it first, or name another",
        )
    return target


def _cut(plan: Plan, model: Model) -> Model:
    from convista.models.pruning import prune_filters

    convolutions = [layer.name for layer in model.layers if hasattr(layer, "filters")]
    keep = [name for name in plan.keep if name in convolutions or not plan.weights]
    return prune_filters(model, plan.filters, keep) if plan.filters else model


def _learn(plan: Plan, model: Model, data: Data) -> int | None:
    """Go on learning, and return the signal that stopped it."""
    from convista.cli.chosen_data import FolderData
    from convista.cli.interruption import Interruption
    from convista.errors import ArgumentError
    from convista.insight.judgement import is_compiled
    from convista.training.optimizers import Adam
    from convista.training.pruning import PolynomialSparsity, Pruned

    if not is_compiled(model):
        raise ArgumentError(
            "a network that goes on learning knows its loss",
            where="MODEL",
            received="a saved model that was not compiled",
            fix="Call model.compile(…) before model.save, or use --finetune-epochs 0",
        )
    taken: dict[str, Any] = {"x": data.train}
    if not isinstance(data, FolderData):
        taken = {"x": data.train.x, "y": data.train.y, "batch_size": plan.batch_size}
    steps = plan.finetune_epochs * math.ceil(len(data.train.y) / plan.batch_size)
    optimizer: Any = Adam(plan.learning_rate)
    if plan.weights:
        # The last quarter is for learning with what is left.
        sparsity = PolynomialSparsity(plan.weights, end_step=max(1, steps * 3 // 4))
        optimizer = Pruned(optimizer, sparsity, frequency=min(100, max(1, steps // 20)), keep=plan.keep)
    model.compile(optimizer=optimizer, loss=model.loss, metrics=["accuracy"])
    interruption = Interruption(model)
    with interruption:
        model.fit(**taken, epochs=plan.finetune_epochs, verbose=0 if plan.quiet else "auto")
    return interruption.signal
