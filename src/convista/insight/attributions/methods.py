"""The ways to ask why a network answered so: each a class with its settings, found by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from convista import arguments
from convista.arguments import Checked
from convista.errors import ArgumentError, ShapeError
from convista.insight.attributions.placing import Centres, centres, laid_over
from convista.insight.attributions.score import Score, sized
from convista.insight.inspection import place_of, spatial_layers
from convista.layers.activation import ELU, GELU, Activation, LeakyReLU, PReLU, ReLU, SiLU
from convista.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from convista.shapes import count, times

_FOLLOWING = (
    *(BatchNormalization, GroupNormalization, LayerNormalization),
    *(Activation, ReLU, LeakyReLU, PReLU, ELU, GELU, SiLU),
)


@dataclass(frozen=True, eq=False)
class Explained:
    """What a method found.

    Args:
        map: One number for each position of the input, float32.
        raw: The numbers behind it, with their signs: of each channel of the input, or of each cell of a coarser grid.
        settings: Settings that were chosen for this input where the user left them open.
        findings: Numbers that tell how far the map can be trusted.
    """

    map: np.ndarray
    raw: np.ndarray
    settings: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Method(metaclass=Checked):
    """A way to explain an answer: a frozen dataclass whose fields are its settings.

    A new one is one class in this file, with :func:`register`; ``attribute``, the sanity check and their tests then
    know it. Its name is also written in ``cli/attribute.py``, whose help imports nothing heavy; a test compares them.
    """

    signed: ClassVar[bool] = False  # whether parts of the map may speak against the class
    meaning: ClassVar[str] = ""  # what one number of the map is
    source: ClassVar[str] = ""

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the map for one prepared input ``(1, …)``."""
        raise NotImplementedError(f"{type(self).__name__} does not define explain")


METHODS: dict[str, type[Method]] = {}
MethodClass = TypeVar("MethodClass", bound=type[Method])


def register(name: str) -> Callable[[MethodClass], MethodClass]:
    """Let a method be asked for by its name."""

    def enter(kind: MethodClass) -> MethodClass:
        METHODS[name] = kind
        return kind

    return enter


def chosen(method: object, layer: str | None, settings: Mapping[str, Any], where: str) -> tuple[str, Method]:
    """Return a method by its name, with its settings.

    Raises:
        ArgumentError: There is no such method, or it has no such setting.
    """
    name = arguments.one_of(method, METHODS, "method", where=where)
    kind = METHODS[name]
    looks_inside = issubclass(kind, _InsideALayer)
    if layer is not None and not looks_inside:
        inside = [other for other, one in METHODS.items() if issubclass(one, _InsideALayer)]
        raise ArgumentError(
            f"layer belongs to {', '.join(inside)}; {name} looks at the input",
            where=where,
            received=f"layer={layer!r}",
            fix="Leave layer out",
        )
    return name, kind(**({"layer": layer, **settings} if looks_inside else settings))


def positions(x: np.ndarray) -> tuple[int, ...]:
    """Return the shape of a map of an input ``(1, …)``: without channels, or all of it if there is one axis only."""
    return x.shape[1:-1] if x.ndim > 2 else x.shape[1:]


def _strongest(raw: np.ndarray) -> np.ndarray:
    """Return the largest absolute value over the channels."""
    return np.abs(raw) if raw.ndim == 1 else np.abs(raw).max(axis=-1)


def _over_channels(raw: np.ndarray) -> np.ndarray:
    return raw if raw.ndim == 1 else raw.sum(axis=-1)


@register("saliency")
@dataclass(frozen=True)
class Saliency(Method):
    """The gradient of the score: how much it changes if a pixel changes a little.

    ``map = max over channels |∂score/∂x|``

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, «Deep inside convolutional networks», 2013.
    """

    meaning: ClassVar[str] = "change of the score per change of the input"
    source: ClassVar[str] = "Simonyan et al. 2013"

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the gradient's absolute value."""
        raw = score.gradients(lambda first, last: x, 1, np.ones(1))
        return Explained(_strongest(raw), raw)


