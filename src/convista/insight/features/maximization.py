"""What a neuron wants: a picture that excites a channel or a class most, found by climbing its gradient."""

from __future__ import annotations

import base64
import dataclasses
import html
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from convista import arguments
from convista.errors import ArgumentError, ShapeError, suggest
from convista.insight.attributions.score import without_last_activation
from convista.insight.class_names import class_names, class_number
from convista.insight.drawing import BLUE, GREY, VERMILLION, encoded, save, style
from convista.insight.features.canvas import Canvas, as_shown
from convista.insight.features.patches import shapes_for
from convista.insight.features.scales import Scale
from convista.insight.inspection import check_one_input, ending_at, inspected, place_of, program
from convista.layers.activation import ELU, GELU, Activation, LeakyReLU, PReLU, ReLU, SiLU, Softmax
from convista.models.graph import Graph
from convista.shapes import times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convista.models.model import Model

_ACTIVATIONS = (Activation, ReLU, Softmax, LeakyReLU, PReLU, ELU, GELU, SiLU)
_MOST_STEPS = 100_000
_NOISE_PICTURES = 32
_REACH = 3  # cells on each side of the blur's window: enough for a deviation of 1.5, all that is asked for
_WIDTH, _MARGIN = 8.4, 0.2


@dataclass(frozen=True)
class Climb:
    """How a picture is sought. Lengths are in pixels, brightness in shares of the range of the inputs.

    The two weights were chosen by eye for the classes of the lecture convnet: a total variation of 0.3 and an l2 of 0.1
    found logits a quarter higher in pictures full of strokes that belong to no digit; without any, noise beside them.

    Args:
        steps: How many.
        rate: What a step adds to a pixel at the root mean square; it falls linearly to a tenth at the end.
        jitter: Before each step the picture is moved at random by up to so many pixels along each axis. ``None`` is a
            sixteenth of the shortest side, at most 8, and 0 for a single cell, whose place is fixed: one pixel at
            28×28, none at 8×8, where it left classes hardly above noise.
        blur: Standard deviation of the Gaussian that softens the picture after each step, up to 1.5.
        total_variation: Weight of the sum of ``√(dx² + dy²)``, which takes noise away and keeps edges.
        l2: Weight of the squared distance from the middle of the range, which takes away what adds little.
        seed: Of the noise and the jitter.
    """

    steps: int = 256
    rate: float = 0.05
    jitter: int | None = None
    blur: float = 0.3
    total_variation: float = 0.5
    l2: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        steps = arguments.integer(self.steps, "steps", where="maximize")
        if self.jitter is not None:
            arguments.integer(self.jitter, "jitter", where="maximize", minimum=0)
        arguments.integer(self.seed, "seed", where="maximize", minimum=0)
        if steps > _MOST_STEPS:
            raise ArgumentError(f"steps is at most {_MOST_STEPS:,}", where="maximize", received=f"steps={steps}")
        for name, most in (("rate", 1.0), ("blur", 1.5), ("total_variation", math.inf), ("l2", 10.0)):
            value = getattr(self, name)
            least = "above 0" if name == "rate" else "of at least 0"
            fits = isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most
            if not fits or (name == "rate" and value == 0):
                raise ArgumentError(
                    f"{name} is a number {least}" + ("" if most == math.inf else f" and at most {most}"),
                    where="maximize",
                    received=f"{name}={value!r}",
                )


