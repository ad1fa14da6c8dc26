"""The arithmetic behind one cell of a layer's output, for every kind of layer that can be written out."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convista.errors import ArgumentError
from convista.insight.walks.formulas import CURVES, Curve, Line, added, factor, gelu, shown, sigmoid
from convista.insight.walks.patches import Patch, gathered, scattered, seen
from convista.layers.activation import ELU, GELU, Activation, LeakyReLU, PReLU, ReLU, SiLU, Softmax
from convista.layers.base import Layer
from convista.layers.convolution import Conv1D, Conv2D, Conv3D
from convista.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from convista.layers.dense import Dense
from convista.layers.depthwise_convolution import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from convista.layers.filtering import Filter2D
from convista.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from convista.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from convista.layers.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from convista.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    SumPooling1D,
    SumPooling2D,
    SumPooling3D,
)
from convista.layers.preprocessing import Normalization, Rescaling, StoredNormalization
from convista.layers.reshaping import Flatten, Permute, Reshape
from convista.layers.scaling import LayerScale
from convista.layers.transposed_convolution import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from convista.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from convista.ops import activation as activations

_WRITTEN_OUT = 9  # so many products fit on a line
_ADDED_UP = 8  # so many sums of channels do
_LONGEST = 90  # a longer line of products is hard to read
_UNIT = 2.0**-24  # half of float32's last place, relative to the number


@dataclass(frozen=True, eq=False)
class Question:
    """One cell of one layer, and all that it is made of.

    Args:
        layer: The layer; which fields it has depends on its class.
        where: How messages call it.
        params: Its learned arrays.
        state: Its kept arrays.
        taken: Its inputs, without the batch axis.
        sources: Their names.
        cell: Indices into its output, without the batch axis.
        sizes: Shape of its output.
        unit: The relative error of one operation of the machine that computed it.
        flattened: The shape behind a ``Flatten`` that the input is.
    """

    layer: Any
    where: str
    params: Mapping[str, np.ndarray]
    state: Mapping[str, np.ndarray]
    taken: tuple[np.ndarray, ...]
    sources: tuple[str, ...]
    cell: tuple[int, ...]
    sizes: tuple[int, ...]
    unit: float = _UNIT
    flattened: tuple[int, ...] = ()

    @property
    def x(self) -> np.ndarray:
        """The only input, or the first."""
        return self.taken[0]

    @property
    def channel(self) -> int:
        """The last index."""
        return self.cell[-1]

    def rounding(self, terms: int) -> float:
        """Return how far a sum of so many terms may be off, relative to the sum of their absolute values.

        Rounding errors wander like a drunkard: with the root of the number of steps. Measured on 30 layers, 240 cells
        of the lecture convnet among them: at most a tenth of this.
        """
        return self.unit * (4 + math.sqrt(terms))


@dataclass(frozen=True, eq=False)
class Walk:
    """A calculation, written out.

    Args:
        rule: The formula, in words and symbols.
        patches: What was multiplied or compared.
        lines: What was done with it, one after another; the last has the result.
        error: How far the network, which counts with 24 bits, may be from it.
        winner: The input cell, with its channel, whose value was taken over; for max pooling and layers that move.
    """

    rule: str
    patches: tuple[Patch, ...]
    lines: tuple[Line, ...]
    error: float
    winner: tuple[int, ...] | None = None

    @property
    def value(self) -> float:
        """What it arrives at."""
        return self.lines[-1].value


def walk(question: Question) -> Walk:
    """Write out how one cell of a layer's output came about.

    Raises:
        ArgumentError: The arithmetic of such a layer is not known here.
    """
    steps = _STEPS.get(type(question.layer))
    if steps is None and question.layer.only_in_training and question.sizes == question.x.shape:
        steps = _unchanged
    if steps is None:
        raise _unknown(question)
    return steps(question)


def _interpolates(layer: Layer) -> bool:
    return isinstance(layer, UpSampling2D) and layer.interpolation.lower() != "nearest"


def _unknown(question: Question) -> ArgumentError:
    return ArgumentError(
        "the arithmetic of this layer is not written out",
        where=f"trace, {question.where}",
        received=type(question.layer).__name__,
        fix="Convolution, pooling, Dense, normalisation, activation, merging and reshaping layers are",
    )


# --- layers with a kernel ---------------------------------------------------------------------------------------------


def _convolution(question: Question) -> Walk:
    def patch(channel: int) -> Patch:
        kernel = question.params["kernel"]
        per, size = kernel.shape[-1] // question.layer.groups, kernel.shape[-2]
        channels = channel // per * size + np.arange(size)
        return _under_window(question, "", kernel[..., channel], channels)

    return _summed(question, patch, "Σ patch · kernel")


def _depthwise(question: Question) -> Walk:
    def patch(channel: int) -> Patch:
        kernel = question.params["kernel"]
        source, copy = divmod(channel, kernel.shape[-1])
        return _under_window(question, "", kernel[..., source, copy][..., None], np.array([source]))

    return _summed(question, patch, "Σ patch · kernel, of one channel")


def _under_window(question: Question, name: str, kernel: np.ndarray, channels: np.ndarray) -> Patch:
    sizes = question.x.shape[:-1]
    places, inside = gathered(question.layer.window, sizes, question.cell[:-1])
    return Patch(name, seen(question.x, places, inside, channels), places, inside, channels, _exact(kernel))


def _separable(question: Question) -> Walk:
    depthwise = question.params["depthwise_kernel"]
    copies = depthwise.shape[-1]
    channels = np.repeat(np.arange(depthwise.shape[-2]), copies)
    first = _under_window(question, "depthwise", depthwise.reshape(*depthwise.shape[:-2], -1), channels)
    ones = (1,) * (question.x.ndim - 1)
    places = np.reshape(question.cell[:-1], (*ones, -1))
    values = first.sums.reshape(*ones, -1)

    def patch(channel: int) -> Patch:
        kernel = _exact(question.params["pointwise_kernel"][..., channel])
        return Patch("pointwise", values, places, np.ones(ones, bool), np.arange(len(channels)), kernel)

    second = patch(question.channel)
    spread = np.abs(first.products).reshape(-1, len(channels)).sum(0) @ np.abs(_exact(second.kernel)).ravel()
    return _summed(
        question, patch, "Σ (Σ patch · depthwise kernel) · pointwise kernel", (first,), float(spread), first.values.size
    )


def _transposed(question: Question) -> Walk:
    window, kernel = question.layer.transposed_window, question.params["kernel"]
    places, inside = scattered(window, question.x.shape[:-1], question.cell[:-1])
    channels = np.arange(question.x.shape[-1])
    values = seen(question.x, places, inside, channels)

    def patch(channel: int) -> Patch:
        return Patch("", values, places, inside, channels, _exact(kernel[..., channel, :]))

    return _summed(question, patch, "Σ input cell · the tap of its kernel that falls here")


def _dense(question: Question) -> Walk:
    values = question.x[question.cell[:-1]].astype(np.float64)
    places, channels = np.array(question.cell[:-1], np.int64), np.arange(len(values))

    def patch(channel: int) -> Patch:
        kernel = _exact(question.params["kernel"][:, channel])
        return Patch("", values, places, np.array(True), channels, kernel, question.flattened)

    return _summed(question, patch, "Σ input · weight")


def _filter(question: Question) -> Walk:
    layer, sizes = question.layer, question.x.shape[:-1]
    window, border = layer.window, layer.padding.lower()
    places, inside = gathered(window, sizes, question.cell[:-1])
    if border in ("nearest", "reflect"):
        limits = np.array(sizes) - 1
        turned = np.where(limits > 0, limits - np.abs(limits - np.abs(places)), 0)
        places = np.clip(places, 0, limits) if border == "nearest" else turned
        inside = np.ones_like(inside)
    channels = np.array([question.channel])
    values = seen(question.x, places, inside, channels)
    names = [""] if len(layer.kernels) == 1 else [f"{layer.kernel.lower()}_{axis}" for axis in "xy"]
    patches = tuple(
        Patch(name, values, places, inside, channels, _exact(np.float32(kernel))[..., None])
        for name, kernel in zip(names, layer.kernels, strict=True)
    )
    lines = [Line(patch.name or "sum", _written_out(patch), patch.total) for patch in patches]
    error = question.rounding(values.size) * sum(patch.scale for patch in patches)
    if len(lines) == 1:
        return Walk("y = Σ patch · kernel, of one channel", patches, tuple(lines), error)
    one, two = (line.value for line in lines)
    length = Line("length", f"√({factor(one)}² + {factor(two)}²)", math.hypot(one, two))
    return Walk("y = √(x² + y²), the length of two sums", patches, (*lines, length), error * 2)


def _summed(
    question: Question,
    patch: Callable[[int], Patch],
    rule: str,
    before: tuple[Patch, ...] = (),
    scale: float | None = None,
    terms: int = 0,
) -> Walk:
    """Add a patch's products and the bias, and apply the activation: the end of every layer with a kernel."""
    layer, own = question.layer, patch(question.channel)
    bias = question.params["bias"] if layer.use_bias else None
    lines = [Line("sum", _written_out(own), own.total)]
    if bias is not None:
        number = float(bias[question.channel])
        lines.append(Line("bias", added([own.total, number]), own.total + number))
    error = question.rounding(own.values.size + terms) * (
        (own.scale if scale is None else scale) + abs(lines[-1].value)
    )

    def others() -> np.ndarray:
        sums = np.array([patch(channel).total for channel in range(question.sizes[-1])])
        return sums if bias is None else sums + np.asarray(bias, np.float64)

    name = activations.name_of(layer.activation)
    ending, error = _activated(question, layer.activation, lines[-1].value, others, error)
    lines += ending
    whole = f"{rule} + bias" if bias is not None else rule
    whole = whole if name == "linear" else f"{name or 'activation'}({whole})"
    return Walk(f"y = {whole}", (*before, own), tuple(lines), error)


