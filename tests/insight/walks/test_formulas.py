"""Numbers and activation functions as worked lines show them."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from convista.insight.walks.formulas import CURVES, Line, added, factor, gelu, shown
from convista.layers import GELU
from convista.ops import activation as activations

POINTS = (-30.0, -4.0, -1.0, -0.3, 0.0, 0.3, 1.0, 4.0, 30.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (-10, "−10"),
        (0.12341, "0.1234"),
        (-1e-9, "−1e−09"),
        (1e7, "1e+07"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_short_and_have_a_real_minus(value, text):
    assert shown(value) == text


def test_signs_in_sums_and_products():
    assert added([-1.0, 2.0, -0.5]) == "−1 + 2 − 0.5"
    assert added([3.0]) == "3"
    assert factor(-2) == "(−2)"
    assert str(Line("bias", "1 + 2", 3.0)) == "bias = 1 + 2 = 3"


@pytest.mark.parametrize("name", sorted(CURVES))
def test_every_activation_is_what_the_network_applies(name):
    network = np.asarray(activations.FUNCTIONS[name](jnp.asarray(POINTS, jnp.float32)))
    ours = [CURVES[name].at(point) for point in POINTS]
    np.testing.assert_allclose(ours, network, rtol=2e-6, atol=2e-7)


def test_no_activation_is_missing():
    assert sorted({*CURVES, "softmax", "log_softmax"}) == sorted(activations.FUNCTIONS)


def test_another_curve_would_be_noticed():
    ours = [CURVES["elu"].at(point) for point in POINTS]
    assert not np.allclose(ours, [CURVES["selu"].at(point) for point in POINTS], rtol=2e-6, atol=2e-7)


def test_gelu_with_the_formula_with_tanh():
    x = jnp.asarray(POINTS, jnp.float32)
    network = GELU(approximate=True).apply({}, {}, x, training=False, key=None)[0]
    np.testing.assert_allclose([gelu(point, approximate=True) for point in POINTS], network, rtol=2e-6, atol=2e-7)


def test_what_is_not_finite_stays_so_without_a_warning():
    assert np.isnan(CURVES["relu"].at(float("nan")))
    assert CURVES["exponential"].at(1e6) == float("inf")
    assert CURVES["sigmoid"].at(-1e6) == 0
