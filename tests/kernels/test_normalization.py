"""The native batch normalisation against double-precision loops and single operations, under every transformation."""

from __future__ import annotations

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from convista.kernels import normalization as native
from convista.kernels.geometry import NormalizationGeometry

PLAIN, RELU = NormalizationGeometry(1e-3, relu=False), NormalizationGeometry(1e-3, relu=True)


def numbers(*shapes, seed=0) -> list[jax.Array]:
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.standard_normal(shape), jnp.float32) for shape in shapes]


def arguments(shape, seed=0, real=None) -> list[jax.Array]:
    x, scale, offset = numbers(shape, shape[-1:], shape[-1:], seed=seed)
    mask = jnp.arange(shape[0]) < (shape[0] if real is None else real)
    return [x * 2 + 3, scale, offset, mask.astype(jnp.float32)]


# One program for each shape serves all instruction sets: they are chosen when it runs.
@functools.partial(jax.jit, static_argnums=5)
def results(x, scale, offset, mask, dy, geometry):
    y, backward, statistics = jax.vjp(with_statistics(mask, geometry), x, scale, offset, has_aux=True)
    return (y, *statistics, *backward(dy))


def with_statistics(mask, geometry):
    def values(x, scale, offset):
        y, *statistics = native.normalization(x, scale, offset, mask, geometry)
        return y, statistics

    return values


def exact_normalization(x, scale, offset, mask, dy, y, geometry):
    """All results in double precision; what relu keeps is read from ``y``, where rounding may have decided."""
    x, scale, offset, dy = (np.asarray(array, np.float64) for array in (x, scale, offset, dy))
    counted = np.broadcast_to(np.asarray(mask, np.float64).reshape((-1,) + (1,) * (x.ndim - 1)), x.shape)
    axes = tuple(range(x.ndim - 1))
    number = counted.sum(axes)
    mean = (x * counted).sum(axes) / number
    variance = ((x - mean) ** 2 * counted).sum(axes) / number
    deviation = np.sqrt(variance + geometry.epsilon)
    turned = (x - mean) / deviation
    value = turned * scale + offset
    if geometry.relu:
        value, dy = np.maximum(value, 0), np.where(np.asarray(y) > 0, dy, 0)
    dscale, doffset = (dy * turned).sum(axes), dy.sum(axes)
    dx = scale / deviation * (dy - counted * (doffset + turned * dscale) / number)
    return value, mean, variance, dx, dscale, doffset


def close(got, right) -> bool:
    return np.allclose(got, right, rtol=2e-5, atol=2e-5 * max(float(np.abs(right).max()), 0.1))


def check(shape, geometry, seed=0, real=None) -> None:
    operands = arguments(shape, seed, real)
    (dy,) = numbers(shape, seed=seed + 1)
    got = results(*operands, dy, geometry)
    for ours, right in zip(got, exact_normalization(*operands, dy, got[0], geometry), strict=True):
        assert ours.dtype == jnp.float32
        assert close(ours, right)
        assert not close(np.asarray(ours) * 1.001 + 1e-3, right)  # the tolerance can be missed


@pytest.mark.parametrize("geometry", [PLAIN, RELU], ids=["plain", "relu"])
@pytest.mark.parametrize(
    ("shape", "real"),
    [
        ((7, 5), None),
        ((6, 4, 5, 3), 4),
        ((5, 9, 17), 5),
        ((4, 3, 5, 4, 33), 3),
        ((40, 30, 40), 39),  # several chunks
    ],
)
def test_it_equals_the_loops(instruction_set, shape, real, geometry) -> None:
    check(shape, geometry, real=real)


@pytest.mark.slow
@hypothesis.given(
    st.lists(st.integers(1, 6), max_size=3), st.integers(2, 8), st.integers(1, 40), st.booleans(), st.integers(0, 99)
)
@hypothesis.settings(max_examples=8)
def test_any_shape_equals_the_loops(library, sizes, batch, channels, relu, seed) -> None:
    check((batch, *sizes, channels), RELU if relu else PLAIN, seed, real=max(2, batch - seed % 3))


def test_a_large_mean_does_not_eat_the_variance(instruction_set) -> None:
    (x,) = numbers((64, 50, 3))
    x = x + 1000
    _, mean, variance = native.normalization(x, jnp.ones(3), jnp.zeros(3), jnp.ones(64), PLAIN)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1)), rtol=1e-5)
    assert not np.allclose(np.mean(np.square(x), (0, 1)) - np.square(np.mean(x, (0, 1))), variance, rtol=1e-5)


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_strange_numbers_stay_in_their_channel(instruction_set, strange) -> None:
    x, scale, offset, mask = arguments((4, 5, 20))
    (dy,) = numbers(x.shape, seed=1)
    clean, touched = (results(x, scale, offset, mask, dy, RELU) for x in (x, x.at[1, 2, 17].set(strange)))
    for before, after in zip(clean, touched, strict=True):
        others = np.arange(20) != 17
        np.testing.assert_array_equal(np.asarray(before)[..., others], np.asarray(after)[..., others])
    assert not np.isfinite(touched[1][17])


@pytest.mark.slow
def test_what_does_not_count_may_be_anything(instruction_set) -> None:
    x, scale, offset, mask = arguments((6, 5, 20), real=4)
    alone = native.normalization(x[:4], scale, offset, mask[:4], RELU)
    whole = native.normalization(x.at[4:].set(jnp.nan), scale, offset, mask, RELU)
    for ours, right in zip(whole, alone, strict=True):
        np.testing.assert_array_equal(ours[:4] if ours.ndim > 1 else ours, right)


