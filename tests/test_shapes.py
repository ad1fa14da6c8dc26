from __future__ import annotations

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from convista.errors import ShapeError
from convista.ops.convolution import ConvolutionGeometry, convolution
from convista.ops.pooling import PoolingGeometry, max_pooling
from convista.shapes import ReceptiveField, TransposedWindow, Window, bytes_text, count, times
from oracles import loops

AXIS = st.tuples(
    st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(1, 4)
)  # size window stride dilation
AXES = st.lists(AXIS, min_size=1, max_size=3)
PADS = st.tuples(st.integers(0, 9), st.integers(0, 9))


def window_of(axes, padding) -> tuple[tuple[int, ...], Window]:
    sizes, window, strides, dilation = zip(*axes, strict=True)
    return sizes, Window(window, strides, dilation, padding)


@given(AXES, st.sampled_from(["valid", "same"]))
def test_sizes_are_those_of_lax_and_those_counted_by_sliding(axes, padding):
    sizes, window = window_of(axes, padding)
    x, kernel = (jax.ShapeDtypeStruct((1, 1, *shape), jnp.float32) for shape in (sizes, window.size))
    real = jax.eval_shape(
        lambda x, k: lax.conv_general_dilated(x, k, window.strides, padding.upper(), rhs_dilation=window.dilation),
        x,
        kernel,
    ).shape[2:]
    counted = loops.positions(sizes, window.size, window.strides, window.pads(sizes), window.dilation)
    assert counted == real
    if 0 in real:
        with pytest.raises(ShapeError, match="does not fit"):
            window.output_sizes(sizes)
    else:
        assert window.output_sizes(sizes) == real


@given(AXES, st.lists(PADS, min_size=3, max_size=3))
def test_sizes_with_given_pads_are_those_counted_by_sliding(axes, pads):
    sizes, window = window_of(axes, tuple(pads[: len(axes)]))
    counted = loops.positions(sizes, window.size, window.strides, window.padding, window.dilation)
    if 0 in counted:
        with pytest.raises(ShapeError, match="does not fit"):
            window.output_sizes(sizes)
    else:
        assert window.output_sizes(sizes) == counted


@given(AXES)
def test_same_adds_what_lax_adds(axes):
    sizes, window = window_of(axes, "same")
    assert list(window.pads(sizes)) == lax.padtype_to_pads(sizes, window.span, window.strides, "SAME")


