"""The library: what it registers, and that wrong calls of its handlers are errors."""

from __future__ import annotations

import ctypes
import os
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.kernels import native


def call(handler, results, *arrays, **attributes):
    attributes = {name: np.array(v, np.int64) if isinstance(v, tuple) else v for name, v in attributes.items()}
    return jax.jit(lambda *arrays: native.call(handler, results, *arrays, **attributes))(*arrays)


def floats(*shape):
    return jax.ShapeDtypeStruct(shape, np.float32)


def pooled(dtype, *shape):
    """The results of a max pooling with winners of this type and shape."""
    return [floats(2, 3, 2, 4), jax.ShapeDtypeStruct(shape, dtype)]


X, KERNEL, Y = jnp.ones((2, 6, 5, 4)), jnp.ones((3, 2, 2, 6)), floats(2, 4, 4, 6)
RIGHT = {
    "strides": (1, 1),
    "before": (0, 0),
    "after": (0, 0),
    "dilation": (1, 1),
    "groups": np.int64(2),
    "relu": False,
}


def test_a_right_call(library) -> None:
    np.testing.assert_array_equal(call("convolution_forward", Y, X, KERNEL, **RIGHT), np.full(Y.shape, 12))


def test_bias_and_relu(instruction_set) -> None:
    bias = jnp.arange(6.0) - 14
    y = call("convolution_forward", Y, X, KERNEL, bias, **RIGHT | {"relu": True})
    np.testing.assert_array_equal(y[1, 2, 3], [0, 0, 0, 1, 2, 3])


def test_the_gradient_by_bias(instruction_set) -> None:
    attributes = {name: value for name, value in RIGHT.items() if name != "relu"}
    dy = jnp.broadcast_to(jnp.arange(6.0), Y.shape)
    dw, db = call("convolution_kernel_gradient", [floats(*KERNEL.shape), floats(6)], X, dy, **attributes)
    np.testing.assert_array_equal(db, 32 * np.arange(6))
    np.testing.assert_array_equal(dw[2, 1, 1], 32 * np.arange(6))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"strides": (0, 1)}, "strides lies between 1 and 2^30, got (0, 1)"),
        ({"strides": (1,)}, "strides has one entry for each of the 2 axes, got (1)"),
        ({"dilation": (1, 2**40)}, "dilation lies between 1 and 2^30, got (1, 1099511627776)"),
        ({"before": (-1, 0)}, "padding before lies between 0 and 2^30, got (-1, 0)"),
        ({"after": (1, 0)}, "axis 0 has 5 window positions, got an output (2, 4, 4, 6) for an input (2, 6, 5, 4)"),
        ({"groups": np.int64(0)}, "got 0 groups, an input (2, 6, 5, 4) and a kernel (3, 2, 2, 6)"),
        ({"groups": np.int64(-(2**63))}, "groups, an input (2, 6, 5, 4) and a kernel (3, 2, 2, 6)"),
        ({"groups": np.int32(2)}, "Wrong scalar data type: expected S64 but got S32"),
        ({"strides": 1}, "Wrong attribute type: expected array but got scalar"),
    ],
)
def test_wrong_attributes_are_errors(library, changes, problem) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("convolution_forward", Y, X, KERNEL, **RIGHT | changes)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "result", "problem"),
    [
        ((X,), Y, "Wrong number of arguments"),
        ((X, KERNEL, jnp.ones(5)), Y, "a bias has one number for each filter"),
        ((X, KERNEL, jnp.ones(6), jnp.ones(6)), Y, "takes an input, a kernel and at most one bias"),
        ((X, KERNEL, jnp.ones(6, jnp.int32)), Y, "a bias is float32"),
        ((X.astype(jnp.bfloat16), KERNEL), Y, "Wrong buffer dtype"),
        ((X, KERNEL.astype(jnp.int32)), Y, "Wrong buffer dtype"),
        ((X, KERNEL), jax.ShapeDtypeStruct(Y.shape, np.float16), "Wrong buffer dtype"),
        ((X[0, 0], KERNEL), Y, "an input has a batch axis, one to three spatial axes and channels, got (5, 4)"),
        ((X, KERNEL[0]), Y, "a kernel has the rank of its input, got (2, 2, 6) for an input (2, 6, 5, 4)"),
        ((X, KERNEL), floats(3, 4, 4, 6), "the same batch size, got (2, 6, 5, 4) and (3, 4, 4, 6)"),
        ((X, KERNEL), floats(2, 4, 4, 8), "an output has the kernel's filters"),
        ((X, KERNEL), floats(2, 4, 6), "input and output have the same rank"),
    ],
)
def test_wrong_buffers_are_errors(library, arrays, result, problem) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("convolution_forward", result, *arrays, **RIGHT)
    assert problem in str(caught.value)


