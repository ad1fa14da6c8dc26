"""What happens to a batch before the network sees it in training, and never elsewhere: it is changed and mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from convista import arguments
from convista.arguments import Checked, Shape
from convista.data.picture_changes import is_compose
from convista.errors import ArgumentError, ShapeError
from convista.layers.augmentation import floating
from convista.layers.base import Layer
from convista.layers.sliding_kernel import check_data_format
from convista.layers.warping import joinable, warped
from convista.training.step import Batch

# Mixed into the key of a step: the layers of a network mix in their places, which are smaller.
_STREAM = 0x41554747


class Mixture(NamedTuple):
    """The second example of each mixed one.

    Args:
        y: Its targets ``(N, …)``.
        weight: How much it counts in the loss ``(N,)``.
        share: How much of the mixed example is the first one ``(N,)``, at least one half.
    """

    y: Any
    weight: Any
    share: Any


@dataclass(frozen=True)
class MixUp(metaclass=Checked):
    """Mix each picture of a batch with another one, and learn both labels in the same proportion.

    ``x = λ · x₁ + (1 − λ) · x₂`` and ``loss = λ · loss(y₁) + (1 − λ) · loss(y₂)`` with λ from Beta(α, α). For
    cross-entropy that is the loss of the mixed labels ``λ · y₁ + (1 − λ) · y₂``, and it works for integer labels too;
    for squared errors the gradient is the same. The first of the two is the one with the larger share, and metrics
    count its label alone.

    It changes labels, so it is no layer of a network: it stands in ``model.fit(…, augmentation=[…, MixUp()])``.

    Args:
        alpha: α; small numbers leave most pictures nearly alone, 1 draws λ evenly.
        data_format: ``None`` or ``"channels_last"``.
        seed: Mixed into the model's own stream.

    Raises:
        ArgumentError: ``alpha`` is not larger than 0.

    Example:
        >>> MixUp(alpha=0.4).alpha
        0.4

    Source: H. Zhang et al., «mixup: beyond empirical risk minimization», 2018.
    """

    where_it_belongs: ClassVar[str] = "Give it to training: model.fit(x, y, augmentation=[MixUp()])"

    alpha: float = 0.2
    data_format: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if arguments.number(self.alpha, "alpha", where="MixUp") <= 0:
            raise ArgumentError(
                "alpha is a number larger than 0", where="MixUp", received=f"alpha={self.alpha!r}", fix="Try alpha=0.2"
            )
        check_data_format(self.data_format, "MixUp")
        if self.seed is not None:
            arguments.integer(self.seed, "seed", where="MixUp", minimum=0)

    def __call__(self, *inputs: Any) -> Any:
        """Refuse to be a layer.

        Raises:
            ArgumentError: Always.
        """
        raise ArgumentError(
            "MixUp mixes labels with pictures, and a layer does not see labels",
            where="MixUp",
            received="a call",
            fix=self.where_it_belongs,
        )

    def mix(self, batch: Batch, key: jax.Array) -> tuple[Batch, Mixture]:
        """Return the mixed batch and what was mixed in."""
        if self.seed is not None:
            key = jax.random.fold_in(key, self.seed)
        by_order, by_share = jax.random.split(key)
        count = len(batch.weight)
        # The order of a batch is random, so a random distance is as good as a permutation, and needs no sort, which XLA
        # takes seconds to compile.
        distance = jax.random.randint(by_order, (), min(1, count - 1), max(count, 2))
        other = (jnp.arange(count, dtype=jnp.int32) + distance) % count
        share = jax.random.beta(by_share, self.alpha, self.alpha, (count,), jnp.float32)
        # Beta(α, α) is symmetrical and so is the pair: the larger share can always be the first one's.
        share = jnp.maximum(share, 1 - share)

        def mixed(x):
            x = _written_out(x, share)
            part = share.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))
            return part * x + (1 - part) * x[other]

        x = jax.tree.map(mixed, batch.x)
        return batch._replace(x=x), Mixture(batch.y[other], batch.weight[other], share)


def _written_out(x: jax.Array, share: jax.Array) -> jax.Array:
    """Return ``x``, computed once although it is read twice.

    XLA draws a warp into whatever reads it: warp and mix took 2.4 ms a step instead of 1.1 (128 pictures of 28×28), and
    ``optimization_barrier`` is gone before XLA:CPU fuses. It cannot look through a branch; this one is never taken.
    """
    return jax.lax.cond(share[0] > 2, jnp.negative, lambda x: x, x)


@dataclass(frozen=True)
class InMemory:
    """Arrays with the changes that training makes to them: what a flow of pictures in memory comes down to.

    Args:
        x: Pictures ``(N, H, W, C)``.
        y: Targets.
        sample_weight: How much each counts, or ``None``.
        batch_size: Pictures a step.
        shuffle: Whether each epoch has an order of its own.
        augmentation: As for ``fit``; ``None`` changes nothing.
    """

    x: Any
    y: Any
    sample_weight: Any
    batch_size: int
    shuffle: bool
    augmentation: tuple[Any, ...] | None


def refuse_augmented(source: Any, where: str) -> None:
    """Refuse a source that says it changes pictures at random where no network is trained.

    Raises:
        ArgumentError: It does.
    """
    if getattr(source, "augments", False):
        fix = (
            'Give the pictures themselves, or flow(…, subset="validation"), or a flow of an ImageDataGenerator '
            "without ranges and flips"
        )
        if hasattr(source, "in_order"):
            fix = "Give its .validation or .test, or .in_order(), the training pictures as they are"
        raise ArgumentError(
            "only the pictures of training are augmented: a score on changed pictures tells about no picture",
            where=where,
            received=f"{type(source).__name__} that changes pictures at random",
            fix=fix,
        )


@dataclass(frozen=True)
class Augmentations:
    """Layers in a row, and perhaps :class:`MixUp`, applied to the batches of training.

    Args:
        layers: What ``fit(augmentation=…)`` was given, as a tuple.
        prepare: Brings inputs to what the network computes with; ``None`` leaves them.
    """

    layers: tuple[Any, ...]
    prepare: Callable[[Any], Any] | None = None

    def __call__(self, batch: Batch, key: jax.Array) -> tuple[Batch, Mixture | None]:
        """Return the batch that the network learns from, and what was mixed into it.

        Args:
            batch: As it comes from the data.
            key: Of this step.
        """
        key = jax.random.fold_in(key, _STREAM)
        batch = batch._replace(x=batch.x if self.prepare is None else self.prepare(batch.x))
        mixture = None
        for place, layers in groups(self.layers):
            keys = [jax.random.fold_in(key, place + number) for number in range(len(layers))]
            if isinstance(layers[0], MixUp):
                batch, mixture = layers[0].mix(batch._replace(x=floating(batch.x)), keys[0])
            elif joinable(layers):
                batch = batch._replace(x=warped(layers, keys, batch.x))
            else:
                batch = batch._replace(x=layers[0].apply({}, {}, batch.x, training=True, key=keys[0])[0])
        return batch, mixture


def groups(layers: Sequence[Any]) -> list[tuple[int, list[Any]]]:
    """Return the layers in their order, those that can be one warp together, each group with the place of its first."""
    found: list[tuple[int, list[Any]]] = []
    for place, layer in enumerate(layers):
        if found and joinable([*found[-1][1], layer]):
            found[-1][1].append(layer)
        else:
            found.append((place, [layer]))
    return found


def augment(layers: Any, x: Any, key: jax.Array) -> jax.Array:
    """Return pictures as training would see them.

    Args:
        layers: One augmentation, or a list that is applied in its order.
        x: Pictures ``(N, H, W, C)``.
        key: What the draws come from.

    Raises:
        ArgumentError: They are no augmentations, or among them is MixUp, which needs labels.
        ShapeError: They cannot take these pictures.

    Example:
        >>> from convista.layers import RandomFlip, RandomRotation
        >>> augment([RandomFlip("horizontal"), RandomRotation(0.1)], jnp.ones((2, 8, 8, 1)), jax.random.key(0)).shape
        (2, 8, 8, 1)
    """
    x = jnp.asarray(x)
    chosen = checked(layers, tuple(x.shape[1:]), where="augment", keeps_size=False)
    if any(isinstance(layer, MixUp) for layer in chosen):
        raise ArgumentError("MixUp needs labels", where="augment", received="MixUp()", fix="Leave it out here")
    ones = jnp.ones(len(x), jnp.float32)
    return Augmentations(chosen)(Batch(x, None, ones, ones), key)[0].x


def checked(given: Any, input_shape: Shape, *, where: str, keeps_size: bool = True) -> tuple[Any, ...]:
    """Return augmentations as a tuple.

    Args:
        given: One, or a list or tuple of them.
        input_shape: Shape of one picture.
        where: Who asks, for the error.
        keeps_size: Whether what comes out must have the shape of what went in.

    Raises:
        ArgumentError: One of them is no augmentation, or MixUp is there twice.
        ShapeError: They cannot take these pictures, or change their shape.
    """
    layers = tuple(given) if isinstance(given, list | tuple) else (given,)
    shape = input_shape
    for layer in layers:
        if isinstance(layer, MixUp):
            continue
        if is_compose(layer):
            raise ArgumentError(
                "the steps of training are compiled, and an albumentations transform is Python code for one picture",
                where=where,
                received=type(layer).__name__,
                fix="Write model.fit(ImageDataGenerator(augmentation=compose).flow(x, y)), or for a folder "
                "model.fit(image_folder(path, augmentation=compose))",
            )
        if not isinstance(layer, Layer) or not layer.only_in_training:
            raise ArgumentError(
                "augmentation is a list of layers that change nothing outside training",
                where=where,
                received=layer.where if isinstance(layer, Layer) else _described(layer),
                fix="For example augmentation=[RandomRotation(0.05), RandomTranslation(0.1, 0.1)]; "
                "what use needs too, such as Rescaling, is a layer of the model",
            )
        shape = _shape_after(layer, shape, where)
    if sum(isinstance(layer, MixUp) for layer in layers) > 1:
        raise ArgumentError("a batch is mixed once", where=where, received="MixUp twice", fix="Keep one of them")
    if keeps_size and shape != input_shape:
        raise ShapeError(
            "augmentation keeps the shape of the pictures, or use would differ from training",
            where=where,
            received=f"{tuple(input_shape)} made {tuple(shape)}",
            fix="Make RandomCrop the first layer of the model: in use it takes the middle",
        )
    return layers


def _described(item: Any) -> str:
    return f"the class {item.__name__}" if isinstance(item, type) else repr(item)


def _shape_after(layer: Layer, shape: Shape, where: str) -> Shape:
    try:
        return tuple(layer.output_shape(shape))
    except ShapeError as error:
        received = error.received or f"input_shape={tuple(shape)}"
        raise ShapeError(error.rule, where=f"{where}: {layer.where}", received=received, fix=error.fix) from None
