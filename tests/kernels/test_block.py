"""The native block against double-precision loops and single operations, under every transformation."""

from __future__ import annotations

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import convista.ops.convolution
import convista.ops.pooling  # noqa: F401 - both say what other platforms run
from convista.kernels import block as native
from convista.kernels.geometry import BlockGeometry, ConvolutionGeometry
from oracles import window_loops

PLAIN = ConvolutionGeometry((1, 1), ((0, 0), (0, 0)), (1, 1))
SAME = ConvolutionGeometry((1, 1), ((1, 1), (1, 0)), (1, 1))


def numbers(*shapes, seed=0) -> list[jax.Array]:
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.standard_normal(shape), jnp.float32) for shape in shapes]


def arguments(x_shape, kernel_shape, seed=0) -> list[jax.Array]:
    return numbers(x_shape, kernel_shape, kernel_shape[-1:], seed=seed)


# One program for each geometry serves all instruction sets: they are chosen when it runs.
@functools.partial(jax.jit, static_argnums=4)
def results(x, kernel, bias, dy, geometry):
    y, backward = jax.vjp(lambda *a: native.block(*a, geometry), x, kernel, bias)
    return (y, *backward(dy))


@functools.partial(jax.jit, static_argnums=2)
def plain_winners(x, kernel, geometry):
    """What the kernels for single operations see: numbers that are nearly equal may win in another order in float64."""
    return native.BLOCK_AND_WINNER.bind(x, kernel, jnp.zeros(kernel.shape[-1:]), geometry=geometry)[1]


def spread(dy, y, winner, geometry, sizes):
    """dy where each window's winner stands, the slow obvious way."""
    full = np.zeros((dy.shape[0], *sizes, dy.shape[-1]))
    for at in np.ndindex(*dy.shape):
        cell = np.unravel_index(winner[at], geometry.size)
        place = [p * k + c for p, k, c in zip(at[1:-1], geometry.size, cell, strict=True)]
        if y[at] > 0 or not geometry.relu:
            full[(at[0], *place, at[-1])] = dy[at]
    return full


def exact_block(x, kernel, bias, dy, y, geometry):
    """Return y and the three gradients in double precision, and sums of absolute values for tolerances."""
    sizes = geometry.convolution.outputs(x.shape[1:-1], kernel.shape[:-2])
    winner = np.asarray(plain_winners(x, kernel, geometry)) if geometry.pools else np.zeros(dy.shape, int)
    full = spread(np.asarray(dy, np.float64), np.asarray(y), winner, geometry, sizes)
    (sums, dx, dw), shares = window_loops.convolution(x, kernel, full, geometry.convolution)
    pooled, _ = window_loops.max_pooling(sums, dy, geometry.pooling)
    right = pooled + np.asarray(bias, np.float64)
    right = np.maximum(right, 0) if geometry.relu else right
    share, _ = window_loops.max_pooling(shares[0], dy, geometry.pooling)
    axes = tuple(range(full.ndim - 1))
    return (right, dx, dw, full.sum(axes)), (share + np.abs(bias), *shares[1:], np.abs(full).sum(axes))


def wrong(got, exact, shares) -> float:
    """Largest error, as a multiple of what rounding of so large a sum may bring."""
    return float(np.max(np.abs(np.asarray(got, np.float64) - exact) / (4e-6 * shares + 1e-7), initial=0))


def check(x_shape, kernel_shape, geometry, seed=0) -> None:
    x, kernel, bias = arguments(x_shape, kernel_shape, seed)
    (dy,) = numbers((x_shape[0], *geometry.outputs(x_shape[1:-1], kernel_shape[:-2]), kernel_shape[-1]), seed=seed + 1)
    got = results(x, kernel, bias, dy, geometry)
    exact, shares = exact_block(x, kernel, bias, dy, got[0], geometry)
    for ours, right, share in zip(got, exact, shares, strict=True):
        assert ours.dtype == jnp.float32
        assert wrong(ours, right, share) < 1
        assert wrong(np.asarray(ours) * (1 + 1e-4) + 1e-4, right, share) > 1  # the tolerance can be missed


