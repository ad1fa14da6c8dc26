"""Affine warps against SciPy: every fill mode, both interpolations, sizes that change, gradients."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from convista.ops.warp import about_middle, affine_warp, followed_by
from oracles.compare import EXACT, LAYERS, QUICK, SUMS, Tolerance, agree

FAR_PLACES = Tolerance(1e-4, 1e-5)
MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}


def case(seed=0, spread=6.0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(3, 7, 5, 2)).astype(np.float32)
    maps = (random.normal(size=(3, 2, 3)) * [1, 1, spread]).astype(np.float32)
    return x, maps


def scipys(x, maps, fill_mode, order, size, fill_value=0.0):
    def one(picture, own, channel):
        linear, offset = own[:, :2].astype(float), own[:, 2].astype(float)
        return ndimage.affine_transform(
            picture[..., channel].astype(float),
            linear,
            offset,
            output_shape=size,
            order=order,
            mode=MODES[fill_mode],
            cval=fill_value,
        )

    return np.stack(
        [
            np.stack([one(picture, own, channel) for channel in range(x.shape[-1])], axis=-1)
            for picture, own in zip(x, maps, strict=True)
        ]
    )


def warp(x, maps, **options):
    """One program that is compiled quickly, instead of a compilation for each of its operations."""
    return jax.jit(lambda x, maps: affine_warp(x, maps, **options), compiler_options=QUICK)(x, maps)


@pytest.mark.parametrize("fill_mode", MODES)
@pytest.mark.parametrize(("interpolation", "order"), [("bilinear", 1), ("nearest", 0)])
@pytest.mark.parametrize(("size", "spread"), [(None, 6.0), ((9, 4), 1.0), ((2, 11), 60.0)])
def test_values_are_those_of_scipy(fill_mode, interpolation, order, size, spread):
    x, maps = case(spread=spread)
    options = {"size": size, "fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 2.5}
    found = warp(x, maps, **options)
    # Places of size 60 are rounded to 4e-6, and neighbours differ by up to 6.
    agree(found, scipys(x, maps, fill_mode, order, size or (7, 5), 2.5), LAYERS if spread < 10 else FAR_PLACES)


def test_the_oracle_rejects_another_mode_and_a_shifted_picture():
    x, maps = case(spread=1.0)
    found = warp(jnp.asarray(x), jnp.asarray(maps), fill_mode="wrap")
    with pytest.raises(AssertionError, match="apart"):
        agree(found, scipys(x, maps, "reflect", 1, (7, 5)), LAYERS)
    with pytest.raises(AssertionError, match="apart"):
        agree(found, scipys(x, maps + np.float32(0.01), "wrap", 1, (7, 5)), LAYERS)


@pytest.mark.parametrize(
    ("fill_mode", "row"),
    [
        ("constant", [9, 9, 9, 0, 1, 2, 3, 9, 9, 9]),
        ("nearest", [0, 0, 0, 0, 1, 2, 3, 3, 3, 3]),
        ("reflect", [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]),
        ("wrap", [1, 2, 3, 0, 1, 2, 3, 0, 1, 2]),
    ],
)
def test_what_lies_beyond_the_border_is_what_the_table_says(fill_mode, row):
    x = jnp.arange(4.0).reshape(1, 1, 4, 1)
    maps = jnp.array([[[1.0, 0, 0], [0, 1.0, -3.0]]])
    found = warp(x, maps, size=(1, 10), fill_mode=fill_mode, fill_value=9.0)
    assert found.ravel().tolist() == row


@pytest.mark.parametrize("fill_mode", MODES)
def test_the_map_that_moves_nothing_returns_the_picture_to_the_bit(fill_mode):
    x, _ = case()
    still = jnp.broadcast_to(jnp.eye(2, 3), (3, 2, 3))
    agree(warp(jnp.asarray(x), still, fill_mode=fill_mode), x, EXACT)


def test_two_warps_in_a_row_are_the_product_of_their_matrices():
    _, first = case(1)
    _, second = case(2)
    last = np.broadcast_to(np.array([[[0, 0, 1]]]), (3, 1, 3))
    product = np.concatenate([first, last], axis=1) @ np.concatenate([second, last], axis=1)
    agree(followed_by(jnp.asarray(first), jnp.asarray(second)), product[:, :2], SUMS)


def test_a_map_about_the_middle_leaves_the_middle_where_it_is():
    numbers = [jnp.array([value]) for value in (0.3, -1.2, 2.0, 0.7)]
    maps = about_middle(((numbers[0], numbers[1]), (numbers[2], numbers[3])), (9, 6))
    middle = np.array([4.0, 2.5, 1.0])
    np.testing.assert_allclose(np.asarray(maps[0]) @ middle, middle[:2], rtol=1e-6)


def test_the_gradient_by_the_picture_is_the_transposed_warp():
    x, maps = case(3, spread=1.0)
    other = np.random.default_rng(9).normal(size=x.shape).astype(np.float32)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def there_and_back(x, other):
        y, pull = jax.vjp(lambda x: affine_warp(x, jnp.asarray(maps), fill_mode="reflect"), x)
        return y, pull(other)[0]

    y, back = there_and_back(x, other)
    # ⟨warp x, other⟩ = ⟨x, warpᵀ other⟩, for a warp is linear in the picture.
    np.testing.assert_allclose(np.sum(y * other), np.sum(x * back), rtol=1e-4)
    assert np.abs(np.asarray(back)).max() > 0


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_short_numbers_stay_short(dtype):
    x, maps = case()
    assert warp(jnp.asarray(x, dtype), jnp.asarray(maps)).dtype == dtype


def test_whole_numbers_become_float32():
    found = warp(jnp.full((1, 2, 2, 1), 255, jnp.uint8), jnp.eye(2, 3)[None])
    assert found.dtype == jnp.float32
    assert found.ravel().tolist() == [255.0] * 4
