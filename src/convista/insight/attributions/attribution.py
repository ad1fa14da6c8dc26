"""Why a network answered so: for each position of a picture, how much it counted."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import ShapeError
from convista.insight.attributions.methods import METHODS, chosen
from convista.insight.attributions.score import score_of
from convista.insight.inspection import inspected
from convista.insight.runs import finite
from convista.shapes import times

if TYPE_CHECKING:
    from convista.models.model import Model

# Of 100 test digits and the demo's network, Grad-CAM's map is empty for 25, each of these for none.
_INSTEAD = ("grad_cam_plus_plus", "occlusion", "integrated_gradients")
_AXES = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}


@dataclass(frozen=True, eq=False)
class Attribution:
    """Which parts of an input an answer rests on.

    Args:
        picture: The input as it came, without the batch axis.
        map: float32, one number for each position of the input: ``(H, W)`` for a picture, ``(L,)`` for a sequence,
            ``(D, H, W)`` for a volume, ``(n,)`` for a row of numbers.
        raw: The numbers behind it, float32 with signs: of each channel ``(H, W, C)`` for gradients, of each cell of a
            coarser grid for the methods that look into a layer and for occlusion.
        method: Its name.
        target: The number of the class that is explained.
        label: The name of the class.
        explained: What the score is, such as ``"logit before softmax"``.
        score: The number that is explained.
        probability: How probable the network finds the class; ``None`` if its answers are no probabilities.
        signed: Whether parts of the map may speak against the class: below 0.
        settings: Of the method, also those that it chose itself.
        findings: Numbers that tell how far the map can be trusted, by their names.
    """

    picture: np.ndarray
    map: np.ndarray
    raw: np.ndarray
    method: str
    target: int
    label: str
    explained: str
    score: float
    probability: float | None
    signed: bool
    settings: Mapping[str, Any]
    findings: Mapping[str, float]

    @property
    def strongest(self) -> tuple[int, ...]:
        """The position with the largest value."""
        return tuple(int(place) for place in np.unravel_index(int(self.map.argmax()), self.map.shape))

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Methods to ask instead where every number of the map is 0; none where there is something to see."""
        if self.map.any():
            return ()
        return tuple(name for name in _INSTEAD if name != self.method)[:2]

    @property
    def advice(self) -> str:
        """The same as a sentence; empty where there is something to see."""
        if not self.alternatives:
            return ""
        layer = ", or an earlier layer" if "layer" in self.settings else ""
        return f"nothing in the map speaks for this class: try the method {' or '.join(self.alternatives)}{layer}"

    def share(self, inside: np.ndarray) -> float:
        """Return which part of what speaks for the class lies inside a region; 0 for a map where nothing does.

        Args:
            inside: bool, of the map's shape: the object, for example.

        Raises:
            ShapeError: It has another shape.

        Source: H. Wang et al., «Score-CAM», 2020, where it is called the energy-based pointing game.
        """
        inside = np.asarray(inside, bool)
        if inside.shape != self.map.shape:
            raise ShapeError(
                f"the region has the map's shape {self.map.shape}", where="share", received=f"shape {inside.shape}"
            )
        positive = np.maximum(self.map.astype(np.float64), 0)
        return float(positive[inside].sum() / (positive.sum() or 1.0))

    @property
    def title(self) -> str:
        """What was asked and answered, in a line."""
        return f"{self.method}: why {self.label!r}? {self.sureness}"

    @property
    def sureness(self) -> str:
        """How sure the network is, in words."""
        sure = "" if self.probability is None else f"probability {self.probability:.2%}, "
        return f"{sure}{self.explained} {_number(self.score)}"

    @property
    def range(self) -> str:
        """The map's smallest and largest value, and what its numbers are."""
        return f"{_number(self.map.min())} … {_number(self.map.max())}: {METHODS[self.method].meaning}"

    def __str__(self) -> str:
        lines = [self.title, f"map {times(self.map.shape)}, {self.range}"]
        half = _half(self.map)
        if half:
            names = _AXES.get(self.map.ndim, ())
            where = ", ".join(f"{name} {place}" for name, place in zip(names, self.strongest, strict=True))
            lines.append(f"strongest at {where}; half of what speaks for it lies in {half:.0%} of the positions")
        else:
            lines.append(self.advice or "nothing in the map speaks for this class")
        lines += [f"{name}: {_text(value)}" for name, value in {**self.settings, **self.findings}.items()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON: the map as nested lists; of picture and raw values the shapes."""
        plain: dict[str, Any] = finite(
            {
                "method": self.method,
                "target": self.target,
                "label": self.label,
                "explained": self.explained,
                "score": self.score,
                "probability": self.probability,
                "signed": self.signed,
                "meaning": METHODS[self.method].meaning,
                "strongest": self.strongest,
                "alternatives": self.alternatives,
                "settings": self.settings,
                "findings": self.findings,
                "picture_shape": self.picture.shape,
                "raw_shape": self.raw.shape,
                "map": self.map,
            }
        )
        return plain

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a figure as a PNG file: the picture, the map with its scale, and one laid over the other.

        Raises:
            ArgumentError: The name does not end in .png, or the folder does not exist.
        """
        from convista.insight.attributions.figure import figure_of
        from convista.insight.drawing import check_picture, save

        check_picture(path)
        return save(figure_of(self), path)

    def _repr_html_(self) -> str:
        from convista.insight.attributions.figure import figure_of
        from convista.insight.drawing import encoded

        picture = base64.b64encode(encoded(figure_of(self))).decode()
        return f'<img alt="{html.escape(self.title)}" src="data:image/png;base64,{picture}">'


def attribute(
    model: Model,
    picture: Any,
    method: str = "grad_cam",
    target: int | str | None = None,
    layer: str | None = None,
    **settings: Any,
) -> Attribution:
    """Return which parts of a picture a network's answer rests on.

    What is explained is the logit, the number before the last softmax or sigmoid: a probability is also raised by what
    speaks against the other classes. A network that ends in something else is explained as it is; the result says so.

    Args:
        model: A model with one input and one output ``(N, outputs)``.
        picture: One picture: a path, an array ``(H, W, C)`` or ``(H, W)``; or the input of a model for sequences,
            volumes or rows of numbers.
        method: ``"grad_cam"``, ``"grad_cam_plus_plus"``, ``"score_cam"``, ``"saliency"``, ``"smoothgrad"``,
            ``"integrated_gradients"``, ``"guided_backpropagation"`` or ``"occlusion"``.
        target: The number or the name of a class; ``None`` is the class that the model predicts.
        layer: For the first three: the layer whose channels make the map; ``None`` is the last convolution.
        **settings: Of the method: the fields of its class in ``convista.insight.attributions.methods``.

    Returns:
        The attribution: ``print`` tells, ``.map`` is the data, ``.save("why.png")`` draws.

    Raises:
        ArgumentError: There is no such method, setting, class or layer.
        ShapeError: The picture or the model has another shape.
        DataError: The file cannot be read.

    Example:
        >>> from convista.architectures.digits import digits_convnet
        >>> found = attribute(digits_convnet(seed=0), np.eye(8, dtype=np.float32), "saliency")
        >>> found.map.shape, found.raw.shape, found.explained
        ((8, 8), (8, 8, 1), 'logit before softmax')

    Source: the papers named in each method's class.
    """
    name, how = chosen(method, layer, settings, "attribute")
    seen = inspected(model, picture, "attribute")
    score = score_of(model, seen.x, target, "attribute")
    found = how.explain(score, seen.x)
    own = {item.name: getattr(how, item.name) for item in fields(how)}
    return Attribution(
        seen.picture,
        found.map,
        found.raw,
        name,
        score.target,
        score.label,
        score.explained,
        score.of(seen.x),
        score.probability,
        how.signed,
        {**own, **found.settings},
        dict(found.findings),
    )


def _half(values: np.ndarray) -> float:
    """Return the smallest share of the positions that holds half of what is positive; 0 if nothing is."""
    positive = np.sort(np.maximum(values, 0).ravel())[::-1].cumsum(dtype=np.float64)
    return 0.0 if positive[-1] <= 0 else float((np.searchsorted(positive, positive[-1] / 2) + 1) / positive.size)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return times(value)
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
