"""What a layer is: a frozen dataclass with configuration, shapes and pure functions; its numbers live outside."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import jax

from convista import arguments
from convista.arguments import Absent, Checked, Shape
from convista.errors import ArgumentError, ShapeError, suggest
from convista.layers import initializers
from convista.layers.initializers import Initializer
from convista.ops import activation as activations
from convista.shapes import ReceptiveField, Window, times

Variables = dict[str, jax.Array]


@dataclass(frozen=True)
class Parameter:
    """One array of a layer before it exists.

    Args:
        shape: Its sizes.
        initializer: The name of an initialiser, or a function ``(key, shape) -> array``.
    """

    shape: tuple[int, ...]
    initializer: str | Initializer


_DECAY = "Let the optimizer shrink the weights: Adam(weight_decay=0.004)"

_ABSENT = {
    **{
        f"{part}_{what}": Absent((None,), beside=f"{part}_initializer", fix=_DECAY if what == "regularizer" else None)
        for part in ("kernel", "depthwise", "pointwise", "bias", "beta", "gamma", "alpha")
        for what in ("regularizer", "constraint")
    },
    "activity_regularizer": Absent((None,), fix=_DECAY),
    "dtype": Absent((None, "float32"), fix="Leave dtype out: layers compute in float32"),
    "autocast": Absent((True,)),
    "lora_rank": Absent((None,), beside="kernel_initializer"),
    "lora_alpha": Absent((None,), beside="kernel_initializer"),
    "quantization_config": Absent((None,), beside="kernel_initializer"),
    "synchronized": Absent((False,), beside="momentum"),
    "renorm": Absent((False,), beside="momentum"),
    "renorm_clipping": Absent((None,), beside="momentum"),
    "renorm_momentum": Absent((0.99,), beside="momentum"),
    "input_dim": Absent(rule="input_dim is an old name", fix="Write input_shape=({value},)"),
    "batch_input_shape": Absent(
        rule="batch_input_shape is an old name", fix="Write input_shape, without the batch axis"
    ),
    "weights": Absent((None,), fix="Build the model and call model.set_weights(weights)"),
}


@dataclass(frozen=True)
class Layer(metaclass=Checked):
    """A step of a network. Its fields are its configuration, exactly as given; it holds no numbers.

    A new layer is one class in one file: fields, ``output_shape``, ``apply``, and ``parameters`` if it learns.

    Args:
        name: The layer's name in the model; ``None`` lets the model number it: ``conv2d``, ``conv2d_1``.
        input_shape: On the first layer of a ``Sequential``: the shape of one example, without the batch axis.
        trainable: Whether training changes the layer's weights; ``model.freeze`` and ``model.unfreeze`` turn it in a
            model that exists. Batch normalisation that does not learn uses its moving statistics in training too.
    """

    name: str | None = field(default=None, kw_only=True)
    input_shape: Shape | int | None = field(default=None, kw_only=True)
    trainable: bool = field(default=True, kw_only=True)

    merges: ClassVar[bool] = False  # takes several inputs
    uses_mask: ClassVar[bool] = False  # must know which rows of a batch only fill it up
    minimum_rank: ClassVar[int] = 1  # axes of one example
    in_float32: ClassVar[bool] = False  # computes in float32 under every policy
    rounds_parameters: ClassVar[bool] = (
        False  # takes float32 parameters with bfloat16 inputs: their gradients stay float32
    )
    only_in_training: ClassVar[bool] = False  # changes nothing when the network is used
    absent_arguments: ClassVar[Mapping[str, Absent]] = _ABSENT

    def __post_init__(self) -> None:
        if self.name is not None and not isinstance(self.name, str):
            raise ArgumentError("name is a text", where=self.where, received=f"name={self.name!r}")
        if self.input_shape is not None:
            arguments.shape(self.input_shape, "input_shape", where=self.where)
        if not isinstance(self.trainable, bool):
            raise ArgumentError(
                "trainable is True or False", where=self.where, received=f"trainable={self.trainable!r}"
            )

    @property
    def where(self) -> str:
        """How messages call this layer."""
        return type(self).__name__ if not isinstance(self.name, str) else f"{type(self).__name__} {self.name!r}"

    def named(self, name: str) -> Layer:
        """Return this layer, or a copy of it that knows the name it has in a model.

        A model built from the copy is built from the layer itself: see ``original``.
        """
        if self.name is not None:
            return self
        twin = copy.copy(self)
        object.__setattr__(twin, "name", name)
        object.__setattr__(twin, "_original", self)
        return twin

    @property
    def original(self) -> Layer:
        """The layer that ``named`` was called on: what graphs hold, so that a shared layer stays one object."""
        return getattr(self, "_original", self)

    @property
    def window(self) -> Window | None:
        """The sliding window of a convolution or pooling; ``None`` for other layers."""
        return None

    @property
    def activation_name(self) -> str | None:
        """The name of the function applied last; ``"linear"`` for none, ``None`` for a function of the user's own."""
        return activations.name_of(getattr(self, "activation", None))

    @property
    def sees_everything(self) -> bool:
        """Whether each output depends on every position of the input, as in ``Dense`` after ``Flatten``."""
        return False

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return which input cells of the network an output cell sees, if an input cell sees ``before``; None: all."""
        return before if self.window is None else before.through(self.window)

    def kernel_text(self, input_shape: Any) -> str:
        """Return the window and the channels it takes, such as ``3×3×32``, for summaries; empty without a window."""
        if self.window is None:
            return ""
        kernel = self.parameters(input_shape).get("kernel")
        return times(self.window.size) if kernel is None else times(kernel.shape[:-1])

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of one output for one input of ``input_shape`` (both without the batch axis).

        Raises:
            ShapeError: The layer cannot take this shape.
        """
        return input_shape

    def parameters(self, input_shape: Any) -> dict[str, Parameter]:
        """Return what is learned, by name."""
        return {}

    def statistics(self, input_shape: Any) -> dict[str, Parameter]:
        """Return what is kept but not learned, by name."""
        return {}

    def multiply_accumulates(self, input_shape: Any) -> int:
        """Return the multiply–accumulates of one example in the forward pass."""
        return 0

    def init(self, key: jax.Array, input_shape: Any) -> tuple[Variables, Variables]:
        """Return ``(params, state)`` for inputs of this shape, drawn from ``key``."""
        return (
            _draw(jax.random.fold_in(key, 0), self.parameters(input_shape)),
            _draw(jax.random.fold_in(key, 1), self.statistics(input_shape)),
        )

    def apply(
        self, params: Mapping[str, jax.Array], state: Variables, x: Any, *, training: bool, key: jax.Array | None
    ) -> tuple[jax.Array, Variables]:
        """Return ``(y, state)`` for a batch ``x``; a pure function."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply")

    def __call__(self, inputs: Any) -> Any:
        """Apply the layer to symbolic inputs and return a symbolic output, to build a functional ``Model``."""
        from convista.layers.symbolic import call

        return call(self, inputs)

    def to_config(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, as plain data.

        Raises:
            ArgumentError: A field is a function of the user's own, which no file can hold.
        """
        config: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value != item.default:
                config[item.name] = _plain(value, item.name, self.where)
        return config

    def _check_rank(self, input_shape: Shape, rank: int, axes: str) -> None:
        if len(input_shape) != rank:
            raise ShapeError(f"one input is {axes}", received=f"input_shape={tuple(input_shape)}")
        if input_shape[-1] is None:
            raise ShapeError("the number of channels is known", received=f"input_shape={tuple(input_shape)}")


