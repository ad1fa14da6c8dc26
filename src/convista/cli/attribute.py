"""`convista attribute`: which parts of a picture a network's answer rests on."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from convista.cli.program import Session, Verb
from convista.errors import suggest

METHODS = (
    *("grad_cam", "grad_cam_plus_plus", "score_cam", "saliency", "smoothgrad"),
    *("integrated_gradients", "guided_backpropagation", "occlusion"),
)
"""Their names, for a help that need not import NumPy first."""


class MethodName(click.ParamType[str]):
    """One of the methods; for a mistyped one, the name that was meant."""

    name = "NAME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name."""
        if str(value) not in METHODS:
            self.fail(f"{value!r} is no method. {suggest(str(value), METHODS)}", param, ctx)
        return str(value)


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista attribute runs/first photo.jpg\n"
    "  convista attribute runs/first photo.jpg --method occlusion --class cat --out why.png",
)
@click.argument("model")
@click.argument("picture")
@click.option(
    "--method",
    type=MethodName(),
    default="grad_cam",
    show_default=True,
    metavar="NAME",
    help=f"One of {', '.join(METHODS)}.",
)
@click.option("--class", "target", metavar="NAME", help="Name or number of a class. Default: the one it predicts.")
@click.option("--layer", metavar="NAME", help="For the methods with cam in their name. Default: the last convolution.")
@click.option("--out", type=click.Path(), help="Default: PICTURE-METHOD.png in this folder, if there is none yet.")
@click.pass_obj
def attribute(
    session: Session, model: str, picture: str, method: str, target: str | None, layer: str | None, out: str | None
) -> None:
    """Show why MODEL answers so to PICTURE: a figure of the parts that count, and what the network says.

    MODEL is a run folder or a .convista file. PICTURE is a file of any size, which is prepared as the
    model asks, or a .npy file with one input, as the model takes it.
    """
    from convista.cli.class_name import class_named
    from convista.cli.input_file import read_input
    from convista.cli.option_names import options_named
    from convista.cli.picture_file import picture_file
    from convista.insight.attributions.attribution import attribute as explain
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    file = picture_file(out, f"{Path(picture).stem}-{method}.png", picture)
    network = load_model(RunFolder.open(model).model)
    with options_named(target="--class", layer="--layer"):
        found = explain(network, read_input(picture, network), method, class_named(target, network.classes), layer)
    found.save(file)
    words = [model, picture, *([] if target is None else ["--class", target])]
    commands = "".join(f"\n  convista attribute {shlex.join(words)} --method {name}" for name in found.alternatives)
    session.show(
        f"{file}\n{found}{commands}", {"model": model, "picture": picture, "saved": str(file), **found.to_dict()}
    )
