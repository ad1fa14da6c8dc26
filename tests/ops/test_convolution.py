from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from convista.kernels import selection
from convista.ops.convolution import (
    ConvolutionGeometry,
    _transposed_through_xla,
    convolution,
    depthwise_convolution,
    transposed_convolution,
)
from oracles import loops
from oracles.compare import (
    LAYERS,
    SUMS,
    agree,
    agree_all,
    gradients_of,
    numbers,
    output_gradient,
    run_together,
    value_and_gradients,
)


@dataclasses.dataclass(frozen=True)
class Case:
    sizes: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1

    @property
    def geometry(self) -> ConvolutionGeometry:
        return ConvolutionGeometry(self.strides, self.pads, self.dilation, self.groups)

    def arrays(self, channels: int = 3, filters: int = 4, batch: int = 2) -> tuple[np.ndarray, np.ndarray]:
        return numbers(batch, *self.sizes, channels), numbers(*self.window, channels // self.groups, filters, seed=1)


def case(sizes, window, strides=None, pads=None, dilation=None, groups=1) -> Case:
    rank = len(sizes)
    return Case(sizes, window, strides or (1,) * rank, pads or ((0, 0),) * rank, dilation or (1,) * rank, groups)


GRID = {
    "3x3": case((6, 7), (3, 3)),
    "1x1": case((4, 5), (1, 1)),
    "1x1-stride-2": case((5, 6), (1, 1), (2, 2)),
    "even": case((6, 5), (2, 4)),
    "row": case((5, 8), (1, 5)),
    "column-as-high-as-the-picture": case((5, 3), (5, 1)),
    "the-whole-picture": case((4, 5), (4, 5)),
    "same": case((5, 6), (3, 3), pads=((1, 1), (1, 1))),
    "lecture-002": case((8, 11), (3, 2), (2, 3)),
    "stride-3-leaves-cells-over": case((9, 8), (2, 2), (3, 3)),
    "stride-equals-window": case((7, 6), (3, 3), (3, 3)),
    "stride-larger-than-window": case((9, 10), (2, 1), (3, 3)),
    "unequal-pads": case((5, 4), (3, 2), pads=((0, 2), (3, 1))),
    "unequal-pads-and-strides": case((6, 7), (3, 4), (2, 3), ((1, 0), (0, 2))),
    "pads-beyond-the-window": case((3, 3), (2, 2), pads=((4, 3), (2, 5))),
    "window-larger-than-the-picture": case((2, 3), (4, 3), pads=((1, 2), (1, 1))),
    "dilation": case((8, 9), (3, 3), dilation=(2, 3)),
    "dilation-same": case((6, 6), (3, 2), pads=((2, 2), (1, 2)), dilation=(2, 3)),
    "dilation-and-strides": case((9, 9), (2, 3), (2, 2), ((1, 0), (0, 1)), (3, 2)),
    "1d": case((9,), (3,), (2,), ((1, 2),)),
    "1d-dilation": case((9,), (4,), dilation=(2,)),
    "3d": case((4, 5, 3), (2, 3, 2), (1, 2, 1), ((0, 1), (1, 1), (0, 0))),
    "3d-dilation": case((5, 4, 4), (2, 2, 3), dilation=(3, 2, 1)),
}


def random_case(seed: int) -> Case:
    random = np.random.default_rng(seed)
    axes = []
    for _ in range(random.integers(1, 3)):
        window, dilation, stride = (int(random.integers(1, top)) for top in (5, 3, 4))
        span = (window - 1) * dilation + 1
        before, after = (int(random.integers(0, 4)) for _ in range(2))
        size = int(random.integers(max(1, span - before - after), span + 5))
        axes.append((size, window, stride, (before, after), dilation))
    sizes, windows, strides, pads, dilation = zip(*axes, strict=True)
    return Case(sizes, windows, strides, pads, dilation)


def plain(x, kernel, geometry):
    letters = "DHW"[-(x.ndim - 2) :]
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.pads,
        rhs_dilation=geometry.dilation,
        feature_group_count=geometry.groups,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
    )


