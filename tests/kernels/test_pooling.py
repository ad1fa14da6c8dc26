"""Native pooling against double-precision loops and XLA, on every instruction set, under every transformation."""

from __future__ import annotations

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.kernels import pooling as native
from convista.kernels.geometry import PoolingGeometry
from convista.ops import pooling as ops
from convista.ops.taps import taps
from oracles import window_loops

BLOCKS = PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))
OVERLAP = PoolingGeometry((3, 2), (2, 1), ((1, 1), (0, 1)))


def whole_numbers(*shapes, seed=0) -> list[jax.Array]:
    """Small whole numbers: ties are common, and sums are exact."""
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.integers(-4, 5, shape), jnp.float32) for shape in shapes]


@functools.partial(jax.jit, static_argnums=(0, 3))
def results(pool, x, dy, geometry):
    y, backward = jax.vjp(lambda x: pool(x, geometry), x)
    return y, backward(dy)[0]


def check(x_shape, geometry, seed=0) -> None:
    outputs = window_loops.outputs_of(
        x_shape[1:-1], geometry.size, geometry.strides, geometry.pads, (1,) * len(geometry.size)
    )
    x, dy = whole_numbers(x_shape, (x_shape[0], *outputs, x_shape[-1]), seed=seed)
    for got, exact in zip(
        results(native.max_pooling, x, dy, geometry), window_loops.max_pooling(x, dy, geometry), strict=True
    ):
        np.testing.assert_array_equal(got, exact)
    for got, exact in zip(
        results(native.average_pooling, x, dy, geometry), window_loops.average_pooling(x, dy, geometry), strict=True
    ):
        np.testing.assert_allclose(got, exact, rtol=0, atol=1e-5)


def geometry(size, strides, pads) -> PoolingGeometry:
    return PoolingGeometry(tuple(size), tuple(strides), tuple(pads))


GRID = [
    ((2, 8, 9, 32), BLOCKS),
    ((2, 7, 6, 17), BLOCKS),
    ((2, 6, 7, 3), OVERLAP),
    ((2, 5, 6, 1), geometry((3, 3), (1, 1), ((1, 1), (1, 1)))),
    ((2, 7, 5, 20), geometry((2, 3), (3, 2), ((0, 1), (1, 1)))),
    ((2, 40, 5), geometry((35,), (3,), ((2, 1),))),
    ((1, 300, 2), geometry((280,), (9,), ((3, 0),))),
    ((1, 5, 4, 5, 9), geometry((2, 2, 3), (1, 2, 2), ((0, 1), (0, 0), (1, 1)))),
]


@pytest.mark.parametrize(("x_shape", "geometry"), GRID)
def test_it_equals_the_loops(instruction_set, x_shape, geometry) -> None:
    check(x_shape, geometry)


@st.composite
def poolings(draw):
    axes = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 30 if axes == 1 else 5)) for _ in range(axes)]
    window = [draw(st.integers(1, 4)) for _ in range(axes)]
    pads = [(draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in window]
    for n, k, (a, b) in zip(sizes, window, pads, strict=True):
        hypothesis.assume(n + a + b >= k)
    strides = [draw(st.integers(1, 3)) for _ in range(axes)]
    return (draw(st.integers(1, 3)), *sizes, draw(st.integers(1, 35))), geometry(window, strides, pads)


@hypothesis.given(poolings(), st.integers(0, 99))
@hypothesis.settings(max_examples=15)
def test_any_pooling_equals_the_loops(library, case, seed) -> None:
    check(*case, seed=seed)


def test_the_first_of_equals_wins(instruction_set) -> None:
    x = jnp.ones((1, 4, 4, 20))
    gradient = jax.grad(lambda x: jnp.sum(native.max_pooling(x, BLOCKS)))(x)
    first = np.zeros((4, 4))
    first[::2, ::2] = 1
    np.testing.assert_array_equal(gradient[0, :, :, 19], first)


def test_nan_and_infinity(instruction_set) -> None:
    x = jnp.full((1, 2, 4, 20), -jnp.inf).at[0, 1, 0, 3].set(jnp.nan).at[0, 0, 2, 4].set(jnp.inf)
    y = np.asarray(native.max_pooling(x, BLOCKS))
    assert np.isnan(y[0, 0, 0, 3])
    assert y[0, 0, 1, 4] == np.inf
    assert y[0, 0, 1, 5] == -np.inf


def test_a_window_of_minus_infinity_gives_its_gradient_to_the_first_cell(instruction_set) -> None:
    gradient = jax.grad(lambda x: jnp.sum(native.max_pooling(x, BLOCKS)))(jnp.full((1, 2, 2, 20), -jnp.inf))
    np.testing.assert_array_equal(gradient[0, :, :, 19], [[1, 0], [0, 0]])


def test_a_window_in_the_padding_is_minus_infinity_and_takes_no_gradient(library) -> None:
    outside = geometry((2,), (2,), ((2, 0),))
    (x,) = whole_numbers((1, 4, 3))
    y, dx = results(native.max_pooling, x, jnp.ones((1, 3, 3)), outside)
    assert bool((y[:, 0] == -jnp.inf).all())
    assert float(dx.sum()) == 6
    tangent = jax.jvp(lambda x: native.max_pooling(x, outside), (x,), (jnp.ones_like(x),))[1]
    np.testing.assert_array_equal(tangent[0, :, 0], [0, 1, 1])


TRANSFORMATIONS = {
    "jit": jax.jit,
    "grad": lambda f: jax.grad(lambda x: jnp.sum(jnp.sin(f(x)))),
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (jnp.cos(x),)),
    "hessian": lambda f: lambda x: jax.hessian(lambda b: jnp.sum(jnp.sin(f(x * b))))(jnp.float32(0.3)),
    "reverse over reverse": lambda f: jax.grad(lambda x: jnp.sum(jax.grad(lambda x: jnp.sum(f(x) ** 3))(x) ** 2)),
    "vmap": lambda f: lambda x: jax.vmap(f)(jnp.stack([x, 2 * x])),
    "vmap of grad": lambda f: lambda x: jax.vmap(jax.grad(lambda x: jnp.sum(jnp.sin(f(x)))))(jnp.stack([x, 2 * x])),
    "vmap of cotangents": lambda f: lambda x: jax.vmap(lambda s: jax.vjp(f, x)[1](s * f(x))[0])(jnp.arange(3.0)),
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, _: (c + jnp.mean(f(x)), f(x)), jnp.float32(1), length=3),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("kind", ["max", "average", "sum"])
def test_transformations(library, name, kind) -> None:
    random = np.random.default_rng(1)
    # No ties: XLA's own derivatives split them.
    x = jnp.asarray(random.permutation(2 * 6 * 7 * 5).reshape(2, 6, 7, 5) / 100, jnp.float32)
    ours, theirs = {
        "max": (native.max_pooling, xla_max),
        "average": (native.average_pooling, xla_average),
        "sum": (native.sum_pooling, xla_sum),
    }[kind]
    transform = TRANSFORMATIONS[name]
    got = jax.jit(transform(lambda x: ours(x, OVERLAP)))(x)
    right = jax.jit(transform(lambda x: theirs(x, OVERLAP)))(x)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def xla_max(x, window):
    """The largest cells as a gather and a maximum, which XLA differentiates in both modes and twice."""
    return jnp.max(stacked_cells(x, window, -jnp.inf), axis=0)


