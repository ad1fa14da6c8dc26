"""Architectures by name."""

from __future__ import annotations

import pytest

from convista import architectures
from convista.errors import ArgumentError


def test_each_name_gives_the_network_of_this_name() -> None:
    assert architectures.names() == (
        "lecture-dense",
        "lecture-convnet",
        "lecture-convnet-without-pooling",
        "lecture-small-convnet",
        "digits-convnet",
        "sequence-convnet",
        "series-convnet",
        "volume-convnet",
        "lenet5",
        "vgg11",
        "vgg16",
        "resnet18",
        "resnet34",
        "resnet50",
        "mobilenet-v1",
        "mobilenet-v2",
        "efficientnet-b0",
        "convnext-tiny",
    )
    for name in architectures.names():
        assert architectures.get(name)().name == name


def test_networks_are_found_by_the_axes_of_their_data() -> None:
    assert architectures.names(1) == ("sequence-convnet", "series-convnet")
    assert architectures.names(3) == ("volume-convnet",)
    assert sorted(name for axes in (1, 2, 3) for name in architectures.names(axes)) == sorted(architectures.names())
    for name in architectures.names():
        assert len(architectures.get(name)().input_shape) == architectures.axes_of(name) + 2
    with pytest.raises(ArgumentError, match="there is no architecture of this name"):
        architectures.axes_of("lecture")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "lecture-convnt",
            "architectures.get: there is no architecture of this name. Received 'lecture-convnt'. "
            "Did you mean 'lecture-convnet'?",
        ),
        (
            7,
            "architectures.get: there is no architecture of this name. Received 7. "
            "Known: convnext-tiny, digits-convnet, efficientnet-b0, lecture-convnet, lecture-convnet-without-pooling, "
            "lecture-dense, lecture-small-convnet, lenet5, mobilenet-v1, mobilenet-v2, resnet18, resnet34, resnet50, "
            "sequence-convnet, series-convnet, vgg11, vgg16, volume-convnet.",
        ),
    ],
)
def test_an_unknown_name(name, message) -> None:
    with pytest.raises(ArgumentError) as error:
        architectures.get(name)
    assert str(error.value) == message
