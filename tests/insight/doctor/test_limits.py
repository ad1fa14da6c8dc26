"""The thresholds."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from convista.errors import ArgumentError
from convista.insight.doctor.limits import Limits


@pytest.mark.parametrize("value", [0, -1.0, True, "much", float("nan"), None])
def test_a_limit_is_a_number_above_zero(value):
    with pytest.raises(ArgumentError) as error:
        Limits(dead_share=value)
    assert str(error.value) == (
        f"Limits: a limit is a number above 0. Received dead_share={value!r}. Its default is dead_share=0.25."
    )


def test_limits_are_frozen_and_every_one_is_explained():
    with pytest.raises(FrozenInstanceError):
        Limits().dead_share = 1.0
    assert [item.name for item in fields(Limits) if f"        {item.name}: " not in (Limits.__doc__ or "")] == []
