"""The published numbers of parameters, without making a single one of them."""

from __future__ import annotations

import pytest

from convista import architectures
from convista.errors import ArgumentError

# All numbers as Keras Applications counts them, and those that learn as torchvision does.
PUBLISHED = [
    ("lenet5", {}, 61_706, 61_706),
    ("vgg11", {}, 132_863_336, 132_863_336),
    ("vgg16", {}, 138_357_544, 138_357_544),
    ("resnet18", {}, 11_699_112, 11_689_512),
    ("resnet34", {}, 21_814_696, 21_797_672),
    ("resnet50", {}, 25_636_712, 25_583_592),
    ("resnet50", {"convention": "torch"}, 25_610_152, 25_557_032),
    ("mobilenet-v1", {}, 4_253_864, 4_231_976),
    ("mobilenet-v2", {}, 3_538_984, 3_504_872),
    ("mobilenet-v2", {"convention": "torch"}, 3_538_984, 3_504_872),
    ("efficientnet-b0", {}, 5_330_571, 5_288_548),
    ("efficientnet-b0", {"convention": "torch"}, 5_330_564, 5_288_548),
    ("convnext-tiny", {}, 28_589_128, 28_589_128),
    ("convnext-tiny", {"convention": "torch"}, 28_589_128, 28_589_128),
]


@pytest.mark.parametrize(("name", "options", "everything", "learned"), PUBLISHED)
def test_published_counts(name, options, everything, learned):
    counts = architectures.get(name)(**options).graph.parameter_counts().values()
    assert (sum(map(sum, counts)), sum(number for number, _ in counts)) == (everything, learned)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("lenet5", 16),
        ("vgg11", 512),
        ("resnet18", 512),
        ("resnet50", 2048),
        ("mobilenet-v1", 1024),
        ("mobilenet-v2", 1280),
        ("efficientnet-b0", 1280),
        ("convnext-tiny", 768),
    ],
)
def test_features_without_classifier(name, channels):
    make = architectures.get(name)
    assert make((64, 64, 3), include_top=False).output_shape[-1] == channels
    assert len(make((64, 64, 3), include_top=False).output_shape) == 4
    for pooling in ("avg", "max"):
        assert make((64, 64, 3), include_top=False, pooling=pooling).output_shape == (None, channels)


def test_small_pictures_are_not_shrunk_at_once():
    ordinary, small = (
        architectures.resnet18((32, 32, 3), 10, small_pictures=small).graph.shapes() for small in (False, True)
    )
    assert (8, 8, 64) in ordinary
    assert (32, 32, 64) in small


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: architectures.resnet18(pooling="avg"),
            "a network with its classifier has its own pooling. Received include_top=True, pooling='avg'. "
            "Leave pooling out, or add include_top=False.",
        ),
        (
            lambda: architectures.vgg16(include_top=False, pooling="mean"),
            "pooling is 'avg' or 'max'. Received pooling='mean'. Known: avg, max.",
        ),
        (
            lambda: architectures.mobilenet_v2(convention="pytorch"),
            "mobilenet_v2: convention is 'keras' or 'torch'. Received convention='pytorch'. Did you mean 'torch'?",
        ),
        (lambda: architectures.resnet18(classes=0), "classes is a whole number of at least 1. Received classes=0."),
    ],
)
def test_messages(make, message):
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == message