GRID = [
    ((2, 9, 8, 1), (3, 3, 1, 32), BlockGeometry(PLAIN, (2, 2), relu=True)),
    ((3, 8, 7, 20), (3, 3, 20, 33), BlockGeometry(SAME, (2, 2), relu=True)),
    ((3, 8, 7, 20), (3, 3, 20, 33), BlockGeometry(SAME, (2, 2), relu=False)),
    ((2, 7, 7, 32), (3, 3, 32, 70), BlockGeometry(PLAIN, (2, 3), relu=True)),
    ((2, 6, 5, 16), (3, 2, 16, 8), BlockGeometry(PLAIN, (1, 1), relu=True)),
    ((18, 7, 6, 64), (3, 3, 64, 48), BlockGeometry(PLAIN, (2, 2), relu=True)),
    ((18, 5, 6, 64), (3, 3, 64, 48), BlockGeometry(SAME, (1, 1), relu=True)),
    ((2, 6, 5, 3), (3, 2, 3, 8), BlockGeometry(PLAIN, (1, 1), relu=False)),
    (
        (2, 9, 9, 6),
        (2, 3, 2, 9),
        BlockGeometry(ConvolutionGeometry((1, 2), ((0, 1), (2, 0)), (2, 1), 3), (2, 2), relu=True),
    ),
    (
        (2, 7, 6, 4),
        (3, 3, 1, 8),
        BlockGeometry(ConvolutionGeometry((1, 1), ((1, 1), (1, 1)), (1, 1), 4), (3, 2), relu=True),
    ),
    ((2, 40, 16), (5, 16, 10), BlockGeometry(ConvolutionGeometry((1,), ((4, 3),), (3,)), (4,), relu=True)),
    (
        (1, 4, 5, 4, 16),
        (2, 3, 2, 16, 6),
        BlockGeometry(ConvolutionGeometry((1, 1, 1), ((1, 0), (1, 1), (0, 1)), (1, 1, 2)), (2, 2, 1), relu=True),
    ),
]


@pytest.mark.parametrize(("x_shape", "kernel_shape", "geometry"), GRID)
def test_it_equals_the_loops(instruction_set, x_shape, kernel_shape, geometry) -> None:
    check(x_shape, kernel_shape, geometry)


def check_bfloat16(x_shape, kernel_shape, geometry, seed=0) -> None:
    x, kernel, bias = arguments(x_shape, kernel_shape, seed)
    (dy,) = numbers((x_shape[0], *geometry.outputs(x_shape[1:-1], kernel_shape[:-2]), kernel_shape[-1]), seed=seed + 1)
    x, dy = x.astype(jnp.bfloat16), dy.astype(jnp.bfloat16)
    kernel = kernel.astype(jnp.bfloat16).astype(jnp.float32)
    got = results(x, kernel, bias, dy, geometry)
    assert [array.dtype for array in got] == [jnp.bfloat16, jnp.bfloat16, jnp.float32, jnp.float32]
    exact, shares = exact_block(*(np.asarray(a, np.float32) for a in (x, kernel, bias, dy, got[0])), geometry)
    for ours, right, share in zip(got, exact, shares, strict=True):
        # Rounding to 8 bits, where the result is bfloat16, is at most 1/256 of it.
        slack = np.abs(right) / 250 if ours.dtype == jnp.bfloat16 else 0
        values = np.asarray(ours, np.float64)
        assert np.all(np.abs(values - right) <= slack + 4e-6 * share + 1e-6)
        assert not np.all(np.abs(values * 1.02 + 1e-3 - right) <= slack + 4e-6 * share + 1e-6)


@pytest.mark.parametrize(("x_shape", "kernel_shape", "geometry"), GRID)
def test_blocks_of_bfloat16_equal_the_loops(bfloat16_instruction_set, x_shape, kernel_shape, geometry) -> None:
    check_bfloat16(x_shape, kernel_shape, geometry)


@st.composite
def blocks(draw):
    axes = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    inner, outer = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    sizes = [draw(st.integers(1, 20 if axes == 1 else 6)) for _ in range(axes)]
    window = [draw(st.integers(1, 3)) for _ in range(axes)]
    dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
    pads = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes)]
    strides = [draw(st.integers(1, 2)) for _ in range(axes)]
    convolution = ConvolutionGeometry(tuple(strides), tuple(pads), tuple(dilation), groups)
    cells = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    geometry = BlockGeometry(convolution, cells, draw(st.booleans()))
    hypothesis.assume(min(geometry.outputs(tuple(sizes), tuple(window))) > 0)
    return (draw(st.integers(1, 3)), *sizes, inner * groups), (*window, inner, outer * groups), geometry


@pytest.mark.parametrize("batch", range(2, 14))
def test_any_number_of_pictures(library, batch) -> None:
    check((batch, 18, 18, 3), (3, 3, 3, 12), BlockGeometry(PLAIN, (2, 2), relu=True))


