"""Between the user's data and the model: arrays, streams and picture files, arranged and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.data.pictures import Preprocessing, read_picture
from convista.errors import ArgumentError, ConvistaError, DataError, ShapeError
from convista.models import inputs as input_checks
from convista.models import memory
from convista.training import batches
from convista.training.augmentation import checked, refuse_augmented
from convista.training.batches import Examples, Stream

if TYPE_CHECKING:
    from convista.models.model import Model


@dataclass(frozen=True)
class Feeding:
    """Brings what users have to what a model takes, or says why it cannot.

    Args:
        model: The model; its shapes, loss and preprocessing decide.
    """

    model: Model

    def sources(self, x, y, sample_weight, class_weight, validation_split, validation_data):
        if batches.is_stream(x):
            given = {"y": y, "sample_weight": sample_weight, "validation_split": validation_split or None}
            only_stream("fit", given)
            stream = CheckedStream(x, class_weight, self)
            self.model._build_for(stream.first().x)
            self._check_class_weight(class_weight)
            return stream, self.validation(validation_data)
        data = self.examples(x, y, sample_weight, class_weight, "fit")
        data, held_out = batches.split(data, validation_split if validation_data is None else 0.0)
        return data, held_out if validation_data is None else self.validation(validation_data)

    def examples(self, x, y, sample_weight, class_weight, verb: str, name: str = "x") -> Examples:
        if callable(x):
            fix = f"Call it: model.{verb}(batches()) for a generator function batches"
            raise ArgumentError("data is arrays or an iterable", where=verb, received="a function", fix=fix)
        if x is None or y is None:
            missing = " and ".join(f"{key}=None" for key, value in (("x", x), ("y", y)) if value is None)
            pairs = isinstance(x, list) and bool(x) and isinstance(x[0], tuple)
            fix = f"For a list of batches: model.{verb}(iter(batches))" if pairs else f"model.{verb}(x, y)"
            raise ArgumentError("inputs and targets are both needed", where=verb, received=missing, fix=fix)
        data = batches.examples(self.arranged(x), y, sample_weight, class_weight)
        self.check(data, name)
        self._check_class_weight(class_weight)
        return data

    def _check_class_weight(self, class_weight: Any) -> None:
        if class_weight is not None:
            units = self.model.output_shape[-1]
            batches.check_class_weight(class_weight, 2 if units == 1 else units)

    def validation(self, data: Any) -> Examples | Stream | None:
        if data is None:
            return None
        refuse_augmented(data, "fit, validation_data")
        if batches.is_stream(data):
            return CheckedStream(batches.in_file_order(data), None, self)
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ArgumentError(
                "validation_data is (x, y), (x, y, sample_weight) or an iterable of batches",
                where="fit",
                received=f"{len(data)} items" if isinstance(data, tuple | list) else type(data).__name__,
            )
        return self.examples(data[0], data[1], data[2] if len(data) == 3 else None, None, "fit", "x of validation_data")

    def arranged(self, x: Any) -> Any:
        """Return inputs as a tuple for several, and as one array otherwise."""
        graph = self.model._graph
        if graph is None:
            return input_checks.arranged(x, [None])
        return input_checks.arranged(x, graph.input_shapes, graph.input_names)

    def check(self, data: Examples, name: str) -> None:
        self.model._build_for(data.x)
        self.check_inputs(data.x, name)
        if data.y is not None:
            self._check_targets(data.y, name)
        self._learn_scale(data.x)

    def _check_targets(self, y: Any, name: str) -> None:
        try:
            self.model._compiled().loss.check(y, self.model.output_shape[1:])
        except ConvistaError as error:
            if name == "x":
                raise
            place = name.replace("x of", "y of", 1)
            raise type(error)(
                error.rule, where=f"{error.where}, {place}", received=error.received, fix=error.fix
            ) from None

    def check_inputs(self, x: Any, name: str) -> None:
        self.check_shapes(x, name)
        self.check_numbers(x, name)

    def check_numbers(self, x: Any, name: str) -> None:
        entrance = self.model.graph.entrance
        scaled = self.model.preprocessing is not None and self.model.preprocessing.scale is not None
        for array in x if isinstance(x, tuple) else (x,):
            input_checks.check_values(array, entrance, scaled, name)
            self._check_value_ranges(entrance.augmenting, array, name)

    def augmentations(self, given: Any, source: Examples | Stream) -> tuple[Any, ...]:
        """Return what ``fit(augmentation=…)`` was given as a tuple, checked against the model's input and the data."""
        shapes = self.model.graph.shapes()
        if len(self.model.graph.inputs) != 1:
            raise ArgumentError(
                "augmentation is for models with one input",
                where="fit",
                received=f"augmentation beside {len(self.model.graph.inputs)} inputs",
                fix="Put the augmenting layers behind the input they are meant for",
            )
        layers = checked(given, shapes[self.model.graph.inputs[0]], where="fit, augmentation")
        if isinstance(source, Examples):
            self._check_value_ranges(layers, source.x, "x")
        return layers

    def _check_value_ranges(self, layers: Sequence[Any], x: Any, name: str) -> None:
        if layers:
            scale = self.model.preprocessing.scale if self.model.preprocessing is not None else None
            input_checks.check_value_ranges(layers, x, scale, name)

    def check_shapes(self, x: Any, name: str) -> None:
        input_checks.check_shapes(x, self.model.graph.input_shapes, name)
        memory.check_activations(self.model.graph, self.model._where)

    def _learn_scale(self, x: Any) -> None:
        """Remember that pictures were given as 0…1, so that ``predict("photo.jpg")`` treats files the same way."""
        if self.model.preprocessing is None and not isinstance(x, tuple) and x.ndim == 4 and x.shape[-1] in (1, 3):
            sample = np.asarray(x[:1024])
            if sample.dtype.kind == "f" and sample.min() >= 0 and 0 < sample.max() <= 1:
                self.model.preprocessing = Preprocessing(scale=1 / 255)

    def nothing(self, x: Any) -> Any:
        if not isinstance(x, list):
            self.check_shapes(x, "x")
        shapes = self.model.graph.shapes()
        none = [np.zeros((0, *(size or 0 for size in shapes[place])), np.float32) for place in self.model.graph.outputs]
        return none if len(none) > 1 else none[0]

    def has_targets(self, item: Any) -> bool:
        """Whether a batch is ``(x, y)`` or ``[x, y]``, as ``fit`` takes it, and not a list of rows or of inputs."""
        if isinstance(item, list) and len(item) in (2, 3) and self.model.built and len(self.model.graph.inputs) == 1:
            return np.ndim(item[0]) == len(self.model.input_shape)
        return isinstance(item, tuple)

    def pictures(self, paths: Sequence[Path]) -> np.ndarray:
        shape, how = self.reading()
        return np.stack([read_picture(path, shape, how) for path in paths])

    def reading(self) -> tuple[tuple[int, int, int], Preprocessing]:
        """Return the shape that picture files are brought to, and how."""
        shape = self.model.graph.shapes()[self.model.graph.inputs[0]]
        if len(self.model.graph.inputs) != 1 or len(shape) != 3 or None in shape:
            raise ShapeError(
                "a model that reads picture files takes pictures of one known size",
                where=self.model._where,
                received=f"input_shape={self.model.input_shape}",
                fix="Read the pictures yourself and pass arrays",
            )
        how = self.model.preprocessing or Preprocessing()
        if how.scale is None and self.model.graph.entrance.rescaling is None:
            raise DataError(
                "a model that reads picture files knows how their values 0…255 are scaled",
                where=self.model._where,
                received="a model that was not trained on values 0…1, without Rescaling and without preprocessing",
                fix="Set model.preprocessing = convista.Preprocessing(scale=1 / 255) if that is how it was trained",
            )
        return (shape[0] or 0, shape[1] or 0, shape[2] or 0), how


