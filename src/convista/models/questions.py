"""What a model can be asked about itself; the answers come from `insight/`, a floor above, when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from convista.insight.equivariance import Invariance
    from convista.insight.excitation import Excitations
    from convista.insight.feature_map import FeatureMaps
    from convista.insight.learned_filters import Filters
    from convista.insight.maximization import Maximized
    from convista.models.model import Model


class Questions:
    """The questions, one method each; every one is also a function of :mod:`convista.insight`."""

    def feature_maps(self, picture: Any, layer: str | None = None, data: Any = None) -> FeatureMaps:
        """Return what every layer, or one, makes of a picture; see :func:`convista.insight.feature_maps`."""
        from convista.insight.feature_map import feature_maps

        return feature_maps(cast("Model", self), picture, layer, data)

    def filters(self, layer: str | None = None) -> Filters:
        """Return the kernels of a convolution, the first unless named; see :func:`convista.insight.filters`."""
        from convista.insight.learned_filters import filters

        return filters(cast("Model", self), layer)

    def excitations(
        self, data: Any, layer: str | None = None, channel: int | Sequence[int] | None = None, n: int = 9
    ) -> Excitations:
        """Return what excites a layer's channels most, and the patches; see :func:`convista.insight.excitations`."""
        from convista.insight.excitation import excitations

        return excitations(cast("Model", self), data, layer, channel, n)

    def maximize(
        self, layer: str | None = None, channel: int | None = None, class_: int | str | None = None, **options: Any
    ) -> Maximized:
        """Seek the picture that excites a channel or a class most; see :func:`convista.insight.maximize`."""
        from convista.insight.maximization import maximize

        return maximize(cast("Model", self), layer, channel, class_, **options)

    def invariance(self, picture: Any, **options: Any) -> Invariance:
        """Follow answers and maps as a picture is shifted and turned; see :func:`convista.insight.invariance`."""
        from convista.insight.equivariance import invariance

        return invariance(cast("Model", self), picture, **options)