@given(AXES)
def test_same_makes_the_input_divided_by_the_stride_rounded_up(axes):
    sizes, window = window_of(axes, "same")
    rounded_up = tuple(-(-size // stride) for size, stride in zip(sizes, window.strides, strict=True))
    assert window.output_sizes(sizes) == rounded_up


@given(AXES, st.sampled_from(["valid", "same"]))
def test_the_formula_computes_to_what_it_says(axes, padding):
    sizes, window = window_of(axes, padding)
    for axis, size in enumerate(sizes):
        left, middle, right = window.formula(axis, size, "output").split(" = ")
        assert left == "output"
        assert eval(middle.replace("−", "-").replace("·", "*"), {}) == int(right.replace("−", "-"))  # noqa: S307
        alone = Window(
            window.size[axis : axis + 1], window.strides[axis : axis + 1], window.dilation[axis : axis + 1], padding
        )
        if int(right.replace("−", "-")) > 0:
            assert alone.output_sizes((size,)) == (int(right),)


def test_an_unknown_size_stays_unknown():
    assert Window((3, 3), (1, 2), (1, 1)).output_sizes((None, 9)) == (None, 4)


def test_formula_of_a_window_that_does_not_fit():
    assert Window((5,), (2,), (1,)).formula(0, 2, "output_h") == "output_h = (2 + 2·0 − 5) // 2 + 1 = −1"


@pytest.mark.parametrize(
    ("window", "sizes", "message"),
    [
        (Window((3, 3), (1, 1), (1, 1)), (2, 2), "a 3×3 kernel does not fit a 2×2 input."),
        (Window((8, 2), (1, 1), (1, 1)), (2, 2), "an 8×2 kernel does not fit a 2×2 input."),
        (Window((11, 1), (1, 1), (1, 1)), (2, None), "an 11×1 kernel does not fit a 2×? input."),
        (Window((18,), (1,), (1,)), (2,), "a kernel of 18 does not fit an input of 2."),
        (Window((110,), (1,), (1,)), (2,), "a kernel of 110 does not fit an input of 2."),
        (Window((80, 1), (1, 1), (1, 1)), (2, 2), "an 80×1 kernel does not fit a 2×2 input."),
        (
            Window((3, 3), (1, 1), (2, 2)),
            (4, 9),
            "a 3×3 kernel (spanning 5×5 with its dilation) does not fit a 4×9 input.",
        ),
        (Window((2, 2), (2, 2), (1, 1), noun="window"), (1, 5), "a 2×2 window does not fit a 1×5 input."),
    ],
)
def test_messages(window, sizes, message):
    with pytest.raises(ShapeError) as caught:
        window.output_sizes(sizes)
    assert str(caught.value) == message


LINK = st.tuples(
    st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.booleans()
)  # window stride dilation pooling


@given(st.lists(LINK, min_size=1, max_size=4))
def test_the_receptive_field_is_the_input_that_moves_one_output(links):
    field = ReceptiveField.start(1)
    seen = [frozenset([place]) for place in range(80)]
    for size, stride, dilation, _ in links:
        window = Window((size,), (stride,), (dilation,))
        field = field.through(window)
        (reach,) = window.span
        seen = [
            frozenset().union(*(seen[first + step * dilation] for step in range(size)))
            for first in range(0, len(seen) - reach + 1, stride)
        ]
        if not seen:
            return
    assert max(seen[0]) - min(seen[0]) + 1 == field.size[0]
    if len(seen) > 1:
        assert min(seen[1]) - min(seen[0]) == field.stride[0]


@pytest.mark.parametrize(
    "links",
    [
        [("conv", 3, 1, 1), ("pool", 2, 2, 1), ("conv", 3, 1, 1), ("pool", 2, 2, 1), ("conv", 3, 1, 1)],
        [("conv", 3, 1, 1), ("conv", 3, 1, 1), ("conv", 3, 1, 1)],
        [("conv", 2, 3, 1), ("conv", 3, 1, 2), ("pool", 3, 1, 1)],
    ],
    ids=["lecture-convnet", "lecture-without-pooling", "strides-and-dilation"],
)
def test_the_receptive_field_is_where_the_gradient_of_one_cell_is_not_zero(links):
    field = ReceptiveField.start(1)

    def network(x):
        for kind, size, stride, dilation in links:
            if kind == "conv":
                x = convolution(x, jnp.ones((size, 1, 1)), ConvolutionGeometry((stride,), ((0, 0),), (dilation,)))
            else:
                x = -max_pooling(-x, PoolingGeometry((size,), (stride,), ((0, 0),)))
        return x[0, :, 0]

    for _, size, stride, dilation in links:
        field = field.through(Window((size,), (stride,), (dilation,)))
    x = jnp.asarray(np.random.default_rng(0).uniform(1, 2, (1, 44, 1)), jnp.float32)
    moved = jax.jit(
        lambda x: jax.vmap(lambda place: network(x.at[0, place, 0].set(-100.0)))(jnp.arange(44)) != network(x)
    )
    touched = np.flatnonzero(np.asarray(moved(x))[:, 0])
    assert (touched[0], touched[-1] + 1) == (0, field.size[0])
    following = np.flatnonzero(np.asarray(moved(x))[:, 1])
    assert following[0] == field.stride[0]


UP_OR_DOWN = st.tuples(st.sampled_from(["gather", "lay out", "repeat"]), st.integers(1, 4), st.integers(1, 3))


@given(st.lists(UP_OR_DOWN, min_size=1, max_size=5))
def test_receptive_fields_through_enlarging_are_those_of_every_cell(links):
    """No cell sees more; one sees as many, unless a stride over what was enlarged skips the widest."""
    field, exact = ReceptiveField.start(1), True
    seen = [frozenset([place]) for place in range(90)]
    for kind, size, stride in links:
        whole = Fraction(field.stride[0]).denominator == 1
        if kind == "gather":
            exact &= whole or stride == 1
            field = field.through(Window((size,), (stride,), (1,)))
            seen = [frozenset().union(*seen[first : first + size]) for first in range(0, len(seen) - size + 1, stride)]
            continue
        span = stride if kind == "repeat" else size
        exact &= whole or Fraction(field.stride[0]).numerator == 1
        field = field.enlarged((span,), (stride,))
        larger = [frozenset()] * ((len(seen) - 1) * stride + max(span, stride))
        for place, cells in enumerate(seen):
            for tap in range(span):
                larger[place * stride + tap] |= cells
        seen = larger[:400]
    middle = seen[len(seen) // 3 : -len(seen) // 3]
    if len(middle) < 12 or not any(middle):
        return
    most = max(max(cells) - min(cells) + 1 for cells in middle if cells)
    assert most <= field.size[0]
    if exact and len(middle) > 36:
        assert most == field.size[0]


def test_a_merge_of_an_enlarged_branch_sees_the_larger_one():
    deep = ReceptiveField.start(1).through(Window((2,), (2,), (1,))).enlarged((2,), (2,))
    skip = ReceptiveField.start(1).through(Window((3,), (1,), (1,)))
    assert deep.union(skip) == skip.union(deep) == skip
    assert deep.union(ReceptiveField.start(1)) == deep
    assert (deep.size, deep.stride, deep.permuted((0,))) == ((2,), (1,), deep)


TRANSPOSED = st.tuples(
    st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.sampled_from(["valid", "same"]), st.integers(-1, 3)
)


@given(TRANSPOSED)
def test_a_transposed_window_leads_back_to_the_sizes_it_came_from(geometry):
    size, window, stride, padding, extra = geometry
    if extra >= stride:
        return
    transposed = TransposedWindow((window,), (stride,), (1,), padding, None if extra < 0 else (extra,))
    try:
        (larger,) = transposed.output_sizes((size,))
    except ShapeError:
        assert padding == "same"
        assert (size, window % 2, extra) == (1, 0, 0)
        return
    assert Window((window,), (stride,), (1,), transposed.pads()).output_sizes((larger,)) == (size,)


def test_every_size_that_a_window_brings_to_one_can_be_chosen():
    window = Window((3,), (4,), (1,))
    sizes = [size for size in range(3, 40) if window.output_sizes((size,)) == (7,)]
    chosen = [TransposedWindow((3,), (4,), (1,), "valid", (extra,)).output_sizes((7,))[0] for extra in range(4)]
    assert chosen == sizes


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 5), st.sampled_from(["valid", "same"]))
def test_the_cells_at_the_end_that_no_window_touches(size, window, stride, padding):
    shape = Window((window,), (stride,), (1,), padding)
    if shape.positions(0, size) < 1:
        return
    before = shape.pads((size,))[0][0]
    touched = [p * stride + k - before for p in range(shape.positions(0, size)) for k in range(window)]
    assert shape.unseen((size,)) == (size - 1 - max(cell for cell in touched if cell < size),)


def test_cells_that_a_window_touches_are_those_that_a_loop_visits():
    paddings = ("valid", "same", ((0, 0),), ((3, 0),), ((1, 4),))
    for size, taps, step, gap, padding in itertools.product((7, 12), (1, 2, 4), (1, 2, 3, 6), (1, 2, 4), paddings):
        window = Window((taps,), (step,), (gap,), padding)
        if window.positions(0, size) < 1:
            continue
        before = window.pads((size,))[0][0]
        visited = {
            place * step + tap * gap - before for place in range(window.positions(0, size)) for tap in range(taps)
        }
        assert window.touched(0, size) == len(visited & set(range(size))), (size, window)
    assert Window((2,), (2,), (1,)).touched(0, 15) != 15


def test_the_lectures_receptive_fields():
    conv, pool = Window((3, 3), (1, 1), (1, 1)), Window((2, 2), (2, 2), (1, 1))
    field = ReceptiveField.start(2)
    for window in (conv, pool, conv, pool, conv):
        field = field.through(window)
    assert field == ReceptiveField((18, 18), (4, 4))


def test_a_merge_sees_what_the_larger_branch_sees():
    assert ReceptiveField((3, 7), (1, 2)).union(ReceptiveField((5, 5), (1, 2))) == ReceptiveField((5, 7), (1, 2))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0.00 Byte"),
        (1023, "1023.00 Byte"),
        (1024, "1.00 KB"),
        (416808, "407.04 KB"),
        (2848808, "2.72 MB"),
        (1024**3, "1.00 GB"),
        (5 * 1024**4, "5.00 TB"),
        (5000 * 1024**4, "5000.00 TB"),
    ],
)
def test_bytes_text(number, text):
    assert bytes_text(number) == text


def test_times_and_count():
    assert times((26, None, 32)) == "26×?×32"
    assert times(()) == ""
    assert (count((22, 22, 128)), count(())) == (61952, 1)
