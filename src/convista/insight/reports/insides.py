"""What is inside the network: the kernels of its first layer, and what each layer makes of an example."""

from __future__ import annotations

import numpy as np

from convista.errors import ConvistaError
from convista.insight.drawing import encoded, style
from convista.insight.features.feature_map import FeatureMaps, LayerMaps, feature_maps
from convista.insight.features.learned_filters import Filters
from convista.insight.features.learned_filters import filters as filters_of
from convista.insight.features.scales import Scale
from convista.insight.reports.markup import (
    Html,
    drawing,
    figure,
    gallery,
    heading,
    is_picture,
    paragraph,
    picture,
    together,
)
from convista.insight.reports.material import Material, percent
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import counted, say, short
from convista.shapes import times

_MOST_FILTERS, _MOST_LAYERS, _MOST_CHANNELS = 64, 8, 12
_AXES_OF_KERNELS, _AXES_OF_MAPS = 4, 3


def first_filters(material: Material) -> Section:
    """Show the kernels of the first layer that slides one."""
    try:
        found = filters_of(material.model)
    except ConvistaError as error:
        return without("filters", str(error))
    values = {"kind": found.kind, "layer": found.layer, "size": times(found.values.shape[:-1])}
    words = say("filters.how", count=found.count, **values)
    if found.values.ndim != _AXES_OF_KERNELS:
        with style():
            content = encoded(found.figure())
        return section("filters", together(paragraph(words), drawing(content, words, say("filters.drawn"))))
    return section("filters", together(paragraph(words), paragraph(_colours(found), "hint"), _kernels(found)))


def _colours(found: Filters) -> str:
    end = short(float(np.abs(found.values).max(initial=0)))
    if found.in_colour:
        return say("filters.in-colour", end=end)
    mean = say("filters.mean") + " " if found.values.shape[-2] > 1 else ""
    return mean + say("filters.around-zero", end=end)


def _kernels(found: Filters) -> Html:
    shown = found.values if found.in_colour else found.values.mean(axis=-2, keepdims=True)
    end = float(np.abs(shown).max(initial=0)) or 1.0
    tiles = []
    for number in range(min(found.count, _MOST_FILTERS)):
        kernel = shown[..., number]
        pixels = 0.5 + kernel / (2 * end) if found.in_colour else Scale(-end, end).coloured(kernel[..., 0])
        numbers = {
            "least": short(found.values[..., number].min(), 2),
            "most": short(found.values[..., number].max(), 2),
        }
        alt = say("filters.alt", number=number, **numbers)
        tiles.append(figure(picture(pixels, alt), str(number), "tile"))
    left = found.count - len(tiles)
    return together(gallery(tiles), paragraph(say("filters.more", count=left) if left else "", "hint"))


def maps(material: Material) -> Section:
    """Show what the layers make of one example, each with its range and its silent channels."""
    if not material.examples:
        return without("maps", say("material.no-examples"))
    example = material.examples[0]
    try:
        found = feature_maps(material.model, example.value)
    except ConvistaError as error:
        return without("maps", str(error))
    words = paragraph(say("maps.how", caption=example.caption))
    if any(layer.values.ndim != _AXES_OF_MAPS for layer in found.layers):
        with style():
            content = encoded(found.figure())
        return section("maps", together(words, drawing(content, say("maps.drawn-alt"), say("maps.drawn"))))
    return section("maps", together(words, paragraph(say("maps.colours"), "hint"), *_all(found)))


def _all(found: FeatureMaps) -> list[Html]:
    # Of many layers evenly many: the first, the last and what lies between.
    places = np.unique(np.linspace(0, len(found) - 1, min(len(found), _MOST_LAYERS)).round().astype(int))
    first = (
        gallery([figure(picture(found.picture, say("maps.input")), say("maps.input"), "tile large-tile")])
        if is_picture(found.picture.shape)
        else Html("")
    )
    left = [layer.layer for number, layer in enumerate(found.layers) if number not in places]
    names = ", ".join(left)
    more = paragraph(say("maps.more", shown=len(places), count=len(found), names=names) if left else "", "hint")
    return [first, *(_layer(found.layers[place]) for place in places), more]


def _layer(found: LayerMaps) -> Html:
    shown = range(min(found.channels, _MOST_CHANNELS))
    values = {"least": short(found.minimum.min()), "most": short(found.maximum.max())}
    words = [say("maps.range", zeros=percent(float(found.zeros.mean()), 0), **values)]
    if len(shown) < found.channels:
        words.append(say("maps.some", shown=len(shown), channels=counted(found.channels, "channel")))
    if found.silent:
        names = ", ".join(map(str, found.silent[:_MOST_CHANNELS]))
        more = "…" if len(found.silent) > _MOST_CHANNELS else ""
        words.append(say("maps.silent", count=counted(len(found.silent), "channel"), names=names + more))
    title = say("maps.layer", layer=found.layer, kind=found.kind, shape=times(found.values.shape))
    return together(heading(title), paragraph(" ".join(words)), gallery(_tile(found, channel) for channel in shown))


def _tile(found: LayerMaps, channel: int) -> Html:
    plane = found.values[..., channel]
    ends = {"least": short(plane.min()), "most": short(plane.max())}
    alt = say("maps.alt", channel=channel, layer=found.layer, **ends)
    silent = channel in found.silent
    caption = say("maps.tile-silent", channel=channel) if silent else str(channel)
    return figure(picture(Scale.of(plane).coloured(plane), alt), caption, "tile")
