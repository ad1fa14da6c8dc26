"""Convolution, bias, relu and max pooling in one native kernel, and all their gradients in another.

Pictures are float32 or bfloat16, kernel, bias and their gradients float32.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad, batching

from convista.kernels import convolution, native, pooling, primitive
from convista.kernels.geometry import BlockGeometry

_MOST_CELLS = 256  # the number of a winner is a byte


def takes(x: jax.Array, kernel: jax.Array, bias: jax.Array, geometry: BlockGeometry) -> bool:
    """Whether the native kernels can do this block; the rest is for the operations one by one."""
    return (
        convolution.takes(x, kernel, geometry.convolution)
        and bias.dtype == np.float32
        and min(*x.shape, *kernel.shape) > 0
        and math.prod(geometry.size) <= _MOST_CELLS
        and min(geometry.outputs(x.shape[1:-1], kernel.shape[:-2])) > 0
    )


def block(x: jax.Array, kernel: jax.Array, bias: jax.Array, geometry: BlockGeometry) -> jax.Array:
    """Return the block of ``x`` (batch, …, channels) with ``kernel`` (…, channels // groups, filters) and ``bias``."""
    return BLOCK.bind(*primitive.varying_alike(x, kernel, bias), geometry=geometry)


def _attributes(geometry: BlockGeometry) -> dict:
    return {
        **convolution.attributes(geometry.convolution),
        "window": np.array(geometry.size, np.int64),
        "relu": geometry.relu,
    }


def _output_shape(x, kernel, geometry):
    return (x.shape[0], *geometry.outputs(x.shape[1:-1], kernel.shape[:-2]), kernel.shape[-1])


def _forward(x, kernel, bias, *, geometry):
    y = jax.ShapeDtypeStruct(_output_shape(x, kernel, geometry), x.dtype)
    return native.call(native.pictures("block_forward", x.dtype), [y], x, kernel, bias, **_attributes(geometry))[0]


def _forward_and_winner(x, kernel, bias, *, geometry):
    shape = _output_shape(x, kernel, geometry)
    results = [jax.ShapeDtypeStruct(shape, dtype) for dtype in (x.dtype, np.uint8)]
    return native.call(native.pictures("block_forward", x.dtype), results, x, kernel, bias, **_attributes(geometry))


def _gradient(gradient, x, kernel, y, *winner, geometry, wanted):
    results = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in _gradient_shapes(x, kernel, wanted)]
    by = dict(zip(("by_input", "by_kernel", "by_bias"), wanted, strict=True))
    handler = native.pictures("block_gradient", x.dtype)
    return native.call(handler, results, x, kernel, y, gradient, *winner, **_attributes(geometry), **by)


def _gradient_shapes(x, kernel, wanted):
    every = ((x.shape, x.dtype), (kernel.shape, np.dtype(np.float32)), (kernel.shape[-1:], np.dtype(np.float32)))
    return [shape for shape, want in zip(every, wanted, strict=True) if want]


# The same in single operations, for other platforms, forward mode and second derivatives.


def _composed(x, kernel, bias, *, geometry):
    y = convolution.FORWARD.bind(x, kernel, geometry=geometry.convolution)
    return _finished(pooling.MAX.bind(y, geometry=geometry.pooling) if geometry.pools else y, bias, geometry)


def _composed_with_winner(x, kernel, bias, *, geometry):
    y = convolution.FORWARD.bind(x, kernel, geometry=geometry.convolution)
    y, winner = pooling.MAX_AND_WINNER.bind(y, geometry=geometry.pooling)
    return [_finished(y, bias, geometry), winner]


def _finished(y, bias, geometry):
    y = _with_bias(y, bias)
    return jax.nn.relu(y) if geometry.relu else y


def _with_bias(y, bias):
    return (y.astype(bias.dtype) + bias).astype(y.dtype)


def _let_through(gradient, y, geometry):
    return jnp.where(y > 0, gradient, jnp.zeros((), gradient.dtype)) if geometry.relu else gradient


