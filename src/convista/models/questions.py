"""What a model can be asked about itself; the answers come from `insight/`, a floor above, when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from convista.errors import ArgumentError, suggest

if TYPE_CHECKING:
    from convista.arguments import Shape
    from convista.insight.attributions.attribution import Attribution
    from convista.insight.derivations.explanation import Explanation
    from convista.insight.doctor.findings import Diagnosis
    from convista.insight.doctor.limits import Limits
    from convista.insight.features.equivariance import Invariance
    from convista.insight.features.excitation import Excitations
    from convista.insight.features.feature_map import FeatureMaps
    from convista.insight.features.learned_filters import Filters
    from convista.insight.features.maximization import Maximized
    from convista.insight.walks.tracing import Trace
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
        from convista.insight.attributions.attribution import attribute

        return attribute(cast("Model", self), picture, method, target, layer, **settings)

    def explain(
        self, layer: str | None = None, *, batch_size: int = 32, input_shape: Shape | None = None
    ) -> Explanation:
        """Work out every number of the network, or of one layer: sizes, parameters, products, memory, receptive fields.

        Args:
            layer: Only this layer.
            batch_size: Examples of a step, for the memory of training.
            input_shape: The shape of one example, for a model that leaves sizes open.

        Returns:
            The explanation: ``print`` shows it as text, a notebook as HTML; ``markdown()``, ``html()``, ``to_dict()``.

        Raises:
            ArgumentError: There is no such layer, or ``batch_size`` is no whole number of at least 1.
            ShapeError: ``input_shape`` is not what the model takes, or it is needed and missing.

        Example:
            >>> from convista import architectures
            >>> print(architectures.lecture_convnet().explain().layer("conv2d_1").line("output_h"))
            output_h = (13 + 2·0 − 3) // 1 + 1 = 11, output_w the same

        Source: lectures 000 and 002; see :func:`convista.insight.explain`.
        """
        from convista.insight.derivations.explanation import explain

        return explain(cast("Model", self), layer, batch_size=batch_size, input_shape=input_shape)

    def trace(
        self,
        picture: Any,
        layer: str,
        *cell: int,
        row: int | None = None,
        col: int | None = None,
        channel: int | None = None,
        position: int | None = None,
        depth: int | None = None,
    ) -> Trace:
        """Walk through the arithmetic behind one cell of a layer's output, and hold it against the network.

        Args:
            picture: One input: a picture file, or an array with or without batch and channel axis.
            layer: The layer's name, as in ``model.summary()``.
            *cell: ``row, col, channel`` of a picture's map, ``position, channel`` of a sequence's, ``depth, row, col,
                channel`` of a volume's, ``channel`` behind ``Flatten``; counted from 0.
            row: The same by name: ``row=3, col=5, channel=0``.
            col: The same.
            channel: The same; for ``Dense``, the unit. It may be left out where there is one.
            position: The same, for sequences.
            depth: The same, for volumes.

        Returns:
            Patch, kernel, products, sums, bias, activation; it prints as a table, ``save`` draws it.

        Raises:
            ArgumentError: There is no such layer, or the cell lies outside its map.
            ShapeError: The picture is of another size.

        Example:
            >>> import numpy as np
            >>> from convista import Input, Sequential
            >>> from convista.layers import MaxPooling1D
            >>> model = Sequential([Input((4, 1)), MaxPooling1D(2, name="pool")])
            >>> walk = model.trace([[5.0], [7.0], [1.0], [0.0]], "pool", position=0)
            >>> print(walk.lines[0])
            maximum = max(5, 7), at (1, 0) = 7

        See :func:`convista.insight.trace`.
        """
        from convista.insight.walks.tracing import trace

        named = {"row": row, "col": col, "channel": channel, "position": position, "depth": depth}
        return trace(cast("Model", self), picture, layer, *cell, **named)

    def feature_maps(self, picture: Any, layer: str | None = None, data: Any = None) -> FeatureMaps:
        """Return what every layer, or one, makes of a picture; see :func:`convista.insight.feature_maps`."""
        from convista.insight.features.feature_map import feature_maps

        return feature_maps(cast("Model", self), picture, layer, data)

    def filters(self, layer: str | None = None) -> Filters:
        """Return the kernels of a convolution, the first unless named; see :func:`convista.insight.filters`."""
        from convista.insight.features.learned_filters import filters

        return filters(cast("Model", self), layer)

    def excitations(
        self, data: Any, layer: str | None = None, channel: int | Sequence[int] | None = None, n: int = 9
    ) -> Excitations:
        """Return what excites a layer's channels most, and the patches; see :func:`convista.insight.excitations`."""
        from convista.insight.features.excitation import excitations

        return excitations(cast("Model", self), data, layer, channel, n)

    def check(
        self,
        data: Any = None,
        *,
        validation: Any = None,
        history: Any = None,
        limits: Limits | None = None,
        quick: bool = False,
        seed: int = 0,
    ) -> Diagnosis:
        """Examine the network, its data and its training; see :func:`convista.insight.check`.

        Nothing of the model is changed. Without data only the architecture and the history are looked at.

        Args:
            data: Examples it learns from: ``(x, y)``, a ``Split``, a ``Dataset``, an array, or batches as for ``fit``.
            validation: Examples it does not learn from, in the same forms.
            history: ``None`` is ``model.history``; otherwise what ``fit`` returned, or a run folder.
            limits: Thresholds; see :class:`convista.insight.Limits`.
            quick: Leave out the short trainings of the learning-rate range test.
            seed: Of the examples that are drawn and of everything that is tried.

        Returns:
            Findings with evidence, consequence and fix, the checks that were made and those that were not.

        Raises:
            ShapeError: The data does not fit the model, or the model knows no shape yet.
            DataError: There are no examples, or labels outside the classes.

        Example:
            >>> from convista import architectures
            >>> architectures.lecture_convnet_without_pooling().check().findings[0].title
            "Flatten too wide in 'flatten'"
        """
        from convista.insight.doctor.examination import check

        return check(
            cast("Model", self),
            data,
            validation=validation,
            history=history,
            limits=limits,
            quick=quick,
            seed=seed,
        )

    def maximize(
        self, layer: str | None = None, channel: int | None = None, class_: int | str | None = None, **options: Any
    ) -> Maximized:
        """Seek the picture that excites a channel or a class most; see :func:`convista.insight.maximize`."""
        from convista.insight.features.maximization import maximize

        return maximize(cast("Model", self), layer, channel, class_, **options)

    def invariance(
        self,
        picture: Any,
        shift: int | None = None,
        angles: Sequence[float] | None = None,
        scales: Sequence[float] | None = None,
        ground: float | None = None,
        class_: int | str | None = None,
        **unknown: Any,
    ) -> Invariance:
        """Follow answers and maps as a picture is shifted and turned; see :func:`convista.insight.invariance`.

        Args:
            picture: A file or an array, as for ``predict``.
            shift: Pixels to each side; ``None`` is a quarter of the shortest side, at most 8.
            angles: Degrees, anticlockwise.
            scales: Factors.
            ground: What comes in at the sides.
            class_: The class to follow, by number or name.
            **unknown: Nothing else: it is named, with what was meant.

        Raises:
            ArgumentError: There is no such argument, or see :func:`convista.insight.invariance`.
        """
        from convista.insight.features.equivariance import invariance

        known = {"shift": shift, "angles": angles, "scales": scales, "ground": ground, "class_": class_}
        more = next(iter(unknown), None)
        if more is not None or isinstance(shift, Questions):
            fix = "A second network is compared with convista.insight.invariance([a, b], x)"
            raise ArgumentError(
                f"there is no argument {more!r}" if more is not None else "one network is asked, this one",
                where="invariance",
                received=f"{more}={unknown[more]!r}" if more is not None else f"shift={shift!r}",
                fix=fix if more is None else f"{suggest(more, known)} {fix}",
            )
        return invariance(cast("Model", self), picture, shift, angles, scales, ground, class_)