WINDOW = {"window": (2, 2), "strides": (2, 2), "before": (0, 0), "after": (0, 0)}


@pytest.mark.parametrize(
    ("handler", "arrays", "results", "changes", "problem"),
    [
        ("max_pooling_forward", (X,), [floats(2, 3, 3, 4)], {}, "axis 1 has 2 window positions"),
        ("max_pooling_forward", (X,), pooled(np.int8, 2, 3, 2, 4), {}, "int32, or uint8"),
        ("max_pooling_forward", (X,), pooled(np.uint8, 2, 3, 2), {}, "the shape of the output"),
        ("max_pooling_forward", (X,), [floats(2, 3, 2, 4)] * 3, {}, "at most their numbers"),
        (
            "max_pooling_forward",
            (X,),
            [floats(2, 3, 2, 4)],
            {"window": (2**16,) * 2},
            "has at most 2^30 cells",
        ),
        ("max_pooling_forward", (X,), [floats(2, 3, 2, 5)], {}, "the same channels"),
        ("max_pooling_gradient", (jnp.ones((2, 3, 2, 4)),) * 2, floats(*X.shape), {}, "int32, or uint8"),
        ("sum_pooling_forward", (X,), floats(2, 3, 2, 4), {"window": (2,), "mean": True}, "one entry for each"),
        ("sum_pooling_gradient", (X,), floats(2, 3, 2, 4), {"mean": True}, "axis 0 has 1 window positions"),
        ("sum_pooling_forward", (X,), floats(2, 3, 2, 4), {}, "Wrong number of attributes: expected 5 but got 4"),
    ],
)
def test_wrong_poolings_are_errors(library, handler, arrays, results, changes, problem) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call(handler, results, *arrays, **WINDOW | changes)
    assert problem in str(caught.value)


BLOCK = {"window": (2, 2), **RIGHT}
WHICH = {"by_input": False, "by_kernel": True, "by_bias": True}
POOLED, BIAS = jnp.ones((2, 2, 2, 6)), jnp.ones(6)
WINNERS = jnp.zeros((2, 2, 2, 6), jnp.uint8)


def test_a_right_block(library) -> None:
    y = call("block_forward", [floats(*POOLED.shape)], X, KERNEL, BIAS, **BLOCK)[0]
    np.testing.assert_array_equal(y, np.full(POOLED.shape, 13))
    results = [floats(*KERNEL.shape), floats(6)]
    dw, db = call("block_gradient", results, X, KERNEL, y, POOLED, WINNERS, **BLOCK, **WHICH)
    np.testing.assert_array_equal(dw, np.full(KERNEL.shape, 8))
    np.testing.assert_array_equal(db, np.full(6, 8))


@pytest.mark.parametrize(
    ("arrays", "results", "changes", "problem"),
    [
        ((X, KERNEL), [POOLED], {}, "Wrong number of arguments"),
        ((X, KERNEL, BIAS[:5]), [POOLED], {}, "a bias has one number for each filter"),
        ((X, KERNEL, BIAS), [POOLED[:1]], {}, "the same batch size"),
        ((X, KERNEL, BIAS), [POOLED[:, :1]], {}, "axis 0 has 2 window positions"),
        ((X, KERNEL, BIAS), [POOLED[..., :5]], {}, "an output has the kernel's filters"),
        ((X, KERNEL, BIAS), [POOLED], {"window": (2,)}, "a window has one entry for each of the 2 axes"),
        ((X, KERNEL, BIAS), [POOLED], {"window": (2**30, 2**30)}, "a window has at most 256 cells"),
        ((X, KERNEL, BIAS), [POOLED], {"window": (0, 2)}, "a window lies between 1 and 2^30"),
        ((X, KERNEL, BIAS), [POOLED], {"before": (2**40, 0)}, "padding before lies between 0 and 2^30"),
        ((X, KERNEL, BIAS), [POOLED], {"groups": np.int64(4)}, "got 4 groups"),
        ((X, KERNEL[0], BIAS), [POOLED], {}, "a kernel has the rank of its input"),
        ((X, KERNEL, BIAS), [POOLED, POOLED], {}, "the winners are uint8"),
        ((X, KERNEL, BIAS), [POOLED, WINNERS[:1]], {}, "the winners have the shape of the output"),
        ((X, KERNEL, BIAS), [POOLED, WINNERS, WINNERS], {}, "returns winners at most once"),
    ],
)
def test_wrong_blocks_are_errors(library, arrays, results, changes, problem) -> None:
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in results]
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("block_forward", shapes, *arrays, **BLOCK | changes)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "results", "changes", "problem"),
    [
        ((X, KERNEL, POOLED, POOLED), [KERNEL, BIAS], {}, "takes winners where windows have several cells"),
        ((X, KERNEL, POOLED, POOLED[:1], WINNERS), [KERNEL, BIAS], {}, "a gradient has the shape of the output"),
        ((X, KERNEL, POOLED, POOLED, WINNERS[:1]), [KERNEL, BIAS], {}, "the winners have the shape of the output"),
        ((X, KERNEL, POOLED, POOLED, POOLED), [KERNEL, BIAS], {}, "the winners are uint8"),
        ((X, KERNEL, POOLED, POOLED, WINNERS), [KERNEL], {}, "returns the gradients that are asked for"),
        ((X, KERNEL, POOLED, POOLED, WINNERS), [BIAS, KERNEL], {}, "a gradient has the shape of what it belongs to"),
        (
            (X, KERNEL, POOLED, POOLED, WINNERS),
            [WINNERS, BIAS],
            {},
            "a gradient by the input has its dtype, the others are float32",
        ),
        ((X, KERNEL, POOLED, POOLED, WINNERS), [KERNEL, BIAS], {"window": (1, 2)}, "axis 0 has 4 window positions"),
    ],
)
def test_wrong_gradients_of_blocks_are_errors(library, arrays, results, changes, problem) -> None:
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in results]
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("block_gradient", shapes, *arrays, **BLOCK | WHICH | changes)
    assert problem in str(caught.value)


