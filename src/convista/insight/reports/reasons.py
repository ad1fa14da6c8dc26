"""Why the network answered so, for a few examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convista.errors import ArgumentError, ConvistaError
from convista.insight.attributions.attribution import Attribution, attribute
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
from convista.insight.reports.material import Example, Material
from convista.insight.reports.section import Section, section, without
from convista.insight.reports.texts import say

if TYPE_CHECKING:
    from convista.models import Model

# One that asks a layer where it looked, one that asks each pixel; a network without convolutions has only the second.
METHODS = ("grad_cam", "integrated_gradients")
_DARKEST, _RANGE = 0.15, 0.4  # the picture under a map, in dark grey: on white, yellow is not seen
_STRONGEST = 0.85


def reasons(material: Material) -> Section:
    """Show what the answers to a few examples rest on."""
    if material.names_classes:
        return without("attribution", material.names_classes)
    if not material.examples:
        return without("attribution", say("material.no-examples"))
    parts: list[Html] = []
    left_out: list[str] = []
    for example in material.examples:
        found, left_out = _asked(material.model, example)
        if not found:
            return without("attribution", "; ".join(left_out))
        parts.append(_shown(example, found))
    remarks = [paragraph(say("attribution.left-out", reason=reason), "hint") for reason in left_out]
    return section("attribution", together(paragraph(say("attribution.how")), *remarks, *parts))


def _asked(model: Model, example: Example) -> tuple[list[Attribution], list[str]]:
    found, refused = [], []
    for method in METHODS:
        try:
            found.append(attribute(model, example.value, method))
        except ArgumentError as error:  # no layer to look into
            refused.append(str(error))
        except ConvistaError as error:
            return [], [str(error)]
    return found, refused


def _shown(example: Example, found: list[Attribution]) -> Html:
    title = heading(say("attribution.example", label=found[0].label, caption=example.caption))
    if not is_picture(found[0].picture.shape):
        return together(title, *(_drawn(one) for one in found))
    alt = say("attribution.picture-alt", caption=example.caption)
    first = figure(picture(found[0].picture, alt), say("attribution.picture"), "example large")
    return together(title, gallery([first, *(_laid_over(one) for one in found)]))


def _laid_over(found: Attribution) -> Html:
    method = say(f"attribution.{found.method}")
    row, column = found.strongest
    if not found.map.any():
        empty = say("attribution.caption-empty", method=method, label=found.label)
        return figure(picture(overlay(found), empty), empty, "example large")
    alt = say("attribution.alt", method=method, label=found.label, row=row, column=column)
    key = "attribution.caption-signed" if found.signed else "attribution.caption"
    return figure(picture(overlay(found), alt), say(key, method=method, row=row, column=column), "example large")


def overlay(found: Attribution) -> np.ndarray:
    """Return a map in colours, as opaque as it is strong, over its picture in dark grey, uint8 (H, W, 3).

    The colours go from blue over grey to yellow, evenly in lightness, so that every kind of eye and grey print keep
    their order.
    """
    from matplotlib import colormaps

    largest = float(np.abs(found.map).max()) or 1.0
    least = -largest if found.signed else 0.0
    colours = colormaps["cividis"]((found.map - least) / (largest - least))[..., :3]
    strength = _STRONGEST * np.sqrt(np.clip(np.abs(found.map) / largest, 0, 1))[..., None]
    pixels = found.picture[..., :3].astype(np.float64).mean(axis=-1, keepdims=True)
    span = max(float(np.ptp(pixels)), 1e-9)
    grey = _DARKEST + _RANGE * (pixels - pixels.min()) / span
    return np.round(255 * ((1 - strength) * grey + strength * colours)).astype(np.uint8)


def _drawn(found: Attribution) -> Html:
    from convista.insight.attributions.figure import figure_of
    from convista.insight.drawing import encoded

    return drawing(encoded(figure_of(found)), found.title, found.range)
