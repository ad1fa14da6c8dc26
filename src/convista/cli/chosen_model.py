"""What the word MODEL on the command line stands for: an architecture, a saved model, a name in the user's file."""

from __future__ import annotations

import bisect
import importlib.util
import inspect
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from convista.errors import ArgumentError, ConvistaError, DataError, ShapeError, suggest
from convista.insight.runs import RunFolder

if TYPE_CHECKING:
    from convista.cli.chosen_data import Data
    from convista.models import Model

ARCHITECTURES = (
    "lecture-dense",
    "lecture-convnet",
    "lecture-convnet-without-pooling",
    "lecture-small-convnet",
    "digits-convnet",
    "sequence-convnet",
    "series-convnet",
    "volume-convnet",
    "lenet5",
    "vgg11",
    "vgg16",
    "resnet18",
    "resnet34",
    "resnet50",
    "mobilenet-v1",
    "mobilenet-v2",
    "efficientnet-b0",
    "convnext-tiny",
)
"""Their names, for a help that need not import JAX first."""

_TAKEN = {
    1: ("sequences of length and channels", "both", (60, 4)),
    2: ("pictures of height, width and channels", "all three", (28, 28, 1)),
    3: ("volumes of depth, height, width and channels", "all four", (16, 16, 16, 1)),
}
"""By axes: what an architecture takes, how many numbers that is, and an example."""
_PICTURE_AXES, _VOLUME_AXES = 2, 3

_FOR_PHOTOGRAPHS = ARCHITECTURES[ARCHITECTURES.index("vgg11") :]
_LARGEST_LEAST = 64  # no architecture needs longer sides than this

LISTED = "\b\nArchitectures:\n" + "\n".join(f"  {name}" for name in ARCHITECTURES)
"""The paragraph of a help that lists them, each whole on a line of its own."""


def choose_model(text: str, input_shape: Sequence[int] | None, classes: int, seed: int) -> Model:
    """Build or load the model a user names.

    Args:
        text: The name of an architecture, ``FILE.py:NAME``, a run folder or a ``.convista`` file.
        input_shape: Height, width and channels of one picture; None is enough for a model that knows its own.
        classes: How many classes to tell apart.
        seed: For the weights of a new model.

    Returns:
        The model.

    Raises:
        ArgumentError: Nothing is called so, or the user's file does not do what is asked of it.
        DataError: The saved model cannot be read.
    """
    if is_from_file(text):
        return _from_file(text, input_shape, classes, seed)
    if text not in ARCHITECTURES and is_saved(text):
        from convista.models import load_model

        return load_model(RunFolder.open(text).model)
    from convista import architectures

    if text not in architectures.names():
        raise ArgumentError(
            "there is no architecture of this name",
            where="MODEL",
            received=repr(text),
            fix=f"{suggest(text, architectures.names())} A saved model or FILE.py:NAME works too",
        )
    shape = _known(text, input_shape, architectures.axes_of(text))
    try:
        return architectures.get(text)(shape, classes, seed=seed)
    except ShapeError as error:
        raise _unfit(text, shape, classes) from error


def is_from_file(text: str) -> bool:
    """Return whether a word names a model in the user's own file."""
    return ".py:" in text or text.endswith(".py")


def check_own_fit(text: str, model: Model, data: Data) -> None:
    """Check like ``check_fit`` that a model of the user's own file fits the data, and say how to change the file.

    Args:
        text: What the user calls the model.
        model: The model.
        data: What it is to be trained on.

    Raises:
        DataError: The size of the pictures or the number of classes differs.
    """
    from convista.insight.judgement import check_fit

    try:
        check_fit(model, data)
    except DataError as error:
        shape, classes = tuple(data.train.x.shape[1:]), len(data.classes)
        wanted = tuple(model.input_shape[1:])
        if len(wanted) != len(shape):
            fix = error.fix if len(wanted) == 1 else f"Begin it with Input({shape})"
        elif any(size not in (None, other) for size, other in zip(wanted, shape, strict=True)):
            fix = f"Begin it with Input({shape})"
        else:
            fix = f"Give its last layer {classes} units"
        raise DataError(error.rule, where=text, received=error.received, fix=fix) from error


def is_saved(text: str) -> bool:
    """Return whether a word that is no architecture names a saved model or a run folder."""
    return text.endswith(".convista") or "/" in text or Path(text).exists()


def as_saved(path: Path) -> str:
    """Return the word for a run folder that cannot be taken for an architecture.

    Example:
        >>> as_saved(Path("runs/first")), as_saved(Path("lecture-dense"))
        ('runs/first', './lecture-dense')
    """
    return f"./{path}" if str(path) in ARCHITECTURES else str(path)


def _known(text: str, input_shape: Sequence[int] | None, axes: int = _PICTURE_AXES) -> tuple[int, ...]:
    if input_shape is None:
        taken, _, example = _TAKEN[axes]
        noun, numbers = taken.split(" of ")
        # Deep networks take no 28×28 pictures, or are not meant for them.
        example = (224, 224, 3) if text in _FOR_PHOTOGRAPHS else example
        size = ",".join(str(number) for number in example)
        context = click.get_current_context(silent=True)
        verb = context.info_name if context is not None else "summary"
        raise ArgumentError(
            f"this model is built for a size of {noun.removesuffix('s')}",
            where="--input",
            received="none",
            fix=f"Add {numbers}, for example: convista {verb} {shlex.quote(text)} --input {size}",
        )
    return tuple(input_shape)


