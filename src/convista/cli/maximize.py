"""`convista maximize`: the picture that a class or a channel of a network wants."""

from __future__ import annotations

import math
from typing import Any

import click

from convista.cli.program import Session, Verb


class ValueRange(click.ParamType[tuple[float, float]]):
    """Two numbers with a comma between, the lower first."""

    name = "LOW,HIGH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            low, high = (float(word) for word in str(value).replace("−", "-").split(","))
        except ValueError:
            low, high = math.inf, -math.inf
        if not math.isfinite(high - low) or low >= high:
            self.fail(f"{value!r} is not a range. Write the least and the greatest value: 0,1 or -1,1.", param, ctx)
        return low, high


@click.command(
    cls=Verb,
    epilog="\b\nExamples:\n  convista maximize runs/first --class 7 --out seven.png\n"
    "  convista maximize runs/first --class 0 --class 1 --class 2\n"
    "  convista maximize runs/first --layer conv2d_1 --channel 8 --cell middle --steps 512",
)
@click.argument("model")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="A class; several are drawn on one sheet.")
@click.option("--layer", metavar="NAME", help="A layer, as convista summary names it; with --channel.")
@click.option("--channel", "channels", type=click.IntRange(0), multiple=True, help="A channel of it; also several.")
@click.option("--cell", type=click.Choice(["middle"]), help="One neuron instead of the mean over the map.")
@click.option("--start", type=click.Path(), help="A picture or .npy file. Default: faint noise.")
@click.option(
    "--value-range",
    type=ValueRange(),
    help="Least and greatest value of an input, for example 0,1. Default: what the model's preprocessing says.",
)
@click.option("--steps", type=click.IntRange(1, 100_000), default=256, show_default=True)
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), default=0.05, show_default=True)
@click.option("--jitter", type=click.IntRange(0), help="In pixels. Default: a sixteenth of the side.")
@click.option("--blur", type=click.FloatRange(0, 1.5), default=0.3, show_default=True, help="In pixels.")
@click.option("--total-variation", type=click.FloatRange(0), default=0.5, show_default=True)
@click.option("--l2", type=click.FloatRange(0, 10), default=0.5, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(), help="Default: maximized.png in this folder, if there is none yet.")
@click.pass_obj
def maximize(
    session: Session,
    model: str,
    classes: tuple[str, ...],
    layer: str | None,
    channels: tuple[int, ...],
    out: str | None,
    start: str | None,
    **settings: Any,
) -> None:
    """Seek the picture that a class, or a channel of a layer, of MODEL wants, and draw it.

    MODEL is a run folder or a .convista file. The values are those before the last activation: of a class the logit.
    """
    from convista.cli.class_name import class_named
    from convista.cli.input_file import read_input
    from convista.cli.option_names import options_named
    from convista.cli.picture_file import picture_file
    from convista.insight.features.maximization import gallery
    from convista.insight.runs import RunFolder
    from convista.models import load_model

    target = picture_file(out, "maximized.png", start)
    targets = _targets(classes, layer, channels)
    network = load_model(RunFolder.open(model).model)
    settings["start"] = None if start is None else read_input(start, network)
    found = []
    for one in targets:
        if "class_" in one:
            one = {"class_": class_named(one["class_"], network.classes)}
        with options_named(value_range="--value-range", class_="--class", layer="--layer", channel="--channel"):
            found.append(network.maximize(**one, **settings))
    if len(found) == 1:
        found[0].save(target)
    else:
        gallery(found, target)
    text = "\n".join(str(one) for one in found)
    document = {"saved": str(target), "found": [one.to_dict() for one in found]}
    session.show(f"{text}\n\n{target}", document)


def _targets(classes: tuple[str, ...], layer: str | None, channels: tuple[int, ...]) -> list[dict[str, Any]]:
    from convista.errors import ArgumentError

    if bool(classes) == (layer is not None) or (layer is None) != (not channels):
        raise ArgumentError(
            "a class is asked for, or a channel of a layer",
            where="convista maximize",
            received=" ".join(
                [
                    *(f"--class {name}" for name in classes),
                    *([f"--layer {layer}"] if layer is not None else []),
                    *(f"--channel {number}" for number in channels),
                ]
            )
            or "neither",
            fix="Write --class NAME, or --layer NAME --channel NUMBER",
        )
    if classes:
        return [{"class_": name} for name in classes]
    return [{"layer": layer, "channel": number} for number in channels]
