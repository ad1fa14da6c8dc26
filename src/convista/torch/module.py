"""What a module is: arrays under PyTorch's names, and the layers of Convista that compute with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from convista.arguments import Absent, Checked
from convista.errors import ArgumentError, ShapeError, suggest
from convista.layers.base import Layer

Arrays = dict[str, np.ndarray]
Shape = tuple[int, ...]

ABSENT = {
    "device": Absent((None, "cpu"), rule="JAX chooses the device", fix="Leave device out"),
    "dtype": Absent((None,), rule="modules compute in float32", fix="Leave dtype out"),
}

_ABSENT_METHODS = {
    "to": "JAX chooses the device and modules compute in float32: leave it out",
    "cuda": "JAX chooses the device: leave it out",
    "cpu": "Arrays of a module are NumPy arrays on the host: leave it out",
    "half": "Modules compute in float32: leave it out",
    "double": "Modules compute in float32: leave it out",
    "zero_grad": "Modules keep no gradients; to_model(net, input_shape) gives a model with fit",
    "requires_grad_": "Modules keep no gradients; to_model(net, input_shape) gives a model with fit",
}


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` did not find, and what it did not need."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module(metaclass=Checked):
    """The base of all modules: a tree of modules with arrays in it, under PyTorch's names and in its layouts.

    A network of your own is a subclass with modules as attributes and ``forward``. It is called on NumPy or JAX arrays
    and gives arrays of the same kind. Modules keep no gradients: ``convista.torch.to_model`` makes a model that learns.

    Attributes:
        training: Whether dropout drops and batch statistics are used; set by ``train`` and ``eval``.

    Example:
        >>> from convista.torch import nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden, self.top = nn.Linear(4, 3), nn.Linear(3, 2)
        ...     def forward(self, x):
        ...         return self.top(self.hidden(x))
        >>> net = Net()
        >>> list(net.state_dict()), net(np.zeros((5, 4))).shape
        (['hidden.weight', 'hidden.bias', 'top.weight', 'top.bias'], (5, 2))
    """

    absent_arguments: ClassVar[Mapping[str, Absent]] = ABSENT

    training: bool
    _parameters: dict[str, np.ndarray | None]
    _buffers: dict[str, np.ndarray]
    _modules: dict[str, Module]

    def __new__(cls, *args: Any, **options: Any):
        module = super().__new__(cls)
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(module, name, {})
        object.__setattr__(module, "training", True)
        return module

    def __getattr__(self, name: str) -> Any:
        for group in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(group, ()):
                return self.__dict__[group][name]
        kind = type(self).__name__
        if name in _ABSENT_METHODS:
            raise AttributeError(f"{kind} has no {name!r}. {_ABSENT_METHODS[name]}.")
        known = [item for item in dir(self) if not item.startswith("_")]
        raise AttributeError(f"{kind} has no {name!r}. {suggest(name, known)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            self.__dict__.pop(name, None)
            self._modules[name] = value
        elif name in self._parameters:
            self._parameters[name] = self._replacement(name, self._parameters[name], value)
        elif name in self._buffers:
            self._buffers[name] = self._replacement(name, self._buffers[name], value)
        else:
            self._modules.pop(name, None)
            object.__setattr__(self, name, value)

    def _replacement(self, name: str, old: np.ndarray | None, value: Any) -> np.ndarray:
        if old is None:
            fix = f"Make the module with {name}=True"
            raise ArgumentError(f"this module has no {name}", where=repr(self), received=f"{name}={value!r}", fix=fix)
        array = as_array(value, f"{name} of {type(self).__name__}").astype(old.dtype)
        if array.shape != old.shape:
            raise ShapeError(f"{name} has shape {old.shape}", where=repr(self), received=f"shape {array.shape}")
        return array

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Return ``forward(*inputs)``: NumPy arrays for NumPy arrays, JAX arrays for JAX arrays."""
        if all(isinstance(x, jax.Array) for x in inputs):
            return self.forward(*inputs, **options)
        arrays = (x if isinstance(x, jax.Array) else jnp.asarray(as_array(x, "x")) for x in inputs)
        y = self.forward(*arrays, **options)
        return np.asarray(y) if isinstance(y, jax.Array) else y

    def forward(self, *inputs: Any) -> Any:
        """Return what the module computes; a subclass says what."""
        raise ArgumentError(
            "a module says in forward what it computes",
            where=type(self).__name__,
            received="a class without forward",
            fix="Write def forward(self, x): … in it",
        )

    def train(self, mode: bool = True):
        """Let dropout drop and batch normalisation use the batch's statistics; return the module."""
        for module in self.modules():
            object.__setattr__(module, "training", bool(mode))
        return self

    def eval(self):
        """Return the module, set to use and not to learn: the opposite of ``train``."""
        return self.train(False)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, each once, with its path."""
        seen: set[int] = set()
        for name, module in self._tree(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _tree(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, module in self._modules.items():
            yield from module._tree(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules directly below, by name."""
        return iter(self._modules.items())

    def children(self) -> Iterator[Module]:
        """Yield the modules directly below."""
        return iter(self._modules.values())

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield what is learned, by name, each once: the arrays themselves."""
        for path, module in self.named_modules():
            for name, array in module._parameters.items():
                if array is not None:
                    yield _joined(path, name), array

    def parameters(self) -> Iterator[np.ndarray]:
        """Yield what is learned: ``sum(p.size for p in net.parameters())`` counts it."""
        return (array for _, array in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield what is kept but not learned, by name."""
        for path, module in self.named_modules():
            for name, array in module._buffers.items():
                yield _joined(path, name), array

    def buffers(self) -> Iterator[np.ndarray]:
        """Yield what is kept but not learned."""
        return (array for _, array in self.named_buffers())

    def count_params(self) -> int:
        """Return how many numbers are learned."""
        return sum(array.size for array in self.parameters())

    def _places(self) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield each name of the state dictionary, the dictionary that holds its array, and its name there."""
        for path, module in self._tree(""):
            groups: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
            for group in groups:
                for name, array in group.items():
                    if array is not None:
                        yield _joined(path, name), group, name

    def state_dict(self) -> Arrays:
        """Return copies of all arrays by name, what is learned and what is kept, in PyTorch's names and layouts."""
        return {path: group[name].copy() for path, group, name in self._places()}

    def load_state_dict(self, state_dict: Any, strict: bool = True) -> IncompatibleKeys:
        """Take arrays by name, all or none.

        Args:
            state_dict: A dictionary of arrays (NumPy, JAX, tensors of PyTorch), or the path of a file: see
                ``convista.torch.load``.
            strict: Whether each name must be in both; shapes must agree in any case.

        Returns:
            The names that were missing and those that were left over.

        Raises:
            ArgumentError: Names are missing or left over, or shapes differ; the message lists them.

        Example:
            >>> from convista.torch import nn
            >>> nn.Linear(2, 1).load_state_dict({"weight": [[1.0, 2.0]], "bias": [0.5]})
            <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            from convista.torch.state_files import load

            state_dict = load(state_dict)
        places = list(self._places())
        names = {path for path, _, _ in places}
        result = IncompatibleKeys(
            [path for path, _, _ in places if path not in state_dict],
            [str(name) for name in state_dict if name not in names],
        )
        given = {
            path: as_array(state_dict[path], path).astype(group[name].dtype)
            for path, group, name in places
            if path in state_dict
        }
        wrong = [
            f"{path} {given[path].shape} for {group[name].shape}"
            for path, group, name in places
            if path in given and given[path].shape != group[name].shape
        ]
        if wrong or (strict and any(result)):
            raise _mismatch(self, result if strict else IncompatibleKeys([], []), wrong)
        for path, group, name in places:
            if path in given:
                group[name] = given[path]
        return result

    def extra_repr(self) -> str:
        """Return the arguments as the representation shows them."""
        return ""

    def __repr__(self) -> str:
        kind, inside = type(self).__name__, self.extra_repr()
        if not self._modules:
            return f"{kind}({inside})"
        lines = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        return "\n  ".join([f"{kind}({inside}", *lines]) + "\n)"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _mismatch(module: Module, result: IncompatibleKeys, wrong: list[str]) -> ArgumentError:
    parts = [
        f"{words}: {_listed(names)}"
        for words, names in (
            ("missing", result.missing_keys),
            ("left over", result.unexpected_keys),
            ("of another shape", wrong),
        )
        if names
    ]
    prefix = "module."
    fix = "strict=False takes what fits by name" if not wrong else "Build the module with the sizes of the file"
    if result.unexpected_keys and all(name.startswith(prefix) for name in result.unexpected_keys):
        fix = 'Take the prefix off: {name.removeprefix("module."): array for name, array in state_dict.items()}'
    return ArgumentError(
        "the names and shapes of a state_dict are those of the module",
        where=f"{type(module).__name__}.load_state_dict",
        received="; ".join(parts),
        fix=fix,
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def as_array(value: Any, name: str) -> np.ndarray:
    """Return a NumPy copy of an array, of nested lists or of a tensor of PyTorch: real numbers, floats as float32.

    Raises:
        ArgumentError: It is none.
    """
    if hasattr(value, "detach"):  # a tensor of PyTorch may ask for a gradient or lie on another device
        value = value.detach().cpu().float().numpy()
    try:
        array = np.array(value)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "fiub" and array.dtype.name not in ("bfloat16", "float16"):
        raise ArgumentError(
            "a module takes arrays of real numbers",
            where=name,
            received=f"{type(value).__name__} of {array.dtype}",
            fix="Write numpy.asarray(x, numpy.float32)",
        )
    return array if array.dtype.kind in "iu" else array.astype(np.float32)


@dataclass(frozen=True)
class Place:
    """Where an array of a module stands in a layer, and how its axes are ordered there.

    Args:
        own: Its name in the module, such as ``"weight"``.
        name: Its name in the layer, such as ``"kernel"``.
        order: For each axis of the layer's array, which axis of the module's it is.
        kept: Whether it is kept and not learned.
        pixels: ``(channels, *sizes)`` of what was flattened before: PyTorch counts its rows channel by channel,
            Convista position by position.
    """

    own: str
    name: str
    order: tuple[int, ...] = (0,)
    kept: bool = False
    pixels: Shape | None = None

    def to_layer(self, array: np.ndarray) -> np.ndarray:
        """Return the layer's array."""
        moved = array.transpose(self.order)
        if self.pixels is not None:
            rows = moved.reshape(*self.pixels, -1)
            moved = np.moveaxis(rows, 0, len(self.pixels) - 1).reshape(moved.shape)
        return np.ascontiguousarray(moved)

    def to_module(self, array: np.ndarray) -> np.ndarray:
        """Return the module's array: the inverse."""
        if self.pixels is not None:
            channels, *sizes = self.pixels
            rows = array.reshape(*sizes, channels, -1)
            array = np.moveaxis(rows, len(sizes), 0).reshape(array.shape)
        return np.ascontiguousarray(array.transpose(tuple(np.argsort(self.order))))


