"""How answers and maps move when a picture is shifted pixel by pixel, turned and scaled."""

from __future__ import annotations

import base64
import functools
import html
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista import arguments
from convista.errors import ArgumentError, ShapeError, suggest
from convista.insight.class_names import class_names, class_number
from convista.insight.drawing import encoded, save, style
from convista.insight.features.equivariance_figure import drawn
from convista.insight.inspection import inspected, values
from convista.insight.judgement import class_probabilities
from convista.insight.tables import table
from convista.kernels.compiler import compile_function

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.models.model import Model

_AXES = {1: ("along",), 2: ("down", "right"), 3: ("in depth", "down", "right")}
_ANGLES = tuple(range(-90, 91, 10))
_SCALES = tuple(round(0.5 + 0.1 * step, 1) for step in range(11))
_AT_ONCE = 8  # pictures whose maps are in memory together
_MOST_MODELS = 4


@dataclass(frozen=True, eq=False)
class Change:
    """One way of changing the picture, by several amounts.

    Args:
        name: ``shift right``, ``shift down``, ``rotation``, ``scale``; ``shift along`` for sequences.
        unit: ``pixels``, ``degrees`` (anticlockwise) or ``times``.
        amounts: ``(n,)``.
        pictures: The changed pictures, as they came, ``(n, …)``.
        neutral: The amount that changes nothing.
    """

    name: str
    unit: str
    amounts: np.ndarray
    pictures: np.ndarray
    neutral: float


@dataclass(frozen=True, eq=False)
class Curve:
    """What one network answers along one change.

    Args:
        change: The name of the change.
        amounts: ``(n,)``.
        probabilities: Of every class, ``(n, C)``.
        number: The class that is followed.
        answer: The class that the unchanged picture is named.
    """

    change: str
    amounts: np.ndarray
    probabilities: np.ndarray
    number: int
    answer: int

    @property
    def followed(self) -> np.ndarray:
        """The probability of the class that is followed, ``(n,)``."""
        return self.probabilities[:, self.number]

    @property
    def kept(self) -> float:
        """For which share of the amounts the picture is named as when it is unchanged."""
        return float((self.probabilities.argmax(axis=1) == self.answer).mean())

    @property
    def spread(self) -> float:
        """The greatest minus the least probability of the class that is followed: 0 is invariant."""
        return float(self.followed.max() - self.followed.min())


@dataclass(frozen=True, eq=False)
class Following:
    """How well the maps of one layer follow a shifted picture.

    Args:
        layer: The layer's name.
        change: The name of the shift.
        stride: Pixels from one cell of the layer to the next along that axis.
        amounts: Shifts in pixels, ``(n,)``.
        correlation: Between the maps of the shifted picture, moved back, and those of the unshifted one, over all cells
            that both have, ``(n,)``: 1 is equivariant. NaN where nothing is left to compare.
    """

    layer: str
    change: str
    stride: int | Fraction
    amounts: np.ndarray
    correlation: np.ndarray


@dataclass(frozen=True, eq=False)
class Moved:
    """One network under all changes.

    Args:
        name: What the network is called.
        curves: Its answers, one for each change.
        layers: Its maps, one for each layer with a window and each shift.
    """

    name: str
    curves: tuple[Curve, ...]
    layers: tuple[Following, ...]

    def curve(self, change: str) -> Curve:
        """Return the answers along a change.

        Raises:
            ArgumentError: It was not made.
        """
        for one in self.curves:
            if one.change == change:
                return one
        known = [one.change for one in self.curves]
        raise ArgumentError(
            "there is no such change", where="invariance", received=repr(change), fix=suggest(change, known)
        )

    def following(self, layer: str, change: str) -> Following:
        """Return how a layer follows a shift.

        Raises:
            ArgumentError: There is no such layer or shift.
        """
        for one in self.layers:
            if (one.layer, one.change) == (layer, change):
                return one
        known = [f"{one.layer}, {one.change}" for one in self.layers] or ["none: the network has no maps"]
        asked = f"{layer}, {change}"
        raise ArgumentError(
            "there is no such layer or shift", where="invariance", received=asked, fix=suggest(asked, known)
        )


