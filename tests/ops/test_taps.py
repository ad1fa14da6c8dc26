from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from convista.ops.taps import taps
from oracles import loops
from oracles.compare import numbers


@pytest.mark.parametrize(
    ("sizes", "window", "strides", "dilation"),
    [
        ((6,), (3,), (2,), (1,)),
        ((5, 7), (2, 3), (1, 2), (2, 1)),
        ((4, 4, 3), (2, 1, 3), (1, 3, 1), (3, 1, 1)),
    ],
)
def test_each_tap_is_what_its_cell_sees_at_every_position(sizes, window, strides, dilation):
    x = numbers(2, *sizes, 3)
    found = taps(jnp.asarray(x), window, strides, dilation)
    no_pads = ((0, 0),) * len(sizes)
    cells = list(np.ndindex(*window))
    assert len(found) == len(cells)
    assert found[0].shape == (2, *loops.positions(sizes, window, strides, no_pads, dilation), 3)
    for position, cell, place in loops.visits(sizes, window, strides, no_pads, dilation):
        np.testing.assert_array_equal(found[cells.index(cell)][:, *position], x[:, *place])