GROUPED = [
    (name, channels, filters, groups)
    for name in ("3x3", "unequal-pads-and-strides", "dilation-same", "1d", "3d")
    for channels, filters, groups in ((4, 4, 2), (6, 3, 3), (4, 8, 4))
]
EVERYTHING = {
    **{f"{name}-{channels}-channels": (one, channels, 4) for name, one in GRID.items() for channels in (1, 3)},
    **{f"random-{seed}": (random_case(seed), 1 + seed % 2, 2) for seed in range(10)},
    **{
        f"{name}-{channels}-to-{filters}-in-{groups}-groups": (
            dataclasses.replace(GRID[name], groups=groups),
            channels,
            filters,
        )
        for name, channels, filters, groups in GROUPED
    },
    "too-large-to-unroll": (case((9, 9), (8, 7), pads=((0, 1), (1, 0))), 1, 4),
    "one-filter": (GRID["3x3"], 2, 1),
    "one-filter-one-channel": (GRID["3x3"], 1, 1),
}
EVERY_CASE = pytest.mark.parametrize("name", EVERYTHING)


ALSO_PLAIN = [name for name in EVERYTHING if name.startswith(("unequal-pads-and", "dilation-and", "1d-1", "3d-3"))]


@functools.cache
def results(function, names=tuple(EVERYTHING)):
    jobs = {}
    for name in names:
        one, channels, filters = EVERYTHING[name]
        called = functools.partial(function, geometry=one.geometry)
        jobs[name] = (gradients_of(called), one.arrays(channels, filters))
    return run_together(jobs)


