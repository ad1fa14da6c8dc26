"""What a model can be asked about itself; the answers come from `insight/`, a floor above, when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from convista.insight.doctor.findings import Diagnosis
    from convista.insight.doctor.limits import Limits
    from convista.models.model import Model


class Questions:
    """The questions, one method each; every one is also a function of :mod:`convista.insight`."""

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
