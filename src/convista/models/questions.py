"""What a model can be asked about itself; the answers come from `insight/`, a floor above, when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from convista.insight.attribution import Attribution
    from convista.models.model import Model


class Questions:
    """The questions, one method each; every one is also a function of :mod:`convista.insight`."""

    def attribute(
        self,
        picture: Any,
        method: str = "grad_cam",
        target: int | str | None = None,
        layer: str | None = None,
        **settings: Any,
    ) -> Attribution:
        """Return which parts of a picture the answer rests on; see :func:`convista.insight.attribute`.

        Args:
            picture: One picture, a path or an array, or another input of the model.
            method: Such as ``"grad_cam"``, ``"integrated_gradients"`` or ``"occlusion"``.
            target: The number or the name of a class; ``None`` is the class that is predicted.
            layer: For Grad-CAM and its kin; ``None`` is the last convolution.
            **settings: Of the method.

        Raises:
            ArgumentError: There is no such method, setting, class or layer.
            ShapeError: The picture or the model has another shape.
        """
        from convista.insight.attribution import attribute

        return attribute(cast("Model", self), picture, method, target, layer, **settings)
