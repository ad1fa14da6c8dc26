"""One training from data to run folder, as `train` and `demo` do it."""

from __future__ import annotations

import math
import os
import platform
import shlex
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import convista
from convista.cli.chosen_model import as_saved
from convista.cli.interruption import Interruption
from convista.cli.program import Interrupted, Session
from convista.errors import ArgumentError, DivergedError
from convista.insight.runs import RunFolder

if TYPE_CHECKING:
    from convista.cli.chosen_data import Data
    from convista.insight.judgement import Judgement
    from convista.models import Model
    from convista.training.history import History

    Sample = tuple[Any, Any, Any]
    """Pictures and labels to learn from, or batches and None; and what only watches the learning."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    Args:
        epochs: How many times all pictures are seen.
        batch_size: Pictures a step.
        optimizer: Its name; None means adam, or what a saved model was trained with.
        learning_rate: None means the optimizer's own.
        schedule: "constant", or "cosine" for a learning rate that falls to zero along half a cosine.
        policy: In which precision to compute; None leaves the model's own.
        validation_split: The share of the training pictures that is kept to watch the learning.
        seed: Of weights and order.
        out: The run folder; None means a new one under ``runs``.
        quiet: No progress and no summary.
    """

    epochs: int = 5
    batch_size: int = 128
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str = "constant"
    policy: str | None = None
    validation_split: float = 0.1
    seed: int = 0
    out: str | None = None
    quiet: bool = False


def train(session: Session, plan: Plan, model: Model, data: Data, name: str) -> dict[str, Any]:
    """Train, judge, draw and write everything down.

    Args:
        session: Where the text goes.
        plan: How to train.
        model: What to train.
        data: What to train on.
        name: What DATA was called on the command line, for the next commands.

    Returns:
        The document of ``--json``.

    Raises:
        Interrupted: A signal came; the run folder holds what was learned before.
        DivergedError: The loss was not finite any more; the run folder holds the last good weights.
    """
    from convista.insight import figures
    from convista.insight.judgement import check_fit, judge

    check_fit(model, data)
    sample = _sample(data, plan)
    _prepare(model, plan, data, steps=plan.epochs * _steps(sample, plan))
    record = _record(session, plan, model, data, name)
    run = _folder(plan, data)
    if not plan.quiet:
        session.tell(f"{_described(data)}\n\n{model.summary(print_to=None)}\n")
    history, seconds, stop = _fit(model, plan, sample, run, record)
    record |= {"epochs": len(history.epoch), "seconds": round(seconds, 3), "history": history.history}
    if stop is not None:
        run.write_record({**record, "status": "interrupted"})
        figures.curves(history.history, run.curves)
        _say_where(run, stop, len(history.epoch), plan, name)
        raise Interrupted(stop)
    judgement = judge(model, data.test, data.classes, plan.batch_size, loss=True)
    _draw(run, history, judgement)
    following = _next_commands(run, name)
    document = {**record, "status": "done", "test": judgement.document(), "next": following}
    run.write_record(document)
    session.tell(_ending(run, judgement, len(history.epoch), seconds, following))
    return {"run": str(run.path), "files": _files(run), **document}


def begin_with(model: Model, path: str, *, quiet: bool = False, offline: bool = False) -> None:
    """Give a model the backbone of a weight file, and say what stays new.

    Args:
        model: What to train.
        path: The file, or its URL on the hub.
        quiet: Say nothing.
        offline: Never use the network.

    Raises:
        ModelFileError: The file is damaged, or its backbone is another one.
    """
    loaded = model.load_weights(path, head=False, offline=offline)
    if not quiet:
        new = ", ".join(name for name in loaded.new if any(model.graph.parameter_counts()[name]))
        print(
            f"Weights: {loaded.loaded} arrays of {loaded.provenance.source} ({loaded.provenance.format}, "
            f"SHA-256 {loaded.provenance.sha256[:12]}…); new: {new}",
            file=sys.stderr,
        )


def standardized(model: Model) -> Model:
    """Return a model that brings its pictures to ImageNet's mean and deviation first.

    Raises:
        ArgumentError: They have not three channels, or the model does so already.
    """
    from convista.models.replacement import with_standardized_input

    try:
        return with_standardized_input(model)
    except ArgumentError as error:
        fix = "Leave --standardize out"
        raise ArgumentError(error.rule, where="--standardize", received=error.received, fix=fix) from error


