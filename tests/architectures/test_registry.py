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
    )
    for name in architectures.names():
        assert architectures.get(name)().name == name


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
            "Known: digits-convnet, lecture-convnet, lecture-convnet-without-pooling, lecture-dense, "
            "lecture-small-convnet.",
        ),
    ],
)
def test_an_unknown_name(name, message) -> None:
    with pytest.raises(ArgumentError) as error:
        architectures.get(name)
    assert str(error.value) == message
