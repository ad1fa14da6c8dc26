"""`convista evaluate`: how good a saved network is on labelled pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convista.cli.program import Session, Verb
from convista.errors import ArgumentError

if TYPE_CHECKING:
    from convista.cli.chosen_data import Data, Pictures
    from convista.insight.judgement import Labelled


@click.command(cls=Verb, epilog="\b\nExample:\n  convista evaluate runs/first mnist")
@click.argument("run")
@click.argument("data")
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True, help="Pictures at a time.")
@click.option(
    "--split",
    type=click.Choice(["test", "train", "all"]),
    default="test",
    show_default=True,
    help="Which part of the data; all is for a folder without train/ and test/.",
)
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.pass_obj
def evaluate(session: Session, run: str, data: str, batch_size: int, split: str, offline: bool) -> None:
    """Judge the network of RUN on the test pictures of DATA.

    RUN is a run folder or a .convista file. DATA is a dataset (convista data list), an .npz file, or a folder of
    pictures as for `convista train`; a folder without train/ and test/ is judged by the fifth that `train` held out.
    """
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.insight.judgement import check_fit, is_compiled, judge
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    found = RunFolder.open(run)
    model = load_model(found.model)
    pictures = as_taken_by(model, data, Pictures(batch_size=batch_size, class_names=model.classes or None))
    chosen = choose_data(data, offline=offline, pictures=pictures)
    check_fit(model, chosen)
    if model.classes and model.classes != chosen.classes:
        click.echo(
            f"Note: the model's classes are {_names(model.classes)}; the data's {_names(chosen.classes)}.", err=True
        )
    half = _part(data, chosen, split, pictures)
    judgement = judge(model, half, model.classes or chosen.classes, batch_size, loss=is_compiled(model))
    session.show(judgement.text(), {"run": run, "data": data, "split": split, **judgement.document()})


def _part(data: str, chosen: Data, split: str, pictures: Pictures) -> Labelled:
    from convista.cli.chosen_data import is_folder, open_folder

    if split != "all":
        return chosen.test if split == "test" else chosen.train
    if not is_folder(data) or (folder := open_folder(data, pictures)).is_split:
        raise ArgumentError(
            "--split all is for a folder without train/ and test/",
            where="--split",
            received=repr(data),
            fix="Use --split test or --split train",
        )
    return folder.train


def _names(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:4]) + ("…" if len(classes) > 4 else "")