@pytest.mark.parametrize("channels", [1, 20])
def test_a_winner_outside_its_window_stays_inside_the_block(instruction_set, channels) -> None:
    attributes = BLOCK | {"groups": np.int64(1), "by_input": True, "by_kernel": True, "by_bias": True}
    x, kernel, winners = X[..., :1].repeat(channels, -1), jnp.ones((3, 2, channels, 6)), jnp.full_like(WINNERS, 200)
    results = [floats(*x.shape), floats(*kernel.shape), floats(6)]
    for array in call("block_gradient", results, x, kernel, POOLED, POOLED, winners, **attributes):
        assert bool(jnp.isfinite(array).all())


def test_a_winner_outside_its_window_is_harmless(instruction_set) -> None:
    winner = jnp.full((2, 3, 2, 4), 200, jnp.uint8)
    assert not call("max_pooling_gradient", floats(2, 6, 5, 4), jnp.ones((2, 3, 2, 4)), winner, **WINDOW).any()


def test_sums_without_a_mean(instruction_set) -> None:
    y = call("sum_pooling_forward", floats(2, 3, 2, 4), X, **WINDOW, mean=False)
    np.testing.assert_array_equal(y, np.full((2, 3, 2, 4), 4))


ROWS, CHANNELS, MASK = jnp.ones((2, 6, 5, 4)), jnp.ones(4), jnp.ones(2)
NORMALIZED = [floats(2, 6, 5, 4), floats(4), floats(4)]
NORMALIZATION = {"epsilon": np.float32(1e-3), "relu": False}


def test_a_right_normalization(library) -> None:
    y, mean, variance = call("normalization_forward", NORMALIZED, ROWS, CHANNELS, CHANNELS, MASK, **NORMALIZATION)
    for array, right in ((y, 1), (mean, 1), (variance, 0)):
        np.testing.assert_array_equal(array, np.full(array.shape, right))


@pytest.mark.parametrize(
    ("changes", "results", "problem"),
    [
        ({0: jnp.ones(4)}, {0: floats(4)}, "an input has a batch axis and channels, got (4)"),
        ({0: ROWS[:0]}, {}, "an input lies between 1 and 2^30, got (0, 6, 5, 4)"),
        ({0: ROWS.astype(jnp.bfloat16)}, {}, "Wrong buffer dtype"),
        ({1: jnp.ones(5)}, {}, "one number a channel, got (5) for an input (2, 6, 5, 4)"),
        ({2: jnp.ones((4, 1))}, {}, "one number a channel, got (4, 1) for an input (2, 6, 5, 4)"),
        ({3: jnp.ones(3)}, {}, "a mask has one number a picture, got (3) for an input (2, 6, 5, 4)"),
        ({}, {0: floats(2, 6, 5, 5)}, "have the shape of the input, got (2, 6, 5, 5) and (2, 6, 5, 4)"),
        ({}, {0: floats(2, 30, 4)}, "have the shape of the input, got (2, 30, 4) and (2, 6, 5, 4)"),
        ({}, {2: floats(3)}, "one number a channel, got (3) for an input (2, 6, 5, 4)"),
    ],
)
def test_wrong_normalizations_are_errors(library, changes, results, problem) -> None:
    arrays = [changes.get(place, array) for place, array in enumerate((ROWS, CHANNELS, CHANNELS, MASK))]
    shapes = [results.get(place, shape) for place, shape in enumerate(NORMALIZED)]
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("normalization_forward", shapes, *arrays, **NORMALIZATION)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "results", "problem"),
    [
        ({0: ROWS[:1]}, {}, "have the shape of the input, got (1, 6, 5, 4) and (2, 6, 5, 4)"),
        ({4: jnp.ones(1)}, {}, "one number a channel, got (1) for an input (2, 6, 5, 4)"),
        ({6: jnp.ones(1)}, {}, "a mask has one number a picture, got (1) for an input (2, 6, 5, 4)"),
        ({}, {0: floats(6, 2, 5, 4)}, "have the shape of the input, got (6, 2, 5, 4) and (2, 6, 5, 4)"),
        ({}, {1: floats(2)}, "one number a channel, got (2) for an input (2, 6, 5, 4)"),
    ],
)
def test_wrong_gradients_of_normalizations_are_errors(library, changes, results, problem) -> None:
    right = (ROWS, ROWS, CHANNELS, CHANNELS, CHANNELS, CHANNELS, MASK)
    arrays = [changes.get(place, array) for place, array in enumerate(right)]
    shapes = [results.get(place, shape) for place, shape in enumerate(NORMALIZED)]
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("normalization_gradient", shapes, *arrays, **NORMALIZATION)
    assert problem in str(caught.value)