@pytest.mark.slow
@hypothesis.given(blocks(), st.integers(0, 99))
@hypothesis.settings(max_examples=12)
def test_any_block_equals_the_loops(library, case, seed) -> None:
    check(*case, seed=seed)


def test_of_equals_the_first_gets_the_gradient(instruction_set) -> None:
    geometry = BlockGeometry(PLAIN, (2, 2), relu=True)
    x, kernel, bias = jnp.ones((1, 4, 4, 20)), jnp.ones((1, 1, 20, 17)), jnp.zeros(17)
    gradient = jax.grad(lambda x: jnp.sum(native.block(x, kernel, bias, geometry)))(x)
    first = np.zeros((4, 4))
    first[::2, ::2] = 17
    np.testing.assert_array_equal(gradient[0, :, :, 19], first)


def test_at_zero_and_at_nan_relu_lets_nothing_through(instruction_set) -> None:
    geometry = BlockGeometry(PLAIN, (2, 2), relu=True)
    x, kernel = jnp.ones((1, 2, 2, 20)), jnp.ones((1, 1, 20, 3))
    bias = jnp.array([-20.0, jnp.nan, 1.0])
    y, backward = jax.vjp(lambda b: native.block(x, kernel, b, geometry), bias)
    np.testing.assert_array_equal(y[0, 0, 0], [0, np.nan, 21])
    np.testing.assert_array_equal(backward(jnp.full((1, 1, 1, 3), 5.0))[0], [0, 0, 5])


@pytest.mark.parametrize("strange", [np.nan, np.inf])
@pytest.mark.parametrize("which", [0, 1, 3])
@pytest.mark.parametrize("channels", [1, 20])
def test_strange_numbers_come_out_where_single_operations_bring_them(instruction_set, strange, which, channels) -> None:
    geometry = BlockGeometry(SAME, (2, 2), relu=True)
    operands = [*arguments((2, 8, 9, channels), (3, 3, channels, 17)), *numbers((2, 4, 4, 17), seed=5)]
    operands[which] = operands[which].at[(1,) * operands[which].ndim if channels > 1 else 0].set(strange)
    y, backward = jax.vjp(lambda *a: native._composed(*a, geometry=geometry), *operands[:3])
    for ours, theirs in zip(results(*operands, geometry), (y, *backward(operands[3])), strict=True):
        np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))


TRANSFORMATIONS = {
    "jit": jax.jit,
    "grad": lambda f: jax.grad(bent(f), (0, 1, 2)),
    "grad by input": lambda f: jax.grad(bent(f)),
    "grad by kernel and bias": lambda f: jax.grad(bent(f), (1, 2)),
    "jvp": lambda f: lambda *a: jax.jvp(f, a, turned(a)),
    "forward over reverse": lambda f: lambda *a: jax.jvp(jax.grad(bent(f), (0, 1, 2)), a, turned(a)),
    "reverse over reverse": lambda f: jax.grad(
        lambda *a: sum(jnp.sum(leaf.astype(jnp.float32) ** 2) for leaf in jax.grad(bent(f), (0, 1, 2))(*a)), (0, 1, 2)
    ),
    "reverse over forward": lambda f: jax.grad(
        lambda x, k, b: jnp.sum(jax.jvp(lambda k: f(x, k, b), (k,), (jnp.cos(k),))[1] ** 2)
    ),
    "jacfwd": lambda f: lambda x, k, b: jax.jacfwd(lambda s: f(x, s * k, b))(jnp.float32(2)),
    "vmap of pictures": lambda f: lambda x, k, b: jax.vmap(f, (0, None, None))(jnp.stack([x, 2 * x]), k, b),
    "vmap of kernels": lambda f: lambda x, *w: jax.vmap(f, (None, 0, 0))(x, *(jnp.stack([v, 2 * v]) for v in w)),
    "vmap of grad": lambda f: (
        lambda x, k, b: jax.vmap(jax.grad(bent(f), (0, 1, 2)), (0, None, None))(jnp.stack([x, 2 * x]), k, b)
    ),
    "scan": lambda f: lambda *a: jax.lax.scan(lambda c, _: (c, jax.grad(bent(f), (0, 1, 2))(*a)), 0, length=2)[1],
}


def bent(f):
    return lambda *a: jnp.sum(jnp.sin(f(*a)))


def turned(operands):
    return tuple(jnp.cos(operand) for operand in operands)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("size", [(2, 2), (1, 1)])
