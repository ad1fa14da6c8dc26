"""The classic kernels against SciPy's filters."""

from __future__ import annotations

import numpy as np
import pytest

from convista.errors import ArgumentError
from convista.ops.filters import MAGNITUDES, NAMES, kernels
from oracles.compare import Tolerance, agree, numbers

ndimage = pytest.importorskip("scipy.ndimage")
DOUBLE = Tolerance(1e-12, 1e-12)

THEIRS = {
    "identity": lambda x: x,
    "sobel_x": lambda x: ndimage.sobel(x, 1, mode="nearest"),
    "sobel_y": lambda x: ndimage.sobel(x, 0, mode="nearest"),
    "prewitt_x": lambda x: ndimage.prewitt(x, 1, mode="nearest"),
    "prewitt_y": lambda x: ndimage.prewitt(x, 0, mode="nearest"),
    "laplace": lambda x: ndimage.laplace(x, mode="nearest"),
    "sharpen": lambda x: x - ndimage.laplace(x, mode="nearest"),
    "box_blur": lambda x: ndimage.uniform_filter(x, 3, mode="nearest"),
    "gaussian_blur": lambda x: ndimage.gaussian_filter(x, 0.8, mode="nearest", radius=1),
}


@pytest.mark.parametrize("name", THEIRS)
def test_scipy_has_the_same_filter(name):
    x = numbers(9, 8).astype(np.float64)
    ours = ndimage.correlate(x, kernels(name)[0], mode="nearest")
    agree(ours, THEIRS[name](x), DOUBLE, dtype=np.float64)
    if name != "identity":
        with pytest.raises(AssertionError, match="apart"):
            agree(ours, 1.001 * THEIRS[name](x), DOUBLE, dtype=np.float64)


@pytest.mark.parametrize(("size", "sigma"), [(5, 1.0), (7, 0.6), (63, 10.0)])
def test_gaussians_of_any_size(size, sigma):
    x = numbers(70, 8).astype(np.float64)
    ours = ndimage.correlate(x, kernels("gaussian_blur", size, sigma)[0], mode="nearest")
    theirs = ndimage.gaussian_filter(x, sigma, mode="nearest", radius=size // 2)
    agree(ours, theirs, DOUBLE, dtype=np.float64)


def test_sigma_asks_for_a_size():
    assert kernels("gaussian_blur", sigma=2.0)[0].shape == (13, 13)
    assert kernels("gaussian_blur")[0].shape == (3, 3)


@pytest.mark.parametrize("name", NAMES)
def test_blurs_keep_brightness_and_edges_ignore_it(name):
    for kernel in kernels(name):
        edge = name in MAGNITUDES or name.startswith(("sobel", "prewitt", "scharr", "laplace"))
        assert kernel.sum() == pytest.approx(0 if edge else 1, abs=1e-12)
        assert kernel.dtype == np.float64


def test_a_magnitude_has_both_directions():
    for name, parts in MAGNITUDES.items():
        for found, part in zip(kernels(name), parts, strict=True):
            np.testing.assert_array_equal(found, kernels(part)[0])
        np.testing.assert_array_equal(kernels(parts[0])[0], kernels(parts[1])[0].T)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("sobbel",), "kernels: kernel is the name of a classic filter. Received 'sobbel'. Did you mean 'sobel'?"),
        (
            ("box_blur", 4),
            "kernels: size is odd and at most 63. Received size=4. size=5.",
        ),
        (("box_blur", 65), "kernels: size is odd and at most 63. Received size=65. size=63."),
        (
            ("sobel", 5),
            "kernels: sobel is 3×3. Received size=5. Leave size out, or use box_blur or gaussian_blur.",
        ),
        (
            ("gaussian_blur", None, 50.0),
            "kernels: size is odd and at most 63. Received sigma=50.0, which asks for size=127. size=63.",
        ),
        (
            ("laplace", 3, 1.0),
            "kernels: sigma is a number above 0, of gaussian_blur alone. Received kernel='laplace', sigma=1.0. "
            "Leave sigma out, or write kernel='gaussian_blur', sigma=1.0.",
        ),
    ],
)
def test_what_cannot_be(given, message):
    with pytest.raises(ArgumentError) as caught:
        kernels(*given)
    assert str(caught.value) == message
