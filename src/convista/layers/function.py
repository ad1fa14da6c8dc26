"""Functions as layers: by name in files, from a closed registry that users can add to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from convista.arguments import Absent, Shape
from convista.errors import ArgumentError, ShapeError, suggest
from convista.layers.base import Layer, register
from convista.shapes import ReceptiveField

Function = Callable[..., jax.Array]


def l2_normalize(x: jax.Array) -> jax.Array:
    """Return ``x / √(Σ x²)`` along the last axis; 0 stays 0."""
    length = jnp.sqrt(jnp.sum(jnp.square(x), -1, keepdims=True))
    return x / jnp.maximum(length, jnp.asarray(1e-6, x.dtype))


def pad(x: jax.Array, widths: Sequence[Sequence[int]], mode: str = "constant") -> jax.Array:
    """Return ``x`` with ``(before, after)`` cells more along each spatial axis, made by a mode of ``numpy.pad``."""
    return jnp.pad(x, ((0, 0), *((before, after) for before, after in widths), (0, 0)), mode)


_FUNCTIONS: dict[str, Function] = {
    "abs": jnp.abs,
    "cos": jnp.cos,
    "exp": jnp.exp,
    "l2_normalize": l2_normalize,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "negative": jnp.negative,
    "sin": jnp.sin,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
}


def register_function(name: str) -> Callable[[Function], Function]:
    """Let ``Lambda`` and saved models name a function of your own; use it as a decorator.

    A file holds only the name. Whoever loads it must have registered the function before, from code of their own.

    Args:
        name: What files call it.

    Raises:
        ArgumentError: The name is no text, or another function has it.

    Example:
        >>> @register_function("halve")
        ... def halve(x):
        ...     return x / 2
        >>> Lambda("halve").output_shape((8, 8, 3))
        (8, 8, 3)
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(
            "a function is registered under a name",
            where="register_function",
            received=f"{name!r:.100}",
            fix='Write @register_function("halve") above def halve(x): …',
        )

    def keep(function: Function) -> Function:
        other = _FUNCTIONS.setdefault(name, function)
        if _home(other) != _home(function):
            raise ArgumentError("a function's name is registered once", received=f"{name!r} twice")
        _FUNCTIONS[name] = function
        return function

    return keep


def _home(function: Function) -> tuple[object, object]:
    return getattr(function, "__module__", None), getattr(function, "__qualname__", function)


def registered_functions() -> dict[str, Function]:
    """Return every registered function by name."""
    return dict(_FUNCTIONS)


@register
@dataclass(frozen=True)
class Lambda(Layer):
    """Apply a function of arrays to the whole batch: ``y = function(x, **arguments)``.

    It must be made of JAX operations, treat each example by itself and keep the batch axis first. It learns nothing; a
    layer that learns is a class of its own. Saved models hold the name of a registered function, never its code.

    Args:
        function: A registered name, or a function. One that is not registered works until the model is saved.
        arguments: Further arguments by name: plain data.
        name: See :class:`Layer`.
        input_shape: See :class:`Layer`.
        trainable: See :class:`Layer`.

    Raises:
        ArgumentError: No function is registered under this name.

    Example:
        >>> y, _ = Lambda("square").apply({}, {}, jnp.array([[3.0]]), training=False, key=None)
        >>> y.tolist()
        [[9.0]]
        >>> Lambda(lambda x: x[:, ::2]).output_shape((9, 4))
        (5, 4)
    """

    function: str | Function
    arguments: Mapping[str, Any] | None = None

    absent_arguments: ClassVar[Mapping[str, Absent]] = {
        **Layer.absent_arguments,
        "output_shape": Absent(
            (None,), rule="the output's shape is worked out from the function", fix="Leave output_shape out"
        ),
        "mask": Absent((None,)),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._function
        if self.arguments is not None and (
            not isinstance(self.arguments, Mapping) or not all(isinstance(key, str) for key in self.arguments)
        ):
            raise ArgumentError(
                "arguments is a dictionary of names and plain data",
                where=self.where,
                received=f"arguments={self.arguments!r:.200}",
            )

    @property
    def _function(self) -> Function:
        if callable(self.function):
            return self.function
        if not isinstance(self.function, str) or self.function not in _FUNCTIONS:
            fix = suggest(str(self.function), _FUNCTIONS)
            raise ArgumentError(
                "function is the name of a registered function or a function",
                where=self.where,
                received=f"function={self.function!r:.100}",
                fix=f'{fix} A function of your own is registered with @convista.layers.register_function("its name") '
                "before it is named",
            )
        return _FUNCTIONS[self.function]

    def _applied(self, x):
        return self._function(x, **(self.arguments or {}))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that the function makes, worked out without computing anything.

        Raises:
            ShapeError: The function fails for this shape, or does not keep the batch axis.
        """
        # Sizes that vary, and the batch, stand for two different numbers; what differs then varies in the result too.
        found = [self._made((batch, *(size or vague for size in input_shape))) for batch, vague in ((2, 48), (3, 64))]
        one, two = found
        if len(one) != len(two) or one[:1] != (2,) or two[:1] != (3,):
            raise ShapeError(
                "the function keeps the batch axis first",
                received=f"a result of shape {one} for an input of shape {(2, *(size or 48 for size in input_shape))}",
                fix="Write it for whole batches: x[:, ::2] instead of x[::2]",
            )
        return tuple(size if size == other else None for size, other in zip(one[1:], two[1:], strict=True))

    def _made(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        try:
            result = jax.eval_shape(self._applied, jax.ShapeDtypeStruct(shape, jnp.float32))
        except Exception as error:
            raise ShapeError(
                "the function fails for this input",
                received=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
                + f" (input_shape={shape[1:]})",
            ) from error
        if not hasattr(result, "shape"):
            raise ShapeError("the function returns one array", received=type(result).__name__)
        return tuple(result.shape)

    def receptive_field(self, before: ReceptiveField) -> ReceptiveField | None:
        """Return the field itself for Convista's own functions, which take or copy each cell by itself.

        Nothing is known about others: all cells.
        """
        return before if isinstance(self.function, str) and self.function in {*_OWN, "pad"} else None

    def to_config(self) -> dict[str, Any]:
        """Return the fields as plain data, the function by its name.

        Raises:
            ArgumentError: The function is not registered.
        """
        if isinstance(self.function, str):
            return super().to_config()
        known = next((name for name, function in _FUNCTIONS.items() if function is self.function), None)
        if known is None:
            own = getattr(self.function, "__name__", repr(self.function))
            name = own if own.isidentifier() else "its name"
            raise ArgumentError(
                "a saved model holds the name of a registered function, never its code",
                where=self.where,
                received=f"function={own}",
                fix=f'Register it first: convista.layers.register_function("{name}")({name})',
            )
        return Lambda(known, self.arguments, name=self.name, input_shape=self.input_shape).to_config()

    def apply(self, params, state, x, *, training, key):
        """Return ``function(x, **arguments)``."""
        return self._applied(x), state


_OWN = frozenset(_FUNCTIONS)  # these take each cell by itself
_FUNCTIONS["pad"] = pad
