"""Parameters, multiply–accumulates and memory worked out with a layer's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convista.insight.derivations.arithmetic import Worked, number, product, spelled, total
from convista.insight.derivations.lines import Line, line, listed
from convista.insight.derivations.sizes import Use
from convista.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Filter2D,
    Layer,
    SeparableConv1D,
    SeparableConv2D,
)
from convista.shapes import bytes_text, count

_FLOAT_BYTES, _KILOBYTE = 4, 1024
_CONVOLUTIONS = (Conv1D, Conv2D, Conv3D)
_TRANSPOSED = (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
_DEPTHWISE = (DepthwiseConv1D, DepthwiseConv2D)
_SEPARABLE = (SeparableConv1D, SeparableConv2D)


def parameter_lines(use: Use, *, shared: bool) -> tuple[Line, ...]:
    """Return the line of a layer's parameters; none where it has none, or where an earlier use counted them.

    Args:
        use: The layer and its shapes.
        shared: Whether the same weights were counted before.
    """
    learned, kept = use.layer.parameters(use.declared), use.layer.statistics(use.declared)
    if shared or not (learned or kept):
        return ()
    worked = total(product(parameter.shape) for parameter in (*learned.values(), *kept.values()))
    return (line("parameters", "parameters", worked, _parts(use.layer, list(learned), list(kept))),)


def _parts(layer: Layer, learned: list[str], kept: list[str]) -> str:
    """Return what the factors and terms of the parameters are."""
    bias = " + bias" if "bias" in learned else ""
    if isinstance(layer, _CONVOLUTIONS):
        return f"window · channels{' of a group' if layer.groups > 1 else ''} · filters{bias}"
    if isinstance(layer, _TRANSPOSED):
        return f"window · filters · channels{bias}"
    if isinstance(layer, _DEPTHWISE):
        return f"window · channels · kernels for each{bias}"
    if isinstance(layer, _SEPARABLE):
        return f"window · channels · kernels for each, then 1 cell · mixed channels · filters{bias}"
    if isinstance(layer, Dense):
        return f"inputs · units{bias}"
    names = " + ".join(name.replace("_", " ") for name in learned)
    moving = " + ".join(name.replace("_", " ") for name in kept)
    return f"{names}, learned; {moving}, kept" if names and moving else names or f"{moving}, kept, not learned"


def multiplication_lines(use: Use) -> tuple[Line, ...]:
    """Return the line of the multiply–accumulates of one example; none where there are none or a size varies.

    Where the rule and the layer disagree, as in a subclass with a rule of its own, the layer's number stands alone.
    """
    if any(None in shape for shape in use.inputs) or not use.inputs:
        return ()
    declared = use.layer.multiply_accumulates(use.declared)
    if not declared:
        return ()
    found = next((rule(use) for kinds, rule in _PRODUCTS if isinstance(use.layer, kinds)), None)
    if found is None or found[0].value != declared:
        found = number(declared), "as the layer counts them"
    return (line("multiply_accumulates", "multiply–accumulates", *found),)


def _sizes(shape: Any) -> list[int]:
    return [int(size or 0) for size in shape]


def _convolved(use: Use) -> tuple[Worked, str]:
    layer, channels = use.layer, _sizes(use.input)[-1]
    worked = product([*_sizes(use.output[:-1]), *layer.window.size])
    if layer.groups > 1:
        return worked * (number(channels) // layer.groups) * int(layer.filters), _OF_GROUPS
    return worked * channels * int(layer.filters), "output cells · window · channels · filters"


_OF_GROUPS = "output cells · window · channels of a group · filters"


def _transposed(use: Use) -> tuple[Worked, str]:
    worked = product([*_sizes(use.input), *use.layer.transposed_window.size, int(use.layer.filters)])
    return worked, "input cells · channels · window · filters"


def _depthwise(use: Use) -> tuple[Worked, str]:
    channels, each = _sizes(use.input)[-1], int(use.layer.depth_multiplier)
    worked = product([*_sizes(use.output[:-1]), *use.layer.window.size, channels, each])
    return worked, "output cells · window · channels · kernels for each"


def _separable(use: Use) -> tuple[Worked, str]:
    layer, made = use.layer, _sizes(use.input)[-1] * int(use.layer.depth_multiplier)
    worked = product([*_sizes(use.output[:-1]), made]) * (product(layer.window.size) + int(layer.filters))
    return worked, "output cells · mixed channels · (window + filters)"


def _dense(use: Use) -> tuple[Worked, str]:
    worked = product([*_sizes(use.input), int(use.layer.units)])
    return worked, "inputs · units" if len(use.input) == 1 else "cells · inputs · units"


def _filtered(use: Use) -> tuple[Worked, str]:
    weights = total(int(np.count_nonzero(kernel)) for kernel in use.layer.kernels)
    return product(_sizes(use.output)) * weights, "output cells · channels · weights that are not 0"


_PRODUCTS: tuple[tuple[tuple[type[Layer], ...], Callable[[Any], tuple[Worked, str]]], ...] = (
    (_CONVOLUTIONS, _convolved),
    (_TRANSPOSED, _transposed),
    (_DEPTHWISE, _depthwise),
    (_SEPARABLE, _separable),
    ((Dense,), _dense),
    ((Filter2D,), _filtered),
)


@dataclass(frozen=True)
class Storage:
    """What a layer's output and weights take in memory.

    Args:
        batch_size: Examples of a step of training.
        value_bytes: Of one number of the output: 4, or 2 where a layer computes in bfloat16.
        kept: Whether training keeps the output until the gradients are known.
        differentiated: Whether training computes the output's gradient.
        learned: Numbers of its own that training changes.
    """

    batch_size: int
    value_bytes: int
    kept: bool
    differentiated: bool
    learned: int


def memory_lines(use: Use, storage: Storage) -> tuple[Line, ...]:
    """Return how many numbers come out, their memory for one example, and what training adds for a batch."""
    if None in use.output:
        return ()
    lines = []
    values = product(_sizes(use.output))
    if len(use.output) > 1:
        lines.append(line("memory", "values", values, _compared(use)))
    worked = number(values.value) * storage.value_bytes
    lines.append(line("memory", "memory", worked, readable(worked), "bytes"))
    if storage.kept or storage.learned:
        lines.append(_training(int(values.value), storage))
    return tuple(lines)


def _compared(use: Use) -> str:
    if len(use.inputs) != 1 or None in use.input:
        return ""
    before, after = count(use.input), count(use.output)
    if after == before:
        return ""
    if after < before:
        return f"{100 * after / before:.1f} % of the {spelled(before)} that came in"
    return f"{after / before:.4g} times the {spelled(before)} that came in"


def readable(size: Worked) -> str:
    """Return a number of bytes in larger units; nothing where it is small enough as it is."""
    return bytes_text(int(size.value)) if size.value >= _KILOBYTE else ""


def _training(values: int, storage: Storage) -> Line:
    terms, parts = [], []
    if storage.kept:
        whole = product([values, storage.value_bytes, storage.batch_size])
        terms.append(number(2) * whole if storage.differentiated else whole)
        parts += ["outputs", "their gradients"] if storage.differentiated else ["outputs"]
    if storage.learned:
        terms.append(number(storage.learned) * _FLOAT_BYTES)
        parts.append("the weights' gradient")
    worked = total(terms)
    note = f"{listed(parts)} for a batch of {storage.batch_size}"
    note = f"{readable(worked)}, {note}" if readable(worked) else note
    return line("memory", "memory_training", worked, note, "bytes")
