"""The block gives the values and gradients of its operations one by one, whatever it runs through."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.kernels import selection
from convista.ops.activation import relu as rectified
from convista.ops.block import block
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.ops.pooling import PoolingGeometry, max_pooling

SAME = ConvolutionGeometry((1, 1), ((1, 1), (1, 1)), (1, 1))
POOLINGS = {
    "none": None,
    "tiles": PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0))),
    "tiles that drop a row": PoolingGeometry((3, 2), (3, 2), ((0, 0), (0, 0))),
    "overlapping": PoolingGeometry((3, 3), (2, 2), ((0, 0), (0, 0))),
    "over the edge": PoolingGeometry((2, 2), (2, 2), ((0, 1), (1, 0))),
    "too many cells for a byte": PoolingGeometry((19, 19), (19, 19), ((0, 0), (0, 0))),
}


def one_by_one(x, kernel, bias, pooling, relu):
    y = convolution(x, kernel, SAME) + bias
    y = rectified(y) if relu else y
    return y if pooling is None else max_pooling(y, pooling)


def numbers(dtype=jnp.float32):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.standard_normal(s), dtype) for s in ((2, 20, 21, 3), (3, 3, 3, 17), (17,))]


def value_and_gradients(function, operands):
    y, backward = jax.vjp(function, *operands)
    return [y, *backward(jnp.cos(y))]


@pytest.mark.parametrize("kernels", ["native", "xla"])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("name", POOLINGS)
def test_it_is_its_operations_one_by_one(name, relu, kernels, monkeypatch):
    if kernels == "native" and not selection.describe().native:
        pytest.skip("no native kernels")
    if kernels == "xla":
        monkeypatch.setattr(selection, "describe", lambda: selection.Selection("xla", "a test"))
    pooling, operands = POOLINGS[name], numbers()
    found = value_and_gradients(lambda *a: block(*a, SAME, pooling, relu=relu), operands)
    right = value_and_gradients(lambda *a: one_by_one(*a, pooling, relu), operands)
    for ours, theirs in zip(found, right, strict=True):
        scale = float(jnp.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6 * scale)
        assert not np.allclose(ours * 1.001, theirs, rtol=1e-5, atol=2e-6 * scale)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("name", [name for name in POOLINGS if name != "none"])
def test_pooled_values_are_the_same_to_the_bit(name, relu):
    operands = numbers()
    ours = block(*operands, SAME, POOLINGS[name], relu=relu)
    np.testing.assert_array_equal(ours, one_by_one(*operands, POOLINGS[name], relu))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_the_dtype_is_kept(dtype):
    y = jax.eval_shape(lambda *a: block(*a, SAME, POOLINGS["tiles"], relu=True), *numbers(dtype))
    assert y.dtype == dtype


def test_nothing_is_lost_where_there_is_nothing():
    x, kernel, bias = numbers()
    assert block(x[:0], kernel, bias, SAME, POOLINGS["tiles"]).shape == (0, 10, 10, 17)