@dataclass(frozen=True, eq=False)
class Maximized:
    """The picture that was found.

    Args:
        target: What was excited, such as ``conv2d_1, channel 8`` or ``class 7``.
        picture: float32, in the range of the inputs, without the batch axis.
        start: Where it began, likewise.
        activation: What the target gives for the picture, before its activation function: of a class the logit.
        curve: The same before each step, for the picture as the jitter had moved it, and at the end, ``(steps + 1,)``.
        noise: What the target gives for 32 pictures of uniform noise, ``(32,)``.
        value_range: The least and the greatest value that a pixel may have.
        settings: How it was sought.
    """

    target: str
    picture: np.ndarray
    start: np.ndarray
    activation: float
    curve: np.ndarray
    noise: np.ndarray
    value_range: tuple[float, float]
    settings: Climb

    def __str__(self) -> str:
        low, high = self.value_range
        return (
            f"{self.target}: {self.activation:.4g} after {self.settings.steps} steps, from {self.curve[0]:.4g}; "
            f"pictures of noise give {self.noise.mean():.4g} on the average and {self.noise.max():.4g} at the most\n"
            f"a picture of {times(self.picture.shape)} with values {low:g} to {high:g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, with the picture."""
        return {
            "target": self.target,
            "activation": self.activation,
            "noise": {"mean": float(self.noise.mean()), "most": float(self.noise.max())},
            "curve": self.curve.tolist(),
            "value_range": list(self.value_range),
            "settings": dataclasses.asdict(self.settings),
            "picture": self.picture.tolist(),
        }

    @property
    def pixels(self) -> np.ndarray:
        """The picture to look at, float RGB in 0…1; a sequence has a row for each channel."""
        return _pixels(self.picture, self.value_range)

    def _repr_html_(self) -> str:
        with style():
            picture = base64.b64encode(encoded(self._drawn())).decode()
        return (
            f'<img alt="{html.escape(self.target)}" src="data:image/png;base64,{picture}">'
            f"<details><summary>numbers</summary><pre>{html.escape(str(self))}</pre></details>"
        )

    def figure(self) -> Figure:
        """Draw the picture beside where it began, and the climb."""
        with style():
            return self._drawn()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure as a PNG file."""
        with style():
            return save(self._drawn(), path)

    def _drawn(self) -> Figure:
        canvas = Canvas(_WIDTH, 3.3)
        low, high = self.value_range
        canvas.heading(
            f"What {self.target} wants", f"Values from {low:g} to {high:g}; {_words(self.settings)}."
        )  # fmt: skip
        for number, (title, picture) in enumerate((("start", self.start), ("found", self.picture))):
            x, size = (_MARGIN, 1.15) if number == 0 else (1.55, 2.1)
            pixels = _pixels(picture, self.value_range)
            side = size / max(pixels.shape[:2])
            shape = (max(pixels.shape[1] * side, 0.2), max(pixels.shape[0] * side, 0.2))
            canvas.text(x, 0.72, title, fontsize=9.0, color=GREY)
            canvas.picture((x, 0.92), shape, pixels)
        axes = canvas.axes((4.65, 0.95), (_WIDTH - 4.65 - 0.35, 1.75))
        axes.plot(self.curve, color=BLUE, linewidth=1.6, label="the picture")
        axes.axhline(self.noise.max(), color=VERMILLION, linestyle="--", linewidth=1.4, label="noise, at the most")
        axes.set_xlabel("step", fontsize=9.0)
        axes.tick_params(labelsize=8.0)
        axes.set_title("value before the activation", fontsize=9.0)
        axes.margins(x=0.02)
        axes.legend(fontsize=8.0, loc="best")
        return canvas.figure


def maximize(
    model: Model,
    layer: str | None = None,
    channel: int | None = None,
    class_: int | str | None = None,
    cell: Sequence[int] | str | None = None,
    start: Any = None,
    value_range: tuple[float, float] | None = None,
    **settings: Any,
) -> Maximized:
    """Seek the picture that excites a channel, one of its cells, or a class most.

    ``u ← clip(blur(u + rate·(g/‖g‖ − total_variation·∇TV(u) − 2·l2·(u − ½))), 0, 1)``, where ``u`` is the picture as a
    share of the range of the inputs, ``g`` the gradient of the target for the picture moved by the jitter, and ``‖g‖``
    its root mean square, so that the weights mean the same for every layer. The steps are one compiled loop.

    The target is taken before its activation function: a relu that is silent has no gradient to climb, and a
    probability also grows where the other classes shrink, which changes the picture of something else (Simonyan 2014).
    For a softmax that is the logit; the order of pictures by a channel is the same before and after a relu.

    Args:
        model: The model.
        layer: The name of any layer; with ``channel``.
        channel: Which of its channels (of its units, for a dense layer).
        class_: Number or name of a class, instead of a layer. With a single output unit, class 0 is its negative.
        cell: Its position in the map, or ``"middle"``, for one neuron; ``None`` is the mean over the map: the texture
            that the channel likes everywhere.
        start: A picture to begin with, as for ``predict``; ``None`` is faint noise around the middle of the range.
        value_range: The least and the greatest value of an input, as the first layer takes it; ``None`` takes what the
            model's preprocessing or its ``Rescaling`` layer says.
        **settings: ``steps``, ``rate``, ``jitter``, ``blur``, ``total_variation``, ``l2``, ``seed``; see
            :class:`Climb`.

    Returns:
        The picture, with what noise gives beside it, and the climb.

    Raises:
        ArgumentError: There is no such layer, channel, cell or class; or nothing says which values inputs have.
        ShapeError: The network takes all sizes, and no ``start`` says which.

    Example:
        >>> from convista import Input, Sequential
        >>> from convista.layers import Conv2D
        >>> model = Sequential([Input((8, 8, 1)), Conv2D(2, 3, name="edges")], seed=0)
        >>> found = maximize(model, "edges", 0, cell="middle", value_range=(0, 1), jitter=0, total_variation=0.0)
        >>> found.picture.shape, bool(found.activation > found.noise.max())
        ((8, 8, 1), True)

    Source: D. Erhan and others, «Visualizing higher-layer features of a deep network», 2009; K. Simonyan, A. Vedaldi,
    A. Zisserman, «Deep inside convolutional networks», 2014; A. Mahendran, A. Vedaldi, «Understanding deep image
    representations by inverting them», 2015; C. Olah and others, «Feature visualization», 2017.
    """
    check_one_input(model, "maximize")
    climb = _climb(settings)
    low, high = _range(model, value_range)
    shape = _shape(model, start)
    target = _target(model, layer, channel, class_, cell, shape)
    if climb.jitter is None:
        climb = dataclasses.replace(climb, jitter=0 if cell is not None else min(min(shape[:-1], default=0) // 16, 8))
    random = np.random.default_rng(climb.seed)
    if start is None:
        share = 0.5 + 0.05 * random.standard_normal(shape)
    else:
        share = (inspected(model, start, "maximize").x[0] - low) / (high - low)
    share = np.clip(share, 0, 1).astype(np.float32)
    run = program(model, ("maximize", target.place), _climber(model, target))
    numbers = (
        np.float32(low),
        np.float32(high - low),
        np.float32(target.sign),
        np.int32(target.channel),
        target.weights,
    )
    found, curve = run(model.params, model.state, share, numbers, _strengths(climb), _schedule(climb))
    judge = program(model, ("maximize, judged", target.place), _value(model, target))
    noise = random.random((_NOISE_PICTURES, *shape), np.float32)
    values = np.asarray(judge(model.params, model.state, np.concatenate([noise, np.asarray(found)[None]]), numbers))
    return Maximized(
        target.words,
        (low + (high - low) * np.asarray(found)).astype(np.float32),
        (low + (high - low) * share).astype(np.float32),
        float(values[-1]),
        np.append(np.asarray(curve), values[-1]),
        values[:-1],
        (low, high),
        climb,
    )


def _climb(settings: Mapping[str, Any]) -> Climb:
    known = [field.name for field in dataclasses.fields(Climb)]
    wrong = next((name for name in settings if name not in known), None)
    if wrong is not None:
        raise ArgumentError(
            f"maximize has no argument {wrong!r}",
            where="maximize",
            received=f"{wrong}={settings[wrong]!r}",
            fix=suggest(wrong, [*known, "class_", "layer", "channel", "cell", "start", "value_range"]),
        )
    return Climb(**settings)


@dataclass(frozen=True, eq=False)
class _Target:
    """A number that a network gives: the weighted sum of one channel over the cells of a map."""

    words: str
    graph: Graph
    place: int
    channel: int
    weights: np.ndarray
    sign: float = 1.0


def _target(
    model: Model,
    layer: str | None,
    channel: int | None,
    class_: int | str | None,
    cell: Sequence[int] | str | None,
    shape: tuple[int, ...],
) -> _Target:
    if (layer is None) == (class_ is None):
        raise ArgumentError(
            "a channel of a layer is excited, or a class",
            where="maximize",
            received="neither" if layer is None else f"layer={layer!r} and class_={class_!r}",
            fix='For example model.maximize(layer="conv2d", channel=0) or model.maximize(class_=3)',
        )
    if class_ is not None:
        return _class_target(model, class_, shape)
    among = [node.name for node in model.graph.nodes if node.inputs]
    asked = place_of(model, str(layer), "maximize", among=among)
    graph, place = _before_activation(model.graph, asked)
    *sizes, channels = (size or 0 for size in shapes_for(graph, shape)[place])
    if not isinstance(channel, int | np.integer) or not 0 <= channel < channels:
        raise ArgumentError(
            f"{layer!r} has the channels 0 to {channels - 1}",
            where="maximize",
            received=f"channel={channel!r}",
            fix="For example channel=0",
        )
    position = _cell(cell, sizes)
    weights = np.zeros(tuple(sizes), np.float32)
    weights[... if position is None else position] = 1 / max(weights.size, 1) if position is None else 1.0
    where = "" if not position else f", cell {', '.join(map(str, position))}"
    return _Target(f"{layer}, channel {channel}{where}", graph, place, int(channel), weights.reshape(-1))


def _cell(cell: Sequence[int] | str | None, sizes: Sequence[int]) -> tuple[int, ...] | None:
    if cell is None:
        return None
    if isinstance(cell, str):
        arguments.one_of(cell, ("middle",), "cell", where="maximize")
        return tuple(size // 2 for size in sizes)
    position = tuple(cell)
    if len(position) != len(sizes) or not all(
        isinstance(one, int | np.integer) and 0 <= one < size for one, size in zip(position, sizes, strict=False)
    ):
        raise ArgumentError(
            f"a cell lies within the map of {times(tuple(sizes))}" if sizes else "a dense layer has no cells",
            where="maximize",
            received=f"cell={cell!r}",
            fix='Leave cell out, or use cell="middle"',
        )
    return tuple(int(one) for one in position)


def _class_target(model: Model, class_: int | str, shape: tuple[int, ...]) -> _Target:
    logits, _ = without_last_activation(model.graph)
    graph, place = _before_activation(logits, logits.outputs[0])
    output = shapes_for(graph, shape)[place]
    units = output[-1] or 0
    count = max(units, 2)
    if len(output) != 1:
        raise ArgumentError(
            "a class is one unit of the output",
            where="maximize",
            received=f"an output of shape {tuple(output)}",
            fix="Ask for a layer and a channel",
        )
    names = class_names(model, count)
    number = class_number(class_, names, "class_", "maximize")
    words = f"class {names[number]}"
    weights = np.ones(1, np.float32)
    if units == 1:
        return _Target(words, graph, place, 0, weights, 1.0 if number == 1 else -1.0)
    return _Target(words, graph, place, number, weights)


def _before_activation(graph: Graph, place: int) -> tuple[Graph, int]:
    """Return a graph and a place that give what a layer's activation function takes."""
    node = graph.nodes[place]
    if isinstance(node.layer, _ACTIVATIONS):
        return _before_activation(graph, node.inputs[0])
    if getattr(node.layer, "activation", None) is None or node.layer.activation_name == "linear":
        return graph, place
    bare: Any = dataclasses.replace(cast(Any, node.layer), activation=None)
    nodes = (*graph.nodes[:place], dataclasses.replace(node, layer=bare), *graph.nodes[place + 1 :])
    return dataclasses.replace(graph, nodes=nodes), place


def _range(model: Model, given: Any) -> tuple[float, float]:
    if given is not None:
        pair = tuple(given) if isinstance(given, Sequence | np.ndarray) else ()
        numbers = all(isinstance(end, Real) and not isinstance(end, bool) and math.isfinite(end) for end in pair)
        if len(pair) != 2 or not numbers or not pair[0] < pair[1]:
            raise ArgumentError(
                "value_range is the least and the greatest value of an input",
                where="maximize",
                received=f"value_range={given!r}",
                fix="For example value_range=(0, 1)",
            )
        return float(pair[0]), float(pair[1])
    if model.preprocessing is not None and model.preprocessing.scale is not None:
        return 0.0, 255 * model.preprocessing.scale
    if model.graph.entrance.rescaling is not None:
        return 0.0, 255.0
    raise ArgumentError(
        "a picture stays in the range of the inputs",
        where="maximize",
        received="a model without preprocessing and without Rescaling, which does not say that range",
        fix="Give it: value_range=(0, 1), or the least and the greatest value of your data",
    )


def _shape(model: Model, start: Any) -> tuple[int, ...]:
    if start is not None:
        return tuple(inspected(model, start, "maximize").x.shape[1:])
    shape = tuple(model.input_shape[1:])
    if None in shape:
        raise ShapeError(
            "the size of the picture is known",
            where="maximize",
            received=f"input_shape={model.input_shape}",
            fix="Give a picture to begin with: start=np.full((64, 64, 3), 0.5)",
        )
    return tuple(size or 0 for size in shape)


def _strengths(climb: Climb) -> tuple[np.float32, np.float32]:
    return np.float32(climb.total_variation), np.float32(climb.l2)


def _schedule(climb: Climb) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rate and blur of every step, and the random moves as shares of −1…1, so that no setting is compiled in."""
    done = np.arange(climb.steps, dtype=np.float32) / climb.steps
    random = np.random.default_rng((climb.seed, 1))
    reach = climb.jitter or 0
    moves = random.integers(-reach, reach + 1, (climb.steps, 3), dtype=np.int32)
    return climb.rate * (1 - np.float32(0.9) * done), np.full(climb.steps, climb.blur, np.float32), moves


def _value(model: Model, target: _Target) -> Callable[..., Any]:
    """Return a function: the target's value for each of a batch of pictures, given as shares of the range."""
    import jax.numpy as jnp

    graph, policy = ending_at(target.graph, (target.place,), model.policy), model.policy

    def value(params: Any, state: Any, share: Any, numbers: Any) -> Any:
        low, width, sign, channel, weights = numbers
        map_, _ = graph.apply(params, state, low + width * share, policy=policy)
        cells = map_.reshape(map_.shape[0], -1, map_.shape[-1]).astype(jnp.float32)
        return sign * jnp.sum(jnp.take(cells, channel, axis=-1) * weights, axis=-1)

    return value


def _climber(model: Model, target: _Target) -> Callable[..., Any]:
    """Return the whole climb as one function of arrays."""
    import jax
    import jax.numpy as jnp

    value = _value(model, target)

    def climb(params: Any, state: Any, share: Any, numbers: Any, strengths: Any, schedule: Any) -> Any:
        axes = tuple(range(share.ndim - 1))
        variation, l2 = strengths

        def seen(picture: Any, move: Any) -> Any:
            moved = jnp.roll(picture, tuple(move[axis] for axis in axes), axes) if axes else picture
            return value(params, state, moved[None], numbers)[0]

        def step(picture: Any, now: Any) -> Any:
            rate, blur, move = now
            height, slope = jax.value_and_grad(seen)(picture, move)
            slope = slope * jax.lax.rsqrt(jnp.mean(slope**2) + jnp.float32(1e-20))
            slope = slope - variation * jax.grad(_total_variation)(picture) - 2 * l2 * (picture - jnp.float32(0.5))
            return jnp.clip(_blurred(picture + rate * slope, blur), 0, 1), height

        return jax.lax.scan(step, share, schedule)

    return climb


def _total_variation(picture: Any) -> Any:
    """Return the sum of √(dx² + dy² + …) over positions and channels, smooth at 0."""
    import jax.numpy as jnp

    squares = jnp.zeros_like(picture)
    for axis in range(picture.ndim - 1):
        ends = [(0, 1) if other == axis else (0, 0) for other in range(picture.ndim)]
        squares = squares + jnp.pad(jnp.diff(picture, axis=axis), ends) ** 2
    return jnp.sum(jnp.sqrt(squares + jnp.float32(1e-4)))


def _blurred(picture: Any, deviation: Any) -> Any:
    """Return a picture softened by a Gaussian."""
    import jax.numpy as jnp

    taps = jnp.arange(-_REACH, _REACH + 1, dtype=jnp.float32)
    weights = jnp.exp(-(taps**2) / (2 * jnp.maximum(deviation, jnp.float32(1e-2)) ** 2))
    weights = weights / jnp.sum(weights)
    for axis in range(picture.ndim - 1):
        length = picture.shape[axis]
        ends = [(_REACH, _REACH) if other == axis else (0, 0) for other in range(picture.ndim)]
        wide = jnp.pad(picture, ends, mode="edge")
        # Sums of moved copies: a convolution inside a loop is slow in plain XLA.
        parts = [
            weights[tap] * wide[(slice(None),) * axis + (slice(tap, tap + length),)] for tap in range(2 * _REACH + 1)
        ]
        picture = sum(parts[1:], parts[0])
    return picture


def gallery(found: Sequence[Maximized], path: str | os.PathLike[str]) -> Path:
    """Draw several pictures that were found on one sheet, each with its target and how far it lies above noise.

    Args:
        found: What :func:`maximize` returned, for example once for every class.
        path: The PNG file to write.

    Raises:
        ArgumentError: There is none.
    """
    if not found:
        raise ArgumentError("there is at least one picture to draw", where="gallery", received="none")
    columns = min(5, len(found))
    tile = min((_WIDTH - 2 * _MARGIN) / columns - 0.12, 1.5)
    with style():
        below = 0.65 if any(", channel" in one.target for one in found) else 0.5
        rows = -(-len(found) // columns)
        canvas = Canvas(max(columns * (tile + 0.12) + 2 * _MARGIN, 6.2), 0.72 + (tile + below) * rows)
        canvas.heading("What they want", "Below each picture its value before the activation; noise at the most.")
        for number, one in enumerate(found):
            row, column = divmod(number, columns)
            x, y = _MARGIN + column * (tile + 0.12), 0.72 + row * (tile + below)
            side = tile / max(one.pixels.shape[:2])
            size = (max(one.pixels.shape[1] * side, 0.1), max(one.pixels.shape[0] * side, 0.1))
            canvas.picture((x, y), size, one.pixels)
            value = f"{one.activation:.3g}; noise {one.noise.max():.3g}".replace("-", "−")
            canvas.text(x, y + tile + 0.05, one.target.replace(", channel", "\nchannel"), fontsize=8.0, linespacing=1.3)
            canvas.text(x, y + tile + below - 0.2, value, fontsize=8.0, color=GREY)
        return save(canvas.figure, path)


def _pixels(picture: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    low, high = value_range
    share = np.clip((picture - low) / (high - low), 0, 1)
    if picture.ndim < 3:
        plane = share.T if share.ndim == 2 else share[None]
        return Scale(0.0, 1.0).coloured(plane) / 255
    return as_shown(share[len(share) // 2] if share.ndim == 4 else share)


def _words(settings: Climb) -> str:
    return (
        f"{settings.steps} steps, jitter {settings.jitter}, blur {settings.blur:g}, "
        f"total variation {settings.total_variation:g}, l2 {settings.l2:g}, seed {settings.seed}"
    )