def _written_out(patch: Patch) -> str:
    """The products themselves where they fit on a line, else sums of rows or channels, else their number."""
    products = patch.products
    if products.size <= _WRITTEN_OUT and patch.kernel is not None:
        pairs = zip(patch.values.ravel(), patch.kernel.ravel(), strict=True)
        text = " + ".join(f"{factor(value)}·{factor(weight)}" for value, weight in pairs)
        if len(text) <= _LONGEST or len(patch.window) < 2:
            return text
        return f"{added(list(products.reshape(-1, patch.window[-1]).sum(1)))}, row by row"
    if products.size > len(patch.channels) > 1 and len(patch.channels) <= _ADDED_UP:
        return f"{added(list(patch.sums))}, channel by channel"
    return f"Σ of {products.size:,} products"


def _exact(array: Any) -> np.ndarray:
    return np.asarray(array, np.float64)


# --- activations ------------------------------------------------------------------------------------------------------

_OF_SEVERAL = ("softmax", "log_softmax")


def _activated(
    question: Question, activation: Any, value: float, others: Callable[[], np.ndarray], error: float
) -> tuple[list[Line], float]:
    """Return the line of an activation, none for linear, and how far its result may be off."""
    name = activations.name_of(activation)
    if name == "linear":
        return [], error
    if name in _OF_SEVERAL:
        line = _softmax_line(name, others(), question.channel)
        slope = line.value if name == "softmax" else 1.0
        return [line], 4 * error * slope + question.rounding(question.sizes[-1]) * (abs(line.value) + (slope == 1.0))
    if name in CURVES:
        return _curved(question, CURVES[name], name, value, error)
    return _own_function(question, activation, others(), error)


