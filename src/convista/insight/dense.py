"""The sparse matrix that a convolution is: which input is connected with which output, and through which weight."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convista import arguments
from convista.errors import ArgumentError, MemoryLimitError, ShapeError
from convista.shapes import times

if TYPE_CHECKING:
    from convista.layers.base import Layer

MOST_CONNECTIONS = 1 << 25
"""So many connections are 400 MB of places and values."""

MOST_CELLS = 1 << 26
"""So many cells of a dense array are 256 MB."""

_CELLS_AT_ONCE = 1 << 22
_LARGEST_WHOLE = 1 << 24  # float32 counts exactly up to here


@dataclass(frozen=True, eq=False)
class DenseMatrix:
    """A linear layer as the matrix of a dense layer: one entry for each connection, zeros left out.

    Inputs and outputs are counted in row-major order, channels last, as ``ravel()`` writes them.

    Args:
        input_shape: Shape of one input.
        output_shape: Shape of one output.
        rows: The output of each connection, int64 ``(connections,)``, in ascending order.
        columns: The input of each connection, int64 ``(connections,)``.
        values: Its weight, float32 ``(connections,)``.
        places: Which of the layer's weights it is, counted from 0 in the order of the raveled kernel, int64
            ``(connections,)``; ``None`` where a connection is a product of several weights or of none.
        weights: How many weights the layer has, its bias left out.
        bias: What is added to each output, float32 ``(outputs,)``.

    Example:
        >>> from convista.layers import Conv2D
        >>> matrix = as_dense(Conv2D(1, 2), (3, 3, 1))
        >>> print(matrix.toarray().astype(int))
        [[1 2 0 3 4 0 0 0 0]
         [0 1 2 0 3 4 0 0 0]
         [0 0 0 1 2 0 3 4 0]
         [0 0 0 0 1 2 0 3 4]]
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    places: np.ndarray | None
    weights: int
    bias: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return math.prod(self.output_shape), math.prod(self.input_shape)

    @property
    def connections(self) -> int:
        """Entries of the matrix that the geometry allows to be other than zero."""
        return len(self.rows)

    @property
    def dense_connections(self) -> int:
        """Connections, and weights, of a dense layer between as many inputs and outputs."""
        outputs, inputs = self.shape
        return outputs * inputs

    def text(self) -> str:
        """The three counts in a sentence."""
        return (
            f"A dense layer from {times(self.input_shape)} to {times(self.output_shape)} has "
            f"{self.dense_connections:,} connections and as many weights; here there are {self.connections:,} "
            f"connections and {self.weights:,} weight{'s' if self.weights != 1 else ''}."
        )

    def document(self) -> dict[str, Any]:
        """The counts as plain data."""
        return {
            "input_shape": list(self.input_shape),
            "output_shape": list(self.output_shape),
            "dense_connections": self.dense_connections,
            "connections": self.connections,
            "weights": self.weights,
        }

    def toarray(self) -> np.ndarray:
        """Return the whole matrix, zeros and all, float32 ``(outputs, inputs)``.

        Raises:
            MemoryLimitError: It has more than 67,108,864 cells.
        """
        if self.dense_connections > MOST_CELLS:
            raise MemoryLimitError(
                f"a whole matrix has at most {MOST_CELLS:,} cells",
                where="toarray",
                received=f"{self.shape[0]:,} × {self.shape[1]:,} = {self.dense_connections:,}",
                fix="Use rows, columns and values, or matrix @ x, or a smaller input_shape",
            )
        whole = np.zeros(self.shape, np.float32)
        whole[self.rows, self.columns] = self.values
        return whole

    def compressed_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ``(values, columns, starts)``: row ``r`` has the entries ``starts[r]`` to ``starts[r + 1]`` (CSR).

        These are the arguments of ``scipy.sparse.csr_array((values, columns, starts), matrix.shape)``.
        """
        return self.values, self.columns, np.searchsorted(self.rows, np.arange(self.shape[0] + 1))

    def __matmul__(self, x: Any) -> np.ndarray:
        """Return ``matrix · x`` for one raveled input, float64 ``(outputs,)``; the bias is not added."""
        x = np.asarray(x)
        if x.shape != (self.shape[1],):
            raise ShapeError(
                f"the matrix takes {self.shape[1]} inputs in a row",
                where="DenseMatrix",
                received=f"{x.shape}",
                fix="Write matrix @ x.ravel()",
            )
        return np.bincount(self.rows, self.values * x[self.columns].astype(np.float64), self.shape[0])


def as_dense(layer: Layer, input_shape: tuple[int, ...], params: Mapping[str, Any] | None = None) -> DenseMatrix:
    """Return the matrix of the dense layer that computes the same as a convolution, or as any other linear layer.

    The matrix is read off the layer itself: a picture with a single 1 comes out as one column. First every weight is
    1, which shows the connections; then the weights are 1, 2, 3, …, which shows the weight behind each of them. So it
    holds for every kind of convolution (strides, dilation, padding, groups, depthwise, transposed) and for average
    pooling, padding and resizing. Activation and bias are left out; the bias is kept beside the matrix.

    Args:
        layer: A layer whose output is linear in its input.
        input_shape: Shape of one input, without the batch axis.
        params: The layer's numbers, such as ``model.params["conv2d"]``; ``None`` numbers the weights 1, 2, 3, …

    Returns:
        The matrix, with ``matrix @ x.ravel() + matrix.bias`` the layer's output before its activation.

    Raises:
        ArgumentError: The layer is not linear, such as max pooling, or no layer.
        ShapeError: The layer cannot take this shape, or ``params`` has others.
        MemoryLimitError: There are more than 33,554,432 connections.

    Example:
        >>> from convista.layers import Conv2D
        >>> print(as_dense(Conv2D(1, 2), (3, 3, 1)).text())
        A dense layer from 3×3×1 to 2×2×1 has 36 connections and as many weights; here there are 16 connections and 4
        weights.
        >>> five = as_dense(Conv2D(1, 3), (5, 5, 1))
        >>> five.dense_connections, five.connections, five.weights
        (225, 81, 9)

    Source: lecture 003, «Свертки»: 36, 16 and 4; 225 and 9.
    """
    _check_layer(layer)
    inputs = _known(input_shape)
    bare = _without(layer, {"use_bias": False, "activation": None})
    outputs = _known(bare.output_shape(inputs))
    _check_count(bare.multiply_accumulates(inputs), layer)
    sizes = {name: parameter.shape for name, parameter in bare.parameters(inputs).items()}
    given = _numbered(sizes) if params is None else _given(sizes, params, layer)
    forward = _Forward(bare)
    _check_linear(forward, inputs, given, layer)
    rows, columns = _entries(forward, inputs, outputs, {name: np.ones(size) for name, size in sizes.items()}, layer)
    places = None
    total = sum(math.prod(size) for size in sizes.values())
    if len(sizes) == 1 and total < _LARGEST_WHOLE:
        places = _read(forward, inputs, outputs, _numbered(sizes), rows, columns).astype(np.int64) - 1
        (array,) = given.values()
        values = np.asarray(array, np.float32).ravel()[places]
    else:
        values = _read(forward, inputs, outputs, given, rows, columns)
    return DenseMatrix(inputs, outputs, rows, columns, values, places, total, _bias(layer, inputs, params, outputs))


def _check_layer(layer: Any) -> None:
    from convista.layers.base import Layer

    if not isinstance(layer, Layer):
        raise ArgumentError(
            "it is made for one layer",
            where="as_dense",
            received=f"{type(layer).__name__}" if hasattr(layer, "get_layer") else f"{layer!r:.100}",
            fix='Take one out of the model: model.get_layer("conv2d")'
            if hasattr(layer, "get_layer")
            else "For example as_dense(Conv2D(1, 2), (3, 3, 1))",
        )


def _known(shape: Any) -> tuple[int, ...]:
    sizes = arguments.shape(shape, "input_shape", where="as_dense")
    if None in sizes:
        raise ShapeError(
            "every size is known",
            where="as_dense",
            received=f"input_shape={sizes}",
            fix="Write the size of a picture, for example (28, 28, 1)",
        )
    return tuple(size or 0 for size in sizes)


def _without(layer: Layer, parts: Mapping[str, Any]) -> Layer:
    fields = {field.name for field in dataclasses.fields(layer)}
    return dataclasses.replace(layer, **{name: value for name, value in parts.items() if name in fields})


def _numbered(sizes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return weights 1, 2, 3, …, counted on from array to array."""
    found, first = {}, 1
    for name, size in sizes.items():
        count = math.prod(size)
        found[name] = np.arange(first, first + count).reshape(size)
        first += count
    return found


