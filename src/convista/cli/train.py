"""`convista train`: from data to a trained, judged and saved network."""

from __future__ import annotations

import math
from typing import Any

import click

from convista.cli.chosen_model import LISTED
from convista.cli.image_size import ImageSize
from convista.cli.program import Session, Verb


class Rate(click.ParamType[float]):
    """A learning rate: a number that is larger than 0."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        try:
            rate = float(str(value))
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            self.fail(f"{value!r} is not a learning rate. Write a number larger than 0, for example 0.001.", param, ctx)
        return rate


@click.command(
    cls=Verb,
    epilog=f"{LISTED}\n\n"
    "\b\nExamples:\n  convista train digits --epochs 10\n"
    "  convista train mnist --model lecture-convnet --optimizer rmsprop --out runs/first\n"
    "  convista train mine.npz --model my_models.py:small\n"
    "  convista train photos --image-size 64\n"
    "  convista train mine.npz --model resnet18 --weights resnet18.pth --freeze backbone --lr 0.001",
)
@click.argument("data")
@click.option(
    "--model",
    default=None,
    metavar="MODEL",
    help="An architecture (they are listed below), "
    "FILE.py:NAME (a model or a function of input shape and number of classes; the file is executed), or a "
    "saved model or run. Default: lecture-convnet, digits-convnet for small pictures.",
)
@click.option(
    "--weights",
    type=click.Path(),
    metavar="FILE",
    help="Begin with the weights of a file: .convista, .safetensors, .pth of PyTorch or .h5 of Keras. "
    "hf://OWNER/REPOSITORY/FILE is one on the Hugging Face hub. The classifier is made anew for the classes of DATA.",
)
@click.option(
    "--standardize",
    type=click.Choice(["imagenet"]),
    help="Begin with ImageNet's mean and deviation of each colour, as torchvision's published weights expect.",
)
@click.option(
    "--freeze",
    multiple=True,
    metavar="LAYERS",
    help="Layers that do not learn: backbone (all but the classifier), a name or a pattern such as conv1_*. Can be "
    "given several times.",
)
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, help="Times all pictures are seen.")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True, help="Pictures a step.")
@click.option(
    "--lr",
    "learning_rate",
    type=Rate(),
    help="Learning rate. Default: the optimizer's own.",
)
@click.option("--optimizer", help="sgd, rmsprop, adam or adamw. Default: adam, or what a saved model was trained with.")
@click.option(
    "--schedule",
    type=click.Choice(["constant", "cosine"]),
    default="constant",
    show_default=True,
    help="cosine lets the learning rate fall to zero.",
)
@click.option(
    "--policy",
    type=click.Choice(["float32", "mixed_bfloat16"]),
    help="Precision of the products; mixed_bfloat16 trains faster. Default: float32, or a saved model's own.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same result.")
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the training pictures kept to watch the learning.",
)
@click.option("--image-size", type=ImageSize(), help="For a folder: the size its pictures are brought to.")
@click.option(
    "--color-mode",
    type=click.Choice(["rgb", "grayscale"]),
    default="rgb",
    show_default=True,
    help="For a folder: three channels or one.",
)
@click.option("--out", type=click.Path(), help="Run folder. Default: a new one in runs/. Nothing is overwritten.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.pass_obj
def train(
    session: Session,
    data: str,
    model: str | None,
    weights: str | None,
    standardize: str | None,
    freeze: tuple[str, ...],
    offline: bool,
    image_size: tuple[int, int] | None,
    color_mode: str,
    **choices: Any,
) -> None:
    """Train a network on DATA and write a run folder.

    DATA is a dataset (convista data list), an .npz file with x_train, y_train, x_test and y_test, or a folder of
    pictures or a .tar of it: train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg, of which a fifth is held out.
    The test pictures are only used to judge the finished network.

    Ctrl-C ends the training in good order: what was learned is saved in the run folder.
    """
    from convista.cli import training_run
    from convista.cli.chosen_data import Pictures, as_taken_by, choose_data
    from convista.cli.chosen_model import ARCHITECTURES, check_own_fit, choose_model, is_from_file, is_saved

    plan = training_run.Plan(**choices)
    pictures = Pictures(image_size, color_mode, plan.batch_size, plan.seed)
    if model is not None and model not in ARCHITECTURES and is_saved(model) and not is_from_file(model):
        pictures = as_taken_by(choose_model(model, None, 0, plan.seed), data, pictures)
    chosen = choose_data(data, offline=offline, pictures=pictures)
    shape = chosen.train.x.shape[1:]
    name = model or ("digits-convnet" if min(shape[:2]) < 18 else "lecture-convnet")
    network = choose_model(name, shape, len(chosen.classes), plan.seed)
    if is_from_file(name):
        check_own_fit(name, network, chosen)
    if standardize is not None:
        network = training_run.standardized(network)
    if weights is not None:
        training_run.begin_with(network, weights, quiet=plan.quiet, offline=offline)
    if freeze:
        training_run.freeze(network, freeze)
    document = training_run.train(session, plan, network, chosen, data)
    if session.json:
        session.show("", document)