@register("smoothgrad")
@dataclass(frozen=True)
class SmoothGrad(Method):
    """The mean gradient of the score at noisy copies of the picture.

    ``map = max over channels |mean ∂score/∂x (x + ε)|``, ``ε ~ N(0, (noise · (max x − min x))²)``

    Args:
        samples: Noisy copies.
        noise: Standard deviation of the noise, as a share of the picture's range.
        seed: Of the noise.

    Source: D. Smilkov et al., «SmoothGrad: removing noise by adding noise», 2017.
    """

    samples: int = 50
    noise: float = 0.15
    seed: int = 0

    meaning: ClassVar[str] = "mean change of the score per change of the input"
    source: ClassVar[str] = "Smilkov et al. 2017"

    def __post_init__(self) -> None:
        arguments.integer(self.samples, "samples", where="SmoothGrad")
        arguments.fraction(self.noise, "noise", where="SmoothGrad")
        arguments.integer(self.seed, "seed", where="SmoothGrad", minimum=0)

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the absolute value of the mean gradient."""
        deviation = np.float32(self.noise * float(x.max() - x.min()))

        def noisy(first: int, last: int) -> np.ndarray:
            # One stream for each copy: how many are computed at a time changes none of them.
            draws = [np.random.default_rng((self.seed, number)) for number in range(first, last)]
            return np.stack([x[0] + deviation * draw.standard_normal(x.shape[1:], np.float32) for draw in draws])

        raw = score.gradients(noisy, self.samples, np.full(self.samples, 1 / self.samples))
        return Explained(_strongest(raw), raw, findings={"standard deviation of the noise": float(deviation)})


@register("integrated_gradients")
@dataclass(frozen=True)
class IntegratedGradients(Method):
    """The gradient on the straight way from a baseline to the picture: what each pixel adds to the score.

    ``raw = (x − b) · ∫₀¹ ∂score/∂x (b + α(x − b)) dα``; the map is its sum over the channels. All of it adds up to
    ``score(x) − score(b)``.

    Args:
        baseline: What stands for "no picture", in the network's own input: a number, or an array of the input's shape.
        steps: Points on the way (midpoint rule). The findings say what is missing to completeness; more steps mend it.

    Source: M. Sundararajan, A. Taly, Q. Yan, «Axiomatic attribution for deep networks», 2017.
    """

    baseline: Any = 0.0
    steps: int = 64

    signed: ClassVar[bool] = True
    meaning: ClassVar[str] = "what each place adds to the score of the baseline"
    source: ClassVar[str] = "Sundararajan et al. 2017"

    def __post_init__(self) -> None:
        arguments.integer(self.steps, "steps", where="IntegratedGradients")

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return what each pixel adds."""
        start = self._start(x)
        way = x - start
        middles = ((np.arange(self.steps) + 0.5) / self.steps).astype(np.float32)
        middles = middles.reshape(-1, *(1,) * (x.ndim - 1))
        gradient = score.gradients(
            lambda first, last: start + middles[first:last] * way, self.steps, np.full(self.steps, 1 / self.steps)
        )
        raw = way[0] * gradient
        whole, before, total = score.of(x), score.of(start), float(raw.sum(dtype=np.float64))
        findings = {"score of the baseline": before, "sum of the map": total, "missing": whole - before - total}
        return Explained(_over_channels(raw), raw, {"baseline": self._told()}, findings)

    def _start(self, x: np.ndarray) -> np.ndarray:
        given = np.asarray(self.baseline)
        if given.dtype.kind not in "uif" or not np.isfinite(given).all():
            raise ArgumentError(
                "baseline is a finite number, or an array of them",
                where="IntegratedGradients",
                received=f"baseline={self.baseline!r}"[:100],
            )
        if given.shape not in ((), x.shape[1:]):
            raise ShapeError(
                f"baseline is a number or has the input's shape {x.shape[1:]}",
                where="IntegratedGradients",
                received=f"shape {given.shape}",
            )
        return np.broadcast_to(given.astype(np.float32), x.shape)

    def _told(self) -> Any:
        return float(self.baseline) if np.ndim(self.baseline) == 0 else f"an array {times(np.shape(self.baseline))}"


@register("guided_backpropagation")
@dataclass(frozen=True)
class GuidedBackpropagation(Method):
    """The gradient of the score, where relus let only what is positive back.

    ``map = max over channels |raw|``. At each relu the gradient is ``[x > 0] · max(gradient, 0)``; other activations
    keep their own.

    Source: J. Springenberg et al., «Striving for simplicity: the all convolutional net», 2014.
    """

    meaning: ClassVar[str] = "guided change of the score per change of the input"
    source: ClassVar[str] = "Springenberg et al. 2014"

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the guided gradient's absolute value."""
        raw = score.gradients(lambda first, last: x, 1, np.ones(1), guided=True)
        return Explained(_strongest(raw), raw)