def _curved(question: Question, curve: Curve, name: str, value: float, error: float) -> tuple[list[Line], float]:
    line = curve.line(name, value)
    reach = max(abs(curve.at(value + side) - line.value) for side in (-error, error))
    return [line], reach + 32 * question.unit * (abs(line.value) + abs(value))


def _softmax_line(name: str, values: np.ndarray, place: int) -> Line:
    terms = [f"exp({shown(value)})" for value in values[:3]]
    total = " + ".join(terms) if len(values) <= 3 else f"Σ of {len(values):,} such"
    shifted = values - values.max()
    logarithm = float(shifted[place] - np.log(np.exp(shifted).sum()))
    fraction = f"exp({shown(values[place])}) / ({total})"
    if name == "softmax":
        return Line(name, fraction, math.exp(logarithm) if math.isfinite(logarithm) else logarithm)
    return Line(name, f"ln({fraction})", logarithm)


def _own_function(question: Question, function: Any, values: np.ndarray, error: float) -> tuple[list[Line], float]:
    """A function of the user's own is asked for all channels of the cell, with and without an error."""
    import jax.numpy as jnp

    shape = (1,) * len(question.sizes) + (len(values),)
    sides = [np.asarray(function(jnp.asarray((values + side).reshape(shape), jnp.float32))) for side in (0.0, error)]
    results = [float(side.ravel()[question.channel]) for side in sides]
    name = getattr(function, "__name__", "activation")
    line = Line(name, f"{name}({shown(values[question.channel])})", results[0])
    return [line], 4 * (abs(results[1] - results[0]) + 32 * question.unit * (abs(results[0]) + 1))


