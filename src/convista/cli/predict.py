"""`convista predict`: what a saved network sees in pictures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import Session, Verb
from convista.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from convista.models import Model

_SHOWN = 3
_AT_A_TIME = 256


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista predict runs/first photo.jpg scan.png\n  convista predict runs/first photos",
)
@click.argument("run")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.pass_obj
def predict(session: Session, run: str, pictures: tuple[str, ...]) -> None:
    """Name the PICTUREs with the network of RUN.

    RUN is a run folder or a .convista file. Pictures are files of any size; they are prepared as the model asks. A
    PICTURE may be a folder: then every picture in it is named, and files that are none are skipped.
    """
    from convista.insight.judgement import class_probabilities
    from convista.insight.runs import RunFolder
    from convista.insight.tables import table
    from convista.models import load_model

    model = load_model(RunFolder.open(run).model)
    files, skipped = _files(pictures)
    files, answers = _answers(model, files, skipped)
    probabilities = class_probabilities(model, answers)
    names = model.classes or tuple(str(number) for number in range(probabilities.shape[1]))
    found = [_named(picture, row, names) for picture, row in zip(files, probabilities, strict=True)]
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
    session.show(table(header, rows, left=2), {"run": run, "pictures": found, "skipped": skipped})


def _files(pictures: tuple[str, ...]) -> tuple[list[str], list[dict[str, str]] | None]:
    """The files themselves, and a list for what is skipped where a folder was named."""
    from convista.data.folder_layout import is_picture

    files: list[str] = []
    folders = [picture for picture in pictures if os.path.isdir(picture)]
    for picture in pictures:
        if picture not in folders:
            files.append(picture)
            continue
        inside = (os.path.join(place, name) for place, _, names in os.walk(picture) for name in names)
        found = sorted(path for path in inside if is_picture(path) and not os.path.basename(path).startswith("."))
        if not found:
            raise DataError(
                "a folder to predict has pictures", where=picture, received="none with a known suffix, such as .jpg"
            )
        files += found
    return files, [] if folders else None


def _answers(model: Model, files: list[str], skipped: list[dict[str, str]] | None) -> tuple[list[str], np.ndarray]:
    """Predict so many files at a time that memory stays bounded; without a list for them, bad files are errors."""
    import numpy as np

    if skipped is None:
        return files, np.asarray(model.predict(files, verbose=0))
    seen: list[str] = []
    parts: list[np.ndarray] = []
    for first in range(0, len(files), _AT_A_TIME):
        pictures = files[first : first + _AT_A_TIME]
        try:
            parts.append(np.asarray(model.predict(pictures, verbose=0)))
            seen += pictures
        except DataError:
            for picture in pictures:
                try:
                    parts.append(np.asarray(model.predict([picture], verbose=0)))
                    seen.append(picture)
                except DataError as error:
                    skipped.append({"picture": picture, "reason": error.rule})
                    click.echo(f"Skipped: {error}", err=True)
    if not parts:
        raise DataError("at least one file is a picture", where="PICTURE", received=f"{len(skipped)} that are none")
    return seen, np.concatenate(parts)


def _named(picture: str, probabilities: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    order = (-probabilities).argsort(kind="stable")[:_SHOWN]
    top = [{"label": names[index], "probability": float(probabilities[index])} for index in order]
    return {"picture": picture, **top[0], "top": top}