def _composed_tangent(*operands, geometry, wanted):
    given = iter(operands)
    by_input, by_kernel, by_bias = (next(given) if want else None for want in wanted)
    x, kernel, y, *winner = given
    convolve = convolution.FORWARD
    terms = []
    if by_input is not None:
        terms.append(convolve.bind(by_input, kernel, geometry=geometry.convolution))
    if by_kernel is not None:
        terms.append(convolve.bind(x, by_kernel, geometry=geometry.convolution))
    if geometry.pools:
        terms = [pooling.PICK.bind(term, *winner, geometry=geometry.pooling) for term in terms]
    if by_bias is not None:
        terms.append(jnp.broadcast_to(by_bias, y.shape).astype(y.dtype))
    return _let_through(sum(terms[1:], terms[0]), y, geometry)


def _composed_gradient(gradient, x, kernel, y, *winner, geometry, wanted):
    by_input, by_kernel, by_bias = wanted
    gradient = _let_through(gradient, y, geometry)
    results = []
    spread = gradient
    if geometry.pools and (by_input or by_kernel):
        sizes = geometry.convolution.outputs(x.shape[1:-1], kernel.shape[:-2])
        shape = (x.shape[0], *sizes, kernel.shape[-1])
        spread = pooling.SPREAD.bind(gradient, *winner, geometry=geometry.pooling, shape=shape)
    constants = {"geometry": geometry.convolution}
    if by_input:
        results.append(convolution.INPUT_GRADIENT.bind(spread, kernel, **constants, shape=x.shape))
    if by_kernel:
        results.append(convolution.KERNEL_GRADIENT.bind(x, spread, **constants, shape=kernel.shape))
    if by_bias:
        results.append(jnp.sum(gradient, tuple(range(gradient.ndim - 1)), dtype=np.float32))
    return results


def _aval(x, kernel, bias, *, geometry):
    return x.update(shape=_output_shape(x, kernel, geometry), weak_type=False)


def _avals_with_winner(x, kernel, bias, *, geometry):
    y = _aval(x, kernel, bias, geometry=geometry)
    return [y, y.update(dtype=np.dtype(np.uint8))]


def _tangent_aval(*operands, geometry, wanted):
    y = operands[sum(wanted) + 2]
    return y.update(weak_type=False)


def _gradient_avals(gradient, x, kernel, y, *winner, geometry, wanted):
    return [y.update(shape=shape, dtype=dtype, weak_type=False) for shape, dtype in _gradient_shapes(x, kernel, wanted)]


BLOCK = primitive.primitive("block", _forward, _aval)
BLOCK_AND_WINNER = primitive.primitive("block_and_winner", _forward_and_winner, _avals_with_winner, results=2)
# Tangents of what is wanted of x, kernel and bias, then x, kernel, y and the winners: linear in the first.
TANGENT = primitive.primitive("block_tangent", _composed_tangent, _tangent_aval)
GRADIENT = primitive.primitive("block_gradient", _gradient, _gradient_avals, results=2)
primitive.through_xla(BLOCK, _composed)
primitive.through_xla(BLOCK_AND_WINNER, _composed_with_winner)
primitive.through_xla(TANGENT, _composed_tangent)
primitive.through_xla(GRADIENT, _composed_gradient)


def _derivative(primals, tangents, *, geometry):
    if all(type(tangent) is ad.Zero for tangent in tangents):
        y = BLOCK.bind(*primals, geometry=geometry)
        return y, ad.Zero(jax.typeof(y).to_tangent_aval())
    if geometry.pools:
        y, *winner = BLOCK_AND_WINNER.bind(*primals, geometry=geometry)
    else:
        y, winner = BLOCK.bind(*primals, geometry=geometry), []
    return y, _tangent(primals, tangents, y, winner, geometry)


def _tangent(primals, tangents, y, winner, geometry):
    x, kernel, _ = primals
    wanted = tuple(type(tangent) is not ad.Zero for tangent in tangents)
    given = [tangent for tangent, want in zip(tangents, wanted, strict=True) if want]
    return TANGENT.bind(*given, x, kernel, y, *winner, geometry=geometry, wanted=wanted)