def _activation(question: Question) -> Walk:
    name = activations.name_of(question.layer.activation)
    value = _taken_value(question)
    vector = question.x[question.cell[:-1]]
    ending, error = _activated(question, question.layer.activation, value, lambda: _exact(vector), 0.0)
    return Walk(f"y = {name or 'activation'}(x)", (), (_source(question), *ending), error)


def _softmax(question: Question) -> Walk:
    axis = question.layer.axis % (question.x.ndim + 1) - 1
    index = tuple(slice(None) if other == axis else spot for other, spot in enumerate(question.cell))
    line = _softmax_line("softmax", _exact(question.x[index]), question.cell[axis])
    error = question.rounding(question.x.shape[axis]) * abs(line.value) * 4
    return Walk("y = exp(x) / Σ exp(x)", (), (_source(question), line), error)


def _curve_of(layer: Any, question: Question) -> tuple[str, Curve]:
    if isinstance(layer, ReLU):
        slope, threshold, most = layer.negative_slope, layer.threshold, layer.max_value
        plain = slope == threshold == 0
        rule = "max({x}, 0)" if plain else f"{{x}} if above {threshold:g}, else {slope:g} · ({{x}} − {threshold:g})"
        limit = math.inf if most is None else float(most)
        text = rule if most is None else f"min({rule}, {most:g})"
        return "relu", Curve(text, lambda x: min(x if x > threshold else slope * (x - threshold), limit))
    if isinstance(layer, ELU):
        alpha = layer.alpha
        text = f"{{x}} if above 0, else {alpha:g} · (exp({{x}}) − 1)"
        return "elu", Curve(text, lambda x: x if x > 0 else alpha * float(np.expm1(x)))
    if isinstance(layer, GELU):
        return "gelu", Curve("{f} · Φ({x})", lambda x: gelu(x, approximate=bool(layer.approximate)))
    if isinstance(layer, SiLU):
        return "silu", Curve("{f} · sigmoid({x})", lambda x: x * sigmoid(x))
    slope = layer.negative_slope if isinstance(layer, LeakyReLU) else _alpha(question)
    return type(layer).__name__.lower(), Curve(
        f"{{x}} if above 0, else {shown(slope)} · {{f}}", lambda x: x if x > 0 else slope * x
    )


def _alpha(question: Question) -> float:
    alpha = question.params["alpha"]
    return float(alpha[tuple(min(spot, size - 1) for spot, size in zip(question.cell, alpha.shape, strict=True))])


def _curve(question: Question) -> Walk:
    name, curve = _curve_of(question.layer, question)
    ending, error = _curved(question, curve, name, _taken_value(question), 0.0)
    return Walk(f"y = {name}(x)", (), (_source(question), *ending), error)


def _taken_value(question: Question) -> float:
    return float(question.x[question.cell])