def freeze(model: Model, layers: tuple[str, ...]) -> None:
    """Make layers keep their weights.

    Raises:
        ArgumentError: One of the words fits no layer, or nothing is left to learn.
    """
    model.freeze(*layers)
    counts = model.graph.parameter_counts()
    if not any(learned for name, (learned, _) in counts.items() if name not in model.graph.frozen):
        raise ArgumentError(
            "some layer with weights is left to learn",
            where="--freeze",
            received=" ".join(shlex.quote(word) for word in layers),
            fix="Freeze less, for example --freeze backbone alone",
        )


def _folder(plan: Plan, data: Data) -> RunFolder:
    try:
        return RunFolder.create(plan.out, data.name)
    except OSError as error:
        raise ArgumentError(
            f"the run folder cannot be made ({error.strerror})",
            where="--out",
            received=repr(plan.out) if plan.out is not None else "none, which means a new folder in runs/",
            fix="Name a folder where you may write, with enough space",
        ) from error


def _fit(
    model: Model, plan: Plan, sample: Sample, run: RunFolder, record: dict[str, Any]
) -> tuple[History, float, int | None]:
    """Train; whatever ends it, the model and the history of the finished epochs are saved."""
    from convista.training.history import History

    x, y, watching = sample
    history, began = History(), time.perf_counter()
    interruption = Interruption(model)
    try:
        with interruption:
            model.fit(
                x,
                y,
                epochs=plan.epochs,
                batch_size=None if y is None else plan.batch_size,
                validation_batch_size=plan.batch_size,
                validation_data=watching,
                verbose=0 if plan.quiet else "auto",
                callbacks=[history],
            )
    except DivergedError:
        run.write_record({**record, "status": "diverged", "history": history.history})
        print(f"The last good weights are in {run.model}", file=sys.stderr)
        raise
    finally:
        model.save(run.model)
        history.to_csv(run.history)
    return history, time.perf_counter() - began, interruption.signal


def _steps(sample: Sample, plan: Plan) -> int:
    x, y, _ = sample
    return len(x) if y is None else math.ceil(len(x) / plan.batch_size)


def _sample(data: Data, plan: Plan) -> Sample:
    """Choose at random which pictures only watch: files are often sorted by class, so their end is no fair sample."""
    import numpy as np

    from convista.data import Dataset

    if not isinstance(data, Dataset):
        if data.watching is not None or plan.validation_split == 0:
            return data.train, None, data.watching
        learning, kept_back = data.train.parted(plan.validation_split, plan.seed)
        return learning, None, kept_back
    pictures = data.train
    watching = round(plan.validation_split * len(pictures))
    if watching == 0:
        return pictures.x, pictures.y, None
    if watching == len(pictures):
        raise ArgumentError(
            "some pictures are left to learn from",
            where="--validation-split",
            received=f"{plan.validation_split} of {len(pictures)} pictures",
            fix="Use a smaller share, for example --validation-split 0.1",
        )
    order = np.random.default_rng(plan.seed).permutation(len(pictures))
    kept, seen = np.sort(order[:watching]), np.sort(order[watching:])
    return pictures.x[seen], pictures.y[seen], (pictures.x[kept], pictures.y[kept])


def _prepare(model: Model, plan: Plan, data: Data, steps: int) -> None:
    """Give the model names for its classes, a scale for its pictures, and something to learn by."""
    from convista.data import Preprocessing
    from convista.insight.judgement import is_compiled
    from convista.layers import Rescaling

    model.classes = data.classes
    if plan.policy is not None:
        model.policy = plan.policy
    if model.preprocessing is None and not any(isinstance(layer, Rescaling) for layer in model.layers):
        model.preprocessing = getattr(data, "preprocessing", Preprocessing(scale=1 / 255))
    chosen = plan.optimizer or plan.learning_rate or plan.schedule != "constant"
    if is_compiled(model) and not chosen:
        return
    model.compile(optimizer=_optimizer(plan, steps), loss=_loss(model, data), metrics=["accuracy"])


def _optimizer(plan: Plan, steps: int) -> Any:
    from convista.training import optimizers
    from convista.training.schedules import CosineDecay

    optimizer: Any = optimizers.get(plan.optimizer or "adam")
    rate: Any = optimizer.learning_rate if plan.learning_rate is None else plan.learning_rate
    return replace(optimizer, learning_rate=CosineDecay(rate, steps) if plan.schedule == "cosine" else rate)


