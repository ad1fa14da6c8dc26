from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from convista.kernels import selection
from convista.ops.pooling import PoolingGeometry, average_pooling, global_average, global_max, max_pooling, sum_pooling
from oracles import loops
from oracles.compare import EXACT, SUMS, agree, agree_all, gradients_of, numbers, output_gradient, run_together


def window(size, strides=None, pads=None):
    return PoolingGeometry(size, strides or size, pads or ((0, 0),) * len(size))


def distinct(*shape):
    return numbers(*shape)


def tied(*shape):
    """Few different values, so that most windows have several largest."""
    return np.random.default_rng(3).integers(-1, 2, shape).astype(np.float32)


CASES = {
    "tiles": ((6, 4), window((2, 2))),
    "tiles-and-a-rest": ((7, 8), window((2, 3))),
    "one-cell": ((3, 4), window((1, 1))),
    "one-cell-of-four": ((5, 6), window((1, 1), (2, 2))),
    "overlapping": ((7, 6), window((3, 3), (2, 2))),
    "overlapping-step-1": ((5, 5), window((2, 3), (1, 1))),
    "gaps": ((8, 9), window((2, 2), (3, 4))),
    "same": ((5, 7), window((2, 2), pads=((0, 1), (0, 1)))),
    "same-overlapping": ((5, 6), window((3, 3), (1, 1), ((1, 1), (1, 1)))),
    "unequal-pads": ((4, 5), window((3, 4), (2, 1), ((0, 2), (2, 1)))),
    "the-whole-picture": ((4, 5), window((4, 5))),
    "1d": ((7,), window((3,), (2,))),
    "3d": ((4, 3, 5), window((2, 2, 3), (2, 1, 1), ((0, 0), (1, 0), (1, 1)))),
    "too-large-to-unroll": ((9, 8), window((6, 6), (2, 1))),
    "too-large-to-unroll-padded": ((7, 6), window((6, 7), (1, 2), ((2, 3), (3, 3)))),
    "too-large-to-unroll-tiles": ((12, 7), window((6, 7))),
}
OPS = {
    "max": (max_pooling, loops.max_pooling),
    "average": (average_pooling, loops.average_pooling),
    "sum": (sum_pooling, loops.sum_pooling),
}
FILLS = {"distinct": distinct, "tied": tied}


@functools.cache
def results(kernels):
    jobs = {}
    for kind, (op, _) in OPS.items():
        for name, (sizes, geometry) in CASES.items():
            for fill, values in FILLS.items():
                function = gradients_of(functools.partial(op, geometry=geometry))
                jobs[kind, name, fill] = function, (values(2, *sizes, 3),)
    if kernels == "default":
        return run_together(jobs)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(selection, "describe", lambda: selection.Selection(kernels, "a test"))
        return run_together(jobs)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize("kernels", ["default", "xla"])
def test_values_and_gradients_are_those_of_the_loops(kernels, kind, name, fill):
    sizes, geometry = CASES[name]
    y, (gradient,) = results(kernels)[kind, name, fill]
    x = FILLS[fill](2, *sizes, 3)
    arguments = (geometry.size, geometry.strides, geometry.pads)
    expected, expected_gradient = OPS[kind][1](x, *arguments, output_gradient(y.shape))
    agree(y, expected, EXACT if kind == "max" else SUMS, name="y")
    agree(gradient, expected_gradient, SUMS, name="gradient")


@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize("name", ["tiles-and-a-rest", "unequal-pads", "too-large-to-unroll-padded"])
def test_inside_scan_and_vmap(kind, name):
    sizes, geometry = CASES[name]
    x = numbers(3, 2, *sizes, 2)
    one = gradients_of(functools.partial(OPS[kind][0], geometry=geometry))
    scan = lambda x: lax.scan(lambda carry, item: (carry, one(item)), 0, x)[1]  # noqa: E731
    found = run_together({"vmap": (jax.vmap(one), (x,)), "scan": (scan, (x,)), 0: (one, (x[0],)), 2: (one, (x[2],))})
    for way in ("vmap", "scan"):
        for place in (0, 2):
            agree_all(jax.tree.map(lambda leaf, n=place: leaf[n], found[way]), found[place], SUMS, name=way)