def _source(question: Question) -> Line:
    return Line("x", f"{question.sources[0]} at the same place", _taken_value(question))


# --- pooling ----------------------------------------------------------------------------------------------------------

_MAXIMA = (MaxPooling1D, MaxPooling2D, MaxPooling3D, GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D)
_SUMS = (SumPooling1D, SumPooling2D, SumPooling3D)


def _pooled(question: Question) -> Walk:
    sizes = question.x.shape[:-1]
    window = question.layer.window
    if window is None:  # global: all there is
        places = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1)
        inside = np.ones(sizes, bool)
    else:
        places, inside = gathered(window, sizes, question.cell[:-1])
    channels = np.array([question.channel])
    patch = Patch("", seen(question.x, places, inside, channels), places, inside, channels)
    found = patch.values[inside][:, 0]
    listed = ", ".join(shown(value) for value in found) if len(found) <= _WRITTEN_OUT else f"{len(found):,} cells"
    if isinstance(question.layer, _MAXIMA):
        place = int(found.argmax())
        winner = (*map(int, places[inside][place]), question.channel)
        line = Line("maximum", f"max({listed}), at {_listed(winner)}", float(found[place]))
        return Walk("y = the largest cell of the window", (patch,), (line,), 0.0, winner)
    summed = added(list(found)) if len(found) <= _WRITTEN_OUT else f"Σ of {len(found):,} cells"
    error = question.rounding(len(found)) * patch.scale
    lines = [Line("sum", summed, patch.total)]
    if isinstance(question.layer, _SUMS):
        return Walk("y = the sum of the window", (patch,), tuple(lines), error)
    lines.append(Line("mean", f"{shown(patch.total)} / {len(found)}", patch.total / len(found)))
    return Walk("y = the mean of the cells inside the map", (patch,), tuple(lines), error / len(found))


# --- normalisation ----------------------------------------------------------------------------------------------------


def _batch_normalization(question: Question) -> Walk:
    layer = question.layer
    channel = question.cell[layer.axis % (question.x.ndim + 1) - 1]
    mean, variance = (float(question.state[name][channel]) for name in ("moving_mean", "moving_variance"))
    rule = "y = gamma · (x − mean) / √(variance + epsilon) + beta, with the moving mean and variance"
    return _normalized(question, rule, mean, variance, (channel,), ())


def _layer_normalization(question: Question) -> Walk:
    axes = [axis - 1 for axis in question.layer._axes(question.x.shape)]
    index = tuple(slice(None) if axis in axes else spot for axis, spot in enumerate(question.cell))
    rule = "y = gamma · (x − mean) / √(variance + epsilon) + beta, over one example"
    return _standardized(question, rule, question.x[index], tuple(question.cell[axis] for axis in axes))


def _group_normalization(question: Question) -> Walk:
    layer, axis = question.layer, question.layer.axis % (question.x.ndim + 1) - 1
    channels, channel = question.x.shape[axis], question.cell[axis]
    together = 1 if layer.groups == -1 else channels // layer.groups
    first = channel // together * together
    values = np.take(question.x, range(first, first + together), axis)
    rule = "y = gamma · (x − mean) / √(variance + epsilon) + beta, over one group of channels"
    return _standardized(question, rule, values, (channel,))


def _standardized(question: Question, rule: str, values: np.ndarray, spot: tuple[int, ...]) -> Walk:
    exact = _exact(values)
    mean, variance = float(exact.mean()), float(exact.var())
    lines = (
        Line("mean", f"of {exact.size:,} values", mean),
        Line("variance", f"of {exact.size:,} values", variance),
    )
    # A mean and a variance of rounded sums: their errors are divided by the deviation, which may be small.
    error = question.rounding(exact.size) * float(np.abs(exact).max()) / math.sqrt(variance + question.layer.epsilon)
    return _normalized(question, rule, mean, variance, spot, lines, error)


