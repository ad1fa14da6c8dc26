"""Contrast, saturation, hue and grey, against the standard library's colours and plain NumPy."""

from __future__ import annotations

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.ops import color
from oracles.compare import LAYERS, agree

PIXELS = np.random.default_rng(0).random((2, 3, 4, 3)).astype(np.float32)
PIXELS[0, 0, :3] = [[0.5, 0.5, 0.5], [0, 0, 0], [1, 0, 0]]  # a grey, black, a pure colour


def pixel_by_pixel(change):
    return np.array(
        [[[change(number, *pixel) for pixel in row] for row in picture] for number, picture in enumerate(PIXELS)]
    )


@pytest.mark.parametrize("factors", [(1.7, 0.3), (0.0, 1.0), (100.0, 2.0)])
def test_saturation_is_that_of_colorsys(factors):
    def change(number, *pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, pixel))
        return colorsys.hsv_to_rgb(hue, min(saturation * factors[number], 1.0), value)

    agree(jax.jit(color.saturation)(jnp.asarray(PIXELS), jnp.array(factors)), pixel_by_pixel(change), LAYERS)


@pytest.mark.parametrize("turns", [(0.37, -0.2), (0.5, 0.0), (-0.5, 1 / 6)])
def test_hue_is_that_of_colorsys(turns):
    def change(number, *pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, pixel))
        return colorsys.hsv_to_rgb((hue + turns[number]) % 1.0, saturation, value)

    agree(jax.jit(color.turned_hue)(jnp.asarray(PIXELS), jnp.array(turns)), pixel_by_pixel(change), LAYERS)


def test_the_oracle_rejects_another_turn():
    def change(number, *pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, pixel))
        return colorsys.hsv_to_rgb((hue + 0.301) % 1.0, saturation, value)

    with pytest.raises(AssertionError, match="apart"):
        agree(jax.jit(color.turned_hue)(jnp.asarray(PIXELS), jnp.array([0.3, 0.3])), pixel_by_pixel(change), LAYERS)


def test_contrast_stretches_about_the_mean_of_each_channel():
    mean = PIXELS.mean(axis=(1, 2), keepdims=True)
    factor = np.array([0.5, 1.5], np.float32)
    agree(
        color.contrast(jnp.asarray(PIXELS), jnp.asarray(factor)),
        (PIXELS - mean) * factor[:, None, None, None] + mean,
        LAYERS,
    )


def test_grey_weighs_red_green_and_blue():
    wanted = np.repeat((PIXELS @ np.array([0.2989, 0.587, 0.114]))[..., None], 3, axis=-1)
    agree(color.grey(jnp.asarray(PIXELS)), wanted, LAYERS)


def test_gradients_are_finite_where_colours_have_no_hue():
    pixels = jnp.asarray(PIXELS)
    for change in (color.saturation, color.turned_hue, color.contrast):
        gradient = jax.jit(jax.grad(lambda x, change=change: change(x, jnp.array([0.7, 1.3])).sum()))(pixels)
        assert np.isfinite(gradient).all()
