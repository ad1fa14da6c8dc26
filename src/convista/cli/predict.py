"""`convista predict`: what a saved network sees in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import Session, Verb

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 3


@click.command(cls=Verb, epilog="\b\nExample:\n  convista predict runs/first photo.jpg scan.png")
@click.argument("run")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.pass_obj
def predict(session: Session, run: str, pictures: tuple[str, ...]) -> None:
    """Name the PICTUREs with the network of RUN.

    RUN is a run folder or a .convista file. Pictures are files of any size; they are prepared as the model asks.
    """
    import numpy as np

    from convista.insight.judgement import as_probabilities
    from convista.insight.runs import RunFolder
    from convista.insight.tables import table
    from convista.models import load_model

    model = load_model(RunFolder.open(run).model)
    probabilities = as_probabilities(np.asarray(model.predict(list(pictures), verbose=0)))
    names = model.classes or tuple(str(number) for number in range(probabilities.shape[1]))
    found = [_named(picture, row, names) for picture, row in zip(pictures, probabilities, strict=True)]
    others = min(_SHOWN, len(names)) - 1
    header = ["picture", "label", "probability", *(["next"] * bool(others)), *([""] * (others - 1))]
    rows = [
        [
            one["picture"],
            one["label"],
            f"{one['probability']:.2%}",
            *(f"{other['label']} {other['probability']:.2%}" for other in one["top"][1:]),
        ]
        for one in found
    ]
    session.show(table(header, rows, left=2), {"run": run, "pictures": found})


def _named(picture: str, probabilities: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    order = (-probabilities).argsort(kind="stable")[:_SHOWN]
    top = [{"label": names[index], "probability": float(probabilities[index])} for index in order]
    return {"picture": picture, **top[0], "top": top}