@dataclass(frozen=True)
class Step:
    """One layer of Convista that a module stands for.

    Args:
        layer: The layer; its data has the channels last.
        places: Where its arrays come from; none for layers without.
    """

    layer: Layer
    places: tuple[Place, ...] = ()

    def run(self, module: Module, x: jax.Array, key: jax.Array | None = None) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return ``(y, state)`` for a batch with the channels last."""
        arrays: list[dict[str, jax.Array]] = [{}, {}]
        for place in self.places:
            arrays[place.kept][place.name] = jnp.asarray(place.to_layer(getattr(module, place.own)))
        return self.layer.apply(arrays[0], arrays[1], x, training=module.training, key=key)


class LayerModule(Module):
    """A module that stands for layers of Convista, one after another."""

    def steps(self, shape: Shape) -> list[Step]:
        """Return the layers for one input of ``shape``, channels first and without the batch axis.

        Raises:
            ShapeError: The module cannot take it.
            ArgumentError: Convista has no layer that does this.
        """
        raise NotImplementedError

    def checked_steps(self, shape: Shape) -> tuple[list[Step], Shape]:
        """Return the layers, and the shape that comes out with the channels first."""
        try:
            steps = self.steps(shape)
            sizes: Any = channels_last(shape)
            for step in steps:
                sizes = step.layer.output_shape(sizes)
        except ShapeError as error:
            if error.where is not None:
                raise
            received = f"an input of shape {shape}, channels first"
            raise ShapeError(error.rule, where=repr(self), received=received, fix=error.fix) from None
        return steps, channels_first(sizes)


class SpatialModule(LayerModule):
    """A module for pictures, sequences or volumes with the channels first: ``(batch, channels, *sizes)``."""

    rank: ClassVar[int] = 2
    takes_single: ClassVar[bool] = True  # also one example, without the batch axis

    def forward(self, x: jax.Array) -> jax.Array:
        """Return the result, with the channels first as they came."""
        single = self.takes_single and x.ndim == self.rank + 1
        y = self._batch(self._checked(x[None] if single else x))
        return y[0] if single else y

    def _checked(self, x: jax.Array) -> jax.Array:
        if x.ndim != self.rank + 2:
            rule = f"the input is (batch, {_AXES[self.rank]})"
            raise ShapeError(rule, where=repr(self), received=f"shape {x.shape}")
        return x.astype(jnp.float32)

    def checked_steps(self, shape: Shape) -> tuple[list[Step], Shape]:
        """Return the layers, and the shape that comes out with the channels first."""
        if len(shape) not in self._lengths:
            raise ShapeError(
                f"one input is ({_AXES[self.rank]})",
                where=repr(self),
                received=f"shape {shape}",
                fix=f"Leave the batch axis out: {shape[1:]}" if len(shape) - 1 in self._lengths else None,
            )
        return super().checked_steps(shape)

    @property
    def _lengths(self) -> tuple[int, ...]:
        """How many axes one example may have."""
        return (self.rank + 1,)

    def _batch(self, x: jax.Array) -> jax.Array:
        y = jnp.moveaxis(x, 1, -1)
        for step in self.checked_steps(x.shape[1:])[0]:
            y, _ = step.run(self, y)
        return jnp.moveaxis(y, -1, 1)


_AXES = {1: "channels, length", 2: "channels, height, width", 3: "channels, depth, height, width"}


def channels_last(shape: Sequence[Any]) -> Any:
    """Return the shape of one example with its first size last.

    Example:
        >>> channels_last((3, 28, 56))
        (28, 56, 3)
    """
    return (*shape[1:], *shape[:1])


def channels_first(shape: Sequence[Any]) -> Any:
    """Return the shape of one example with its last size first.

    Example:
        >>> channels_first((28, 56, 3))
        (3, 28, 56)
    """
    return (*shape[-1:], *shape[:-1])


def check_channels(module: Module, shape: Shape, channels: int, name: str) -> None:
    """Refuse an example of another number of channels.

    Raises:
        ShapeError: It has another.
    """
    if shape[0] == channels:
        return
    last = len(shape) > 1 and shape[-1] == channels
    order = (0, len(shape), *range(1, len(shape)))
    raise ShapeError(
        f"the input has {channels} channels, as {name} says",
        where=repr(module),
        received=f"an input of shape {tuple(shape)}, channels first",
        fix=f"The channels are last here: x.transpose{order}" if last else f"Write {name}={shape[0]}",
    )


def refuse_tracing(module: Module, x: jax.Array, what: str) -> None:
    """Refuse to do inside a transformation of JAX what would be done once, when it is traced.

    Raises:
        ArgumentError: ``x`` is being traced.
    """
    if isinstance(x, jax.core.Tracer):
        raise ArgumentError(
            f"a module in training {what}, which jax.jit, jax.grad and others cannot see",
            where=repr(module),
            received="a call inside a transformation of JAX",
            fix="Call net.eval() before, or differentiate convista.torch.to_model(net, input_shape).apply",
        )


def shown(values: Sequence[int], default: int) -> bool:
    """Whether a representation shows an argument: where one of its values is not the default."""
    return any(value != default for value in values)
