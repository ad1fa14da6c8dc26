"""The lectures' networks: sizes, names, and pictures as they come from files."""

from __future__ import annotations

import numpy as np
import pytest

from convista import architectures
from convista.data import Preprocessing
from convista.errors import DataError, ShapeError


@pytest.mark.parametrize(
    ("make", "name", "parameters", "macs"),
    [
        (architectures.lecture_dense, "lecture-dense", 407_050, 406_528),
        (architectures.lecture_convnet, "lecture-convnet", 104_202, 3_100_032),
        (architectures.lecture_convnet_without_pooling, "lecture-convnet-without-pooling", 712_202, 47_115_392),
        (architectures.lecture_small_convnet, "lecture-small-convnet", 297_578, 1_008_416),
    ],
)
def test_the_lectures_numbers(make, name, parameters, macs) -> None:
    model = make()
    summary = model.summary(print_to=None)
    assert (model.name, model.count_params(), summary.multiply_accumulates) == (name, parameters, macs)
    assert not model.compiled
    assert model.preprocessing == Preprocessing(scale=1 / 255)


@pytest.mark.parametrize("name", architectures.names(axes=2))
def test_other_sizes_and_classes(name: str) -> None:
    model = architectures.get(name)((36, 32, 3), 7, seed=5)
    assert (model.name, model.seed) == (name, 5)
    assert (model.input_shape, model.output_shape) == ((None, 36, 32, 3), (None, 7))


def test_whole_numbers_are_scaled() -> None:
    model = architectures.lecture_dense((8, 8, 1), seed=0)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    np.testing.assert_allclose(model.predict(pixels), model.predict(pixels / np.float32(255)), atol=1e-6)
    with pytest.raises(DataError, match=r"^x: pictures given as floats 0…255 need a scale"):
        model.predict(pixels.astype(np.float32))


@pytest.mark.parametrize(
    ("make", "smallest"),
    [
        (architectures.lecture_convnet, 18),
        (architectures.lecture_convnet_without_pooling, 7),
        (architectures.lecture_small_convnet, 6),
        (architectures.digits_convnet, 5),
        (architectures.lenet5, 16),
        (architectures.vgg11, 32),
        (architectures.vgg16, 32),
        (architectures.mobilenet_v1, 31),
        (architectures.convnext_tiny, 32),
    ],
)
def test_the_smallest_picture_is_what_the_documentation_says(make, smallest: int) -> None:
    make((smallest, smallest, 1))
    assert f"at least {smallest}×{smallest}" in make.__doc__
    with pytest.raises(ShapeError, match="does not fit"):
        make((smallest - 1, smallest - 1, 1))
