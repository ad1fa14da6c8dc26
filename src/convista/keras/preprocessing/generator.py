"""`ImageDataGenerator` as Keras 2 has it: ranges of random changes, and flows of pictures that are changed by them."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from convista import arguments
from convista.arguments import Absent, Checked
from convista.data.picture_changes import is_compose
from convista.data.standardization import Standardization, statistics
from convista.errors import ArgumentError, DataError, ShapeError, suggest
from convista.keras.preprocessing.flows import ArrayFlow, DirectoryFlow, Source
from convista.layers import Augmentation, RandomAffine

_LARGEST_WHITENING = 3 * 64 * 64
# What the flows of Keras 2 take besides, with the values that ask for nothing.
_OF_FLOWS: dict[str, tuple[object, ...]] = {
    "save_to_dir": (None,),
    "save_prefix": ("",),
    "save_format": ("png",),
    "follow_links": (False,),
    "keep_aspect_ratio": (False,),
    "ignore_class_split": (False,),
}


class ImageDataGenerator(metaclass=Checked):
    """Changes the pictures of training at random: another one of each in every epoch.

    All ranges together are one affine map of each picture, see :class:`convista.layers.RandomAffine`. After it come
    ``preprocessing_function``, ``rescale``, then what is taken off and divided by, in Keras's order.

    Args:
        featurewise_center: Take off the mean of each channel over the data that ``fit`` saw.
        samplewise_center: Take off each picture's own mean.
        featurewise_std_normalization: Divide by the standard deviation of each channel over the data ``fit`` saw.
        samplewise_std_normalization: Divide by each picture's own standard deviation.
        zca_whitening: Make pixels uncorrelated; needs ``fit``, and pictures of at most 64×64×3.
        zca_epsilon: Keeps whitening away from division by 0.
        rotation_range: Largest angle in degrees.
        width_shift_range: Largest shift to the side: below 1 a part of the width, from 1 on pixels.
        height_shift_range: The same up and down.
        shear_range: Largest shear angle, in degrees: the 0.2 of many tutorials is next to nothing.
        zoom_range: ``f`` draws each axis from 1 − f to 1 + f; or the two numbers.
        fill_mode: What lies beyond the border: ``"nearest"``, ``"constant"``, ``"reflect"`` or ``"wrap"``.
        cval: The value for ``"constant"``.
        horizontal_flip: Whether half of the pictures are mirrored left to right.
        vertical_flip: Whether half of them are mirrored top to bottom.
        rescale: A factor for all values, such as ``1 / 255``.
        preprocessing_function: Called with each picture ``(H, W, C)`` after it was changed, returns one of that shape.
        data_format: ``None`` or ``"channels_last"``.
        validation_split: The part of the data that ``subset="validation"`` has.
        interpolation_order: 1 for bilinear, 0 for the nearest pixel.
        dtype: ``None`` or ``"float32"``.
        augmentation: Convista's own: layers that change pictures after the ranges, as ``fit(augmentation=…)`` takes
            them, or an ``albumentations.Compose``, called with each picture before the ranges.

    Raises:
        ArgumentError: A value is out of its range.

    Example:
        >>> generator = ImageDataGenerator(rotation_range=20, width_shift_range=0.2, fill_mode="nearest")
        >>> x, y = generator.flow(np.zeros((40, 28, 28, 1)), np.zeros(40), batch_size=32)[0]
        >>> x.shape, y.shape
        ((32, 28, 28, 1), (32,))

    Source: lecture 004.
    """

    absent_arguments: ClassVar[Mapping[str, Absent]] = {
        "brightness_range": Absent((None,), fix="Write model.fit(x, y, augmentation=[RandomBrightness(0.2)])"),
        "channel_shift_range": Absent((0, 0.0), fix="Write model.fit(x, y, augmentation=[RandomBrightness(0.2)])"),
    }

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: float = 0.0,
        height_shift_range: float = 0.0,
        shear_range: float = 0.0,
        zoom_range: float | tuple[float, float] = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
        augmentation: Any = None,
    ):
        where = "ImageDataGenerator"
        if data_format not in (None, "channels_last") or dtype not in (None, "float32"):
            raise ArgumentError(
                'data_format is "channels_last" and dtype "float32"',
                where=where,
                received=f"data_format={data_format!r}, dtype={dtype!r}",
                fix="Leave them out; pictures with channels first: x.transpose(0, 2, 3, 1)",
            )
        if interpolation_order not in (0, 1):
            raise ArgumentError(
                "interpolation_order is 0 or 1", where=where, received=f"interpolation_order={interpolation_order!r}"
            )
        if rescale is not None:
            arguments.number(rescale, "rescale", where=where)
        self.featurewise_center = featurewise_center or zca_whitening
        self.featurewise_std_normalization = featurewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = arguments.number(zca_epsilon, "zca_epsilon", where=where)
        self.preprocessing_function = preprocessing_function
        self.validation_split = arguments.fraction(validation_split, "validation_split", where=where, below_one=True)
        self.standardization = Standardization(
            rescale or None, samplewise_center or samplewise_std_normalization, samplewise_std_normalization
        )
        self.affine = RandomAffine(
            rotation_range,
            width_shift_range,
            height_shift_range,
            shear_range,
            tuple(zoom_range) if isinstance(zoom_range, list) else zoom_range,
            fill_mode,
            cval,
            horizontal_flip,
            vertical_flip,
            "bilinear" if interpolation_order else "nearest",
        )
        self.compose = augmentation if is_compose(augmentation) else None
        self.layers = () if augmentation is None or self.compose is not None else _layers(augmentation)
        self._fitted = False

    @property
    def augments(self) -> bool:
        """Whether pictures are changed at random."""
        return self._moves or bool(self.layers) or self.compose is not None

    @property
    def _moves(self) -> bool:
        still = RandomAffine(
            fill_mode=self.affine.fill_mode, cval=self.affine.cval, interpolation=self.affine.interpolation
        )
        return self.affine != still

    @property
    def _needs_fit(self) -> bool:
        return self.featurewise_center or self.featurewise_std_normalization or self.zca_whitening

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Learn the mean, the deviation and the whitening of pictures, those that were asked for.

        Args:
            x: Pictures of training ``(N, H, W, C)``; never those of validation.
            augment: Whether to learn them from changed pictures.
            rounds: How often each picture is changed for that.
            seed: Of these changes.

        Raises:
            ShapeError: These are no pictures.
            ArgumentError: Whitening of pictures that are too large for it.
        """
        x = _pictures(x, "ImageDataGenerator.fit")
        if not self._needs_fit:
            return
        if self.zca_whitening and np.prod(x.shape[1:]) > _LARGEST_WHITENING:
            raise ArgumentError(
                "zca_whitening needs a matrix of the square of a picture's size, and pictures of at most 64×64×3",
                where="ImageDataGenerator.fit",
                received=f"pictures of {'×'.join(map(str, x.shape[1:]))}",
                fix="Use featurewise_center and featurewise_std_normalization",
            )
        if augment:
            flow = self._source(seed)
            x = np.concatenate([flow.changed(x, number, 0) for number in range(arguments.integer(rounds, "rounds"))])
        scaled = Standardization(self.standardization.rescale)(x)
        mean, std, whitening = statistics(
            scaled,
            center=self.featurewise_center,
            deviation=self.featurewise_std_normalization,
            whitening=self.zca_whitening,
            epsilon=self.zca_epsilon,
        )
        self.standardization = dataclasses.replace(self.standardization, mean=mean, std=std, whitening=whitening)
        self._fitted = True

    def standardize(self, x: Any) -> np.ndarray:
        """Return pictures without random changes, on the scale that training sees.

        Args:
            x: Pictures ``(N, H, W, C)`` or one ``(H, W, C)``.
        """
        x = np.asarray(x, np.float32)
        many = x if x.ndim == 4 else x[None]
        result = self._source(None).standardized(many)
        return result if x.ndim == 4 else result[0]

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        subset: str | None = None,
        **others: Any,
    ) -> ArrayFlow:
        """Return batches of changed pictures, for ``model.fit``.

        Args:
            x: Pictures ``(N, H, W, C)``.
            y: Targets; ``None`` gives batches of pictures alone.
            batch_size: Pictures a batch.
            shuffle: Whether each pass has an order of its own.
            sample_weight: How much each picture counts.
            seed: Of the order and the changes; 0 unless given.
            subset: ``"training"`` or ``"validation"`` of ``validation_split``. (The pictures of validation are never
                changed at random; in Keras 2 they are.)
            **others: What Keras 2 takes too, such as ``save_to_dir``; only values that ask for nothing.

        Raises:
            ArgumentError: An argument is unknown or not there yet.
            ShapeError: ``x`` are no pictures.
            DataError: ``fit`` was not called and is needed, or the lengths differ.
        """
        _refuse(others, type(self).flow)
        x = _pictures(x, "ImageDataGenerator.flow")
        arrays = [None if item is None else np.asarray(item) for item in (y, sample_weight)]
        for name, item in zip(("y", "sample_weight"), arrays, strict=True):
            if item is not None and len(item) != len(x):
                raise DataError(
                    f"x and {name} have one row an example",
                    where="ImageDataGenerator.flow",
                    received=f"x with {len(x)} rows, {name} with {len(item)}",
                )
        chosen = self._part(len(x), subset)
        x, (y, sample_weight) = x[chosen], (None if item is None else item[chosen] for item in arrays)
        return ArrayFlow(self._source(seed, subset), x, y, sample_weight, batch_size, shuffle)

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        subset: str | None = None,
        interpolation: str = "nearest",
        **others: Any,
    ) -> DirectoryFlow:
        """Return batches of changed pictures from a folder with one folder for each class.

        Files are found and read as :func:`convista.data.image_folder` does it: those that are no pictures are left out
        and named on stderr.

        Args:
            directory: The folder, or a ``.tar`` of it; its folders are the classes, in the order of their names.
            target_size: Height and width that every picture is brought to.
            color_mode: ``"rgb"`` or ``"grayscale"``.
            classes: Names of the folders, to choose some or to give an order.
            class_mode: ``"categorical"`` (one-hot rows), ``"sparse"`` (numbers), ``"binary"`` (0 and 1) or ``None``.
            batch_size: Pictures a batch.
            shuffle: Whether each pass has an order of its own.
            seed: Of the order and the changes; 0 unless given.
            subset: ``"training"`` or ``"validation"`` of ``validation_split``, of each class.
            interpolation: How pictures are resized, as in :class:`convista.Preprocessing`.
            **others: What Keras 2 takes too, such as ``save_to_dir``; only values that ask for nothing.

        Raises:
            DataError: There is no such folder, no class or no picture, or it has splits; or ``fit`` was not called and
                is needed.
            ArgumentError: A value is not one of these.
        """
        _refuse(others, type(self).flow_from_directory)
        source = self._source(seed, subset)
        folder = DirectoryFlow.reading(source, directory, target_size, color_mode, classes, class_mode, interpolation)
        return folder.arranged(lambda count: self._part(count, subset), batch_size, shuffle)

    def _part(self, count: int, subset: str | None) -> slice:
        """Return which of ``count`` rows a subset has; as in Keras, validation has the first of them."""
        if subset is None:
            return slice(None)
        arguments.one_of(subset, ("training", "validation"), "subset", where="ImageDataGenerator")
        border = int(count * self.validation_split)
        if not 0 < border < count:
            raise ArgumentError(
                "validation_split leaves examples on both sides",
                where="ImageDataGenerator",
                received=f"subset={subset!r} with validation_split={self.validation_split:g} of {count} pictures",
                fix="Write ImageDataGenerator(…, validation_split=0.1)",
            )
        return slice(border, None) if subset.lower() == "training" else slice(0, border)

    def _source(self, seed: int | None, subset: str | None = None) -> Source:
        if self._needs_fit and not self._fitted and subset is not None:
            self._refuse_unfitted()
        changes = self.augments and (subset or "").lower() != "validation"
        number = 0 if seed is None else arguments.integer(seed, "seed", where="ImageDataGenerator", minimum=0)
        return Source(
            ((self.affine,) if self._moves else ()) + self.layers if changes else (),
            self.compose if changes else None,
            self.preprocessing_function,
            self.standardization,
            number,
            self._ready,
        )

    def _ready(self) -> None:
        if self._needs_fit and not self._fitted:
            self._refuse_unfitted()

    def _refuse_unfitted(self) -> None:
        raise DataError(
            "featurewise_center, featurewise_std_normalization and zca_whitening know the data",
            where="ImageDataGenerator",
            received="a generator that was not fitted",
            fix="Call generator.fit(x_train) first",
        )