def _normalized(
    question: Question,
    rule: str,
    mean: float,
    variance: float,
    spot: tuple[int, ...],
    lines: tuple[Line, ...],
    error: float = 0.0,
) -> Walk:
    layer, value = question.layer, _taken_value(question)
    deviation = math.sqrt(variance + layer.epsilon)
    result = (value - mean) / deviation
    inside = f"({shown(value)} − {factor(mean)}) / √({shown(variance)} + {shown(layer.epsilon)})"
    steps = [_source(question), *lines, Line("normalized", inside, result)]
    size, scale = (abs(value) + abs(mean)) / deviation, 1.0
    if "gamma" in question.params:
        scale = float(question.params["gamma"][spot])
        steps.append(Line("scaled", f"{shown(scale)} · {factor(result)}", scale * result))
        result = scale * result
    if "beta" in question.params:
        shift = float(question.params["beta"][spot])
        steps.append(Line("shifted", added([result, shift]), result + shift))
        size, result = size + abs(shift), result + shift
    bound = abs(scale) * (16 * question.unit * size * (1 + abs(size)) + 8 * error) + 16 * question.unit * abs(result)
    return Walk(rule, (), tuple(steps), bound)


# --- layers that scale, join and move ---------------------------------------------------------------------------------


def _rescaling(question: Question) -> Walk:
    value, layer = _taken_value(question), question.layer
    result = value * layer.scale + layer.offset
    formula = f"{shown(value)} · {factor(layer.scale)}" + (f" + {factor(layer.offset)}" if layer.offset else "")
    error = 4 * question.unit * (abs(value * layer.scale) + abs(layer.offset))
    return Walk("y = x · scale + offset", (), (_source(question), Line("rescaled", formula, result)), error)


def _data_normalization(question: Question) -> Walk:
    """The statistics lie in the configuration, or, for networks from Keras's files, among the kept arrays."""
    layer = question.layer
    if isinstance(layer, Normalization):
        axes, own = layer._axes(question.x.shape), np.shape(layer.mean)
        spots = [question.cell[axis - 1] for axis in axes[len(axes) - len(own) :]]
        spot = tuple(min(place, size - 1) for place, size in zip(spots, own, strict=True))  # a size of 1 serves all
        mean, variance = float(np.asarray(layer.mean)[spot]), float(np.asarray(layer.variance)[spot])
    else:
        mean, variance = (float(question.state[name][question.channel]) for name in ("mean", "variance"))
    value, deviation = _taken_value(question), max(math.sqrt(variance), 1e-7)
    if getattr(layer, "invert", False):
        line = Line("restored", f"{shown(value)} · √{shown(variance)} + {factor(mean)}", value * deviation + mean)
        error = 8 * question.unit * (abs(value * deviation) + abs(mean))
        return Walk("y = x · √variance + mean", (), (_source(question), line), error)
    formula = f"({shown(value)} − {factor(mean)}) / √{shown(variance)}"
    line = Line("normalized", formula, (value - mean) / deviation)
    error = 8 * question.unit * (abs(value) + abs(mean)) / deviation
    return Walk("y = (x − mean) / √variance", (), (_source(question), line), error)


def _layer_scale(question: Question) -> Walk:
    value, gamma = _taken_value(question), float(question.params["gamma"][question.channel])
    line = Line("scaled", f"{shown(value)} · {factor(gamma)}", value * gamma)
    return Walk("y = x · gamma", (), (_source(question), line), 4 * question.unit * abs(line.value))


_JOINTS: dict[type[Layer], tuple[str, str, Callable[[list[float]], float]]] = {
    Add: ("sum", " + ", math.fsum),
    Subtract: ("difference", " − ", lambda values: values[0] - values[1]),
    Multiply: ("product", " · ", math.prod),
    Average: ("mean", " + ", lambda values: math.fsum(values) / len(values)),
    Maximum: ("maximum", ", ", lambda values: functools.reduce(lambda a, b: a if a >= b else b, values)),
    Minimum: ("minimum", ", ", lambda values: functools.reduce(lambda a, b: a if a <= b else b, values)),
}