def test_transformations(library, name, size) -> None:
    geometry = BlockGeometry(SAME, size, relu=True)
    operands = arguments((2, 6, 7, 20), (3, 2, 20, 5))
    transform = TRANSFORMATIONS[name]
    got = jax.jit(transform(lambda *a: native.block(*a, geometry)))(*operands)
    right = jax.jit(transform(lambda *a: native._composed(*a, geometry=geometry)))(*operands)
    for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(right), strict=True):
        assert ours.shape == theirs.shape
        scale = float(jnp.abs(theirs).max()) + 1
        assert float(jnp.abs(ours - theirs).max()) < 2e-5 * scale
        assert not np.allclose(np.asarray(ours) + 1e-3 * scale, theirs, atol=2e-5 * scale)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("size", [(2, 2), (1, 1)])
def test_transformations_of_bfloat16(library, name, size) -> None:
    geometry = BlockGeometry(SAME, size, relu=True)
    x, kernel, bias = arguments((2, 6, 7, 20), (3, 2, 20, 5))
    operands = (x.astype(jnp.bfloat16), kernel / 20, bias / 5)  # small, so that the sine does not magnify rounding

    def block(x, kernel, bias):  # derivatives of higher order add up squares, which bfloat16 would not hold
        return native.block(x, kernel, bias, geometry).astype(jnp.float32)

    transform = TRANSFORMATIONS[name]
    got = jax.jit(transform(block))(*operands)
    right = jax.jit(transform(lambda x, k, b: native._composed(x.astype(jnp.float32), k, b, geometry=geometry)))(
        *operands
    )
    for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(right), strict=True):
        assert ours.shape == theirs.shape
        scale = float(jnp.abs(theirs.astype(jnp.float32)).max()) + 1
        error = np.abs(np.asarray(ours, np.float32) - np.asarray(theirs, np.float32))
        # Winners that nearly tie differ between the precisions, and with them single gradients.
        assert np.mean(error > 0.02 * scale) < 0.03, (error.max(), scale)
        assert not np.mean(error + 0.1 * scale > 0.02 * scale) < 0.03


def test_only_what_is_asked_for_is_computed(library) -> None:
    geometry = BlockGeometry(SAME, (2, 2), relu=True)
    operands = arguments((2, 6, 7, 20), (3, 2, 20, 5))
    program = jax.jit(jax.grad(bent(lambda *a: native.block(*a, geometry)), (1, 2))).lower(*operands).as_text()
    assert "by_input = false" in program
    assert "by_kernel = true" in program


def test_inside_shard_map(library) -> None:
    geometry = BlockGeometry(SAME, (2, 2), relu=True)
    operands = arguments((2, 6, 7, 20), (3, 2, 20, 5))
    mesh = Mesh(np.array(jax.devices()[:1]), ("device",))
    everywhere, split = PartitionSpec(), PartitionSpec("device")

    def gradients(*a):
        total = lambda k, b: jax.lax.psum(bent(lambda *a: native.block(*a, geometry))(a[0], k, b), "device")  # noqa: E731
        return jax.grad(total, (0, 1))(*a[1:])

    shared = jax.jit(
        jax.shard_map(gradients, mesh=mesh, in_specs=(split, everywhere, everywhere), out_specs=everywhere)
    )
    right = jax.grad(bent(lambda *a: native.block(*a, geometry)), (1, 2))(*operands)
    for ours, theirs in zip(shared(*operands), right, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_other_platforms_get_no_native_calls(library) -> None:
    geometry = BlockGeometry(SAME, (2, 2), relu=True)
    operands = arguments((2, 6, 7, 20), (3, 2, 20, 5))
    traced = jax.jit(jax.grad(bent(lambda *a: native.block(*a, geometry)), (0, 1, 2))).trace(*operands)
    assert "convista" in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "convista" not in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_what_it_does_not_take(library) -> None:
    x, kernel, bias = arguments((2, 6, 7, 4), (3, 2, 4, 5))
    right = BlockGeometry(SAME, (2, 2), relu=True)
    assert native.takes(x, kernel, bias, right)
    assert native.takes(x.astype(jnp.bfloat16), kernel, bias, right)
    assert not native.takes(x.astype(jnp.float16), kernel, bias, right)
    assert not native.takes(x, kernel, bias.astype(jnp.bfloat16), right)
    assert not native.takes(x[:0], kernel, bias, right)
    assert not native.takes(x, kernel, bias, BlockGeometry(SAME, (7, 2), relu=True))
    large = jnp.ones((1, 40, 40, 1))
    assert not native.takes(large, kernel[:, :, :1], bias, BlockGeometry(SAME, (17, 17), relu=True))