class CheckedStream(Stream):
    """A stream whose batches are checked against the model as they come."""

    def __init__(self, source: Any, class_weight: Mapping[int, float] | None, feeding: Feeding):
        super().__init__(source, class_weight)
        self._feeding = feeding
        self._kept: list[Examples] = []

    def first(self) -> Examples:
        """Return the first batch; a generator will give it again.

        Raises:
            DataError: There is no batch.
        """
        found = next(super().examples(), None)
        if found is None:
            raise DataError("the iterable yields at least one batch", received="none")
        if self._iterator is not None:
            self._kept.append(found)
        return found

    def examples(self) -> Iterator[Examples]:
        """Yield the batches as they come, checked."""
        while self._kept:
            yield self._verified(self._kept.pop())
        for item in super().examples():
            yield self._verified(item)

    def arranged(self, x: Any) -> Any:
        """Return a batch's inputs in the model's order."""
        return self._feeding.arranged(x)

    def _verified(self, item: Examples) -> Examples:
        self._feeding.check(item, "x of a batch")
        return item


def only_stream(verb: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments that an iterable brings itself."""
    for name, value in given.items():
        if value is not None and name == "batch_size":
            raise ArgumentError(
                "an iterable brings batches of its own size",
                where=verb,
                received=f"batch_size={value!r:.100} beside an iterable",
                fix="Leave batch_size out, and give it to what makes the batches, such as image_folder or flow",
            )
        if value is not None:
            raise ArgumentError(
                "an iterable brings its own targets and weights", where=verb, received=f"{name} beside an iterable"
            )


def no_rows(x: Any) -> bool:
    """Return whether there is not a single example."""
    items = x if isinstance(x, tuple) else (x,)
    return all(len(item) == 0 if isinstance(item, list) else getattr(item, "shape", ())[:1] == (0,) for item in items)


def picture_paths(x: Any) -> list[Path]:
    """Return the paths if ``x`` is one or a list of them, else nothing."""
    if isinstance(x, str | Path):
        return [Path(x)]
    if isinstance(x, list | tuple) and x and all(isinstance(item, str | Path) for item in x):
        return [Path(item) for item in x]
    return []