def test_at_zero_relu_lets_nothing_through(instruction_set) -> None:
    x, zeros = jnp.zeros((4, 20)), jnp.zeros(20)
    gradient = jax.grad(lambda offset: jnp.sum(native.normalization(x, zeros, offset, jnp.ones(4), RELU)[0]))
    np.testing.assert_array_equal(gradient(zeros), zeros)
    np.testing.assert_array_equal(gradient(zeros + 1), zeros + 4)


def bent(f):
    return lambda *a: jnp.sum(jnp.sin(f(*a)) * jnp.cos(a[0]))


def turned(operands):
    return tuple(jnp.cos(operand) for operand in operands)


TRANSFORMATIONS = {
    "jit": jax.jit,
    "grad": lambda f: jax.grad(bent(f), (0, 1, 2)),
    "grad by input": lambda f: jax.grad(bent(f)),
    "grad by scale": lambda f: jax.grad(bent(f), 1),
    "grad by mask": lambda f: jax.grad(bent(f), 3),
    "jvp": lambda f: lambda *a: jax.jvp(f, a, turned(a)),
    "jvp by offset": lambda f: lambda x, s, o, m: jax.jvp(lambda o: f(x, s, o, m), (o,), (jnp.cos(o),)),
    "forward over reverse": lambda f: lambda *a: jax.jvp(jax.grad(bent(f), (0, 1, 2)), a, turned(a)),
    "reverse over reverse": lambda f: jax.grad(
        lambda *a: sum(jnp.sum(leaf**2) for leaf in jax.grad(bent(f), (0, 1, 2))(*a)), (0, 1, 2)
    ),
    "reverse over forward": lambda f: jax.grad(
        lambda x, s, o, m: jnp.sum(jax.jvp(lambda x: f(x, s, o, m), (x,), (jnp.cos(x),))[1] ** 2), (0, 1)
    ),
    "jacfwd": lambda f: lambda x, s, o, m: jax.jacfwd(lambda t: f(x, t * s, o, m))(jnp.float32(2)),
    "vmap": lambda f: lambda x, *a: jax.vmap(f, (0, None, None, None))(jnp.stack([x, x**2]), *a),
    "vmap of scales": lambda f: lambda x, s, o, m: jax.vmap(f, (None, 0, None, None))(x, jnp.stack([s, 2 * s]), o, m),
    "vmap of grad": lambda f: (
        lambda x, *a: jax.vmap(jax.grad(bent(f), (0, 1, 2)), (0, None, None, None))(jnp.stack([x, x**2]), *a)
    ),
    "vmap of jvp": lambda f: (
        lambda x, *a: jax.vmap(lambda t: jax.jvp(lambda x: f(x, *a), (x,), (t,))[1])(jnp.stack([x, x**2]))
    ),
    "scan": lambda f: lambda *a: jax.lax.scan(lambda c, _: (c, jax.grad(bent(f), (0, 1, 2))(*a)), 0, length=2)[1],
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("geometry", [PLAIN, RELU], ids=["plain", "relu"])
def test_transformations(library, name, geometry) -> None:
    operands = arguments((5, 4, 19), real=4)
    transform = TRANSFORMATIONS[name]
    got = jax.jit(transform(lambda *a: native.normalization(*a, geometry)[0]))(*operands)
    right = jax.jit(transform(lambda *a: native._composed(*a, geometry=geometry)[0]))(*operands)
    for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(right), strict=True):
        assert ours.shape == theirs.shape
        scale = float(jnp.abs(theirs).max()) + 1e-3
        assert float(jnp.abs(ours - theirs).max()) < 5e-5 * scale
        assert not np.allclose(np.asarray(ours) + 1e-3 * scale, theirs, atol=5e-5 * scale, rtol=0)


def test_statistics_carry_no_gradient(library) -> None:
    x, scale, offset, mask = arguments((5, 4, 19))
    for part in (1, 2):
        found = jax.grad(lambda x, part=part: jnp.sum(native.normalization(x, scale, offset, mask, RELU)[part]))(x)
        np.testing.assert_array_equal(found, jnp.zeros_like(x))


def test_inside_shard_map(library) -> None:
    x, scale, offset, mask = arguments((4, 6, 20))
    mesh = Mesh(np.array(jax.devices()[:1]), ("device",))
    everywhere, split = PartitionSpec(), PartitionSpec("device")

    def total(scale, offset, x, mask):
        return jnp.sum(jnp.sin(native.normalization(x, scale, offset, mask, RELU)[0]))

    def gradients(*a):
        return jax.grad(lambda *a: jax.lax.psum(total(*a), "device"), (0, 1))(*a)

    shared = jax.jit(
        jax.shard_map(gradients, mesh=mesh, in_specs=(everywhere, everywhere, split, split), out_specs=everywhere)
    )
    right = jax.grad(total, (0, 1))(scale, offset, x, mask)
    for ours, theirs in zip(shared(scale, offset, x, mask), right, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_other_platforms_get_no_native_calls(library) -> None:
    operands = arguments((5, 4, 19))
    f = bent(lambda *a: native.normalization(*a, RELU)[0])
    traced = jax.jit(jax.grad(f, (0, 1, 2))).trace(*operands)
    assert "convista" in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "convista" not in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_what_it_does_not_take(library) -> None:
    x, scale, offset, mask = arguments((5, 4, 19))
    assert native.takes(x, scale, offset, mask)
    assert native.takes(x[:, 0], scale, offset, mask)
    assert not native.takes(x.astype(jnp.bfloat16), scale, offset, mask)
    assert not native.takes(x, scale.astype(jnp.float16), offset, mask)
    assert not native.takes(x[:0], scale, offset, mask[:0])
    assert not native.takes(x[0, 0], scale, offset, mask)