def _draw(key: jax.Array, specification: Mapping[str, Parameter]) -> Variables:
    return {
        name: initializers.get(parameter.initializer)(jax.random.fold_in(key, number), parameter.shape)
        for number, (name, parameter) in enumerate(specification.items())
    }


def _plain(value: Any, name: str, where: str) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item, name, where) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{name}[{key!r}]", where) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "__index__"):
        return int(value)
    if hasattr(value, "__float__"):
        return float(value)
    names = initializers if name.endswith("initializer") else activations
    registered = names.name_of(value) if callable(value) else None
    if registered is None:
        raise ArgumentError(
            "a saved model holds names, not functions of your own",
            where=where,
            received=f"{name}={getattr(value, '__name__', repr(value))}",
            fix=f"Give {name} by name: {', '.join(names.FUNCTIONS)}",
        )
    return registered


_REGISTRY: dict[str, type[Layer]] = {}
LayerClass = TypeVar("LayerClass", bound=type[Layer])


def register(kind: LayerClass) -> LayerClass:
    """Let files name this layer class; loading builds only layers that were registered.

    Raises:
        ArgumentError: Another class has this name.
    """
    other = _REGISTRY.setdefault(kind.__name__, kind)
    if (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ArgumentError("a layer's class name is registered once", received=f"{kind.__name__} twice")
    _REGISTRY[kind.__name__] = kind
    return kind


def registered() -> dict[str, type[Layer]]:
    """Return every registered layer class by name."""
    return dict(_REGISTRY)


def from_config(kind: str, config: Mapping[str, Any]) -> Layer:
    """Return the layer that ``kind`` and ``to_config`` describe.

    Raises:
        ArgumentError: The class is not registered, or has no such field.
    """
    if kind not in _REGISTRY:
        raise ArgumentError("a layer is of a registered class", received=f"{kind!r}", fix=suggest(kind, _REGISTRY))
    known = {item.name for item in fields(_REGISTRY[kind])}
    unknown = [name for name in config if name not in known]
    if unknown:
        raise ArgumentError(
            f"{kind} has the fields {', '.join(sorted(known))}",
            received=f"{unknown[0]!r}",
            fix=suggest(unknown[0], known),
        )
    return _REGISTRY[kind](**{name: _tuples(value) for name, value in config.items()})


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def automatic_names(layers: Sequence[Layer]) -> list[str]:
    """Return a name for every layer: its own, or its class in snake case with a number from the second on.

    Raises:
        ArgumentError: Two different layers were given the same name.

    Example:
        >>> from convista.layers import Conv2D, Flatten
        >>> automatic_names([Conv2D(8, 3), Conv2D(8, 3), Flatten()])
        ['conv2d', 'conv2d_1', 'flatten']
    """
    given: set[str] = set()
    for layer in layers:
        if layer.name is not None and layer.name in given:
            raise ArgumentError(
                "each layer of a model has a name of its own", received=f"name={layer.name!r} twice", fix="Rename one"
            )
        if layer.name is not None:
            given.add(layer.name)
    taken = set(given)
    names = []
    for layer in layers:
        name = layer.name or _free_name(layer, taken)
        taken.add(name)
        names.append(name)
    return names


def _free_name(layer: Layer, taken: set[str]) -> str:
    stem = getattr(type(layer), "automatic_name", None) or snake_case(type(layer).__name__)
    first = getattr(type(layer), "first_number", 0)
    name, number = (stem, 0) if first == 0 else (f"{stem}_{first}", first)
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    return name


def snake_case(name: str) -> str:
    """Return a class name as Keras writes it in layer names.

    Example:
        >>> snake_case("MaxPooling2D"), snake_case("BatchNormalization")
        ('max_pooling2d', 'batch_normalization')
    """
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()