@dataclass(frozen=True)
class _InsideALayer(Method):
    """A map made of the channels of a layer.

    Args:
        layer: Its name; ``None`` is the last convolution with more than one position, after the normalisation, the sum
            of branches and the activation that follow it.
    """

    layer: str | None = None

    def _chosen(self, score: Score, x: np.ndarray) -> tuple[int, str, Centres]:
        """Return the layer's place and name, and where its cells lie."""
        graph = sized(score.graph, x.shape[1:])
        shapes, spatial = graph.shapes(), frozenset(spatial_layers(score.model))
        fitting = [
            node.name
            for node, shape in zip(graph.nodes, shapes, strict=True)
            if node.name in spatial and len(shape) == x.ndim - 1 and count(shape[:-1]) > 1
        ]
        if self.layer is not None:
            place = place_of(score.model, self.layer, "attribute", among=fitting)
        else:
            # Depthwise ones too: ConvNeXt ends in them.
            kernels = [node.name for node in graph.nodes if node.name in fitting and hasattr(node.layer, "kernel_size")]
            if not kernels:
                raise ArgumentError(
                    "this method looks into a convolution with several positions",
                    where="attribute",
                    received=f"a model without one, {score.model.name!r}",
                    fix='Write method="saliency", "integrated_gradients" or "occlusion"',
                )
            place = _with_activation(score, place_of(score.model, kernels[-1], "attribute"))
        return place, graph.nodes[place].name, centres(graph, place)


def _with_activation(score: Score, place: int) -> int:
    """Return the place of the activation of a convolution, be it its own or a layer behind normalisation and sum."""
    nodes = score.graph.nodes
    while nodes[place].layer.activation_name == "linear":
        after = [spot for spot, node in enumerate(nodes) if place in node.inputs]
        if len(after) != 1 or not (nodes[after[0]].layer.merges or isinstance(nodes[after[0]].layer, _FOLLOWING)):
            return place
        place = after[0]
    return place


@register("grad_cam")
@dataclass(frozen=True)
class GradCAM(_InsideALayer):
    """The channels of a layer, each as strongly as the score rises with it.

    ``map = max(Σₖ wₖ·Aₖ, 0)``, ``wₖ = mean over positions ∂score/∂Aₖ``

    Source: R. Selvaraju et al., «Grad-CAM: visual explanations from deep networks», 2017.
    """

    meaning: ClassVar[str] = "weighted sum of the layer's channels, 0 where it is negative"
    source: ClassVar[str] = "Selvaraju et al. 2017"

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the weighted sum of the channels."""
        place, name, middles = self._chosen(score, x)
        cells, gradient = score.inside(x, place)
        raw = cells @ gradient.reshape(-1, gradient.shape[-1]).mean(axis=0)
        return Explained(laid_over(np.maximum(raw, 0), middles, positions(x)), raw, {"layer": name})


@register("grad_cam_plus_plus")
@dataclass(frozen=True)
class GradCAMPlusPlus(_InsideALayer):
    """Grad-CAM with a weight for each position, so that several objects of a class all count.

    ``wₖ = Σ α·max(g, 0)``, ``α = g² / (2g² + ΣAₖ·g³)``, ``g = ∂score/∂Aₖ``. The paper takes the exponential of the
    score; that multiplies the map by one number, which is left out.

    Source: A. Chattopadhay et al., «Grad-CAM++: improved visual explanations», 2018.
    """

    meaning: ClassVar[str] = "weighted sum of the layer's channels, 0 where it is negative"
    source: ClassVar[str] = "Chattopadhay et al. 2018"

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the weighted sum of the channels."""
        place, name, middles = self._chosen(score, x)
        cells, gradient = score.inside(x, place)
        axes = tuple(range(cells.ndim - 1))
        square, cube = gradient.astype(np.float64) ** 2, gradient.astype(np.float64) ** 3
        below = 2 * square + cells.sum(axis=axes, dtype=np.float64) * cube
        shares = np.divide(square, below, out=np.zeros_like(square), where=below != 0)
        raw = (cells @ (shares * np.maximum(gradient, 0)).sum(axis=axes)).astype(np.float32)
        return Explained(laid_over(np.maximum(raw, 0), middles, positions(x)), raw, {"layer": name})


