"""Native convolution against double-precision loops and XLA, on every instruction set, under every transformation."""

from __future__ import annotations

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.kernels import convolution as native
from convista.kernels.geometry import ConvolutionGeometry
from convista.ops import convolution as ops
from oracles import window_loops

PLAIN = ConvolutionGeometry((1, 1), ((0, 0), (0, 0)), (1, 1))
WHOLE = ConvolutionGeometry((2, 1), ((1, 2), (0, 1)), (1, 2), 2)


def numbers(*shapes: tuple[int, ...], seed: int = 0) -> list[jax.Array]:
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.standard_normal(shape), jnp.float32) for shape in shapes]


# One program for each geometry serves all instruction sets: they are chosen when it runs.
@functools.partial(jax.jit, static_argnums=3)
def results(x, kernel, dy, geometry):
    y, backward = jax.vjp(lambda x, kernel: native.forward(x, kernel, geometry), x, kernel)
    return (y, *backward(dy))


def wrong(got, exact, shares) -> float:
    """Largest error, as a multiple of what rounding of so large a sum may bring."""
    return float(np.max(np.abs(np.asarray(got, np.float64) - exact) / (4e-6 * shares + 1e-7), initial=0))


def check(x_shape, kernel_shape, geometry, seed=0):
    outputs = window_loops.outputs_of(
        x_shape[1:-1], kernel_shape[:-2], geometry.strides, geometry.pads, geometry.dilation
    )
    x, kernel, dy = numbers(x_shape, kernel_shape, (x_shape[0], *outputs, kernel_shape[-1]), seed=seed)
    exact, shares = window_loops.convolution(x, kernel, dy, geometry)
    for got, right, share in zip(results(x, kernel, dy, geometry), exact, shares, strict=True):
        assert got.dtype == jnp.float32
        assert wrong(got, right, share) < 1
        assert wrong(np.asarray(got) * (1 + 1e-4) + 1e-4, right, share) > 1  # the tolerance can be missed


def geometry(strides, pads, dilation, groups=1):
    return ConvolutionGeometry(tuple(strides), tuple(pads), tuple(dilation), groups)


GRID = [
    ((2, 9, 8, 1), (3, 3, 1, 32), PLAIN),
    ((2, 7, 7, 3), (3, 3, 3, 17), PLAIN),
    ((3, 6, 5, 32), (3, 3, 32, 64), PLAIN),
    ((2, 7, 8, 5), (3, 2, 5, 7), geometry((2, 1), ((1, 2), (0, 1)), (1, 2))),
    ((2, 8, 9, 6), (2, 3, 2, 9), geometry((1, 2), ((0, 1), (2, 0)), (2, 1), 3)),
    ((2, 7, 6, 20), (3, 3, 1, 20), geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 20)),
    ((2, 7, 6, 4), (3, 3, 1, 12), geometry((2, 2), ((0, 1), (1, 1)), (1, 1), 4)),
    ((2, 5, 5, 33), (1, 1, 33, 18), PLAIN),
    ((17, 5, 6, 64), (3, 3, 64, 48), geometry((1, 1), ((1, 1), (1, 1)), (1, 1))),
    ((33, 6, 5, 40), (3, 3, 40, 64), geometry((2, 1), ((1, 0), (0, 1)), (1, 1))),
    ((1, 4, 4, 3), (1, 1, 3, 5), geometry((3, 2), ((0, 0), (0, 0)), (1, 1))),
    ((2, 40, 3), (5, 3, 10), geometry((2,), ((4, 3),), (3,))),
    ((1, 4, 5, 4, 3), (2, 3, 2, 3, 6), geometry((1, 2, 1), ((1, 0), (1, 1), (0, 1)), (1, 1, 2))),
    ((1, 3, 3, 2), (3, 3, 2, 4), geometry((5, 5), ((3, 3), (3, 3)), (1, 1))),
]


@pytest.mark.parametrize(("x_shape", "kernel_shape", "geometry"), GRID)
def test_it_equals_the_loops(instruction_set, x_shape, kernel_shape, geometry) -> None:
    check(x_shape, kernel_shape, geometry)


@st.composite
def convolutions(draw):
    axes = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inner, outer = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    sizes = [draw(st.integers(1, 30 if axes == 1 else 5)) for _ in range(axes)]
    window = [draw(st.integers(1, 3)) for _ in range(axes)]
    dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
    pads = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes)]
    for n, k, d, (a, b) in zip(sizes, window, dilation, pads, strict=True):
        hypothesis.assume(n + a + b >= (k - 1) * d + 1)
    strides = [draw(st.integers(1, 3)) for _ in range(axes)]
    batch = draw(st.integers(1, 3))
    shape = geometry(strides, pads, dilation, groups)
    return (batch, *sizes, inner * groups), (*window, inner, outer * groups), shape


