"""The layer of classic filters: on any channels, with every border, with gradients, in a model."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Sequential
from convista.errors import ArgumentError, ShapeError
from convista.layers import Dense, Filter2D, Flatten
from convista.ops.filters import NAMES, kernels
from oracles.compare import SUMS, agree, numbers

ndimage = pytest.importorskip("scipy.ndimage")
MODES = {"nearest": "nearest", "reflect": "mirror", "same": "constant"}


def filtered(x, *arguments, **options):
    return Filter2D(*arguments, **options).apply({}, {}, jnp.asarray(x), training=False, key=None)[0]


def by_scipy(x, name, padding, **options):
    parts = [
        np.stack(
            [
                np.stack([ndimage.correlate(row[..., c].astype(np.float64), kernel, mode=MODES[padding]) for row in x])
                for c in range(x.shape[-1])
            ],
            axis=-1,
        )
        for kernel in kernels(name, **options)
    ]
    return parts[0] if len(parts) == 1 else np.hypot(*parts)


@pytest.mark.parametrize("name", NAMES)
def test_each_filter_on_three_channels(name):
    x = numbers(2, 6, 5, 3)
    agree(filtered(x, name), by_scipy(x, name, "nearest"), SUMS)


@pytest.mark.parametrize("padding", MODES)
@pytest.mark.parametrize("name", ["sobel"])
def test_every_border(name, padding):
    x = numbers(1, 6, 7, 2)
    agree(filtered(x, name, padding=padding), by_scipy(x, name, padding), SUMS)
    other = next(mode for mode in MODES if mode != padding)
    with pytest.raises(AssertionError, match="apart"):
        agree(filtered(x, name, padding=padding), by_scipy(x, name, other), SUMS)


def test_valid_is_the_inside():
    x = numbers(1, 8, 9, 2)
    whole = by_scipy(x, "gaussian_blur", "same", size=5, sigma=1.0)
    inside = filtered(x, "gaussian_blur", 5, 1.0, padding="valid")
    agree(inside, whole[:, 2:-2, 2:-2], SUMS)
    assert Filter2D("gaussian_blur", 5, padding="valid").output_shape((8, None, 2)) == (4, None, 2)
    assert Filter2D("gaussian_blur", 5).output_shape((8, 9, 2)) == (8, 9, 2)


def test_the_length_of_no_slope_has_a_gradient():
    gradient = jax.grad(lambda x: jnp.sum(filtered(x, "sobel")))(jnp.ones((1, 4, 4, 1)))
    assert np.asarray(gradient).tolist() == np.zeros((1, 4, 4, 1)).tolist()
    x = jnp.asarray(numbers(1, 4, 4, 1))
    step = jnp.zeros_like(x).at[0, 1, 2, 0].set(1e-2)
    slope = (jnp.sum(filtered(x + step, "sobel")) - jnp.sum(filtered(x - step, "sobel"))) / 2e-2
    found = jax.grad(lambda x: jnp.sum(filtered(x, "sobel")))(x)[0, 1, 2, 0]
    assert float(found) == pytest.approx(float(slope), rel=1e-2)


def test_a_filter_learns_nothing_and_stands_in_a_model():
    model = Sequential([Filter2D("sobel", input_shape=(8, 8, 3)), Flatten(), Dense(2)])
    assert model.count_params() == 8 * 8 * 3 * 2 + 2
    assert "3×3" in str(model.summary(detail=True, print_to=None))
    assert model.predict(numbers(2, 8, 8, 3)).shape == (2, 2)
    assert Filter2D("laplace").multiply_accumulates((4, 4, 2)) == 4 * 4 * 2 * 5


def test_what_cannot_be():
    with pytest.raises(ArgumentError) as caught:
        Filter2D("sobelx", name="edges")
    assert str(caught.value) == (
        "Filter2D 'edges': kernel is the name of a classic filter. Received 'sobelx'. Did you mean 'sobel_x'?"
    )
    with pytest.raises(ArgumentError) as caught:
        Filter2D("sobel", padding="mirror")
    assert str(caught.value) == (
        "Filter2D: padding is 'valid', 'nearest', 'reflect' or 'same'. Received padding='mirror'. "
        "Known: nearest, reflect, same, valid."
    )
    with pytest.raises(ShapeError) as caught:
        Sequential([Filter2D("sobel", padding="valid", input_shape=(2, 2, 1))])
    assert str(caught.value).startswith("Filter2D 'filter2d': a 3×3 kernel does not fit a 2×2 input")
