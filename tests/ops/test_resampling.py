from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.ops import resampling
from oracles.compare import (
    EXACT,
    LAYERS,
    SUMS,
    agree,
    agree_all,
    gradients_of,
    numbers,
    output_gradient,
    run_together,
)

CASES = {"1d": ((5,), (3,)), "2d": ((4, 3), (2, 3)), "2d-one-axis": ((4, 3), (1, 2)), "3d": ((2, 3, 2), (2, 1, 3))}


def loops(x, times, gradient):
    """Repeat cell by cell; the gradient of a cell is the sum over its copies."""
    y, dx = np.zeros(gradient.shape), np.zeros(x.shape)
    for place in np.ndindex(*gradient.shape[1:-1]):
        cell = tuple(spot // factor for spot, factor in zip(place, times, strict=True))
        y[:, *place] = x[:, *cell]
        dx[:, *cell] += gradient[:, *place].astype(np.float64)
    return y, dx


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])  # the native kernels, and XLA
def test_repeated_cells_and_their_gradients_are_those_of_the_loops(name, dtype):
    sizes, times = CASES[name]
    x = jnp.asarray(numbers(2, *sizes, 3), dtype)
    y, (dx,) = gradients_of(functools.partial(resampling.repeat, times=times))(x)
    assert (y.dtype, dx.dtype) == (dtype, dtype)
    sent = np.asarray(jnp.asarray(output_gradient(y.shape), dtype), np.float32)
    expected, expected_gradient = loops(np.asarray(x, np.float32), times, sent)
    agree(y.astype(jnp.float32), expected, EXACT)
    if dtype == np.float32:
        agree(dx, expected_gradient, SUMS)
    else:
        np.testing.assert_allclose(np.asarray(dx, np.float32), expected_gradient, atol=0.1)


def test_the_comparison_rejects_cells_repeated_in_another_order():
    x = numbers(1, 4, 1)
    tiled = jnp.tile(jnp.asarray(x), (1, 2, 1))
    with pytest.raises(AssertionError, match="apart"):
        agree(tiled, loops(x, (2,), np.zeros((1, 8, 1)))[0], EXACT)


def test_repeating_under_vmap_and_its_second_derivative():
    x = jnp.asarray(numbers(3, 2, 4, 3, 2))
    one = functools.partial(resampling.repeat, times=(2, 2))
    jobs = {
        "vmap": (jax.vmap(gradients_of(one)), (x,)),
        "one": (gradients_of(one), (x[1],)),
        "curvature": (jax.grad(lambda x: jnp.sum(jax.grad(lambda x: jnp.sum(one(x) ** 3))(x) ** 2)), (x[1],)),
        "forward": (lambda x: jax.jvp(one, (x,), (jnp.cos(x),))[1], (x[1],)),
    }
    found = run_together(jobs)
    agree_all(jax.tree.map(lambda leaf: leaf[1], found["vmap"]), found["one"], SUMS)
    cell = np.asarray(x[1], np.float64)
    agree(found["curvature"], 2 * (4 * 3 * cell**2) * (4 * 6 * cell), LAYERS)  # four copies: (4x³)′ squared, derived
    agree(found["forward"], np.asarray(one(jnp.cos(x[1]))), SUMS)


def test_the_kernels_are_chosen(library_or_skip):
    program = str(jax.make_jaxpr(lambda x: resampling.repeat(x, (2, 2)))(jnp.zeros((1, 4, 4, 3))))
    assert "convista_sum_pooling_gradient" in program


@pytest.fixture
def library_or_skip():
    from convista.kernels import selection

    if not selection.describe().native:
        pytest.skip("the native kernels are not chosen")


def test_bilinear_by_hand():
    x = jnp.array([[0.0, 4.0], [8.0, 12.0]]).reshape(1, 2, 2, 1)
    y = resampling.resize(x, (4, 4), "bilinear")[0, :, :, 0]
    assert y.tolist() == [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]]


@pytest.mark.parametrize("interpolation", resampling.INTERPOLATIONS)
def test_the_reach_is_how_many_cells_a_value_depends_on(interpolation):
    x = jnp.zeros((1, 31, 1))
    slope = jax.jacobian(lambda x: resampling.resize(x, (93,), interpolation)[0, :, 0])(x)[:, 0, :, 0]
    seen = np.asarray(abs(slope) > 1e-6).sum(1)
    assert seen[30:60].max() <= resampling.REACH[interpolation]
    assert seen[30:60].max() >= resampling.REACH[interpolation] - 1


@pytest.mark.parametrize(("sizes", "cut", "grown"), [((10, 10), (30, 30), (40, 40)), ((10, 40), (10, 40), (30, 120))])
def test_proportions(sizes, cut, grown):
    x = jnp.asarray(numbers(1, 30, 40, 2))
    assert resampling.crop_to_aspect(x, sizes).shape[1:3] == cut
    padded = resampling.pad_to_aspect(x, sizes, 7.0)
    assert padded.shape[1:3] == grown
    assert float(padded[0, 0, 0, 0]) == 7.0
    top, left = (grown[0] - 30) // 2, (grown[1] - 40) // 2
    np.testing.assert_array_equal(padded[:, top : top + 30, left : left + 40], x)