def _refuse(others: dict[str, Any], method: Callable[..., Any]) -> None:
    """Refuse what a flow does not take, unless it asks for nothing."""
    where = f"ImageDataGenerator.{method.__name__}"
    for name, value in others.items():
        if name in _OF_FLOWS and (value is None or isinstance(value, bool | str)) and value in _OF_FLOWS[name]:
            continue
        if name in _OF_FLOWS:
            raise ArgumentError(
                f"Keras has {name}; Convista does not have it yet",
                where=where,
                received=f"{name}={value!r}",
                fix="Leave it out; convista.insight.show_augmented draws variants into a picture"
                if name.startswith("save")
                else "Leave it out",
            )
        known = [given for given in inspect.signature(method).parameters if given not in ("self", "others")]
        raise ArgumentError(
            f"there is no argument {name!r}", where=where, received=f"{name}={value!r}", fix=suggest(name, known)
        )


def _layers(given: Any) -> tuple[Any, ...]:
    layers = tuple(given) if isinstance(given, list | tuple) else (given,)
    for layer in layers:
        if not isinstance(layer, Augmentation):
            raise ArgumentError(
                "augmentation is a list of augmenting layers, or an albumentations.Compose",
                where="ImageDataGenerator",
                received=f"{layer!r}",
                fix=getattr(layer, "where_it_belongs", None),
            )
    return layers


def _pictures(x: Any, where: str) -> np.ndarray:
    array = np.asarray(x)
    if array.ndim == 4 and array.shape[-1] in (1, 3, 4) and len(array):
        return array
    fix = None
    if array.ndim == 3:
        fix = "Add the channel axis: x[..., None]"
    elif array.ndim == 2 and int(array.shape[1] ** 0.5) ** 2 == array.shape[1]:
        side = int(array.shape[1] ** 0.5)
        fix = f"Restore the pictures: x.reshape(-1, {side}, {side}, 1)"
    elif array.ndim == 4 and array.shape[1] in (1, 3, 4):
        fix = "Move the channels to the end: x.transpose(0, 2, 3, 1)"
    raise ShapeError(
        "pictures have the shape (N, height, width, channels) with 1, 3 or 4 channels",
        where=where,
        received=f"shape {array.shape}",
        fix=fix,
    )