def _joined(question: Question) -> Walk:
    name, sign, of = _JOINTS[type(question.layer)]
    cells = [
        tuple(min(spot, size - 1) for spot, size in zip(question.cell, x.shape, strict=True)) for x in question.taken
    ]
    values = [float(x[cell]) for x, cell in zip(question.taken, cells, strict=True)]
    lines = [Line(source, "at the same place", value) for source, value in zip(question.sources, values, strict=True)]
    joined = sign.join(shown(value) if not number else factor(value) for number, value in enumerate(values))
    formula = {"mean": f"({joined}) / {len(values)}", "maximum": f"max({joined})", "minimum": f"min({joined})"}
    lines.append(Line(name, formula.get(name, joined), of(values)))
    size = abs(math.prod(values)) if name == "product" else sum(map(abs, values))
    return Walk(f"y = the {name} of the inputs", (), tuple(lines), 4 * len(values) * question.unit * size)


def _moved(question: Question) -> Walk:
    """Follow one value through a layer that only moves values: what does it do to a map of places?"""
    import jax.numpy as jnp

    if _interpolates(question.layer):
        raise _unknown(question)
    numbers, first = [], 1  # 0 is left for what padding adds
    for x in question.taken:
        numbers.append(jnp.arange(first, first + x.size, dtype=jnp.int32).reshape(1, *x.shape))
        first += x.size
    inputs: Any = numbers if question.layer.merges else numbers[0]
    moved, _ = question.layer.apply({}, {}, inputs, training=False, key=None)
    place = int(np.asarray(moved)[0][question.cell]) - 1
    kind = type(question.layer).__name__
    if place < 0:
        return Walk("y = 0, added around the map", (), (Line("padding", "a zero that the layer adds", 0.0),), 0.0)
    for source, x in zip(question.sources, question.taken, strict=True):
        if place < x.size:
            winner = tuple(int(part) for part in np.unravel_index(place, x.shape))
            line = Line("taken over", f"{source} at {_listed(winner)}", float(x[winner]))
            return Walk(f"y = a value of the input; {kind} only moves it", (), (line,), 0.0, winner)
        place -= x.size
    raise AssertionError(f"{kind} gave a place that no input has")


def _listed(cell: Sequence[int]) -> str:
    return f"({', '.join(str(spot) for spot in cell)})"


def _unchanged(question: Question) -> Walk:
    line = Line("taken over", f"{question.sources[0]} at the same place", _taken_value(question))
    return Walk("y = x: it changes something only while training", (), (line,), 0.0, question.cell)


_STEPS: dict[type[Layer], Callable[[Question], Walk]] = {
    **dict.fromkeys((Conv1D, Conv2D, Conv3D), _convolution),
    **dict.fromkeys((DepthwiseConv1D, DepthwiseConv2D), _depthwise),
    **dict.fromkeys((SeparableConv1D, SeparableConv2D), _separable),
    **dict.fromkeys((Conv1DTranspose, Conv2DTranspose, Conv3DTranspose), _transposed),
    Dense: _dense,
    Filter2D: _filter,
    **dict.fromkeys((*_MAXIMA, *_SUMS, AveragePooling1D, AveragePooling2D, AveragePooling3D), _pooled),
    **dict.fromkeys((GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D), _pooled),
    BatchNormalization: _batch_normalization,
    LayerNormalization: _layer_normalization,
    GroupNormalization: _group_normalization,
    Activation: _activation,
    Softmax: _softmax,
    **dict.fromkeys((ReLU, LeakyReLU, PReLU, ELU, GELU, SiLU), _curve),
    Rescaling: _rescaling,
    **dict.fromkeys((Normalization, StoredNormalization), _data_normalization),
    LayerScale: _layer_scale,
    **dict.fromkeys(_JOINTS, _joined),
    **dict.fromkeys((Flatten, Reshape, Permute, Concatenate), _moved),
    **dict.fromkeys((ZeroPadding1D, ZeroPadding2D, ZeroPadding3D), _moved),
    **dict.fromkeys((Cropping1D, Cropping2D, Cropping3D), _moved),
    **dict.fromkeys((UpSampling1D, UpSampling2D, UpSampling3D), _moved),
}
