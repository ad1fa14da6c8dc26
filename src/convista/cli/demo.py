"""`convista demo`: the main job on handwritten digits that come with the package."""

from __future__ import annotations

import click

from convista.cli.program import Session, Verb


@click.command(cls=Verb, epilog="\b\nExample:\n  convista demo")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same result.")
@click.option("--out", type=click.Path(), help="Run folder. Default: a new one in runs/. Nothing is overwritten.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.pass_obj
def demo(session: Session, seed: int, out: str | None, quiet: bool) -> None:
    """Train a small convolutional network on handwritten digits.

    Needs no network and no data: the 1,797 digits are inside the package. Takes some seconds.
    """
    from convista.architectures.digits import RECIPE
    from convista.cli import training_run
    from convista.cli.chosen_data import choose_data
    from convista.cli.chosen_model import choose_model

    data = choose_data("digits", offline=True)
    model = choose_model("digits-convnet", data.train.x.shape[1:], len(data.classes), seed)
    model.compile(optimizer=RECIPE.optimizer(len(data.train)), loss=RECIPE.loss, metrics=["accuracy"])
    plan = training_run.Plan(
        epochs=RECIPE.epochs,
        batch_size=RECIPE.batch_size,
        validation_split=0.0,
        seed=seed,
        out=out,
        quiet=quiet,
    )
    document = training_run.train(session, plan, model, data, "digits")
    if session.json:
        session.show("", document)