@dataclass(frozen=True, eq=False)
class Invariance:
    """Several networks looking at one picture as it moves.

    Args:
        picture: As it came.
        class_name: The class whose probability is followed.
        changes: What was done to the picture.
        models: One for each network.
    """

    picture: np.ndarray
    class_name: str
    changes: tuple[Change, ...]
    models: tuple[Moved, ...]

    def __str__(self) -> str:
        rows = [
            [
                model.name,
                curve.change,
                f"{curve.kept:.0%}",
                f"{curve.followed.min():.2%}",
                f"{curve.amounts[int(curve.followed.argmin())]:g}",
                f"{curve.followed.max():.2%}",
            ]
            for model in self.models
            for curve in model.curves
        ]
        header = ["network", "change", "same answer", "least", "at", "most"]
        text = f"The probability of {self.class_name!r} as the picture moves\n\n{table(header, rows, left=2)}"
        followed = [
            [model.name, one.layer, one.change, f"{one.stride}", *_ends(one.correlation)]
            for model in self.models
            for one in model.layers
        ]
        if not followed:
            return text
        header = ["network", "layer", "change", "stride", "least", "mean"]
        title = "How well the maps follow (correlation after moving them back)"
        return f"{text}\n\n{title}\n\n{table(header, followed, left=3)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, without pixels."""
        return {
            "class": self.class_name,
            "models": [
                {
                    "model": model.name,
                    "changes": [
                        {
                            "change": curve.change,
                            "amounts": curve.amounts.tolist(),
                            "probability": curve.followed.tolist(),
                            "answers": curve.probabilities.argmax(axis=1).tolist(),
                            "same_answer": curve.kept,
                        }
                        for curve in model.curves
                    ],
                    "maps": [
                        {
                            "layer": one.layer,
                            "change": one.change,
                            "stride": float(one.stride),
                            "correlation": [None if math.isnan(value) else value for value in one.correlation.tolist()],
                        }
                        for one in model.layers
                    ],
                }
                for model in self.models
            ],
        }

    def _repr_html_(self) -> str:
        with style():
            picture = base64.b64encode(encoded(drawn(self))).decode()
        return (
            f'<img alt="invariance" src="data:image/png;base64,{picture}">'
            f"<details><summary>numbers</summary><pre>{html.escape(str(self))}</pre></details>"
        )

    def figure(self) -> Figure:
        """Draw the probability along each change, all networks together, and how well the maps follow."""
        with style():
            return drawn(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure as a PNG file."""
        with style():
            return save(drawn(self), path)


def invariance(
    models: Model | Sequence[Model],
    picture: Any,
    shift: int | None = None,
    angles: Sequence[float] | None = None,
    scales: Sequence[float] | None = None,
    ground: float | None = None,
    class_: int | str | None = None,
) -> Invariance:
    """Shift a picture pixel by pixel, turn it and scale it, and follow the answers and the maps of networks.

    Args:
        models: One network or up to four, with the same classes: a convolutional and a dense one, for example.
        picture: A file or an array, as for ``predict``; each network sees a file as its own preprocessing reads it.
        shift: Pixels to each side; ``None`` is a quarter of the shortest side, at most 8.
        angles: Degrees, anticlockwise; ``None`` is −90 to 90 in steps of ten for pictures, none for anything else.
        scales: Factors; ``None`` is 0.5 to 1.5 in steps of a tenth for pictures, none for anything else.
        ground: What comes in at the sides, in the picture's own values, rounded for whole numbers; ``None`` is the
            median of the picture's border, channel by channel.
        class_: The class to follow, by number or name; ``None`` is what the first network names the unchanged picture.

    Returns:
        Curves of probabilities for each network and change; for each layer with a window, how well its maps follow a
        shift: the correlation with the maps of the unshifted picture after moving back by ``shift / stride`` cells,
        with each channel's mean taken out. A shift by less than a stride moves maps by parts of a cell, between which
        is interpolated.

    Raises:
        ArgumentError: Too many models, other classes, an angle for a sequence, a ground that the picture's values
            cannot hold, and the like.
        ShapeError: The picture does not fit a model, or has no axes to move along.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D, Dense, GlobalMaxPooling2D
        >>> model = Sequential([Input((12, 12, 1)), Conv2D(4, 3), GlobalMaxPooling2D(), Dense(2, activation="softmax")])
        >>> picture = np.zeros((12, 12, 1), np.float32)
        >>> picture[5:8, 5:8] = 1
        >>> moved = invariance(model, picture, shift=2, angles=(), scales=())
        >>> bool(moved.models[0].curve("shift right").spread < 1e-6)
        True

    Source: Y. LeCun and others, «Gradient-based learning applied to document recognition», 1998; A. Azulay, Y. Weiss,
    «Why do deep convolutional networks generalize so poorly to small image transformations?», 2019; R. Zhang, «Making
    convolutional networks shift-invariant again», 2019; lectures 000 and 002.
    """
    chosen = _checked_models(models)
    seen = [inspected(model, picture, "invariance") for model in chosen]
    shapes = {one.picture.shape for one in seen}
    if len(shapes) > 1:
        raise ShapeError(
            "networks that are compared take pictures of one size",
            where="invariance",
            received=" and ".join(str(shape) for shape in sorted(shapes)),
            fix="Compare networks of one input shape",
        )
    original = seen[0].picture
    alike = [_same(original, one.picture) for one in seen]
    if ground is not None and not all(alike):
        raise ArgumentError(
            "one ground is for networks that read the picture alike",
            where="invariance",
            received=f"ground={ground!r} for networks whose preprocessing reads this file in different ways",
            fix="Leave ground out: each takes the border of its own picture",
        )
    changes = _changes(original, shift, angles, scales, ground)
    first = class_probabilities(chosen[0], np.asarray(chosen[0].predict(original[None])))
    names = class_names(chosen[0], first.shape[1])
    number = int(first[0].argmax()) if class_ is None else class_number(class_, names, "class_", "invariance")
    moved = tuple(
        _moved(
            model,
            name,
            one.picture,
            changes if same else _changes(one.picture, shift, angles, scales, ground),
            number,
        )
        for model, name, one, same in zip(chosen, _names(chosen), seen, alike, strict=True)
    )
    return Invariance(original, names[number], changes, moved)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _checked_models(models: Any) -> list[Model]:
    from convista.models.model import Model

    chosen = [models] if isinstance(models, Model) else list(models) if isinstance(models, Sequence) else []
    if not 1 <= len(chosen) <= _MOST_MODELS or not all(isinstance(model, Model) for model in chosen):
        raise ArgumentError(
            f"one to {_MOST_MODELS} models are looked at",
            where="invariance",
            received=f"{len(chosen)} models" if chosen else type(models).__name__,
            fix="insight.invariance([convolutional, dense], picture)",
        )
    for model in chosen:
        shape = model.output_shape
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise ArgumentError(
                "a model that is followed names classes",
                where="invariance",
                received=f"{model.name!r} with output_shape={shape}",
                fix="Use a classifier, one row of classes for each picture",
            )
    counts = {max(int(model.output_shape[-1] or 0), 2) for model in chosen}
    if len(counts) > 1:
        raise ArgumentError(
            "models that are compared tell the same classes apart",
            where="invariance",
            received=" and ".join(f"{count} classes" for count in sorted(counts)),
            fix="Compare models that were trained on the same data",
        )
    return chosen


def _names(models: Sequence[Model]) -> list[str]:
    names = [model.name for model in models]
    return [f"{name} {place + 1}" if names.count(name) > 1 else name for place, name in enumerate(names)]


def _changes(
    picture: np.ndarray,
    shift: int | None,
    angles: Sequence[float] | None,
    scales: Sequence[float] | None,
    ground: float | None,
) -> tuple[Change, ...]:
    axes = picture.ndim - 1
    if axes not in _AXES:
        raise ShapeError(
            "a picture that is shifted has axes to move along",
            where="invariance",
            received=f"an input of shape {picture.shape}",
            fix="Use a network that takes pictures, such as one that begins with Flatten",
        )
    least = min(picture.shape[:-1])
    most = arguments.integer(max(1, min(least // 4, 8)) if shift is None else shift, "shift", where="invariance")
    if most >= least:
        raise ArgumentError(
            "a shift leaves a part of the picture",
            where="invariance",
            received=f"shift={most}",
            fix=f"At most {least - 1}",
        )
    around = _ground(picture, ground)
    amounts = np.arange(-most, most + 1)
    order = reversed(range(axes)) if axes == 2 else range(axes)  # to the right first: so people read
    changes = [
        Change(
            f"shift {_AXES[axes][axis]}", "pixels", amounts,
            np.stack([_shifted(picture, axis, int(amount), around) for amount in amounts]), 0.0,
        )
        for axis in order
    ]  # fmt: skip
    for name, unit, given, usual, neutral in (
        ("rotation", "degrees", angles, _ANGLES, 0.0),
        ("scale", "times", scales, _SCALES, 1.0),
    ):
        wanted = _numbers(given, usual if axes == 2 else (), name)
        if len(wanted) and axes != 2:
            raise ArgumentError(
                "only pictures are turned and scaled",
                where="invariance",
                received=f"{name} of an input of shape {picture.shape}",
                fix="Leave angles and scales out: shifts are made for sequences and volumes too",
            )
        if len(wanted):
            changes.append(Change(name, unit, wanted, _warped(picture, name, wanted, around), neutral))
    return tuple(changes)


def _numbers(given: Sequence[float] | None, usual: Sequence[float], name: str) -> np.ndarray:
    wanted = np.asarray(usual if given is None else list(given), np.float64)
    if wanted.ndim != 1 or not np.isfinite(wanted).all() or (name == "scale" and (wanted <= 0).any()):
        raise ArgumentError(
            "scales are numbers above 0" if name == "scale" else "angles are numbers, in degrees",
            where="invariance",
            received=f"{given!r}",
            fix="For example scales=(0.5, 1, 2)" if name == "scale" else "For example angles=range(-30, 31, 5)",
        )
    return np.sort(wanted)


def _ground(picture: np.ndarray, given: float | None) -> np.ndarray:
    """Return what comes in at the sides in each channel, as the picture's dtype holds it."""
    whole = picture.dtype.kind in "iub"
    if given is None:
        around = _border(picture)
    else:
        least, most = _limits(picture.dtype)
        value = arguments.number(given, "ground", where="invariance")
        if not least <= value <= most:
            raise ArgumentError(
                f"ground is one of the picture's values, from {least} to {most}",
                where="invariance",
                received=f"ground={given!r}",
                fix="Leave it out for the median of the picture's border",
            )
        around = np.full(picture.shape[-1], value, np.float64)
    return np.rint(around) if whole else around


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the least and the greatest value that an array of a dtype can hold."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)


def _border(picture: np.ndarray) -> np.ndarray:
    """Return the median of the border, channel by channel."""
    inside = np.ones(picture.shape[:-1], bool)
    inside[tuple(slice(1, -1) for _ in range(picture.ndim - 1))] = False
    return np.median(picture[inside], axis=0)


def _shifted(picture: np.ndarray, axis: int, amount: int, ground: np.ndarray) -> np.ndarray:
    """Return a picture moved by whole pixels, towards higher positions for positive amounts."""
    result = np.empty_like(picture)
    result[...] = ground.astype(picture.dtype)
    size = picture.shape[axis]
    source, target = (slice(max(0, -move), size - max(0, move)) for move in (amount, -amount))
    before: tuple[slice, ...] = (slice(None),) * axis
    result[(*before, target)] = picture[(*before, source)]
    return result


def _warped(picture: np.ndarray, name: str, amounts: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Return a picture turned or scaled about its middle, with bilinear interpolation."""
    radians = np.deg2rad(amounts) if name == "rotation" else np.zeros(len(amounts))
    factor = np.ones(len(amounts)) if name == "rotation" else 1 / amounts
    # From places of the result, counted downwards and to the right, to places of the picture.
    cosine, sine = ((factor * part).astype(np.float32) for part in (np.cos(radians), np.sin(radians)))
    batch = np.repeat((picture - ground).astype(np.float32)[None], len(amounts), axis=0)
    warped = np.asarray(_turning()(batch, cosine, sine)) + ground
    if picture.dtype.kind in "iu":
        limits = np.iinfo(picture.dtype)
        return np.clip(np.rint(warped), limits.min, limits.max).astype(picture.dtype)
    return warped.astype(picture.dtype)


@functools.cache
def _turning() -> Callable[..., Any]:
    """Return the warp as one compiled program: run step by step, each of its steps is compiled by itself."""
    from convista.ops.warp import about_middle, affine_warp

    def turned(batch: Any, cosine: Any, sine: Any) -> Any:
        maps = about_middle(((cosine, sine), (-sine, cosine)), batch.shape[1:3])
        return affine_warp(batch, maps, fill_mode="constant")

    return compile_function(turned)


def _moved(model: Model, name: str, picture: np.ndarray, changes: Sequence[Change], number: int) -> Moved:
    places = _places_of_windows(model)
    base = [value[0] for value in _values(model, (*places, model.graph.outputs[0]), picture[None])]
    answer = int(class_probabilities(model, base[-1][None])[0].argmax())
    curves: list[Curve] = []
    layers: list[Following] = []
    for change in changes:
        kept = places if change.unit == "pixels" else ()
        answers, followed = _followed(model, kept, base, change)
        probabilities = class_probabilities(model, answers)
        curves.append(Curve(change.name, change.amounts, probabilities, number, answer))
        layers += followed
    return Moved(name, tuple(curves), tuple(layers))


def _places_of_windows(model: Model) -> tuple[int, ...]:
    """Return the places of the convolutions and poolings whose cells look at a part of the picture."""
    fields, shapes = model.graph.receptive_fields(), model.graph.shapes()
    return tuple(
        place
        for place, node in enumerate(model.graph.nodes)
        if node.inputs and node.layer.window is not None and fields[place] is not None and len(shapes[place]) > 1
        if place not in model.graph.outputs
    )


def _followed(
    model: Model, places: tuple[int, ...], base: Sequence[np.ndarray], change: Change
) -> tuple[np.ndarray, list[Following]]:
    """Return the answers along a change, and how the maps of these places follow it."""
    axis = _axis(change.name, change.pictures.ndim - 2)
    fields = model.graph.receptive_fields()
    strides = [_stride(fields[place], axis) for place in places]
    answers: list[np.ndarray] = []
    correlations: list[list[float]] = [[] for _ in places]
    # A few pictures at a time: the maps of all of them might not fit the memory.
    for first in range(0, len(change.amounts), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        found = _values(model, (*places, model.graph.outputs[0]), change.pictures[part])
        answers.append(found[-1])
        for known, before, after, stride in zip(correlations, base, found[:-1], strides, strict=False):
            moves = [Fraction(int(amount)) / Fraction(stride) for amount in change.amounts[part]]
            known += [_correlation(before, maps, axis, move) for maps, move in zip(after, moves, strict=True)]
    followed = [
        Following(model.graph.nodes[place].name, change.name, stride, change.amounts, np.asarray(known))
        for place, stride, known in zip(places, strides, correlations, strict=True)
    ]
    return np.concatenate(answers), followed


def _stride(field: Any, axis: int) -> int | Fraction:
    return 1 if field is None else field.stride[axis]


def _axis(name: str, axes: int) -> int:
    words = name.removeprefix("shift ")
    return _AXES[axes].index(words) if words in _AXES[axes] else 0


def _values(model: Model, places: Sequence[int], pictures: np.ndarray) -> list[np.ndarray]:
    """Return what nodes give for a few pictures, filled up to one number so that one program serves all."""
    missing = _AT_ONCE - len(pictures)
    filled = np.concatenate([pictures, np.repeat(pictures[:1], missing, axis=0)]) if missing else pictures
    found = values(model, np.asarray(model._prepared(filled)), tuple(places))
    return [value[: len(pictures)] for value in found]


def _correlation(before: np.ndarray, after: np.ndarray, axis: int, move: Fraction) -> float:
    """Return the correlation of maps ``after`` with ``before`` moved by so many cells, where both have cells."""
    size = before.shape[axis]
    low = math.floor(move)
    part = float(move - low)
    steps = (low,) if part == 0 else (low, low + 1)
    first, last = max(0, *steps), min(size, *(size + step for step in steps))
    if last - first < 1:
        return math.nan
    ahead: tuple[slice, ...] = (slice(None),) * axis
    moved = [before[(*ahead, slice(first - step, last - step))].astype(np.float64) for step in steps]
    expected = moved[0] if part == 0 else (1 - part) * moved[0] + part * moved[1]
    found = after[(*ahead, slice(first, last))].astype(np.float64)
    axes = tuple(range(before.ndim - 1))
    one, two = (part - part.mean(axis=axes, keepdims=True) for part in (expected, found))
    size_of_both = math.sqrt(float((one**2).sum()) * float((two**2).sum()))
    return float((one * two).sum()) / size_of_both if size_of_both > 0 else math.nan


def _ends(correlation: np.ndarray) -> tuple[str, str]:
    known = correlation[np.isfinite(correlation)]
    return (f"{known.min():.3f}", f"{known.mean():.3f}") if len(known) else ("–", "–")