def _loss(model: Model, data: Data) -> Any:
    import numpy as np

    from convista.data import Dataset
    from convista.insight.judgement import are_probabilities
    from convista.training import losses

    last = model.graph.nodes[model.graph.outputs[0]].layer.activation_name
    if last is None:
        some = data.train.x[:8] if isinstance(data, Dataset) else next(iter(data.train))[0][:8]
        answers = np.asarray(model.predict(some, verbose=0))
        logits = not are_probabilities(answers)
    else:
        logits = last not in ("softmax", "sigmoid")
    if model.output_shape[-1] == 1:
        return losses.BinaryCrossentropy(from_logits=logits)
    return losses.SparseCategoricalCrossentropy(from_logits=logits)


def _draw(run: RunFolder, history: History, judgement: Judgement) -> None:
    from PIL import Image

    from convista.insight import figures

    figures.curves(history.history, run.curves)
    figures.confusion(judgement.confusion, judgement.classes, run.confusion)
    split = judgement.split
    figures.mistakes(split.x, split.y, judgement.predicted, judgement.confidences, judgement.classes, run.mistakes)
    first = split.x[0]
    picture = Image.fromarray(first[..., 0] if first.shape[-1] == 1 else first)
    picture.save(run.example)


def _record(session: Session, plan: Plan, model: Model, data: Data, name: str) -> dict[str, Any]:
    from importlib.metadata import version

    packages = {package: version(package) for package in ("jax", "jaxlib", "numpy", "optax")}
    return {
        "command": shlex.join(["convista", *session.arguments]),
        "data": {
            "name": name,
            "source": data.source,
            "training_pictures": len(data.train.x),
            "test_pictures": len(data.test.x),
            "shape": data.train.x.shape[1:],
            "classes": data.classes,
        },
        "plan": {field: getattr(plan, field) for field in plan.__dataclass_fields__},
        "seed": plan.seed,
        "weights": None if model.provenance is None else model.provenance.to_config(),
        "frozen": sorted(model.graph.frozen),
        "versions": {"convista": convista.__version__, "python": platform.python_version(), **packages},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "began": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _described(data: Data) -> str:
    sizes = "×".join(str(size) for size in data.train.x.shape[1:])
    return (
        f"Data: {data.name}, {len(data.train.x):,} pictures to learn from and {len(data.test.x):,} held out, "
        f"{sizes}, {len(data.classes)} classes"
    )


def _files(run: RunFolder) -> dict[str, str]:
    return {
        "model": str(run.model),
        "history": str(run.history),
        "curves": str(run.curves),
        "confusion": str(run.confusion),
        "mistakes": str(run.mistakes),
        "example": str(run.example),
        "record": str(run.record),
    }


_MEANINGS = {
    "model": "the trained network",
    "history": "loss and accuracy of every epoch",
    "curves": "the same, drawn",
    "confusion": "which class was taken for which",
    "mistakes": "the pictures it got wrong, what it said and how sure it was",
    "example": "one held-out picture to try",
    "record": "what this run was made from and what came out",
}


def _ending(run: RunFolder, judgement: Judgement, epochs: int, seconds: float, following: list[str]) -> str:
    files = _files(run)
    width = max(len(path) for path in files.values())
    listed = "\n".join(f"  {path.ljust(width)}  {_MEANINGS[name]}" for name, path in files.items())
    commands = "\n".join(f"  {command}" for command in following)
    times = f"{epochs} epoch{'' if epochs == 1 else 's'} in {seconds:.1f} s"
    return f"Trained {times}. {judgement.text()}\n\nWritten:\n{listed}\n\nTry next:\n{commands}"


def _next_commands(run: RunFolder, name: str) -> list[str]:
    program, folder = called_as(), shlex.quote(as_saved(run.path))
    return [
        f"{program} predict {folder} {shlex.quote(str(run.example))}",
        f"{program} evaluate {folder} {shlex.quote(name)}",
        f"{program} report {folder}",
    ]


def called_as() -> str:
    """Return how to call this program again from the same place: by name if the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "convista":
        return f"{shlex.quote(sys.executable)} -m convista"
    found = shutil.which("convista")
    if called.name != "convista" or (found is not None and Path(found).resolve() == called.resolve()):
        return "convista"
    inside = called.absolute()
    here = Path.cwd()
    return shlex.quote(str(inside.relative_to(here) if inside.is_relative_to(here) else inside))


def _say_where(run: RunFolder, stop: int, epochs: int, plan: Plan, name: str) -> None:
    why = "Interrupted" if stop == 2 else "Asked to end"
    again = f"{called_as()} train {shlex.quote(name)} --model {shlex.quote(as_saved(run.path))}"
    print(
        f"{why} after {epochs} of {plan.epochs} epochs. What was learned is in {run.model}\nGo on with: {again}",
        file=sys.stderr,
    )
