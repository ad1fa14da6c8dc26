"""Does an attribution depend on what the network has learned? Its weights are drawn anew, and the map has to go."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from convista import arguments
from convista.errors import ShapeError
from convista.insight.attributions.methods import METHODS, Explained, Method, chosen
from convista.insight.attributions.score import Score, score_of
from convista.insight.inspection import inspected
from convista.insight.runs import finite
from convista.insight.tables import table

if TYPE_CHECKING:
    from convista.models.model import Model

RANDOMIZATIONS = ("cascading", "independent", "whole")
LIMIT = 0.5
"""Above this rank correlation, a map of drawn weights still looks like the one that is to be trusted."""


@dataclass(frozen=True, eq=False)
class SanityCheck:
    """Maps of a network whose weights were drawn anew, beside the map of what it has learned.

    Args:
        method: The method's name.
        label: The class that is explained.
        randomize: ``"cascading"``: the last layer, then the last two, and so on; ``"independent"``: each layer alone;
            ``"whole"``: all at once.
        layers: The layer that was drawn anew in each step, in order; ``"all"`` for ``"whole"``.
        correlations: For each step Spearman's rank correlation of the map with the first one, float64 ``(steps,)``.
        with_signs: The same of the raw values behind the map, which have signs.
        without_signs: The same of their absolute values.
        map: The map of the network as it is.
        maps: Those of the steps, float32 ``(steps, …)``.
        signed: Whether the map has signs.
    """

    method: str
    label: str
    randomize: str
    layers: tuple[str, ...]
    correlations: np.ndarray
    with_signs: np.ndarray
    without_signs: np.ndarray
    map: np.ndarray
    maps: np.ndarray
    signed: bool

    @property
    def passed(self) -> bool:
        """Whether the last map has lost the order of the first: its rank correlation is below 0.5.

        For ``"cascading"`` and ``"whole"`` that is the network without anything that it has learned. For
        ``"independent"`` every step has to be below.
        """
        deciding = self.correlations if self.randomize == "independent" else self.correlations[-1:]
        return bool((deciding < LIMIT).all())

    def __str__(self) -> str:
        header = ["weights drawn anew", "map", "with signs", "without"]
        rows = [
            [name, *(f"{number:+.2f}".replace("-", "−") for number in numbers)]
            for name, *numbers in zip(self._steps, self.correlations, self.with_signs, self.without_signs, strict=True)
        ]
        verdict = "the map depends on what was learned" if self.passed else "the map hardly depends on what was learned"
        return f"{self.method}, {self.label!r}: {verdict}\n{table(header, rows)}"

    @property
    def _steps(self) -> list[str]:
        begun = self.randomize == "cascading"
        return [f"… and {name}" if begun and number else name for number, name in enumerate(self.layers)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; the maps are left out."""
        plain: dict[str, Any] = finite(
            {
                "method": self.method,
                "label": self.label,
                "randomize": self.randomize,
                "layers": self.layers,
                "correlations": self.correlations,
                "with_signs": self.with_signs,
                "without_signs": self.without_signs,
                "passed": self.passed,
            }
        )
        return plain

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the maps, step by step, as a PNG file.

        Raises:
            ArgumentError: The name does not end in .png, or the folder does not exist.
            ShapeError: The maps are not of pictures.
        """
        from convista.insight.attributions.figure import sanity_figure
        from convista.insight.drawing import check_picture, save

        check_picture(path)
        if self.map.ndim != 2:
            raise ShapeError(
                "the maps of pictures are drawn",
                where="save",
                received=f"maps with {self.map.ndim} axes",
                fix="Print the check, or draw .maps yourself",
            )
        return save(sanity_figure(self), path)


def sanity_check(
    model: Model,
    picture: Any,
    method: str = "grad_cam",
    target: int | str | None = None,
    layer: str | None = None,
    *,
    randomize: str = "cascading",
    draw: int = 0,
    **settings: Any,
) -> SanityCheck:
    """Draw a network's weights anew, layer by layer from the last, and compare the maps with that of the trained one.

    A method whose map stays shows the picture, not the network. The class stays that of the trained network. Weights
    and moving statistics are drawn as a new model of this kind begins. The model itself is not changed.

    Args:
        model: As for :func:`convista.insight.attribute`.
        picture: As there; also ``method``, ``target``, ``layer`` and the method's settings.
        method: Its name.
        target: The class; ``None`` is the one that the trained model predicts.
        layer: For the methods that look into one.
        randomize: ``"cascading"``, ``"independent"`` or ``"whole"``; see :class:`SanityCheck`.
        draw: Number of the draw; the same number draws the same weights.
        **settings: Of the method.

    Returns:
        The check: ``print`` shows the correlations, ``.passed`` judges, ``.save("check.png")`` draws the maps.

    Raises:
        ArgumentError: As for ``attribute``, or another ``randomize``.

    Example:
        >>> from convista.architectures.digits import digits_convnet
        >>> check = sanity_check(digits_convnet(seed=1), np.eye(8, dtype=np.float32), "saliency", randomize="whole")
        >>> check.layers, check.maps.shape
        (('all',), (1, 8, 8))

    Source: J. Adebayo et al., «Sanity checks for saliency maps», 2018.
    """
    name, how = chosen(method, layer, settings, "sanity_check")
    randomize = arguments.one_of(randomize, RANDOMIZATIONS, "randomize", where="sanity_check")
    number = arguments.integer(draw, "draw", where="sanity_check", minimum=0)
    seen = inspected(model, picture, "sanity_check")
    score = score_of(model, seen.x, target, "sanity_check")
    steps = _steps(model, randomize)
    first, found = how.explain(score, seen.x), [_without(score, how, seen.x, names, number) for names in steps.values()]
    return SanityCheck(
        name,
        score.label,
        randomize,
        tuple(steps),
        np.array([rank_correlation(first.map, other.map) for other in found]),
        np.array([rank_correlation(first.raw, other.raw) for other in found]),
        np.array([rank_correlation(np.abs(first.raw), np.abs(other.raw)) for other in found]),
        first.map,
        np.stack([other.map for other in found]),
        METHODS[name].signed,
    )


def _steps(model: Model, randomize: str) -> dict[str, frozenset[str]]:
    """Return for each step its name and the layers without what they have learned."""
    learned = [name for name in reversed(model.graph.layers) if name in model.params or name in model.state]
    if randomize == "whole":
        return {"all": frozenset(learned)}
    if randomize == "independent":
        return {name: frozenset([name]) for name in learned}
    return {name: frozenset(learned[: place + 1]) for place, name in enumerate(learned)}


def _without(score: Score, how: Method, x: np.ndarray, names: frozenset[str], draw: int) -> Explained:
    params, state = score.model.graph.init(jax.random.fold_in(jax.random.key(draw), 0))
    drawn = dataclasses.replace(
        score,
        params={**score.params, **{name: group for name, group in params.items() if name in names}},
        state={**score.state, **{name: group for name, group in state.items() if name in names}},
    )
    return how.explain(drawn, x)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two arrays of one shape; equal values share the mean of their ranks.

    A map that is the same everywhere puts nothing in an order: its correlation with anything is 0.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([1.0, 3.0, 4.0]))
        1.0
    """
    first, second = (ranks - ranks.mean() for ranks in (_ranks(one), _ranks(other)))
    below = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / below if below else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse.ravel()]