@hypothesis.given(convolutions(), st.integers(0, 99))
@hypothesis.settings(max_examples=15)
def test_any_convolution_equals_the_loops(library, case, seed) -> None:
    check(*case, seed=seed)


def both(function, *arguments):
    """The same function of convolution through the native kernels and through XLA."""
    return (
        function(lambda x, k: native.forward(x, k, WHOLE), *arguments),
        function(lambda x, k: ops._xla_convolution(x, k, WHOLE), *arguments),
    )


X, KERNEL = (2, 6, 5, 4), (3, 2, 2, 6)


def assert_close(pair, tolerance=2e-5) -> None:
    ours, theirs = map(jax.tree.leaves, pair)
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        scale = float(np.abs(b).max()) + 1
        assert float(np.abs(np.asarray(a) - np.asarray(b)).max()) < tolerance * scale


def bent(convolve):
    return lambda x, k: jnp.sum(jnp.sin(convolve(x, k)))


@pytest.mark.parametrize(
    "transform",
    [
        jax.jit,
        lambda f: jax.grad(bent(f), (0, 1)),
        lambda f: lambda x, k: jax.jvp(f, (x, k), (jnp.cos(x), jnp.sin(k))),
        lambda f: lambda x, k: jax.jvp(jax.grad(bent(f), (0, 1)), (x, k), (jnp.cos(x), jnp.sin(k))),
        lambda f: jax.grad(lambda x, k: jnp.sum(jax.grad(bent(f), 1)(x, k) ** 2), (0, 1)),
        lambda f: lambda x, k: jax.jacfwd(lambda b: f(x, k * b))(jnp.float32(2)),
        lambda f: jax.grad(jax.checkpoint(bent(f)), (0, 1)),
        lambda f: lambda x, k: jax.lax.scan(lambda c, _: (c + jnp.mean(f(x, k * c)), f(x, k)), jnp.float32(1), None, 3),
    ],
    ids=["jit", "grad", "jvp", "forward over reverse", "reverse over reverse", "jacfwd", "checkpoint", "scan"],
)
def test_transformations(library, transform) -> None:
    x, kernel = numbers(X, KERNEL)
    assert_close(both(lambda f: jax.jit(transform(f))(x, kernel)))


def test_it_runs_where_compilation_is_switched_off(library) -> None:
    x, kernel = numbers(X, KERNEL)
    with jax.disable_jit():
        step_by_step = both(lambda f: (f(x, kernel), jax.grad(bent(f), (0, 1))(x, kernel)))
    assert_close(step_by_step)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (2, 1)])
def test_vmap(library, axes) -> None:
    x, kernel = numbers((3, *X), (3, *KERNEL))
    x = x[0] if axes[0] is None else jnp.moveaxis(x, 0, axes[0])
    kernel = kernel[0] if axes[1] is None else jnp.moveaxis(kernel, 0, axes[1])

    def mapped(f):
        value = jax.vmap(f, axes)
        gradient = jax.vmap(jax.grad(bent(f), (0, 1)), axes)
        return jax.jit(lambda x, k: (value(x, k), gradient(x, k)))(x, kernel)

    assert_close(both(mapped))


def test_vmap_folds_the_examples_into_the_batch(library) -> None:
    x, kernel = numbers((3, *X), KERNEL)
    program = jax.make_jaxpr(jax.vmap(lambda x, k: native.forward(x, k, WHOLE), (0, None)))(x, kernel)
    assert "scan" not in str(program)