def test_xla_gives_its_threads(library) -> None:
    assert 1 <= native.threads() <= (os.cpu_count() or 1)


def test_unknown_instruction_sets_are_refused(library) -> None:
    before = library.chosen()
    assert not library.choose("sse9")
    assert library.chosen() == before
    assert library.runnable()[0] == "portable"


def test_a_library_of_other_sources_is_not_used(monkeypatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda path: SimpleNamespace())
    monkeypatch.setattr(native, "_FILE", native.Path(__file__))
    assert native.library.__wrapped__() == "the library was built from another version of the sources"


def test_a_missing_or_broken_library_is_said_to_be_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(native, "_FILE", tmp_path / "_native.so")
    assert native.library.__wrapped__() == "no library was built when it was installed"
    native._FILE.write_bytes(b"not a library")
    assert native.library.__wrapped__().startswith("the library cannot be loaded: ")


HALF_X, HALF_Y = X.astype(jnp.bfloat16), jax.ShapeDtypeStruct(Y.shape, jnp.bfloat16)


def test_bfloat16_with_bias_and_relu(bfloat16_instruction_set) -> None:
    bias = jnp.arange(6.0) - 14
    y = call("convolution_forward_bfloat16", HALF_Y, HALF_X, KERNEL, bias, **RIGHT | {"relu": True})
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y[1, 2, 3].astype(jnp.float32), [0, 0, 0, 1, 2, 3])


def test_the_gradient_by_bias_of_bfloat16_is_float32(bfloat16_instruction_set) -> None:
    attributes = {name: value for name, value in RIGHT.items() if name != "relu"}
    dy = jnp.broadcast_to(jnp.arange(6.0), Y.shape).astype(jnp.bfloat16)
    dw, db = call("convolution_kernel_gradient_bfloat16", [floats(*KERNEL.shape), floats(6)], HALF_X, dy, **attributes)
    np.testing.assert_array_equal(db, 32 * np.arange(6))
    np.testing.assert_array_equal(dw[2, 1, 1], 32 * np.arange(6))


def test_an_empty_sum_of_bfloat16_is_the_bias(library) -> None:
    nothing, kernel, bias = jnp.ones((2, 3, 0), jnp.bfloat16), jnp.ones((2, 0, 3)), jnp.array([0.5, -1.0, 3.0])
    attributes = RIGHT | {"strides": (1,), "before": (0,), "after": (0,), "dilation": (1,), "groups": np.int64(1)}
    y = call(
        "convolution_forward_bfloat16",
        jax.ShapeDtypeStruct((2, 2, 3), jnp.bfloat16),
        nothing,
        kernel,
        bias,
        **attributes,
    )
    np.testing.assert_array_equal(y[1, 1].astype(jnp.float32), bias)


@pytest.mark.parametrize(
    ("x", "kernel", "result", "problem"),
    [
        (X, KERNEL, HALF_Y, "BF16"),
        (HALF_X, KERNEL.astype(jnp.bfloat16), HALF_Y, "F32"),
        (HALF_X, KERNEL, Y, "BF16"),
        (HALF_X[0], KERNEL, HALF_Y, "input and output have the same rank"),
    ],
)
def test_wrong_buffers_of_bfloat16_are_errors(library, x, kernel, result, problem) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        call("convolution_forward_bfloat16", result, x, kernel, **RIGHT)
    assert problem in str(caught.value)