def _derivative_with_winner(primals, tangents, *, geometry):
    y, winner = BLOCK_AND_WINNER.bind(*primals, geometry=geometry)
    nothing = [ad.Zero(jax.typeof(result).to_tangent_aval()) for result in (y, winner)]
    if all(type(tangent) is ad.Zero for tangent in tangents):
        return [y, winner], nothing
    return [y, winner], [_tangent(primals, tangents, y, [winner], geometry), nothing[1]]


def _tangent_derivative(primals, tangents, *, geometry, wanted):
    count = sum(wanted)
    if all(type(tangent) is ad.Zero for tangent in tangents[count:]):
        y = TANGENT.bind(*primals, geometry=geometry, wanted=wanted)
        return y, _linear_tangent(primals, tangents[:count], y, geometry, wanted)
    return _through_parts(_composed_tangent, primals, tangents, geometry=geometry, wanted=wanted)


def _linear_tangent(primals, tangents, y, geometry, wanted):
    some = [type(tangent) is not ad.Zero for tangent in tangents]
    if not any(some):
        return ad.Zero(jax.typeof(y).to_tangent_aval())
    following = iter(some)
    of_these = tuple(want and next(following) for want in wanted)
    given = [tangent for tangent, is_some in zip(tangents, some, strict=True) if is_some]
    return TANGENT.bind(*given, *primals[len(tangents) :], geometry=geometry, wanted=of_these)


def _gradient_derivative(primals, tangents, *, geometry, wanted):
    if all(type(tangent) is ad.Zero for tangent in tangents):
        results = GRADIENT.bind(*primals, geometry=geometry, wanted=wanted)
        return results, [ad.Zero(jax.typeof(result).to_tangent_aval()) for result in results]
    return _through_parts(_composed_gradient, primals, tangents, geometry=geometry, wanted=wanted)


def _through_parts(function, primals, tangents, **constants):
    """Differentiate the operations one by one; the winners, the last operand, have no derivative."""
    places = [number for number, tangent in enumerate(tangents) if type(tangent) is not ad.Zero]

    def of_these(*chosen):
        operands = list(primals)
        for number, operand in zip(places, chosen, strict=True):
            operands[number] = operand
        return function(*operands, **constants)

    return jax.jvp(of_these, [primals[number] for number in places], [tangents[number] for number in places])


def _transposed(cotangent, *operands, geometry, wanted):
    count = sum(wanted)
    nothing = [None] * (len(operands) - count)
    asked = [ad.is_undefined_primal(operand) for operand in operands[:count]]
    if type(cotangent) is ad.Zero:
        return [ad.Zero(o.aval) if ask else None for o, ask in zip(operands, asked, strict=False)] + nothing
    following = iter(asked)
    of_these = tuple(want and next(following) for want in wanted)
    results = iter(GRADIENT.bind(cotangent, *operands[count:], geometry=geometry, wanted=of_these))
    return [next(results) if ask else None for ask in asked] + nothing


def _mapped(operation, function):
    def rule(arrays, axes, **constants):
        mapped = jax.vmap(lambda *arrays: function(*arrays, **constants), axes)
        results = mapped(*arrays)
        return (results, [0] * len(results)) if operation.multiple_results else (results, 0)

    batching.primitive_batchers[operation] = rule


ad.primitive_jvps[BLOCK] = _derivative
ad.primitive_jvps[BLOCK_AND_WINNER] = _derivative_with_winner
ad.primitive_jvps[TANGENT] = _tangent_derivative
ad.primitive_transposes[TANGENT] = _transposed
ad.primitive_jvps[GRADIENT] = _gradient_derivative
for _operation in (BLOCK, BLOCK_AND_WINNER):
    primitive.map_batches(_operation, (True, False, False))
# Rare: one gradient for each example. The operations one by one know how.
_mapped(TANGENT, _composed_tangent)
_mapped(GRADIENT, _composed_gradient)