@pytest.mark.parametrize("geometry", [window((2, 2)), window((6, 6))], ids=["unrolled", "too-large-to-unroll"])
def test_what_lies_outside_never_wins_even_over_minus_infinity(geometry):
    x = jnp.full((1, 7, 7, 1), -jnp.inf)
    padded = PoolingGeometry(geometry.size, geometry.strides, ((1, 1), (1, 1)))
    y, (gradient,) = run_together({0: (gradients_of(functools.partial(max_pooling, geometry=padded)), (x,))})[0]
    assert bool((y == -jnp.inf).all())
    assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize("geometry", [window((2, 2)), window((6, 6))], ids=["unrolled", "too-large-to-unroll"])
@pytest.mark.parametrize("kind", OPS)
def test_a_window_that_sees_nan_says_nan_and_no_other_window_does(kind, geometry):
    size = geometry.size[0]
    x = numbers(1, 2 * size, 2 * size, 1)
    x[0, 1, size + 1, 0] = np.nan
    y = np.asarray(OPS[kind][0](jnp.asarray(x), geometry))[0, :, :, 0]
    assert np.isnan(y).tolist() == [[False, True], [False, False]]


def test_the_second_derivative_is_that_of_plain_lax():
    x = numbers(1, 5, 6, 2)
    geometry = window((2, 3), (1, 2))

    def plain(x, geometry):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, *geometry.size, 1), (1, *geometry.strides, 1), "valid")

    def slope(function):
        first = lambda x: jnp.sum(function(x, geometry=geometry) ** 3)  # noqa: E731
        return jax.grad(lambda x: jnp.sum(jax.grad(first)(x) ** 2))

    found = run_together({function: (slope(function), (x,)) for function in (max_pooling, plain)})
    agree(found[max_pooling], found[plain], SUMS)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("geometry", [window((2, 2)), window((6, 6))], ids=["unrolled", "too-large-to-unroll"])
@pytest.mark.parametrize("kind", OPS)
def test_the_dtype_is_kept_forwards_and_backwards(kind, geometry, dtype):
    function = gradients_of(functools.partial(OPS[kind][0], geometry=geometry))
    y, (gradient,) = jax.eval_shape(function, jnp.zeros((2, 7, 7, 1), dtype))
    assert (y.dtype, gradient.dtype) == (dtype, dtype)


def test_global_pooling_along_any_number_of_axes():
    x = numbers(2, 4, 3, 5, 6)
    agree(global_max(jnp.asarray(x)), x.max((1, 2, 3)), EXACT)
    agree(global_average(jnp.asarray(x)), x.astype(np.float64).mean((1, 2, 3)), SUMS)
    agree(global_max(jnp.asarray(x), keepdims=True), x.max((1, 2, 3), keepdims=True), EXACT)
    agree(global_average(jnp.asarray(x), keepdims=True), x.astype(np.float64).mean((1, 2, 3), keepdims=True), SUMS)


WRONG = {
    "last instead of first winner": lambda x, g: max_pooling(x[:, ::-1, ::-1], g)[:, ::-1, ::-1],
    "padding that wins": lambda x, g: max_pooling(jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))), window((2, 2))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_comparison_rejects_a_wrong_pooling(wrong):
    geometry = CASES["same"][1] if wrong.startswith("padding") else CASES["tiles"][1]
    x = -np.abs(tied(2, 5, 7, 3)) - 1 if wrong.startswith("padding") else tied(2, 6, 4, 3)
    functions = {"right": max_pooling, "wrong": WRONG[wrong]}
    jobs = {name: (gradients_of(lambda x, f=f: f(x, geometry)), (x,)) for name, f in functions.items()}
    found = run_together(jobs)
    with pytest.raises(AssertionError, match="apart"):
        agree_all(found["wrong"], found["right"], SUMS)


def test_the_comparison_rejects_an_average_that_counts_the_padding():
    x = numbers(1, 3, 3, 1)
    padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    with pytest.raises(AssertionError, match="apart"):
        agree(
            average_pooling(jnp.asarray(padded), window((2, 2))),
            average_pooling(jnp.asarray(x), window((2, 2), pads=((0, 1), (0, 1)))),
            SUMS,
        )