def _given(sizes: Mapping[str, tuple[int, ...]], params: Mapping[str, Any], layer: Layer) -> dict[str, Any]:
    for name, size in sizes.items():
        if name not in params or tuple(np.shape(params[name])) != size:
            received = f"{name} of shape {np.shape(params[name])}" if name in params else f"only {', '.join(params)}"
            raise ShapeError(
                f"for this input {name} has the shape {size}",
                where=f"as_dense, {layer.where}",
                received=received if params else "no arrays",
                fix='Give the numbers of this very layer, for example model.params["conv2d"]',
            )
    return {name: params[name] for name in sizes}


def _check_count(connections: int, layer: Layer) -> None:
    if connections > MOST_CONNECTIONS:
        raise MemoryLimitError(
            f"a matrix has at most {MOST_CONNECTIONS:,} connections",
            where=f"as_dense, {layer.where}",
            received=f"{connections:,}",
            fix="Give a smaller input_shape: the pattern is the same",
        )


class _Forward:
    """A layer as a function of weights and pictures, compiled once for all weights."""

    def __init__(self, layer: Layer):
        import jax

        def run(arrays: dict[str, Any], x: jax.Array) -> jax.Array:
            return layer.apply(arrays, {}, x, training=False, key=None)[0]

        self.layer, self._run = layer, jax.jit(run)

    def __call__(self, params: Mapping[str, Any], x: np.ndarray) -> np.ndarray:
        import jax.numpy as jnp

        arrays = {name: jnp.asarray(array, jnp.float32) for name, array in params.items()}
        return np.asarray(self._run(arrays, jnp.asarray(x, jnp.float32)))