@register("score_cam")
@dataclass(frozen=True)
class ScoreCAM(_InsideALayer):
    """The channels of a layer, each as strongly as the score of the picture seen through it.

    ``map = max(Σₖ wₖ·Aₖ, 0)``, ``w = softmax over channels score(x · Hₖ)``, where ``Hₖ`` is ``Aₖ`` laid over the
    picture and brought to 0…1. One pass for each channel, no gradient.

    Source: H. Wang et al., «Score-CAM: score-weighted visual explanations», 2020.
    """

    meaning: ClassVar[str] = "weighted mean of the layer's channels, 0 where it is negative"
    source: ClassVar[str] = "Wang et al. 2020"

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the weighted mean of the channels."""
        place, name, middles = self._chosen(score, x)
        cells = score.inside(x, place)[0]
        axes = tuple(range(cells.ndim - 1))
        low, span = cells.min(axis=axes), np.ptp(cells, axis=axes)
        # A channel that is the same everywhere hides nothing and gets no weight. Its pass is made all the same, so that
        # every picture makes as many, and nothing is compiled anew.
        varied = span > 0
        masks = (cells - low) / np.where(varied, span, 1)

        def masked(first: int, last: int) -> np.ndarray:
            shown = laid_over(masks[..., first:last], middles, positions(x))
            return np.moveaxis(shown, -1, 0)[..., None] * x

        scores = np.where(varied, score.values(masked, len(varied)), -np.inf)
        weights = np.exp(scores - scores.max(where=varied, initial=-np.finfo(np.float64).max))
        raw = (cells @ (weights / (weights.sum() or 1.0))).astype(np.float32)
        return Explained(laid_over(np.maximum(raw, 0), middles, positions(x)), raw, {"layer": name})


@register("occlusion")
@dataclass(frozen=True)
class Occlusion(Method):
    """How much the score falls when a part of the picture is covered.

    ``raw = score(x) − score(x with a window covered)`` for each place of the window; the map is the mean over the
    windows that cover a pixel.

    Args:
        size: Side of the window in pixels, one number or one for each axis; ``None`` is a fifth of the picture.
        stride: Pixels from one place to the next; ``None`` is a third of the window.
        fill: What covers, in the network's own input: a number, or ``"mean"`` for the picture's mean in each channel.

    Source: M. Zeiler, R. Fergus, «Visualizing and understanding convolutional networks», 2014.
    """

    size: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    fill: float | str = 0.0

    signed: ClassVar[bool] = True
    meaning: ClassVar[str] = "mean fall of the score while the place is covered"
    source: ClassVar[str] = "Zeiler & Fergus 2014"

    def __post_init__(self) -> None:
        if self.fill != "mean":
            if isinstance(self.fill, str):
                raise ArgumentError('fill is a number or "mean"', where="Occlusion", received=f"fill={self.fill!r}")
            arguments.number(self.fill, "fill", where="Occlusion")

    def explain(self, score: Score, x: np.ndarray) -> Explained:
        """Return the mean fall of the score at each pixel."""
        sizes = positions(x)
        window, stride = self._geometry(sizes)
        starts = [_starts(*axis) for axis in zip(sizes, window, stride, strict=True)]
        corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(sizes))
        parts = [tuple(slice(low, low + side) for low, side in zip(one, window, strict=True)) for one in corners]
        cover = x[0].mean(axis=tuple(range(len(sizes)))) if self.fill == "mean" else np.float32(self.fill)

        def covered(first: int, last: int) -> np.ndarray:
            rows = np.repeat(x, last - first, axis=0)
            for row, part in zip(rows, parts[first:last], strict=True):
                row[part] = cover
            return rows

        falls = score.of(x) - score.values(covered, len(parts))
        total, times_covered = np.zeros(sizes), np.zeros(sizes)
        for part, fall in zip(parts, falls, strict=True):
            total[part] += fall
            times_covered[part] += 1
        raw = falls.reshape([len(axis) for axis in starts]).astype(np.float32)
        return Explained((total / times_covered).astype(np.float32), raw, {"size": window, "stride": stride})

    def _geometry(self, sizes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        window = self.size if self.size is not None else tuple(-(-side // 5) for side in sizes)
        window = arguments.integers(window, len(sizes), "size", where="Occlusion")
        if any(side > whole for side, whole in zip(window, sizes, strict=True)):
            raise ShapeError(
                "the window that covers is at most as large as the picture",
                where="Occlusion",
                received=f"size={times(window)}, a picture of {times(sizes)}",
            )
        stride = self.stride if self.stride is not None else tuple(max(1, side // 3) for side in window)
        stride = arguments.integers(stride, len(sizes), "stride", where="Occlusion")
        if any(step > side for step, side in zip(stride, window, strict=True)):
            raise ArgumentError(
                "a stride larger than the window leaves pixels out",
                where="Occlusion",
                received=f"stride={times(stride)}, size={times(window)}",
            )
        return window, stride


def _starts(size: int, window: int, stride: int) -> np.ndarray:
    """Return where windows begin along an axis; the last one ends with the picture."""
    return np.unique(np.append(np.arange(0, size - window + 1, stride), size - window))