def _unfit(text: str, shape: tuple[int, ...], classes: int) -> ArgumentError:
    """Word for the command line that an architecture cannot take a size of picture; what it advises was tried."""
    from convista import architectures

    axes = architectures.axes_of(text)
    taken, numbers, example = _TAKEN[axes]
    noun = taken.split()[0]
    received = "×".join(str(size) for size in shape)
    if len(shape) == axes + 1:
        fitting = _fitting(shape, classes)
        fix = f"Use larger {noun}" if fitting is None else f"Use {fitting}, which takes such {noun}"
        least = _least(text, shape, classes) if _size_was_named() else None
        if least is not None:
            other = f", or use{fix.removeprefix('Use')}" if fitting is not None else ""
            fix = f"Write --input {','.join(map(str, least))} or larger{other}"
        rule = f"{noun} are large enough for its convolutions and poolings"
        return ArgumentError(rule, where=text, received=received, fix=fix)
    # 28,28,1 is a picture; 28,28,28 rather a volume whose channels were forgotten.
    if len(shape) != axes or (axes == _VOLUME_AXES and shape[-1] in (1, 3)):
        fitting = _fitting(shape, classes)
        if fitting is not None:
            fix = f"Use {fitting}, which takes such {_TAKEN[len(shape) - 1][0].split()[0]}"
            return ArgumentError(f"its data are {taken}", where=text, received=received, fix=fix)
    elif _takes(text, (*shape, example[-1]), classes):
        example = (*shape, example[-1])
    return ArgumentError(
        f"{text} takes {taken}",
        where="--input",
        received=",".join(str(size) for size in shape),
        fix=f"Write {numbers}, for example --input {','.join(str(size) for size in example)}",
    )


def _size_was_named() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.params.get("input_shape") is not None


def _least(text: str, shape: tuple[int, ...], classes: int) -> tuple[int, ...] | None:
    """Return the size that an architecture takes with the shorter sides just long enough."""

    def longer(side: int) -> tuple[int, ...]:
        return (*(max(size, side) for size in shape[:-1]), shape[-1])

    if not _takes(text, longer(_LARGEST_LEAST), classes):
        return None
    return longer(bisect.bisect_left(range(_LARGEST_LEAST), True, key=lambda side: _takes(text, longer(side), classes)))


def _fitting(shape: tuple[int, ...], classes: int) -> str | None:
    """Return an architecture that takes data of this shape; for pictures first the one for the smallest."""
    from convista import architectures

    axes = len(shape) - 1
    first = ("digits-convnet",) if axes == _PICTURE_AXES else ()
    others = (*first, *architectures.names(axes))
    return next((other for other in others if _takes(other, shape, classes)), None)


def _takes(text: str, shape: tuple[int, ...], classes: int) -> bool:
    from convista import architectures

    try:
        architectures.get(text)(shape, classes, seed=0)
    except ConvistaError:
        return False
    return True


def _from_file(text: str, input_shape: Sequence[int] | None, classes: int, seed: int) -> Model:
    from convista.models import Model

    file, _, name = text.partition(".py:")
    path = Path(file if file.endswith(".py") else f"{file}.py")
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), fix="Check the path before the colon")
    module = _execute(path)
    public = [
        key
        for key, value in vars(module).items()
        if isinstance(value, Model) or (inspect.isfunction(value) and value.__module__ == module.__name__)
    ]
    if not name or name not in vars(module):
        raise ArgumentError(
            "after the colon stands the name of a model, or of a function that makes one",
            where=str(path),
            received=repr(name) if name else "no name",
            fix=suggest(name, [key for key in public if not key.startswith("_")] or ["(nothing in this file)"]),
        )
    made = vars(module)[name]
    if callable(made) and not isinstance(made, Model):
        made = _call(path, name, made, (_known(text, input_shape), classes), seed)
    if not isinstance(made, Model):
        raise ArgumentError(
            "this is neither a convista model nor a function that returns one",
            where=f"{path}:{name}",
            received=type(made).__name__,
            fix="Return convista.Sequential([...]) or convista.Model(inputs, outputs)",
        )
    return made


def _execute(path: Path) -> ModuleType:
    """Run the user's file as `python FILE.py` would: with its own folder on the path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ArgumentError("Python cannot read this as a module", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    # Dataclasses and pickles in the file look their own module up by its name.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except ConvistaError:
        raise
    except (Exception, SystemExit) as error:
        raise _own_mistake(path, error) from error
    return module


def _call(path: Path, name: str, function: Any, arguments: tuple[Any, ...], seed: int) -> Any:
    takes_seed = "seed" in inspect.signature(function).parameters
    try:
        return function(*arguments, **({"seed": seed} if takes_seed else {}))
    except ConvistaError:
        raise
    except (Exception, SystemExit) as error:
        raise _own_mistake(path, error, f"{name}(input_shape, classes)") from error


def _own_mistake(path: Path, error: BaseException, doing: str = "") -> ArgumentError:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    where = f"{path}, line {lines[-1]}" if lines else str(path)
    return ArgumentError(
        f"{doing or 'the file'} stopped with {type(error).__name__}: {error}",
        where=where,
        fix="Mend the file, or run the same command with --debug to see the traceback",
    )