def _check_linear(forward: _Forward, inputs: tuple[int, ...], params: Mapping[str, Any], given: Layer) -> None:
    x = np.random.default_rng(0).normal(size=(3, *inputs)).astype(np.float32)
    x[2] = 2 * x[0] - 3 * x[1]
    if forward.layer.merges or forward.layer.statistics(inputs):
        difference = math.inf
    else:
        y = forward(params, np.concatenate([x, np.zeros((1, *inputs), np.float32)])).astype(np.float64)
        wrong = max(float(np.abs(y[2] - 2 * y[0] + 3 * y[1]).max()), float(np.abs(y[3]).max()))
        difference = wrong / max(float(np.abs(y).max()), 1e-30)
    if not difference < 1e-3:
        raise ArgumentError(
            "only a linear layer is a matrix: convolution, average pooling, padding, resizing, Dense",
            where="as_dense",
            received=given.where,
            fix="Look at the convolution before it; activation and bias are left out by themselves",
        )


def _columns(forward: _Forward, inputs: tuple[int, ...], outputs: int, params: Any) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first input and the outputs of every few inputs, one picture with a single 1 after another."""
    total = math.prod(inputs)
    together = max(1, min(total, _CELLS_AT_ONCE // max(total, outputs)))
    for first in range(0, total, together):
        ones = np.zeros((together, total), np.float32)
        spots = np.arange(first, min(first + together, total))
        ones[np.arange(len(spots)), spots] = 1
        yield first, forward(params, ones.reshape(together, *inputs)).reshape(together, -1)[: len(spots)]


def _entries(
    forward: _Forward, inputs: tuple[int, ...], outputs: tuple[int, ...], params: Any, given: Layer
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the entries that are not zero, row by row."""
    rows, columns, found = [], [], 0
    for first, block in _columns(forward, inputs, math.prod(outputs), params):
        column, row = np.nonzero(block)
        found += len(row)
        _check_count(found, given)
        rows.append(row)
        columns.append(column + first)
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    return row[order].astype(np.int64), column[order].astype(np.int64)


def _read(
    forward: _Forward,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    params: Any,
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    """Return the matrix's values at known entries, also where they are zero."""
    values = np.zeros(len(rows), np.float32)
    order = np.argsort(columns, kind="stable")
    sorted_columns = columns[order]
    for first, block in _columns(forward, inputs, math.prod(outputs), params):
        begin, end = np.searchsorted(sorted_columns, (first, first + len(block)))
        here = order[begin:end]
        values[here] = block[columns[here] - first, rows[here]]
    return values


def _bias(
    layer: Layer, inputs: tuple[int, ...], params: Mapping[str, Any] | None, outputs: tuple[int, ...]
) -> np.ndarray:
    if params is None or "bias" not in params or "bias" not in layer.parameters(inputs):
        return np.zeros(math.prod(outputs), np.float32)
    return np.broadcast_to(np.asarray(params["bias"], np.float32), outputs).ravel()