def through_xla(x, kernel, bias=None, *, geometry):
    """The convolution as it runs without the native kernels."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(selection, "describe", lambda: selection.Selection("xla", "a test"))
        return convolution(x, kernel, geometry, bias)


BOTH = pytest.mark.parametrize("function", [convolution, through_xla])


@BOTH
@EVERY_CASE
def test_values_and_gradients_are_those_of_the_loops(name, function):
    one, channels, filters = EVERYTHING[name]
    y, gradients = results(function)[name]
    arguments = (one.strides, one.pads, one.dilation, one.groups)
    expected, *expected_gradients = loops.convolution(
        *one.arrays(channels, filters), *arguments, output_gradient(y.shape)
    )
    agree(y, expected, SUMS, name="y")
    agree_all(gradients, expected_gradients, SUMS, name="gradients")


@pytest.mark.parametrize("name", ALSO_PLAIN)
def test_own_gradients_are_those_that_jax_derives(name):
    agree_all(results(convolution)[name], results(plain, tuple(ALSO_PLAIN))[name], SUMS)


WITH_BIAS = [name for name in EVERYTHING if name.startswith(("unequal-pads-and", "dilation-same", "1d", "3d"))]


def with_bias(function, geometry):
    return lambda x, kernel, bias: function(x, kernel, bias=bias, geometry=geometry)


@functools.cache
def results_with_bias(function):
    jobs = {}
    for name in WITH_BIAS:
        one, channels, filters = EVERYTHING[name]
        arrays = (*one.arrays(channels, filters), numbers(filters, seed=2))
        jobs[name] = (gradients_of(with_bias(function, one.geometry)), arrays)
    return run_together(jobs)


@BOTH
@pytest.mark.parametrize("name", WITH_BIAS)
def test_a_bias_is_added_to_every_position_and_its_gradient_is_their_sum(name, function):
    filters = EVERYTHING[name][2]
    y, (by_x, by_kernel, by_bias) = results_with_bias(function)[name]
    plain_y, plain_gradients = results(function)[name]
    agree(y, np.asarray(plain_y) + numbers(filters, seed=2), SUMS, name="y")
    agree_all((by_x, by_kernel), plain_gradients, SUMS, name="gradients")
    gradient = output_gradient(y.shape).astype(np.float64)
    agree(by_bias, gradient.sum(tuple(range(y.ndim - 1))), SUMS, name="gradient by bias")
    with pytest.raises(AssertionError, match="apart"):
        agree(by_bias, gradient[1:].sum(tuple(range(y.ndim - 1))), SUMS)


WRONG = {
    "flipped kernel": lambda x, k, g: convolution(x, jnp.flip(k, (0, 1)), g),
    "pads exchanged": lambda x, k, g: convolution(x, k, dataclasses.replace(g, pads=tuple(p[::-1] for p in g.pads))),
    "axes exchanged": lambda x, k, g: convolution(jnp.swapaxes(x, 1, 2), k, g),
    "one tap lost": lambda x, k, g: convolution(x, k.at[0, 0].set(0), g),
    "one weight off by a thousandth": lambda x, k, g: convolution(x, k.at[0, 0, 0, 0].multiply(1.001), g),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_tolerance_rejects_a_wrong_convolution(wrong, channels):
    geometry = case((6, 6), (3, 3), pads=((0, 2), (2, 0)))
    arrays = list(map(jnp.asarray, geometry.arrays(channels)))
    jobs = {
        function: (functools.partial(lambda f, *a: f(*a, geometry.geometry), function), arrays)
        for function in (wrong, convolution)
    }
    found = run_together(jobs)
    with pytest.raises(AssertionError, match="apart"):
        agree(found[wrong], found[convolution], SUMS)


@pytest.mark.parametrize("channels", [1, 3])
def test_inside_jit_scan_and_while_loop(channels):
    geometry = GRID["unequal-pads-and-strides"]
    x, kernel = map(jnp.asarray, geometry.arrays(channels))

    def gradients(x, kernel):
        return value_and_gradients(lambda x, kernel: convolution(x, kernel, geometry.geometry), (x, kernel))

    def scanned(x, kernel):
        _, items = lax.scan(lambda carry, item: (carry, gradients(item, kernel)), 0, x[None])
        return jax.tree.map(lambda leaf: leaf[0], items)

    def looped(x, kernel):
        start = jax.tree.map(jnp.zeros_like, jax.eval_shape(gradients, x, kernel))
        body = lambda carry: (carry[0] + 1, gradients(x, kernel))  # noqa: E731
        return lax.while_loop(lambda carry: carry[0] < 2, body, (jnp.int32(0), start))[1]

    expected = gradients(x, kernel)
    found = run_together({function.__name__: (function, (x, kernel)) for function in (gradients, scanned, looped)})
    for name, result in found.items():
        agree_all(result, expected, SUMS, name=name)


@pytest.mark.parametrize("channels", [1, 3])
def test_vmap_over_pictures_and_over_kernels(channels):
    geometry = GRID["dilation-and-strides"]
    x, kernel = numbers(3, 2, *geometry.sizes, channels), numbers(3, *geometry.window, channels, 4, seed=1)

    def one(x, kernel):
        return value_and_gradients(lambda x, kernel: convolution(x, kernel, geometry.geometry), (x, kernel))

    jobs = {place: (one, (x[place], kernel[place])) for place in range(3)}
    found = run_together(jobs | {"vmap": (jax.vmap(one), (x, kernel))})
    for place in range(3):
        agree_all(jax.tree.map(lambda leaf, n=place: leaf[n], found["vmap"]), found[place], SUMS)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_second_derivative_is_that_of_plain_lax(channels):
    geometry = GRID["unequal-pads"]
    x, kernel = map(jnp.asarray, geometry.arrays(channels))

    def slope(function):
        def first(x, kernel):
            return jnp.sum(jnp.sin(function(x, kernel, geometry.geometry)))

        def second(x, kernel):
            return sum(jnp.sum(leaf**3) for leaf in jax.grad(first, (0, 1))(x, kernel))

        return jax.grad(second, (0, 1))

    found = run_together({name: (slope(name), (x, kernel)) for name in (convolution, plain)})
    agree_all(found[convolution], found[plain], LAYERS)


@pytest.mark.parametrize("channels", [1, 3])
def test_forward_mode_through_xla_is_refused_by_jax_in_words(channels):
    geometry = GRID["3x3"]
    x, kernel = (jnp.asarray(array, jnp.float16) for array in geometry.arrays(channels))  # the kernels have no float16
    with pytest.raises(TypeError, match="can't apply forward-mode"):
        jax.jvp(lambda x: convolution(x, kernel, geometry.geometry), (x,), (x,))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_dtype_is_kept_forwards_and_backwards(dtype, channels):
    x, kernel = (jnp.asarray(array, dtype) for array in GRID["3x3"].arrays(channels))
    function = functools.partial(convolution, geometry=GRID["3x3"].geometry)
    y, gradients = jax.eval_shape(gradients_of(function), x, kernel)
    assert [leaf.dtype for leaf in (y, *gradients)] == [dtype] * 3


@dataclasses.dataclass(frozen=True)
class Layout:
    """A transposed convolution: sizes of input and output, kernel, and what is cut off before each axis."""

    sizes: tuple[int, ...]
    outputs: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    before: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def geometry(self) -> ConvolutionGeometry:
        pads = []
        for axis, size in enumerate(self.sizes):
            reach = (size - 1) * self.strides[axis] + (self.window[axis] - 1) * self.dilation[axis] + 1
            pads.append((self.before[axis], max(reach - self.before[axis] - self.outputs[axis], 0)))
        return ConvolutionGeometry(self.strides, tuple(pads), self.dilation)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return numbers(2, *self.sizes, 3), numbers(*self.window, 4, 3, seed=1)


LAYOUTS = {
    "tiles": Layout((3, 4), (6, 8), (2, 2), (2, 2), (0, 0), (1, 1)),
    "tiles-and-a-rest": Layout((3, 4), (7, 10), (2, 2), (2, 3), (0, 0), (1, 1)),
    "overlapping": Layout((3, 4), (7, 8), (3, 2), (2, 2), (0, 0), (1, 1)),
    "cut-on-both-sides": Layout((4, 3), (8, 6), (4, 3), (2, 2), (1, 0), (1, 1)),
    "gaps": Layout((3, 2), (9, 6), (2, 1), (3, 3), (0, 0), (1, 1)),
    "dilation": Layout((4, 5), (8, 7), (3, 2), (1, 1), (0, 1), (2, 3)),
    "one-cell": Layout((1, 1), (3, 3), (3, 3), (1, 1), (0, 0), (1, 1)),
    "1d": Layout((5,), (11,), (3,), (2,), (0,), (1,)),
    "3d": Layout((2, 3, 2), (4, 5, 4), (2, 3, 3), (2, 1, 2), (0, 0, 1), (1, 1, 1)),
}


def laid_out(name):
    layout = LAYOUTS[name]
    return lambda x, kernel: transposed_convolution(x, kernel, layout.geometry, layout.outputs)


def through_xla(name):
    layout = LAYOUTS[name]
    return lambda x, kernel: _transposed_through_xla(
        x, kernel, layout.geometry, (x.shape[0], *layout.outputs, kernel.shape[-2])
    )


@functools.cache
def transposed(way):
    return run_together({name: (gradients_of(way(name)), LAYOUTS[name].arrays()) for name in LAYOUTS})


@pytest.mark.parametrize("way", [laid_out, through_xla])
@pytest.mark.parametrize("name", LAYOUTS)
def test_transposed_values_and_gradients_are_those_of_the_loops(name, way):
    layout = LAYOUTS[name]
    y, gradients = transposed(way)[name]
    steps = (layout.strides, layout.before, layout.dilation, layout.outputs)
    expected, *expected_gradients = loops.transposed_convolution(*layout.arrays(), *steps, output_gradient(y.shape))
    agree(y, expected, SUMS, name="y")
    agree_all(gradients, expected_gradients, SUMS, name="gradients")


@pytest.mark.parametrize("name", ["tiles-and-a-rest", "dilation"])
def test_a_transposed_convolution_is_the_transpose_of_the_convolution(name):
    layout = LAYOUTS[name]
    x, kernel = map(jnp.asarray, layout.arrays())
    larger = jax.ShapeDtypeStruct((2, *layout.outputs, 4), jnp.float32)
    (expected,) = jax.linear_transpose(lambda z: plain(z, kernel, layout.geometry), larger)(x)
    agree(laid_out(name)(x, kernel), expected, SUMS)
    with pytest.raises(AssertionError, match="apart"):
        agree(laid_out(name)(x, jnp.flip(kernel, (0, 1))), expected, SUMS)


def test_transposed_under_vmap_and_its_second_derivative():
    x, kernel = map(jnp.asarray, LAYOUTS["overlapping"].arrays())
    batches = jnp.stack([x, 2 * x, -x])

    def slope(function):
        first = lambda x, kernel: jnp.sum(jnp.sin(function(x, kernel)))  # noqa: E731
        second = lambda *arrays: sum(jnp.sum(leaf**3) for leaf in jax.grad(first, (0, 1))(*arrays))  # noqa: E731
        return jax.grad(second, (0, 1))

    jobs = {
        "vmap": (jax.vmap(gradients_of(laid_out("overlapping")), (0, None)), (batches, kernel)),
        "one": (gradients_of(laid_out("overlapping")), (batches[1], kernel)),
        "curvature": (slope(laid_out("overlapping")), (x, kernel)),
        "curvature through XLA": (slope(through_xla("overlapping")), (x, kernel)),
    }
    found = run_together(jobs)
    agree_all(jax.tree.map(lambda leaf: leaf[1], found["vmap"]), found["one"], SUMS)
    agree_all(found["curvature"], found["curvature through XLA"], LAYERS)


def test_depthwise_convolves_each_channel_by_itself():
    x, kernel = numbers(2, 6, 7, 3), numbers(3, 2, 3, 2, seed=1)
    geometry = ConvolutionGeometry((2, 1), ((1, 0), (0, 1)), (1, 1), 3)
    y = depthwise_convolution(jnp.asarray(x), jnp.asarray(kernel), geometry)
    alone = dataclasses.replace(geometry, groups=1)
    expected = [plain(jnp.asarray(x[..., c : c + 1]), jnp.asarray(kernel[:, :, c : c + 1]), alone) for c in range(3)]
    agree(y, np.concatenate(expected, -1), SUMS)
