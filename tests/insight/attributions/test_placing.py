"""Where cells look, against the pixels that they depend on."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Input, Sequential
from convista.errors import ArgumentError
from convista.insight.attributions.placing import centres, laid_over
from convista.layers import (
    AveragePooling2D,
    Conv1D,
    Conv2D,
    Cropping2D,
    Dense,
    Flatten,
    Permute,
    Reshape,
    UpSampling2D,
    ZeroPadding2D,
)


def ones(filters: int, size, **settings) -> Conv2D:
    return Conv2D(filters, size, kernel_initializer="ones", **settings)


NETWORKS = {
    "valid": [ones(1, 3), AveragePooling2D(2), ones(1, 3)],
    "same": [ones(1, 3, padding="same"), AveragePooling2D(2), ones(1, 5, padding="same")],
    "strides": [ones(1, 3, strides=2, padding="same"), ones(1, 3, strides=(2, 1))],
    "dilation": [ones(1, 3, dilation_rate=2), ones(1, (2, 3))],
    "padded": [ZeroPadding2D(((3, 1), (0, 2))), ones(1, 3, strides=2)],
    "cropped": [Cropping2D(((3, 1), (0, 2))), ones(1, 3)],
    "enlarged": [AveragePooling2D(2), UpSampling2D(2), ones(1, 3)],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_middle_of_what_a_cell_depends_on(name: str) -> None:
    model = Sequential([Input((24, 20, 1)), *NETWORKS[name]])
    shape = model.graph.shapes()[-1][:-1]
    middle = tuple(size // 2 for size in shape)  # a cell away from the border sees all of its window

    def cell(x):
        return model.graph.apply(model.params, model.state, x)[0][(0, *middle, 0)]

    seen = np.asarray(jax.grad(cell)(jnp.ones((1, 24, 20, 1))))[0, ..., 0] > 0
    found = centres(model.graph, len(model.graph.nodes) - 1)
    for axis in range(2):
        places = np.flatnonzero(seen.any(axis=1 - axis))
        first, step = found[axis]
        # Of repeated cells one lies half a cell beside the middle of what both depend on.
        tolerance = 0.51 if name == "enlarged" else 1e-9
        assert first + step * middle[axis] == pytest.approx((places[0] + places[-1]) / 2, abs=tolerance)
        assert first + step * (middle[axis] + 1) != pytest.approx((places[0] + places[-1]) / 2, abs=tolerance)


def test_positions_that_were_lost_and_made_anew_are_spread_evenly() -> None:
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(16), Reshape((4, 4, 1)), Conv2D(2, 1)])
    assert centres(model.graph, 4) == ((0.5, 2.0), (0.5, 2.0))


def test_turned_axes_are_refused() -> None:
    model = Sequential([Input((8, 6, 1)), Permute((2, 1, 3), name="turned"), Conv2D(2, 3)])
    with pytest.raises(ArgumentError) as error:
        centres(model.graph, 2)
    assert str(error.value) == (
        "Permute 'turned': the axes of a layer that is looked into are those of the input. Received axes in another "
        "order. Name a layer before 'turned'."
    )


def test_a_coarse_map_is_linear_between_its_middles_and_constant_beyond() -> None:
    cells = np.array([[0.0, 10.0], [20.0, 30.0]])
    found = laid_over(cells, ((1.0, 2.0), (0.0, 4.0)), (5, 5))
    expected = [[row + column for column in (0, 2.5, 5, 7.5, 10)] for row in (0, 0, 10, 20, 20)]
    np.testing.assert_allclose(found, expected)
    assert not np.allclose(laid_over(cells, ((0.5, 2.5), (0.0, 4.0)), (5, 5)), expected)


def test_other_numbers_of_axes_and_channels_behind() -> None:
    model = Sequential([Input((9, 2)), Conv1D(4, 3)])
    middles = centres(model.graph, 1)
    assert middles == ((1.0, 1.0),)
    cells = np.arange(14.0).reshape(7, 2)
    np.testing.assert_allclose(laid_over(cells, middles, (9,)), cells[[0, 0, 1, 2, 3, 4, 5, 6, 6]])
    one = laid_over(np.ones((1, 1, 1)), ((0.0, 1.0),) * 3, (2, 3, 4))
    np.testing.assert_array_equal(one, np.ones((2, 3, 4)))
