"""`convista explain`: where every number of a network comes from, layer by layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convista.cli.chosen_model import LISTED
from convista.cli.program import Session, Verb
from convista.cli.summary import Sizes

if TYPE_CHECKING:
    from convista.insight.derivations.explanation import Explanation

FORMATS = ("text", "markdown", "html", "json")
_SUFFIXES = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".json": "json"}


@click.command(
    cls=Verb,
    epilog=f"{LISTED}\n\n"
    "\b\nExamples:\n  convista explain lecture-convnet --input 28,28,1\n"
    "  convista explain runs/first --layer conv2d_1\n"
    "  convista explain resnet18 --input 224,224,3 --out resnet18.html",
)
@click.argument("model")
@click.option(
    "--input",
    "input_shape",
    type=Sizes(),
    help="Size of a picture, for example 28,28,1. A saved model knows its own, unless it takes any.",
)
@click.option(
    "--classes", type=click.IntRange(1), default=10, show_default=True, help="How many a new model shall tell apart."
)
@click.option("--layer", help="Only this layer.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Pictures of a step, for the memory of training.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Default: text, or what the name of --out says: .md, .html, .json.",
)
@click.option("--out", type=click.Path(dir_okay=False), help="Write it to this file, replacing what is there.")
@click.pass_obj
def explain(
    session: Session,
    model: str,
    input_shape: tuple[int, ...] | None,
    classes: int,
    layer: str | None,
    batch_size: int,
    form: str | None,
    out: str | None,
) -> None:
    """Work out every number of MODEL: sizes, padding, parameters, products, memory, receptive fields.

    MODEL is an architecture, FILE.py:NAME (the file is executed), a run folder or a .convista file.
    """
    from convista.cli.chosen_model import choose_model
    from convista.cli.option_names import options_named

    if out is not None:
        _check_target(out, model, named=form is not None)
    form = _form(session, form, out)
    network = choose_model(model, input_shape, classes, seed=0)
    with options_named(input_shape="--input", layer="--layer"):
        explanation = network.explain(layer, batch_size=batch_size, input_shape=input_shape)
    written = _written(explanation, form)
    if out is not None:
        from convista.atomic import write_whole

        write_whole(out, written.rstrip("\n") + "\n")
        session.show(out, {"saved": out, **explanation.to_dict()})
    else:
        session.show(written.rstrip("\n"), explanation.to_dict())


def _form(session: Session, form: str | None, out: str | None) -> str:
    if session.json and out is None and form not in (None, "json"):
        raise click.UsageError(f"--json prints JSON. Leave out --json or --format {form}, or write the other to --out.")
    if form is not None:
        return form
    return "text" if out is None else _SUFFIXES.get(Path(out).suffix.lower(), "text")


def _check_target(out: str, model: str, *, named: bool) -> None:
    """Check the file; ``named``: --format says what it will be, whatever it is called."""
    from convista.cli.out_file import check_out, check_suffix
    from convista.errors import ArgumentError

    target = Path(out)
    source = Path(f"{model.partition('.py:')[0]}.py" if ".py:" in model else model)
    if target.exists() and source.exists() and target.samefile(source):
        raise ArgumentError(
            "the model itself is not overwritten",
            where="--out",
            received=str(target),
            fix="Name another file with --out",
        )
    if not named:
        check_suffix(out, ("html", "htm", "md", "markdown", "txt", "json"), "an explanation")
    check_out(out)


def _written(explanation: Explanation, form: str) -> str:
    if form == "markdown":
        return explanation.markdown()
    if form == "html":
        return explanation.html()
    if form == "json":
        return json.dumps(explanation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    return str(explanation)
