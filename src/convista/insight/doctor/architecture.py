"""What is wrong with a network's sizes: what it cannot see, what it wastes, what it loses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.patient import Patient
from convista.insight.doctor.surgery import last_spatial, pooled, shapes_or_none, with_layers
from convista.layers import Flatten
from convista.models.graph import Graph
from convista.shapes import ReceptiveField, times

_UNIFORM = 0.75
_MOSTLY = 0.5
_MOST_ADDED = 32


def receptive_field(patient: Patient) -> Iterator[Finding]:
    """Compare what one cell of the last map sees with the objects of the data."""
    found = last_spatial(patient.graph)
    if found is None:
        raise NotChecked("the network has no convolution whose cells see a part of the input")
    place, field = found
    measured = object_size(patient.x, patient.limits.object_contrast)
    if measured is None:
        raise NotChecked("in most examples the border is not uniform, so the size of the object cannot be measured")
    size, share = measured
    covered = [seen / max(wanted, 1) for seen, wanted in zip(field.size, size, strict=True)]
    if min(covered) >= patient.limits.object_share:
        return
    name = patient.graph.nodes[place].name
    yield Finding(
        "receptive field smaller than the object",
        "warning",
        name,
        Evidence(
            f"A cell of {name!r} sees {times(field.size)} of the input, and the objects measure "
            f"{times(size)}: the median bounding box of what differs from the border by more than "
            f"{patient.limits.object_contrast:.0%} of the range, in the {share:.0%} of {len(patient.x):,} examples "
            "whose border is uniform.",
            {"receptive_field": field.size, "object": size, "uniform_share": share, "examples": len(patient.x)},
        ),
        "No feature can be a whole object: the layers behind have to put it together from pieces, place by place, "
        "which takes many weights and more data.",
        _see_more(patient.graph, place, field, size, patient.limits.object_share),
    )


def object_size(x: np.ndarray, contrast: float) -> tuple[tuple[int, ...], float] | None:
    """Measure objects: the median bounding box of what differs from each example's border.

    Args:
        x: (N, …, C), as the network sees them.
        contrast: Share of the range of all values from which a difference counts.

    Returns:
        Cells along each axis, and the share of the examples that could be measured: those whose border has one value
        at three places in four. ``None`` where these are less than half of all.

    Example:
        >>> pictures = np.zeros((2, 9, 9, 1)); pictures[:, 2:6, 3:8] = 1
        >>> object_size(pictures, 0.1)
        ((4, 5), 1.0)
    """
    axes = tuple(range(1, x.ndim - 1))
    if not axes:
        return None
    edge = np.zeros(x.shape[1:-1], bool)
    for axis in range(len(axes)):
        for end in (0, -1):
            edge[(slice(None),) * axis + (end,)] = True
    border = x[:, edge]  # (N, cells, C)
    background = np.median(border, axis=1)
    least = contrast * float(np.ptp(x))
    if least == 0:
        return None
    uniform = (np.abs(border - background[:, None]).max(axis=-1) <= least).mean(axis=1) >= _UNIFORM
    shape = (len(x), *(1,) * len(axes), x.shape[-1])
    differs = np.abs(x - background.reshape(shape)).max(axis=-1) > least
    measured = uniform & differs.any(axis=axes)
    if measured.mean() < _MOSTLY:
        return None
    sizes = []
    for axis in axes:
        line = differs[measured].any(axis=tuple(other for other in axes if other != axis))
        first, last = line.argmax(axis=1), line.shape[1] - line[:, ::-1].argmax(axis=1)
        sizes.append(int(np.median(last - first)))
    return tuple(sizes), float(measured.mean())


def _see_more(graph: Graph, place: int, field: ReceptiveField, size: tuple[int, ...], share: float) -> Fix:
    changed = pooled(graph, place + 1)
    seen = None if changed is None else last_spatial(changed[0])
    if changed is not None and seen is not None:
        covers = min(one / max(other, 1) for one, other in zip(seen[1].size, size, strict=True))
        if covers >= share:
            return Fix(
                f"Add pooling behind {_listed(changed[1])}: each doubles what the layers behind it see.",
                f"the receptive field grew from {times(field.size)} to {times(seen[1].size)}.",
            )
    return Fix("Add convolutions, or give some of them strides=2 or dilation_rate=2.")


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def wide_flatten(patient: Patient) -> Iterator[Finding]:
    """Find a Flatten that makes the layer behind it the bulk of the network."""
    graph = patient.graph
    counts, shapes = graph.parameter_counts(), graph.shapes()
    total = sum(learned + kept for learned, kept in counts.values())
    fields = graph.receptive_fields()
    for place, node in enumerate(graph.nodes):
        if not isinstance(node.layer, Flatten) or not _behind_convolution(graph, place):
            continue
        if fields[node.inputs[0]] is None or len(shapes[node.inputs[0]]) < 2:
            continue
        listener = _first_with_weights(graph, place)
        if listener is None:
            continue
        learned, kept = counts[listener]
        own = learned + kept
        share = own / total
        if share < patient.limits.flatten_share or own < patient.limits.flatten_parameters:
            continue
        width = shapes[place][0]
        yield Finding(
            "Flatten too wide",
            "warning",
            node.name,
            Evidence(
                f"{node.name!r} makes {_number(width)} values of {times(shapes[node.inputs[0]])}, so {listener!r} has "
                f"{_number(own)} of all {_number(total)} parameters ({share:.0%}).",
                {"width": width, "layer": listener, "parameters": own, "total": total, "share": share},
            ),
            "Most of what is learned is tied to single positions: it takes memory and data, and knows nothing when "
            "the object is moved.",
            _narrower(graph, place, total),
        )


def _number(value: int | None) -> str:
    """Write a number in groups of three, as the lectures do."""
    return "?" if value is None else f"{value:,}".replace(",", " ")


def _behind_convolution(graph: Graph, place: int) -> bool:
    found = last_spatial(graph)
    return found is not None and found[0] < place


def _first_with_weights(graph: Graph, place: int) -> str | None:
    counts = graph.parameter_counts()
    reached = {place}
    for spot in range(place + 1, len(graph.nodes)):
        node = graph.nodes[spot]
        if reached.intersection(node.inputs):
            if hasattr(node.layer, "units") and any(counts.get(node.name, ())):
                return node.name
            reached.add(spot)
    return None


def _narrower(graph: Graph, place: int, total: int) -> Fix:
    width = graph.shapes()[place][0]
    changed = pooled(graph, place)
    if changed is None:
        return Fix("Put GlobalAveragePooling in place of Flatten, or reduce the sizes before with strides=2.")
    after, names = changed
    narrow = next(
        shape
        for node, shape in zip(after.nodes, shapes_or_none(after) or [], strict=True)
        if node.name == graph.nodes[place].name
    )
    left = sum(learned + kept for learned, kept in after.parameter_counts().values())
    return Fix(
        f"Add pooling behind {_listed(names)}.",
        f"{graph.nodes[place].name!r} went from {_number(width)} to {_number(narrow[0])} values and the network from "
        f"{_number(total)} to {_number(left)} parameters.",
    )


def lost_sizes(patient: Patient) -> Iterator[Finding]:
    """Find windows that leave rows at the end of their input unseen."""
    graph = patient.graph
    shapes = graph.shapes()
    for node in graph.nodes:
        window = node.layer.window
        if window is None or not node.inputs:
            continue
        sizes = shapes[node.inputs[0]][:-1]
        unseen = window.unseen(sizes)
        lost = max((left / size for left, size in zip(unseen, sizes, strict=True) if size), default=0.0)
        if lost <= patient.limits.lost_share:
            continue
        cells = times(sizes)
        yield Finding(
            "size lost",
            "note",
            node.name,
            Evidence(
                f"{node.where} takes {cells} and makes {times(window.output_sizes(sizes))}; no window sees "
                f"{_left_over(unseen)}, {lost:.0%} along an axis.",
                {"input": sizes, "output": window.output_sizes(sizes), "unseen": unseen, "share": lost},
            ),
            "What is at the end of the picture is computed and thrown away; the network is blind there.",
            _keeping(graph, node.name),
        )


def _left_over(unseen: tuple[int, ...]) -> str:
    names = {1: ("cell",), 2: ("row", "column"), 3: ("slice", "row", "column")}[len(unseen)]
    parts = [name if left == 1 else f"{left} {name}s" for left, name in zip(unseen, names, strict=True) if left]
    return "the last " + " and the last ".join(parts)


def _keeping(graph: Graph, name: str) -> Fix:
    """Try what keeps the size: padding of the layer itself, of the convolution before it, or a larger input."""
    place = _place(graph, name)
    before = [node.name for node in reversed(graph.nodes[:place]) if hasattr(node.layer, "filters")]
    for text, changed in _larger(graph, (name, *before[:1])):
        shapes = shapes_or_none(changed)
        if shapes is None:
            continue
        node = changed.nodes[place]
        sizes = shapes[node.inputs[0]][:-1]
        window = node.layer.window
        if window is not None and not any(window.unseen(sizes)):
            return Fix(text, f"{times(sizes)} became {times(window.output_sizes(sizes))}, and no cell is left over.")
    return Fix("Choose sizes from which the windows leave no rest.")


def _larger(graph: Graph, names: tuple[str, ...]) -> Iterator[tuple[str, Graph]]:
    for name in names:
        if str(getattr(graph.nodes[_place(graph, name)].layer, "padding", "")).lower() == "valid":
            yield f'Use padding="same" in {name!r}.', with_layers(graph, {name: {"padding": "same"}})
    root = graph.nodes[graph.inputs[0]]
    shape = root.layer.output_shape(())
    for extra in range(1, _MOST_ADDED + 1):
        if len(shape) > 1 and None not in shape:
            sizes = (*((size or 0) + extra for size in shape[:-1]), shape[-1])
            yield f"Give inputs of {times(sizes[:-1])}.", with_layers(graph, {root.name: {"shape": sizes}})


def _place(graph: Graph, name: str) -> int:
    return next(spot for spot, node in enumerate(graph.nodes) if node.name == name)