def test_the_operations_choose_the_kernels(library) -> None:
    x, kernel = numbers(X, KERNEL)
    through = lambda *a: str(jax.make_jaxpr(lambda x, k: ops.convolution(x, k, WHOLE))(*a))  # noqa: E731
    assert "convista_convolution" in through(x, kernel)
    assert "convista_convolution" in through(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
    assert "convista_convolution" not in through(x.astype(jnp.float16), kernel.astype(jnp.float16))


def test_negative_padding_is_left_to_xla(library) -> None:
    cropped = geometry((1, 1), ((-1, 0), (0, 0)), (1, 1), 2)
    x, kernel = numbers(X, KERNEL)
    assert not native.takes(x, kernel, cropped)
    assert ops.convolution(x, kernel, cropped).shape == (2, 3, 4, 6)


@pytest.mark.parametrize("groups", [1, 2])
def test_other_platforms_get_no_native_calls(library, groups) -> None:
    shape = geometry((2, 1), ((1, 2), (0, 1)), (1, 2), groups)
    x, kernel = numbers(X, (3, 2, 4 // groups, 6))
    traced = jax.jit(jax.grad(lambda x, k: jnp.sum(native.forward(x, k, shape)), (0, 1))).trace(x, kernel)
    assert "convista" in traced.lower(lowering_platforms=("cpu",)).as_text()
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "custom_call" not in text
    assert "convolution" in text


@pytest.mark.parametrize("groups", [1, 2])
def test_what_other_platforms_run_equals_the_kernels(library, groups) -> None:
    shape = geometry((2, 1), ((1, 2), (0, 1)), (1, 2), groups)
    x, kernel = numbers(X, (3, 2, 4 // groups, 6))
    dy = native.forward(x, kernel, shape)
    ours = [
        native.INPUT_GRADIENT.bind(dy, kernel, geometry=shape, shape=x.shape),
        native.KERNEL_GRADIENT.bind(x, dy, geometry=shape, shape=kernel.shape),
    ]
    theirs = [
        ops._any_input_gradient(dy, kernel, geometry=shape, shape=x.shape),
        ops._any_kernel_gradient(x, dy, geometry=shape, shape=kernel.shape),
    ]
    assert_close((ours, theirs))


@pytest.mark.parametrize(("x_shape", "kernel_shape"), [((0, 5, 5, 2), (3, 3, 2, 4)), ((2, 5, 5, 0), (3, 3, 0, 4))])
def test_empty_arrays(library, x_shape, kernel_shape) -> None:
    y, dx, dw = results(*numbers(x_shape, kernel_shape, (x_shape[0], 3, 3, 4)), PLAIN)
    assert y.shape == (x_shape[0], 3, 3, 4)
    assert not y.any()
    assert dx.shape == x_shape
    assert dw.shape == kernel_shape
    assert not dw.any()


def test_nan_and_infinity_come_through(instruction_set) -> None:
    x, kernel = numbers((1, 5, 5, 3), (3, 3, 3, 17))
    y = native.forward(x.at[0, 2, 2, 1].set(jnp.nan), kernel, PLAIN)
    assert bool(jnp.isnan(y).all())
    assert bool(jnp.isinf(native.forward(x.at[0, 2, 2, 1].set(jnp.inf), kernel, PLAIN)).all())


@pytest.mark.parametrize("strange", [jnp.inf, -jnp.inf, jnp.nan])
def test_nan_and_infinity_come_through_in_a_batch(instruction_set, strange) -> None:
    x, kernel, dy = numbers((16, 5, 5, 64), (3, 3, 64, 64), (16, 3, 3, 64))
    x = x.at[3, 2, 2, 1].set(strange)
    y, _, dw = results(x, jnp.abs(kernel), dy, PLAIN)
    assert bool((jnp.isnan(y[3]) if jnp.isnan(strange) else y[3] == strange).all())
    assert bool(jnp.isfinite(jnp.delete(y, 3, axis=0)).all())
    assert not bool(jnp.isfinite(dw[:, :, 1]).any())
    assert bool(jnp.isfinite(jnp.delete(dw, 1, axis=2)).all())


def test_batches_of_float32_go_through_tiles(library) -> None:
    if "amx" not in library.runnable():
        pytest.skip("this processor has no tiles")
    before = library.chosen()
    found = {}
    for batch in (1, 16):
        x, kernel, dy = numbers((batch, 14, 14, 64), (3, 3, 64, 64), (batch, 12, 12, 64))
        for name in ("avx512", "amx"):
            library.choose(name)
            found[name] = [np.asarray(result) for result in results(x, kernel, dy, PLAIN)]
        library.choose(before)
        same = [bool((a == b).all()) for a, b in zip(found["avx512"], found["amx"], strict=True)]
        # Other sums in another order: were all bits the same, the tiles would not have been used.
        assert same == [batch == 1] * 3


def test_sums_that_overflow_are_infinite_in_a_batch(instruction_set) -> None:
    x, kernel = jnp.full((16, 5, 5, 64), 1.0039e30), jnp.full((3, 3, 64, 64), 1.003e30)
    y, dx, dw = results(x, kernel, -jnp.ones((16, 3, 3, 64)) * 1.003e30, PLAIN)
    assert bool((y == jnp.inf).all())
    assert bool((dx == -jnp.inf).all())
    assert bool((dw == -jnp.inf).all())


@functools.partial(jax.jit, static_argnums=3)
def rounded_results(x, kernel, dy, geometry):
    y, backward = jax.vjp(lambda x, kernel: ops.convolution(x, kernel, geometry), x, kernel)
    return (y, *backward(dy))


def wrong_rounded(got, exact, shares) -> float:
    """Largest error, as a multiple of what one rounding to the result's dtype and float32 sums may bring."""
    half_a_step = 2.0**-8 if got.dtype == jnp.bfloat16 else 0.0
    allowed = 1.01 * half_a_step * np.abs(exact) + 4e-6 * shares + 1e-7
    return float(np.max(np.abs(np.asarray(got, np.float64) - exact) / allowed, initial=0))


def check_rounded(x_shape, kernel_shape, geometry, seed=0):
    outputs = window_loops.outputs_of(
        x_shape[1:-1], kernel_shape[:-2], geometry.strides, geometry.pads, geometry.dilation
    )
    x, kernel, dy = numbers(x_shape, kernel_shape, (x_shape[0], *outputs, kernel_shape[-1]), seed=seed)
    x, dy = x.astype(jnp.bfloat16), dy.astype(jnp.bfloat16)
    exact, shares = window_loops.convolution(x, kernel.astype(jnp.bfloat16), dy, geometry)
    found = rounded_results(x, kernel, dy, geometry)
    assert [result.dtype for result in found] == [jnp.bfloat16, jnp.bfloat16, jnp.float32]
    for got, right, share in zip(found, exact, shares, strict=True):
        assert wrong_rounded(got, right, share) < 1
        off = (np.asarray(got, np.float32) * 1.02 + 1e-3).astype(got.dtype)
        assert wrong_rounded(off, right, share) > 1  # the tolerance can be missed


@pytest.mark.parametrize(("x_shape", "kernel_shape", "geometry"), GRID)
def test_bfloat16_equals_the_loops(bfloat16_instruction_set, x_shape, kernel_shape, geometry) -> None:
    check_rounded(x_shape, kernel_shape, geometry)


@hypothesis.given(convolutions(), st.integers(0, 99))
@hypothesis.settings(max_examples=10)
def test_any_convolution_of_bfloat16_equals_the_loops(library, case, seed) -> None:
    check_rounded(*case, seed=seed)


def test_bfloat16_under_the_transformations(library) -> None:
    x, kernel, more = numbers(X, KERNEL, (3, *X))
    x, more = x.astype(jnp.bfloat16), more.astype(jnp.bfloat16)

    def convolve(x, k):
        return native.forward(x, k, WHOLE)

    def loss(x, k):
        return jnp.sum(convolve(x, k).astype(jnp.float32) ** 2)

    plain, gradient = jax.jit(convolve)(x, kernel), jax.jit(jax.grad(loss, (0, 1)))(x, kernel)
    assert [g.dtype for g in gradient] == [jnp.bfloat16, jnp.float32]
    mapped = jax.jit(jax.vmap(convolve, (0, None)))(more, kernel)
    for one, y in zip(more, mapped, strict=True):
        np.testing.assert_array_equal(jax.jit(convolve)(one, kernel), y)
    steps = jax.jit(lambda: jax.lax.scan(lambda c, _: (c, convolve(x, kernel)), 0, None, 2)[1])()
    np.testing.assert_array_equal(steps[1], plain)
    tangent = jax.jit(lambda: jax.jvp(lambda k: convolve(x, k), (kernel,), (kernel,)))()[1]
    np.testing.assert_array_equal(tangent, plain)  # linear in the kernel
    second = jax.jit(jax.grad(lambda k: jnp.sum(jax.grad(loss, 1)(x, k) ** 2)))(kernel)
    assert second.dtype == jnp.float32
    assert bool(jnp.all(jnp.isfinite(second)))


def test_a_kernel_in_bfloat16_keeps_its_dtype(library) -> None:
    x, kernel = (array.astype(jnp.bfloat16) for array in numbers(X, KERNEL))
    gradient = jax.grad(lambda k: jnp.sum(ops.convolution(x, k, WHOLE).astype(jnp.float32)))(kernel)
    assert gradient.dtype == jnp.bfloat16


def test_bfloat16_through_xla_is_the_same_to_rounding(library) -> None:
    x, kernel = numbers((2, 7, 7, 3), (3, 3, 3, 8))
    x = x.astype(jnp.bfloat16)
    results = {}
    for name, function in (("native", ops.convolution), ("xla", ops._through_xla)):
        y, backward = jax.vjp(lambda x, k, function=function: function(x, k, PLAIN), x, kernel)
        results[name] = (y, *backward(y))
    for ours, theirs in zip(results["native"], results["xla"], strict=True):
        assert ours.dtype == theirs.dtype
        ours, theirs = np.asarray(ours, np.float32), np.asarray(theirs, np.float32)
        assert np.abs(ours - theirs).max() < 0.02 * np.abs(theirs).max()
        assert np.abs(ours * 1.05 - theirs).max() > 0.02 * np.abs(theirs).max()
