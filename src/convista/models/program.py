"""How a graph runs: the same network, rewritten where that is faster and changes no value."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from convista.kernels import selection
from convista.layers.convolution import Conv2D
from convista.layers.inference import Node
from convista.layers.pooling import MaxPooling2D
from convista.layers.warping import Warping, joinable
from convista.ops import activation as activations

# Rounding keeps order, so for these max(f(x + b)) and f(max(x) + b) are the same number to the bit.
_KEEP_ORDER = ("linear", "relu")


def deferred(nodes: Sequence[Node], outputs: Sequence[int]) -> dict[int, int]:
    """Return convolutions whose bias and activation may wait until after the pooling that follows.

    Bias, activation and their gradients then touch a quarter of the values for a 2×2 window: 18.7 against 21 ms or more
    a step of the lecture convnet at batch 128. The gradient goes to the largest value before rounding, where the plain
    order takes the first of those that rounding made equal. None wait without the native kernels: XLA then draws the
    convolution into the pooling and computes it again for each cell of the window, 35 ms.

    Args:
        nodes: The network's nodes.
        outputs: Places that are asked for and so keep their own values.

    Returns:
        The place of the pooling for each place of a convolution.
    """
    if not selection.describe().native:
        return {}
    uses = Counter(place for node in nodes for place in node.inputs) + Counter(outputs)
    found = {}
    for place, node in enumerate(nodes):
        if isinstance(node.layer, MaxPooling2D) and uses[node.inputs[0]] == 1:
            before = nodes[node.inputs[0]].layer
            if isinstance(before, Conv2D) and activations.name_of(before.activation) in _KEEP_ORDER:
                found[node.inputs[0]] = place
    return found


def bare(layer: Conv2D) -> Conv2D:
    """Return the convolution without its bias and activation."""
    return dataclasses.replace(layer, use_bias=False, activation=None)


def warps(nodes: Sequence[Node], outputs: Sequence[int]) -> dict[int, list[int]]:
    """Return rows of warpings that training does as one, with one interpolation: turned, then moved, then scaled.

    Pictures stay sharper than after several interpolations, and the work is done once.

    Args:
        nodes: The network's nodes.
        outputs: Places that are asked for and so keep their own values.

    Returns:
        The places of each row of two or more, by the place of its last.
    """
    uses = Counter(place for node in nodes for place in node.inputs) + Counter(outputs)
    rows: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        if not isinstance(node.layer, Warping) or not node.inputs:
            continue
        before = rows.get(node.inputs[0], [])
        joined = [*before, place]
        if before and uses[node.inputs[0]] == 1 and joinable([nodes[spot].layer for spot in joined]):
            del rows[node.inputs[0]]
            rows[place] = joined
        else:
            rows[place] = [place]
    return {place: row for place, row in rows.items() if len(row) > 1}
