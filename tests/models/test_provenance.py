"""Where weights came from, as data and back."""

from __future__ import annotations

import pytest

from convista.errors import ArgumentError
from convista.models.provenance import Provenance


def test_there_and_back():
    given = Provenance("a.pth", "0" * 64, "torch")
    assert Provenance.from_config(given.to_config()) == given


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"source": "a"}, "Provenance: its fields are format, sha256 and source. Received {'source': 'a'}."),
        ([1], "Provenance: its fields are format, sha256 and source. Received [1]."),
        ({"source": 1, "sha256": "", "format": ""}, "Provenance: source is a text. Received source=1."),
    ],
)
def test_messages(config, message):
    with pytest.raises(ArgumentError) as error:
        Provenance.from_config(config)
    assert str(error.value) == message
