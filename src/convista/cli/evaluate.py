"""`convista evaluate`: how good a saved network is on labelled pictures."""

from __future__ import annotations

import click

from convista.cli.program import Session, Verb


@click.command(cls=Verb, epilog="\b\nExample:\n  convista evaluate runs/first mnist")
@click.argument("run")
@click.argument("data")
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True, help="Pictures at a time.")
@click.option(
    "--split", type=click.Choice(["test", "train"]), default="test", show_default=True, help="Which half of the data."
)
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.pass_obj
def evaluate(session: Session, run: str, data: str, batch_size: int, split: str, offline: bool) -> None:
    """Judge the network of RUN on the test pictures of DATA.

    RUN is a run folder or a .convista file. DATA is a dataset (convista data list) or an .npz file.
    """
    from convista.cli.chosen_data import choose_data
    from convista.insight.judgement import check_fit, is_compiled, judge
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    found = RunFolder.open(run)
    chosen = choose_data(data, offline=offline)
    model = load_model(found.model)
    check_fit(model, chosen)
    if model.classes and model.classes != chosen.classes:
        click.echo(
            f"Note: the model's classes are {_names(model.classes)}; the data's {_names(chosen.classes)}.", err=True
        )
    half = chosen.test if split == "test" else chosen.train
    judgement = judge(model, half, model.classes or chosen.classes, batch_size, loss=is_compiled(model))
    session.show(judgement.text(), {"run": run, "data": data, "split": split, **judgement.document()})


def _names(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:4]) + ("…" if len(classes) > 4 else "")