def xla_sum(x, window):
    return jnp.sum(stacked_cells(x, window, 0), axis=0)


def xla_average(x, window):
    return xla_sum(x, window) / xla_sum(jnp.ones_like(x), window)


def stacked_cells(x, window, outside):
    padded = jnp.pad(x, ((0, 0), *window.pads, (0, 0)), constant_values=outside)
    return jnp.stack(taps(padded, window.size, window.strides, (1,) * len(window.size)))


def test_large_windows_of_xla_have_gradients_in_compiled_programs() -> None:
    window = geometry((40,), (2,), ((1, 0),))
    x, dy = whole_numbers((2, 50, 3), (2, 6, 3))
    for pool, loops in (
        (ops._max_through_xla, window_loops.max_pooling),
        (ops._average_through_xla, window_loops.average_pooling),
    ):
        for got, exact in zip(results(pool, x, dy, window), loops(x, dy, window), strict=True):
            np.testing.assert_allclose(got, exact, atol=1e-5)


@pytest.mark.parametrize("size", [2, 40])
def test_other_platforms_get_no_native_calls(library, size) -> None:
    window = geometry((size,), (2,), ((1, 0),))
    (x,) = whole_numbers((2, 50, 3))

    def total(x):
        pooled = native.max_pooling(x, window), native.average_pooling(x, window), native.sum_pooling(x, window)
        return sum(jnp.sum(y**2) for y in pooled)

    traced = jax.jit(jax.grad(total)).trace(x)
    assert "convista" in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "custom_call" not in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_what_other_platforms_run_equals_the_kernels(library) -> None:
    x, dy = whole_numbers((2, 6, 7, 5), (2, 3, 7, 5))
    y, winner = native.MAX_AND_WINNER.bind(x, geometry=OVERLAP)
    for ours, theirs in zip((y, winner), ops._max_and_winner(x, geometry=OVERLAP), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    shape = {"geometry": OVERLAP, "shape": x.shape}
    np.testing.assert_array_equal(native.SPREAD.bind(dy, winner, **shape), ops._spread(dy, winner, **shape))
    np.testing.assert_allclose(native.AVERAGE_GRADIENT.bind(dy, **shape), ops._average_gradient(dy, **shape), atol=1e-6)
    np.testing.assert_allclose(native.SUM_GRADIENT.bind(dy, **shape), ops._sum_gradient(dy, **shape), atol=1e-5)


def test_the_operations_choose_the_kernels(library) -> None:
    (x,) = whole_numbers((2, 6, 7, 5))
    for pool in (ops.max_pooling, ops.average_pooling, ops.sum_pooling):
        program = lambda x, pool=pool: str(jax.make_jaxpr(lambda x: pool(x, OVERLAP))(x))  # noqa: E731
        assert "convista" in program(x)
        assert "convista" in program(x.astype(jnp.bfloat16))
        assert "convista" not in program(x.astype(jnp.float16))


@pytest.mark.parametrize(
    ("x_shape", "geometry"), [((2, 8, 9, 32), BLOCKS), ((2, 9, 8, 40), BLOCKS), ((2, 6, 7, 3), OVERLAP)]
)
def test_bfloat16_is_float32_rounded_once(bfloat16_instruction_set, x_shape, geometry) -> None:
    outputs = geometry.outputs(x_shape[1:-1])
    x, dy = whole_numbers(x_shape, (x_shape[0], *outputs, x_shape[-1]))
    for pool in (native.max_pooling, native.average_pooling):
        ours = results(pool, x.astype(jnp.bfloat16), dy.astype(jnp.bfloat16), geometry)
        for got, exact in zip(ours, results(pool, x, dy, geometry), strict=True):
            assert got.dtype == jnp.bfloat16
            np.testing.assert_array_equal(got, exact.astype(jnp.bfloat16))
            assert not np.array_equal(got, (exact * 1.01 + 0.01).astype(jnp.bfloat16))
